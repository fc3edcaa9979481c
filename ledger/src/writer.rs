//! The one writer: gathers requests, decides them on a working copy, writes one entry, then answers.
//!
//! While one entry is on its way to the store, the next batch is decided on top of it; at most one entry is under way.
//! Nobody is answered before everything the answer rests on is known to be written. If the entry is not, what was
//! decided on top of it is thrown away, and decided anew on what there is.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) use self::commit::{Failed, commit};
use self::{
    batch::{Batch, Decided},
    commit::{SHORTEST_WAIT, vouch},
};
use crate::{
    core::{event::Event, state::State},
    handle::{LedgerError, Message, Published},
    open::Clock,
    store::{Fence, Store},
};

mod batch;
mod commit;

/// How long to sleep at most before looking at the clock again for holds that end.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What the store keeps of an entry besides its bytes, rounded up: its key and what etcd notes of it. Small entries count
/// as well towards the next snapshot.
const OVERHEAD: u64 = 1024;

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
        let end = match self.work().await {
            Ok(()) => LedgerError::Closed,
            Err(error) => error,
        };
        tracing::info!(reason = %end, "the ledger's writer stops");
        self.inbox.close();
        while let Ok(message) = self.inbox.try_recv() {
            batch::refuse(message, &end);
        }
    }

    /// Batch after batch; ends well when the process wants to stop and everybody is answered.
    async fn work(&mut self) -> Result<(), LedgerError> {
        let mut batch = self.batch_on(self.published.snapshot())?;
        loop {
            if batch.is_empty() {
                // Time has passed since the last one: holds may have ended.
                batch = self.batch_on(self.published.snapshot())?;
            }
            if batch.is_empty() && !self.wait(&mut batch).await? {
                return Ok(());
            }
            while batch.takes_more()
                && let Ok(message) = self.inbox.try_recv()
            {
                batch.take(message);
            }
            if self.stop.is_cancelled() {
                self.inbox.close();
            }
            if self.lost.is_cancelled() {
                batch.decided().fail(&LedgerError::Fenced);
                return Err(LedgerError::Fenced);
            }
            if !batch.is_empty() {
                batch = self.turn(batch.decided()).await?;
            }
        }
    }

    fn batch_on(&self, base: Arc<State>) -> Result<Batch, LedgerError> {
        let at = now(&self.clock, base.at());
        Batch::new(base, at, self.fence.epoch)
    }

    /// Waits for a first request, or for holds to end; false when there will be none.
    async fn wait(&mut self, batch: &mut Batch) -> Result<bool, LedgerError> {
        loop {
            let hold_end = hold_end(self.published.snapshot(), self.clock.clone());
            tokio::select! {
                biased;
                () = self.lost.cancelled() => return Err(LedgerError::Fenced),
                // Closing lets what is already queued come out before `None`.
                () = self.stop.cancelled(), if !self.inbox.is_closed() => self.inbox.close(),
                message = self.inbox.recv() => {
                    *batch = self.batch_on(self.published.snapshot())?;
                    let Some(message) = message else { return Ok(false) };
                    batch.take(message);
                    return Ok(true);
                }
                () = hold_end => {
                    *batch = self.batch_on(self.published.snapshot())?;
                    if !batch.is_empty() {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// Writes one batch and decides the next meanwhile. An error ends the writer; everybody is answered then.
    async fn turn(&mut self, decided: Decided) -> Result<Batch, LedgerError> {
        let mut ahead = self.batch_on(decided.state())?;
        let (store, fence) = (Arc::clone(&self.store), self.fence);
        let lost = self.lost.clone().cancelled_owned();
        let outcome = {
            let written = async {
                match decided.entry() {
                    Some(entry) => commit(store.as_ref(), entry, fence, lost).await,
                    None => vouch(store.as_ref(), fence, lost).await,
                }
            };
            let mut written = std::pin::pin!(written);
            let mut open = true;
            loop {
                tokio::select! {
                    biased;
                    outcome = &mut written => break outcome,
                    message = self.inbox.recv(), if open && ahead.takes_more() => match message {
                        Some(message) => ahead.take(message),
                        None => open = false,
                    },
                }
            }
        };
        let error = match outcome {
            Ok(()) => {
                self.note(&decided);
                decided.answer();
                // An entry is dated when it is offered: what was decided in an earlier second is decided anew.
                let base = self.published.snapshot();
                return if ahead.at() == now(&self.clock, base.at()) { Ok(ahead) } else { self.anew(ahead, base) };
            }
            Err(Failed::Rejected(source)) => {
                tracing::warn!(error = %source, "the store refused an entry");
                decided.fail(&LedgerError::Store(source));
                return self.anew(ahead, self.published.snapshot());
            }
            Err(Failed::Fenced) => LedgerError::Fenced,
            Err(Failed::Unknown) => LedgerError::Unknown,
        };
        decided.fail(&error);
        // Nothing of these was ever offered to the store.
        ahead.decided().fail(&LedgerError::Fenced);
        Err(LedgerError::Fenced)
    }

    /// Shows readers what is written.
    fn note(&self, decided: &Decided) {
        if let Some(entry) = decided.entry() {
            tracing::debug!(seq = entry.seq(), events = entry.entry().events.len(), "committed");
            self.published.note_written(entry.bytes().len() as u64 + OVERHEAD);
            self.published.publish(decided.state());
        }
    }

    /// The same requests on another state; whoever went away meanwhile is left out.
    fn anew(&self, batch: Batch, base: Arc<State>) -> Result<Batch, LedgerError> {
        let mut anew = self.batch_on(base)?;
        batch.messages().for_each(|message| anew.take(message));
        Ok(anew)
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

/// The state after `events` were applied to `base`; each was applied before, so an error is a fault of this program.
fn again(base: &State, at: Timestamp, events: &[Event]) -> Result<State, LedgerError> {
    let mut state = base.clone();
    for event in events {
        state.apply_event(at, event)?;
    }
    Ok(state)
}
