//! Accounts (账户): one per department, in a tree, each with its limits.

use serde::{Deserialize, Serialize};

use super::{dimensions::Dimensions, meter::Meter};

/// The most accounts on one path from leaf to root: city, county, bureau, office and room to spare.
pub const MAX_DEPTH: usize = 16;

/// The name of an account: the department's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub String);

impl AccountId {
    /// The account named `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for AccountId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for AccountId {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

/// A ceiling (上限) on what an account and all accounts below it hold and use of one meter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    /// What is limited.
    pub meter: Meter,
    /// Which lines count against it; nothing named counts all.
    #[serde(default)]
    pub dimensions: Dimensions,
    /// The ceiling, in the meter's unit.
    pub limit: u64,
}

/// Whether an account takes new claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
pub enum AccountState {
    /// Claims are decided.
    #[default]
    Open,
    /// No growth for this account or any below it; what it has stays until released.
    Closed,
}

/// One department's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Its name.
    pub id: AccountId,
    /// The department's name for people, printed on statements.
    pub display_name: String,
    /// The account above it; none for a root.
    #[serde(default)]
    pub parent: Option<AccountId>,
    /// The fiscal unit (预算单位) a statement is addressed to.
    pub billing_account: String,
    /// Ceilings; every one that matches a line applies.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// Whether it takes new claims.
    #[serde(default)]
    pub state: AccountState,
}
