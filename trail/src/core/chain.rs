//! The chain a writer appends to.

use jiff::Timestamp;

use super::{
    hash::{Digest, Hash},
    head::Head,
    line::{Closing, FORMAT, Header, Said, seal},
    record::Record,
    writer::Writer,
};

/// Where a chain stands: what the next line is sealed upon. Cloning it is cheap, so that lines that could not be written
/// are forgotten by going on with the clone.
#[derive(Clone, Debug)]
pub struct Chain {
    writer: Writer,
    hash: &'static dyn Hash,
    /// The hash of the last line.
    last_line: Digest,
    /// The number of the last record, or of those before the chain; 0 before the first.
    sequence: u64,
    /// The last record's.
    head: Option<Head>,
    /// Earliest and latest time in the segment that is open; none without a record.
    span: Option<(Timestamp, Timestamp)>,
}

impl Chain {
    /// A chain that goes on after `sequence`, whose segment's last line has the hash `last_line`. A new chain goes on
    /// after 0 and zeros.
    pub fn after(writer: Writer, hash: &'static dyn Hash, sequence: u64, last_line: Digest) -> Self {
        Self { writer, hash, last_line, sequence, head: None, span: None }
    }

    /// The hash its lines are made with.
    pub const fn hash(&self) -> &'static dyn Hash {
        self.hash
    }

    /// Goes on with another hash, from the next segment on.
    #[must_use]
    pub const fn made_with(mut self, hash: &'static dyn Hash) -> Self {
        self.hash = hash;
        self
    }

    /// The number of the last record; 0 before the first.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The last record that was appended or read.
    pub const fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Notes a line of the open segment that was written before.
    pub fn resume(&mut self, said: &Said, hash: Digest) {
        match said {
            Said::Header(_) | Said::Closing(_) => self.span = None,
            Said::Record(sequence, record) => self.record(*sequence, record.at, hash),
        }
        self.last_line = hash;
    }

    /// Begins a segment: appends its header to `out`.
    pub fn open(&mut self, out: &mut Vec<u8>, at: Timestamp) -> Result<(), serde_json::Error> {
        let header = Header {
            format: FORMAT,
            algorithm: self.hash.name().to_owned(),
            writer: self.writer.clone(),
            first: self.sequence + 1,
            opened: at,
        };
        self.last_line = seal(out, &Said::Header(header), self.last_line, self.hash)?;
        self.span = None;
        Ok(())
    }

    /// Appends a record's line to `out`; gives its number.
    pub fn append(&mut self, out: &mut Vec<u8>, record: Record) -> Result<u64, serde_json::Error> {
        let (record, sequence) = (record.bounded(self.hash), self.sequence + 1);
        let at = record.at;
        self.last_line = seal(out, &Said::Record(sequence, Box::new(record)), self.last_line, self.hash)?;
        self.record(sequence, at, self.last_line);
        Ok(sequence)
    }

    /// Ends a segment: appends its closing line to `out`. A segment without a record is not ended.
    pub fn close(&mut self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        if let Some((from, until)) = self.span.take() {
            let closing = Said::Closing(Closing { last: self.sequence, from, until });
            self.last_line = seal(out, &closing, self.last_line, self.hash)?;
        }
        Ok(())
    }

    fn record(&mut self, sequence: u64, at: Timestamp, hash: Digest) {
        self.sequence = sequence;
        self.head = Some(Head { sequence, hash, at });
        self.span = Some(self.span.map_or((at, at), |(from, until)| (from.min(at), until.max(at))));
    }
}
