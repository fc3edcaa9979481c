//! Reading an archive line by line, checking as it goes.

use std::{io::BufRead, sync::Arc};

use super::{ArchiveError, Chain, FORMAT, Frame, Receipt};
use crate::core::{
    event::{Entry, Event, Lineage},
    state::State,
};

/// The entries of an archive, or of several put one after the other.
#[derive(Debug)]
pub struct Reader<R> {
    lines: std::io::Lines<R>,
    line: u64,
    /// The last entry read.
    last: Option<u64>,
    chain: Chain,
    /// The chain before the last entry.
    previous: Chain,
    /// A header was read and its trailer was not yet.
    open: bool,
    /// Every entry so far stood between a header and a trailer.
    sealed: bool,
    lineage: Option<Lineage>,
}

impl<R: BufRead> Reader<R> {
    /// Reads from `source`.
    pub fn new(source: R) -> Self {
        Self {
            lines: source.lines(),
            line: 0,
            last: None,
            chain: Chain::default(),
            previous: Chain::default(),
            open: false,
            sealed: true,
            lineage: None,
        }
    }

    /// The next entry; none at the end, if the end is where it belongs.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ArchiveError> {
        loop {
            let Some(text) = self.lines.next().transpose()? else {
                return if self.open {
                    Err(ArchiveError::Truncated { last: self.last.unwrap_or(0) })
                } else {
                    Ok(None)
                };
            };
            self.line += 1;
            if text.trim().is_empty() {
                continue;
            }
            match serde_json::from_str::<Frame>(&text) {
                Ok(frame) => self.frame(frame)?,
                Err(_) => return self.entry(&text).map(Some),
            }
        }
    }

    fn frame(&mut self, frame: Frame) -> Result<(), ArchiveError> {
        let broken = ArchiveError::Broken { line: self.line };
        match frame {
            Frame::Archive { format, .. } if format != FORMAT => Err(ArchiveError::Format { format }),
            Frame::Archive { lineage, first, previous, .. } => {
                let follows = match self.last {
                    None => first > 1 || previous == Chain::default(),
                    Some(last) => first == last + 1 && previous == self.chain,
                };
                if self.open || !follows || self.lineage.as_ref().is_some_and(|own| *own != lineage) {
                    return Err(broken);
                }
                self.last = first.checked_sub(1);
                (self.chain, self.lineage, self.open) = (previous, Some(lineage), true);
                Ok(())
            }
            Frame::End { last, chain } => {
                if !self.open || self.last != Some(last) || self.chain != chain {
                    return Err(broken);
                }
                self.open = false;
                Ok(())
            }
        }
    }

    fn entry(&mut self, text: &str) -> Result<Entry, ArchiveError> {
        let line = self.line;
        let entry: Entry =
            serde_json::from_str(text).map_err(|source| ArchiveError::Line { line, source: Arc::new(source) })?;
        match self.last {
            Some(last) if entry.seq != last + 1 => {
                return Err(ArchiveError::Gap { line, expected: last + 1, found: entry.seq });
            }
            _ => {}
        }
        if let [Event::Opened { lineage, .. }, ..] = entry.events.as_slice() {
            match &self.lineage {
                Some(own) if own != lineage => return Err(ArchiveError::Broken { line }),
                _ => self.lineage = Some(lineage.clone()),
            }
        }
        self.previous = self.chain;
        self.chain = self.chain.after(&entry).map_err(|source| ArchiveError::Encode(Arc::new(source)))?;
        self.sealed &= self.open;
        self.last = Some(entry.seq);
        Ok(entry)
    }
}

/// What a whole archive from the first entry on leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The book's lineage.
    pub lineage: Lineage,
    /// The last entry.
    pub last: u64,
    /// The chain after it.
    pub chain: Chain,
    /// The digest of the state after it.
    pub digest: String,
    /// Whether header and trailer show that nothing is missing at the end and nothing was changed.
    pub sealed: bool,
}

/// Reads an archive to its end, from whichever entry it begins with; gives what its seal says.
pub fn sealed(source: impl BufRead) -> Result<Receipt, ArchiveError> {
    let mut reader = Reader::new(source);
    let mut begins = None;
    while let Some(entry) = reader.next_entry()? {
        if !reader.sealed {
            return Err(ArchiveError::Unsealed { seq: entry.seq });
        }
        begins.get_or_insert((entry.seq, reader.previous));
    }
    let Some(((first, previous), last)) = begins.zip(reader.last) else { return Err(ArchiveError::Empty) };
    let lineage = reader.lineage.ok_or(ArchiveError::NotOpened)?;
    Ok(Receipt { lineage, first, previous, last, chain: reader.chain })
}

/// Reads an archive from the first entry to its end and applies it.
pub fn verify(source: impl BufRead) -> Result<Summary, ArchiveError> {
    let mut reader = Reader::new(source);
    let mut state = State::default();
    while let Some(entry) = reader.next_entry()? {
        if state.seq() == 0 && entry.seq > 1 {
            return Err(ArchiveError::NotFromTheStart { first: entry.seq });
        }
        state.apply(&entry)?;
    }
    if state.seq() == 0 {
        return Err(ArchiveError::Empty);
    }
    let lineage = state.lineage().cloned().ok_or(ArchiveError::NotOpened)?;
    let digest = state.digest().map_err(|source| ArchiveError::Encode(Arc::new(source)))?;
    Ok(Summary { lineage, last: state.seq(), chain: reader.chain, digest, sealed: reader.sealed })
}
