//! What would be left of the department's own limits. Limits above it, and others', are not told.

use jiyun_ledger::{AccountId, BalanceRow, State, balance};

use super::Quantity;
use crate::model::estimate::QuotaLeft;

/// The limits that bear on what is asked for, before and after.
pub(super) fn rows(state: &State, account: &AccountId, quantities: &[Quantity]) -> Vec<QuotaLeft> {
    let rows = balance(state, account).map(|balance| balance.rows).unwrap_or_default();
    rows.into_iter().filter_map(|row| left(row, quantities)).collect()
}

fn left(row: BalanceRow, quantities: &[Quantity]) -> Option<QuotaLeft> {
    let (limit, before) = row.limit.zip(row.available)?;
    let of_it = quantities.iter().filter(|asked| asked.meter == row.meter && row.dimensions.matches(&asked.fact));
    let requested = of_it.map(|asked| asked.amount).fold(0, u64::saturating_add);
    (requested > 0).then(|| QuotaLeft {
        meter: row.meter.into(),
        unit: row.meter.unit(),
        architecture: row.dimensions.architecture,
        tier: row.dimensions.tier,
        zone: row.dimensions.zone,
        pool: row.dimensions.pool.map(|pool| pool.name().to_owned()),
        limit,
        before,
        requested,
        after: before.saturating_sub(requested),
        missing: requested.saturating_sub(before),
    })
}
