//! Finding the newest snapshot that is whole.

use super::{FOLDER, FORMAT, Manifest, SnapshotError, encode::unpack, fingerprint, manifest_name, part_name};
use crate::{
    core::state::State,
    prune::Horizon,
    store::{Store, StoreError},
};

/// A snapshot that was found to be whole.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) state: State,
    pub(crate) manifest: Manifest,
}

/// The entries there are snapshots of, finished or not, newest first.
pub(crate) async fn listed<S: Store>(store: &S) -> Result<Vec<u64>, StoreError> {
    Ok(of(&store.notes(FOLDER).await?))
}

/// Those of which only parts are there.
pub(crate) async fn unfinished<S: Store>(store: &S) -> Result<Vec<u64>, StoreError> {
    let names = store.notes(FOLDER).await?;
    let mut seqs = of(&names);
    seqs.retain(|seq| !names.contains(&manifest_name(*seq)));
    Ok(seqs)
}

fn of(names: &[String]) -> Vec<u64> {
    let mut seqs: Vec<u64> =
        names.iter().filter_map(|name| name.strip_prefix(FOLDER)?.split('/').next()?.parse().ok()).collect();
    seqs.sort_unstable_by(|a, b| b.cmp(a));
    seqs.dedup();
    seqs
}

/// The newest snapshot that is whole; each that is not is told and passed over. An error is the store's alone.
pub(crate) async fn newest<S: Store>(store: &S) -> Result<Option<Loaded>, StoreError> {
    for seq in listed(store).await? {
        match load(store, seq).await {
            Ok(loaded) => return Ok(Some(loaded)),
            Err(SnapshotError::Store(error)) => return Err(error),
            Err(SnapshotError::Unfinished { seq }) => tracing::info!(seq, "a snapshot was never finished; passed over"),
            Err(error) => {
                tracing::error!(seq, error = %error, cause = ?error, "a snapshot cannot be used; the one before it is tried");
            }
        }
    }
    Ok(None)
}

/// The snapshot of entry `seq`, checked in every way there is.
pub(crate) async fn load<S: Store>(store: &S, seq: u64) -> Result<Loaded, SnapshotError> {
    let manifest = store.note(&manifest_name(seq)).await?.ok_or(SnapshotError::Unfinished { seq })?;
    let manifest: Manifest = serde_json::from_slice(&manifest)?;
    if manifest.format != FORMAT {
        return Err(SnapshotError::Format { seq, format: manifest.format });
    }
    of_this_stream(store, seq, &manifest).await?;
    let mut parts = Vec::new();
    for part in 0..manifest.parts {
        parts.push(store.note(&part_name(seq, part)).await?.ok_or(SnapshotError::Missing { seq, part })?);
    }
    let unpacked = tokio::task::spawn_blocking(move || {
        let (state, records) = unpack(seq, parts)?;
        let digest = (manifest.program == env!("CARGO_PKG_VERSION")).then(|| state.digest()).transpose()?;
        let differs = [
            ("the records", records != manifest.records),
            ("the state", digest.is_some_and(|digest| digest != manifest.state)),
            ("the entry's number", state.seq() != seq || manifest.seq != seq),
            ("the lineage", state.lineage() != Some(&manifest.lineage)),
        ];
        match differs.into_iter().find(|(_, differs)| *differs) {
            Some((what, _)) => Err(SnapshotError::Damaged { seq, what }),
            None => Ok(Loaded { state, manifest }),
        }
    });
    unpacked.await.map_err(|_| SnapshotError::Stopped)?
}

/// Whether the entry the snapshot was taken after is the one in the stream, or was pruned from this very book.
async fn of_this_stream<S: Store>(store: &S, seq: u64, manifest: &Manifest) -> Result<(), SnapshotError> {
    let same = match store.read(seq).await? {
        Some(entry) => fingerprint(&entry)? == manifest.entry,
        None => {
            Horizon::read(store).await?.is_some_and(|horizon| horizon.seq >= seq && horizon.lineage == manifest.lineage)
        }
    };
    if same { Ok(()) } else { Err(SnapshotError::OtherStream { seq }) }
}
