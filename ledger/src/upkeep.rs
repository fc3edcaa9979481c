//! What the leader does beside writing: snapshots when they are due, and pruning. The writer never waits for it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    handle::Published,
    open::Clock,
    prune::{PruneError, prunable, prune},
    snapshot::{MAX_PART_BYTES, Manifest, SnapshotError, SnapshotOptions, take},
    store::{EditError, Fence, Store},
};

/// How long to wait after a snapshot that failed; doubles up to the longest. Entries are kept meanwhile.
const SHORTEST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_mins(10);
/// How often it is looked whether anything may be pruned: what may is decided by the month.
const PRUNING: Duration = Duration::from_hours(24);
/// How soon after the start: a leader that was just elected has other things to do.
const FIRST_PRUNING: Duration = Duration::from_mins(10);

/// What can be asked of the upkeep.
pub(crate) enum Chore {
    Snapshot(oneshot::Sender<Result<Option<Manifest>, SnapshotError>>),
    Prune(u64, oneshot::Sender<Result<u64, PruneError>>),
}

pub(crate) struct Upkeep<S> {
    pub(crate) store: Arc<S>,
    pub(crate) fence: Fence,
    pub(crate) clock: Clock,
    pub(crate) options: SnapshotOptions,
    pub(crate) published: Arc<Published>,
    /// The last snapshot known to be whole.
    pub(crate) last: watch::Sender<Option<u64>>,
}

impl<S: Store> Upkeep<S> {
    /// Runs until the writer has stopped, or its fence no longer holds.
    pub(crate) async fn run(self, asked: mpsc::Receiver<Chore>, stopped: CancellationToken) {
        tokio::select! {
            () = self.serve(asked) => {}
            () = stopped.cancelled() => {}
        }
    }

    async fn serve(self, mut asked: mpsc::Receiver<Chore>) {
        let mut revisions = self.published.subscribe();
        let mut written = self.published.written();
        let mut wait = SHORTEST_WAIT;
        let mut not_before = Instant::now();
        let mut pruning = Instant::now() + FIRST_PRUNING;
        loop {
            let due = self.due(written);
            tokio::select! {
                chore = asked.recv() => match chore {
                    Some(Chore::Snapshot(reply)) => {
                        let bytes = self.published.written();
                        let taken = self.take().await;
                        if taken.is_ok() {
                            written = bytes;
                        }
                        // A caller who went away needs no answer.
                        drop(reply.send(taken));
                    }
                    Some(Chore::Prune(up_to, reply)) => drop(reply.send(self.prune(up_to).await)),
                    None => return,
                },
                () = sleep_until(not_before), if due => {
                    let bytes = self.published.written();
                    match self.take().await {
                        Ok(_) => (written, wait) = (bytes, SHORTEST_WAIT),
                        Err(SnapshotError::Edit(EditError::Fenced)) => return,
                        Err(error) => {
                            tracing::warn!(error = %error, cause = ?error, ?wait, "a snapshot was not taken; it is tried again");
                            not_before = Instant::now() + wait;
                            wait = (wait * 2).min(LONGEST_WAIT);
                        }
                    }
                }
                () = sleep_until(pruning) => {
                    pruning = Instant::now() + PRUNING;
                    self.prune_what_may_go().await;
                }
                changed = revisions.changed(), if !due => if changed.is_err() {
                    return;
                },
            }
        }
    }

    /// Whether so much was written since the last snapshot that the next is due.
    fn due(&self, written: u64) -> bool {
        let entries = self.published.snapshot().seq().saturating_sub(self.last.borrow().unwrap_or(0));
        let bytes = self.published.written().saturating_sub(written);
        entries > 0 && (entries >= self.options.entries || bytes >= self.options.bytes)
    }

    /// A snapshot of what is committed now; none if the last one is of just that.
    async fn take(&self) -> Result<Option<Manifest>, SnapshotError> {
        let (state, previous) = (self.published.snapshot(), *self.last.borrow());
        if previous == Some(state.seq()) {
            return Ok(None);
        }
        let part_bytes = self.options.part_bytes.clamp(1, MAX_PART_BYTES);
        let began = Instant::now();
        let manifest = take(self.store.as_ref(), self.fence, state, part_bytes, previous).await?;
        let (seq, bytes) = (manifest.seq, manifest.bytes);
        tracing::info!(seq, bytes, parts = manifest.parts, took = ?began.elapsed(), "a snapshot was taken");
        self.last.send_replace(Some(seq));
        Ok(Some(manifest))
    }

    async fn prune(&self, up_to: u64) -> Result<u64, PruneError> {
        let gone = prune(self.store.as_ref(), self.fence, up_to, (self.clock)()).await?;
        if gone > 0 {
            tracing::info!(up_to, entries = gone, "entries of closed months were pruned");
        }
        Ok(gone)
    }

    async fn prune_what_may_go(&self) {
        let pruned = match prunable(self.store.as_ref(), (self.clock)()).await {
            Ok(Some(up_to)) => self.prune(up_to).await.map(drop),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = pruned {
            tracing::warn!(error = %error, cause = ?error, "closed entries were not pruned; it is tried again tomorrow");
        }
    }
}
