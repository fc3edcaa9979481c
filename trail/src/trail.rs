//! The handle programs append with.

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::{
    Unwritable,
    core::record::Record,
    figures::Figures,
    heads::Heads,
    keeper::{Keeper, Options},
    store::disk::Disk,
};

/// The number of a record in its writer's chain, from 1.
pub type Sequence = u64;

/// Records that wait at most. Whoever comes then waits for a place.
const MOST_WAITING: usize = 1024;

/// A record and who waits for it.
pub(crate) type Waiting = (Record, oneshot::Sender<Result<Sequence, Unwritable>>);

/// The audit trail of this process; cheap to clone.
///
/// Append *before* a change is made, so that a trail that cannot be written stops it; append what became of it after.
#[derive(Clone, Debug)]
pub struct Trail {
    inbox: mpsc::Sender<Waiting>,
    /// Why it cannot be written; none while it can.
    trouble: watch::Receiver<Option<Unwritable>>,
}

impl Trail {
    /// Begins to keep a trail. It cannot be written until its end was read; see [`Trail::writable`]. The task ends, with
    /// everything written, when the last clone of the handle is dropped.
    pub fn start<H: Heads, D: Disk>(options: Options, heads: H, disk: D, figures: Figures) -> (Self, JoinHandle<()>) {
        let (inbox, waiting) = mpsc::channel(MOST_WAITING);
        let (tell, trouble) = watch::channel(Some(Unwritable::Opening));
        let keeper = Keeper::new(options, heads, disk, figures, waiting, tell);
        (Self { inbox, trouble }, tokio::spawn(keeper.run()))
    }

    /// Appends a record; returns once it is on the disk and in the head. Fails at once while the trail cannot be written.
    /// A call that is given up may have appended it.
    ///
    /// # Errors
    /// Why it was not acknowledged. The change it belongs to may not be made.
    pub async fn append(&self, record: Record) -> Result<Sequence, Unwritable> {
        if let Some(trouble) = self.trouble() {
            return Err(trouble);
        }
        let (answer, answered) = oneshot::channel();
        self.inbox.send((record, answer)).await.map_err(|_| Unwritable::Closed)?;
        answered.await.unwrap_or(Err(Unwritable::Closed))
    }

    /// Whether it can be written, as far as is known.
    pub fn is_writable(&self) -> bool {
        self.trouble.borrow().is_none()
    }

    /// Why it cannot be written; none while it can.
    pub fn trouble(&self) -> Option<Unwritable> {
        self.trouble.borrow().clone()
    }

    /// Why it cannot be written, as that changes.
    pub fn troubles(&self) -> watch::Receiver<Option<Unwritable>> {
        self.trouble.clone()
    }

    /// Waits until it can be written.
    ///
    /// # Errors
    /// When it is closed and never will be.
    pub async fn writable(&self) -> Result<(), Unwritable> {
        let mut trouble = self.trouble.clone();
        match trouble.wait_for(Option::is_none).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Unwritable::Closed),
        }
    }
}
