//! Leases (租期) of hosts: warned about, then ended (the machine is off), archived (the machine is gone, its disk is kept),
//! and released.
//!
//! What has happened is recorded with what was approved, in the ledger: a status that is lost, a controller that was away for
//! weeks, or shorter periods from today on take no time from anybody who was promised it. `progress` says what is due;
//! nothing here destroys anything: a release is a deletion like one that was asked for.

mod findings;
mod progress;
pub mod terms;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use jiyun_crds::v1alpha1::{CloudHost, DeletionProtection, LeaseStage, LeaseStatus, Power};
use jiyun_ledger::{Claim, ClaimStage};
use jiyun_messages::parameters;
use kube::{Api, ResourceExt};
use serde::Deserialize;
use tracing::info;

use super::{
    approved::Approved,
    change::{self, Objection},
    digest,
    rejection::Rejection,
};
use crate::{conditions::whole_seconds, context::Context, error::ReconcileError};

pub use findings::findings;
pub use progress::{Due, Facts, Lease};
pub use terms::Terms;

/// The latest end there can be, seen from the moment at which it is set: ten years.
const LONGEST: SignedDuration = SignedDuration::from_hours(3653 * 24);

/// What the end of a lease is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Now.
    pub now: Timestamp,
    /// The end that was granted already: that one is not judged again.
    pub granted: Option<Timestamp>,
}

impl Check {
    /// What the lease of `host` is judged by.
    pub fn of(host: &CloudHost, context: &Context) -> Self {
        let uid = host.metadata.uid.as_deref().unwrap_or_default();
        let is_granted = |claim: &&Arc<Claim>| claim.is_open() && claim.stage() != ClaimStage::Held;
        let granted =
            context.ledger.read(|state| state.claim_of_subject(uid).filter(is_granted).and_then(|claim| end_of(claim)));
        Self { now: Timestamp::now(), granted }
    }

    /// The end that is asked for, if it may be asked for.
    ///
    /// # Errors
    /// When it is no moment, in the past, or further ahead than ten years.
    fn judge(self, ends_at: Timestamp) -> Result<Timestamp, Rejection> {
        let refused = |code: &'static str, bound: Timestamp| {
            let (at, bound) = (whole_seconds(ends_at).to_string(), whole_seconds(bound).to_string());
            let about = [("field", "spec.lease.endsAt"), ("at", at.as_str()), ("bound", bound.as_str())];
            Rejection::misconfigured(code, parameters(about))
        };
        if self.granted == Some(ends_at) {
            return Ok(ends_at);
        }
        if ends_at <= self.now {
            return Err(refused("LeaseInPast", self.now));
        }
        let latest = self.now.checked_add(LONGEST).unwrap_or(Timestamp::MAX);
        if ends_at > latest { Err(refused("LeaseTooLong", latest)) } else { Ok(ends_at) }
    }
}

/// The lease that `host` asks for; without a `check` any moment will do.
///
/// # Errors
/// The field that is wrong and what to do.
pub fn wished(host: &CloudHost, check: Option<Check>) -> Result<Option<Lease>, Rejection> {
    let Some(lease) = &host.spec.lease else { return Ok(None) };
    let ends_at = lease.ends_at.timestamp().map_err(|_| {
        let about = parameters([("field", "spec.lease.endsAt"), ("value", lease.ends_at.as_str())]);
        Rejection::misconfigured("InvalidDate", about)
    })?;
    let ends_at = check.map_or(Ok(ends_at), |check| check.judge(ends_at))?;
    Ok(Some(Lease::until(ends_at)))
}

/// When the lease of a claim ends, as it was granted.
fn end_of(claim: &Claim) -> Option<Timestamp> {
    Timestamp::deserialize(claim.approved_spec.pointer("/lease/endsAt")?).ok()
}

/// Whether a claim's machine was taken down for the end of its lease.
pub fn is_archived(claim: &Claim) -> bool {
    claim.approved_spec.pointer("/lease/archived").is_some()
}

/// Whether people have to agree before a lease `granted` becomes the one that is `asked` for: a later end, or none.
pub fn is_more(granted: Option<&Lease>, asked: Option<&Lease>) -> bool {
    match (granted, asked) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(granted), Some(asked)) => asked.ends_at > granted.ends_at,
    }
}

/// Whether both end at the same moment, or never.
pub fn same(granted: Option<&Lease>, asked: Option<&Lease>) -> bool {
    granted.map(|lease| lease.ends_at) == asked.map(|lease| lease.ends_at)
}

/// The lease after a change to what is `asked` for. A new end begins anew: what had ended runs again.
pub fn changed(granted: Option<Lease>, asked: Option<Lease>) -> Option<Lease> {
    if same(granted.as_ref(), asked.as_ref()) { granted } else { asked }
}

/// Whether a host is to run: as it is asked for, unless its lease has ended.
pub fn power(host: &CloudHost, approved: &Approved) -> Power {
    match &approved.lease {
        Some(lease) if lease.is_over() => Power::Stopped,
        _ => host.spec.power,
    }
}

/// How a lease stands, as a status says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// For the status.
    pub status: LeaseStatus,
    /// When to look again.
    pub next: Option<Timestamp>,
}

impl Standing {
    /// Whether it has ended, and that was recorded.
    pub const fn is_over(&self) -> bool {
        matches!(self.status.stage, LeaseStage::Ended | LeaseStage::Archived | LeaseStage::Released)
    }
}

/// The lease of a host that is being taken down, as its status had it: released, if that is why.
pub fn released(before: LeaseStatus) -> LeaseStatus {
    let is_why = before.stage == LeaseStage::Archived && before.release_at.is_some();
    let stage = if is_why { LeaseStage::Released } else { before.stage };
    LeaseStatus { stage, ..before }
}

/// Whether something else is asked for than what was `approved`, and nobody has decided against it: people are asked, or have
/// agreed a moment ago and it is not in the book yet.
fn is_asked(host: &CloudHost, approved: &Approved, objection: Option<&Objection>) -> bool {
    let deletable = host.spec.deletion_protection == DeletionProtection::Disabled;
    let is_leased = wished(host, None).is_ok_and(|asked| same(approved.lease.as_ref(), asked.as_ref()));
    if approved.deletable && !deletable {
        // It is to be protected: that is asked of nobody, and only waits to be recorded.
        return true;
    }
    let differs = !is_leased || deletable != approved.deletable;
    differs && objection.is_none_or(Objection::awaits_an_answer)
}

/// Takes the step that is due of the lease of `host`, if one is; gives claim and lease as they are then. Where a machine
/// follows from it, it is recorded first.
///
/// # Errors
/// When the ledger cannot be asked, or Kubernetes does not take the deletion.
pub async fn advance(
    host: &CloudHost,
    claim: Arc<Claim>,
    approved: Approved,
    objection: Option<&Objection>,
    context: &Context,
) -> Result<(Arc<Claim>, Approved), ReconcileError> {
    let Some(lease) = approved.lease.as_ref().filter(|_| !context.quarantined()) else {
        return Ok((claim, approved));
    };
    let now = Timestamp::now();
    let asked = is_asked(host, &approved, objection);
    let Some(due) = lease.due(Facts { now, protected: !approved.deletable, asked }) else {
        return Ok((claim, approved));
    };
    info!(
        host.namespace = host.namespace(),
        host.name = host.name_any(),
        claim = %claim.id,
        ends_at = %lease.ends_at,
        step = due.word(),
        "a lease is over"
    );
    if due == Due::Release {
        let api = Api::<CloudHost>::namespaced(context.client.clone(), &host.namespace().unwrap_or_default());
        // Of this very version: whoever protects it in this moment, or asks for more time, is heard. It is taken down like
        // any other: `ending` records the end before anything is destroyed.
        context.writer.delete(&api, host).await?;
        return Ok((claim, approved));
    }
    let lease = lease.after(due, &context.lease_terms, !approved.deletable, whole_seconds(now));
    let approved = Approved { lease: Some(lease), ..approved };
    let wish = digest::of_wish(&claim.spec_digest).to_owned();
    let claim = change::apply(&claim, &approved, &wish, context).await?;
    // Refused, it was not recorded: the book is being checked.
    let approved = Approved::of(&claim)?;
    Ok((claim, approved))
}

/// How the lease of what was `approved` stands now.
pub fn standing(approved: &Approved, terms: &Terms, now: Timestamp) -> Option<Standing> {
    let lease = approved.lease.as_ref()?;
    let protected = !approved.deletable;
    Some(Standing { status: lease.status(terms, protected, now), next: lease.next(terms, protected, now) })
}

/// How long until a little after the next step of a lease, so that it has come; `None` where there is none, and where it has
/// come and waits for something else.
pub fn next_look(standing: Option<&Standing>, now: Timestamp) -> Option<Duration> {
    let next = standing?.next.filter(|next| *next > now)?;
    Some(next.duration_since(now).unsigned_abs() + Duration::from_millis(100))
}

#[cfg(test)]
#[path = "lease/tests.rs"]
mod tests;
