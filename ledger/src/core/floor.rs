//! Floors (保底) in decisions: how much of a growth is beyond them, and whether it would eat what is kept free for others.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    account::Account,
    claim::Line,
    dimensions::Dimensions,
    meter::Meter,
    pool::{Pool, PoolId, PoolState, SEPARATE_LEVEL},
    state::State,
};

/// How much more (or less) of each meter and kind, and where.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    by_fact: BTreeMap<(Meter, Dimensions), i128>,
}

impl Change {
    pub(super) fn between<'a>(old: impl Iterator<Item = &'a Line>, new: impl Iterator<Item = &'a Line>) -> Self {
        let mut change = Self::default();
        for (line, sign) in old.map(|line| (line, -1)).chain(new.map(|line| (line, 1))) {
            change.add(line.meter, line.fact(), sign * i128::from(line.quantity));
        }
        change
    }

    /// One growth alone.
    pub(super) fn of(meter: Meter, fact: Dimensions, growth: u64) -> Self {
        let mut change = Self::default();
        change.add(meter, fact, i128::from(growth));
        change
    }

    fn add(&mut self, meter: Meter, fact: Dimensions, by: i128) {
        *self.by_fact.entry((meter, fact)).or_default() += by;
    }

    pub(super) fn grows(&self) -> bool {
        self.by_fact.values().any(|more| *more > 0)
    }

    /// The sum of what `selector` matches.
    pub(super) fn sum(&self, meter: Meter, selector: &Dimensions) -> i128 {
        let counted = self.by_fact.iter().filter(|((of, fact), _)| *of == meter && selector.matches(fact));
        counted.map(|(_, more)| more).sum()
    }

    /// What pools get more of.
    pub(super) fn growth_by_pool(&self) -> BTreeMap<&PoolId, BTreeMap<Meter, u64>> {
        let mut pools: BTreeMap<&PoolId, BTreeMap<Meter, u64>> = BTreeMap::new();
        for ((meter, fact), more) in self.by_fact.iter().filter(|(_, more)| **more > 0) {
            if let Some(pool) = &fact.pool {
                let sum = pools.entry(pool).or_default().entry(*meter).or_default();
                *sum = sum.saturating_add(u64::try_from(*more).unwrap_or(0));
            }
        }
        pools
    }

    fn meters(&self) -> impl Iterator<Item = Meter> {
        let mut meters: Vec<_> = self.by_fact.keys().map(|(meter, _)| *meter).collect();
        meters.dedup();
        meters.into_iter()
    }

    fn in_pool(&self, meter: Meter, pool: &PoolId) -> i128 {
        let here = self.by_fact.iter().filter(|((of, fact), _)| *of == meter && fact.pool.as_ref() == Some(pool));
        here.map(|(_, more)| more).sum()
    }

    /// Sets the sum of what `selector` matches to `sum`, by taking off the largest amounts first in their own direction.
    fn lessen(&mut self, meter: Meter, selector: &Dimensions, sum: i128) {
        let mut excess = self.sum(meter, selector) - sum;
        for ((of, fact), more) in &mut self.by_fact {
            if *of == meter && selector.matches(fact) && excess != 0 && more.signum() == excess.signum() {
                let part = if excess > 0 { excess.min(*more) } else { excess.max(*more) };
                *more -= part;
                excess -= part;
            }
        }
    }
}

/// What is left of a change for the account above `account`, whose floors take up a part of it. Only floors that `scope`
/// covers count: what a wider floor keeps free is not kept within the scope, and use of it there is more than before.
pub(super) fn beyond_floors(state: &State, account: &Account, change: &Change, scope: &Dimensions) -> Change {
    let mut beyond = change.clone();
    for floor in account.floors().filter(|floor| scope.covers(&floor.dimensions)) {
        let by = change.sum(floor.meter, &floor.dimensions);
        if by == 0 {
            continue;
        }
        let taken = i128::from(state.occupied(&account.id, floor.meter, &floor.dimensions));
        let guaranteed = i128::from(floor.guaranteed);
        let demand = guaranteed.max(taken + by) - guaranteed.max(taken);
        beyond.lessen(floor.meter, &floor.dimensions, demand);
    }
    beyond
}

/// What of a change is beyond all floors of `path`: the account's own, and what those above have for their units.
pub(super) fn beyond_all_floors(state: &State, path: &[&Arc<Account>], change: &Change) -> Change {
    let anywhere = Dimensions::default();
    path.iter().fold(change.clone(), |beyond, account| beyond_floors(state, account, &beyond, &anywhere))
}

/// The first meter of which `change` would eat what is kept free for floors of others. What was short before and does
/// not become shorter is no reason: a pool that lost capacity must not keep an account from its own floor.
pub(super) fn eaten(state: &State, path: &[&Arc<Account>], change: &Change) -> Option<Meter> {
    let kept = state.kept_in_all();
    if kept.is_empty() {
        return None;
    }
    let borrowed = beyond_all_floors(state, path, change);
    change.meters().find(|meter| {
        let floors = kept.iter().filter(|((of, _), _)| of == meter).map(|((_, floor), _)| floor);
        floors.clone().any(|set| {
            let pools = || pools_of(state, set);
            let free: i128 = pools().map(|pool| free_in(state, pool, *meter, 0)).sum();
            let left: i128 = pools().map(|pool| free_in(state, pool, *meter, change.in_pool(*meter, &pool.id))).sum();
            let promised: i128 = kept
                .iter()
                .filter(|((of, floor), _)| of == meter && set.covers(floor))
                .map(|(_, more)| i128::from(*more))
                .sum();
            // Use within a floor takes from what is free and from what is promised alike.
            let used_up = within(path, *meter, set, change) - within(path, *meter, set, &borrowed);
            let (before, after) = (promised - free, promised - used_up - left);
            after > 0 && after > before
        })
    })
}

/// The part of `change` that counts against floors of `path` covered by `set`.
fn within(path: &[&Arc<Account>], meter: Meter, set: &Dimensions, change: &Change) -> i128 {
    let mut floors: Vec<&Dimensions> = Vec::new();
    for floor in path.iter().flat_map(|account| account.floors()).filter(|floor| floor.meter == meter) {
        if set.covers(&floor.dimensions) && !floors.contains(&&floor.dimensions) {
            floors.push(&floor.dimensions);
        }
    }
    floors.into_iter().map(|floor| change.sum(meter, floor)).sum()
}

fn pools_of<'a>(state: &'a State, floor: &'a Dimensions) -> impl Iterator<Item = &'a Pool> {
    let open = state.pools().map(|record| &record.pool).filter(|pool| pool.state == PoolState::Open);
    // Pools kept apart for systems of level 4 serve hardly anybody's floor: only one that names the pool.
    let apart = move |pool: &Pool| pool.max_protection_level == SEPARATE_LEVEL && floor.pool.is_none();
    open.filter(move |pool| pool.can_match(floor) && !apart(pool))
}

/// What is free of a meter in a pool once `more` is taken. A pool over its capacity has nothing free, and lacks nothing
/// that others could owe it; what a pool does not bound is never short.
fn free_in(state: &State, pool: &Pool, meter: Meter, more: i128) -> i128 {
    match pool.usable(meter) {
        Some(usable) => (i128::from(usable) - i128::from(state.pool_use(&pool.id, meter)) - more).max(0),
        None => i128::from(u64::MAX),
    }
}
