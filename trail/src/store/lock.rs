//! One process a chain.

use std::fs::{File, OpenOptions, TryLockError};

use super::{StoreError, folder::Folder};
use crate::core::writer::Writer;

/// Held as long as this lives; the system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of this writer's folder, which is made if it is not there.
    pub fn take(folder: &Folder, writer: &Writer) -> Result<Self, StoreError> {
        folder.create()?;
        let path = folder.path().join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| StoreError::file(&path, "opened", source))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { writer: writer.clone() }),
            Err(TryLockError::Error(source)) => Err(StoreError::file(&path, "locked", source)),
        }
    }
}
