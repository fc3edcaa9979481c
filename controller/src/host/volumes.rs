//! Which volumes a host's machine is built with: those it was given, and those it has that were not taken from it.

use std::collections::BTreeSet;

use jiyun_crds::{
    names::{volume_disk_name, volume_of_disk_name},
    v1alpha1::{CloudHost, CloudVolume, OrderedKind},
};
use jiyun_ledger::{Claim, ClaimStage};
use kube::{ResourceExt, runtime::reflector::ObjectRef};

use crate::{
    context::Context,
    engines::{
        kubevirt::{MachineView, run_strategy},
        order::{AttachedVolume, Power},
    },
    volume::{self, attachments::Look},
    watch::Guarded,
};

/// The volumes of the host of `claim`, whose `machine` was seen.
///
/// What a machine has is left to it unless it is known to be wished elsewhere: a controller that has just begun to lead
/// has given nobody anything yet, and takes nothing off for that. One that has to be made again has what its volumes say.
pub fn attached(claim: &Claim, look: &Look, machine: Option<&MachineView>, context: &Context) -> Vec<AttachedVolume> {
    let subject = &claim.subject;
    let stays = |disk: &str| is_of(disk, &subject.namespace, &subject.name, context);
    let mut declared = machine.map(|machine| machine.spec.attached.clone()).unwrap_or_default();
    // A new host never had any, and most are new.
    if (claim.billable_from.is_some() || claim.adopted) && machine.is_none_or(is_bare) {
        declared.disks = told(&subject.namespace, &subject.name, context);
        declared.disks.retain(|disk| stays(disk));
    }
    let has = |disk: String| AttachedVolume {
        // The guest may know it by this one, whatever the book says since.
        serial: declared.serials.get(&disk).cloned().or_else(|| serial(&disk, &subject.namespace, context)),
        disk_name: disk,
    };
    if context.quarantined() {
        // The book may know less than is true: nothing is given, and nothing taken.
        return declared.disks.iter().cloned().collect::<BTreeSet<_>>().into_iter().map(has).collect();
    }
    let disks = wanted(&look.given, &look.taken, &declared.disks, stays);
    // A host made since under the name of one that had it, in another system.
    let is_theirs = |disk: &String| {
        let volume = volume_of_disk_name(disk).and_then(|name| read(name, &subject.namespace, context));
        volume.is_none_or(|volume| volume.spec.system_ref.name == claim.system)
    };
    disks.into_iter().filter(is_theirs).map(has).collect()
}

/// Whether a machine is as it is made anew, before it is given what it had (`Desired::bare`).
fn is_bare(machine: &MachineView) -> bool {
    let is_off = machine.spec.run_strategy.as_deref() == Some(run_strategy(Power::Off));
    is_off && machine.metadata.generation == Some(1) && machine.spec.attached.disks.is_empty()
}

/// Has those volumes looked at that the host was given: its machine goes.
pub fn wake(host: &CloudHost, context: &Context) {
    let namespace = host.namespace().unwrap_or_default();
    for disk in &context.attachments.look(&namespace, &host.name_any()).given {
        if let Some(volume) = volume_of_disk_name(disk) {
            context.orders.wakes.item(OrderedKind::CloudVolume, &namespace, volume);
        }
    }
}

/// The disks of those volumes whose status names the host.
fn told(namespace: &str, host: &str, context: &Context) -> Vec<String> {
    let volumes = context.orders.volumes.state();
    let theirs = volumes.iter().filter_map(|volume| volume.0.as_ref().ok()).filter(|volume| {
        let told = volume.status.as_ref().and_then(|status| status.attachment.as_ref());
        volume.metadata.namespace.as_deref() == Some(namespace) && told.is_some_and(|told| told.host == host)
    });
    theirs.filter_map(|volume| Some(volume_disk_name(volume.metadata.name.as_deref()?))).collect()
}

/// What the volume with this disk was called for its guest before; the id of its claim, where nothing was told yet.
fn serial(disk: &str, namespace: &str, context: &Context) -> Option<String> {
    let name = volume_of_disk_name(disk)?;
    if let Some(told) = read(name, namespace, context).and_then(|volume| volume.status?.serial) {
        return Some(told);
    }
    let claim = context.ledger.read(|state| state.claim_of_object(volume::KIND, namespace, name).cloned());
    Some(claim?.id.to_string())
}

/// The volume, if it is there and can be read.
fn read(name: &str, namespace: &str, context: &Context) -> Option<CloudVolume> {
    let reference = ObjectRef::<Guarded<CloudVolume>>::new(name).within(namespace);
    let cached = context.orders.volumes.get(&reference).and_then(|volume| volume.0.as_ref().ok().cloned());
    context.unseen_volumes.or_written(namespace, name, cached)
}

/// The disks a machine that `has` some is to have, in the order of their names; `stays` is asked about those that nobody
/// has given to it or taken from it.
fn wanted(
    given: &BTreeSet<String>,
    taken: &BTreeSet<String>,
    has: &[String],
    stays: impl Fn(&str) -> bool,
) -> BTreeSet<String> {
    let unknown = has.iter().filter(|disk| !given.contains(*disk) && !taken.contains(*disk));
    let kept = unknown.filter(|disk| stays(disk)).cloned();
    given.iter().cloned().chain(kept).collect()
}

/// Whether the volume with this disk is the host's, as far as its object says. One that cannot be read is left where it is,
/// and so is one that is not there while the book has its claim.
fn is_of(disk: &str, namespace: &str, host: &str, context: &Context) -> bool {
    let Some(name) = volume_of_disk_name(disk) else { return false };
    let reference = ObjectRef::<Guarded<CloudVolume>>::new(name).within(namespace);
    if context.orders.volumes.get(&reference).is_some_and(|volume| volume.0.is_err()) {
        return true;
    }
    let Some(volume) = read(name, namespace, context) else {
        let claim = context.ledger.read(|state| state.claim_of_object(volume::KIND, namespace, name).cloned());
        return claim.is_some_and(|claim| claim.stage() != ClaimStage::Ending);
    };
    let told = volume.status.as_ref().and_then(|status| status.attachment.as_ref());
    if volume.status.as_ref().is_none_or(|status| status.claim_id.is_none()) {
        // A status that was lost with a restored object is made again, from what machines have.
        let claim = context.ledger.read(|state| state.claim_of_object(volume::KIND, namespace, name).cloned());
        return claim.is_some_and(|claim| claim.stage() != ClaimStage::Ending);
    }
    told.is_some_and(|told| told.host == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_machine_keeps_what_nobody_has_taken_and_gets_what_it_was_given() {
        let has = ["a-volume".to_owned(), "b-volume".to_owned(), "x-volume".to_owned()];
        let wanted = wanted(&set(&["c-volume"]), &set(&["b-volume"]), &has, |disk| disk == "a-volume");
        assert_eq!(wanted, set(&["a-volume", "c-volume"]), "what is nobody's, or somebody else's, is taken off");
    }

    #[test]
    fn what_was_given_is_not_asked_about() {
        let wanted = wanted(&set(&["a-volume"]), &set(&[]), &["a-volume".to_owned()], |_| false);
        assert_eq!(wanted, set(&["a-volume"]));
    }
}
