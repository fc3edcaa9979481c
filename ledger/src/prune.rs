//! Pruning: taking entries away that are closed, exported, and stood for by two snapshots.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    archive::{Chain, Receipt},
    core::{
        event::Lineage,
        month::{FiscalMonth, MonthError},
    },
    snapshot::{Loaded, SnapshotError, listed, load},
    store::{Edit, EditError, Fence, Store, StoreError},
};

/// The note of what was pruned.
const PRUNED: &str = "pruned";
/// The note of what was exported.
pub(crate) const EXPORTED: &str = "exported";
/// Entries taken away in one transaction: each is a change that watches are told of.
const RANGE: u64 = 1000;

/// The end of what was pruned. It is written together with the removal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Horizon {
    /// The book's lineage.
    pub lineage: Lineage,
    /// The last entry that is gone.
    pub seq: u64,
    /// The chain after it.
    pub chain: Chain,
}

impl Horizon {
    /// How far the book in `store` was pruned; none if it never was.
    pub async fn read<S: Store>(store: &S) -> Result<Option<Self>, StoreError> {
        Ok(noted(store, PRUNED).await?.0)
    }
}

/// What was noted as exported, and the note itself.
pub(crate) async fn exported<S: Store>(store: &S) -> Result<(Option<Receipt>, Option<Vec<u8>>), StoreError> {
    noted(store, EXPORTED).await
}

async fn noted<S: Store, T: serde::de::DeserializeOwned>(
    store: &S,
    name: &str,
) -> Result<(Option<T>, Option<Vec<u8>>), StoreError> {
    let value = store.note(name).await?;
    let read = |value: &Vec<u8>| serde_json::from_slice(value);
    let note = value.as_ref().map(read).transpose().map_err(|source| corrupt(name, source))?;
    Ok((note, value))
}

fn corrupt(name: &str, source: serde_json::Error) -> StoreError {
    StoreError::Corrupt { key: name.to_owned(), source: std::sync::Arc::new(source) }
}

/// Why entries are kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PruneError {
    /// Fewer than two snapshots are whole.
    #[error("entries are pruned only behind two whole snapshots; there are {whole}")]
    Snapshots {
        /// How many are whole.
        whole: usize,
    },
    /// The older snapshot does not stand for them.
    #[error("entry {up_to} is not in the older of the two snapshots, which ends with entry {covered}")]
    NotCovered {
        /// The last entry to prune.
        up_to: u64,
        /// The last entry in that snapshot.
        covered: u64,
    },
    /// Their month may still be looked at.
    #[error("entry {up_to} of {at} is not yet closed: entries are kept from {keep_from} on")]
    NotClosed {
        /// The last entry to prune.
        up_to: u64,
        /// Its time.
        at: Timestamp,
        /// The beginning of the fiscal month before this one.
        keep_from: Timestamp,
    },
    /// Not all of them were exported.
    #[error(
        "entries {from} to {up_to} are not all exported; write them with `ledger archive` and note the file with `ledger archived`"
    )]
    NotExported {
        /// The first entry to prune.
        from: u64,
        /// The last.
        up_to: u64,
    },
    /// What was exported is not what is here.
    #[error("the export that was noted does not fit the entries here; export again")]
    ExportDiffers,
    /// The calendar refused.
    #[error("the time has no fiscal month")]
    Month(#[from] std::sync::Arc<MonthError>),
    /// An entry cannot be written down.
    #[error("an entry cannot be written down")]
    Encode(#[source] std::sync::Arc<serde_json::Error>),
    /// The store did not answer.
    #[error("the ledger's store failed")]
    Store(#[from] StoreError),
    /// The store did not confirm a removal.
    #[error("the removal of entries was not confirmed")]
    Edit(#[from] EditError),
    /// The process stops.
    #[error("the ledger stopped before anything was pruned")]
    Stopped,
}

/// Takes away all entries up to `up_to`; gives how many went.
pub(crate) async fn prune<S: Store>(store: &S, fence: Fence, up_to: u64, now: Timestamp) -> Result<u64, PruneError> {
    let (horizon, mut note) = noted::<S, Horizon>(store, PRUNED).await?;
    let from = horizon.as_ref().map_or(1, |horizon| horizon.seq + 1);
    if up_to < from {
        return Ok(0);
    }
    let (receipt, _) = exported(store).await?;
    let receipt = receipt
        .filter(|receipt| receipt.first <= from && receipt.last >= up_to)
        .ok_or(PruneError::NotExported { from, up_to })?;
    let keep_from = keep_from(now)?;
    let last = store.read(up_to).await?.ok_or(PruneError::NotExported { from, up_to })?;
    if last.at >= keep_from {
        return Err(PruneError::NotClosed { up_to, at: last.at, keep_from });
    }
    let [newer, older] = two_snapshots(store).await?;
    if up_to > older.manifest.seq {
        return Err(PruneError::NotCovered { up_to, covered: older.manifest.seq });
    }
    let lineage = newer.manifest.lineage;
    if receipt.lineage != lineage || older.manifest.lineage != lineage {
        return Err(PruneError::ExportDiffers);
    }
    let chain = horizon.map_or_else(Chain::default, |horizon| horizon.chain);
    for (to, chain) in checked_ranges(store, from, up_to, chain, &receipt).await? {
        let horizon = Horizon { lineage: lineage.clone(), seq: to, chain };
        let value = serde_json::to_vec(&horizon).map_err(encode)?;
        // A removal that arrives late finds another note and does nothing.
        let edits = [
            Edit::Expect { name: PRUNED.to_owned(), value: note },
            Edit::Put { name: PRUNED.to_owned(), value: value.clone() },
            Edit::Prune { from: 1, to },
        ];
        store.edit(&edits, Some(fence)).await?;
        note = Some(value);
    }
    Ok(up_to + 1 - from)
}

/// The last entry that may be pruned now, if there is one beyond those that were.
pub(crate) async fn prunable<S: Store>(store: &S, now: Timestamp) -> Result<Option<u64>, PruneError> {
    let from = Horizon::read(store).await?.map_or(1, |horizon| horizon.seq + 1);
    let (receipt, _) = exported(store).await?;
    let Some(receipt) = receipt.filter(|receipt| receipt.first <= from && receipt.last >= from) else {
        return Ok(None);
    };
    let seqs = listed(store).await?;
    let Some(older) = seqs.get(1).filter(|older| **older >= from) else { return Ok(None) };
    let keep_from = keep_from(now)?;
    // The times of entries never go back: the first one that is kept is found by halving.
    let (mut closed, mut open) = (from, receipt.last.min(*older) + 1);
    while closed < open {
        let middle = closed + (open - closed) / 2;
        match store.read(middle).await? {
            Some(entry) if entry.at < keep_from => closed = middle + 1,
            _ => open = middle,
        }
    }
    Ok(Some(closed - 1).filter(|last| *last >= from))
}

/// The beginning of the fiscal month before that of `now`.
fn keep_from(now: Timestamp) -> Result<Timestamp, PruneError> {
    let month = |at| FiscalMonth::of(at).map_err(std::sync::Arc::new);
    let this = month(now)?.period().from;
    let before = Timestamp::from_second(this.as_second() - 1).unwrap_or(this);
    Ok(month(before)?.period().from)
}

/// The two newest snapshots that are whole, read back in full: behind them there will be nothing else.
async fn two_snapshots<S: Store>(store: &S) -> Result<[Loaded; 2], PruneError> {
    let mut whole = Vec::new();
    for seq in listed(store).await? {
        match load(store, seq).await {
            Ok(loaded) => whole.push(loaded),
            Err(SnapshotError::Store(error)) => return Err(error.into()),
            Err(error) => tracing::error!(seq, error = %error, cause = ?error, "a snapshot cannot be used"),
        }
        if whole.len() == 2 {
            break;
        }
    }
    whole.try_into().map_err(|whole: Vec<Loaded>| PruneError::Snapshots { whole: whole.len() })
}

/// The ends of the ranges to remove with the chain at each, once the entries were found to be those of the receipt.
async fn checked_ranges<S: Store>(
    store: &S,
    from: u64,
    up_to: u64,
    mut chain: Chain,
    receipt: &Receipt,
) -> Result<Vec<(u64, Chain)>, PruneError> {
    let mut ranges = Vec::new();
    let mut next = from;
    while next <= receipt.last {
        let page = store.page(next).await?;
        for entry in page.entries.iter().filter(|entry| entry.seq <= receipt.last) {
            chain = chain.after(entry).map_err(encode)?;
            let ends = entry.seq == up_to || (entry.seq + 1 - from).is_multiple_of(RANGE);
            if ends && entry.seq <= up_to {
                ranges.push((entry.seq, chain));
            }
            next = entry.seq + 1;
        }
        if !page.more {
            break;
        }
    }
    if next == receipt.last + 1 && chain == receipt.chain { Ok(ranges) } else { Err(PruneError::ExportDiffers) }
}

fn encode(source: serde_json::Error) -> PruneError {
    PruneError::Encode(std::sync::Arc::new(source))
}
