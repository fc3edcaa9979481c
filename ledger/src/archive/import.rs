//! Putting an archive into an empty store.

use std::{
    collections::VecDeque,
    io::{self, BufRead},
};

use tokio_util::sync::CancellationToken;

use super::{ArchiveError, Chain, Reader, verify};
use crate::{
    core::{event::Entry, state::State},
    open::{OpenError, catch_up},
    prune::Horizon,
    snapshot::listed,
    store::{Edit, Fence, Sealed, Store, StoreError},
    writer::{Failed, commit},
};

/// The note that an import is under way; as long as it is there the book is not opened.
const IMPORTING: &str = "importing";

/// Whether an import was begun and not finished.
pub(crate) async fn under_way<S: Store>(store: &S) -> Result<bool, StoreError> {
    Ok(store.note(IMPORTING).await?.is_some())
}

/// What was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The last entry.
    pub last: u64,
    /// The chain after it.
    pub chain: Chain,
    /// The digest of the state after it, read back from the store.
    pub digest: String,
    /// Entries that were there already: an earlier run wrote them.
    pub resumed: u64,
    /// Whether header and trailer showed that nothing is missing at the end.
    pub sealed: bool,
}

/// Writes an archive into an empty store under `fence`, in order; run again after a crash it goes on. The archive is
/// read twice: nothing is written before all of it was checked.
pub async fn import<S: Store, R: BufRead>(
    store: &S,
    fence: Fence,
    lost: &CancellationToken,
    archive: impl Fn() -> io::Result<R>,
) -> Result<Imported, ArchiveError> {
    let summary = verify(archive()?)?;
    begin(store, fence, summary.chain).await?;

    let mut reader = Reader::new(archive()?);
    let mut there = There { page: VecDeque::new(), next: 1, all_read: false };
    let mut resumed = 0;
    while let Some(entry) = reader.next_entry()? {
        match there.at(store, entry.seq).await? {
            Some(same) if same == entry => resumed += 1,
            Some(_) => return Err(ArchiveError::Differs { seq: entry.seq }),
            None => {
                let seq = entry.seq;
                let entry = Sealed::new(entry).map_err(|source| StoreError::unwritable(seq, source))?;
                match commit(store, &entry, fence, lost.cancelled()).await {
                    Ok(()) => {}
                    Err(Failed::Fenced | Failed::Unknown) => return Err(ArchiveError::Fenced),
                    Err(Failed::Rejected(error)) => return Err(error.into()),
                }
            }
        }
    }
    let mut state = State::default();
    match catch_up(store, &mut state, &mut None).await {
        Ok(_) => {}
        Err(OpenError::Store(error)) => return Err(error.into()),
        Err(OpenError::Apply(error)) => return Err(error.into()),
        Err(_) => return Err(ArchiveError::Digest),
    }
    let digest = state.digest().map_err(|source| ArchiveError::Encode(std::sync::Arc::new(source)))?;
    if digest != summary.digest || state.seq() != summary.last {
        return Err(ArchiveError::Digest);
    }
    store.edit(&[Edit::Remove { name: IMPORTING.to_owned() }], Some(fence)).await?;
    Ok(Imported { last: summary.last, chain: summary.chain, digest, resumed, sealed: summary.sealed })
}

/// Notes that the import of this archive is under way, if the store is empty or it is already.
async fn begin<S: Store>(store: &S, fence: Fence, chain: Chain) -> Result<(), ArchiveError> {
    let mine = chain.to_string().into_bytes();
    match store.note(IMPORTING).await? {
        Some(note) if note == mine => return Ok(()),
        Some(_) => return Err(ArchiveError::OtherImport),
        None => {}
    }
    let empty = match store.page(1).await {
        Ok(page) => page.entries.is_empty(),
        Err(StoreError::Pruned { .. }) => false,
        Err(error) => return Err(error.into()),
    };
    if !empty || !listed(store).await?.is_empty() || Horizon::read(store).await?.is_some() {
        return Err(ArchiveError::NotEmpty);
    }
    let name = IMPORTING.to_owned();
    let edits = [Edit::Expect { name: name.clone(), value: None }, Edit::Put { name, value: mine }];
    Ok(store.edit(&edits, Some(fence)).await?)
}

/// What an earlier run left in the store, read page by page.
struct There {
    page: VecDeque<Entry>,
    next: u64,
    all_read: bool,
}

impl There {
    async fn at<S: Store>(&mut self, store: &S, seq: u64) -> Result<Option<Entry>, StoreError> {
        if self.page.is_empty() && !self.all_read {
            let page = store.page(self.next.max(seq)).await?;
            self.all_read = !page.more;
            self.next = page.entries.last().map_or(self.next, |last| last.seq + 1);
            self.page = page.entries.into();
        }
        Ok(self.page.pop_front())
    }
}
