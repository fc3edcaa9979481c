//! A store whose user dies at a fault point: every call is counted, and from the cut on none is answered.

use std::sync::Arc;

use futures::stream::BoxStream;
use jiyun_ledger::{
    Entry, Fence, Store, StoreError,
    store::{AppendError, Change, Edit, EditError, Page, Sealed},
};

use super::trace::{Point, Side, Trace};

/// See the module. What it is cut at never returns: its user is dropped then.
#[derive(Clone, Debug)]
pub struct Mortal<S> {
    store: S,
    trace: Arc<Trace>,
}

impl<S> Mortal<S> {
    /// A user of `store` with a life to lose.
    pub const fn new(store: S, trace: Arc<Trace>) -> Self {
        Self { store, trace }
    }

    async fn before(&self, what: &str) -> Point {
        if self.trace.is_reached() {
            // The dead ask nothing.
            std::future::pending::<()>().await;
        }
        let point = self.trace.count(what);
        self.trace.pass(&point, Side::Before).await;
        point
    }

    async fn after<T>(&self, point: &Point, answer: T) -> T {
        self.trace.pass(point, Side::After).await;
        answer
    }
}

impl<S: Store> Store for Mortal<S> {
    async fn page(&self, from: u64) -> Result<Page, StoreError> {
        let point = self.before("page").await;
        let answer = self.store.page(from).await;
        self.after(&point, answer).await
    }

    async fn read(&self, seq: u64) -> Result<Option<Entry>, StoreError> {
        let point = self.before("read").await;
        let answer = self.store.read(seq).await;
        self.after(&point, answer).await
    }

    async fn append(&self, entry: &Sealed, fence: Fence) -> Result<(), AppendError> {
        let point = self.before(&format!("append {}", entry.seq())).await;
        let answer = self.store.append(entry, fence).await;
        self.after(&point, answer).await
    }

    async fn leads(&self, fence: Fence) -> Result<bool, StoreError> {
        let point = self.before("leads").await;
        let answer = self.store.leads(fence).await;
        self.after(&point, answer).await
    }

    async fn notes(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let point = self.before(&format!("notes {folder}")).await;
        let answer = self.store.notes(folder).await;
        self.after(&point, answer).await
    }

    async fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let point = self.before(&format!("note {name}")).await;
        let answer = self.store.note(name).await;
        self.after(&point, answer).await
    }

    async fn edit(&self, edits: &[Edit], fence: Option<Fence>) -> Result<(), EditError> {
        let point = self.before("edit").await;
        let answer = self.store.edit(edits, fence).await;
        self.after(&point, answer).await
    }

    async fn watch(&self, revision: i64) -> Result<BoxStream<'static, Result<Change, StoreError>>, StoreError> {
        let point = self.before("watch").await;
        let answer = self.store.watch(revision).await;
        self.after(&point, answer).await
    }
}
