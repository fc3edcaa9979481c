//! Plan: the one step that is due for a host, from what both departments and the ledger hold. The same wherever it was
//! broken off. No client, no clock.

use jiff::Timestamp;
use jiyun_crds::{names::ANNOTATION_HANDOVER, v1alpha1::CloudHost};
use jiyun_ledger::{AccountId, Claim, ClaimStage, State};
use jiyun_messages::{Parameters, parameters};
use kube::ResourceExt;

use super::{
    build::{free_name, mark},
    valid::Route,
};

/// What there is of one host.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The giver's object.
    pub host: &'a CloudHost,
    /// The claim that is still its own.
    pub claim: Option<&'a Claim>,
    /// The claim that went from it.
    pub gone: Option<&'a Claim>,
    /// The taker's object: the one made for it, or the one that holds the claim that went.
    pub made: Option<&'a CloudHost>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Mark the giver's object: from now on nobody changes or deletes it.
    Mark,
    /// Make the taker's object of this name, marked.
    Make(String),
    /// Give the claim to the taker's object.
    Transfer,
    /// Take the mark off the taker's object: it is the taker's now.
    FreeMade,
    /// Delete the giver's object, which leaves without its claim.
    Remove,
    /// Delete the taker's object, for which there is no claim.
    RemoveMade,
    /// Take the mark off the giver's object: it stays where it is.
    Free,
}

/// How it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// With this step.
    Do(Step),
    /// By itself: something is on its way.
    Wait,
    /// Not at all: it stays with the giver, as a withdrawn handover leaves it.
    Stay,
    /// Not until somebody has done something about it.
    Fail(&'static str, Parameters),
}

/// The step that is due.
pub fn next(facts: Facts<'_>, route: &Route, is_taken: impl Fn(&str) -> bool) -> Next {
    match (facts.gone, facts.claim) {
        (Some(_), _) => after(facts),
        (None, _) if route.withdrawn => withdrawn(facts, route),
        (None, Some(claim)) => before(facts, claim, route, is_taken),
        (None, None) => unclaimed(facts),
    }
}

/// The claim has gone over: everything else follows.
fn after(facts: Facts<'_>) -> Next {
    match facts.made.filter(|made| marked(made).is_some()) {
        Some(_) => Next::Do(Step::FreeMade),
        None if facts.host.metadata.deletion_timestamp.is_none() => Next::Do(Step::Remove),
        None => Next::Wait,
    }
}

fn before(facts: Facts<'_>, claim: &Claim, route: &Route, is_taken: impl Fn(&str) -> bool) -> Next {
    let (host, name) = (facts.host, facts.host.name_any());
    if claim.stage() == ClaimStage::Ending || host.metadata.deletion_timestamp.is_some() {
        return facts.made.map_or(Next::Wait, remove_made);
    }
    if claim.stage() == ClaimStage::Held {
        return Next::Fail("HostNotGranted", Parameters::new());
    }
    // Until its status names the claim, nothing tells this object from a new one once the claim has gone.
    let claimed = host.status.as_ref().and_then(|status| status.claim_id.as_deref());
    if claimed != Some(claim.id.to_string().as_str()) {
        return Next::Wait;
    }
    match marked(host) {
        None => return Next::Do(Step::Mark),
        Some(other) if other != mark(&route.handover, &name) => {
            let handover = other.split('/').next().unwrap_or_default();
            return Next::Fail("HostInOtherHandover", parameters([("handover", handover)]));
        }
        Some(_) => {}
    }
    match facts.made {
        Some(made) if made.metadata.deletion_timestamp.is_some() => Next::Wait,
        Some(_) => Next::Do(Step::Transfer),
        None => match free_name(&name, &route.from, is_taken) {
            Some(name) => Next::Do(Step::Make(name)),
            None => Next::Fail("HostNameTaken", parameters([("name", name)])),
        },
    }
}

/// A wish that was never granted, or whose claim is gone: there is nothing to give away.
fn unclaimed(facts: Facts<'_>) -> Next {
    match facts.made {
        Some(made) => remove_made(made),
        None if facts.host.metadata.deletion_timestamp.is_some() => Next::Wait,
        None if marked(facts.host).is_some() => Next::Do(Step::Free),
        None => Next::Fail("HostNotGranted", Parameters::new()),
    }
}

fn withdrawn(facts: Facts<'_>, route: &Route) -> Next {
    match facts.made {
        Some(made) => remove_made(made),
        None if marked(facts.host) == Some(&mark(&route.handover, &facts.host.name_any())) => Next::Do(Step::Free),
        None => Next::Stay,
    }
}

/// For a taker's object whose giver's object is not there any more.
pub fn without_giver(made: &CloudHost, holds_claim: bool) -> Next {
    if holds_claim { Next::Do(Step::FreeMade) } else { remove_made(made) }
}

fn remove_made(made: &CloudHost) -> Next {
    if made.metadata.deletion_timestamp.is_some() { Next::Wait } else { Next::Do(Step::RemoveMade) }
}

/// The handover in whose hands an object is.
pub fn marked(host: &CloudHost) -> Option<&str> {
    host.annotations().get(ANNOTATION_HANDOVER).map(String::as_str)
}

/// Hosts that have gone over since the handover began, as the ledger has it and by its clock.
pub fn moved(state: &State, route: &Route, since: Timestamp) -> u64 {
    let went = |claim: &&std::sync::Arc<Claim>| {
        let takers = claim.holders().into_iter().skip(1);
        let gave = claim.history.iter().filter_map(|version| Some((version.until, version.holder.as_ref()?)));
        gave.zip(takers).any(|((until, giver), taker)| {
            until >= since
                && giver.account.as_str() == route.from
                && taker.account.as_str() == route.to
                && route.only.as_ref().is_none_or(|only| *only == giver.system)
        })
    };
    state.claims_of(&AccountId::new(&route.from)).filter(went).count() as u64
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
