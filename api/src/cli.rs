//! The program's arguments.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use jiyun_trail::{core::writer::Writer, store::limits::Retention};

use crate::{bounds::BoundOptions, console::ConsoleArgs};

/// Jiyun's provisioning API: the caller's own token in, the controller's decision out.
#[derive(Debug, Parser)]
#[command(name = "jiyun-api", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Cli {
    /// Something else than serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Serving.
    #[command(flatten)]
    pub serve: Option<Serve>,
    /// How much one caller may ask for. Not among the above, since those are there or not by what is given of them.
    #[command(flatten)]
    pub bounds: BoundOptions,
    /// The audit trail; apart for the same reason.
    #[command(flatten)]
    pub trail: TrailArgs,
    /// Consoles of hosts; apart for the same reason.
    #[command(flatten)]
    pub consoles: ConsoleArgs,
}

/// What the program does besides serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prints the OpenAPI document.
    Openapi {
        /// Compare it with this file instead; fails if they differ.
        #[arg(long, value_name = "FILE")]
        check: Option<PathBuf>,
    },
}

/// Where everything is.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// Address of the API server.
    #[arg(long, value_name = "URL")]
    pub kubernetes_url: String,
    /// Certificates (PEM) trusted to have signed the API server's.
    #[arg(long, value_name = "FILE")]
    pub kubernetes_ca: PathBuf,
    /// Endpoints of the ledger's etcd, separated by commas.
    #[arg(long, value_name = "URL[,URL]", value_delimiter = ',', required = true)]
    pub ledger_endpoints: Vec<String>,
    /// Certificates (PEM) trusted to have signed that of the ledger's etcd. Left out only for plain http.
    #[arg(long, value_name = "FILE", requires_all = ["ledger_cert", "ledger_key"])]
    pub ledger_ca: Option<PathBuf>,
    /// Certificate (PEM) of the ledger's etcd user `jiyun-api`, who may read the ledger, and write the heads of this
    /// program's own chains of the audit trail.
    #[arg(long, value_name = "FILE", requires = "ledger_ca")]
    pub ledger_cert: Option<PathBuf>,
    /// Key (PEM) of that certificate.
    #[arg(long, value_name = "FILE", requires = "ledger_ca")]
    pub ledger_key: Option<PathBuf>,
    /// Where departments reach the API.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// Certificate chain (PEM) to serve with, read again when it changes. Left out only on a loopback address.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Key (PEM) of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Where health and metrics are served, by plain http.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub metrics_listen: SocketAddr,
}

/// Where an audit trail is kept. The controller has the same flags.
#[derive(Clone, Debug, Args)]
pub struct TrailArgs {
    /// The folder of the audit trail (操作留痕), on a disk that outlives the process; without it no trail is kept. While it
    /// cannot be written nothing is changed, and reads go on. What lies in it of other programs is read, too.
    #[arg(long = "trail-dir", env = "JIYUN_TRAIL_DIR", value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// The name of this process's chain, the same after a restart. Every replica needs a name of its own.
    #[arg(long = "trail-writer", env = "JIYUN_TRAIL_WRITER", default_value = "jiyun-api", value_name = "NAME")]
    pub writer: Writer,
    /// Days that records are kept, from 180 on.
    #[arg(long = "trail-retention", env = "JIYUN_TRAIL_RETENTION", default_value = "180", value_name = "DAYS")]
    pub retention: Retention,
    /// Where the API server's audit webhook posts what is changed past this API; needs --trail-dir. Anywhere but on a
    /// loopback address the API server must show a certificate.
    #[arg(long, env = "JIYUN_AUDIT_WEBHOOK_BIND", value_name = "ADDRESS:PORT", requires = "folder")]
    pub audit_webhook_bind: Option<SocketAddr>,
    /// Certificate chain (PEM) to receive that with, read again when it changes.
    #[arg(long, env = "JIYUN_AUDIT_WEBHOOK_CERT", value_name = "FILE",
          requires_all = ["audit_webhook_bind", "audit_webhook_key", "audit_webhook_client_ca"])]
    pub audit_webhook_cert: Option<PathBuf>,
    /// Key (PEM) of that certificate.
    #[arg(long, env = "JIYUN_AUDIT_WEBHOOK_KEY", value_name = "FILE", requires = "audit_webhook_cert")]
    pub audit_webhook_key: Option<PathBuf>,
    /// Certificates (PEM) trusted to have signed that of the API server's webhook: whoever has none of theirs is not heard.
    #[arg(long, env = "JIYUN_AUDIT_WEBHOOK_CLIENT_CA", value_name = "FILE", requires = "audit_webhook_cert")]
    pub audit_webhook_client_ca: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once(&"jiyun-api").chain(arguments))
    }

    #[test]
    fn the_arguments_make_sense() {
        Cli::command().debug_assert();
    }

    #[test]
    fn endpoints_are_separated_by_commas() {
        let cli = parse(&[
            "--kubernetes-url=https://k:6443",
            "--kubernetes-ca=ca",
            "--ledger-endpoints=https://a:2379,https://b:2379",
        ]);
        let serve = cli.unwrap().serve.unwrap();
        assert_eq!(serve.ledger_endpoints, ["https://a:2379", "https://b:2379"]);
    }

    #[test]
    fn bounds_have_defaults_and_can_be_switched_off() {
        let addresses = ["--kubernetes-url=u", "--kubernetes-ca=ca", "--ledger-endpoints=e"];
        let bounds = |further: &[&str]| parse(&[&addresses, further].concat()).map(|cli| cli.bounds);
        assert_eq!(bounds(&[]).unwrap().caller_rate, 20);
        assert_eq!(bounds(&["--caller-rate=0"]).unwrap().caller_rate, 0);
        assert!(bounds(&["--caller-burst=0"]).is_err(), "nothing would ever be let in");
    }

    #[test]
    fn less_than_180_days_of_the_trail_and_names_that_are_no_folder_are_refused() {
        let addresses = ["--kubernetes-url=u", "--kubernetes-ca=ca", "--ledger-endpoints=e", "--trail-dir=/trail"];
        let trail = |further: &[&str]| parse(&[&addresses, further].concat()).map(|cli| cli.trail);
        assert_eq!(trail(&[]).unwrap().writer.as_str(), "jiyun-api");
        assert!(trail(&["--trail-retention=179"]).is_err());
        assert!(trail(&["--trail-writer=../x"]).is_err());
        let bind = "--audit-webhook-bind=127.0.0.1:8444";
        assert!(trail(&[bind]).is_ok());
        assert!(trail(&[bind, "--audit-webhook-cert=c", "--audit-webhook-key=k"]).is_err(), "anybody could write");
    }

    #[test]
    fn serving_needs_its_addresses_and_the_document_needs_none() {
        assert!(parse(&["--kubernetes-ca=ca"]).is_err());
        assert!(parse(&["openapi", "--check", "docs/openapi.json"]).unwrap().command.is_some());
    }
}
