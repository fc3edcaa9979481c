//! Which writers and segments there are.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::StoreError;
use crate::core::writer::Writer;

/// The file of a segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentFile {
    /// The number of its first record, as its name says.
    pub first: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// The folder of one writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder of `writer` within the trail's.
    pub fn of(trail: &Path, writer: &Writer) -> Self {
        Self { path: trail.join(writer.as_str()) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it, if it is not there, so that it outlives a power failure.
    pub(crate) fn create(&self) -> Result<(), StoreError> {
        if self.path.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(&self.path).map_err(|source| StoreError::file(&self.path, "made", source))?;
        self.path.parent().map_or(Ok(()), sync_folder)
    }

    /// The name a segment has.
    pub(crate) fn segment(&self, first: u64) -> SegmentFile {
        SegmentFile { first, path: self.path.join(format!("{first:020}.jsonl")) }
    }

    /// Its segments, in order. A folder that is not there has none.
    pub fn segments(&self) -> Result<Vec<SegmentFile>, StoreError> {
        let mut found = Vec::new();
        for path in listed(&self.path)? {
            let stem = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".jsonl"));
            let digits = stem.filter(|stem| stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit()));
            if let Some(first) = digits.and_then(|digits| digits.parse().ok()) {
                found.push(SegmentFile { first, path });
            }
        }
        found.sort();
        Ok(found)
    }
}

/// All writers that have a folder with a segment in the trail's, in the order of their names.
pub fn writers(trail: &Path) -> Result<Vec<Writer>, StoreError> {
    let mut found = Vec::new();
    for path in listed(trail)? {
        let Some(writer) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok()) else {
            continue;
        };
        if path.is_dir() && !Folder::of(trail, &writer).segments()?.is_empty() {
            found.push(writer);
        }
    }
    found.sort();
    Ok(found)
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = |source| StoreError::file(folder, "listed", source);
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}

/// Makes names in a folder outlive a power failure.
pub(crate) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let open = File::open(path).and_then(|folder| folder.sync_all());
    open.map_err(|source| StoreError::file(path, "written", source))
}
