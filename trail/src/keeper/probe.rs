//! Whether the disk takes anything at all.

use std::fs::{self, OpenOptions};

use crate::store::{StoreError, disk::Disk, folder::Folder};

/// So much must find room before anybody is told that the trail can be written: more than a few batches take. A disk with
/// a few bytes left would else be tried and given up by turns.
const ROOM: usize = 256 * 1024;

/// Writes a file of [`ROOM`] bytes, makes it durable and removes it.
pub(super) fn room(disk: &impl Disk, folder: &Folder) -> Result<(), StoreError> {
    folder.create()?;
    let path = folder.path().join("probe");
    let failed = |source| StoreError::file(&path, "written", source);
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(&path).map_err(failed)?;
    let written = disk.write(&mut file, &vec![0; ROOM]).and_then(|()| disk.sync(&file));
    // It goes first, written or not: it takes the room others need.
    let removed = fs::remove_file(&path);
    written.and(removed).map_err(failed)
}
