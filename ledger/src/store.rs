//! Where entries are kept: an append-only stream, written under a fence.

use std::{future::Future, sync::Arc, time::Duration};

use futures::stream::BoxStream;

use crate::core::event::Entry;

mod edit;
pub mod etcd;
pub mod memory;
mod sealed;

pub use edit::{Edit, EditError};
pub(crate) use sealed::Draft;
pub use sealed::Sealed;

/// Proof of leadership that every write carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The create revision of the leader key.
    pub epoch: i64,
}

/// The store did not answer, or answered with something that is no entry.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// No answer, or an error for an answer.
    #[error("ledger store: {what} failed; check that etcd is reachable and healthy")]
    Failed {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time.
    #[error("ledger store: {what} took longer than {after:?}; check that etcd is reachable and healthy")]
    TimedOut {
        /// What was tried.
        what: String,
        /// How long was waited.
        after: Duration,
    },
    /// A key holds something else than its entry.
    #[error("ledger store: key {key} does not hold a valid entry; restore the ledger's etcd")]
    Corrupt {
        /// The key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// Entries asked for are no longer kept.
    #[error(
        "ledger store: entries from {from} on are no longer kept, the first is {first}; a snapshot stands for them"
    )]
    Pruned {
        /// The first entry asked for.
        from: u64,
        /// The first entry there is.
        first: u64,
    },
    /// A watch ended: compacted, cancelled or disconnected. Load again.
    #[error("ledger store: the watch ended ({reason}); it is started again from a fresh load")]
    WatchEnded {
        /// What the store said.
        reason: String,
    },
}

impl StoreError {
    /// An entry that is no JSON: a fault of this program.
    pub(crate) fn unwritable(seq: u64, source: serde_json::Error) -> Self {
        Self::Corrupt { key: format!("entry {seq}"), source: Arc::new(source) }
    }
}

/// What became of an append that did not plainly succeed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// Leadership is lost; nothing was written and nothing ever will be under this fence.
    #[error("the ledger is led by another process; this one must stop")]
    Fenced,
    /// Another entry has this number; nothing was written.
    #[error("entry {seq} is taken by another writer")]
    Taken {
        /// The number.
        seq: u64,
    },
    /// The store refused; nothing was written.
    #[error("the ledger store refused the entry")]
    Rejected(#[source] StoreError),
    /// It may have been written, and may yet be. Only the key itself can tell.
    #[error("it is not known whether the entry was written")]
    Unknown(#[source] StoreError),
}

/// Some entries in a row.
#[derive(Clone, Debug)]
pub struct Page {
    /// The entries, in order, without gap.
    pub entries: Vec<Entry>,
    /// Whether there are more after these.
    pub more: bool,
    /// The store's own revision they were read at: where a watch goes on.
    pub revision: i64,
}

/// What a watch tells.
#[derive(Clone, Debug)]
pub enum Change {
    /// An entry was appended.
    Entry(Entry),
    /// Everything appended up to now has been told.
    Current,
    /// An entry was removed (none: something that has no number). Pruning removes old entries and never the last one;
    /// whoever has read beyond it is not concerned. If it is the last one read, the store was replaced: load again.
    Removed(Option<u64>),
}

impl Page {
    /// The page, unless its first entry is not the one asked for: pruning leaves no hole but at the beginning.
    pub(crate) fn beginning_with(self, from: u64) -> Result<Self, StoreError> {
        match self.entries.first().map(|entry| entry.seq) {
            Some(first) if first > from.max(1) => Err(StoreError::Pruned { from, first }),
            _ => Ok(self),
        }
    }
}

/// A stream of entries that can be read, appended to and watched, and notes beside it: named values that are written
/// under the same fence.
pub trait Store: Send + Sync + 'static {
    /// Entries from number `from` on, as many as one read takes. [`StoreError::Pruned`] if the first of them is no
    /// longer kept.
    fn page(&self, from: u64) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Entry `seq`, if it was written.
    fn read(&self, seq: u64) -> impl Future<Output = Result<Option<Entry>, StoreError>> + Send;

    /// Writes `entry` under its number if `fence` holds and the number is free. Appending the very same entry again is
    /// safe and succeeds.
    fn append(&self, entry: &Sealed, fence: Fence) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// Whether `fence` holds, seen from after everything that was written before it was asked: if it does, nobody else
    /// has written since it was taken.
    fn leads(&self, fence: Fence) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The names of the notes in a folder (`snapshots/`), in order.
    fn notes(&self, folder: &str) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// One note, if there is one.
    fn note(&self, name: &str) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send;

    /// Makes all of `edits` or none; under a fence, only while it holds.
    fn edit(&self, edits: &[Edit], fence: Option<Fence>) -> impl Future<Output = Result<(), EditError>> + Send;

    /// Tells what is appended after the store's `revision`. The stream ends with an error.
    fn watch(
        &self,
        revision: i64,
    ) -> impl Future<Output = Result<BoxStream<'static, Result<Change, StoreError>>, StoreError>> + Send;
}
