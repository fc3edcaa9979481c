//! The one writer: gathers requests, decides them on a working copy, writes one entry, then answers.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::batch::Batch;
use crate::{
    core::{
        event::{Entry, Event},
        state::State,
    },
    handle::{LedgerError, Message, Published},
    open::Clock,
    store::{AppendError, Fence, Store, StoreError},
};

mod batch;

/// The most requests in one entry: as many answers wait for one write.
const MAX_REQUESTS: usize = 128;
/// How long to wait before asking a store again that did not answer; doubles up to the longest.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How long to sleep at most before looking at the clock again for holds that end.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

pub(crate) struct Writer<S> {
    pub(crate) store: Arc<S>,
    pub(crate) fence: Fence,
    pub(crate) clock: Clock,
    /// Cancelled when leadership is lost.
    pub(crate) lost: CancellationToken,
    /// Cancelled when the process wants to stop.
    pub(crate) stop: CancellationToken,
    pub(crate) published: Arc<Published>,
    pub(crate) inbox: mpsc::Receiver<Message>,
}

impl<S: Store> Writer<S> {
    /// Runs until stopped or fenced. Whatever is still in the queue then is answered `Closed` or `Fenced`.
    pub(crate) async fn run(mut self) {
        let end = loop {
            let hold_end = hold_end(self.published.snapshot(), self.clock.clone());
            let first = tokio::select! {
                biased;
                () = self.lost.cancelled() => break LedgerError::Fenced,
                // Closing lets what is already queued come out before `None`.
                () = self.stop.cancelled(), if !self.inbox.is_closed() => {
                    self.inbox.close();
                    continue;
                }
                message = self.inbox.recv() => match message {
                Some(message) => Some(message),
                None => break LedgerError::Closed,
            },
                () = hold_end => None,
            };
            if let Err(error) = self.turn(first).await {
                break error;
            }
        };
        tracing::info!(reason = %end, "the ledger's writer stops");
        self.inbox.close();
        while let Ok(message) = self.inbox.try_recv() {
            batch::refuse(message, &end);
        }
    }

    /// One batch, or only the end of holds whose time has come. An error ends the writer.
    async fn turn(&mut self, first: Option<Message>) -> Result<(), LedgerError> {
        let committed = self.published.snapshot();
        let mut batch = Batch::new(&committed, now(&self.clock, committed.at()));
        if let Some(first) = first {
            batch.take(first);
        }
        while batch.len() < MAX_REQUESTS && batch.has_room() {
            match self.inbox.try_recv() {
                Ok(message) => batch.take(message),
                Err(_) => break,
            }
        }
        let Some(entry) = batch.entry(self.fence.epoch) else {
            batch.answer();
            return Ok(());
        };
        let stop = async {
            self.lost.cancelled().await;
        };
        match commit(self.store.as_ref(), &entry, self.fence, stop).await {
            Ok(()) => {
                let events = entry.events.len();
                tracing::debug!(seq = entry.seq, events, "committed");
                self.published.note_written(batch.bytes());
                self.published.publish(Arc::new(batch.sealed(&entry)));
                batch.answer();
                Ok(())
            }
            Err(Failed::Rejected(source)) => {
                tracing::warn!(seq = entry.seq, error = %source, "the store refused an entry");
                batch.fail(&LedgerError::Store(source));
                Ok(())
            }
            Err(Failed::Fenced) => {
                batch.fail(&LedgerError::Fenced);
                Err(LedgerError::Fenced)
            }
            Err(Failed::Unknown) => {
                batch.fail(&LedgerError::Unknown);
                Err(LedgerError::Fenced)
            }
        }
    }
}

/// Waits until the next hold ends; for ever if there is none. In quarantine none ends.
async fn hold_end(state: Arc<State>, clock: Clock) {
    let end = state.next_hold_end().filter(|_| state.quarantine().is_none());
    drop(state);
    let Some(end) = end else { return std::future::pending().await };
    let left = Duration::try_from(end.duration_since(clock())).unwrap_or_default();
    // The book counts in whole seconds, and a clock may be set back while this waits.
    tokio::time::sleep(left.clamp(SHORTEST_WAIT, LONGEST_SLEEP)).await;
}

/// Whole seconds, and never before the entry ahead.
pub(crate) fn now(clock: &Clock, head: Timestamp) -> Timestamp {
    let now = clock();
    Timestamp::from_second(now.as_second()).unwrap_or(now).max(head)
}

/// Why an entry was not committed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Leadership is lost; the entry is not in the store.
    Fenced,
    /// Leadership is lost before it was known whether the entry is in the store.
    Unknown,
    /// The store refused; the entry is not there.
    Rejected(StoreError),
}

/// Writes `entry` and does not return before it is known whether it is written, or `lost` completes.
///
/// After an unknown outcome the key is read. If it is empty, the *same* entry is offered again: an earlier try may
/// still be on its way, and only the same entry makes that harmless.
pub(crate) async fn commit<S: Store>(
    store: &S,
    entry: &Entry,
    fence: Fence,
    lost: impl Future<Output = ()>,
) -> Result<(), Failed> {
    let mut lost = std::pin::pin!(lost);
    let mut wait = SHORTEST_WAIT;
    let mut doubtful = false;
    loop {
        let outcome = tokio::select! {
            outcome = store.append(entry, fence) => outcome,
            () = &mut lost => return Err(Failed::Unknown),
        };
        let error = match outcome {
            Ok(()) => return Ok(()),
            // The entry was not there when leadership was already lost: no earlier try can land any more.
            Err(AppendError::Fenced) => return Err(Failed::Fenced),
            Err(AppendError::Rejected(error)) if !doubtful => return Err(Failed::Rejected(error)),
            Err(AppendError::Taken { seq }) => {
                tracing::error!(seq, "another writer took this entry's number");
                return Err(Failed::Fenced);
            }
            Err(AppendError::Rejected(error) | AppendError::Unknown(error)) => error,
        };
        doubtful = true;
        tracing::warn!(seq = entry.seq, %error, "it is not known whether an entry was written; reading its key");
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = &mut lost => return Err(Failed::Unknown),
            }
            wait = (wait * 2).min(LONGEST_WAIT);
            let read = tokio::select! {
                read = store.read(entry.seq) => read,
                () = &mut lost => return Err(Failed::Unknown),
            };
            match read {
                Ok(Some(there)) if there == *entry => return Ok(()),
                Ok(Some(_)) => return Err(Failed::Fenced),
                Ok(None) => break,
                Err(error) => tracing::warn!(seq = entry.seq, %error, "an entry's key cannot be read yet"),
            }
        }
    }
}

/// The state after `events` were applied to `base`; each was applied before, so an error is a fault of this program.
pub(crate) fn again(base: &State, at: Timestamp, events: &[Event]) -> Result<State, LedgerError> {
    let mut state = base.clone();
    for event in events {
        state.apply_event(at, event)?;
    }
    Ok(state)
}
