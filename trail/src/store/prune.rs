//! Deleting segments that are older than they must be kept, after the mark of it was written elsewhere.

use std::{fs, path::Path};

use jiff::Timestamp;

use super::{
    StoreError, end,
    folder::{Folder, sync_folder},
    limits::Retention,
};
use crate::core::{head::Pruned, writer::Writer};

/// The mark to write before old segments are deleted; none if there is nothing to delete. Only closed segments go, from
/// the beginning on and without a hole, and never the last.
pub fn due(trail: &Path, writer: &Writer, retention: Retention, now: Timestamp) -> Result<Option<Pruned>, StoreError> {
    let mut due: Option<Pruned> = None;
    let segments = Folder::of(trail, writer).segments()?;
    for segment in segments.iter().take(segments.len().saturating_sub(1)) {
        match end::closing(segment)? {
            Some((closing, hash)) if now.duration_since(closing.until) > retention.duration() => {
                // Times within a chain may go back: the mark says the latest of all.
                let until = due.as_ref().map_or(closing.until, |due| due.until.max(closing.until));
                due = Some(Pruned { sequence: closing.last, hash, until });
            }
            _ => break,
        }
    }
    Ok(due)
}

/// Deletes the segments up to the mark, from the beginning on.
pub fn delete(trail: &Path, writer: &Writer, mark: &Pruned) -> Result<(), StoreError> {
    let folder = Folder::of(trail, writer);
    for segment in folder.segments()? {
        match end::closing(&segment)? {
            Some((closing, _)) if closing.last <= mark.sequence => {
                fs::remove_file(&segment.path).map_err(|source| StoreError::file(&segment.path, "deleted", source))?;
            }
            _ => break,
        }
    }
    if folder.path().is_dir() { sync_folder(folder.path()) } else { Ok(()) }
}
