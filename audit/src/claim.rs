//! Claims as they are replayed, and the stretches of time they held something.

use jiff::Timestamp;

use crate::kind::{FactNo, PlaceNo};

/// Where a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Held,
    Reserved,
    Billable,
    Ending,
    Released,
}

/// Kinds whose claims say that something is allowed: they count nothing, from first to last.
const PERMISSIONS: [&str; 1] = ["NetworkFlow"];

/// Whether claims of objects of this kind count nothing.
pub(crate) fn is_permission(kind: &str) -> bool {
    PERMISSIONS.contains(&kind)
}

/// Quantities by meter and kind.
pub(crate) type Quantities = Vec<(FactNo, u64)>;

/// An open hold.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) until: Timestamp,
    pub(crate) lines: Quantities,
    pub(crate) digest: String,
}

/// A claim at one entry.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) id: u64,
    /// The number of its account in the tree.
    pub(crate) account: usize,
    pub(crate) uid: String,
    /// Kind, namespace and name of its object.
    pub(crate) object: String,
    pub(crate) digest: String,
    pub(crate) stage: Stage,
    pub(crate) lines: Quantities,
    pub(crate) held: Quantities,
    pub(crate) hold: Option<Hold>,
    /// Since when it is as it is.
    pub(crate) since: Timestamp,
    /// When it was handed over, and when its end was recorded.
    pub(crate) billable: (Option<Timestamp>, Option<Timestamp>),
}

impl Claim {
    pub(crate) fn is_open(&self) -> bool {
        self.stage != Stage::Released
    }

    /// Whether it counts nothing, by the kind of its object.
    pub(crate) fn is_permission(&self) -> bool {
        self.object.split_once(' ').is_some_and(|(kind, _)| is_permission(kind))
    }

    /// Everything it takes from its pools.
    pub(crate) fn taken(&self) -> impl Iterator<Item = &(FactNo, u64)> {
        self.lines.iter().chain(&self.held)
    }

    /// What it takes of one meter and kind.
    pub(crate) fn takes(&self, fact: FactNo) -> u128 {
        total(self.lines.iter().chain(&self.held), fact)
    }

    pub(crate) fn name(&self) -> String {
        format!("claim-{}", self.id)
    }
}

pub(crate) fn total<'a>(lines: impl IntoIterator<Item = &'a (FactNo, u64)>, fact: FactNo) -> u128 {
    lines.into_iter().filter(|(of, _)| *of == fact).map(|(_, quantity)| u128::from(*quantity)).sum()
}

/// One quantity of one claim over one stretch of time.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    pub(crate) account: usize,
    pub(crate) place: PlaceNo,
    pub(crate) quantity: u64,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// Whether the department bears it; else the platform.
    pub(crate) department: bool,
}
