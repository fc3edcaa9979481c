//! Who waits for room in the pools (排队), in which order, and who may pass.
//!
//! First in, first out, with a bounded number of overtakings: what fits now may pass what does not fit, whichever of them
//! is asked about first, but nobody is passed
//! more than [`MAX_OVERTAKINGS`] times. After that the pools a request waits for are kept for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    account::AccountId,
    claim::{Claim, Line},
    dimensions::Dimensions,
    floor::needed_in,
    meter::Meter,
    placement::{held, lies_in},
    pool::{Pool, PoolState},
    request::{ClaimRequest, Placement},
    state::State,
};

/// How often a request that waits may be passed. Large requests wait longest: with 8 a hole of their size is kept after
/// at most 8 smaller ones went into it.
pub const MAX_OVERTAKINGS: u32 = 8;

/// A place in the line; lower came first. Never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub u64);

/// Why a request waits no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
pub enum Unqueued {
    /// It was granted.
    Granted,
    /// It was decided against.
    Refused,
    /// Its object is gone or asks for something else.
    Withdrawn,
}

/// A request in the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// Its place.
    pub ticket: Ticket,
    /// What is asked for.
    pub request: ClaimRequest,
    /// Since when.
    pub since: Timestamp,
    /// How often it was passed.
    pub overtaken: u32,
}

impl Waiting {
    /// Whether nobody may pass any more.
    pub const fn is_next(&self) -> bool {
        self.overtaken >= MAX_OVERTAKINGS
    }

    /// Whether it waits for room in `pool`, which it could lie in if that were empty enough.
    pub fn competes_for(&self, state: &State, pool: &Pool) -> bool {
        competes(state, &self.request, pool)
    }

    /// Whose it is.
    pub const fn account(&self) -> &AccountId {
        &self.request.account
    }
}

/// The claim that `request` would amend.
fn amended<'a>(state: &'a State, request: &ClaimRequest) -> Option<&'a Claim> {
    state.claim_of_subject(&request.subject.uid).map(AsRef::as_ref)
}

/// Whether `pool` is of the kind asked for and large enough, were it empty. What has a place does not move: another pool
/// than that of `old` is no use to it.
fn could_lie_in(state: &State, old: Option<&Claim>, placement: &Placement, pool: &Pool) -> bool {
    let is = |want: &Option<String>, is: &Option<String>| want.is_none() || want == is;
    let holds = |(meter, quantity): (&Meter, &u64)| pool.usable(*meter).is_none_or(|usable| *quantity <= usable);
    placement.pool_kind == pool.kind
        && is(&placement.architecture, &pool.architecture)
        && is(&placement.tier, &pool.tier)
        && placement.site.as_ref().is_none_or(|site| *site == pool.site)
        && placement.pool.as_ref().is_none_or(|named| *named == pool.id)
        && placement.quantities.iter().all(holds)
        && old.and_then(|claim| lies_in(state, claim, placement)).is_none_or(|bound| *bound == pool.id)
}

/// Those ahead of the object `uid` (of everybody, if it does not wait itself) that would find less than they need in
/// `pool` once `growth` more is taken from it. Where there is enough for both, nobody is passed.
pub(super) fn passed_by<'a>(
    state: &'a State,
    uid: &str,
    pool: &'a Pool,
    growth: &'a BTreeMap<Meter, u64>,
) -> impl Iterator<Item = &'a Waiting> {
    let own = state.waiting_of(uid).map(|waiting| waiting.ticket);
    state
        .waiting()
        .filter(move |other| own.is_none_or(|own| other.ticket < own))
        .filter(move |other| may_serve(&other.request, pool) && needs(state, other, pool, growth))
}

/// Whether a part of what `waiting` asks for, which could lie in `pool`, would not after `growth` more is taken there.
fn needs(state: &State, waiting: &Waiting, pool: &Pool, growth: &BTreeMap<Meter, u64>) -> bool {
    let old = amended(state, &waiting.request);
    let parts = waiting.request.placements.iter().filter(|placement| could_lie_in(state, old, placement, pool));
    parts.flat_map(|placement| &placement.quantities).any(|(meter, quantity)| {
        let grows = growth.get(meter).copied().unwrap_or(0);
        let lacks = quantity.saturating_sub(held(old, &pool.id, *meter));
        let free = pool.usable(*meter).map(|usable| usable.saturating_sub(state.pool_use(&pool.id, *meter)));
        grows > 0 && free.is_some_and(|free| free.saturating_sub(grows) < lacks)
    })
}

/// Whether each part of `request`, which has no claim yet, finds its quantity free in some pool: necessary for being
/// granted, not enough.
pub(super) fn finds_free_room(state: &State, request: &ClaimRequest) -> bool {
    request.placements.iter().all(|placement| {
        let mut pools = state.pools().map(|record| &record.pool);
        pools.any(|pool| {
            may_serve(request, pool)
                && could_lie_in(state, None, placement, pool)
                && placement.quantities.iter().all(|(meter, quantity)| {
                    let usable = pool.usable(*meter);
                    usable.is_none_or(|usable| state.pool_use(&pool.id, *meter).saturating_add(*quantity) <= usable)
                })
        })
    })
}

/// How many requests stand before `ticket` and want some of what `request` wants.
pub fn position(state: &State, ticket: Ticket, request: &ClaimRequest) -> usize {
    let pools: Vec<&Pool> =
        state.pools().map(|record| &record.pool).filter(|pool| competes(state, request, pool)).collect();
    // A request does not stand before itself: its old place goes when it asks for something else.
    let other_than_itself = |other: &Waiting| other.request.subject.uid != request.subject.uid;
    let rivals = |other: &&Waiting| {
        other.ticket < ticket && other_than_itself(other) && pools.iter().any(|pool| other.competes_for(state, pool))
    };
    state.waiting().filter(rivals).count()
}

/// Lines `request` could have one day, all at one site, were its pools empty but for the floors of other accounts; none
/// if waiting would be for ever.
pub(super) fn could_ever_lie(state: &State, request: &ClaimRequest) -> Option<Vec<Line>> {
    let pools: Vec<&Pool> = state.pools().map(|record| &record.pool).filter(|pool| may_serve(request, pool)).collect();
    let sites: BTreeSet<&str> = pools.iter().map(|pool| pool.site.as_str()).collect();
    sites.into_iter().find_map(|site| lines_at(state, request, site, &pools))
}

fn lines_at(state: &State, request: &ClaimRequest, site: &str, pools: &[&Pool]) -> Option<Vec<Line>> {
    let old = amended(state, request);
    let mut lines = Vec::new();
    for placement in &request.placements {
        let asked = || placement.quantities.iter().filter(|(_, quantity)| **quantity > 0);
        if asked().next().is_none() {
            continue;
        }
        let here = pools.iter().filter(|pool| pool.site == site && could_lie_in(state, old, placement, pool));
        let pool = here.into_iter().find(|pool| {
            asked().all(|(meter, quantity)| {
                let left =
                    pool.usable(*meter).map(|usable| usable.saturating_sub(promised(state, request, pool, *meter)));
                left.is_none_or(|left| *quantity <= left)
            })
        })?;
        lines.extend(asked().map(|(meter, quantity)| Line {
            meter: *meter,
            pool: pool.id.clone(),
            dimensions: Arc::new(Dimensions {
                pool: None,
                architecture: pool.architecture.clone(),
                tier: pool.tier.clone(),
                zone: Some(request.zone.clone()),
            }),
            quantity: *quantity,
        }));
    }
    Some(lines)
}

/// What floors of other trees keep free of a meter in a pool for ever.
fn promised(state: &State, request: &ClaimRequest, pool: &Pool, meter: Meter) -> u64 {
    let own = state.path(&request.account).ok().and_then(|path| path.last().map(|root| root.id.clone()));
    let roots = state.accounts().filter(|account| account.parent.is_none() && Some(&account.id) != own.as_ref());
    let floors = roots.flat_map(|root| root.floors()).filter(|floor| floor.meter == meter);
    let mut kinds: BTreeMap<&Dimensions, u128> = BTreeMap::new();
    floors.for_each(|floor| *kinds.entry(&floor.dimensions).or_default() += u128::from(floor.guaranteed));
    let floors: Vec<_> = kinds.into_iter().collect();
    if floors.is_empty() { 0 } else { u64::try_from(needed_in(state, pool, meter, &floors)).unwrap_or(u64::MAX) }
}

fn may_serve(request: &ClaimRequest, pool: &Pool) -> bool {
    pool.state == PoolState::Open && pool.zones.contains(&request.zone) && pool.carries(request.protection_level)
}

fn competes(state: &State, request: &ClaimRequest, pool: &Pool) -> bool {
    let old = amended(state, request);
    may_serve(request, pool) && request.placements.iter().any(|placement| could_lie_in(state, old, placement, pool))
}
