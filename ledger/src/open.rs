//! Opening the book: load the newest snapshot and what follows, write the first entry if there is none, start the writer,
//! report the lineage.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    archive,
    core::{
        event::{Entry, Event, Lineage},
        state::{ApplyError, PeerMark, Quarantine, State},
    },
    handle::{Ledger, Published},
    snapshot::{self, SnapshotOptions},
    store::{Fence, Sealed, Store, StoreError},
    upkeep::Upkeep,
    writer::{Failed, Writer, commit, now},
};

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What opening needs to know.
#[derive(Clone)]
pub struct OpenOptions {
    /// The lineage to give the book if it is empty: made at random by the caller, once.
    pub lineage: Lineage,
    /// The lineage of the Kubernetes store it is opened beside, if it is empty.
    pub peer_lineage: Lineage,
    /// Where the time comes from.
    pub clock: Clock,
    /// How many requests may wait before callers do.
    pub queue: usize,
    /// When snapshots are taken.
    pub snapshots: SnapshotOptions,
}

impl std::fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("OpenOptions");
        debug.field("lineage", &self.lineage).field("peer_lineage", &self.peer_lineage).field("queue", &self.queue);
        debug.field("snapshots", &self.snapshots);
        debug.finish_non_exhaustive()
    }
}

impl OpenOptions {
    /// With the system's clock and room for 1,024 waiting requests: eight full entries.
    pub fn new(lineage: Lineage, peer_lineage: Lineage) -> Self {
        let snapshots = SnapshotOptions::default();
        Self { lineage, peer_lineage, clock: Arc::new(Timestamp::now), queue: 1024, snapshots }
    }

    /// With snapshots at other times.
    #[must_use]
    pub const fn with_snapshots(mut self, snapshots: SnapshotOptions) -> Self {
        self.snapshots = snapshots;
        self
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

/// What was found. If `lineage` is not the one Kubernetes remembers, if `head_seq` is below the mark it remembers, or
/// if Kubernetes is behind `peer`, one of the two stores went backwards: quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenReport {
    /// The book's own lineage.
    pub lineage: Lineage,
    /// The last entry.
    pub head_seq: u64,
    /// How far the Kubernetes store had come when last marked.
    pub peer: Option<PeerMark>,
    /// The quarantine in force.
    pub quarantine: Option<Quarantine>,
    /// Whether the book was empty and was opened for the first time.
    pub fresh: bool,
    /// The entry of the snapshot the book was loaded from; none if all entries were read.
    pub snapshot: Option<u64>,
}

/// Why the book could not be opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// The store did not answer.
    #[error("the ledger cannot be loaded")]
    Store(#[from] StoreError),
    /// The entries do not make a book.
    #[error("the ledger's entries contradict each other; restore its etcd")]
    Apply(#[from] ApplyError),
    /// The first entry is not an opening.
    #[error("the ledger has entries but was never opened; check the key prefix")]
    NotOpened,
    /// An import was begun and not finished.
    #[error("an import into this ledger was begun and not finished; run it again")]
    Importing,
    /// Another process leads.
    #[error("the ledger is led by another process")]
    Fenced,
}

/// How a state was brought up to the store's.
pub(crate) struct CaughtUp {
    /// The store's revision, to watch from.
    pub(crate) revision: i64,
    /// The entry of the snapshot it began with.
    pub(crate) snapshot: Option<u64>,
}

/// Applies everything in the store after `state`, keeping the last entry. An empty state begins with the newest snapshot
/// that is whole; one that is so far behind that its next entry is gone must be thrown away for an empty one.
pub(crate) async fn catch_up<S: Store>(
    store: &S,
    state: &mut State,
    head: &mut Option<Entry>,
) -> Result<CaughtUp, OpenError> {
    let mut snapshot = None;
    if state.seq() == 0
        && let Some(loaded) = Box::pin(snapshot::newest(store)).await?
    {
        *state = loaded.state;
        snapshot = Some(state.seq());
        *head = store.read(state.seq()).await?;
        tracing::debug!(seq = state.seq(), "loaded a snapshot");
    }
    loop {
        let page = store.page(state.seq() + 1).await?;
        for entry in page.entries {
            state.apply(&entry)?;
            *head = Some(entry);
        }
        if !page.more {
            return Ok(CaughtUp { revision: page.revision, snapshot });
        }
    }
}

impl Ledger {
    /// Opens the book for writing under `fence`. `lost` is cancelled when leadership ends; the writer then stops.
    pub async fn open<S: Store>(
        store: S,
        fence: Fence,
        lost: CancellationToken,
        options: OpenOptions,
    ) -> Result<(Self, OpenReport), OpenError> {
        if archive::under_way(&store).await? {
            return Err(OpenError::Importing);
        }
        let mut state = State::default();
        let CaughtUp { snapshot, .. } = catch_up(&store, &mut state, &mut None).await?;
        let fresh = state.seq() == 0;
        if fresh {
            let at = now(&options.clock, state.at());
            let (lineage, peer_lineage) = (options.lineage.clone(), options.peer_lineage.clone());
            let event = Event::Opened { lineage, peer_lineage };
            let entry = Sealed::new(Entry { seq: 1, at, epoch: fence.epoch, events: vec![event] });
            let entry = entry.map_err(|source| StoreError::unwritable(1, source))?;
            let cancelled = async {
                lost.cancelled().await;
            };
            match commit(&store, &entry, fence, cancelled).await {
                Ok(()) => state.apply(entry.entry())?,
                Err(Failed::Rejected(error)) => return Err(error.into()),
                Err(Failed::Fenced | Failed::Unknown) => return Err(OpenError::Fenced),
            }
        }
        let report = OpenReport {
            lineage: state.lineage().cloned().ok_or(OpenError::NotOpened)?,
            head_seq: state.seq(),
            peer: state.peer().cloned(),
            quarantine: state.quarantine().cloned(),
            fresh,
            snapshot,
        };
        Ok((Self::start(Arc::new(store), fence, lost, options, state, snapshot), report))
    }

    fn start<S: Store>(
        store: Arc<S>,
        fence: Fence,
        lost: CancellationToken,
        options: OpenOptions,
        state: State,
        snapshot: Option<u64>,
    ) -> Self {
        let OpenOptions { clock, queue, snapshots, .. } = options;
        let (sender, inbox) = mpsc::channel(queue.max(1));
        // One that waits while another is under way is enough; more callers wait outside.
        let (chores, asked) = mpsc::channel(1);
        let (whole, last_snapshot) = watch::channel(snapshot);
        let published = Arc::new(Published::new(state));
        let (stop, stopped) = (CancellationToken::new(), CancellationToken::new());
        let upkeep = Upkeep {
            store: Arc::clone(&store),
            fence,
            clock: Arc::clone(&clock),
            options: snapshots,
            published: Arc::clone(&published),
            last: whole,
        };
        let ledger =
            Self { inbox: sender, chores, last_snapshot, published, stop: stop.clone(), stopped: stopped.clone() };
        let writer = Writer { store, fence, clock, lost, stop, published: Arc::clone(&ledger.published), inbox };
        tokio::spawn(upkeep.run(asked, stopped.clone()));
        tokio::spawn(async move {
            // Cancels also if the task is torn down with its runtime.
            let _stopped = stopped.drop_guard();
            writer.run().await;
        });
        ledger
    }
}
