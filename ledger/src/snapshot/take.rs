//! Writing a snapshot: parts, then the manifest, then away with all but the last two.

use std::{io, sync::Arc};

use tokio::sync::mpsc;

use super::{
    FORMAT, Manifest, SnapshotError, encode::pack, fingerprint, folder, listed, manifest_name, part_name, unfinished,
};
use crate::{
    core::state::State,
    store::{Edit, Fence, Store},
};

/// Parts packed ahead of the store: what a snapshot costs in memory beyond the state.
const AHEAD: usize = 2;

/// Writes a snapshot of `state` and keeps `previous` beside it; everything older, unfinished or of another stream goes.
/// Whoever leads next finds either this snapshot whole or the ones before it untouched.
pub(crate) async fn take<S: Store>(
    store: &S,
    fence: Fence,
    state: Arc<State>,
    part_bytes: usize,
    previous: Option<u64>,
) -> Result<Manifest, SnapshotError> {
    let seq = state.seq();
    let lineage = state.lineage().cloned().ok_or(SnapshotError::Empty)?;
    let entry = store.read(seq).await?.ok_or(SnapshotError::OtherStream { seq })?;
    let at = state.at();
    // What an attempt that was broken off left behind: where the store is nearly full, many of them would fill it.
    for unfinished in unfinished(store).await? {
        store.edit(&[Edit::RemoveFolder { folder: folder(unfinished) }], Some(fence)).await?;
    }
    let (sender, mut parts) = mpsc::channel(AHEAD);
    let packed = tokio::task::spawn_blocking(move || {
        let gone = |_| io::Error::other("nobody takes the parts any more");
        pack(&state, part_bytes, |number, part| sender.blocking_send((number, part)).map_err(gone))
    });
    while let Some((number, value)) = parts.recv().await {
        store.edit(&[Edit::Put { name: part_name(seq, number), value }], Some(fence)).await?;
    }
    let sums = packed.await.map_err(|_| SnapshotError::Stopped)??;
    let manifest = Manifest {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        seq,
        at,
        lineage,
        entry: fingerprint(&entry)?,
        parts: sums.parts,
        bytes: sums.bytes,
        records: sums.records,
        state: sums.state,
    };
    let value = serde_json::to_vec(&manifest)?;
    store.edit(&[Edit::Put { name: manifest_name(seq), value }], Some(fence)).await?;
    for other in listed(store).await? {
        if other != seq && Some(other) != previous {
            store.edit(&[Edit::RemoveFolder { folder: folder(other) }], Some(fence)).await?;
        }
    }
    Ok(manifest)
}
