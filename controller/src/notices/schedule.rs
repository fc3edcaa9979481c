//! When a letter that did not arrive is sent again, and what is next. No clock and no dice: a moment is given, and the spread
//! of pauses follows from the letter's name.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiyun_notices::Notice;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::channel::To;

/// The pause after the first failure.
const FIRST: Duration = Duration::from_secs(5);

/// The longest pause: what still waits for a person is told within the hour after the receiver is back.
const LONGEST: Duration = Duration::from_hours(1);

/// The spread of pauses, in percent to either side: letters that failed together do not come back together.
const SPREAD: u32 = 20;

/// A letter that is to be sent.
#[derive(Clone, Debug)]
pub struct Letter {
    /// What it says.
    pub notice: Arc<Notice>,
    /// Where it goes.
    pub to: To,
}

/// The letters of one channel that are to be sent, by key.
#[derive(Debug, Default)]
pub struct Schedule {
    waiting: BTreeMap<String, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    letter: Letter,
    failures: u32,
    next: Instant,
    under_way: bool,
}

impl Schedule {
    /// Has exactly `wanted` sent: what is new is due at once, what goes on keeps its pause. Gives what is not wanted any more
    /// and was never sent.
    pub fn set(&mut self, mut wanted: BTreeMap<String, Letter>, now: Instant) -> Vec<(String, Letter)> {
        let over: Vec<String> = self
            .waiting
            .iter()
            .filter(|(key, waiting)| !wanted.contains_key(*key) && !waiting.under_way)
            .map(|(key, _)| key.clone())
            .collect();
        let dropped = over.into_iter().filter_map(|key| {
            let waiting = self.waiting.remove(&key)?;
            Some((key, waiting.letter))
        });
        let dropped = dropped.collect();
        for (key, waiting) in &mut self.waiting {
            if let Some(letter) = wanted.remove(key) {
                waiting.letter = letter;
            }
        }
        let new =
            wanted.into_iter().map(|(key, letter)| (key, Waiting { letter, failures: 0, next: now, under_way: false }));
        self.waiting.extend(new);
        dropped
    }

    /// Makes everything that waits for its pause due now: what kept it from arriving may have been mended.
    pub fn hurry(&mut self, now: Instant) {
        for waiting in self.waiting.values_mut().filter(|waiting| !waiting.under_way) {
            (waiting.failures, waiting.next) = (0, now);
        }
    }

    /// The letter to send next, the oldest of those that are due; it is then under way.
    pub fn take(&mut self, now: Instant) -> Option<(String, Letter)> {
        let due = self.waiting.iter_mut().filter(|(_, waiting)| !waiting.under_way && waiting.next <= now);
        let (key, waiting) = due.min_by_key(|(_, waiting)| (waiting.failures, waiting.letter.notice.at))?;
        waiting.under_way = true;
        Some((key.clone(), waiting.letter.clone()))
    }

    /// It arrived, or never will.
    pub fn done(&mut self, key: &str) {
        self.waiting.remove(key);
    }

    /// It did not arrive; gives how often it did not.
    pub fn failed(&mut self, key: &str, now: Instant) -> u32 {
        let Some(waiting) = self.waiting.get_mut(key) else { return 0 };
        waiting.under_way = false;
        waiting.failures = waiting.failures.saturating_add(1);
        waiting.next = now + pause(waiting.failures, key);
        waiting.failures
    }

    /// When the next letter is due.
    pub fn next(&self) -> Option<Instant> {
        self.waiting.values().filter(|waiting| !waiting.under_way).map(|waiting| waiting.next).min()
    }

    /// How many wait or are under way.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

/// The pause after `failures` failures, 1 or more.
fn pause(failures: u32, key: &str) -> Duration {
    let whole = FIRST.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX)).min(LONGEST);
    let digest = Sha256::digest(format!("{key} {failures}"));
    let random = digest.iter().take(2).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    let percent = 100 - SPREAD + random % (2 * SPREAD + 1);
    whole.saturating_mul(percent) / 100
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiyun_notices::{Event, Recipients, Subject};

    use super::*;

    fn letter(at: i64) -> Letter {
        let notice = Notice {
            id: "u-waiting".to_owned(),
            event: Event::OrderWaiting,
            at: Timestamp::from_second(at).unwrap(),
            subject: Subject { kind: "Order", department: "tax".into(), name: "web".into(), uid: "u".into() },
            level: None,
            deadline: None,
            to: Recipients::default(),
            facts: jiyun_messages::Parameters::new(),
            reason: None,
        };
        Letter { notice: Arc::new(notice), to: To::Receiver }
    }

    fn wanted(keys: &[(&str, i64)]) -> BTreeMap<String, Letter> {
        keys.iter().map(|(key, at)| ((*key).to_owned(), letter(*at))).collect()
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_differ_from_letter_to_letter() {
        for (failures, whole) in [(1, 5), (2, 10), (3, 20), (9, 1280), (11, 3600), (40, 3600), (u32::MAX, 3600)] {
            for key in ["a", "b", "c"] {
                let took = pause(failures, key).as_millis();
                assert!((whole * 800..=whole * 1200).contains(&took), "{failures} {key}: {took}");
            }
        }
        assert_ne!(pause(3, "a"), pause(3, "b"));
        assert_eq!(pause(3, "a"), pause(3, "a"));
    }

    #[test]
    fn the_oldest_is_sent_first_and_what_is_under_way_is_not_sent_twice() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        assert!(schedule.set(wanted(&[("young", 20), ("old", 10)]), now).is_empty());
        assert_eq!(schedule.take(now).unwrap().0, "old");
        assert_eq!(schedule.take(now).unwrap().0, "young");
        assert!(schedule.take(now).is_none());
        schedule.set(wanted(&[("young", 20), ("old", 10)]), now);
        assert!(schedule.take(now).is_none(), "both are under way");
        schedule.done("old");
        assert_eq!(schedule.len(), 1);
    }

    #[test]
    fn what_failed_waits_for_its_pause_and_holds_nothing_else_up() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.set(wanted(&[("bad", 10)]), now);
        schedule.take(now).unwrap();
        assert_eq!(schedule.failed("bad", now), 1);
        schedule.set(wanted(&[("bad", 10), ("good", 20)]), now);
        assert_eq!(schedule.take(now).unwrap().0, "good");
        assert!(schedule.take(now).is_none());
        let next = schedule.next().unwrap();
        assert!(next > now && next <= now + FIRST * 2);
        assert_eq!(schedule.take(next).unwrap().0, "bad");
    }

    #[test]
    fn what_waits_for_its_pause_is_due_at_once_when_something_was_mended() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.set(wanted(&[("bad", 10), ("sent", 20)]), now);
        schedule.take(now).unwrap();
        schedule.take(now).unwrap();
        assert_eq!(schedule.failed("bad", now), 1);
        schedule.hurry(now);
        assert_eq!(schedule.take(now).unwrap().0, "bad");
        assert!(schedule.take(now).is_none(), "what is under way is not sent twice");
        assert_eq!(schedule.failed("bad", now), 1, "its pauses begin anew");
    }

    #[test]
    fn what_is_over_is_dropped_and_named_but_not_while_it_is_under_way() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.set(wanted(&[("sent", 10), ("waits", 20)]), now);
        schedule.take(now).unwrap();
        let dropped: Vec<_> = schedule.set(BTreeMap::new(), now).into_iter().map(|(key, _)| key).collect();
        assert_eq!(dropped, ["waits"]);
        schedule.failed("sent", now);
        let dropped: Vec<_> = schedule.set(BTreeMap::new(), now).into_iter().map(|(key, _)| key).collect();
        assert_eq!(dropped, ["sent"]);
        assert_eq!(schedule.next(), None);
    }
}
