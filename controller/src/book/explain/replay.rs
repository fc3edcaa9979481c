//! The book at one moment, and which entry granted and last changed each claim.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiyun_ledger::{ClaimId, Entry, Event, State};

use super::BookError;

/// Up to when the book is read.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// All of it.
    Now,
    /// What was recorded at this moment or before.
    At(Timestamp),
    /// Up to this entry.
    Revision(u64),
}

/// Entries of one claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The entry that granted or first held it.
    pub granted: u64,
    /// The last entry that changed what it is, whose it is or where it stands.
    pub changed: u64,
    /// When that was.
    pub changed_at: Timestamp,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Replay {
    /// The book.
    pub state: State,
    /// Its claims' entries.
    pub traces: BTreeMap<ClaimId, Trace>,
}

impl Replay {
    /// Reads `lines` up to `moment`.
    ///
    /// # Errors
    /// When they do not make a book, or it begins later.
    pub fn of(lines: &[String], moment: Moment) -> Result<Self, BookError> {
        let mut replay = Self::default();
        let mut begins = None;
        for (index, line) in lines.iter().enumerate() {
            let entry: Entry =
                serde_json::from_str(line).map_err(|source| BookError::Line { line: index + 1, source })?;
            begins.get_or_insert_with(|| format!("entry {}, {}", entry.seq, entry.at));
            let is_later = match moment {
                Moment::Now => false,
                Moment::At(at) => entry.at > at,
                Moment::Revision(revision) => entry.seq > revision,
            };
            if is_later {
                break;
            }
            if replay.state.seq() == 0 && entry.seq > 1 {
                return Err(BookError::NotFromTheBeginning { first: entry.seq });
            }
            replay.state.apply(&entry)?;
            replay.note(&entry);
        }
        match begins {
            Some(begins) if replay.state.seq() == 0 => Err(BookError::BeforeTheBook { begins }),
            Some(_) => Ok(replay),
            None => Err(BookError::NoEntry { from: 1, last: 0 }),
        }
    }

    fn note(&mut self, entry: &Entry) {
        for claim in entry.events.iter().filter_map(about) {
            let new = Trace { granted: entry.seq, changed: entry.seq, changed_at: entry.at };
            let trace = self.traces.entry(claim).or_insert(new);
            trace.changed = entry.seq;
            trace.changed_at = entry.at;
        }
    }
}

/// The claim an event is about.
fn about(event: &Event) -> Option<ClaimId> {
    match event {
        Event::ClaimGranted { claim } | Event::ClaimAdopted { claim } => Some(claim.id),
        Event::ClaimAmended { claim, .. }
        | Event::HoldPlaced { claim, .. }
        | Event::HoldConfirmed { claim }
        | Event::HoldEnded { claim, .. }
        | Event::ClaimTransferred { claim, .. }
        | Event::ClaimBillable { claim }
        | Event::ClaimEnding { claim }
        | Event::ClaimReleased { claim }
        | Event::ClaimRebound { claim, .. } => Some(*claim),
        Event::Opened { .. }
        | Event::AccountSet { .. }
        | Event::PoolSet { .. }
        | Event::PricesSet { .. }
        | Event::RequestQueued { .. }
        | Event::RequestsOvertaken { .. }
        | Event::RequestUnqueued { .. }
        | Event::PeerMarked { .. }
        | Event::Quarantined { .. }
        | Event::QuarantineLifted { .. } => None,
    }
}
