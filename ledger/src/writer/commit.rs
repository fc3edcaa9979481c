//! Writing one entry, and finding out what became of it.

use std::time::Duration;

use crate::store::{AppendError, Fence, Sealed, Store, StoreError};

/// How long to wait before asking a store again that did not answer; doubles up to the longest.
pub(super) const SHORTEST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

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
    entry: &Sealed,
    fence: Fence,
    lost: impl Future<Output = ()>,
) -> Result<(), Failed> {
    let mut lost = std::pin::pin!(lost);
    let mut wait = SHORTEST_WAIT;
    let mut doubtful = false;
    let seq = entry.seq();
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
        tracing::warn!(seq, %error, "it is not known whether an entry was written; reading its key");
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = &mut lost => return Err(Failed::Unknown),
            }
            wait = (wait * 2).min(LONGEST_WAIT);
            let read = tokio::select! {
                read = store.read(seq) => read,
                () = &mut lost => return Err(Failed::Unknown),
            };
            match read {
                Ok(Some(there)) if there == *entry.entry() => return Ok(()),
                Ok(Some(_)) => return Err(Failed::Fenced),
                Ok(None) => break,
                Err(error) => tracing::warn!(seq, %error, "an entry's key cannot be read yet"),
            }
        }
    }
}

/// Makes sure that nobody else has written meanwhile, and does not return before that is known, or `lost` completes. What
/// is answered without an entry must come from no book that another leader has gone on with.
pub(super) async fn vouch<S: Store>(store: &S, fence: Fence, lost: impl Future<Output = ()>) -> Result<(), Failed> {
    let mut lost = std::pin::pin!(lost);
    let mut wait = SHORTEST_WAIT;
    loop {
        let leads = tokio::select! {
            leads = store.leads(fence) => leads,
            () = &mut lost => return Err(Failed::Fenced),
        };
        match leads {
            Ok(true) => return Ok(()),
            Ok(false) => return Err(Failed::Fenced),
            Err(error) => tracing::warn!(%error, "it is not known whether this process still leads; asking again"),
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = &mut lost => return Err(Failed::Fenced),
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
