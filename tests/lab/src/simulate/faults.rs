//! Faults of simulated engines, switched on and off by the name of the objects they befall.

use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::{Stream, stream};
use tokio::sync::watch;

/// What may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A machine starts but is never ready; an import, or a disk made from a snapshot, is never complete; a snapshot is cut and never
    /// ready.
    NeverReady,
    /// Everything takes ten times as long.
    Slow,
    /// A running machine is ready and not ready in turns.
    Flapping,
    /// An import, or a snapshot, fails and is tried again and again.
    ImportFails,
    /// The volume's data or the machine's node is gone; no disk can be made from the snapshot any more, and nobody says so.
    Lost,
    /// No storage and no node has room, for snapshots neither.
    Full,
    /// A running machine takes on and gives up no volume until it is started anew: the engine's feature gate is off.
    NoHotplug,
    /// A guest does not let go of a volume that is taken from it while it runs.
    Clinging,
    /// The engine does not look at a machine: whatever that is declared as, nothing comes of it and nothing is said of it.
    Unlooked,
}

impl Fault {
    const NAMES: [(&'static str, Self); 9] = [
        ("never-ready", Self::NeverReady),
        ("slow", Self::Slow),
        ("flapping", Self::Flapping),
        ("import-fails", Self::ImportFails),
        ("lost", Self::Lost),
        ("full", Self::Full),
        ("no-hotplug", Self::NoHotplug),
        ("clinging", Self::Clinging),
        ("unlooked", Self::Unlooked),
    ];
}

/// A fault's name is not known.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown fault `{0}`; known are never-ready, slow, flapping, import-fails, lost, full, no-hotplug, clinging, unlooked"
)]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, fault)| *fault).ok_or_else(|| UnknownFault(name.to_owned()))
    }
}

/// The faults in force.
#[derive(Debug)]
pub struct Faults {
    rules: Mutex<Vec<(Fault, String)>>,
    changes: watch::Sender<()>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { rules: Mutex::default(), changes: watch::channel(()).0 }
    }
}

impl Faults {
    /// Lets the fault befall all objects whose name matches the pattern, in which `*` stands for any text.
    pub fn set(&self, fault: Fault, pattern: impl Into<String>) {
        self.lock().push((fault, pattern.into()));
        self.changes.send_replace(());
    }

    /// Ends what [`Faults::set`] began with the same pattern.
    pub fn clear(&self, fault: Fault, pattern: &str) {
        self.lock().retain(|(set, on)| *set != fault || on != pattern);
        self.changes.send_replace(());
    }

    /// Ends all faults.
    pub fn clear_all(&self) {
        self.lock().clear();
        self.changes.send_replace(());
    }

    /// Whether the fault befalls the object of that name.
    pub fn befalls(&self, fault: Fault, name: &str) -> bool {
        self.lock().iter().any(|(set, pattern)| *set == fault && matches(pattern, name))
    }

    /// Yields once for every change.
    pub(crate) fn changes(&self) -> impl Stream<Item = ()> + Send + 'static {
        stream::unfold(self.changes.subscribe(), |mut changes| async move {
            changes.changed().await.ok()?;
            Some(((), changes))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Fault, String)>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(head) else { return false };
    name.char_indices()
        .map(|(at, _)| at)
        .chain([name.len()])
        .any(|at| name.get(at..).is_some_and(|tail| matches(rest, tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("web-1", "web-1", true),
            ("web-1", "web-10", false),
            ("web-*", "web-10", true),
            ("*-system", "web-1-system", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn a_cleared_fault_befalls_nobody() {
        let faults = Faults::default();
        faults.set(Fault::Lost, "web-*");
        assert!(faults.befalls(Fault::Lost, "web-1") && !faults.befalls(Fault::Slow, "web-1"));
        faults.clear(Fault::Lost, "web-*");
        assert!(!faults.befalls(Fault::Lost, "web-1"));
    }

    #[test]
    fn every_fault_has_a_name() {
        for (name, fault) in Fault::NAMES {
            assert_eq!(name.parse::<Fault>().expect("known"), fault);
        }
        assert!("broken".parse::<Fault>().is_err());
    }
}
