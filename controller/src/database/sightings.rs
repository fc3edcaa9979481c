//! Since when what a cluster declares is known: its engine needs a moment to hear of it, and until then everything may look as
//! if it had followed, where the same was declared before.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long an engine may be at what was declared before: one look of its operator, which is told by a watch as we are.
const HEARING: Duration = Duration::from_secs(5);

/// How long a sighting is kept of what is never marked.
const KEPT: Duration = Duration::from_hours(24);

/// Generations of clusters that are not marked as followed, by UID. A new leader counts anew. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Sightings(Arc<Mutex<HashMap<String, (i64, Instant)>>>);

impl Sightings {
    /// Whether the engine has had the time to hear of this `generation` of a cluster, which is seen `now`.
    pub fn is_heard(&self, uid: &str, generation: i64, now: Instant) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of clusters that went meanwhile.
        seen.retain(|_, (_, first)| now.duration_since(*first) < KEPT);
        let first = seen.entry(uid.to_owned()).or_insert((generation, now));
        if first.0 != generation {
            *first = (generation, now);
        }
        now.duration_since(first.1) >= HEARING
    }

    /// It was marked.
    pub fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_heard_some_seconds_after_it_was_seen_and_a_newer_one_counts_anew() {
        let (sightings, begin) = (Sightings::default(), Instant::now());
        let after = |seconds| begin + Duration::from_secs(seconds);
        for (uid, generation, second, heard) in [
            ("a", 2, 0, false),
            ("b", 2, 3, false),
            ("a", 2, 4, false),
            ("a", 2, 5, true),
            ("b", 2, 5, false),
            ("a", 3, 6, false),
            ("a", 3, 11, true),
        ] {
            assert_eq!(sightings.is_heard(uid, generation, after(second)), heard, "{uid} {generation} {second}");
        }
        sightings.forget("a");
        assert!(!sightings.is_heard("a", 3, after(12)));
    }
}
