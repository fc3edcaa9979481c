//! A store that weighs what another store is given to write.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures::stream::BoxStream;
use jiyun_ledger::{
    Entry, Fence, Store, StoreError,
    store::{AppendError, Change, Edit, EditError, Page, Sealed, etcd::DEFAULT_PREFIX},
};

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Entries, each one key of etcd.
    pub entries: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

impl Weight {
    /// What was written after `before`.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self { entries: self.entries - before.entries, bytes: self.bytes - before.bytes }
    }
}

#[derive(Debug, Default)]
struct Sums {
    entries: AtomicU64,
    bytes: AtomicU64,
}

/// See the module. Clones weigh together.
#[derive(Clone, Debug)]
pub struct Scales<S> {
    store: S,
    sums: Arc<Sums>,
}

/// Bytes of one entry as the etcd store writes it under its usual prefix: `<prefix>events/<20 digits>` and JSON.
/// The bytes are the very ones the store is given: weighing takes no time from what is measured.
pub fn weigh(entry: &Sealed) -> usize {
    let key = DEFAULT_PREFIX.len() + "events/".len() + 20;
    key + entry.bytes().len()
}

impl<S> Scales<S> {
    /// Scales before `store`.
    pub fn new(store: S) -> Self {
        Self { store, sums: Arc::default() }
    }

    /// What was written so far.
    pub fn weight(&self) -> Weight {
        let read = |sum: &AtomicU64| sum.load(Ordering::SeqCst);
        Weight { entries: read(&self.sums.entries), bytes: read(&self.sums.bytes) }
    }
}

impl<S: Store> Store for Scales<S> {
    async fn page(&self, from: u64) -> Result<Page, StoreError> {
        self.store.page(from).await
    }

    async fn read(&self, seq: u64) -> Result<Option<Entry>, StoreError> {
        self.store.read(seq).await
    }

    async fn leads(&self, fence: Fence) -> Result<bool, StoreError> {
        self.store.leads(fence).await
    }

    async fn append(&self, entry: &Sealed, fence: Fence) -> Result<(), AppendError> {
        self.store.append(entry, fence).await?;
        self.sums.entries.fetch_add(1, Ordering::SeqCst);
        self.sums.bytes.fetch_add(weigh(entry) as u64, Ordering::SeqCst);
        Ok(())
    }

    // Snapshots are not weighed: how many there are is not the grants' doing.
    async fn notes(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.store.notes(folder).await
    }

    async fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.note(name).await
    }

    async fn edit(&self, edits: &[Edit], fence: Option<Fence>) -> Result<(), EditError> {
        self.store.edit(edits, fence).await
    }

    async fn watch(&self, revision: i64) -> Result<BoxStream<'static, Result<Change, StoreError>>, StoreError> {
        self.store.watch(revision).await
    }
}

#[cfg(test)]
mod tests {
    use jiyun_ledger::store::memory::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn what_is_written_is_weighed_and_what_is_refused_is_not() {
        let memory = MemoryStore::default();
        let fence = memory.elect(1);
        let scales = Scales::new(memory);
        let entry = Entry { seq: 1, at: "2027-01-01T00:00:00Z".parse().unwrap(), epoch: 1, events: Vec::new() };
        scales.append(&Sealed::new(entry.clone()).unwrap(), fence).await.unwrap();
        let key = "/jiyun/ledger/events/00000000000000000001";
        let value = r#"{"seq":1,"at":"2027-01-01T00:00:00Z","epoch":1,"events":[]}"#;
        let bytes = (key.len() + value.len()) as u64;
        assert_eq!(scales.weight(), Weight { entries: 1, bytes });
        let other = Entry { epoch: 2, ..entry };
        assert!(scales.append(&Sealed::new(other).unwrap(), fence).await.is_err());
        assert_eq!(scales.weight().since(Weight { entries: 1, bytes }), Weight::default());
    }
}
