//! A store on etcd whose process dies after some edits: every one after them waits for ever.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::stream::BoxStream;
use jiyun_ledger::{
    Entry, Fence, Store, StoreError,
    store::{AppendError, Change, Edit, EditError, Page, Sealed, etcd::EtcdStore},
};

#[derive(Clone, Debug)]
pub struct Stopping {
    store: EtcdStore,
    left: Arc<AtomicUsize>,
}

impl Stopping {
    pub fn new(store: EtcdStore) -> Self {
        Self { store, left: Arc::new(AtomicUsize::new(usize::MAX)) }
    }

    pub fn stop_after(&self, edits: usize) {
        self.left.store(edits, Ordering::SeqCst);
    }

    /// Whether all edits it was good for were made.
    pub fn has_stopped(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

impl Store for Stopping {
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
        self.store.append(entry, fence).await
    }

    async fn notes(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.store.notes(folder).await
    }

    async fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.note(name).await
    }

    async fn edit(&self, edits: &[Edit], fence: Option<Fence>) -> Result<(), EditError> {
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
            std::future::pending::<()>().await;
        }
        self.store.edit(edits, fence).await
    }

    async fn watch(&self, revision: i64) -> Result<BoxStream<'static, Result<Change, StoreError>>, StoreError> {
        self.store.watch(revision).await
    }
}
