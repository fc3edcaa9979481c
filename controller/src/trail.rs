//! The audit trail (操作留痕) in this program: what it does is recorded, and `jiyun-controller trail` reads it.

mod booked;
mod decided;
mod error;
mod expected;
mod export;
mod follow;
mod head;
mod recorder;
mod refused;
mod show;
mod switched;
#[cfg(test)]
mod tests;
mod verify;

use std::process::ExitCode;

use jiyun_trail::heads::etcd::{DEFAULT_PREFIX, EtcdHeads};

use self::error::TrailError;
pub use self::{
    follow::Following,
    recorder::{Begun, Recorder},
};
use crate::{
    args::{LedgerArgs, TrailCommand},
    error::chain,
    serve,
};

/// The exit code when there are findings.
const FINDINGS: u8 = 1;
/// The exit code when there is no answer.
const NO_ANSWER: u8 = 2;

/// Does what was asked, answers on standard output, and complains on standard error.
pub async fn command(command: &TrailCommand) -> ExitCode {
    let done = match command {
        TrailCommand::Verify(arguments) => verify::run(arguments).await,
        TrailCommand::Export(arguments) => export::run(arguments).await,
        TrailCommand::Show(arguments) => show::run(arguments).map(|()| ExitCode::SUCCESS),
        TrailCommand::Head(arguments) => head::run(arguments).await.map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {}", chain(&error));
        ExitCode::from(NO_ANSWER)
    })
}

/// The heads in etcd.
async fn heads(arguments: &LedgerArgs) -> Result<EtcdHeads, TrailError> {
    let config = serve::ledger_config(arguments).map_err(TrailError::Certificates)?;
    Ok(EtcdHeads::new(config.connect().await?, DEFAULT_PREFIX))
}
