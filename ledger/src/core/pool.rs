//! Pools (资源池): what can be given out, where, and under which protection level.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{dimensions::Dimensions, meter::Meter};

/// The name of a pool in the book: its kind and its object's name, as in `compute/hygon`. Two objects of different kinds
/// may have the same name. Shared: a copy costs nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PoolId(Arc<str>);

impl PoolId {
    /// The pool of `kind` whose object is called `name`.
    pub fn of(kind: PoolKind, name: &str) -> Self {
        Self(format!("{}/{name}", kind.word()).into())
    }

    /// The pool with this name in the book.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into().into())
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
        Self(name.into())
    }
}

/// What a pool gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::Display)]
pub enum PoolKind {
    /// Hosts with their processors and memory.
    Compute,
    /// Volumes, file systems, buckets, backups.
    Storage,
    /// Capacity kept at a peer site for recovery.
    Recovery,
    /// Public bandwidth and addresses.
    Network,
}

impl PoolKind {
    /// The kind as the first part of a [`PoolId`].
    pub const fn word(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Storage => "storage",
            Self::Recovery => "recovery",
            Self::Network => "network",
        }
    }

    /// Whether pools of this kind give out `meter`.
    pub fn gives(self, meter: Meter) -> bool {
        meter.pool_kind() == self
    }
}

/// Whether a pool takes new claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
pub enum PoolState {
    /// Claims are placed here.
    #[default]
    Open,
    /// Maintenance (维护): no growth here; what it holds is to be moved away.
    Draining,
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
    /// Whether its processors are domestic products (国产化).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub domestic: bool,
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

/// The protection level (等保) whose systems are kept in pools of their own.
pub const SEPARATE_LEVEL: u8 = 4;

impl Pool {
    /// Whether a system of protection level `level` may lie here: never in a pool below its level, and those of level 4
    /// only among themselves.
    pub const fn carries(&self, level: u8) -> bool {
        self.max_protection_level >= level && (self.max_protection_level == SEPARATE_LEVEL) == (level == SEPARATE_LEVEL)
    }

    /// Whether lines in this pool can match `selector`.
    pub fn can_match(&self, selector: &Dimensions) -> bool {
        let is = |want: &Option<String>, is: &Option<String>| want.is_none() || want == is;
        selector.pool.as_ref().is_none_or(|pool| *pool == self.id)
            && is(&selector.architecture, &self.architecture)
            && is(&selector.tier, &self.tier)
            && selector.zone.as_ref().is_none_or(|zone| self.zones.contains(zone))
    }

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
