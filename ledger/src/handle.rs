//! The handle on the one writer: ask, and be answered once the answer is in the store.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    core::{
        account::Account,
        claim::Claim,
        claim::ClaimId,
        command::{Command, CommandError, Transfer},
        decide::{Decision, Only},
        event::Lineage,
        pool::Pool,
        price::PriceBook,
        request::{ClaimRequest, RequestError},
        state::State,
    },
    prune::PruneError,
    snapshot::{Manifest, SnapshotError},
    store::StoreError,
    upkeep::Chore,
};

/// What became of a wish to record something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The entry it is in, or the last entry if it changed nothing.
    pub revision: u64,
    /// That entry's time.
    pub at: Timestamp,
    /// Whether anything was recorded.
    pub changed: bool,
}

/// Why there is no answer. Unless it says otherwise, nothing was recorded.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// The request makes no sense.
    #[error("request cannot be decided")]
    Request(#[from] RequestError),
    /// It may not be recorded now.
    #[error("it cannot be recorded")]
    Command(#[from] CommandError),
    /// One event is larger than an entry may be.
    #[error("event of {bytes} bytes is above {limit}; make the approved spec smaller")]
    TooLarge {
        /// How large.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
    /// Another process leads. This one must stop and start again as a follower.
    #[error("the ledger is led by another process; this one must stop")]
    Fenced,
    /// The store refused.
    #[error("the ledger store refused")]
    Store(#[source] StoreError),
    /// The writer stopped before it was known whether this is recorded. Ask the next leader: asking again is safe.
    #[error("the ledger stopped while the outcome was unknown; ask again")]
    Unknown,
    /// The writer has stopped.
    #[error("the ledger is closed")]
    Closed,
}

impl LedgerError {
    /// Whether this process may go on leading.
    pub const fn is_fatal(&self) -> bool {
        match self {
            Self::Fenced | Self::Unknown | Self::Closed => true,
            Self::Request(_) | Self::Command(_) | Self::TooLarge { .. } | Self::Store(_) => false,
        }
    }
}

pub(crate) type Reply<T> = oneshot::Sender<Result<T, LedgerError>>;

pub(crate) enum Message {
    /// With the claim it must be a change of, if it must be one.
    Decide(Box<ClaimRequest>, Only, Reply<Decision>),
    Record(Box<Command>, Reply<Commit>),
}

/// The committed state, shared by the writer (or follower) and all readers.
#[derive(Debug)]
pub(crate) struct Published {
    state: RwLock<Arc<State>>,
    revision: watch::Sender<u64>,
    /// Bytes of entries written by this process.
    written: AtomicU64,
}

impl Published {
    pub(crate) fn new(state: State) -> Self {
        let revision = watch::Sender::new(state.seq());
        Self { state: RwLock::new(Arc::new(state)), revision, written: AtomicU64::new(0) }
    }

    pub(crate) fn publish(&self, state: Arc<State>) {
        let seq = state.seq();
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        self.revision.send_replace(seq);
    }

    pub(crate) fn snapshot(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn note_written(&self, bytes: u64) {
        self.written.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }
}

/// The account book, for whoever leads. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) inbox: mpsc::Sender<Message>,
    pub(crate) chores: mpsc::Sender<Chore>,
    pub(crate) last_snapshot: watch::Receiver<Option<u64>>,
    pub(crate) published: Arc<Published>,
    pub(crate) stop: CancellationToken,
    pub(crate) stopped: CancellationToken,
}

impl Ledger {
    /// Decides a claim or a change of one. A refusal is a decision, not an error. If the caller goes away before the
    /// answer, the claim may have been granted: asking again returns it.
    pub async fn decide(&self, request: ClaimRequest) -> Result<Decision, LedgerError> {
        self.ask(request, Only::Always).await
    }

    /// [`Ledger::decide`] of what goes through because it is within what is guaranteed to its account: an error if it is
    /// not, on the very state it is decided on. However many ask at once, no more than the guarantee goes this way.
    pub async fn decide_within_guaranteed(&self, request: ClaimRequest) -> Result<Decision, LedgerError> {
        self.ask(request, Only::WithinGuaranteed).await
    }

    /// [`Ledger::decide`] of a change of a claim that was read as `was`: an error if its subject does not hold that claim any
    /// more, which may have been handed over, or if it has changed since; never a grant of another one.
    pub async fn decide_change(&self, was: &Claim, request: ClaimRequest) -> Result<Decision, LedgerError> {
        self.ask(request, Only::Holding(was.into())).await
    }

    /// [`Ledger::decide_change`] and [`Ledger::decide_within_guaranteed`] at once.
    pub async fn decide_change_within_guaranteed(
        &self,
        was: &Claim,
        request: ClaimRequest,
    ) -> Result<Decision, LedgerError> {
        self.ask(request, Only::HoldingWithinGuaranteed(was.into())).await
    }

    async fn ask(&self, request: ClaimRequest, only: Only) -> Result<Decision, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(Message::Decide(Box::new(request), only, reply)).await.map_err(|_| LedgerError::Closed)?;
        answer.await.map_err(|_| LedgerError::Unknown)?
    }

    /// Records `command` if it changes anything.
    pub async fn record(&self, command: Command) -> Result<Commit, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(Message::Record(Box::new(command), reply)).await.map_err(|_| LedgerError::Closed)?;
        answer.await.map_err(|_| LedgerError::Unknown)?
    }

    /// Makes or changes an account; under a new parent its whole tree moves.
    pub async fn set_account(&self, account: Account) -> Result<Commit, LedgerError> {
        self.record(Command::SetAccount(account)).await
    }

    /// Makes or changes a pool; below its use it takes no more.
    pub async fn set_pool(&self, pool: Pool) -> Result<Commit, LedgerError> {
        self.record(Command::SetPool(pool)).await
    }

    /// Adds a price book.
    pub async fn set_prices(&self, book: PriceBook) -> Result<Commit, LedgerError> {
        self.record(Command::SetPrices(book)).await
    }

    /// Notes that a claim was handed over: billing starts.
    pub async fn billable(&self, claim: ClaimId) -> Result<Commit, LedgerError> {
        self.record(Command::Billable(claim)).await
    }

    /// Notes a claim's decided end, before anything is destroyed: billing stops.
    pub async fn end(&self, claim: ClaimId) -> Result<Commit, LedgerError> {
        self.record(Command::End(claim)).await
    }

    /// [`Ledger::end`], if the claim still is that of the object with this UID; an error if it was handed over.
    pub async fn end_for(&self, claim: ClaimId, uid: impl Into<String>) -> Result<Commit, LedgerError> {
        self.record(Command::EndFor(claim, uid.into())).await
    }

    /// Gives a claim to another account, system and object.
    pub async fn transfer(&self, transfer: Transfer) -> Result<Commit, LedgerError> {
        self.record(Command::Transfer(Box::new(transfer))).await
    }

    /// Takes the capacity of a claim that was ended back.
    pub async fn release(&self, claim: ClaimId) -> Result<Commit, LedgerError> {
        self.record(Command::Release(claim)).await
    }

    /// Binds a claim to its object made anew.
    pub async fn rebind(&self, claim: ClaimId, uid: impl Into<String>) -> Result<Commit, LedgerError> {
        self.record(Command::Rebind(claim, uid.into())).await
    }

    /// Notes how far the Kubernetes store has come. An error tells that it went back or is another one.
    pub async fn mark_peer(&self, lineage: Lineage, high_water: u64) -> Result<Commit, LedgerError> {
        self.record(Command::MarkPeer(lineage, high_water)).await
    }

    /// Stops grants, ends and releases.
    pub async fn quarantine(&self, reason: impl Into<String>) -> Result<Commit, LedgerError> {
        self.record(Command::Quarantine(reason.into())).await
    }

    /// Ends a quarantine after an operator's review.
    pub async fn lift(&self, by: impl Into<String>, note: impl Into<String>) -> Result<Commit, LedgerError> {
        self.record(Command::Lift { by: by.into(), note: note.into() }).await
    }

    /// Reads the committed state. Never waits for the store.
    pub fn read<T>(&self, reader: impl FnOnce(&State) -> T) -> T {
        reader(&self.published.snapshot())
    }

    /// The committed state, to keep as long as one likes; nothing waits for it.
    pub fn snapshot(&self) -> Arc<State> {
        self.published.snapshot()
    }

    /// The last committed entry.
    pub fn revision(&self) -> u64 {
        self.published.snapshot().seq()
    }

    /// Tells of each committed entry.
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    /// Takes a snapshot now, unless the last one is of the last entry; returns when it is whole in the store. Nothing
    /// waits for it but the caller.
    pub async fn take_snapshot(&self) -> Result<Option<Manifest>, SnapshotError> {
        let (reply, answer) = oneshot::channel();
        self.chores.send(Chore::Snapshot(reply)).await.map_err(|_| SnapshotError::Stopped)?;
        answer.await.map_err(|_| SnapshotError::Stopped)?
    }

    /// Takes the entries up to `up_to` away, if they are closed, exported and in both snapshots; gives how many went.
    /// What may go goes by itself once a day: this is for those who cannot wait.
    pub async fn prune(&self, up_to: u64) -> Result<u64, PruneError> {
        let (reply, answer) = oneshot::channel();
        self.chores.send(Chore::Prune(up_to, reply)).await.map_err(|_| PruneError::Stopped)?;
        answer.await.map_err(|_| PruneError::Stopped)?
    }

    /// The entry of the last snapshot known to be whole; none if there is none.
    pub fn last_snapshot(&self) -> Option<u64> {
        *self.last_snapshot.borrow()
    }

    /// Tells of each snapshot once it is whole.
    pub fn snapshots(&self) -> watch::Receiver<Option<u64>> {
        self.last_snapshot.clone()
    }

    /// Cancelled once the writer has stopped, for whatever reason.
    pub fn stopped(&self) -> CancellationToken {
        self.stopped.clone()
    }

    /// Takes no more requests, answers those already taken, and stops. Returns when the writer has stopped.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.stopped.cancelled().await;
    }
}
