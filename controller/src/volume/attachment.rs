//! How far a volume and a host are with each other: a function from what is wished, who has the lock, and what the host's
//! machine was seen with, to the next step.

use jiyun_crds::v1alpha1::AttachmentState;

/// What was seen of the host that has the lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its machine.
    pub machine: Machine,
    /// What runs of it, if anything does.
    pub instance: Option<Instance>,
}

/// A machine, or that there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Whether there is one.
    pub exists: bool,
    /// Whether it is declared with the volume.
    pub declared: bool,
    /// Whether the engine has looked at it as it is declared now.
    pub looked_at: bool,
}

/// A machine as it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Whether it is declared with the volume.
    pub listed: bool,
    /// Whether its guest was given the volume.
    pub ready: bool,
    /// Whether its status names the volume: it is on its way to the guest, with it, or on its way off it.
    pub named: bool,
}

impl Seen {
    /// Whether no machine has the volume, nor will: an engine that has not looked at a machine since it was changed may
    /// still give its instance what it was declared with before.
    fn is_free(self) -> bool {
        let Machine { exists, declared, looked_at } = self.machine;
        let Instance { listed, named, .. } = self.instance.unwrap_or_default();
        !declared && (looked_at || !exists) && !listed && !named
    }

    /// Whether the machine has the volume, or will have it once it runs.
    pub fn is_attached(self) -> bool {
        self.machine.declared && self.instance.is_none_or(|instance| instance.listed && instance.ready)
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: no host is wished, and none has it.
    Nothing,
    /// This host may have it, if no machine has it.
    Lock(String),
    /// The host that has the lock keeps it.
    Keep(AttachmentState),
    /// No machine has it any more: the lock goes.
    Unlock,
}

/// The next step for a volume that is `wished` at a host, and `locked` for one.
///
/// An engine that can change a running machine changes its instance when it looks at the machine; where it has looked and
/// the instance is as before, it waits for the next start.
pub fn next(wished: Option<&str>, locked: Option<&str>, seen: Seen) -> Next {
    let Machine { declared, looked_at, .. } = seen.machine;
    let Instance { listed, .. } = seen.instance.unwrap_or_default();
    match (wished, locked) {
        (None, None) => Next::Nothing,
        (Some(wished), None) => Next::Lock(wished.to_owned()),
        (Some(wished), Some(locked)) if wished == locked => Next::Keep(if seen.is_attached() {
            AttachmentState::Attached
        } else if declared && looked_at && !listed {
            AttachmentState::AttachedAtRestart
        } else {
            AttachmentState::Attaching
        }),
        (_, Some(_)) if seen.is_free() => Next::Unlock,
        (_, Some(_)) if !declared && looked_at && listed => Next::Keep(AttachmentState::DetachedAtRestart),
        (_, Some(_)) => Next::Keep(AttachmentState::Detaching),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By letters: the machine `e`xists, `d`eclared, looked `a`t, `r`unning, `l`isted, read`y`, `n`amed.
    fn seen(what: &str) -> Seen {
        let has = |letter| what.contains(letter);
        let instance = Instance { listed: has('l'), ready: has('y'), named: has('n') };
        let machine = Machine { exists: has('e'), declared: has('d'), looked_at: has('a') };
        Seen { machine, instance: has('r').then_some(instance) }
    }

    #[test]
    fn a_volume_goes_from_host_to_host_by_no_other_way_than_through_nobody() {
        use AttachmentState::{Attached, AttachedAtRestart, Attaching, DetachedAtRestart, Detaching};
        let (nothing, web, db) = (None, Some("web"), Some("db"));
        for (wished, locked, what, expected) in [
            (nothing, nothing, "", Next::Nothing),
            (web, nothing, "", Next::Lock("web".into())),
            (web, web, "ear", Next::Keep(Attaching)),
            (web, web, "edr", Next::Keep(Attaching)),
            (web, web, "edar", Next::Keep(AttachedAtRestart)),
            (web, web, "edarln", Next::Keep(Attaching)),
            (web, web, "edarlyn", Next::Keep(Attached)),
            (web, web, "ed", Next::Keep(Attached)),
            (nothing, web, "edarlyn", Next::Keep(Detaching)),
            (db, web, "edarlyn", Next::Keep(Detaching)),
            (db, web, "ed", Next::Keep(Detaching)),
            (db, web, "erlyn", Next::Keep(Detaching)),
            (db, web, "earlyn", Next::Keep(DetachedAtRestart)),
            (db, web, "earyn", Next::Keep(Detaching)),
            (db, web, "er", Next::Keep(Detaching)),
            (db, web, "e", Next::Keep(Detaching)),
            (db, web, "ea", Next::Unlock),
            (db, web, "ear", Next::Unlock),
            (db, web, "rl", Next::Keep(Detaching)),
            (nothing, web, "", Next::Unlock),
        ] {
            assert_eq!(next(wished, locked, seen(what)), expected, "{wished:?} {locked:?} {what}");
        }
    }
}
