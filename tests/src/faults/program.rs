//! `jiyun-controller ledger` as operations run it: the judge that shares no code with the writer.

use std::{path::Path, process::Output};

use jiyun_lab::{Lab, LabError, LedgerUser, product_program};
use tokio::process::Command;

use crate::WorldError;

/// Runs it against the lab's ledger with the API's certificate, which may only read.
///
/// # Errors
/// When it cannot be run.
pub async fn ledger(lab: &Lab, arguments: &[&str]) -> Result<Output, WorldError> {
    let reader = lab.ledger_tls(LedgerUser::Api);
    let mut command = command(arguments)?;
    command
        .env("JIYUN_LEDGER_ENDPOINTS", lab.ledger_endpoint())
        .env("JIYUN_LEDGER_CA", &reader.authority)
        .env("JIYUN_LEDGER_CERT", &reader.client.certificate)
        .env("JIYUN_LEDGER_KEY", &reader.client.key);
    Ok(command.output().await?)
}

/// Lets it verify the entries of a file.
///
/// # Errors
/// When it cannot be run.
pub async fn verify_file(path: &Path) -> Result<Output, WorldError> {
    let path = path.to_string_lossy();
    Ok(command(&["verify", "--input", &path])?.output().await?)
}

fn command(arguments: &[&str]) -> Result<Command, WorldError> {
    let mut command = Command::new(product_program("jiyun-controller").map_err(LabError::from)?);
    command.arg("ledger").args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
    Ok(command)
}

/// What it said.
pub fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
