//! Our own writes that the watches have not shown yet: without them a stale cache causes the same write again.
//!
//! Resource versions of one kind are compared as numbers, which Kubernetes promises since 1.35 (KEP-5504).

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt};
use kube::{Resource, core::ObjectMeta, runtime::watcher};

use crate::watch::{Guarded, Watched};

/// After this a write is forgotten even if no watch showed it: an object that went while its watch was broken is never
/// shown again, and must not seem to be there for ever.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

/// Namespace and name.
type Key = (Option<String>, String);

/// Objects of kind `K` as they were after our last write; each until its watch has caught up. Cheap to clone.
#[derive(Debug)]
pub struct Unseen<K>(Arc<Mutex<Writes<K>>>);

#[derive(Debug)]
struct Writes<K> {
    pending: HashMap<Key, (Instant, K)>,
    /// The watch has shown everything up to this version: events of one kind come in their order.
    shown: u64,
}

impl<K> Clone for Unseen<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for Unseen<K> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Writes { pending: HashMap::new(), shown: 0 })))
    }
}

impl<K: Watched> Unseen<K> {
    /// Remembers `object`, as a write of ours was answered.
    pub fn wrote(&self, object: K) {
        let mut writes = self.lock();
        // The watch may be faster than the answer to the write.
        if version(object.meta()) > writes.shown {
            writes.pending.insert(key(object.meta()), (Instant::now(), object));
        }
    }

    /// The later one of `cached` and what we wrote.
    pub fn freshest<'a>(&self, cached: &'a K) -> Cow<'a, K> {
        self.later_than(&key(cached.meta()), Some(cached)).map_or(Cow::Borrowed(cached), Cow::Owned)
    }

    /// What we wrote of the object called `name`, where it is later than what the cache has.
    pub fn or_written(&self, namespace: &str, name: &str, cached: Option<K>) -> Option<K> {
        self.later_than(&(Some(namespace.to_owned()), name.to_owned()), cached.as_ref()).or(cached)
    }

    /// Everything we wrote that no watch has shown yet.
    pub fn all(&self) -> Vec<K> {
        let mut writes = self.lock();
        writes.pending.retain(|_, (since, _)| since.elapsed() <= FORGOTTEN_AFTER);
        writes.pending.values().map(|(_, object)| object.clone()).collect()
    }

    /// Passes on a watch and forgets what it has caught up with.
    pub fn watching<S>(&self, stream: S) -> impl Stream<Item = Result<Guarded<K>, watcher::Error>> + Send + use<S, K>
    where
        S: Stream<Item = Result<Guarded<K>, watcher::Error>> + Send,
    {
        let unseen = self.clone();
        stream.inspect(move |shown| {
            if let Ok(object) = shown {
                unseen.caught_up(object.meta());
            }
        })
    }

    fn caught_up(&self, shown: &ObjectMeta) {
        let mut writes = self.lock();
        let (key, version_shown) = (key(shown), version(shown));
        writes.shown = writes.shown.max(version_shown);
        if writes.pending.get(&key).is_some_and(|(_, object)| version_shown >= version(object.meta())) {
            writes.pending.remove(&key);
        }
    }

    fn later_than(&self, key: &Key, cached: Option<&K>) -> Option<K> {
        let mut writes = self.lock();
        let (since, object) = writes.pending.get(key)?;
        if since.elapsed() > FORGOTTEN_AFTER {
            writes.pending.remove(key);
            return None;
        }
        let later = cached.is_none_or(|cached| version(object.meta()) > version(cached.meta()));
        later.then(|| object.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Writes<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(meta: &ObjectMeta) -> Key {
    (meta.namespace.clone(), meta.name.clone().unwrap_or_default())
}

/// The version as a number; one that is none counts as the oldest.
fn version(meta: &ObjectMeta) -> u64 {
    meta.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use jiyun_crds::v1alpha1::NetworkZone;
    use serde_json::json;

    use super::*;

    fn zone(version: u64) -> NetworkZone {
        serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "NetworkZone",
            "metadata": {"name": "extranet", "resourceVersion": version.to_string()},
            "spec": {"displayName": "外网公共区", "kind": "GovExtranetPublic"},
        }))
        .unwrap()
    }

    fn seen(unseen: &Unseen<NetworkZone>, cached: u64) -> u64 {
        version(unseen.freshest(&zone(cached)).meta())
    }

    #[test]
    fn a_write_hides_an_older_cache_and_no_newer_one() {
        let unseen = Unseen::default();
        assert_eq!(seen(&unseen, 7), 7);
        unseen.wrote(zone(9));
        // As numbers, not as text: "10" is later than "9".
        assert_eq!([seen(&unseen, 7), seen(&unseen, 9), seen(&unseen, 10)], [9, 9, 10]);
    }

    #[test]
    fn a_write_is_forgotten_once_the_watch_shows_it_or_something_later() {
        let unseen = Unseen::default();
        unseen.wrote(zone(9));
        unseen.caught_up(zone(8).meta());
        assert_eq!(seen(&unseen, 7), 9);
        unseen.caught_up(zone(12).meta());
        assert!(unseen.lock().pending.is_empty());
    }

    #[test]
    fn a_write_the_watch_showed_before_it_was_answered_is_not_kept() {
        let unseen = Unseen::default();
        unseen.caught_up(zone(9).meta());
        unseen.wrote(zone(9));
        assert!(unseen.lock().pending.is_empty());
    }
}
