//! Pools (资源池): what can be given out, where, and under which protection level.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::meter::Meter;

/// The name of a pool in the book: its kind and its object's name, as in `compute/hygon`. Two objects of different kinds
/// may have the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PoolId(pub String);

impl PoolId {
    /// The pool of `kind` whose object is called `name`.
    pub fn of(kind: PoolKind, name: &str) -> Self {
        Self(format!("{}/{name}", kind.word()))
    }

    /// The pool with this name in the book.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The name in the book.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The object's own name.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or(self.as_str(), |(_, name)| name)
    }
}

impl std::fmt::Display for PoolId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for PoolId {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

/// What a pool gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::Display)]
pub enum PoolKind {
    /// Hosts with their processors and memory.
    Compute,
    /// Volumes.
    Storage,
}

impl PoolKind {
    /// The kind as the first part of a [`PoolId`].
    pub const fn word(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Storage => "storage",
        }
    }

    /// Whether pools of this kind give out `meter`.
    pub const fn gives(self, meter: Meter) -> bool {
        match meter {
            Meter::Hosts | Meter::Vcpu | Meter::Memory => matches!(self, Self::Compute),
            Meter::BlockStorage => matches!(self, Self::Storage),
        }
    }
}

/// Whether a pool takes new claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
pub enum PoolState {
    /// Claims are placed here.
    #[default]
    Open,
    /// No growth here; what it holds stays.
    Closed,
}

/// One pool of one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pool {
    /// Its name.
    pub id: PoolId,
    /// What it gives out. Cannot change.
    pub kind: PoolKind,
    /// The data centre it stands in. Cannot change.
    pub site: String,
    /// The network zones it serves.
    pub zones: BTreeSet<String>,
    /// Processor architecture, of a compute pool. Cannot change.
    #[serde(default)]
    pub architecture: Option<String>,
    /// Storage tier, of a storage pool. Cannot change.
    #[serde(default)]
    pub tier: Option<String>,
    /// Who runs it.
    pub provider: String,
    /// The highest protection level (等保) it may carry, 1..=4.
    pub max_protection_level: u8,
    /// Physical capacity per meter, in the meter's unit.
    pub capacity: BTreeMap<Meter, u64>,
    /// Over-commit (超分) in percent, 100..=1000; 100 where not named.
    #[serde(default)]
    pub overcommit_percent: BTreeMap<Meter, u32>,
    /// What is kept back from claims, after over-commit.
    #[serde(default)]
    pub reserve: BTreeMap<Meter, u64>,
    /// Whether it takes new claims.
    #[serde(default)]
    pub state: PoolState,
}

impl Pool {
    /// Capacity with over-commit, reserve included; none where the pool does not bound this meter.
    pub fn gross(&self, meter: Meter) -> Option<u64> {
        let percent = u128::from(self.overcommit_percent.get(&meter).copied().unwrap_or(100));
        match self.capacity.get(&meter) {
            Some(capacity) => Some(u64::try_from(u128::from(*capacity) * percent / 100).unwrap_or(u64::MAX)),
            None if meter.needs_capacity() => Some(0),
            None => None,
        }
    }

    /// What claims may take in all: [`Pool::gross`] less the reserve; none where the pool does not bound this meter.
    pub fn usable(&self, meter: Meter) -> Option<u64> {
        self.gross(meter).map(|gross| gross.saturating_sub(self.reserve.get(&meter).copied().unwrap_or(0)))
    }
}
