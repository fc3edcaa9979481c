//! What a department may have, has, and may still have (配额).

use jiff::Timestamp;
use jiyun_ledger::{Account, Balance, BalanceRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::Meter;

/// The quota of a department, the units below it included, at one revision of the ledger.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::quota()))]
pub struct Quota {
    /// The department.
    #[schema(example = "finance")]
    pub department: String,
    /// Its name for people.
    pub display_name: String,
    /// The ledger's entry this was read at.
    pub revision: u64,
    /// Up to when the ledger is known.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// Every limit, and every meter in use without one.
    pub rows: Vec<QuotaRow>,
}

/// One meter of a quota.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaRow {
    /// What is counted.
    pub meter: Meter,
    /// The unit of all figures of this row: `host`, `vCPU`, `MiB`, ...
    #[schema(example = "vCPU")]
    pub unit: &'static str,
    /// Only in this pool; absent: in any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Only on this architecture; absent: on any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Only of this storage tier; absent: of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Only in this network zone; absent: in any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The floor (保底): kept free for this department whatever others ask for; absent if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guaranteed: Option<u64>,
    /// The ceiling (上限); absent where this department has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Handed over.
    pub used: u64,
    /// Granted or on hold, not handed over yet.
    pub held: u64,
    /// Used and held above the floor (借用); absent where there is no floor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub borrowed: Option<u64>,
    /// What is left of the limit; a unit above may leave less. Absent without a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<u64>,
    /// More is used and held than the limit allows, because it was lowered: nothing may grow.
    pub over_limit: bool,
}

impl Quota {
    /// The quota of `account` as `balance` has it.
    pub fn new(account: &Account, balance: Balance, as_of: Timestamp) -> Self {
        Self {
            department: account.id.to_string(),
            display_name: account.display_name.clone(),
            revision: balance.revision,
            as_of,
            rows: balance.rows.into_iter().map(QuotaRow::from).collect(),
        }
    }
}

impl From<BalanceRow> for QuotaRow {
    fn from(row: BalanceRow) -> Self {
        Self {
            meter: row.meter.into(),
            unit: row.meter.unit(),
            over_limit: row.over_limit(),
            guaranteed: (row.guaranteed > 0).then_some(row.guaranteed),
            borrowed: (row.guaranteed > 0).then_some(row.borrowed),
            pool: row.dimensions.pool.as_ref().map(|pool| pool.name().to_owned()),
            architecture: row.dimensions.architecture,
            tier: row.dimensions.tier,
            zone: row.dimensions.zone,
            limit: row.limit,
            used: row.used,
            held: row.held,
            available: row.available,
        }
    }
}
