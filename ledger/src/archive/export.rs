//! Writing an archive, and telling the leader that it was kept.

use std::{io::Write, sync::Arc};

use super::{ArchiveError, Chain, FORMAT, Frame, Receipt};
use crate::{
    core::event::{Entry, Event, Lineage},
    prune::{EXPORTED, Horizon, exported},
    store::{Edit, Store},
};

/// Writes the entries from `first` (or the first kept) up to `last`, or up to the end, with header and trailer.
pub async fn export<S: Store>(
    store: &S,
    first: Option<u64>,
    last: Option<u64>,
    mut out: impl Write,
) -> Result<Receipt, ArchiveError> {
    let horizon = Horizon::read(store).await?;
    let mut lineage = horizon.as_ref().map(|horizon| horizon.lineage.clone());
    let mut chain = horizon.as_ref().map_or_else(Chain::default, |horizon| horizon.chain);
    let kept_from = horizon.map_or(1, |horizon| horizon.seq + 1);
    let first = first.unwrap_or(kept_from).max(1);
    let mut receipt: Option<Receipt> = None;
    // Entries before the first are read too, if they are kept: the chain goes through them.
    let mut next = kept_from.min(first);
    loop {
        let page = store.page(next).await?;
        for entry in page.entries.into_iter().filter(|entry| last.is_none_or(|last| entry.seq <= last)) {
            if lineage.is_none() {
                lineage = opened(&entry);
            }
            if entry.seq == first {
                let lineage = lineage.clone().ok_or(ArchiveError::NotOpened)?;
                line(&mut out, &Frame::Archive { format: FORMAT, lineage: lineage.clone(), first, previous: chain })?;
                receipt = Some(Receipt { lineage, first, previous: chain, last: first, chain });
            }
            chain = chain.after(&entry).map_err(encode)?;
            if let Some(receipt) = &mut receipt {
                line(&mut out, &entry)?;
                (receipt.last, receipt.chain) = (entry.seq, chain);
            }
            next = entry.seq + 1;
        }
        if !page.more || last.is_some_and(|last| next > last) {
            break;
        }
    }
    let receipt = receipt.ok_or(ArchiveError::Nothing { first })?;
    line(&mut out, &Frame::End { last: receipt.last, chain: receipt.chain })?;
    out.flush()?;
    Ok(receipt)
}

/// Notes in the store that an archive with this receipt is kept somewhere safe: what it holds may be pruned. Archives
/// that follow each other are noted one after the other. The leader compares the receipt with its own entries before
/// it believes it.
pub async fn note_exported<S: Store>(store: &S, receipt: &Receipt) -> Result<(), ArchiveError> {
    let (before, value) = exported(store).await?;
    let mut noted = receipt.clone();
    if let Some(before) = before {
        let (continues, within) = (receipt.first == before.last + 1, receipt.first <= before.last);
        let gap = receipt.first > before.last + 1;
        if before.lineage != receipt.lineage || gap || (continues && before.chain != receipt.previous) {
            return Err(ArchiveError::Receipt);
        }
        if (continues || within) && receipt.last >= before.last && before.first <= receipt.first {
            (noted.first, noted.previous) = (before.first, before.previous);
        } else if receipt.last <= before.last && before.first <= receipt.first {
            return Ok(());
        }
    }
    let name = EXPORTED.to_owned();
    let put = Edit::Put { name: name.clone(), value: serde_json::to_vec(&noted).map_err(encode)? };
    Ok(store.edit(&[Edit::Expect { name, value }, put], None).await?)
}

fn opened(entry: &Entry) -> Option<Lineage> {
    match entry.events.as_slice() {
        [Event::Opened { lineage, .. }, ..] => Some(lineage.clone()),
        _ => None,
    }
}

fn line(out: &mut impl Write, what: &impl serde::Serialize) -> Result<(), ArchiveError> {
    serde_json::to_writer(&mut *out, what).map_err(encode)?;
    Ok(out.write_all(b"\n")?)
}

fn encode(source: serde_json::Error) -> ArchiveError {
    ArchiveError::Encode(Arc::new(source))
}
