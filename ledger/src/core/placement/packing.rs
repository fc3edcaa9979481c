//! One way to lay all parts of a request into the pools of one site.

use std::collections::BTreeMap;

use super::{
    super::{
        claim::Claim,
        meter::Meter,
        pool::{Pool, PoolId},
        state::State,
    },
    Screened,
    ask::{Ask, held},
};

/// Parts per million: fits are compared in integers.
const MILLION: u128 = 1_000_000;

/// What came of trying one site. Parts are laid one after the other, each into the pool it fits best; a later part
/// sees what the earlier ones took.
pub(super) struct Packing<'a> {
    /// The pool of each part, as far as it went.
    pub(super) chosen: Vec<&'a Pool>,
    /// The first part without room, and the meter it lacks.
    pub(super) short: Option<(usize, Meter)>,
    /// Pools that had no room, by part.
    pub(super) full: Vec<(usize, &'a PoolId)>,
    /// What each choice leaves behind.
    left: Vec<u128>,
}

impl<'a> Packing<'a> {
    pub(super) fn at(
        state: &State,
        asks: &[Ask<'_>],
        screened: &[Screened<'a>],
        site: &str,
        old: Option<&Claim>,
    ) -> Self {
        let mut packing = Self { chosen: Vec::new(), short: None, full: Vec::new(), left: Vec::new() };
        let mut taken: BTreeMap<(&PoolId, Meter), u64> = BTreeMap::new();
        for (index, (ask, pools)) in asks.iter().zip(screened).enumerate() {
            let here = pools.iter().filter(|(pool, refused)| refused.is_none() && pool.site == site);
            let mut best: Option<(u128, &Pool)> = None;
            let mut lacking = None;
            for (pool, _) in here {
                match left_behind(state, ask, pool, &taken, old) {
                    Ok(left) => {
                        if best.is_none_or(|other| (left, &pool.id) < (other.0, &other.1.id)) {
                            best = Some((left, pool));
                        }
                    }
                    Err(meter) => {
                        packing.full.push((index, &pool.id));
                        lacking = lacking.or(Some(meter));
                    }
                }
            }
            let Some((left, pool)) = best else {
                packing.short = lacking.map(|meter| (index, meter));
                break;
            };
            for (&meter, &quantity) in &ask.quantities {
                *taken.entry((&pool.id, meter)).or_default() += quantity;
            }
            packing.chosen.push(pool);
            packing.left.push(left);
        }
        packing
    }

    /// Smaller is better.
    pub(super) fn preference(&self) -> (u128, Vec<&PoolId>) {
        (self.left.iter().sum(), self.chosen.iter().map(|pool| &pool.id).collect())
    }
}

/// What would be left of the pool, in parts per million of each meter asked for, or the first meter without room.
fn left_behind(
    state: &State,
    ask: &Ask<'_>,
    pool: &Pool,
    taken: &BTreeMap<(&PoolId, Meter), u64>,
    old: Option<&Claim>,
) -> Result<u128, Meter> {
    let mut left = 0;
    for (&meter, &quantity) in &ask.quantities {
        let Some(usable) = pool.usable(meter) else { continue };
        let had = held(old, &pool.id, meter);
        let others = state.pool_use(&pool.id, meter).saturating_sub(had);
        let ours = taken.get(&(&pool.id, meter)).copied().unwrap_or(0).saturating_add(quantity);
        let after = others.saturating_add(ours);
        // A claim may keep what it has in a pool that has shrunk below its use.
        if after > usable && ours > had {
            return Err(meter);
        }
        left += u128::from(usable.saturating_sub(after)) * MILLION / u128::from(usable.max(1));
    }
    Ok(left)
}
