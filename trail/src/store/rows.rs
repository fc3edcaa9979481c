//! Reading the trail back: all writers' records as one stream, in the order of their times.

use std::{collections::VecDeque, path::Path};

use serde::Serialize;

use super::{
    Cursor, StoreError, end,
    folder::{Folder, SegmentFile, writers},
    lines::Lines,
    query::Query,
};
use crate::core::{
    hash::Digest,
    line::{Line, Said},
    record::Record,
    writer::Writer,
};

/// A page looks at no more records than this, however few of them are asked for: the next page goes on.
pub const MOST_SCANNED: u64 = 200_000;

/// A record with its place in the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Who wrote it.
    pub writer: Writer,
    /// Its number in that chain.
    pub sequence: u64,
    /// What it says.
    pub record: Record,
    /// The hash of its line.
    pub hash: Digest,
}

/// The records asked for, one by one. A damaged line is an error, and the next call goes on behind it.
#[derive(Debug)]
pub struct Rows {
    query: Query,
    sources: Vec<Source>,
    cursor: Cursor,
    scanned: u64,
}

/// Some rows, and where the next begin.
#[derive(Clone, Debug)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Row>,
    /// Where to go on; none at the end.
    pub next: Option<Cursor>,
    /// Lines that could not be read: `trail verify` tells which.
    pub damaged: u64,
}

/// Begins to read in the folder `trail`.
pub fn rows(trail: &Path, query: Query) -> Result<Rows, StoreError> {
    let mut sources = Vec::new();
    for writer in writers(trail)? {
        let segments = Folder::of(trail, &writer).segments()?;
        sources.push(Source::after(query.after.of(&writer), writer, segments));
    }
    Ok(Rows { cursor: query.after.clone(), query, sources, scanned: 0 })
}

/// At most `limit` rows, at least 1.
pub fn page(trail: &Path, query: Query, limit: usize) -> Result<Page, StoreError> {
    let mut rows = rows(trail, query)?;
    let (mut page, mut damaged) = (Vec::new(), 0);
    loop {
        match rows.step() {
            None => return Ok(Page { rows: page, next: None, damaged }),
            Some(Ok(row)) => page.extend(row),
            Some(Err(StoreError::Damaged { .. })) => damaged += 1,
            Some(Err(error)) => return Err(error),
        }
        if page.len() >= limit.max(1) || rows.scanned >= MOST_SCANNED {
            return Ok(Page { rows: page, next: Some(rows.cursor), damaged });
        }
    }
}

impl Rows {
    /// How far it has come: a query after it goes on behind the last row.
    pub const fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// The next record, if it is asked for.
    fn step(&mut self) -> Option<Result<Option<Row>, StoreError>> {
        for source in &mut self.sources {
            if let Err(error) = source.fill(&self.query) {
                return Some(Err(error));
            }
        }
        let earliest = |source: &&mut Source| source.waiting.as_ref().map(|row| row.record.at);
        let row =
            self.sources.iter_mut().filter(|source| source.waiting.is_some()).min_by_key(earliest)?.waiting.take()?;
        self.cursor.advance(&row.writer, row.sequence);
        self.scanned += 1;
        Some(Ok(Some(row).filter(|row| self.query.takes(&row.record))))
    }
}

impl Iterator for Rows {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step()? {
                Ok(None) => {}
                Ok(Some(row)) => return Some(Ok(row)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The records of one writer.
#[derive(Debug)]
struct Source {
    writer: Writer,
    after: u64,
    segments: VecDeque<SegmentFile>,
    lines: Option<Lines>,
    waiting: Option<Row>,
}

impl Source {
    fn after(after: u64, writer: Writer, segments: Vec<SegmentFile>) -> Self {
        // The last segment that begins at or before the next record holds it.
        let skip = segments.iter().rposition(|segment| segment.first <= after + 1).unwrap_or(0);
        Self { writer, after, segments: segments.into_iter().skip(skip).collect(), lines: None, waiting: None }
    }

    /// Reads until a record waits, or the end.
    fn fill(&mut self, query: &Query) -> Result<(), StoreError> {
        while self.waiting.is_none() {
            let Some(lines) = &mut self.lines else {
                let Some(segment) = self.segments.pop_front() else { return Ok(()) };
                self.lines = match begin(&segment, query) {
                    // It was older than the retention and went while it was to be read.
                    Err(error) if error.is_gone() => None,
                    begun => begun?,
                };
                continue;
            };
            let path = lines.path().to_owned();
            let (number, line) = match lines.next()? {
                // A line without an end is being written just now.
                Some(text) if text.whole => (text.number, Line::parse(text.bytes)),
                _ => {
                    self.lines = None;
                    continue;
                }
            };
            match line {
                Ok(Line { said: Said::Record(sequence, record), hash, .. }) if sequence > self.after => {
                    self.after = sequence;
                    self.waiting = Some(Row { writer: self.writer.clone(), sequence, record: *record, hash });
                }
                Ok(_) => {}
                Err(_) => return Err(StoreError::Damaged { path, line: number }),
            }
        }
        Ok(())
    }
}

fn begin(segment: &SegmentFile, query: &Query) -> Result<Option<Lines>, StoreError> {
    match end::closing(segment)? {
        Some((closing, _)) if !query.may_be_in(&closing) => Ok(None),
        _ => Lines::open(&segment.path).map(Some),
    }
}
