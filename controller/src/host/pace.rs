//! How often a host is told of while its image is fetched: a status is written at most every ten seconds, however often the
//! import gets on, fails or is tried again; and one that fails again at each try is told of once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The least time between two writes of a status that say no more than how far an import is; and how long an import has to go
/// on before its fault is taken back.
pub const PACE: Duration = Duration::from_secs(10);

/// How long it is remembered that a fault seems to be over. The host is looked at again after [`PACE`]; where nobody asks for
/// so long, it went another way.
const KEPT: Duration = Duration::from_mins(1);

/// Namespace and name.
type Key = (String, String);

/// When each host whose image is fetched was told of last. Not kept by the next leader, which may write once sooner. Cheap to
/// clone.
#[derive(Clone, Debug, Default)]
pub struct Pace(Arc<Mutex<HashMap<Key, Last>>>);

/// What is known of one host.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    /// When it was told of.
    told: Option<Instant>,
    /// Since when the fault that was told then seems to be over.
    over: Option<Instant>,
}

impl Last {
    fn is_of_use(self, now: Instant) -> bool {
        let within = |at: Option<Instant>, time| at.is_some_and(|at| now.duration_since(at) < time);
        within(self.told, PACE) || within(self.over, KEPT)
    }
}

impl Pace {
    /// How long what is new of an import has to wait; `None` where it may be told now. What is new may be that a fault
    /// `is_over`: that has to last first.
    pub fn wait(&self, namespace: &str, name: &str, is_over: bool, now: Instant) -> Option<Duration> {
        let mut all = self.lock();
        if is_over {
            all.entry(key(namespace, name)).or_default().over.get_or_insert(now);
        } else {
            goes_on(&mut all, namespace, name);
        }
        let last = all.get(&key(namespace, name))?;
        let since = last.told.max(last.over)?;
        PACE.checked_sub(now.duration_since(since)).filter(|left| !left.is_zero())
    }

    /// The host was told of.
    pub fn told(&self, namespace: &str, name: &str, now: Instant) {
        let mut all = self.lock();
        // What may be told again anyway need not be remembered: there are as many as were told of within ten seconds.
        all.retain(|_, last| last.is_of_use(now));
        all.insert(key(namespace, name), Last { told: Some(now), over: None });
    }

    /// The host is as it was told of: a fault is not over.
    pub fn as_before(&self, namespace: &str, name: &str) {
        goes_on(&mut self.lock(), namespace, name);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Last>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whatever is wrong with the host goes on being wrong.
fn goes_on(all: &mut HashMap<Key, Last>, namespace: &str, name: &str) {
    if let Some(last) = all.get_mut(&key(namespace, name)) {
        last.over = None;
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
        let wait = |name: &str, after: u64| pace.wait("dept-tax", name, false, begin + Duration::from_secs(after));
        assert_eq!(wait("web", 0), None);
        pace.told("dept-tax", "web", begin);
        assert_eq!(wait("web", 4), Some(Duration::from_secs(6)));
        assert_eq!((wait("web", 10), wait("db", 4)), (None, None));
        pace.told("dept-tax", "db", begin + Duration::from_secs(11));
        assert_eq!(pace.lock().len(), 1, "what may be told again is forgotten");
    }

    #[test]
    fn that_a_fault_is_over_is_told_once_it_has_been_so_for_ten_seconds() {
        let (pace, begin) = (Pace::default(), Instant::now());
        let at = |after: u64| begin + Duration::from_secs(after);
        let over = |after: u64| pace.wait("dept-tax", "web", true, at(after)).map(|left| left.as_secs());
        pace.told("dept-tax", "web", begin);
        assert_eq!((over(30), over(34), over(39)), (Some(10), Some(6), Some(1)));
        pace.as_before("dept-tax", "web");
        assert_eq!(over(41), Some(10), "it failed again meanwhile");
        assert_eq!(pace.wait("dept-tax", "web", false, at(45)), None, "another fault is told");
        assert_eq!(over(50), Some(10));
        // Others are told of meanwhile.
        pace.told("dept-tax", "db", at(59));
        assert_eq!(over(60), None);
        pace.told("dept-tax", "web", at(60));
        assert_eq!(pace.wait("dept-tax", "web", false, at(64)), Some(Duration::from_secs(6)));
        over(80);
        pace.told("dept-tax", "db", at(200));
        assert_eq!(pace.lock().len(), 1, "whoever went another way is forgotten");
    }
}
