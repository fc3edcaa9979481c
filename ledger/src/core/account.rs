//! Accounts (账户): one per department, in a tree, each with its limits.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{dimensions::Dimensions, meter::Meter};

/// The most accounts on one path from leaf to root: city, county, bureau, office and room to spare.
pub const MAX_DEPTH: usize = 16;

/// The name of an account: the department's name. Shared: a copy costs nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(Arc<str>);

impl AccountId {
    /// The account named `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into().into())
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

impl Account {
    /// Its floors above zero; none once it is closed.
    pub fn floors(&self) -> impl Iterator<Item = &Limit> {
        self.limits.iter().filter(|limit| limit.guaranteed > 0 && self.state == AccountState::Open)
    }
}

impl From<&str> for AccountId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

/// What an account and all accounts below it may have of one meter: at most so much, and so much for certain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    /// What is limited.
    pub meter: Meter,
    /// Which lines count against it; nothing named counts all.
    #[serde(default)]
    pub dimensions: Dimensions,
    /// The ceiling (上限), in the meter's unit; none where only the floor is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The floor (保底), in the meter's unit: kept free for this account whatever others ask for. Not above the ceiling,
    /// and together with those beside it not above the floor of the account above.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub guaranteed: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature serde calls")]
const fn is_zero(quantity: &u64) -> bool {
    *quantity == 0
}

/// How an account's claims are placed among the pools that fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
pub enum Spread {
    /// Best fit: the pool that is left fullest (紧凑).
    #[default]
    Pack,
    /// The pool that is left emptiest (分散).
    Spread,
}

/// What an account prefers among the pools that fit. Preference never refuses anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preference {
    /// Pools with domestic processors come first (国产优先).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub domestic_first: bool,
    /// Among those, which.
    #[serde(default)]
    pub spread: Spread,
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
    /// Ceilings and floors. Every ceiling that matches a line applies; floors of one meter do not overlap.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// What it prefers among pools that fit.
    #[serde(default)]
    pub preference: Preference,
    /// Whether it takes new claims.
    #[serde(default)]
    pub state: AccountState,
}
