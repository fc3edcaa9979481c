//! Who waits for room in the pools (排队), in which order, and who may pass.
//!
//! First in, first out, with a bounded number of overtakings: what fits now may pass what does not, but nobody is passed
//! more than [`MAX_OVERTAKINGS`] times. After that the pools a request waits for are kept for it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    account::AccountId,
    meter::Meter,
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
    pub fn competes_for(&self, pool: &Pool) -> bool {
        competes(&self.request, pool)
    }

    /// Whose it is.
    pub const fn account(&self) -> &AccountId {
        &self.request.account
    }
}

/// Whether `pool` is of the kind asked for and large enough, were it empty.
fn could_lie_in(placement: &Placement, pool: &Pool) -> bool {
    let is = |want: &Option<String>, is: &Option<String>| want.is_none() || want == is;
    let holds = |(meter, quantity): (&Meter, &u64)| pool.usable(*meter).is_none_or(|usable| *quantity <= usable);
    placement.pool_kind == pool.kind
        && is(&placement.architecture, &pool.architecture)
        && is(&placement.tier, &pool.tier)
        && placement.quantities.iter().all(holds)
}

/// Those ahead of the object `uid` (of everybody, if it does not wait itself) that compete for `pool`.
pub(super) fn ahead_of<'a>(state: &'a State, uid: &str, pool: &Pool) -> impl Iterator<Item = &'a Waiting> {
    let own = state.waiting_of(uid).map(|waiting| waiting.ticket);
    let pool = pool.clone();
    state
        .waiting()
        .filter(move |other| own.is_none_or(|own| other.ticket < own))
        .filter(move |other| other.competes_for(&pool))
}

/// How many requests stand before `ticket` and want some of what `request` wants.
pub fn position(state: &State, ticket: Ticket, request: &ClaimRequest) -> usize {
    let pools: Vec<&Pool> = state.pools().map(|record| &record.pool).filter(|pool| competes(request, pool)).collect();
    // A request does not stand before itself: its old place goes when it asks for something else.
    let other_than_itself = |other: &Waiting| other.request.subject.uid != request.subject.uid;
    let rivals = |other: &&Waiting| {
        other.ticket < ticket && other_than_itself(other) && pools.iter().any(|pool| other.competes_for(pool))
    };
    state.waiting().filter(rivals).count()
}

/// Whether every part of `request` could lie in some pool, were it empty: else waiting would be for ever.
pub(super) fn could_ever_lie(state: &State, request: &ClaimRequest) -> bool {
    let asked = request.placements.iter().filter(|placement| placement.quantities.values().any(|much| *much > 0));
    asked.into_iter().all(|placement| {
        let pools = state.pools().map(|record| &record.pool);
        pools.filter(|pool| may_serve(request, pool)).any(|pool| could_lie_in(placement, pool))
    })
}

fn may_serve(request: &ClaimRequest, pool: &Pool) -> bool {
    pool.state == PoolState::Open && pool.zones.contains(&request.zone) && pool.carries(request.protection_level)
}

fn competes(request: &ClaimRequest, pool: &Pool) -> bool {
    may_serve(request, pool) && request.placements.iter().any(|placement| could_lie_in(placement, pool))
}
