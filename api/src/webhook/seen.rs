//! Events that were recorded: the API server sends a batch again when it did not hear the answer.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

/// Events remembered: more than come while a batch is sent again, in half a megabyte.
const MOST: usize = 8192;

/// What an event is known again by.
pub type Mark = [u8; 32];

/// See the module.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    marks: HashSet<Mark>,
    order: VecDeque<Mark>,
}

impl Seen {
    /// The identifier of a request may be chosen by its client, and so may much else. So the whole event is the mark, the
    /// server's own times, the user and what was sent among it: nobody makes a change look like one that was recorded.
    pub fn mark(event: &str) -> Mark {
        Sha256::digest(event).into()
    }

    /// Whether it was recorded of late.
    pub fn has(&self, mark: &Mark) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).marks.contains(mark)
    }

    /// Notes that it is recorded; forgets the oldest.
    pub fn note(&self, mark: Mark) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !remembered.marks.insert(mark) {
            return;
        }
        remembered.order.push_back(mark);
        if remembered.order.len() > MOST
            && let Some(oldest) = remembered.order.pop_front()
        {
            remembered.marks.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_known_until_much_came_after_it() {
        let (seen, first) = (Seen::default(), [0; 32]);
        seen.note(first);
        for number in 1..MOST {
            let mut mark = [1; 32];
            mark[..8].copy_from_slice(&number.to_be_bytes());
            seen.note(mark);
            seen.note(mark);
        }
        assert!(seen.has(&first));
        seen.note([2; 32]);
        assert!(!seen.has(&first) && seen.has(&[2; 32]));
    }
}
