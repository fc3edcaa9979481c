//! The command line of `jiyun-controller trail`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiyun_trail::{
    core::{action::Action, writer::Writer},
    store::{Cursor, limits::Retention},
};

use super::{LedgerArgs, Output};

/// What can be asked of the audit trail.
#[derive(Debug, Subcommand)]
pub enum TrailCommand {
    /// Prove that nothing was changed, taken out, swapped or cut off, and name the first broken record otherwise.
    #[command(after_help = "Exit code: 0 the trail is whole, 1 there are findings, 2 it could not be read.\n\
        With --head a chain that was written anew as a whole is found too, even if etcd was changed with it.\n\
        Example: jiyun-controller trail verify --trail-dir /var/lib/jiyun/trail --head heads.jsonl")]
    Verify(TrailVerify),
    /// Write all lines for an auditor, byte for byte, and the heads to be kept in another place; verifies them on the way.
    #[command(after_help = "Exit code: 0 written and whole, 1 written and there are findings, 2 not written.\n\
        What was exported is verified elsewhere with: jiyun-controller trail verify --input trail.jsonl --head heads.jsonl")]
    Export(TrailExport),
    /// Show records: a department's, a time's, an action's.
    #[command(
        after_help = "Example: jiyun-controller trail show --trail-dir /var/lib/jiyun/trail --department finance \
        --action QuotaChanged --from 2026-11-01T00:00:00Z"
    )]
    Show(TrailShow),
    /// Print the heads in etcd, a line of JSON for each chain: keep them where nobody can reach who can reach etcd.
    Head(TrailHead),
}

/// Where `run` keeps an audit trail.
#[derive(Clone, Debug, Args)]
pub struct TrailArgs {
    /// The folder of the audit trail (操作留痕), on a disk that outlives the process; without it no trail is kept. While it
    /// cannot be written nothing is granted, changed or deleted.
    #[arg(long = "trail-dir", env = "JIYUN_TRAIL_DIR", value_name = "FOLDER")]
    pub folder: Option<PathBuf>,

    /// The name of this program's chain. Replicas that share the folder share the name, since only the leader writes;
    /// with folders of their own each needs a name of its own.
    #[arg(long = "trail-writer", env = "JIYUN_TRAIL_WRITER", default_value = "controller", value_name = "NAME")]
    pub writer: Writer,

    /// Days that records are kept, from 180 on.
    #[arg(long = "trail-retention", env = "JIYUN_TRAIL_RETENTION", default_value = "180", value_name = "DAYS")]
    pub retention: Retention,
}

/// Where the trail's files are.
#[derive(Debug, Args)]
pub struct TrailFolder {
    /// The folder of the trail's files, with a folder for each process that writes.
    #[arg(long = "trail-dir", env = "JIYUN_TRAIL_DIR", value_name = "FOLDER")]
    pub path: PathBuf,
}

/// Flags of `trail verify`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["trail_dir", "input"]))]
#[command(group = clap::ArgGroup::new("against").required(true).multiple(true).args(["endpoints", "head"]))]
pub struct TrailVerify {
    /// The folder of the trail's files.
    #[arg(long, value_name = "FOLDER")]
    pub trail_dir: Option<PathBuf>,

    /// An export instead of the folder. With --head it is compared with that alone: etcd has come further since.
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// Heads that were kept elsewhere: what `trail export --head` or `trail head` wrote; several files may be given.
    #[arg(long, value_name = "FILE")]
    pub head: Vec<PathBuf>,

    /// Endpoints of the etcd with the heads, comma-separated; without them only --head is compared with.
    #[arg(long = "ledger-endpoints", value_delimiter = ',', env = "JIYUN_LEDGER_ENDPOINTS", value_name = "URL")]
    endpoints: Vec<String>,

    /// The authority that signed the endpoints' certificates (PEM).
    #[arg(long = "ledger-ca", env = "JIYUN_LEDGER_CA", value_name = "FILE", requires_all = ["cert", "key"])]
    ca: Option<PathBuf>,

    /// Client certificate whose common name is our etcd user (PEM).
    #[arg(long = "ledger-cert", env = "JIYUN_LEDGER_CERT", value_name = "FILE")]
    cert: Option<PathBuf>,

    /// Key of the client certificate (PEM).
    #[arg(long = "ledger-key", env = "JIYUN_LEDGER_KEY", value_name = "FILE")]
    key: Option<PathBuf>,

    /// How findings are written.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

impl TrailVerify {
    /// How to reach etcd, where it is to be asked.
    pub fn etcd(&self) -> Option<LedgerArgs> {
        let Self { endpoints, ca, cert, key, .. } = self;
        let arguments =
            || LedgerArgs { endpoints: endpoints.clone(), ca: ca.clone(), cert: cert.clone(), key: key.clone() };
        (!endpoints.is_empty()).then(arguments)
    }
}

/// Flags of `trail export`.
#[derive(Debug, Args)]
pub struct TrailExport {
    /// Where the trail's files are.
    #[command(flatten)]
    pub folder: TrailFolder,

    /// The file for the lines, complete or not at all; `-` is standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,

    /// The file for the heads, to be kept in another place than the lines.
    #[arg(long, value_name = "FILE")]
    pub head: PathBuf,

    /// How to reach the etcd with the heads.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// Flags of `trail show`.
#[derive(Debug, Args)]
pub struct TrailShow {
    /// Where the trail's files are.
    #[command(flatten)]
    pub folder: TrailFolder,

    /// Only this department's records.
    #[arg(long, value_name = "NAME")]
    pub department: Option<String>,

    /// Only this user's.
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,

    /// Only those of this order.
    #[arg(long, value_name = "NUMBER")]
    pub order: Option<String>,

    /// Only those of objects of this name.
    #[arg(long, value_name = "NAME")]
    pub object: Option<String>,

    /// Only these actions, such as `Grant` or `MachineDeleted`; comma-separated.
    #[arg(long = "action", value_delimiter = ',', value_name = "ACTION")]
    pub actions: Vec<Action>,

    /// From this moment on, as in `2026-11-01T00:00:00Z`.
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,

    /// Before this moment.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,

    /// Go on where the page before ended.
    #[arg(long, default_value = "", value_name = "PLACE", hide_default_value = true)]
    pub after: Cursor,

    /// The most records that are shown.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,

    /// How records are written.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// Flags of `trail head`.
#[derive(Debug, Args)]
pub struct TrailHead {
    /// How to reach the etcd with the heads.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}
