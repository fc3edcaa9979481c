//! The serving certificate, read again when its files change: it is renewed while the program runs.

use std::{io, path::PathBuf, time::Duration};

use axum_server::tls_rustls::RustlsConfig;

/// How often the files are looked at. Renewed certificates overlap by days.
const LOOK: Duration = Duration::from_secs(30);

/// A certificate and where it came from.
#[derive(Clone)]
pub struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    /// The files' contents as they were last taken over.
    loaded: (Vec<u8>, Vec<u8>),
    config: RustlsConfig,
}

impl Certificate {
    /// Reads certificate and key (PEM).
    pub async fn load(cert: PathBuf, key: PathBuf) -> io::Result<Self> {
        let loaded = (tokio::fs::read(&cert).await?, tokio::fs::read(&key).await?);
        let config = RustlsConfig::from_pem(loaded.0.clone(), loaded.1.clone()).await?;
        Ok(Self { cert, key, loaded, config })
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
        let found = (tokio::fs::read(&self.cert).await?, tokio::fs::read(&self.key).await?);
        if found == self.loaded {
            return Ok(false);
        }
        self.config.reload_from_pem(found.0.clone(), found.1.clone()).await?;
        self.loaded = found;
        Ok(true)
    }
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
