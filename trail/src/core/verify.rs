//! Reads the lines of a chain again and says where it is broken.

use jiff::{SignedDuration, Timestamp};

use super::{
    hash::{self, Digest, Hash},
    head::{Head, Pruned},
    line::{FORMAT, Line, Said, fits},
    writer::Writer,
};

mod finding;
mod report;

pub use finding::{Fault, Finding, Place};
pub use report::{Looked, Report};

/// The shortest time records are kept: half a year, GB/T 22239-2019 and the Cybersecurity Law (art. 21) say six months.
pub const SHORTEST_RETENTION: SignedDuration = SignedDuration::from_hours(180 * 24);

/// So many findings are kept; the others are counted. One damaged file may not fill the memory.
const MOST_FINDINGS: usize = 1000;

/// Takes the lines of one writer's segments in order.
#[derive(Debug)]
pub struct Verifier {
    writer: Writer,
    /// Heads the chain must lead through: etcd's, and those that were kept elsewhere.
    heads: Vec<Head>,
    pruned: Option<Pruned>,
    /// What is known of the line before; none before the first.
    previous: Option<Digest>,
    /// The number the next record should have; none before the first header.
    next: Option<u64>,
    /// The hash of the open segment; none outside of one.
    hash: Option<&'static dyn Hash>,
    /// Records of the open segment.
    inside: u64,
    /// The number the first header gave.
    begins: Option<u64>,
    /// A last line without a line feed; it is a finding unless nothing follows and every head was met before it.
    torn: Option<Place>,
    report: Report,
}

impl Verifier {
    /// For the chain of this writer.
    pub fn new(writer: Writer) -> Self {
        Self {
            report: Report::new(writer.clone()),
            writer,
            heads: Vec::new(),
            pruned: None,
            previous: None,
            next: None,
            hash: None,
            inside: 0,
            begins: None,
            torn: None,
        }
    }

    /// The chain must hold this record: the head in etcd, or one that was kept elsewhere.
    #[must_use]
    pub fn expecting(mut self, head: Head) -> Self {
        self.heads.push(head);
        self
    }

    /// Records up to here may be gone, if they were old enough at the moment `now`.
    #[must_use]
    pub fn pruned(mut self, pruned: Pruned, now: Timestamp) -> Self {
        // A day is left for clocks and for segments that end at midnight.
        let young = now.duration_since(pruned.until) < SHORTEST_RETENTION - SignedDuration::from_hours(24);
        if young {
            self.report.add(Place::default(), Fault::PrunedEarly { until: pruned.until });
        }
        self.pruned = Some(pruned);
        self
    }

    /// One line, without its line feed. `whole` says whether a line feed stood behind it.
    pub fn line(&mut self, place: &Place, bytes: &[u8], whole: bool) {
        if let Some(torn) = self.torn.take() {
            self.report.add(torn, Fault::Unreadable);
            self.unknown();
        }
        if !whole {
            self.torn = Some(place.clone());
            return;
        }
        let Ok(line) = Line::parse(bytes) else {
            self.report.add(place.clone(), Fault::Unreadable);
            self.unknown();
            return;
        };
        if let Said::Header(header) = &line.said {
            self.hash = hash::named(&header.algorithm);
            if self.hash.is_none() || header.format != FORMAT {
                self.report.add(place.clone(), Fault::UnknownFormat { algorithm: header.algorithm.clone() });
            }
        }
        // A segment whose header is gone does not say with which hash it was made.
        let made = self.hash.or_else(|| hash::ALL.into_iter().find(|hash| fits(bytes, *hash)));
        if !made.is_some_and(|hash| fits(bytes, hash)) {
            self.report.add(place.clone(), Fault::Changed { sequence: line.sequence() });
        }
        match &line.said {
            Said::Header(header) => {
                if header.writer != self.writer {
                    self.report.add(place.clone(), Fault::OtherWriter { writer: header.writer.clone() });
                }
                self.header(place, header.first, line.previous);
            }
            Said::Record(sequence, record) => {
                self.record(place, *sequence, &line);
                self.report.looked.record(Head { sequence: *sequence, hash: line.hash, at: record.at });
            }
            Said::Closing(closing) => self.closing(place, closing.last, line.previous),
        }
        self.previous = Some(line.hash);
    }

    /// All lines of a file. A file that is empty says nothing.
    pub fn text(&mut self, file: &str, bytes: &[u8]) {
        for (line, text) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let place = Place { file: file.to_owned(), line };
            match text.strip_suffix(b"\n") {
                Some(text) => self.line(&place, text, true),
                None => self.line(&place, text, false),
            }
        }
    }

    fn header(&mut self, place: &Place, first: u64, previous: Digest) {
        self.report.looked.segments += 1;
        match self.next {
            None => self.beginning(place, first, previous),
            Some(next) if first > next => {
                self.report.add(place.clone(), Fault::SegmentMissing { from: next, to: first - 1 });
            }
            Some(next) if first < next => {
                self.report.add(place.clone(), Fault::OutOfOrder { expected: next, found: first });
            }
            Some(_) => {
                if self.inside > 0 {
                    self.report.add(place.clone(), Fault::NotClosed);
                }
                self.link(place, Some(first), previous);
            }
        }
        self.begins = self.begins.or(Some(first));
        (self.next, self.inside) = (Some(first), 0);
    }

    /// The chain begins with 1 and zeros, or where pruning says so. Files of pruned segments may be left over.
    fn beginning(&mut self, place: &Place, first: u64, previous: Digest) {
        let sound = match &self.pruned {
            _ if first == 1 => previous == Digest::default(),
            Some(pruned) if pruned.sequence + 1 == first => pruned.hash == previous,
            Some(pruned) => pruned.sequence + 1 > first,
            None => false,
        };
        if !sound {
            self.report.add(place.clone(), Fault::BeginningMissing { first });
        }
    }

    fn record(&mut self, place: &Place, sequence: u64, line: &Line) {
        if self.hash.is_none() {
            self.report.add(place.clone(), Fault::NoHeader);
        }
        match self.next {
            Some(next) if sequence > next => {
                self.report.add(place.clone(), Fault::Missing { from: next, to: sequence - 1 });
            }
            Some(next) if sequence < next => {
                self.report.add(place.clone(), Fault::OutOfOrder { expected: next, found: sequence });
            }
            _ => self.link(place, Some(sequence), line.previous),
        }
        for head in &self.heads {
            if head.sequence == sequence && head.hash != line.hash {
                self.report.add(place.clone(), Fault::Rewritten { sequence });
            }
        }
        self.inside += 1;
        self.next = Some(sequence + 1);
    }

    fn closing(&mut self, place: &Place, last: u64, previous: Digest) {
        if self.hash.is_none() {
            self.report.add(place.clone(), Fault::NoHeader);
        }
        match self.next {
            Some(next) if last + 1 > next => self.report.add(place.clone(), Fault::Missing { from: next, to: last }),
            Some(next) if last + 1 < next => {
                self.report.add(place.clone(), Fault::OutOfOrder { expected: next - 1, found: last });
            }
            _ => self.link(place, None, previous),
        }
        (self.hash, self.inside, self.next) = (None, 0, Some(last + 1));
    }

    /// The line must name the hash of the one before it. After a line that could not be read nothing is known.
    fn link(&mut self, place: &Place, sequence: Option<u64>, previous: Digest) {
        if self.previous.is_some_and(|before| before != previous) {
            self.report.add(place.clone(), Fault::Replaced { sequence });
        }
    }

    /// A line that cannot be read may have been any: what comes after it is not measured by it.
    fn unknown(&mut self) {
        self.previous = None;
        self.inside += 1;
        if self.begins.is_none() {
            self.begins = Some(0);
        }
    }

    /// The end of the last segment.
    pub fn finish(mut self) -> Report {
        let last = self.next.map_or(0, |next| next - 1);
        let begins = self.begins.unwrap_or(0);
        // It is being written just now, or a crash came between: nobody was told that it is there.
        let unacknowledged = !self.heads.is_empty() && self.heads.iter().all(|head| head.sequence <= last);
        match self.torn.take() {
            Some(_) if unacknowledged => self.report.looked.torn = true,
            Some(torn) => self.report.add(torn, Fault::Unreadable),
            None => {}
        }
        let heads = std::mem::take(&mut self.heads);
        if heads.is_empty() {
            self.report.add(Place::default(), Fault::NoHead);
        }
        for head in heads {
            if head.sequence > last {
                self.report.add(Place::default(), Fault::CutOff { last, head: head.sequence });
            } else if head.sequence < begins {
                self.report.add(Place::default(), Fault::HeadTooOld { head: head.sequence, first: begins });
            }
        }
        if last == 0 && self.pruned.is_some() {
            self.report.add(Place::default(), Fault::CutOff { last, head: 0 });
        }
        self.report
    }
}
