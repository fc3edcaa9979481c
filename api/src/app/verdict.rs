//! What the controller has decided about a host, a database, a volume, a bucket or a snapshot, read off its conditions.

use jiyun_crds::v1alpha1::{
    ConditionStatus, ConditionType,
    condition::{Reason, find},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::noun::Decidable;
use crate::model::host::HostState;

/// How a request stands.
#[derive(Clone, Debug)]
pub enum Verdict<'a> {
    /// The claim is booked.
    Granted,
    /// Decided against; the condition that says so.
    Refused(&'a Condition),
    /// Not decided yet.
    Open,
}

/// The verdict on what `object` asks for now. Conditions about an older generation say nothing about it.
pub fn verdict(object: &impl Decidable) -> Verdict<'_> {
    let (conditions, generation) = (object.conditions(), object.meta().generation);
    let current = |kind| {
        let fresh = |condition: &&Condition| generation.is_some() && condition.observed_generation == generation;
        find(conditions, kind).filter(fresh)
    };
    let is = |condition: &Condition, status: ConditionStatus| condition.status == status.as_str();
    // An edit the platform cannot use leaves what was granted before in force, so the grant comes first. What waits for
    // its source is looked at again by itself.
    match (current(ConditionType::Accepted), current(ConditionType::Admitted)) {
        (_, Some(admitted)) if is(admitted, ConditionStatus::True) => Verdict::Granted,
        (Some(accepted), _)
            if is(accepted, ConditionStatus::False) && accepted.reason != Reason::AwaitingSource.as_str() =>
        {
            Verdict::Refused(accepted)
        }
        // "Undecided" and "quarantined" are no decisions: they are tried again without anybody's doing. Nor is a place in
        // line, whose condition is neither true nor false.
        (_, Some(admitted))
            if is(admitted, ConditionStatus::False)
                && admitted.reason != Reason::Undecided.as_str()
                && admitted.reason != Reason::Quarantined.as_str() =>
        {
            Verdict::Refused(admitted)
        }
        _ => Verdict::Open,
    }
}

/// How far the platform has come with `object`, in one word.
pub fn state(object: &impl Decidable) -> HostState {
    if object.meta().deletion_timestamp.is_some() {
        return HostState::Deleting;
    }
    let ready = find(object.conditions(), ConditionType::Ready).is_some_and(|condition| {
        condition.status == ConditionStatus::True.as_str() && condition.observed_generation == object.meta().generation
    });
    match verdict(object) {
        Verdict::Refused(_) => HostState::Refused,
        Verdict::Granted if ready => HostState::Ready,
        Verdict::Granted => HostState::Granted,
        Verdict::Open => HostState::Pending,
    }
}
