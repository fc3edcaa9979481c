//! A reader that follows the book: loads it, then watches, through any trouble of the store's.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    core::{event::Entry, state::State},
    handle::Published,
    open::{CaughtUp, Clock, OpenError, catch_up},
    prune::Horizon,
    store::{Change, Store, StoreError},
};

/// How long to wait before loading again; doubles up to the longest.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Why the book could not be followed so far.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FollowerError {
    /// It was not caught up in time.
    #[error("the ledger was not caught up within {within:?}")]
    Behind {
        /// How long was waited.
        within: Duration,
    },
    /// The follower has stopped.
    #[error("the ledger's follower has stopped")]
    Stopped,
}

/// The committed book, read-only, as fresh as the store lets it be. Stops when dropped.
#[derive(Debug)]
pub struct Follower {
    published: Arc<Published>,
    as_of: watch::Receiver<Option<Timestamp>>,
    _stop: DropGuard,
}

impl Follower {
    /// Starts following `store`.
    pub fn start<S: Store>(store: S, clock: Clock) -> Self {
        let published = Arc::new(Published::new(State::default()));
        let (current, as_of) = watch::channel(None);
        let stop = CancellationToken::new();
        let task = Task { store, clock, published: Arc::clone(&published), current };
        let stopping = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = task.run() => {}
                () = stopping.cancelled() => {}
            }
        });
        Self { published, as_of, _stop: stop.drop_guard() }
    }

    /// Reads the book as it is here.
    pub fn read<T>(&self, reader: impl FnOnce(&State) -> T) -> T {
        reader(&self.published.snapshot())
    }

    /// The book as it is here, to keep as long as one likes.
    pub fn snapshot(&self) -> Arc<State> {
        self.published.snapshot()
    }

    /// The last entry that arrived here.
    pub fn revision(&self) -> u64 {
        self.published.snapshot().seq()
    }

    /// Tells of each entry that arrives.
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    /// The moment the book was last known to be complete here; none before it was first caught up.
    pub fn as_of(&self) -> Option<Timestamp> {
        *self.as_of.borrow()
    }

    /// Waits until everything that was in the store when it was first looked at has arrived.
    pub async fn caught_up(&self, within: Duration) -> Result<(), FollowerError> {
        let mut as_of = self.as_of.clone();
        match tokio::time::timeout(within, as_of.wait_for(Option::is_some)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(FollowerError::Stopped),
            Err(_) => Err(FollowerError::Behind { within }),
        }
    }

    /// Waits until entry `revision` has arrived.
    pub async fn reached(&self, revision: u64, within: Duration) -> Result<(), FollowerError> {
        let mut revisions = self.revisions();
        match tokio::time::timeout(within, revisions.wait_for(|seq| *seq >= revision)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(FollowerError::Stopped),
            Err(_) => Err(FollowerError::Behind { within }),
        }
    }
}

struct Task<S> {
    store: S,
    clock: Clock,
    published: Arc<Published>,
    current: watch::Sender<Option<Timestamp>>,
}

/// Why a run of following came to its end.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store holds another stream than the one read so far.
    #[error("the ledger's store went backwards or was replaced; the book is read anew")]
    Replaced,
    /// The next entry is gone: a snapshot stands for it.
    #[error("this reader is behind what was pruned; a snapshot is loaded")]
    Pruned,
    #[error("the watch missed an entry")]
    Gap,
    #[error("the watch ended")]
    Ended,
}

/// What was read so far.
#[derive(Default)]
struct Replica {
    state: State,
    /// The last entry, to recognise the stream by.
    head: Option<Entry>,
}

impl<S: Store> Task<S> {
    async fn run(self) {
        let mut replica = Replica::default();
        let mut wait = SHORTEST_WAIT;
        loop {
            let before = replica.state.seq();
            let broken = match self.follow(&mut replica).await {
                Ok(never) => match never {},
                Err(broken) => broken,
            };
            let seq = replica.state.seq();
            tracing::warn!(error = %broken, seq, "following the ledger is interrupted");
            // A state that met an error may be half changed, and a replaced stream has another beginning.
            match broken {
                Broken::Replaced
                | Broken::Pruned
                | Broken::Open(
                    OpenError::Store(StoreError::Pruned { .. })
                    | OpenError::Apply(_)
                    | OpenError::NotOpened
                    | OpenError::Importing
                    | OpenError::Fenced,
                ) => replica = Replica::default(),
                Broken::Open(OpenError::Store(_)) | Broken::Store(_) | Broken::Gap | Broken::Ended => {}
            }
            wait = if seq > before { SHORTEST_WAIT } else { (wait * 2).min(LONGEST_WAIT) };
            tokio::time::sleep(wait).await;
        }
    }

    /// Catches up, then watches; returns only when broken.
    async fn follow(&self, replica: &mut Replica) -> Result<Infallible, Broken> {
        if let Some(head) = &replica.head
            && self.store.read(head.seq).await?.as_ref() != Some(head)
        {
            let pruned = Horizon::read(&self.store)
                .await?
                .is_some_and(|horizon| horizon.seq >= head.seq && Some(&horizon.lineage) == replica.state.lineage());
            return Err(if pruned { Broken::Pruned } else { Broken::Replaced });
        }
        let CaughtUp { revision, .. } = catch_up(&self.store, &mut replica.state, &mut replica.head).await?;
        self.publish(&replica.state);
        self.note_current();
        let mut changes = self.store.watch(revision).await?;
        while let Some(change) = changes.next().await {
            let head = replica.state.seq();
            match change? {
                Change::Entry(entry) if entry.seq <= head => {}
                Change::Entry(entry) if entry.seq > head + 1 => return Err(Broken::Gap),
                Change::Entry(entry) => {
                    replica.state.apply(&entry).map_err(OpenError::from)?;
                    replica.head = Some(entry);
                    self.publish(&replica.state);
                    self.note_current();
                }
                Change::Current => self.note_current(),
                // Pruning takes what is behind, and never the last entry.
                Change::Removed(Some(seq)) if seq < head => {}
                Change::Removed(_) => return Err(Broken::Replaced),
            }
        }
        Err(Broken::Ended)
    }

    fn publish(&self, state: &State) {
        self.published.publish(Arc::new(state.clone()));
    }

    fn note_current(&self) {
        self.current.send_replace(Some((self.clock)()));
    }
}
