//! An entry as it will lie in the store: its bytes are made once, while it is put together.

use jiff::Timestamp;

use crate::core::event::{Entry, Event};

/// An entry and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    entry: Entry,
    bytes: Vec<u8>,
}

impl Sealed {
    /// The entry with its bytes: JSON as `serde_json` writes it.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn new(entry: Entry) -> Result<Self, serde_json::Error> {
        Ok(Self { bytes: serde_json::to_vec(&entry)?, entry })
    }

    /// What it records.
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Its number.
    pub const fn seq(&self) -> u64 {
        self.entry.seq
    }

    /// What lies in the store.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// An entry that is not finished: events are added one by one, each becoming JSON at once.
#[derive(Debug)]
pub(crate) struct Draft {
    entry: Entry,
    bytes: Vec<u8>,
}

/// What follows the events, which are an entry's last field.
const END: &[u8] = b"]}";

impl Draft {
    /// An entry without events.
    pub(crate) fn new(seq: u64, at: Timestamp, epoch: i64) -> Result<Self, serde_json::Error> {
        let entry = Entry { seq, at, epoch, events: Vec::new() };
        let mut bytes = serde_json::to_vec(&entry)?;
        bytes.truncate(bytes.len() - END.len());
        Ok(Self { entry, bytes })
    }

    pub(crate) fn events(&self) -> &[Event] {
        &self.entry.events
    }

    /// How many bytes it has so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + END.len()
    }

    /// Writes `events` behind those kept, and gives the length before; nothing, and how many bytes they have, if these
    /// are more than `limit`.
    pub(crate) fn write(&mut self, events: &[Event], limit: usize) -> Result<usize, usize> {
        let before = self.bytes.len();
        let written = events.iter().enumerate().try_for_each(|(index, event)| {
            if index > 0 || !self.entry.events.is_empty() {
                self.bytes.push(b',');
            }
            serde_json::to_writer(&mut self.bytes, event)
        });
        let bytes = if written.is_ok() { self.bytes.len() - before } else { usize::MAX };
        if bytes > limit {
            self.take_back(before);
            return Err(bytes);
        }
        Ok(before)
    }

    /// Keeps events that were written last.
    pub(crate) fn keep(&mut self, events: Vec<Event>) {
        self.entry.events.extend(events);
    }

    /// Takes back what was written after a length and not kept.
    pub(crate) fn take_back(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// The finished entry.
    pub(crate) fn seal(mut self) -> Sealed {
        self.bytes.extend_from_slice(END);
        Sealed { entry: self.entry, bytes: self.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::claim::ClaimId;

    #[test]
    fn an_entry_put_together_event_by_event_has_the_bytes_of_the_whole() {
        let at: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        let event = |claim| Event::ClaimBillable { claim: ClaimId(claim) };
        let mut draft = Draft::new(7, at, 3).unwrap();
        for events in [vec![event(1), event(2)], vec![], vec![event(3)]] {
            draft.write(&events, 1000).unwrap();
            draft.keep(events);
        }
        assert!(draft.write(&[event(4)], 10).is_err(), "too long");
        let length = draft.write(&[event(5)], 1000).unwrap();
        draft.take_back(length);
        let length = draft.len();
        let entry = Entry { seq: 7, at, epoch: 3, events: [1, 2, 3].map(event).to_vec() };
        let sealed = draft.seal();
        assert_eq!(sealed, Sealed::new(entry).unwrap());
        assert_eq!(sealed.bytes().len(), length);
    }
}
