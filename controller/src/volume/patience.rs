//! How soon a volume or a bucket is looked at again that is on its way: at once for as long as engines usually need, and
//! seldom after that, so that one that is stuck costs nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Nobody tells of what hosts let go of, of volume claims that grow or go, or of buckets that are changed: they are looked
/// after.
const SOON: Duration = Duration::from_secs(1);

/// For so long. A hot plug takes seconds.
const SHORT: Duration = Duration::from_mins(1);

/// When one is looked at again that takes longer than that.
pub const SELDOM: Duration = Duration::from_secs(20);

/// Namespace and name.
type Key = (String, String);

/// Since when each object is on the way it is on; `P` says where on it. Cheap to clone.
#[derive(Debug)]
pub struct Patience<P>(Arc<Mutex<HashMap<Key, Way<P>>>>);

#[derive(Debug)]
struct Way<P> {
    at: Option<P>,
    since: Instant,
}

impl<P> Clone for Patience<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P> Default for Patience<P> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(HashMap::new())))
    }
}

impl<P: Clone + PartialEq> Patience<P> {
    /// When to look again at an object that is on its way and has come to `at` now.
    pub fn next(&self, namespace: &str, name: &str, at: Option<&P>, now: Instant) -> Duration {
        let mut ways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let way = ways.entry(key(namespace, name)).or_insert_with(|| Way { at: at.cloned(), since: now });
        if way.at.as_ref() != at {
            *way = Way { at: at.cloned(), since: now };
        }
        if now.duration_since(way.since) < SHORT { SOON } else { SELDOM }
    }

    /// It is on no way any more.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(namespace, name));
    }
}

fn key(namespace: &str, name: &str) -> Key {
    (namespace.to_owned(), name.to_owned())
}

#[cfg(test)]
mod tests {
    use jiyun_crds::v1alpha1::{AttachmentState, VolumeAttachment};

    use super::*;

    #[test]
    fn what_is_stuck_is_looked_at_seldom_until_it_gets_on() {
        let (patience, begin) = (Patience::default(), Instant::now());
        let at = |host: &str| VolumeAttachment { host: host.into(), state: AttachmentState::Detaching };
        let next = |at: &VolumeAttachment, after: u64| {
            patience.next("dept-tax", "data", Some(at), begin + Duration::from_secs(after))
        };
        assert_eq!(next(&at("web"), 0), SOON);
        assert_eq!(next(&at("web"), 59), SOON);
        assert_eq!(next(&at("web"), 60), SELDOM);
        assert_eq!(next(&at("db"), 61), SOON, "it got on");
        assert_eq!(next(&at("db"), 200), SELDOM);
        patience.forget("dept-tax", "data");
        assert_eq!(next(&at("db"), 201), SOON);
    }
}
