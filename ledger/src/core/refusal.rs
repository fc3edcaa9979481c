//! Why a request was refused, in a form safe to show to whoever asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::placement::PlacementReport;

/// The kind of the first constraint that bound.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
pub enum RefusalCode {
    /// A limit of the account or of one above it.
    ExceedsLimit,
    /// Pools fit in kind, but none has room.
    PoolExhausted,
    /// Pools fit in kind, but none has room yet: the request stands in line.
    WaitingForCapacity,
    /// No pool fits in kind.
    NoMatchingPool,
    /// The account is not in the book.
    UnknownAccount,
    /// The book is in quarantine.
    Quarantined,
    /// The account or one above it takes no new claims.
    AccountClosed,
}

impl RefusalCode {
    /// The code as one word of a message key: `exceeds-limit`.
    pub const fn kebab(self) -> &'static str {
        match self {
            Self::ExceedsLimit => "exceeds-limit",
            Self::PoolExhausted => "pool-exhausted",
            Self::WaitingForCapacity => "waiting-for-capacity",
            Self::NoMatchingPool => "no-matching-pool",
            Self::UnknownAccount => "unknown-account",
            Self::Quarantined => "quarantined",
            Self::AccountClosed => "account-closed",
        }
    }
}

/// A request was decided against, or waits; nothing was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// What bound first.
    pub code: RefusalCode,
    /// The numbers of whoever asked, and no one else's. Keys: `account`, `meter`, `unit`, `dimensions`, `limit`,
    /// `used`, `held`, `available`, `requested`, `missing`, `nextRelease`, `raisedBy`, `ahead`, `zone`,
    /// `protectionLevel`, `poolKind`, `architecture`, `tier`.
    pub parameters: BTreeMap<String, String>,
    /// Which filter refused which pool: for operators, never for whoever asked.
    pub report: PlacementReport,
}

impl Refusal {
    pub(super) fn new(code: RefusalCode, report: PlacementReport) -> Self {
        Self { code, parameters: BTreeMap::new(), report }
    }

    pub(super) fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.parameters.insert(name.to_owned(), format!("{value}"));
        self
    }

    pub(super) fn with_some(self, name: &str, value: Option<impl std::fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}
