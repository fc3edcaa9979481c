//! Restoring a host in place (恢复): its system disk is made anew from a snapshot that was taken of it, while the host is
//! off. What is the same for volumes is in [`restorable`].

use std::sync::Arc;

use jiyun_crds::{
    names::{ANNOTATION_HANDOVER, system_disk_name},
    v1alpha1::{CloudHost, Power, Reason, Restore},
};
use jiyun_ledger::{Claim, ClaimStage};
use jiyun_messages::parameters;
use kube::{Api, ResourceExt};

use super::{
    approved::Approved,
    change, digest, lease,
    rejection::Rejection,
    request::{engine_name, engine_namespace},
};
use crate::{
    content::{
        Restoration,
        anew::Restoring,
        restorable::{self, Restorable},
    },
    context::Context,
    engines::{
        kubevirt::{self, InstanceView, MachineView},
        order,
    },
    error::ReconcileError,
    site::SiteEngines,
    snapshot::usage::being_taken,
};

impl Restorable for CloudHost {
    type Approved = Approved;

    fn asked(&self) -> Option<&Restore> {
        self.spec.restore.as_ref()
    }

    fn wishes_as(&self, other: &Self) -> bool {
        (self.spec.power, &self.spec.restore) == (other.spec.power, &other.spec.restore)
    }

    fn stays(&self) -> bool {
        self.metadata.deletion_timestamp.is_none() && !self.annotations().contains_key(ANNOTATION_HANDOVER)
    }

    fn restored(approved: &Approved) -> Option<&Restoration> {
        approved.restored.as_ref()
    }

    fn disk_name(claim: &Claim) -> String {
        system_disk_name(engine_name(claim))
    }

    async fn hindered(
        &self,
        claim: &Claim,
        approved: &Approved,
        site: &SiteEngines,
        context: &Context,
    ) -> Result<Option<Restoring>, ReconcileError> {
        if let Some(why) = hindrance(self, claim, approved, context.quarantined()) {
            return Ok(Some(why));
        }
        if let Some(snapshot) = being_taken(claim, site, context) {
            return Ok(Some(Restoring::AwaitsSnapshot(snapshot)));
        }
        Ok(Self::in_use(claim, site).await?.map(Restoring::Awaits))
    }

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
}

/// The restore that is under way.
pub fn under_way(approved: &Approved) -> Option<&Restoration> {
    restorable::under_way::<CloudHost>(approved)
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

#[cfg(test)]
#[path = "restore_tests.rs"]
mod tests;
