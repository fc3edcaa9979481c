//! A store in memory, for tests: clones share one stream, and faults can be switched on.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{StreamExt, stream::BoxStream};
use tokio::sync::watch;

use super::{AppendError, Change, Fence, Page, Store, StoreError};
use crate::core::event::Entry;

/// What goes wrong with one append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written, and the caller cannot know.
    LostBeforeWrite,
    /// It is written, and the caller cannot know.
    LostAfterWrite,
    /// Nothing is written yet, the caller cannot know, and it arrives ahead of the next append.
    Late,
    /// Nothing is written, and the caller is told so.
    Rejected,
}

#[derive(Debug, Default)]
struct Inner {
    entries: Vec<Entry>,
    faults: VecDeque<Fault>,
    late: Option<(Entry, Fence)>,
    leader: i64,
    unreadable: bool,
}

/// See the module. Its own revision is the number of entries.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
    grown: watch::Sender<u64>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { inner: Arc::default(), grown: watch::Sender::new(0) }
    }
}

const PAGE: usize = 256;

impl MemoryStore {
    /// Makes `epoch` the leader; whoever led before is fenced.
    pub fn elect(&self, epoch: i64) -> Fence {
        self.lock().leader = epoch;
        Fence { epoch }
    }

    /// The next append without a fault ahead of it meets this one.
    pub fn fail_next(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    /// Whether reads fail from now on.
    pub fn set_unreadable(&self, unreadable: bool) {
        self.lock().unreadable = unreadable;
    }

    /// Everything written.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    /// Goes back to the first `len` entries, as a restore from an old backup does.
    pub fn truncate(&self, len: usize) {
        self.lock().entries.truncate(len);
        self.grown.send_modify(|_| ());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn readable(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        let inner = self.lock();
        if inner.unreadable { Err(lost("read")) } else { Ok(inner) }
    }
}

fn lost(what: &str) -> StoreError {
    StoreError::Failed { what: what.to_owned(), source: Arc::new(std::io::Error::other("fault switched on")) }
}

impl Inner {
    fn put(&mut self, entry: &Entry, fence: Fence) -> Result<(), AppendError> {
        let seq = entry.seq;
        match self.entries.get(usize::try_from(seq - 1).unwrap_or(usize::MAX)) {
            Some(there) if there == entry => return Ok(()),
            Some(_) => return Err(AppendError::Taken { seq }),
            None => {}
        }
        if fence.epoch != self.leader {
            return Err(AppendError::Fenced);
        }
        self.entries.push(entry.clone());
        Ok(())
    }
}

impl Store for MemoryStore {
    async fn page(&self, from: u64) -> Result<Page, StoreError> {
        let inner = self.readable()?;
        let skip = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        let entries: Vec<_> = inner.entries.iter().skip(skip).take(PAGE).cloned().collect();
        let more = inner.entries.len() > skip.saturating_add(entries.len());
        let revision = i64::try_from(inner.entries.len()).unwrap_or(i64::MAX);
        Ok(Page { entries, more, revision })
    }

    async fn read(&self, seq: u64) -> Result<Option<Entry>, StoreError> {
        let inner = self.readable()?;
        let index = seq.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        Ok(index.and_then(|index| inner.entries.get(index)).cloned())
    }

    async fn append(&self, entry: &Entry, fence: Fence) -> Result<(), AppendError> {
        let mut inner = self.lock();
        if let Some((late, its_fence)) = inner.late.take() {
            // Whether it lands or finds its number taken is nobody's business any more.
            drop(inner.put(&late, its_fence));
        }
        let unknown = || AppendError::Unknown(lost("append"));
        let result = match inner.faults.pop_front() {
            None => inner.put(entry, fence),
            Some(Fault::LostBeforeWrite) => Err(unknown()),
            Some(Fault::LostAfterWrite) => inner.put(entry, fence).and(Err(unknown())),
            Some(Fault::Late) => {
                inner.late = Some((entry.clone(), fence));
                Err(unknown())
            }
            Some(Fault::Rejected) => Err(AppendError::Rejected(lost("append"))),
        };
        drop(inner);
        self.grown.send_modify(|_| ());
        result
    }

    async fn watch(&self, revision: i64) -> Result<BoxStream<'static, Result<Change, StoreError>>, StoreError> {
        let seen = usize::try_from(revision).unwrap_or(0);
        let mut grown = self.grown.subscribe();
        grown.mark_changed();
        let stream = futures::stream::unfold((self.clone(), grown, seen), |(store, mut grown, mut seen)| async move {
            grown.changed().await.ok()?;
            let changes: Vec<_> = {
                let inner = store.lock();
                let removed = (inner.entries.len() < seen).then_some(Ok(Change::Removed));
                let fresh = inner.entries.iter().skip(seen).cloned().map(|entry| Ok(Change::Entry(entry)));
                let changes = removed.into_iter().chain(fresh).chain([Ok(Change::Current)]).collect();
                seen = inner.entries.len();
                changes
            };
            Some((futures::stream::iter(changes), (store, grown, seen)))
        });
        Ok(stream.flatten().boxed())
    }
}
