//! How to reach the ledger's etcd.

use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};

use super::{CALL_TIMEOUT, StoreError, call};

/// Certificates as PEM text.
#[derive(Clone)]
pub struct EtcdTls {
    /// Who signed etcd's certificate.
    pub ca: Vec<u8>,
    /// This client's certificate.
    pub cert: Vec<u8>,
    /// This client's key.
    pub key: Vec<u8>,
    /// The name etcd's certificate is for, where it is not the endpoint's host.
    pub server_name: Option<String>,
}

impl std::fmt::Debug for EtcdTls {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EtcdTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// Endpoints and certificates.
#[derive(Clone, Debug)]
pub struct EtcdConfig {
    /// Addresses, `https://host:2379`; `http://` only on loopback or in tests.
    pub endpoints: Vec<String>,
    /// Certificates; none for plain `http`.
    pub tls: Option<EtcdTls>,
}

impl EtcdConfig {
    /// A client for these endpoints. It connects when first used and again whenever the connection breaks.
    pub async fn connect(&self) -> Result<Client, StoreError> {
        // A dead peer is noticed within 5 + 3 s even if nothing is sent; streams end when their member has no leader.
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CALL_TIMEOUT)
            .with_keep_alive(Duration::from_secs(5), CALL_TIMEOUT)
            .with_keep_alive_while_idle(true)
            .with_require_leader(true);
        if let Some(tls) = &self.tls {
            let mut with = TlsOptions::new()
                .ca_certificate(Certificate::from_pem(&tls.ca))
                .identity(Identity::from_pem(&tls.cert, &tls.key));
            if let Some(name) = &tls.server_name {
                with = with.domain_name(name);
            }
            options = options.with_tls(with);
        }
        // Boxed: the library's future is 16 KiB, which every caller would carry.
        call("connection", Box::pin(Client::connect(&self.endpoints, Some(options)))).await
    }
}
