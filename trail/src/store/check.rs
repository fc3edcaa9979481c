//! Verifying what lies in files: a folder of segments, or lines that were exported.

use std::{collections::BTreeMap, io::Write, path::Path};

use jiff::Timestamp;

use super::{StoreError, folder::SegmentFile, lines::Lines};
use crate::core::{
    head::{Head, Pruned},
    line::{Line, Said},
    verify::{Place, Report, Verifier},
    writer::Writer,
};

/// What is known of a chain from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Heads it must lead through: etcd's, and those that were kept elsewhere.
    pub heads: Vec<Head>,
    /// Up to where segments were deleted.
    pub pruned: Option<Pruned>,
}

impl Expected {
    fn verifier(self, writer: Writer, now: Timestamp) -> Verifier {
        let begun = Verifier::new(writer);
        let begun = match self.pruned {
            Some(pruned) => begun.pruned(pruned, now),
            None => begun,
        };
        self.heads.into_iter().fold(begun, Verifier::expecting)
    }
}

/// Verifies one writer's segments, which were [listed](super::folder::Folder::segments) before; every line that is
/// whole is written to `copy` as it is.
///
/// Heads are to be read before the segments are listed, and the mark of pruning after it: then a writer that appends
/// and prunes meanwhile does not look like a fault.
pub fn segments(
    writer: &Writer,
    segments: &[SegmentFile],
    expected: Expected,
    now: Timestamp,
    mut copy: impl Write,
) -> Result<Report, CheckError> {
    let mut verifier = expected.verifier(writer.clone(), now);
    for segment in segments {
        let mut lines = Lines::open(&segment.path)?;
        let file = format!("{writer}/{:020}.jsonl", segment.first);
        while let Some(text) = lines.next()? {
            verifier.line(&Place { file: file.clone(), line: text.number }, text.bytes, text.whole);
            if text.whole {
                copy.write_all(text.bytes).and_then(|()| copy.write_all(b"\n")).map_err(CheckError::Copy)?;
            }
        }
    }
    Ok(verifier.finish())
}

/// Verifies exported lines: the segments of any number of writers, one after the other. Writers that are expected and
/// have no line are reported too.
pub fn exported(
    path: &Path,
    mut expected: BTreeMap<Writer, Expected>,
    now: Timestamp,
) -> Result<Vec<Report>, CheckError> {
    let mut verifiers: BTreeMap<Writer, Verifier> = BTreeMap::new();
    let mut current: Option<Writer> = None;
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut lines = Lines::open(path)?;
    while let Some(text) = lines.next()? {
        if let Ok(Line { said: Said::Header(header), .. }) = Line::parse(text.bytes) {
            current = Some(header.writer);
        }
        let Some(writer) = &current else { return Err(CheckError::NoHeader { line: text.number }) };
        let verifier = verifiers
            .entry(writer.clone())
            .or_insert_with(|| expected.remove(writer).unwrap_or_default().verifier(writer.clone(), now));
        verifier.line(&Place { file: file.clone(), line: text.number }, text.bytes, text.whole);
    }
    for (writer, expected) in expected {
        verifiers.insert(writer.clone(), expected.verifier(writer, now));
    }
    Ok(verifiers.into_values().map(Verifier::finish).collect())
}

/// A trail could not be verified at all.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The copy cannot be written.
    #[error("the copy cannot be written")]
    Copy(#[source] std::io::Error),
    /// Exported lines begin without a header.
    #[error("line {line} stands before any header: this is no export of a trail, or its beginning is missing")]
    NoHeader {
        /// Which line.
        line: u64,
    },
}
