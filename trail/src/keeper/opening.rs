//! Opening the chain: lock, head, the files' end, and what is missing of it.

use tracing::error;

use super::{
    Action, Disk, Heads, Journal, Keeper, Known, Lock, Outcome, Session, Unwritable, blocking, own, probe, prune,
};
use crate::store::{folder::Folder, gap::Gap};

impl<H: Heads, D: Disk> Keeper<H, D> {
    /// Opens the chain, so that what is appended next is kept: the disk has room, and the head was moved as far as the
    /// files are.
    pub(super) async fn open(&mut self) -> Result<Session<D>, Unwritable> {
        let (folder, writer, disk, shape) =
            (self.options.folder.clone(), self.options.writer.clone(), self.disk.clone(), self.options.shape);
        let own_folder = Folder::of(&folder, &writer);
        if self.lock.is_none() {
            let (folder, writer) = (own_folder.clone(), writer.clone());
            self.lock = Some(blocking(move || Lock::take(&folder, &writer)).await??);
        }
        let mut marks = self.heads.read(&writer).await?;
        let known = Known { head: marks.head.clone(), pruned: marks.pruned.clone(), synced: self.synced };
        let (journal, gaps) = {
            let writer = writer.clone();
            blocking(move || {
                probe::room(&disk, &own_folder)?;
                // Pruning may have been broken off after its mark was written.
                if let Some(pruned) = &known.pruned {
                    prune::delete(&folder, &writer, pruned)?;
                }
                Journal::open(&folder, &writer, disk, shape, &known)
            })
            .await??
        };
        self.synced = None;
        self.figures.gaps(gaps.len());
        for gap in &gaps {
            error!(%writer, %gap, "the audit trail has a gap: look for who changed its files, and verify it");
        }
        // Lines that were whole when the process ended, and were never acknowledged: they say what was tried.
        if let Some(head) = journal.head()
            && marks.head.as_ref().is_none_or(|kept| kept.sequence < head.sequence)
        {
            marks = self.heads.advance(&writer, &marks, head).await?;
        }
        let session = Session { journal, marks };
        // A hole between segments was recorded when it was first met.
        let new: Vec<_> = gaps.into_iter().filter(|gap| !matches!(gap, Gap::Broken { .. })).collect();
        if new.is_empty() {
            return Ok(session);
        }
        let told = new.iter().map(|gap| own(Action::TrailGap, writer.to_string(), Outcome::failed(gap.to_string())));
        Ok(self.commit(session, told.collect()).await?.1)
    }
}
