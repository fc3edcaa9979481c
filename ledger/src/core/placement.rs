//! Where a request may lie: a chain of named filters over the pools, then a preference, with the reason for each pool.
//!
//! All placements of a request are placed at one site. Preference is the account's: domestic pools first where it says so,
//! then best fit (what leaves least behind) or spread (what leaves most), then name.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::{
    ask::{Ask, asks},
    packing::{Packing, Situation},
};
use super::{
    claim::{Claim, Line},
    dimensions::Dimensions,
    pool::{Pool, PoolId, PoolKind},
    refusal::{Refusal, RefusalCode},
    request::ClaimRequest,
    state::{Standing, State},
    waiting::{Waiting, finds_free_room},
};

mod ask;
mod packing;

pub(super) use ask::{held, lies_in};

/// Why a pool was left out. In the order asked.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::IntoStaticStr,
)]
pub enum Filter {
    /// The claim lies in another pool and does not move, or another pool is asked for by name.
    Bound,
    /// It does not serve the network zone.
    Zone,
    /// It may not carry the protection level.
    ProtectionLevel,
    /// It has another architecture.
    Architecture,
    /// It has another tier.
    Tier,
    /// It gives out storage of another type.
    StorageType,
    /// It takes no new claims.
    Open,
    /// It is at another site than what it is for, or its site has no pool for another part of the request.
    Site,
    /// It has no room.
    Capacity,
    /// What room it has is kept for floors of others.
    Floor,
    /// What room it has is kept for a request that waits longer.
    Queue,
}

/// What became of one pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolVerdict {
    /// The pool.
    pub pool: PoolId,
    /// The first filter that refused it; none if it could have been taken.
    pub refused_by: Option<Filter>,
}

/// What became of one placement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacementTrace {
    /// The kind of pool asked for.
    pub pool_kind: PoolKind,
    /// The architecture asked for.
    pub architecture: Option<String>,
    /// The tier asked for.
    pub tier: Option<String>,
    /// Every pool of the kind, by name.
    pub pools: Vec<PoolVerdict>,
    /// The pool taken.
    pub chosen: Option<PoolId>,
}

/// How a request was placed: for operators.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacementReport {
    /// One per part of the request.
    pub placements: Vec<PlacementTrace>,
}

/// The pools of one part's kind, each with the first filter that refuses it alone.
type Screened<'a> = Vec<(&'a Pool, Option<Filter>)>;

type Test = fn(&Ask<'_>, &Pool) -> bool;

/// The filters that look at one pool alone, in order.
const CHAIN: [(Filter, Test); 8] = [
    (Filter::Bound, |ask, pool| {
        ask.bound.as_ref().is_none_or(|bound| *bound == pool.id) && ask.named.is_none_or(|named| *named == pool.id)
    }),
    (Filter::Zone, |ask, pool| pool.zones.contains(ask.zone)),
    (Filter::ProtectionLevel, |ask, pool| pool.carries(ask.protection_level)),
    (Filter::Architecture, |ask, pool| ask.architecture.is_none_or(|want| pool.architecture.as_deref() == Some(want))),
    (Filter::Tier, |ask, pool| ask.tier.is_none_or(|want| pool.tier.as_deref() == Some(want))),
    // Without it a pool of disks would be full for ever to whoever asks for a bucket, and not the wrong one.
    (Filter::StorageType, |ask, pool| {
        pool.kind != PoolKind::Storage || ask.quantities.iter().all(|(meter, _)| pool.capacity.contains_key(meter))
    }),
    (Filter::Site, |ask, pool| ask.site.is_none_or(|want| pool.site == want)),
    (Filter::Open, |_, pool| pool.state == super::pool::PoolState::Open),
];

/// Places `request`; `old` is the open claim it amends. Gives the lines, or the refusal, and in both the report.
pub(super) fn place(
    state: &State,
    request: &ClaimRequest,
    path: &[Standing<'_>],
    old: Option<&Claim>,
) -> Result<(Vec<Line>, PlacementReport), Refusal> {
    place_in(&Situation { state, request, path, old, heeds_line: true })
}

/// Whether there is room for what waits, whoever stands before it.
fn could_go(state: &State, waiting: &Waiting) -> bool {
    let request = &waiting.request;
    let old = state.claim_of_subject(&request.subject.uid).map(AsRef::as_ref);
    // Laying out everybody who waits for a full pool would be long; most are told by its free room alone.
    if old.is_none() && !finds_free_room(state, request) {
        return false;
    }
    let Ok(path) = state.standings(&request.account) else { return false };
    place_in(&Situation { state, request, path: &path, old, heeds_line: false }).is_ok()
}

fn place_in(situation: &Situation<'_>) -> Result<(Vec<Line>, PlacementReport), Refusal> {
    let Situation { state, request, old, .. } = *situation;
    let asks = asks(state, request, old);
    // Per placement: every pool of its kind with the first lone filter that refuses it.
    let screened: Vec<Screened<'_>> = asks.iter().map(|ask| screen(state, ask)).collect();
    let mut sites: Vec<&str> = screened.iter().flatten().map(|(pool, _)| pool.site.as_str()).collect();
    sites.sort_unstable();
    sites.dedup();

    let fits = |site: &str| {
        screened.iter().all(|pools| pools.iter().any(|(pool, refused)| refused.is_none() && pool.site == site))
    };
    let fitting: Vec<&str> = sites.into_iter().filter(|site| fits(site)).collect();
    let packings: Vec<Packing<'_>> =
        fitting.iter().map(|site| Packing::at(situation, &asks, &screened, site)).collect();
    let best = packings.iter().filter(|packing| packing.short.is_none()).min_by_key(|packing| packing.preference());
    let report = report(&asks, &screened, &fitting, &packings, best);

    match best {
        Some(packing) => Ok((lines(&asks, packing, &request.zone), report)),
        None => Err(refuse(&asks, &screened, &packings, report)),
    }
}

fn screen<'a>(state: &'a State, ask: &Ask<'_>) -> Screened<'a> {
    let of_kind = state.pools().map(|record| &record.pool).filter(|pool| pool.kind == ask.kind);
    of_kind
        .map(|pool| {
            // What only shrinks stays where it is, whatever has become of the pool.
            let stays = !ask.grows && ask.bound.as_ref() == Some(&pool.id);
            let refused = CHAIN.iter().find(|(_, test)| !stays && !test(ask, pool)).map(|(filter, _)| *filter);
            (pool, refused)
        })
        .collect()
}

fn lines(asks: &[Ask<'_>], packing: &Packing<'_>, zone: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (ask, pool) in asks.iter().zip(&packing.chosen) {
        let (architecture, tier) = (pool.architecture.clone(), pool.tier.clone());
        let dimensions = Arc::new(Dimensions { pool: None, architecture, tier, zone: Some(zone.to_owned()) });
        for &(meter, quantity) in &ask.quantities {
            // A pool tells all dimensions but the zone, which is the same for all.
            if let Some(line) = lines.iter_mut().find(|line| line.meter == meter && line.pool == pool.id) {
                line.quantity += quantity;
            } else {
                let (pool, dimensions) = (pool.id.clone(), Arc::clone(&dimensions));
                lines.push(Line { meter, pool, dimensions, quantity });
            }
        }
    }
    lines.sort_by(|a, b| (a.meter, &a.pool).cmp(&(b.meter, &b.pool)));
    lines
}

fn report(
    asks: &[Ask<'_>],
    screened: &[Screened<'_>],
    fitting: &[&str],
    packings: &[Packing<'_>],
    best: Option<&Packing<'_>>,
) -> PlacementReport {
    let verdict = |index: usize, pool: &Pool, refused: Option<Filter>| {
        let here = |full: &&(usize, &PoolId, Filter)| full.0 == index && *full.1 == pool.id;
        let mut tried = packings.iter().flat_map(|packing| &packing.full);
        let mut full = || tried.find(here).map(|(_, _, filter)| *filter);
        let refused_by = match refused {
            Some(filter) => Some(filter),
            None if !fitting.contains(&pool.site.as_str()) => Some(Filter::Site),
            None => full(),
        };
        PoolVerdict { pool: pool.id.clone(), refused_by }
    };
    let trace = |(index, (ask, pools)): (usize, (&Ask<'_>, &Screened<'_>))| PlacementTrace {
        pool_kind: ask.kind,
        architecture: ask.architecture.map(str::to_owned),
        tier: ask.tier.map(str::to_owned),
        pools: pools.iter().map(|(pool, refused)| verdict(index, pool, *refused)).collect(),
        chosen: best.and_then(|packing| packing.chosen.get(index)).map(|pool| pool.id.clone()),
    };
    PlacementReport { placements: asks.iter().zip(screened).enumerate().map(trace).collect() }
}

/// Names the first placement that binds. Says nothing of what is free or who holds it.
fn refuse(asks: &[Ask<'_>], screened: &[Screened<'_>], packings: &[Packing<'_>], report: PlacementReport) -> Refusal {
    let short = packings.iter().find_map(|packing| packing.short);
    let nowhere = || screened.iter().position(|pools| pools.iter().all(|(_, refused)| refused.is_some()));
    let (code, index) = short.map_or_else(
        || (RefusalCode::NoMatchingPool, nowhere().unwrap_or_default()),
        |(index, _)| (RefusalCode::PoolExhausted, index),
    );
    let refusal = Refusal::new(code, report);
    let Some(ask) = asks.get(index) else { return refusal };
    let refusal = refusal
        .with("zone", ask.zone)
        .with("protectionLevel", ask.protection_level)
        .with("poolKind", ask.kind)
        .with_some("architecture", ask.architecture)
        .with_some("tier", ask.tier);
    match short {
        Some((_, meter)) => refusal
            .with("meter", meter)
            .with("unit", meter.unit())
            .with("requested", ask.growth.iter().find(|(of, _)| *of == meter).map_or(0, |(_, growth)| *growth)),
        None => refusal,
    }
}
