//! Which host may have which volume, as the controllers of both tell each other in this process.
//!
//! A volume is given to one host at a time: the lock is its status (`attachment`), written before it is given and taken off
//! after no machine has it. In between, whoever builds a machine must not do so from what held a moment ago: a host looks
//! through [`Attachments::look`], and a volume that was taken is not released before every look from before has ended.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Namespace and name.
type Key = (String, String);

/// See the module. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Attachments(Arc<Mutex<All>>);

#[derive(Debug, Default)]
struct All {
    hosts: HashMap<Key, Host>,
    /// The host that each disk was given to and not freed of since, by the disk's namespace and name. A status may be older
    /// than what we did; this is not.
    owners: HashMap<Key, String>,
}

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
    /// Gives `disk` to a host whose name was written into the volume's status; whether that is new. A disk that was given to
    /// another host is not given before it was freed.
    pub fn give(&self, namespace: &str, host: &str, disk: &str) -> bool {
        let mut all = self.lock();
        let owner = all.owners.entry(key(namespace, disk)).or_insert_with(|| host.to_owned());
        if owner != host {
            return false;
        }
        let host = all.hosts.entry(key(namespace, host)).or_default();
        host.taken.remove(disk);
        host.given.insert(disk.to_owned())
    }

    /// Takes `disk` from a host.
    pub fn take(&self, namespace: &str, host: &str, disk: &str) -> Taken {
        let mut all = self.lock();
        let host = all.hosts.entry(key(namespace, host)).or_default();
        host.given.remove(disk);
        Taken { is_new: host.taken.insert(disk.to_owned()), is_quiet: host.looking == 0 }
    }

    /// The host that `disk` was given to, until no machine has it any more.
    pub fn owner(&self, namespace: &str, disk: &str) -> Option<String> {
        self.lock().owners.get(&key(namespace, disk)).cloned()
    }

    /// No machine has `disk` any more.
    pub fn free(&self, namespace: &str, disk: &str) {
        self.lock().owners.remove(&key(namespace, disk));
    }

    /// What a host has been given and what was taken from it, for as long as its machine is built.
    pub fn look(&self, namespace: &str, host: &str) -> Look {
        let mut all = self.lock();
        let key = key(namespace, host);
        let host = all.hosts.entry(key.clone()).or_default();
        host.looking += 1;
        let (given, taken) = (host.given.clone(), host.taken.clone());
        drop(all);
        Look { all: self.clone(), key, given, taken }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of taking a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether the host was not told before.
    pub is_new: bool,
    /// Whether nobody builds its machine from what held before.
    pub is_quiet: bool,
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
        let Some(host) = all.hosts.get_mut(&self.key) else { return };
        host.looking = host.looking.saturating_sub(1);
        // Most hosts have no volumes and never had any.
        if host.looking == 0 && host.given.is_empty() && host.taken.is_empty() {
            all.hosts.remove(&self.key);
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
        assert!(all.give("dept-tax", "web", "data-volume"));
        let look = all.look("dept-tax", "web");
        assert_eq!(names(&look.given), ["data-volume"]);
        let taken = all.take("dept-tax", "web", "data-volume");
        assert_eq!(taken, Taken { is_new: true, is_quiet: false }, "it may still be written");
        drop(look);
        let taken = all.take("dept-tax", "web", "data-volume");
        assert_eq!(taken, Taken { is_new: false, is_quiet: true }, "its host need not be told twice");
        let look = all.look("dept-tax", "web");
        assert_eq!((names(&look.given), names(&look.taken)), (vec![], vec!["data-volume"]));
    }

    #[test]
    fn what_is_given_again_is_not_taken_any_more() {
        let all = Attachments::default();
        all.take("dept-tax", "web", "data-volume");
        assert!(all.give("dept-tax", "web", "data-volume"), "its host has to be told");
        assert!(!all.give("dept-tax", "web", "data-volume"), "and need not be told twice");
        let look = all.look("dept-tax", "web");
        assert_eq!((names(&look.given), names(&look.taken)), (vec!["data-volume"], vec![]));
        assert!(all.look("dept-tax", "other").given.is_empty());
    }

    #[test]
    fn what_one_host_was_given_no_other_is_given_before_it_was_freed_whatever_a_status_says() {
        let all = Attachments::default();
        assert!(all.give("dept-tax", "web", "data-volume"));
        assert!(!all.give("dept-tax", "db", "data-volume"));
        all.take("dept-tax", "web", "data-volume");
        assert!(!all.give("dept-tax", "db", "data-volume"), "its machine may still have it");
        assert_eq!(all.owner("dept-tax", "data-volume").as_deref(), Some("web"));
        all.free("dept-tax", "data-volume");
        assert!(all.give("dept-tax", "db", "data-volume"));
        assert!(all.give("dept-edu", "db", "data-volume"), "a namesake of another department is another one");
    }

    #[test]
    fn hosts_without_volumes_cost_nothing() {
        let all = Attachments::default();
        drop(all.look("dept-tax", "web"));
        assert!(all.lock().hosts.is_empty());
    }
}
