//! How often a host is told of while its image is fetched: a status is written at most every ten seconds, however often the
//! import gets on, fails or is tried again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The least time between two writes of a status that say no more than how far an import is.
pub const PACE: Duration = Duration::from_secs(10);

/// Namespace and name.
type Key = (String, String);

/// When each host whose image is fetched was told of last. Not kept by the next leader, which may write once sooner. Cheap to
/// clone.
#[derive(Clone, Debug, Default)]
pub struct Pace(Arc<Mutex<HashMap<Key, Instant>>>);

impl Pace {
    /// How long what is new of an import has to wait; `None` where it may be told now.
    pub fn wait(&self, namespace: &str, name: &str, now: Instant) -> Option<Duration> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = told.get(&key(namespace, name))?;
        PACE.checked_sub(now.duration_since(*last)).filter(|left| !left.is_zero())
    }

    /// The host was told of.
    pub fn told(&self, namespace: &str, name: &str, now: Instant) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What may be told again anyway need not be remembered: there are as many as were told of within ten seconds.
        told.retain(|_, last| now.duration_since(*last) < PACE);
        told.insert(key(namespace, name), now);
    }
}

fn key(namespace: &str, name: &str) -> Key {
    (namespace.to_owned(), name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_waits_ten_seconds_and_each_host_for_itself() {
        let (pace, begin) = (Pace::default(), Instant::now());
        let wait = |name: &str, after: u64| pace.wait("dept-tax", name, begin + Duration::from_secs(after));
        assert_eq!(wait("web", 0), None);
        pace.told("dept-tax", "web", begin);
        assert_eq!(wait("web", 4), Some(Duration::from_secs(6)));
        assert_eq!((wait("web", 10), wait("db", 4)), (None, None));
        pace.told("dept-tax", "db", begin + Duration::from_secs(11));
        assert_eq!(pace.0.lock().unwrap().len(), 1, "what may be told again is forgotten");
    }
}
