//! Which volumes a host's machine is built with: those it was given, and those it has that were not taken from it.

use std::collections::BTreeSet;

use jiyun_crds::{names::volume_of_disk_name, v1alpha1::CloudVolume};
use jiyun_ledger::Claim;
use kube::runtime::reflector::ObjectRef;

use crate::{
    context::Context,
    engines::{kubevirt::MachineView, order::AttachedVolume},
    volume::{self, attachments::Look},
    watch::Guarded,
};

/// The volumes of the host of `claim`, whose `machine` was seen.
///
/// What a machine has is left to it unless it is known to be wished elsewhere: a controller that has just begun to lead
/// has given nobody anything yet, and takes nothing off for that.
pub fn attached(claim: &Claim, look: &Look, machine: Option<&MachineView>, context: &Context) -> Vec<AttachedVolume> {
    let has = machine.map(|machine| machine.spec.attached.as_slice()).unwrap_or_default();
    let subject = &claim.subject;
    let stays = |disk: &str| is_of(disk, &subject.namespace, &subject.name, context);
    let serial = |disk: &str| {
        let volume = volume_of_disk_name(disk)?;
        let claim =
            context.ledger.read(|state| state.claim_of_object(volume::KIND, &subject.namespace, volume).cloned());
        Some(claim?.id.to_string())
    };
    let disks = wanted(&look.given, &look.taken, has, stays);
    disks.into_iter().map(|disk| AttachedVolume { serial: serial(&disk), disk_name: disk }).collect()
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

/// Whether the volume with this disk is the host's, as far as its object says. One that cannot be read is left where it is.
fn is_of(disk: &str, namespace: &str, host: &str, context: &Context) -> bool {
    let Some(name) = volume_of_disk_name(disk) else { return false };
    let reference = ObjectRef::<Guarded<CloudVolume>>::new(name).within(namespace);
    let cached = match context.orders.volumes.get(&reference).as_deref().map(|volume| &volume.0) {
        Some(Ok(volume)) => Some(volume.clone()),
        Some(Err(_)) => return true,
        None => None,
    };
    let Some(volume) = context.unseen_volumes.or_written(namespace, name, cached) else { return false };
    let told = volume.status.as_ref().and_then(|status| status.attachment.as_ref());
    // A status that was lost with a restored object is made again; until then its wish counts.
    let holder = told.map(|told| told.host.as_str()).or(volume.spec.host_ref.as_ref().map(|host| host.name.as_str()));
    holder == Some(host)
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
