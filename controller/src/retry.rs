//! How long to wait before an object is tried again after a failure: doubling per object, forgotten on success.
//!
//! kube's `error_policy` is told neither the number of attempts nor of successes, so they are counted here.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// First delay: most failures are a conflict or a brief outage.
const FIRST: Duration = Duration::from_millis(500);
/// Longest delay: a person who repaired something should not wait longer than this to see it.
const LONGEST: Duration = Duration::from_mins(1);

/// Failures in a row, by object.
#[derive(Debug)]
pub struct Backoff<K> {
    failures: Mutex<HashMap<K, u32>>,
}

impl<K> Default for Backoff<K> {
    fn default() -> Self {
        Self { failures: Mutex::default() }
    }
}

impl<K: Eq + Hash> Backoff<K> {
    /// Counts a failure of `key` and says how long to wait.
    pub fn failed(&self, key: K) -> Duration {
        let mut failures = self.lock();
        let count = failures.entry(key).or_insert(0);
        *count = count.saturating_add(1);
        FIRST.saturating_mul(2_u32.saturating_pow(*count - 1)).min(LONGEST)
    }

    /// Forgets `key`: it succeeded, or it is gone.
    pub fn succeeded(&self, key: &K) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, u32>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_start_anew_after_success() {
        let backoff = Backoff::default();
        let delays: Vec<_> = (0..10).map(|_| backoff.failed("a").as_millis()).collect();
        assert_eq!(delays, [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
        assert_eq!(backoff.failed("b").as_millis(), 500, "objects do not slow each other");
        backoff.succeeded(&"a");
        assert_eq!(backoff.failed("a").as_millis(), 500);
    }
}
