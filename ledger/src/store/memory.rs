//! A store in memory, for tests: clones share one stream, and faults can be switched on.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{StreamExt, stream::BoxStream};
use tokio::sync::watch;

use super::{AppendError, Change, Edit, EditError, Fence, Page, Sealed, Store, StoreError};
use crate::core::event::Entry;

mod note;

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
    entries: BTreeMap<u64, Entry>,
    notes: BTreeMap<String, Vec<u8>>,
    /// What was appended and removed, for watches; its length is the store's revision.
    log: Vec<Change>,
    /// How many more edits succeed; none: all.
    edits_left: Option<usize>,
    faults: VecDeque<Option<Fault>>,
    late: Option<(Entry, Fence)>,
    leader: i64,
    unreadable: bool,
}

/// See the module. Its own revision is the number of appends and removals.
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
        self.lock().faults.push_back(Some(fault));
    }

    /// The next append without a fault ahead of it succeeds, whatever comes after it.
    pub fn succeed_next(&self) {
        self.lock().faults.push_back(None);
    }

    /// Whether reads fail from now on.
    pub fn set_unreadable(&self, unreadable: bool) {
        self.lock().unreadable = unreadable;
    }

    /// After `edits` more edits every edit fails, as if the process were killed; none: never.
    pub fn fail_edits_after(&self, edits: Option<usize>) {
        self.lock().edits_left = edits;
    }

    /// Everything written.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.values().cloned().collect()
    }

    /// The notes by name.
    pub fn all_notes(&self) -> BTreeMap<String, Vec<u8>> {
        self.lock().notes.clone()
    }

    /// Sets a note without a fence, as an accident or an attacker does; none: takes it away.
    pub fn set_note(&self, name: &str, value: Option<Vec<u8>>) {
        let notes = &mut self.lock().notes;
        match value {
            Some(value) => drop(notes.insert(name.to_owned(), value)),
            None => drop(notes.remove(name)),
        }
    }

    /// Goes back to the first `len` entries, as a restore from an old backup does.
    pub fn truncate(&self, len: u64) {
        self.lock().remove(len.saturating_add(1), u64::MAX);
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
        match self.entries.get(&seq) {
            Some(there) if there == entry => return Ok(()),
            Some(_) => return Err(AppendError::Taken { seq }),
            None => {}
        }
        if fence.epoch != self.leader {
            return Err(AppendError::Fenced);
        }
        self.entries.insert(seq, entry.clone());
        self.log.push(Change::Entry(entry.clone()));
        Ok(())
    }

    fn remove(&mut self, from: u64, to: u64) {
        let seqs: Vec<u64> = self.entries.range(from..=to).map(|(seq, _)| *seq).collect();
        for seq in seqs {
            self.entries.remove(&seq);
            self.log.push(Change::Removed(Some(seq)));
        }
    }
}

impl Store for MemoryStore {
    async fn page(&self, from: u64) -> Result<Page, StoreError> {
        let inner = self.readable()?;
        let mut rest = inner.entries.range(from..).map(|(_, entry)| entry.clone());
        let entries: Vec<_> = rest.by_ref().take(PAGE).collect();
        let more = rest.next().is_some();
        Page { entries, more, revision: i64::try_from(inner.log.len()).unwrap_or(i64::MAX) }.beginning_with(from)
    }

    async fn read(&self, seq: u64) -> Result<Option<Entry>, StoreError> {
        Ok(self.readable()?.entries.get(&seq).cloned())
    }

    async fn notes(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let inner = self.readable()?;
        Ok(inner.notes.keys().filter(|name| name.starts_with(folder)).cloned().collect())
    }

    async fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.readable()?.notes.get(name).cloned())
    }

    async fn edit(&self, edits: &[Edit], fence: Option<Fence>) -> Result<(), EditError> {
        let result = self.lock().edit(edits, fence);
        self.grown.send_modify(|_| ());
        result
    }

    async fn leads(&self, fence: Fence) -> Result<bool, StoreError> {
        Ok(self.readable()?.leader == fence.epoch)
    }

    async fn append(&self, entry: &Sealed, fence: Fence) -> Result<(), AppendError> {
        let entry = entry.entry();
        let mut inner = self.lock();
        if let Some((late, its_fence)) = inner.late.take() {
            // Whether it lands or finds its number taken is nobody's business any more.
            drop(inner.put(&late, its_fence));
        }
        let unknown = || AppendError::Unknown(lost("append"));
        let result = match inner.faults.pop_front().flatten() {
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
                let fresh = inner.log.iter().skip(seen).cloned();
                seen = inner.log.len();
                fresh.chain([Change::Current]).map(Ok).collect()
            };
            Some((futures::stream::iter(changes), (store, grown, seen)))
        });
        Ok(stream.flatten().boxed())
    }
}
