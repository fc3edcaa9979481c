//! What objects with a claim of the ledger have in common: what their status keeps of it, and what follows from that.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{
    CloudBucket, CloudDatabase, CloudHost, CloudSnapshot, CloudVolume, ConditionStatus, ConditionType, HostRefusal,
    NetworkFlow, Reason, condition,
};
use jiyun_ledger::{Claim, ClaimId, ClaimStage, Refusal, RefusalCode};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;

use crate::{
    claims::kept,
    context::Context,
    host::{handed, rejection::Rejection, report::is_young},
    order,
};

/// An object that asks the ledger for a claim.
pub trait Claimed: Resource<DynamicType = ()> {
    /// What its status keeps; nothing before it was written once.
    fn told(&self) -> Option<Told<'_>>;

    /// Whether the claim its status names is another object's now, as the ledger says.
    fn went_elsewhere(&self, _context: &Context) -> bool {
        false
    }
}

/// What a status keeps of what was decided.
pub struct Told<'a> {
    /// The claim it names.
    claim: Option<&'a str>,
    /// The order it names.
    order: Option<&'a str>,
    /// The refusal that stands.
    pub refusal: Option<&'a HostRefusal>,
    /// The generation it is about.
    pub generation: Option<i64>,
    /// Digest of the wish it is about.
    digest: Option<&'a str>,
    conditions: &'a [Condition],
}

macro_rules! told {
    ($($more:item)?) => {
        fn told(&self) -> Option<Told<'_>> {
            let status = self.status.as_ref()?;
            Some(Told {
                claim: status.claim_id.as_deref(),
                order: status.order_ref.as_ref().map(|order| order.name.as_str()),
                refusal: status.refusal.as_ref(),
                generation: status.observed_generation,
                digest: status.spec_digest.as_deref(),
                conditions: &status.conditions,
            })
        }

        $($more)?
    };
}

impl Claimed for CloudHost {
    told! {
        fn went_elsewhere(&self, context: &Context) -> bool {
            handed::is_over(self, context)
        }
    }
}

impl Claimed for CloudDatabase {
    told! {}
}

impl Claimed for CloudVolume {
    told! {}
}

impl Claimed for CloudBucket {
    told! {}
}

impl Claimed for CloudSnapshot {
    told! {}
}

impl Claimed for NetworkFlow {
    told! {}
}

/// Has the orders looked at that wait for this object: `order`, and the one its status names.
pub fn wake_order(object: &impl Claimed, order: Option<&str>, context: &Context) {
    let told = object.told().and_then(|told| told.order);
    order::wake_orders(object.meta(), [order, told], context);
}

/// When to look again for what is on its way to us.
pub const ON_ITS_WAY: Duration = Duration::from_millis(100);

/// Whether what a new object names may only not have been shown to us yet: often it was made a moment before it, and each
/// kind has a watch of its own.
pub fn may_come(object: &impl Claimed, rejection: Option<&Rejection>, now: Timestamp) -> bool {
    let missing = rejection.is_some_and(|rejection| rejection.reason == Reason::UnknownReference);
    missing && object.told().is_none() && is_young(object.meta(), now)
}

/// The claim about which an object without one of its own and the ledger disagree: one that an earlier object of its name
/// holds (both were restored, or a finalizer was forced off), one that its status names and the ledger does not know, or
/// one that the ledger has seen released while the object lives on.
pub fn disputed(object: &impl Claimed, context: &Context) -> Option<String> {
    match of_name(object, context) {
        // It will be released, and then the name is free.
        Some(claim) if claim.stage() == ClaimStage::Ending => None,
        Some(claim) => Some(claim.id.to_string()),
        None if object.went_elsewhere(context) => None,
        None => object.told()?.claim.map(str::to_owned),
    }
}

/// Whether a claim of this name is still being taken down.
pub fn is_taken(object: &impl Claimed, context: &Context) -> bool {
    of_name(object, context).is_some()
}

fn of_name<K: Claimed>(object: &K, context: &Context) -> Option<Arc<Claim>> {
    let (namespace, name) = (object.meta().namespace.as_deref()?, object.meta().name.as_deref()?);
    context.ledger.read(|state| state.claim_of_object(&K::kind(&()), namespace, name).cloned())
}

/// What keeps an object without an open claim from going: a claim its status names, unless the ledger says that it was this
/// object's and was released, or handed over.
pub fn unaccounted<'a>(object: &'a impl Claimed, context: &Context) -> Option<&'a str> {
    let claimed = object.told()?.claim?;
    let uid = object.meta().uid.as_deref().unwrap_or_default();
    let released = |id: ClaimId| {
        let theirs = |claim: &Arc<Claim>| !claim.is_open() && claim.subject.uid == uid;
        context.ledger.read(|state| state.claim(id).is_some_and(theirs))
    };
    let settled = claimed.parse().is_ok_and(released) || object.went_elsewhere(context);
    if settled { None } else { Some(claimed) }
}

/// The refusal the status holds for this very wish. [`RefusalCode::NoMatchingPool`] does not stand: a pool may be on its way
/// in the same commit as the wish, and asking again costs nothing. Nor does a place in line: whoever has one asks again.
pub fn standing_refusal(object: &impl Claimed, digest: &str) -> Option<Refusal> {
    let told = object.told()?;
    let refusal = told.refusal.filter(|_| told.digest == Some(digest))?;
    let asks_again = |code| matches!(code, RefusalCode::NoMatchingPool | RefusalCode::WaitingForCapacity);
    kept(refusal).filter(|refusal| !asks_again(refusal.code))
}

/// The refusal that the status holds for this very change: not for a start, and none of an order's.
pub fn refused_change(object: &impl Claimed, digest: &str) -> Option<Refusal> {
    let told = object.told().filter(|told| told.order.is_none())?;
    let accepted = condition::find(told.conditions, ConditionType::Accepted)?;
    let refusal = standing_refusal(object, digest)?;
    let is_of_change =
        accepted.status == ConditionStatus::False.as_str() && accepted.reason == refusal.code.to_string();
    is_of_change.then_some(refusal)
}
