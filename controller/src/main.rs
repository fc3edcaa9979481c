//! `jiyun-controller`: stands by, leads when it may, and stops without leaving anything half done.

mod archive;
mod args;
mod catalogue;
mod conditions;
mod context;
mod driver;
mod engines;
mod error;
mod health;
mod host;
mod leading;
mod lineage;
mod metrics;
mod orphans;
mod retry;
mod serve;
mod settled;
mod site;
mod store_size;
mod telemetry;
mod totals;
mod unseen;
mod watch;
mod write;

use std::process::ExitCode;

use clap::Parser;
use tracing::error;

use crate::args::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::start();
    let failure = match cli.command {
        Command::Run(run) => Box::pin(serve::run(&run)).await.err().map(|failure| error::chain(&failure)),
        Command::Ledger(what) => Box::pin(archive::run(&what)).await.err().map(|failure| error::chain(&failure)),
    };
    match failure {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            error!(error = failure, "stopped");
            ExitCode::FAILURE
        }
    }
}
