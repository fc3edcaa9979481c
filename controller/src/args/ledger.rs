//! The command line of `jiyun-controller ledger`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiyun_ledger::Meter;

use super::LedgerArgs;

/// What can be asked of the book.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Write the entries as JSON Lines, one entry a line, byte for byte as they lie in etcd.
    #[command(after_help = "Example: jiyun-controller ledger export --output book.jsonl\n\
        What was exported can be verified and explained on another machine, with --input book.jsonl.")]
    Export(Export),
    /// Read the whole book again, independently of the program that writes it, and say where it contradicts itself.
    #[command(after_help = "Exit code: 0 the book is sound, 1 there are findings, 2 it could not be read.\n\
        Keep the fingerprint it prints in another place; --expect compares with it later and tells whether any entry \
        was changed since.")]
    Verify(Verify),
    /// Say line by line why a department (单位) holds what it holds.
    #[command(after_help = "Example: jiyun-controller ledger explain --account finance --meter Vcpu")]
    Explain(Explain),
    /// Write entries to a new file, between a header and a trailer that make any gap or edit known.
    Archive(Archive),
    /// Say that an archive is kept somewhere safe: what it holds may be pruned once its months are closed.
    Archived(ArchiveFile),
    /// Write an archive into an empty ledger, while no operator runs; run again after a crash it goes on.
    Import(ArchiveFile),
    /// Bring ledger and Kubernetes together again after one of them was restored: first a plan to review, then its steps.
    #[command(after_help = "1. jiyun-controller ledger adopt --plan --output plan.json   (changes nothing)\n\
        2. read plan.json: every claim that goes to another object, every object made again, all that stays in doubt\n\
        3. scale jiyun-controller to 0 replicas: only a leader may write\n\
        4. jiyun-controller ledger adopt --apply plan.json --by NAME --note WHY\n\
        5. scale jiyun-controller up again\n\
        Broken off at any moment, step 4 can be repeated.")]
    Adopt(Box<Adopt>),
    /// Give the ledger's etcd its users and their rights, and turn authentication on; once, after it was set up.
    #[command(after_help = "Needs the certificate of etcd's user root. Run again it changes nothing.\n\
        Example: jiyun-controller ledger users --ledger-endpoints https://ledger-0:2379 --ledger-ca ca.crt \\\n\
        \x20        --ledger-cert root.crt --ledger-key root.key")]
    Users(Users),
    /// Do nothing until told to stop: a pod in which the other commands are run while no operator runs.
    #[command(
        after_help = "Example: kubectl exec --stdin deployment/jiyun-ledger-tool -- jiyun-controller ledger import - < book.jsonl"
    )]
    Hold,
}

/// Flags of `ledger users`.
#[derive(Debug, Args)]
pub struct Users {
    /// Wait so long for etcd to answer, in seconds.
    #[arg(long, default_value_t = 0, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=3600))]
    pub wait: u64,

    /// How to reach the ledger's etcd.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// Flags of `ledger adopt`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["plan", "apply"]))]
pub struct Adopt {
    /// Make a plan; nothing is changed.
    #[arg(long)]
    pub plan: bool,

    /// Apply this plan, as far as it is not done yet, and end the quarantine; `-` is standard input.
    #[arg(long, value_name = "FILE", requires_all = ["by", "note"])]
    pub apply: Option<PathBuf>,

    /// Where the plan is written; without it, to standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "apply")]
    pub output: Option<PathBuf>,

    /// Who has reviewed the plan; kept in the ledger.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,

    /// What happened, and why this is right; kept in the ledger.
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,

    /// Kubeconfig of the hub; without it the in-cluster configuration is used.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// The namespace Jiyun itself lives in.
    #[arg(long, default_value = "jiyun-system", env = "JIYUN_NAMESPACE", value_name = "NAME")]
    pub namespace: String,

    /// How to reach the ledger's etcd.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

impl Adopt {
    /// Who has reviewed the plan.
    pub fn by(&self) -> &str {
        self.by.as_deref().unwrap_or_default()
    }

    /// What happened.
    pub fn note(&self) -> &str {
        self.note.as_deref().unwrap_or_default()
    }
}

/// Flags of `ledger export`.
#[derive(Debug, Args)]
pub struct Export {
    /// How to reach the ledger's etcd.
    #[command(flatten)]
    pub ledger: LedgerArgs,

    /// First entry.
    #[arg(long, default_value_t = 1, value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    pub from: u64,

    /// Last entry; to the end of the book where it is not given.
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    pub to: Option<u64>,

    /// The file to write, complete or not at all; `-` is standard output.
    #[arg(long, short, default_value = "-", value_name = "FILE")]
    pub output: PathBuf,
}

/// Where the book is read from.
#[derive(Debug, Args)]
pub struct Source {
    /// An exported book instead of etcd; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// Endpoints, comma-separated, such as `https://ledger-0:2379`.
    #[arg(
        long = "ledger-endpoints",
        value_delimiter = ',',
        required_unless_present = "input",
        env = "JIYUN_LEDGER_ENDPOINTS",
        value_name = "URL"
    )]
    endpoints: Vec<String>,

    /// The authority that signed the endpoints' certificates (PEM).
    #[arg(long = "ledger-ca", env = "JIYUN_LEDGER_CA", value_name = "FILE", requires_all = ["cert", "key"])]
    ca: Option<PathBuf>,

    /// Client certificate whose common name is our etcd user (PEM); the API's may read too.
    #[arg(long = "ledger-cert", env = "JIYUN_LEDGER_CERT", value_name = "FILE")]
    cert: Option<PathBuf>,

    /// Key of the client certificate (PEM).
    #[arg(long = "ledger-key", env = "JIYUN_LEDGER_KEY", value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Source {
    /// How to reach etcd, where no file is given.
    pub fn ledger(&self) -> LedgerArgs {
        let Self { endpoints, ca, cert, key, .. } = self;
        LedgerArgs { endpoints: endpoints.clone(), ca: ca.clone(), cert: cert.clone(), key: key.clone() }
    }
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Flags of `ledger verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Where the book is read from.
    #[command(flatten)]
    pub source: Source,

    /// What an earlier run printed: the entry and its fingerprint, as in `1200:9f86d0...`.
    #[arg(long, value_name = "SEQ:FINGERPRINT")]
    pub expect: Option<String>,

    /// How findings are written.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// Flags of `ledger explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// Where the book is read from.
    #[command(flatten)]
    pub source: Source,

    /// The department's account, by the name of the `Department`.
    #[arg(long, value_name = "NAME")]
    pub account: String,

    /// Only this meter, such as `Vcpu`, `Memory` or `BlockStorage`; all where it is not given.
    #[arg(long, value_name = "METER")]
    pub meter: Option<Meter>,

    /// As it was at this moment, as in `2026-11-01T00:00:00Z`; now where it is not given.
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,

    /// As it was after this entry.
    #[arg(long, value_name = "SEQ", conflicts_with = "at")]
    pub revision: Option<u64>,

    /// How the explanation is written.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// Flags of `ledger archive`.
#[derive(Debug, Args)]
pub struct Archive {
    /// The file, which may not exist yet.
    #[command(flatten)]
    pub file: ArchiveFile,

    /// The first entry; without it the first that is kept.
    #[arg(long, value_name = "N")]
    pub first: Option<u64>,

    /// The last entry; without it the last there is.
    #[arg(long, value_name = "N")]
    pub last: Option<u64>,
}

/// An archive, and the ledger it belongs to.
#[derive(Debug, Args)]
pub struct ArchiveFile {
    /// The file, JSON Lines; `-` is standard input, or output.
    #[arg(value_name = "FILE")]
    pub path: PathBuf,

    /// How to reach the ledger's etcd.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}
