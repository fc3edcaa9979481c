//! A pool with the history of its capacity, so that idle time can be told from time that never existed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::{meter::Meter, month::Period, pool::Pool};

/// Capacity from a moment on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockVersion {
    /// Since when; until the next version.
    pub from: Timestamp,
    /// Capacity with over-commit, reserve included, per meter.
    pub gross: BTreeMap<Meter, u64>,
    /// The part of it kept back, per meter; never above gross.
    pub reserve: BTreeMap<Meter, u64>,
}

/// A pool as it is, and its capacity as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolRecord {
    /// As it is now.
    pub pool: Pool,
    /// Its capacity over time, oldest first; never empty.
    pub stock: Vec<StockVersion>,
}

impl PoolRecord {
    /// The record after `pool` was set at `at`.
    pub(super) fn set(previous: Option<&Self>, pool: Pool, at: Timestamp) -> Self {
        let gross: BTreeMap<Meter, u64> =
            pool.capacity.keys().filter_map(|meter| Some((*meter, pool.gross(*meter)?))).collect();
        let reserve = gross
            .iter()
            .filter_map(|(meter, gross)| Some((*meter, gross.saturating_sub(pool.usable(*meter)?))))
            .filter(|(_, kept)| *kept > 0)
            .collect();
        let version = StockVersion { from: at, gross, reserve };
        let mut stock = previous.map(|record| record.stock.clone()).unwrap_or_default();
        match stock.last_mut() {
            Some(last) if last.gross == version.gross && last.reserve == version.reserve => {}
            Some(last) if last.from == at => *last = version,
            _ => stock.push(version),
        }
        Self { pool, stock }
    }

    /// The capacities of `meter` within `period`, as (part of the period, gross, reserve), oldest first.
    pub fn stock_of(&self, meter: Meter, period: Period) -> Vec<(Period, u64, u64)> {
        let ends = self.stock.iter().skip(1).map(|next| next.from).chain(std::iter::once(period.to));
        let parts = self.stock.iter().zip(ends).filter_map(|(version, end)| {
            let quantity = |of: &BTreeMap<Meter, u64>| of.get(&meter).copied().unwrap_or(0);
            Some((period.clip(version.from, end)?, quantity(&version.gross), quantity(&version.reserve)))
        });
        parts.collect()
    }

    /// The meters this pool ever had capacity for.
    pub fn meters(&self) -> std::collections::BTreeSet<Meter> {
        self.stock.iter().flat_map(|version| version.gross.keys().copied()).collect()
    }
}
