//! The ledger's follower as a [`Book`]: fit to show while its store is heard of.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_ledger::{
    Follower, Store, StoreError,
    store::etcd::{DEFAULT_PREFIX, EtcdConfig, EtcdStore, EtcdTls},
};

use super::book::{Book, BookError, Reading};

/// How old the last word from the store may be. It comes every second; the follower needs up to 8 s to notice a dead
/// connection and open another one, and readers should not be sent away for that.
const MAX_SILENCE: Duration = Duration::from_secs(15);

/// Why the ledger's store cannot be reached at all; found at start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file of certificates or keys cannot be read.
    #[error("{flag} {path:?} cannot be read")]
    File {
        /// The argument.
        flag: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No client for the endpoints.
    #[error("no client for the ledger's etcd")]
    Client(#[source] StoreError),
}

/// Where the ledger's etcd is, and who we are to it.
#[derive(Clone, Debug)]
pub struct LedgerAddress<'a> {
    /// The endpoints.
    pub endpoints: &'a [String],
    /// Certificates and key; none for plain connections.
    pub files: Option<LedgerFiles<'a>>,
}

/// Files (PEM) for the connection to the ledger's etcd.
#[derive(Clone, Copy, Debug)]
pub struct LedgerFiles<'a> {
    /// Who signed etcd's certificate.
    pub ca: &'a Path,
    /// Our certificate.
    pub cert: &'a Path,
    /// Its key.
    pub key: &'a Path,
}

/// A client for the etcd at `address`. It need not answer yet; wrong files are found out at once.
pub async fn connect(address: LedgerAddress<'_>) -> Result<etcd_client::Client, OpenError> {
    let tls = match address.files {
        None => None,
        Some(files) => Some(EtcdTls {
            ca: read("--ledger-ca", files.ca)?,
            cert: read("--ledger-cert", files.cert)?,
            key: read("--ledger-key", files.key)?,
            server_name: None,
        }),
    };
    let config = EtcdConfig { endpoints: address.endpoints.to_vec(), tls };
    config.connect().await.map_err(OpenError::Client)
}

/// Starts following the ledger through `client`.
pub fn follow(client: etcd_client::Client) -> FollowedBook {
    FollowedBook::start(EtcdStore::new(client, DEFAULT_PREFIX))
}

fn read(flag: &'static str, path: &Path) -> Result<Vec<u8>, OpenError> {
    std::fs::read(path).map_err(|source| OpenError::File { flag, path: path.to_owned(), source })
}

/// The ledger, followed.
#[derive(Debug)]
pub struct FollowedBook {
    follower: Follower,
}

impl FollowedBook {
    /// Starts following `store`.
    pub fn start<S: Store>(store: S) -> Self {
        Self { follower: Follower::start(store, Arc::new(Timestamp::now)) }
    }

    /// Waits until the ledger was read to its end; for tests.
    #[cfg(test)]
    pub async fn caught_up(&self) {
        self.follower.caught_up(Duration::from_secs(10)).await.unwrap();
    }
}

impl Book for FollowedBook {
    fn read(&self) -> Result<Reading, BookError> {
        // First the moment, then the state: the state is at least as new as the moment says.
        let as_of = self.follower.as_of().ok_or(BookError::CatchingUp)?;
        let silence = self.lag_seconds().unwrap_or(0);
        if silence > MAX_SILENCE.as_secs() {
            return Err(BookError::Stale { seconds: silence });
        }
        let whole = Timestamp::from_second(as_of.as_second()).unwrap_or(as_of);
        Ok(Reading { state: self.follower.snapshot(), as_of: whole })
    }

    fn revision(&self) -> u64 {
        self.follower.revision()
    }

    fn lag_seconds(&self) -> Option<u64> {
        let behind = Timestamp::now().duration_since(self.follower.as_of()?);
        Some(u64::try_from(behind.as_secs()).unwrap_or(0))
    }
}
