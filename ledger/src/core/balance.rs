//! What an account may have, has, and may still have.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{account::AccountId, dimensions::Dimensions, meter::Meter, state::State};

/// One meter of an account, over the account and all below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BalanceRow {
    /// What is counted.
    pub meter: Meter,
    /// Which kind; nothing named is all of it.
    pub dimensions: Dimensions,
    /// The floor (保底): kept free for it whatever others ask for; 0 if none.
    pub guaranteed: u64,
    /// The ceiling (上限); none if it is not limited here.
    pub limit: Option<u64>,
    /// Handed over, or ending.
    pub used: u64,
    /// Set aside, not yet handed over.
    pub held: u64,
    /// Held and used beyond the floor (借用).
    pub borrowed: u64,
    /// What is left of the limit, less what is kept free for floors of units below; 0 if over it, none if not limited
    /// here. An account above may leave less.
    pub available: Option<u64>,
}

impl BalanceRow {
    /// Whether more is held and used than the limit allows (the limit was lowered): nothing may grow.
    pub fn over_limit(&self) -> bool {
        self.limit.is_some_and(|limit| self.used.saturating_add(self.held) > limit)
    }
}

/// The balance of one account at one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Balance {
    /// Whose.
    pub account: AccountId,
    /// The entry it was read at.
    pub revision: u64,
    /// Every limit, and every meter in use without one.
    pub rows: Vec<BalanceRow>,
}

/// Whether `account` and those below it would use more of a meter than is guaranteed to it wherever that is, with `asked`
/// on top of what they use and hold. What is asked for and never was guaranteed is beyond. `set_aside` is what is held
/// already for that which is asked for: it is not counted twice.
pub fn beyond_guaranteed(
    state: &State,
    account: &AccountId,
    asked: impl IntoIterator<Item = (Meter, u64)>,
    set_aside: impl Fn(Meter) -> u64,
) -> bool {
    let rows = balance(state, account).map(|balance| balance.rows).unwrap_or_default();
    asked.into_iter().any(|(meter, asked)| {
        let row = rows.iter().find(|row| row.meter == meter && row.dimensions.specificity() == 0);
        let (floor, taken) = row.map_or((0, 0), |row| (row.guaranteed, row.used.saturating_add(row.held)));
        let others = taken.saturating_sub(set_aside(meter));
        asked > 0 && others.saturating_add(asked) > floor
    })
}

/// The balance of `account`; none if it is not in the book.
pub fn balance(state: &State, account: &AccountId) -> Option<Balance> {
    let limits = &state.account(account)?.limits;
    let row = |meter, dimensions: &Dimensions, limit: Option<u64>, guaranteed: u64| {
        let amount = state.tree_total(account, meter, dimensions);
        BalanceRow {
            meter,
            dimensions: dimensions.clone(),
            guaranteed,
            limit,
            used: amount.used,
            held: amount.held,
            borrowed: amount.total().saturating_sub(guaranteed),
            available: limit.map(|limit| limit.saturating_sub(state.occupied(account, meter, dimensions))),
        }
    };
    let mut rows: Vec<_> =
        limits.iter().map(|limit| row(limit.meter, &limit.dimensions, limit.limit, limit.guaranteed)).collect();
    let limited: BTreeSet<Meter> = limits.iter().map(|limit| limit.meter).collect();
    let in_use: BTreeSet<Meter> = state.tree_use(account).into_iter().map(|counter| counter.meter).collect();
    rows.extend(in_use.difference(&limited).map(|meter| row(*meter, &Dimensions::default(), None, 0)));
    rows.sort_by(|a, b| (a.meter, &a.dimensions).cmp(&(b.meter, &b.dimensions)));
    Some(Balance { account: account.clone(), revision: state.seq(), rows })
}
