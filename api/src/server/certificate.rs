//! The serving certificate, read again when its files change: it is renewed while the program runs.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::WebPkiClientVerifier,
};

/// How often the files are looked at. Renewed certificates overlap by days.
const LOOK: Duration = Duration::from_secs(30);

/// A certificate and where it came from.
#[derive(Clone)]
pub struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    /// Who signed the certificates that callers must show; none: they need not.
    clients: Option<PathBuf>,
    /// The files' contents as they were last taken over.
    loaded: Contents,
    config: RustlsConfig,
}

/// What the files hold: certificate, key, and the authorities of callers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
    clients: Option<Vec<u8>>,
}

impl Certificate {
    /// Reads certificate and key (PEM).
    pub async fn load(cert: PathBuf, key: PathBuf) -> io::Result<Self> {
        Self::load_for(cert, key, None).await
    }

    /// The same; with `clients`, for callers alone who show a certificate that one of those signed.
    pub async fn load_for(cert: PathBuf, key: PathBuf, clients: Option<PathBuf>) -> io::Result<Self> {
        let loaded = read(&cert, &key, clients.as_ref()).await?;
        let config = RustlsConfig::from_config(loaded.config()?);
        Ok(Self { cert, key, clients, loaded, config })
    }

    /// What new connections are served with; follows the files while [`Certificate::keep_current`] runs.
    pub fn config(&self) -> RustlsConfig {
        self.config.clone()
    }

    /// Takes over changed files, for ever. Files that do not fit together, as in the middle of a renewal, are left for
    /// the next look; the certificate in use stays.
    pub async fn keep_current(mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            match self.look().await {
                Ok(true) => tracing::info!("the serving certificate was renewed"),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the serving certificate cannot be read again"),
            }
        }
    }

    /// Takes over the files if they changed, and says whether it did.
    async fn look(&mut self) -> io::Result<bool> {
        let found = read(&self.cert, &self.key, self.clients.as_ref()).await?;
        if found == self.loaded {
            return Ok(false);
        }
        self.config.reload_from_config(found.config()?);
        self.loaded = found;
        Ok(true)
    }
}

async fn read(cert: &PathBuf, key: &PathBuf, clients: Option<&PathBuf>) -> io::Result<Contents> {
    let clients = match clients {
        Some(clients) => Some(tokio::fs::read(clients).await?),
        None => None,
    };
    Ok(Contents { cert: tokio::fs::read(cert).await?, key: tokio::fs::read(key).await?, clients })
}

impl Contents {
    fn config(&self) -> io::Result<Arc<ServerConfig>> {
        let chain = certificates(&self.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(io::Error::other)?;
        let builder = match &self.clients {
            None => ServerConfig::builder().with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(clients)? {
                    roots.add(authority).map_err(io::Error::other)?;
                }
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().map_err(io::Error::other)?;
                ServerConfig::builder().with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(pem: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    let read: Result<_, pem::Error> = CertificateDer::pem_slice_iter(pem).collect();
    read.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use tempfile::TempDir;

    use super::*;

    /// Writes a new certificate and its key.
    fn issue(folder: &TempDir) -> (PathBuf, PathBuf) {
        let (cert, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&cert, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (cert, key)
    }

    async fn load(folder: &TempDir) -> Certificate {
        drop(rustls::crypto::ring::default_provider().install_default());
        let (cert, key) = issue(folder);
        Certificate::load(cert, key).await.unwrap()
    }

    #[tokio::test]
    async fn a_renewed_certificate_is_taken_over_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut certificate = load(&folder).await;
        let before = certificate.config().get_inner();
        assert!(!certificate.look().await.unwrap());
        issue(&folder);
        assert!(certificate.look().await.unwrap());
        assert!(!Arc::ptr_eq(&before, &certificate.config().get_inner()));
        assert!(!certificate.look().await.unwrap());
    }

    #[tokio::test]
    async fn files_that_do_not_fit_together_leave_the_old_certificate_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let mut certificate = load(&folder).await;
        let before = certificate.config().get_inner();
        let old_key = fs::read(&certificate.key).unwrap();
        issue(&folder);
        fs::write(&certificate.key, old_key).unwrap();
        certificate.look().await.unwrap_err();
        fs::write(&certificate.cert, "").unwrap();
        certificate.look().await.unwrap_err();
        assert!(Arc::ptr_eq(&before, &certificate.config().get_inner()));
        issue(&folder);
        assert!(certificate.look().await.unwrap());
    }
}
