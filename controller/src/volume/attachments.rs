//! Which host may have which volume, as the controllers of both tell each other in this process.
//!
//! A volume is given to one host at a time: the lock is its status (`attachment`), written before it is given and taken off
//! after no machine has it. In between, whoever builds a machine must not do so from what held a moment ago: a host looks
//! through [`Attachments::look`], and a volume that was taken is not released before every look from before has ended.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Namespace and name of a host.
type Key = (String, String);

/// See the module. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Attachments(Arc<Mutex<HashMap<Key, Host>>>);

#[derive(Debug, Default)]
struct Host {
    /// Disks it is to have.
    given: BTreeSet<String>,
    /// Disks it must not have any more. They stay here until they are given again: a cache may be slower than we are.
    taken: BTreeSet<String>,
    /// How many look at it now.
    looking: usize,
}

impl Attachments {
    /// Gives `disk` to a host whose name was written into the volume's status.
    pub fn give(&self, namespace: &str, host: &str, disk: &str) {
        let mut all = self.lock();
        let host = all.entry(key(namespace, host)).or_default();
        host.taken.remove(disk);
        host.given.insert(disk.to_owned());
    }

    /// Takes `disk` from a host; whether nobody builds its machine from what held before.
    pub fn take(&self, namespace: &str, host: &str, disk: &str) -> bool {
        let mut all = self.lock();
        let host = all.entry(key(namespace, host)).or_default();
        host.given.remove(disk);
        host.taken.insert(disk.to_owned());
        host.looking == 0
    }

    /// What a host has been given and what was taken from it, for as long as its machine is built.
    pub fn look(&self, namespace: &str, host: &str) -> Look {
        let mut all = self.lock();
        let key = key(namespace, host);
        let host = all.entry(key.clone()).or_default();
        host.looking += 1;
        let (given, taken) = (host.given.clone(), host.taken.clone());
        drop(all);
        Look { all: self.clone(), key, given, taken }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(namespace: &str, host: &str) -> Key {
    (namespace.to_owned(), host.to_owned())
}

/// What a host may have, while somebody builds its machine.
#[derive(Debug)]
pub struct Look {
    all: Attachments,
    key: Key,
    /// Disks it is to have.
    pub given: BTreeSet<String>,
    /// Disks it must not have.
    pub taken: BTreeSet<String>,
}

impl Drop for Look {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        let Some(host) = all.get_mut(&self.key) else { return };
        host.looking = host.looking.saturating_sub(1);
        // Most hosts have no volumes and never had any.
        if host.looking == 0 && host.given.is_empty() && host.taken.is_empty() {
            all.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(set: &BTreeSet<String>) -> Vec<&str> {
        set.iter().map(String::as_str).collect()
    }

    #[test]
    fn what_was_taken_is_not_free_while_a_machine_is_built_from_what_held_before() {
        let all = Attachments::default();
        all.give("dept-tax", "web", "data-volume");
        let look = all.look("dept-tax", "web");
        assert_eq!(names(&look.given), ["data-volume"]);
        assert!(!all.take("dept-tax", "web", "data-volume"), "it may still be written");
        drop(look);
        assert!(all.take("dept-tax", "web", "data-volume"));
        let look = all.look("dept-tax", "web");
        assert_eq!((names(&look.given), names(&look.taken)), (vec![], vec!["data-volume"]));
    }

    #[test]
    fn what_is_given_again_is_not_taken_any_more() {
        let all = Attachments::default();
        all.take("dept-tax", "web", "data-volume");
        all.give("dept-tax", "web", "data-volume");
        let look = all.look("dept-tax", "web");
        assert_eq!((names(&look.given), names(&look.taken)), (vec!["data-volume"], vec![]));
        assert!(all.look("dept-tax", "other").given.is_empty());
    }

    #[test]
    fn hosts_without_volumes_cost_nothing() {
        let all = Attachments::default();
        drop(all.look("dept-tax", "web"));
        assert!(all.lock().is_empty());
    }
}
