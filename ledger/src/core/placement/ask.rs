//! One part of a request, with what the claim it amends holds of it already.

use super::super::{
    claim::Claim,
    meter::Meter,
    pool::{PoolId, PoolKind},
    request::{ClaimRequest, Placement},
    state::State,
};

/// What must come out of one pool.
pub(super) struct Ask<'a> {
    pub(super) kind: PoolKind,
    pub(super) zone: &'a str,
    pub(super) protection_level: u8,
    pub(super) architecture: Option<&'a str>,
    pub(super) tier: Option<&'a str>,
    pub(super) site: Option<&'a str>,
    /// The pool it must be.
    pub(super) named: Option<&'a PoolId>,
    /// How much in all, by meter; no zeros.
    pub(super) quantities: Vec<(Meter, u64)>,
    /// How much more than the claim holds there; no zeros.
    pub(super) growth: Vec<(Meter, u64)>,
    /// The pool the claim lies in.
    pub(super) bound: Option<PoolId>,
    /// Whether anything grows.
    pub(super) grows: bool,
}

impl Ask<'_> {
    fn want(&mut self, meter: Meter, quantity: u64) {
        match self.quantities.binary_search_by_key(&meter, |(of, _)| *of) {
            Ok(place) => {
                if let Some((_, sum)) = self.quantities.get_mut(place) {
                    *sum += quantity;
                }
            }
            Err(place) => self.quantities.insert(place, (meter, quantity)),
        }
    }
}

/// The parts of `request`: placements that ask alike are one, those that ask for nothing are none.
pub(super) fn asks<'a>(state: &State, request: &'a ClaimRequest, old: Option<&Claim>) -> Vec<Ask<'a>> {
    let mut asks: Vec<Ask<'a>> = Vec::new();
    for placement in &request.placements {
        let wanted = placement.quantities.iter().filter(|(_, quantity)| **quantity > 0);
        let same = |ask: &&mut Ask<'a>| {
            ask.kind == placement.pool_kind
                && ask.architecture == placement.architecture.as_deref()
                && ask.tier == placement.tier.as_deref()
                && ask.site == placement.site.as_deref()
                && ask.named == placement.pool.as_ref()
        };
        if let Some(ask) = asks.iter_mut().find(same) {
            wanted.for_each(|(meter, quantity)| ask.want(*meter, *quantity));
        } else if wanted.clone().next().is_some() {
            asks.push(Ask {
                kind: placement.pool_kind,
                zone: &request.zone,
                protection_level: request.protection_level,
                architecture: placement.architecture.as_deref(),
                tier: placement.tier.as_deref(),
                site: placement.site.as_deref(),
                named: placement.pool.as_ref(),
                quantities: wanted.map(|(meter, quantity)| (*meter, *quantity)).collect(),
                growth: Vec::new(),
                bound: old.and_then(|claim| lies_in(state, claim, placement)).cloned(),
                grows: true,
            });
        }
    }
    for ask in &mut asks {
        ask.growth = growth(ask, old);
        ask.grows = !ask.growth.is_empty();
    }
    asks
}

/// The pool `claim` holds this part in.
pub(in super::super) fn lies_in<'a>(state: &State, claim: &'a Claim, placement: &Placement) -> Option<&'a PoolId> {
    let fits = |want: &Option<String>, is: &Option<String>| want.is_none() || want == is;
    let mut lines = claim.taken().filter(|line| {
        state.pool(&line.pool).is_some_and(|pool| pool.kind == placement.pool_kind)
            && fits(&placement.architecture, &line.dimensions.architecture)
            && fits(&placement.tier, &line.dimensions.tier)
    });
    lines.next().map(|line| &line.pool)
}

fn growth(ask: &Ask<'_>, old: Option<&Claim>) -> Vec<(Meter, u64)> {
    let more = ask.quantities.iter().map(|&(meter, quantity)| {
        let had = match &ask.bound {
            Some(pool) => held(old, pool, meter),
            None => 0,
        };
        (meter, quantity.saturating_sub(had))
    });
    more.filter(|(_, more)| *more > 0).collect()
}

/// What the claim takes of `meter` from `pool`.
pub(in super::super) fn held(claim: Option<&Claim>, pool: &PoolId, meter: Meter) -> u64 {
    let lines = claim.into_iter().flat_map(Claim::taken);
    lines.filter(|line| line.meter == meter && line.pool == *pool).map(|line| line.quantity).sum()
}
