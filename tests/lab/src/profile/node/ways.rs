//! The ways into a lab's nodes. Each is open while its node lives; any of them leads to every address the nodes reach.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpStream;

use super::reach::Reach;

/// Those of one lab; copies are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ways(Arc<Mutex<BTreeMap<String, Reach>>>);

impl Ways {
    /// A node has come up.
    pub(super) fn open(&self, node: &str, reach: Reach) {
        self.lock().insert(node.to_owned(), reach);
    }

    /// A node is to die: its network is not held any longer.
    pub(crate) fn close(&self, node: &str) {
        self.lock().remove(node);
    }

    /// The way into the node of this name.
    pub(crate) fn of(&self, node: &str) -> Option<Reach> {
        self.lock().get(node).cloned()
    }

    /// Connects to an address as seen from the first node that lives.
    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let first = self.lock().values().next().cloned();
        match first {
            Some(reach) => reach.connect(address).await,
            None => Err(io::Error::other("no node lives")),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Reach>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
