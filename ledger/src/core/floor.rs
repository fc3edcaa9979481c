//! Floors (保底) in decisions: how much of a growth is beyond them, and whether it would eat what is kept free for others.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    account::Limit,
    claim::Line,
    dimensions::{Dimensions, Facts},
    meter::Meter,
    pool::{Pool, PoolId, PoolState, SEPARATE_LEVEL},
    sharing::joined,
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

    /// One growth alone.
    pub(super) fn of(meter: Meter, facts: Facts<'a>, growth: u64) -> Self {
        Self { parts: vec![(meter, facts, i128::from(growth))] }
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

    fn meters(&self) -> impl Iterator<Item = Meter> {
        self.parts.chunk_by(|one, next| one.0 == next.0).filter_map(|parts| parts.first()).map(|(meter, _, _)| *meter)
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

/// The first meter of which `change` would eat what is kept free for floors of others. What was short before and does
/// not become shorter is no reason: a pool that lost capacity must not keep an account from its own floor.
pub(super) fn eaten(state: &State, path: &[Standing<'_>], change: &Change<'_>) -> Option<Meter> {
    let kept = state.kept_in_all();
    let mut concerned = change.meters().filter(|meter| kept.keys().any(|(of, _)| of == meter)).peekable();
    concerned.peek()?;
    let borrowed = beyond_all_floors(path, change);
    concerned.find(|meter| {
        let floors: Vec<(&Dimensions, u64)> =
            kept.iter().filter(|((of, _), _)| of == meter).map(|((_, floor), more)| (floor, *more)).collect();
        let owed = Owed { state, path, change, borrowed: &borrowed, meter: *meter, floors: &floors };
        floors.iter().any(|(set, _)| owed.falls_short(pools_of(state, set), |floor| set.covers(floor)))
            || (floors.len() > 1 && owed.falls_short_together())
    })
}

/// What is kept free of one meter, and a change that may take from it.
struct Owed<'a> {
    state: &'a State,
    path: &'a [Standing<'a>],
    change: &'a Change<'a>,
    /// What of the change is beyond all floors of the path.
    borrowed: &'a Change<'a>,
    meter: Meter,
    /// Floors and what is kept free for each.
    floors: &'a [(&'a Dimensions, u64)],
}

impl<'a> Owed<'a> {
    /// Whether less is left in `pools` than is kept free for the floors that are `counted`, and more is lacking than before.
    fn falls_short(&self, pools: impl Iterator<Item = &'a Pool>, counted: impl Fn(&Dimensions) -> bool) -> bool {
        let (mut free, mut left) = (0, 0);
        for pool in pools {
            free += free_in(self.state, pool, self.meter, 0);
            left += free_in(self.state, pool, self.meter, self.change.in_pool(self.meter, &pool.id));
        }
        let counts = self.floors.iter().filter(|(floor, _)| counted(floor));
        let promised: i128 = counts.map(|(_, more)| i128::from(*more)).sum();
        // Use within a floor takes from what is free and from what is promised alike.
        let used_up = self.within(self.change, &counted) - self.within(self.borrowed, &counted);
        let (before, after) = (promised - free, promised - used_up - left);
        after > 0 && after > before
    }

    /// The same for floors of different kinds that the same pools serve: each alone may find room that another has too.
    fn falls_short_together(&self) -> bool {
        let serving = |floor| pools_of(self.state, floor).map(|pool| &pool.id).collect::<BTreeSet<_>>();
        let served: Vec<(&Dimensions, BTreeSet<&PoolId>)> =
            self.floors.iter().map(|(floor, _)| (*floor, serving(floor))).collect();
        joined(served.iter().map(|(_, pools)| pools.clone())).iter().any(|set| {
            let pools = set.iter().filter_map(|id| self.state.pool(id));
            let confined = |pools: &BTreeSet<&PoolId>| !pools.is_empty() && pools.is_subset(set);
            self.falls_short(pools, |floor| served.iter().any(|(is, pools)| *is == floor && confined(pools)))
        })
    }

    /// The part of `change` that counts against floors of the path that are `counted`. Floors of one path are of one kind
    /// or of kinds that nothing is both of.
    fn within(&self, change: &Change<'_>, counted: &impl Fn(&Dimensions) -> bool) -> i128 {
        let mut floors: Vec<&Dimensions> = Vec::new();
        for floor in self.path.iter().flat_map(|unit| unit.account.floors()).filter(|floor| floor.meter == self.meter) {
            if counted(&floor.dimensions) && !floors.contains(&&floor.dimensions) {
                floors.push(&floor.dimensions);
            }
        }
        floors.into_iter().map(|floor| change.sum(self.meter, floor)).sum()
    }
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
