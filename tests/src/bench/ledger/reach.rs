//! The way to a lab's ledger etcd that the controller takes: the same client, with the same options.

use std::path::Path;

use etcd_client::Client;
use jiyun_lab::{Lab, LedgerUser};
use jiyun_ledger::store::etcd::{EtcdConfig, EtcdTls};

use crate::bench::BenchError;

/// How to reach it as `user`.
///
/// # Errors
/// When a file of the lab cannot be read.
pub fn config(lab: &Lab, user: LedgerUser) -> Result<EtcdConfig, BenchError> {
    let files = lab.ledger_tls(user);
    let read = |path: &Path| std::fs::read(path).map_err(BenchError::file(path));
    let tls = EtcdTls {
        ca: read(&files.authority)?,
        cert: read(&files.client.certificate)?,
        key: read(&files.client.key)?,
        server_name: None,
    };
    Ok(EtcdConfig { endpoints: vec![lab.ledger_endpoint()], tls: Some(tls) })
}

/// A connection of its own.
///
/// # Errors
/// When there is none.
pub async fn connect(lab: &Lab) -> Result<Client, BenchError> {
    config(lab, LedgerUser::Controller)?.connect().await.map_err(BenchError::ledger("a connection"))
}
