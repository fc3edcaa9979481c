//! `jiyun-controller`: stands by, leads when it may, and stops without leaving anything half done; reads the book aloud.

mod admission;
mod adopt;
mod archive;
mod args;
mod auditing;
mod book;
mod bucket;
mod calendars;
mod catalogue;
mod change;
mod checks;
mod cidr;
mod claimed;
mod claims;
mod conditions;
mod content;
mod context;
mod database;
mod deleting;
mod driver;
mod ended;
mod engines;
mod error;
mod flow;
mod health;
mod host;
mod input;
mod leading;
mod lineage;
mod metrics;
mod networks;
mod notices;
mod order;
mod orphans;
mod presence;
mod retry;
mod serve;
mod settled;
mod site;
mod snapshot;
mod store_size;
mod stored;
mod telemetry;
mod totals;
mod trail;
mod unseen;
mod volume;
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
    let run = match cli.command {
        Command::Run(run) => run,
        Command::Ledger(command) => return Box::pin(book::run(&command)).await,
        Command::Trail(command) => return Box::pin(trail::command(&command)).await,
    };
    match Box::pin(serve::run(&run)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            error!(error = error::chain(&failure), "stopped");
            ExitCode::FAILURE
        }
    }
}
