//! The facts a quantity is told apart by: pool, architecture, storage tier, network zone.

use serde::{Deserialize, Serialize};

use super::pool::PoolId;

/// As a fact of a line: what it is. As a selector of a limit or rate: what it must be; an absent field matches anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dimensions {
    /// The pool. In the facts of a line it is left out: the line names its pool itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolId>,
    /// Processor architecture as Kubernetes spells it (`amd64`, `arm64`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Storage tier (存储等级).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Network zone (网络区域).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

impl Dimensions {
    /// Whether these, read as a selector, match `fact`.
    pub fn matches(&self, fact: &Self) -> bool {
        self.fields().iter().zip(fact.fields()).all(|(want, is)| want.is_none() || *want == is)
    }

    /// Whether everything that `other` matches is matched by these too.
    pub fn covers(&self, other: &Self) -> bool {
        self.matches(other)
    }

    /// Whether these, read as a selector, match a line with such facts.
    pub(super) fn select(&self, facts: Facts<'_>) -> bool {
        let is = |want: &Option<String>, is: Option<&str>| want.is_none() || want.as_deref() == is;
        self.pool.as_ref().is_none_or(|pool| pool == facts.pool)
            && is(&self.architecture, facts.architecture)
            && is(&self.tier, facts.tier)
            && is(&self.zone, facts.zone)
    }

    /// Whether this selector names nothing and matches everything.
    pub(super) fn is_any(&self) -> bool {
        *self == Self::default()
    }

    /// How many fields this selector names; the selector naming more is the more specific.
    pub fn specificity(&self) -> usize {
        self.fields().iter().flatten().count()
    }

    /// Whether some fact could match both selectors.
    pub fn compatible(&self, other: &Self) -> bool {
        self.fields().iter().zip(other.fields()).all(|(a, b)| a.is_none() || b.is_none() || *a == b)
    }

    fn fields(&self) -> [Option<&str>; 4] {
        [
            self.pool.as_ref().map(PoolId::as_str),
            self.architecture.as_deref(),
            self.tier.as_deref(),
            self.zone.as_deref(),
        ]
    }
}

/// The facts of a line where they lie, nothing copied; in the order of [`Dimensions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Facts<'a> {
    pub(super) pool: &'a PoolId,
    pub(super) architecture: Option<&'a str>,
    pub(super) tier: Option<&'a str>,
    pub(super) zone: Option<&'a str>,
}

impl<'a> Facts<'a> {
    /// Of a line in `pool` that is otherwise `of`.
    pub(super) fn new(pool: &'a PoolId, of: &'a Dimensions) -> Self {
        let Dimensions { architecture, tier, zone, .. } = of;
        Self { pool, architecture: architecture.as_deref(), tier: tier.as_deref(), zone: zone.as_deref() }
    }

    /// Copied, the pool among them.
    pub(super) fn to_dimensions(self) -> Dimensions {
        Dimensions {
            pool: Some(self.pool.clone()),
            architecture: self.architecture.map(str::to_owned),
            tier: self.tier.map(str::to_owned),
            zone: self.zone.map(str::to_owned),
        }
    }
}

impl std::fmt::Display for Dimensions {
    /// `architecture=amd64,zone=internet`, or `any` when nothing is named.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut first = true;
        for (name, value) in ["pool", "architecture", "tier", "zone"].into_iter().zip(self.fields()) {
            if let Some(value) = value {
                write!(f, "{}{name}={value}", if first { "" } else { "," })?;
                first = false;
            }
        }
        if first { f.write_str("any") } else { Ok(()) }
    }
}
