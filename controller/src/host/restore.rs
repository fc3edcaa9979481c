//! Restoring a host in place (恢复): its system disk is made anew from a snapshot that was taken of it, while the host is
//! off.
//!
//! The intent is recorded first, with what was approved; every step after it follows from that and from what is there,
//! and the end is recorded when the new disk has all of its content.

use std::sync::Arc;

use jiff::Timestamp;
use jiyun_crds::{
    names::{ANNOTATION_HANDOVER, system_disk_name},
    v1alpha1::{CloudHost, Power, Reason, Restore},
};
use jiyun_ledger::{Claim, ClaimStage, LedgerError, RequestError};
use jiyun_messages::parameters;
use kube::{Api, ResourceExt};
use serde_json::Value;
use tracing::info;

use super::{
    approved::Approved,
    change, claim_label, digest, lease,
    rejection::Rejection,
    request::{engine_name, engine_namespace},
    whereabouts,
};
use crate::{
    conditions::whole_seconds,
    content::{
        self, RESTORED_FROM, Restoration,
        anew::{self, Anew, Came, Door, Guard, Progress, Restoring},
        restoring::{self, Step},
    },
    context::Context,
    engines::{
        cdi,
        kubevirt::{self, InstanceView, MachineView},
        order,
    },
    error::ReconcileError,
    site::SiteEngines,
    snapshot::usage::being_taken,
};

/// How a host stands with the restore that is asked for.
pub struct Settled {
    /// Its claim.
    pub claim: Arc<Claim>,
    /// What was approved of it.
    pub approved: Approved,
    /// Why a restore that is due does not begin. Of one that has begun `drive` says how far it is.
    pub restoring: Option<Restoring>,
}

impl Settled {
    fn as_it_is(claim: Arc<Claim>, approved: Approved) -> Self {
        Self { claim, approved, restoring: None }
    }
}

/// What comes of a restore that is due.
enum Due {
    /// It begins, from this.
    Begins(content::Content),
    /// It does not, for this.
    Stays(Restoring),
    /// It does not; or that is told otherwise, or it is looked at again anyway.
    Nothing,
}

/// The restore that is under way.
pub fn under_way(approved: &Approved) -> Option<&Restoration> {
    approved.restored.as_ref().filter(|restored| restored.is_under_way())
}

/// Whether a restore is under way that is not asked for any more.
pub fn is_taken_back(host: &CloudHost, approved: &Approved) -> bool {
    under_way(approved).is_some_and(|restoration| !restoration.is_asked(host.spec.restore.as_ref()))
}

/// Whether a host is to run: as it is asked for, unless its lease is over, or its disk is not there. What
/// `has_its_disk`, since its machine is on while the book is being checked, or its restore is not asked for, is not
/// switched off for what that says: the restore may be long over.
pub fn power(host: &CloudHost, approved: &Approved, has_its_disk: bool) -> Power {
    if under_way(approved).is_some() && !has_its_disk { Power::Stopped } else { lease::power(host, approved) }
}

/// Records that a restore begins, where one is due and may, and that one is done, where its disk is whole. One that is
/// under way and has come to nothing gives way to a later one.
///
/// # Errors
/// When the ledger or the engines cannot be asked.
pub async fn settle(
    host: &CloudHost,
    claim: Arc<Claim>,
    approved: Approved,
    context: &Context,
) -> Result<Settled, ReconcileError> {
    if let Some(restoration) = under_way(&approved).filter(|restoration| is_whole(&claim, restoration, context)) {
        let done = restoration.done(whole_seconds(Timestamp::now()));
        let snapshot = done.content.snapshot.clone();
        info!(host.namespace = host.namespace(), host.name = host.name_any(), claim = %claim.id, snapshot, "restored");
        let (claim, approved) = record(&claim, &approved, Some(done), context).await?;
        return Ok(Settled::as_it_is(claim, approved));
    }
    let Some((asked, requested_at)) = due(host, &claim, &approved, context) else {
        return Ok(Settled::as_it_is(claim, approved));
    };
    match Box::pin(weigh(host, asked, requested_at, &claim, &approved, context)).await? {
        Due::Nothing => Ok(Settled::as_it_is(claim, approved)),
        Due::Stays(why) => Ok(Settled { restoring: Some(why), ..Settled::as_it_is(claim, approved) }),
        Due::Begins(from) => {
            let snapshot = from.snapshot.clone();
            let begun = Restoration::begun(from, requested_at, approved.restored.as_ref());
            let (claim, approved) = record(&claim, &approved, Some(begun), context).await?;
            info!(
                host.namespace = host.namespace(),
                host.name = host.name_any(),
                claim = %claim.id,
                snapshot,
                %requested_at,
                "a restore begins, as its host asks"
            );
            Ok(Settled::as_it_is(claim, approved))
        }
    }
}

/// The restore that is due, and its moment.
fn due<'a>(
    host: &'a CloudHost,
    claim: &Claim,
    approved: &Approved,
    context: &Context,
) -> Option<(&'a Restore, Timestamp)> {
    let asked = host.spec.restore.as_ref()?;
    let made = host.metadata.creation_timestamp.as_ref().map(|created| created.0);
    let recorded = approved.restored.as_ref().map(|restored| restored.requested_at);
    // The book may have lost that it was done; the disk has not.
    let seen = whereabouts(claim, context).and_then(|(site, _)| {
        let disk = site.disk(&engine_namespace(claim), &system_disk_name(engine_name(claim)))?;
        cdi::restored_at(&disk)
    });
    Some((asked, restoring::due(Some(asked), made, recorded.max(seen), Timestamp::now())?))
}

/// Whether a restore that is due begins.
async fn weigh(
    host: &CloudHost,
    asked: &Restore,
    moment: Timestamp,
    claim: &Claim,
    approved: &Approved,
    context: &Context,
) -> Result<Due, ReconcileError> {
    if restoring::has_lapsed(moment, Timestamp::now()) {
        return Ok(Due::Stays(Restoring::lapsed(asked)));
    }
    // That its site cannot be reached is told already.
    let Some((site, _)) = whereabouts(claim, context) else { return Ok(Due::Nothing) };
    let disk = system_disk_name(engine_name(claim));
    if let Some(former) = under_way(approved)
        && !anew::may_be_replaced(former, &disk, &claim_label(claim, context), site, context).await?
    {
        return Ok(Due::Nothing);
    }
    let name = &asked.snapshot_ref.name;
    let found = content::find(&claim.subject.namespace, name, context).restored_from(name, claim.id);
    let from = match found {
        Ok(from) => from,
        Err(rejection) => return Ok(Due::Stays(Restoring::objected(rejection))),
    };
    if let Some(why) = hindrance(host, claim, approved, context.quarantined()) {
        return Ok(Due::Stays(why));
    }
    if let Some(snapshot) = being_taken(claim, site, context) {
        return Ok(Due::Stays(Restoring::AwaitsSnapshot(snapshot)));
    }
    if let Some(user) = in_use(claim, site).await? {
        return Ok(Due::Stays(Restoring::Awaits(user)));
    }
    let door = anew::door(&from, &disk, moment, site, context).await?;
    if door == Door::Shut {
        return Ok(Due::Stays(Restoring::objected(content::awaited("SnapshotUnusable", RESTORED_FROM, name))));
    }
    let begins = door == Door::Open && is_still_asked(host, claim, context).await?;
    Ok(if begins { Due::Begins(from) } else { Due::Nothing })
}

/// What keeps a restore that is due from beginning, as far as the host and the book say. Of one that takes the place of
/// another the machine is off, and what the lease leaves to the host is a disk.
fn hindrance(host: &CloudHost, claim: &Claim, approved: &Approved, is_quarantined: bool) -> Option<Restoring> {
    let refused = |code, field| {
        let about = parameters([("field", field), ("host", host.metadata.name.as_deref().unwrap_or_default())]);
        Some(Restoring::objected(Rejection::misconfigured(code, about)))
    };
    if is_quarantined {
        Some(Restoring::postponed(Reason::Quarantined))
    } else if host.annotations().contains_key(ANNOTATION_HANDOVER) {
        Some(Restoring::postponed(Reason::HandingOver))
    } else if lease::is_archived(claim) && under_way(approved).is_none() {
        refused("RestoreOfArchived", "spec.lease.endsAt")
    } else if power(host, approved, false) == Power::Running {
        refused("RestoreAwaitsPower", "spec.power")
    } else if claim.stage() == ClaimStage::Billable {
        Restoring::held_back(claim)
    } else {
        // One that the book had lost is booked again, and was not seen to be usable since.
        Some(Restoring::postponed(Reason::Undecided))
    }
}

/// What runs on the disk of a claim, or may begin to, by the API server's own word: kind and name.
async fn in_use(claim: &Claim, site: &SiteEngines) -> Result<Option<String>, ReconcileError> {
    let (namespace, name) = (engine_namespace(claim), engine_name(claim));
    let machines = Api::<MachineView>::namespaced(site.client.clone(), &namespace);
    let instances = Api::<InstanceView>::namespaced(site.client.clone(), &namespace);
    // In this order: a machine that is off as it is read, and was looked at, brings none any more.
    let machine = machines.get_opt(name).await;
    let machine = machine.map_err(|source| ReconcileError::read(format!("machine {name}"), source))?;
    let instance = instances.get_opt(name).await;
    let instance = instance.map_err(|source| ReconcileError::read(format!("instance {name}"), source))?;
    Ok(user(machine.as_ref(), instance.as_ref()).map(|kind| format!("{kind} {name}")))
}

/// The kind of what runs on a disk, or may begin to.
fn user(machine: Option<&MachineView>, instance: Option<&InstanceView>) -> Option<&'static str> {
    if instance.is_some() {
        return Some("VirtualMachineInstance");
    }
    let off = kubevirt::run_strategy(order::Power::Off);
    let is_off = |machine: &MachineView| {
        machine.spec.run_strategy.as_deref() == Some(off) && kubevirt::is_looked_at(machine, None)
    };
    machine.filter(|machine| !is_off(machine)).map(|_| "VirtualMachine")
}

/// Whether the host still wishes it, by the API server's own word: a watch may be late with a wish that was taken back.
async fn is_still_asked(host: &CloudHost, claim: &Claim, context: &Context) -> Result<bool, ReconcileError> {
    let wish = |host: &CloudHost| (host.uid(), host.spec.power, host.spec.restore.clone());
    Ok(read(claim, context).await?.is_some_and(|found| wish(&found) == wish(host) && stays(&found)))
}

/// What the host and its machine say of the former disk of a restore that was recorded, by the API server's own word:
/// days may lie between the two, in which it was taken back, or the machine was started past us.
async fn guard(
    claim: &Claim,
    restoration: &Restoration,
    site: &SiteEngines,
    context: &Context,
) -> Result<Guard, ReconcileError> {
    let is_its = |host: &CloudHost| host.uid().as_deref() == Some(claim.subject.uid.as_str()) && stays(host);
    let is_asked = |host: CloudHost| is_its(&host) && restoration.is_asked(host.spec.restore.as_ref());
    if !read(claim, context).await?.is_some_and(is_asked) {
        return Ok(Guard::TakenBack);
    }
    Ok(in_use(claim, site).await?.map_or(Guard::Free, Guard::Used))
}

/// The host of a claim, by the API server's own word.
async fn read(claim: &Claim, context: &Context) -> Result<Option<CloudHost>, ReconcileError> {
    let name = &claim.subject.name;
    let found = Api::<CloudHost>::namespaced(context.client.clone(), &claim.subject.namespace).get_opt(name).await;
    found.map_err(|source| ReconcileError::read(format!("CloudHost {name}"), source))
}

/// Whether a host stays, and with its department.
fn stays(host: &CloudHost) -> bool {
    host.metadata.deletion_timestamp.is_none() && !host.annotations().contains_key(ANNOTATION_HANDOVER)
}

/// Whether the disk of a restore that is under way has all of its content, and that can be recorded.
fn is_whole(claim: &Claim, restoration: &Restoration, context: &Context) -> bool {
    let Some((site, _)) = whereabouts(claim, context) else { return false };
    let there = site.disk(&engine_namespace(claim), &system_disk_name(engine_name(claim)));
    let seen = restoring::disk(there.as_ref(), &claim_label(claim, context), restoration.requested_at);
    restoring::next(&seen, context.quarantined()) == Step::Complete
}

/// Records how far the restores of a host are; nobody is asked. While the book is being checked nothing is recorded,
/// and what comes back says so.
async fn record(
    claim: &Arc<Claim>,
    approved: &Approved,
    restored: Option<Restoration>,
    context: &Context,
) -> Result<(Arc<Claim>, Approved), ReconcileError> {
    let after = Approved { restored, ..approved.clone() };
    let claim = change::apply(claim, &after, digest::of_wish(&claim.spec_digest), context).await?;
    let approved = Approved::of(&claim)?;
    Ok((claim, approved))
}

/// Takes the next step of a restore that is under way, towards `disk`, and says how far it is.
///
/// # Errors
/// When the engine cannot be asked, does not take it, or something of the name is somebody else's; and where nothing is
/// made of it after all, since it was taken back or its snapshot goes: that is recorded, and the host looked at again.
pub async fn proceed(
    claim: &Arc<Claim>,
    approved: &Approved,
    restoration: &Restoration,
    disk: &Value,
    site: &SiteEngines,
    context: &Context,
) -> Result<Progress, ReconcileError> {
    let label = claim_label(claim, context);
    let anew = Anew { claim, label: &label, disk, restoration };
    match Box::pin(anew::proceed(anew, guard(claim, restoration, site, context), site, context)).await? {
        Came::To(progress) => Ok(progress),
        Came::Nothing => {
            info!(
                host.namespace = claim.subject.namespace,
                host.name = claim.subject.name,
                claim = %claim.id,
                snapshot = restoration.content.snapshot,
                "nothing is made of a restore that was to begin; the disk stays as it is"
            );
            record(claim, approved, restoration.given_up(), context).await?;
            let outdated = RequestError::Outdated { subject: claim.subject.name.clone(), claim: claim.id };
            Err(LedgerError::from(outdated).into())
        }
    }
}

#[cfg(test)]
#[path = "restore_tests.rs"]
mod tests;
