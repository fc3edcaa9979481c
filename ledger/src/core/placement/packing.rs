//! One way to lay all parts of a request into the pools of one site.

use std::collections::BTreeMap;

use super::{
    super::{
        account::{Preference, Spread},
        claim::Claim,
        dimensions::Facts,
        floor::{Change, beyond_all_floors, eaten},
        meter::Meter,
        pool::{Pool, PoolId},
        request::ClaimRequest,
        state::{Standing, State},
        waiting::passed_by,
    },
    Filter, Screened,
    ask::{Ask, held},
    could_go,
};

/// Parts per million: fits are compared in integers.
const MILLION: u128 = 1_000_000;

/// What a placement is made in view of.
pub(super) struct Situation<'a> {
    pub(super) state: &'a State,
    pub(super) request: &'a ClaimRequest,
    /// The asker's account and those above it.
    pub(super) path: &'a [Standing<'a>],
    /// The claim that is amended.
    pub(super) old: Option<&'a Claim>,
    /// Whether those who came earlier are given way.
    pub(super) heeds_line: bool,
}

/// What came of trying one site. Parts are laid one after the other, each into the pool it fits best; a later part
/// sees what the earlier ones took.
pub(super) struct Packing<'a> {
    /// The pool of each part, as far as it went.
    pub(super) chosen: Vec<&'a Pool>,
    /// The first part without room, and the meter it lacks.
    pub(super) short: Option<(usize, Meter)>,
    /// Pools that had no room for a part, and why.
    pub(super) full: Vec<(usize, &'a PoolId, Filter)>,
    /// How each choice ranks.
    ranks: Vec<Rank>,
}

/// Smaller is better: foreign processors where domestic ones come first, then what is left behind.
type Rank = (bool, u128);

impl<'a> Packing<'a> {
    pub(super) fn at(situation: &Situation<'_>, asks: &[Ask<'_>], screened: &[Screened<'a>], site: &str) -> Self {
        let mut packing = Self { chosen: Vec::new(), short: None, full: Vec::new(), ranks: Vec::new() };
        let preference = situation.path.first().map(|unit| unit.account.preference).unwrap_or_default();
        let mut taken: Vec<Taken<'_>> = Vec::new();
        for (index, (ask, pools)) in asks.iter().zip(screened).enumerate() {
            let here = pools.iter().filter(|(pool, refused)| refused.is_none() && pool.site == site);
            let mut best: Option<(Rank, &Pool)> = None;
            let mut lacking = None;
            for (pool, _) in here {
                match room(situation, asks, ask, pool, &taken) {
                    Ok(left) => {
                        let rank = rank(preference, pool, left);
                        if best.is_none_or(|other| (rank, &pool.id) < (other.0, &other.1.id)) {
                            best = Some((rank, pool));
                        }
                    }
                    Err((meter, filter)) => {
                        packing.full.push((index, &pool.id, filter));
                        lacking = lacking.or(Some(meter));
                    }
                }
            }
            let Some((rank, pool)) = best else {
                packing.short = lacking.map(|meter| (index, meter));
                break;
            };
            taken.extend(ask.quantities.iter().map(|&(meter, quantity)| (pool, meter, quantity)));
            packing.chosen.push(pool);
            packing.ranks.push(rank);
        }
        packing
    }

    /// Smaller is better.
    pub(super) fn preference(&self) -> (usize, u128, Vec<&PoolId>) {
        (
            self.ranks.iter().filter(|(foreign, _)| *foreign).count(),
            self.ranks.iter().map(|(_, left)| left).sum(),
            self.chosen.iter().map(|pool| &pool.id).collect(),
        )
    }
}

fn rank(preference: Preference, pool: &Pool, left: Left) -> Rank {
    let left = match preference.spread {
        Spread::Pack => left.parts,
        // Of each meter at most a million parts are left.
        Spread::Spread => (MILLION * left.meters).saturating_sub(left.parts),
    };
    (preference.domestic_first && !pool.domestic, left)
}

/// What lines in a pool are.
fn facts<'a>(pool: &'a Pool, zone: &'a str) -> Facts<'a> {
    let (architecture, tier) = (pool.architecture.as_deref(), pool.tier.as_deref());
    Facts { pool: &pool.id, architecture, tier, zone: Some(zone) }
}

/// What earlier parts of a request take of a pool.
type Taken<'a> = (&'a Pool, Meter, u64);

/// What would be left in a pool, in parts per million of each meter, summed.
#[derive(Clone, Copy, Default)]
struct Left {
    parts: u128,
    meters: u128,
}

/// What would be left of the meters asked for, or the first meter without room.
fn room(
    situation: &Situation<'_>,
    asks: &[Ask<'_>],
    ask: &Ask<'_>,
    pool: &Pool,
    taken: &[Taken<'_>],
) -> Result<Left, (Meter, Filter)> {
    let Situation { state, request, path, old, heeds_line } = situation;
    let mut left = Left::default();
    for &(meter, quantity) in &ask.quantities {
        let had = held(*old, &pool.id, meter);
        let earlier = taken.iter().filter(|(of, what, _)| *what == meter && of.id == pool.id);
        let ours = earlier.map(|(_, _, quantity)| *quantity).fold(quantity, u64::saturating_add);
        let growth = ours.saturating_sub(had);
        if let Some(usable) = pool.usable(meter) {
            let others = state.pool_use(&pool.id, meter).saturating_sub(had);
            let after = others.saturating_add(ours);
            // A claim may keep what it has in a pool that has shrunk below its use.
            if after > usable && growth > 0 {
                return Err((meter, Filter::Capacity));
            }
            left.parts += u128::from(usable.saturating_sub(after)) * MILLION / u128::from(usable.max(1));
            left.meters += 1;
        }
        if growth == 0 {
            continue;
        }
        let here = || Change::of([(meter, facts(pool, &request.zone), i128::from(growth))]);
        // What an account's own floor keeps free for it is not for others to wait for. Nobody passes who was passed
        // often enough, or who has room now and was only not asked again yet.
        let passes = || {
            passed_by(state, &request.subject.uid, pool, &BTreeMap::from([(meter, growth)]))
                .any(|waiting| waiting.is_next() || could_go(state, waiting))
        };
        if *heeds_line && state.somebody_waits() && beyond_all_floors(path, &here()).grows() && passes() {
            return Err((meter, Filter::Queue));
        }
        if eaten(state, path, &together(situation, asks, (pool, meter, growth), taken)).is_some() {
            return Err((meter, Filter::Floor));
        }
    }
    Ok(left)
}

/// All that is known to change of a meter with `growth` more of it in `pool`: floors may lie across the pools of several
/// parts, and what a claim gives back elsewhere is there for them.
fn together<'a>(
    situation: &Situation<'a>,
    asks: &[Ask<'_>],
    (pool, meter, growth): Taken<'a>,
    taken: &[Taken<'a>],
) -> Change<'a> {
    let Situation { request, old, .. } = *situation;
    let laid = taken.iter().filter(|(of, what, _)| *what == meter && of.id != pool.id);
    let mut elsewhere: BTreeMap<&PoolId, (&'a Pool, u64)> = BTreeMap::new();
    laid.for_each(|(of, _, quantity)| elsewhere.entry(&of.id).or_insert((*of, 0)).1 += quantity);
    let more = elsewhere.values().map(|(of, quantity)| {
        let growth = quantity.saturating_sub(held(old, &of.id, meter));
        (meter, facts(of, &request.zone), i128::from(growth))
    });
    // A hold comes on top: nothing is given back for it.
    let old = old.filter(|_| request.hold_until.is_none());
    let mut given_up: BTreeMap<&PoolId, (Facts<'a>, i128)> = BTreeMap::new();
    for line in old.into_iter().flat_map(Claim::taken).filter(|line| line.meter == meter && line.pool != pool.id) {
        given_up.entry(&line.pool).or_insert((line.facts(), 0)).1 += i128::from(line.quantity);
    }
    let less = given_up.into_iter().filter_map(|(of, (facts, had))| {
        let asks = asks.iter().filter(|ask| ask.bound.as_ref() == Some(of)).flat_map(|ask| &ask.quantities);
        let asked: i128 = asks.filter(|(what, _)| *what == meter).map(|(_, quantity)| i128::from(*quantity)).sum();
        (asked < had).then_some((meter, facts, asked - had))
    });
    let here = (meter, facts(pool, &request.zone), i128::from(growth));
    Change::of([here].into_iter().chain(more).chain(less))
}
