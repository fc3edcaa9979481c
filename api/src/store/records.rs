//! The audit trail's files, read: all chains that lie in the folder, those of other programs too.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use jiyun_trail::store::{StoreError, query::Query, rows};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bounds::Asker;

/// Pages read at once: each may look at 200,000 lines, which takes a core about a second.
const AT_ONCE: usize = 2;

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// This program was not told of any.
    #[error("no audit trail is kept: --trail-dir is not given")]
    None,
    /// The files.
    #[error("the audit trail cannot be read")]
    Files(#[from] StoreError),
    /// The program is ending, or has a fault.
    #[error("reading the audit trail was broken off")]
    BrokenOff,
}

/// Reads records; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Records(Option<Files>);

#[derive(Clone, Debug)]
struct Files {
    folder: Arc<PathBuf>,
    turns: Arc<Turns>,
}

/// Whose turn it is: one page at a time for each caller, so that whoever asks for many keeps nobody else waiting; and
/// [`AT_ONCE`] for all.
#[derive(Debug)]
struct Turns {
    own: Mutex<HashMap<Asker, Weak<Semaphore>>>,
    places: Arc<Semaphore>,
}

/// A turn: the caller's own, and a place among all.
type Turn = [OwnedSemaphorePermit; 2];

impl Turns {
    fn new() -> Self {
        Self { own: Mutex::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Waits for the caller's own turn first: while waiting for it he holds no place.
    async fn next(&self, whose: Asker) -> Result<Turn, RecordsError> {
        let own = self.own(whose).acquire_owned().await.map_err(|_| RecordsError::BrokenOff)?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| RecordsError::BrokenOff)?;
        Ok([own, place])
    }

    fn own(&self, whose: Asker) -> Arc<Semaphore> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        // Of whoever neither reads nor waits nothing is kept.
        own.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = own.get(&whose).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(Semaphore::new(1));
        own.insert(whose, Arc::downgrade(&turn));
        turn
    }
}

impl Records {
    /// Of the chains in `folder`.
    pub fn of(folder: PathBuf) -> Self {
        Self(Some(Files { folder: Arc::new(folder), turns: Arc::new(Turns::new()) }))
    }

    /// A page of at most `limit` records, for `whose`.
    ///
    /// # Errors
    /// When there are no files, or they cannot be read.
    pub async fn page(&self, whose: Asker, query: Query, limit: u32) -> Result<rows::Page, RecordsError> {
        let Some(Files { folder, turns }) = self.0.clone() else { return Err(RecordsError::None) };
        let turn = turns.next(whose).await?;
        // The turn is given back when the files are read, even if nobody waits for the page any more.
        let reading = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            rows::page(&folder, query, usize::try_from(limit).unwrap_or(usize::MAX))
        });
        Ok(reading.await.map_err(|_| RecordsError::BrokenOff)??)
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, poll};
    use http::{HeaderMap, header::AUTHORIZATION};

    use super::*;

    fn asker(token: &str) -> Asker {
        let headers: HeaderMap = [(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())].into_iter().collect();
        Asker::with_token(&headers).unwrap()
    }

    #[tokio::test]
    async fn whoever_asks_for_many_pages_keeps_nobody_else_waiting() {
        let turns = Turns::new();
        let first = turns.next(asker("reader")).now_or_never().unwrap().unwrap();
        let mut second = Box::pin(turns.next(asker("reader")));
        assert!(poll!(&mut second).is_pending(), "one page at a time");
        let auditor = turns.next(asker("auditor")).now_or_never().unwrap().unwrap();
        let mut third = Box::pin(turns.next(asker("other")));
        assert!(poll!(&mut third).is_pending(), "two pages for all");
        drop(auditor);
        let third = third.now_or_never().unwrap().unwrap();
        drop(first);
        drop(second.now_or_never().unwrap().unwrap());
        drop(third);
        drop(turns.next(asker("auditor")).await.unwrap());
        assert_eq!(turns.own.lock().unwrap().len(), 1, "nothing is kept of who has read");
    }
}
