//! The command line of `jiyun-controller`, with the environment variables a Deployment sets instead.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use jiyun_ledger::store::etcd::DEFAULT_LIMIT;

use crate::host::lease::Terms;

/// Jiyun's operators: they read wishes from Kubernetes, book them in the ledger and drive the engines.
#[derive(Debug, Parser)]
#[command(name = "jiyun-controller", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operators: wait for leadership, then reconcile until stopped.
    Run(Run),
    /// The account book (账本): export, verify and explain it, keep archives of it, bring it together with Kubernetes again.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// The audit trail (操作留痕): prove it, export it for an auditor, and read it.
    #[command(subcommand)]
    Trail(TrailCommand),
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Kubeconfig of the hub; without it the in-cluster configuration is used.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// How to reach the ledger's etcd.
    #[command(flatten)]
    pub ledger: LedgerArgs,

    /// Size at which the ledger's etcd takes nothing more, in bytes: its `--quota-backend-bytes`. Asked of etcd itself from
    /// 3.6 on.
    #[arg(long, default_value_t = DEFAULT_LIMIT, env = "JIYUN_LEDGER_STORE_LIMIT", value_name = "BYTES")]
    pub ledger_store_limit: u64,

    /// Where health (`/livez`, `/readyz`) and `/metrics` are served.
    #[arg(long, default_value = "127.0.0.1:8080", env = "JIYUN_LISTEN", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// The namespace Jiyun itself lives in.
    #[arg(long, default_value = "jiyun-system", env = "JIYUN_NAMESPACE", value_name = "NAME")]
    pub namespace: String,

    /// What this replica calls itself as leader; shown to operators, never compared.
    #[arg(long, env = "JIYUN_IDENTITY", default_value = "jiyun-controller", value_name = "NAME")]
    pub identity: String,

    /// Seconds between two looks for disagreements of ledger and objects; what both see is acted on.
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub look_every: u64,

    /// Folder of further calendar files (工作日历), one a year: which days people work on, for deadlines of approvals. A
    /// year that is neither here nor built in is refused, not guessed.
    #[arg(long, env = "JIYUN_CALENDARS", value_name = "FOLDER")]
    pub calendars: Option<PathBuf>,

    /// File (YAML) that says who is told what waits for them, by webhook and by mail (通知); without it nobody is. Its form is
    /// in docs/notifications.md.
    #[arg(long, env = "JIYUN_NOTIFICATIONS", value_name = "FILE")]
    pub notifications: Option<PathBuf>,

    /// Periods of leases.
    #[command(flatten)]
    pub leases: Terms,

    /// Where an audit trail is kept.
    #[command(flatten)]
    pub trail: TrailArgs,

    /// Cloud hosts reconciled at the same time.
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,
}

/// How to reach the ledger's etcd.
#[derive(Clone, Debug, Args)]
pub struct LedgerArgs {
    /// Endpoints, comma-separated, such as `https://ledger-0:2379`.
    #[arg(
        long = "ledger-endpoints",
        value_delimiter = ',',
        required = true,
        env = "JIYUN_LEDGER_ENDPOINTS",
        value_name = "URL"
    )]
    pub endpoints: Vec<String>,

    /// The authority that signed the endpoints' certificates (PEM).
    #[arg(long = "ledger-ca", env = "JIYUN_LEDGER_CA", value_name = "FILE", requires_all = ["cert", "key"])]
    pub ca: Option<PathBuf>,

    /// Client certificate whose common name is our etcd user (PEM).
    #[arg(long = "ledger-cert", env = "JIYUN_LEDGER_CERT", value_name = "FILE")]
    pub cert: Option<PathBuf>,

    /// Key of the client certificate (PEM).
    #[arg(long = "ledger-key", env = "JIYUN_LEDGER_KEY", value_name = "FILE")]
    pub key: Option<PathBuf>,
}

mod ledger;
mod trail;

pub use ledger::{Adopt, Archive, ArchiveFile, Explain, Export, LedgerCommand, Output, Source, Users, Verify};
pub use trail::{TrailArgs, TrailCommand, TrailExport, TrailHead, TrailShow, TrailVerify};

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_certificate_authority_without_a_client_certificate_is_refused() {
        let error =
            Cli::try_parse_from(["jiyun-controller", "run", "--ledger-endpoints=https://a:1", "--ledger-ca=ca.crt"])
                .unwrap_err();
        assert!(error.to_string().contains("--ledger-cert"), "{error}");
    }

    #[test]
    fn a_book_is_read_from_a_file_or_from_etcd_and_not_from_nowhere() {
        let parse = |arguments: &[&str]| {
            Cli::try_parse_from(["jiyun-controller", "ledger"].iter().chain(arguments))
                .map_err(|error| error.to_string())
        };
        parse(&["verify", "--input", "book.jsonl"]).unwrap();
        parse(&["verify", "--ledger-endpoints=https://a:1"]).unwrap();
        if std::env::var_os("JIYUN_LEDGER_ENDPOINTS").is_none() {
            let error = parse(&["verify"]).unwrap_err();
            assert!(error.contains("--ledger-endpoints"), "{error}");
        }
    }

    #[test]
    fn a_moment_is_a_time_or_an_entry_and_not_both() {
        let both = ["--account=tax", "--input=b", "--at=2026-11-01T00:00:00Z", "--revision=3"];
        let error = Cli::try_parse_from(["jiyun-controller", "ledger", "explain"].iter().chain(&both)).unwrap_err();
        assert!(error.to_string().contains("--revision"), "{error}");
    }
}
