//! The chain of one writer in its files: appended to, made durable, begun anew every day.

use std::{
    fs::{File, OpenOptions},
    path::PathBuf,
};

use jiff::{Timestamp, civil::Date, tz::Offset};

pub use super::recover::Known;
use super::{
    StoreError,
    disk::Disk,
    folder::{Folder, sync_folder},
    gap::Gap,
    limits::DEFAULT_SEGMENT_BYTES,
    recover::{Recovered, recover},
};
use crate::core::{
    chain::Chain,
    hash::{Hash, Sha256},
    head::Head,
    record::Record,
    writer::Writer,
};

/// How segments are made.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The hash of new segments.
    pub algorithm: &'static dyn Hash,
    /// A segment that is larger, in bytes, is closed before the next batch.
    pub segment_bytes: u64,
}

impl Default for Shape {
    /// SHA-256, 64 MiB.
    fn default() -> Self {
        Self { algorithm: &Sha256, segment_bytes: DEFAULT_SEGMENT_BYTES }
    }
}

/// A chain that is open for appending. After an error it must be opened anew: its end is not known any more.
#[derive(Debug)]
pub struct Journal<D> {
    folder: Folder,
    disk: D,
    shape: Shape,
    chain: Chain,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    length: u64,
    day: Date,
}

impl<D: Disk> Journal<D> {
    /// Opens the chain of `writer` in the folder `trail`: cuts what was never acknowledged and is not whole, and tells
    /// what was acknowledged and is not there.
    pub fn open(
        trail: &std::path::Path,
        writer: &Writer,
        disk: D,
        shape: Shape,
        known: &Known,
    ) -> Result<(Self, Vec<Gap>), StoreError> {
        let folder = Folder::of(trail, writer);
        folder.create()?;
        let Recovered { chain, open, gaps } = recover(&folder, writer, shape.algorithm, known)?;
        let open = match open {
            Some((path, length, opened)) => {
                let file = OpenOptions::new()
                    .append(true)
                    .open(&path)
                    .map_err(|source| StoreError::file(&path, "opened", source))?;
                // What an earlier process wrote is durable before it is counted on.
                disk.sync(&file).map_err(|source| StoreError::file(&path, "written", source))?;
                Some(Open { file, path, length, day: day(opened) })
            }
            None => None,
        };
        Ok((Self { folder, disk, shape, chain, open }, gaps))
    }

    /// The number of the last record; 0 before the first.
    pub const fn sequence(&self) -> u64 {
        self.chain.sequence()
    }

    /// The file that is appended to; none before the first batch.
    pub fn segment(&self) -> Option<PathBuf> {
        self.open.as_ref().map(|open| open.path.clone())
    }

    /// The last record; none in a chain without one, and after a gap.
    pub const fn head(&self) -> Option<&Head> {
        self.chain.head()
    }

    /// Appends records and makes them durable, all at once; gives the number of the first. Segments end with a day (UTC).
    pub fn append(&mut self, records: Vec<Record>) -> Result<u64, StoreError> {
        let first = self.chain.sequence() + 1;
        let Some(at) = records.first().map(|record| record.at) else { return Ok(first) };
        self.close_if_full(at)?;
        let mut text = Vec::new();
        let mut chain = self.chain.clone();
        let (mut open, is_new) = if let Some(open) = self.open.take() {
            (open, false)
        } else {
            chain = chain.made_with(self.shape.algorithm);
            chain.open(&mut text, at).map_err(StoreError::encode)?;
            (self.begin(at)?, true)
        };
        for record in records {
            chain.append(&mut text, record).map_err(StoreError::encode)?;
        }
        self.write(&mut open, &text)?;
        if is_new {
            sync_folder(self.folder.path())?;
        }
        self.chain = chain;
        self.open = Some(open);
        Ok(first)
    }

    fn close_if_full(&mut self, at: Timestamp) -> Result<(), StoreError> {
        let is_full = |open: &mut Open| {
            let other = self.chain.hash().name() != self.shape.algorithm.name();
            other || open.length > self.shape.segment_bytes || day(at) > open.day
        };
        // A segment with a header and no record goes on: nothing could close it.
        let Some(mut open) = self.open.take_if(is_full) else { return Ok(()) };
        let (mut text, mut chain) = (Vec::new(), self.chain.clone());
        chain.close(&mut text).map_err(StoreError::encode)?;
        if text.is_empty() {
            self.open = Some(open);
            return Ok(());
        }
        self.write(&mut open, &text)?;
        self.chain = chain;
        Ok(())
    }

    fn begin(&self, at: Timestamp) -> Result<Open, StoreError> {
        let path = self.folder.segment(self.chain.sequence() + 1).path;
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(|source| StoreError::file(&path, "made", source))?;
        Ok(Open { file, path, length: 0, day: day(at) })
    }

    fn write(&self, open: &mut Open, text: &[u8]) -> Result<(), StoreError> {
        let written = self.disk.write(&mut open.file, text).and_then(|()| self.disk.sync(&open.file));
        written.map_err(|source| StoreError::file(&open.path, "written", source))?;
        open.length += text.len() as u64;
        Ok(())
    }
}

fn day(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}
