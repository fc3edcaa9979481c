//! Floors (保底) in decisions: how much of a growth is beyond them, and whether it would eat what is kept free for others.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    account::Limit,
    claim::Line,
    dimensions::{Dimensions, Facts},
    flow::most,
    meter::Meter,
    pool::{Pool, PoolId, PoolState, SEPARATE_LEVEL},
    state::{Standing, State},
};

/// How much more (or less) of each meter and kind, and where. Names are borrowed: a change is copied as it is weighed
/// against one account after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Change<'a> {
    /// In the order of meters and facts, none twice.
    parts: Vec<(Meter, Facts<'a>, i128)>,
}

impl<'a> Change<'a> {
    pub(super) fn between(old: impl Iterator<Item = &'a Line>, new: impl Iterator<Item = &'a Line>) -> Self {
        let mut change = Self::default();
        for (line, sign) in old.map(|line| (line, -1)).chain(new.map(|line| (line, 1))) {
            change.add(line.meter, line.facts(), sign * i128::from(line.quantity));
        }
        change
    }

    /// These parts together.
    pub(super) fn of(parts: impl IntoIterator<Item = (Meter, Facts<'a>, i128)>) -> Self {
        let mut change = Self::default();
        parts.into_iter().for_each(|(meter, facts, more)| change.add(meter, facts, more));
        change
    }

    /// What of it becomes less.
    fn shrinking(&self) -> Self {
        Self { parts: self.parts.iter().filter(|(_, _, more)| *more < 0).copied().collect() }
    }

    fn add(&mut self, meter: Meter, facts: Facts<'a>, by: i128) {
        match self.parts.binary_search_by(|(of, is, _)| (*of, *is).cmp(&(meter, facts))) {
            Ok(place) => {
                if let Some((_, _, more)) = self.parts.get_mut(place) {
                    *more += by;
                }
            }
            Err(place) => self.parts.insert(place, (meter, facts, by)),
        }
    }

    pub(super) fn grows(&self) -> bool {
        self.parts.iter().any(|(_, _, more)| *more > 0)
    }

    /// The sum of what `selector` matches.
    pub(super) fn sum(&self, meter: Meter, selector: &Dimensions) -> i128 {
        let counted = self.parts.iter().filter(|(of, facts, _)| *of == meter && selector.select(*facts));
        counted.map(|(_, _, more)| more).sum()
    }

    /// What pools get more of.
    pub(super) fn growth_by_pool(&self) -> BTreeMap<&'a PoolId, BTreeMap<Meter, u64>> {
        let mut pools: BTreeMap<&PoolId, BTreeMap<Meter, u64>> = BTreeMap::new();
        for (meter, facts, more) in self.parts.iter().filter(|(_, _, more)| *more > 0) {
            let sum = pools.entry(facts.pool).or_default().entry(*meter).or_default();
            *sum = sum.saturating_add(u64::try_from(*more).unwrap_or(0));
        }
        pools
    }

    /// The meters of which it takes more of some kind.
    fn growing(&self) -> impl Iterator<Item = Meter> {
        let growing =
            self.parts.chunk_by(|one, next| one.0 == next.0).filter(|parts| parts.iter().any(|part| part.2 > 0));
        growing.filter_map(|parts| parts.first()).map(|(meter, _, _)| *meter)
    }

    fn in_pool(&self, meter: Meter, pool: &PoolId) -> i128 {
        let here = self.parts.iter().filter(|(of, facts, _)| *of == meter && facts.pool == pool);
        here.map(|(_, _, more)| more).sum()
    }

    /// Sets the sum of what `selector` matches to `sum`, by taking off the largest amounts first in their own direction.
    fn lessen(&mut self, meter: Meter, selector: &Dimensions, sum: i128) {
        let mut excess = self.sum(meter, selector) - sum;
        for (of, facts, more) in &mut self.parts {
            if *of == meter && selector.select(*facts) && excess != 0 && more.signum() == excess.signum() {
                let part = if excess > 0 { excess.min(*more) } else { excess.max(*more) };
                *more -= part;
                excess -= part;
            }
        }
    }
}

/// Takes off a change what floors of `unit` take up of it: what is left is for the account above.
fn take_up<'f>(unit: &Standing<'_>, floors: impl Iterator<Item = &'f Limit>, change: &mut Cow<'_, Change<'_>>) {
    for floor in floors {
        let by = change.sum(floor.meter, &floor.dimensions);
        if by == 0 {
            continue;
        }
        let taken = i128::from(unit.load.occupied(floor.meter, &floor.dimensions));
        let guaranteed = i128::from(floor.guaranteed);
        let demand = guaranteed.max(taken + by) - guaranteed.max(taken);
        if demand != by {
            change.to_mut().lessen(floor.meter, &floor.dimensions, demand);
        }
    }
}

/// What of a change is left for the account above `units` (leaf first), of what `limit` counts. Only floors that the limit
/// covers take up a part of it: what a wider floor keeps free is not kept within the limit, and use of it there is more
/// than before.
pub(super) fn beyond_floors<'c, 'a>(
    units: &[Standing<'_>],
    change: &'c Change<'a>,
    limit: &Limit,
) -> Cow<'c, Change<'a>> {
    let mut beyond = Cow::Borrowed(change);
    for unit in units {
        let within = |floor: &&Limit| floor.meter == limit.meter && limit.dimensions.covers(&floor.dimensions);
        take_up(unit, unit.account.floors().filter(within), &mut beyond);
    }
    beyond
}

/// What of a change is beyond all floors of `path`: the account's own, and what those above have for their units.
pub(super) fn beyond_all_floors<'c, 'a>(path: &[Standing<'_>], change: &'c Change<'a>) -> Cow<'c, Change<'a>> {
    let mut beyond = Cow::Borrowed(change);
    for unit in path {
        take_up(unit, unit.account.floors(), &mut beyond);
    }
    beyond
}

/// The first meter of which `change` would eat what is kept free for floors of others: after it, more would be lacking
/// for all of them together than if it only gave back. What was lacking before and does not become more is no reason: a pool
/// that lost capacity must not keep an account from its own floor, nor everybody from everything.
pub(super) fn eaten(state: &State, path: &[Standing<'_>], change: &Change<'_>) -> Option<Meter> {
    let kept = state.kept_in_all();
    let own = |meter: Meter| path.iter().flat_map(|unit| unit.account.floors()).any(|floor| floor.meter == meter);
    change.growing().filter(|meter| own(*meter) || kept.keys().any(|(of, _)| of == meter)).find(|meter| {
        let lacking = lacking(state, path, *meter, change);
        lacking > 0 && lacking > self::lacking(state, path, *meter, &change.shrinking())
    })
}

/// What of a meter is kept free for floors after `change` and cannot all be had from the pools at once.
fn lacking(state: &State, path: &[Standing<'_>], meter: Meter, change: &Change<'_>) -> u128 {
    let mut kept: BTreeMap<&Dimensions, i128> = state
        .kept_in_all()
        .iter()
        .filter(|((of, _), _)| *of == meter)
        .map(|((_, floor), free)| (floor, i128::from(*free)))
        .collect();
    // Use within a floor takes from what is free and from what is kept alike. Floors of one path are of one kind or of
    // kinds that nothing is both of.
    let own: BTreeSet<&Dimensions> = path
        .iter()
        .flat_map(|unit| unit.account.floors())
        .filter(|floor| floor.meter == meter)
        .map(|floor| &floor.dimensions)
        .collect();
    if !own.is_empty() {
        let borrowed = beyond_all_floors(path, change);
        for floor in own {
            *kept.entry(floor).or_default() -= change.sum(meter, floor) - borrowed.sum(meter, floor);
        }
    }
    let wanted = kept.into_iter().filter(|(_, kept)| *kept > 0);
    let floors: Vec<(&Dimensions, u128)> = wanted.map(|(floor, kept)| (floor, kept.unsigned_abs())).collect();
    let open = state.pools().map(|record| &record.pool).filter(|pool| pool.state == PoolState::Open);
    let pools: Vec<&Pool> = open.filter(|pool| pool.kind.gives(meter)).collect();
    let free: Vec<u128> =
        pools.iter().map(|pool| free_in(state, pool, meter, change.in_pool(meter, &pool.id))).collect();
    missing(&floors, &pools, &free, serves)
}

/// What of `floors` cannot be had at once from `pools`, of which this much is `free`, where each serves those it `may`.
fn missing(
    floors: &[(&Dimensions, u128)],
    pools: &[&Pool],
    free: &[u128],
    may: impl Fn(&Pool, &Dimensions) -> bool,
) -> u128 {
    let wanted: Vec<u128> = floors.iter().map(|(_, wanted)| *wanted).collect();
    let serving = |floor: usize, pool: usize| match (floors.get(floor), pools.get(pool)) {
        (Some((floor, _)), Some(pool)) => may(pool, floor),
        _ => false,
    };
    wanted.iter().sum::<u128>().saturating_sub(most(&wanted, free, serving))
}

/// Whether a floor may be had from a pool. Pools kept apart for systems of level 4 serve hardly anybody's floor: only one
/// that names the pool.
fn serves(pool: &Pool, floor: &Dimensions) -> bool {
    pool.can_match(floor) && (pool.max_protection_level != SEPARATE_LEVEL || floor.pool.is_some())
}

/// What is free of a meter in a pool once `more` is taken. A pool over its capacity has nothing free, and lacks nothing
/// that others could owe it; what a pool does not bound is never short.
fn free_in(state: &State, pool: &Pool, meter: Meter, more: i128) -> u128 {
    match pool.usable(meter) {
        Some(usable) => {
            let free = i128::from(usable) - i128::from(state.pool_use(&pool.id, meter)) - more;
            u128::try_from(free).unwrap_or(0)
        }
        None => u128::from(u64::MAX),
    }
}

/// What `floors` would need of a meter in `pool` for ever, were nothing taken anywhere: what the other pools do not have.
/// A floor may be used up in a pool kept apart, though nothing is kept free for it there: so that counts as well.
pub(super) fn needed_in(state: &State, pool: &Pool, meter: Meter, floors: &[(&Dimensions, u128)]) -> u128 {
    let pools: Vec<&Pool> = state.pools().map(|record| &record.pool).filter(|pool| pool.kind.gives(meter)).collect();
    let all = |of: &Pool| of.usable(meter).map_or(u128::from(u64::MAX), u128::from);
    let without = |of: &Pool| if of.id == pool.id { 0 } else { all(of) };
    let lacking = |free: &dyn Fn(&Pool) -> u128| {
        let free: Vec<u128> = pools.iter().map(|pool| free(pool)).collect();
        missing(floors, &pools, &free, Pool::can_match)
    };
    lacking(&without).saturating_sub(lacking(&all))
}
