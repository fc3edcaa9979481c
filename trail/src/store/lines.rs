//! Lines of a file, one by one, none longer than a line may be.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use super::StoreError;
use crate::core::line::MOST_BYTES;

/// Reads a file line by line.
#[derive(Debug)]
pub(crate) struct Lines {
    path: PathBuf,
    source: BufReader<File>,
    buffer: Vec<u8>,
    number: u64,
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    /// Its number in the file, from 1.
    pub(crate) number: u64,
    /// Without its line feed.
    pub(crate) bytes: &'a [u8],
    /// Whether a line feed stood behind it.
    pub(crate) whole: bool,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(|source| StoreError::file(path, "opened", source))?;
        Ok(Self { path: path.to_owned(), source: BufReader::new(file), buffer: Vec::new(), number: 0 })
    }

    /// How many lines stand in the first `bytes` bytes of a file.
    pub(crate) fn count_to(path: &Path, bytes: u64) -> Result<u64, StoreError> {
        let (mut lines, mut read) = (Self::open(path)?, 0);
        while read < bytes {
            let Some(text) = lines.next()? else { break };
            read += text.bytes.len() as u64 + 1;
        }
        Ok(lines.number)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The next line; what is longer than a line may be comes in pieces that are not whole.
    pub(crate) fn next(&mut self) -> Result<Option<Text<'_>>, StoreError> {
        self.buffer.clear();
        let mut bounded = (&mut self.source).take(MOST_BYTES as u64 + 1);
        let read = bounded.read_until(b'\n', &mut self.buffer);
        if read.map_err(|source| StoreError::file(&self.path, "read", source))? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let (bytes, whole) = match self.buffer.strip_suffix(b"\n") {
            Some(bytes) => (bytes, true),
            None => (self.buffer.as_slice(), false),
        };
        Ok(Some(Text { number: self.number, bytes, whole }))
    }
}
