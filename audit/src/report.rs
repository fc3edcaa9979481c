//! What an audit says: findings, how much was looked at, and sums to compare with the book's own.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    finding::Finding,
    usage::{Share, Tie},
};

/// How much was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Looked {
    /// Entries read.
    pub entries: u64,
    /// Events in them.
    pub events: u64,
    /// The number of the last entry.
    pub seq: u64,
    /// When the first entry was made.
    pub from: Option<Timestamp>,
    /// When the last entry was made.
    pub to: Option<Timestamp>,
    /// Claims ever granted.
    pub claims: u64,
    /// Claims that are open at the end.
    pub open_claims: u64,
    /// Claims booked in quarantine without being asked for: an operator adopted them. Compare with the reviewed plans.
    pub adopted: Vec<u64>,
    /// Accounts.
    pub accounts: u64,
    /// Pools.
    pub pools: u64,
    /// Requests in line at the end.
    pub waiting: u64,
}

/// What an account and all below it hold and use at the end, in the meter's unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountSum {
    /// The account.
    pub account: String,
    /// The meter.
    pub meter: &'static str,
    /// Set aside.
    pub held: u128,
    /// Handed over or ending.
    pub used: u128,
}

/// What claims take of a pool at the end, in the meter's unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolSum {
    /// The pool.
    pub pool: String,
    /// The meter.
    pub meter: &'static str,
    /// Held and used.
    pub taken: u128,
}

/// See the module.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What is wrong, in the order of entries; empty for a sound book.
    pub findings: Vec<Finding>,
    /// How much was looked at.
    pub looked: Looked,
    /// SHA-256 over all entries, chained: whoever keeps it can tell later whether any of them was changed.
    pub fingerprint: String,
    /// Sums of accounts; only those above zero.
    pub accounts: Vec<AccountSum>,
    /// Sums of pools; only those above zero.
    pub pools: Vec<PoolSum>,
    /// The time of pools, by month.
    pub ties: Vec<Tie>,
    /// The time of accounts, by month.
    pub shares: Vec<Share>,
}
