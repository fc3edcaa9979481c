//! The first and the last line of a segment, without reading what is between.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use super::{StoreError, folder::SegmentFile, lines::Lines};
use crate::core::{
    hash::Digest,
    line::{Closing, Header, Line, MOST_BYTES, Said},
};

/// The header, with the hash it names of the line before, if the file begins with one.
pub(crate) fn header(segment: &SegmentFile) -> Result<Option<(Header, Digest)>, StoreError> {
    let mut lines = Lines::open(&segment.path)?;
    let line = lines.next()?.and_then(|text| Line::parse(text.bytes).ok());
    Ok(line.and_then(|line| match line.said {
        Said::Header(header) => Some((header, line.previous)),
        _ => None,
    }))
}

/// The closing line with its hash, if the file ends with one.
pub(crate) fn closing(segment: &SegmentFile) -> Result<Option<(Closing, Digest)>, StoreError> {
    let failed = |source| StoreError::file(&segment.path, "read", source);
    let mut file = File::open(&segment.path).map_err(|source| StoreError::file(&segment.path, "opened", source))?;
    let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
    file.seek(SeekFrom::Start(length.saturating_sub(MOST_BYTES as u64))).map_err(failed)?;
    let mut tail = Vec::new();
    file.take(MOST_BYTES as u64).read_to_end(&mut tail).map_err(failed)?;
    let last = tail.strip_suffix(b"\n").and_then(|tail| tail.rsplit(|byte| *byte == b'\n').next());
    let line = last.and_then(|bytes| Line::parse(bytes).ok());
    Ok(line.and_then(|line| match line.said {
        Said::Closing(closing) => Some((closing, line.hash)),
        _ => None,
    }))
}
