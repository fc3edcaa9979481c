//! What the API does, between the handlers (HTTP) and the stores (API server, ledger). One noun a file.

mod approval;
mod audit;
mod bucket;
mod catalogue;
mod console;
mod create;
mod database;
mod department;
mod estimate;
mod flow;
mod holders;
mod host;
mod idle;
mod inbox;
pub mod list;
mod moment;
mod noun;
mod object;
mod once;
mod order;
mod quota;
mod restore;
mod snapshot;
mod storage;
mod system;
mod usage;
mod verdict;
mod volume;
mod waiting;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::inbox::reach::Reaches;
use crate::{
    extract::Bearer,
    store::{Book, Caller, Kubernetes, Records},
    trail::Recorder,
};

pub use audit::Search;
pub use console::Doors;
#[cfg(test)]
pub use console::Holder;
pub use flow::flow_state;
pub use host::Ordered;
pub use inbox::Waiting;
#[cfg(test)]
pub use once::name_from;
pub use once::{Asked, name_of};
pub use order::order_state;
pub use system::system_state;
pub use verdict::state;

/// The most requests that wait for a decision at once: each holds a watch at the API server. Further ones are answered
/// at once, as if they had not asked to wait.
const MAX_WAITING: usize = 512;

/// Everything a request needs; one for the life of the program.
pub struct App {
    kubernetes: Kubernetes,
    book: Arc<dyn Book>,
    records: Records,
    waiting: Semaphore,
    reaches: Reaches,
    doors: Option<Doors>,
    stopping: CancellationToken,
    book_was_read: AtomicBool,
}

impl App {
    /// With the way to the API server and to the ledger. Once `stopping` is cancelled, nobody waits any longer.
    pub fn new(kubernetes: Kubernetes, book: Arc<dyn Book>, stopping: CancellationToken) -> Self {
        let waiting = Semaphore::new(MAX_WAITING);
        let (records, reaches) = (Records::default(), Reaches::default());
        let (doors, book_was_read) = (None, AtomicBool::new(false));
        Self { kubernetes, book, records, waiting, reaches, doors, stopping, book_was_read }
    }

    /// The same, with the audit trail's files to read.
    #[must_use]
    pub fn with_records(self, records: Records) -> Self {
        Self { records, ..self }
    }

    /// The same, with a way to consoles.
    #[must_use]
    pub fn with_consoles(self, doors: Option<Doors>) -> Self {
        Self { doors, ..self }
    }

    /// What records changes.
    pub fn recorder(&self) -> &Recorder {
        self.kubernetes.recorder()
    }

    /// The API server in the name of whoever sent `bearer`.
    pub fn caller(&self, bearer: &Bearer) -> Caller {
        self.kubernetes.caller(bearer)
    }

    /// The ledger, as the metrics show it.
    pub fn book(&self) -> &dyn Book {
        self.book.as_ref()
    }

    /// Whether requests should be sent here: from the first complete reading of the ledger until the program stops. A
    /// ledger or API server that goes away later does not make the API unready: whoever asks then is told so. Nor does an
    /// audit trail that cannot be written: changes are refused then, and reads go on.
    pub fn ready(&self) -> Result<(), &'static str> {
        if self.stopping.is_cancelled() {
            return Err("stopping");
        }
        if self.book_was_read.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.book.read().map_err(|_| "the ledger was not read yet")?;
        self.book_was_read.store(true, Ordering::Relaxed);
        Ok(())
    }
}
