//! Takes the steps of a plan: applies disks and machines, and never what somebody else has made under the same name.

use jiyun_crds::v1alpha1::{CloudHost, Quantity};
use jiyun_trail::core::outcome::Outcome;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Api, api::GetParams};

use super::plan::{self, Desired, Observed, Step, Why};
use crate::{
    context::Context,
    engines::{
        applied, cdi,
        kubevirt::{self, MachineView},
        order::Power,
        view::{EngineKind, View},
        volume::{self, Growth, Wanted},
    },
    error::ReconcileError,
    site::SiteEngines,
    write::WriteError,
};

/// Takes `step` for `host` in `namespace`; what comes of it is in `observed`.
///
/// # Errors
/// When an engine does not take it, or something of the name is somebody else's.
pub async fn take(
    step: Step,
    desired: &Desired,
    (host, namespace): (&CloudHost, &str),
    observed: &mut Observed,
    site: &SiteEngines,
    context: &Context,
) -> Result<(), ReconcileError> {
    match step {
        Step::ApplyDisk(why) => {
            let api = Api::<cdi::DiskView>::namespaced(site.client.clone(), namespace);
            let disk = match there(&api, &desired.disk, why == Why::Missing, &desired.claim).await? {
                Some(disk) => disk,
                None => context.writer.apply(&api, name_of(&desired.disk), &desired.disk).await?,
            };
            site.unseen_disks.wrote(disk.clone());
            observed.disk = Some(disk);
        }
        Step::RelabelDisk => {
            let api = Api::<cdi::DiskView>::namespaced(site.client.clone(), namespace);
            let labels = desired.disk.pointer("/metadata/labels").cloned().unwrap_or_default();
            if let Some(disk) = &observed.disk {
                let disk = context.writer.relabel(&api, disk, &labels).await?;
                site.unseen_disks.wrote(disk.clone());
                observed.disk = Some(disk);
            }
        }
        Step::GrowDisk => {
            let (name, claim) = (name_of(&desired.disk), desired.claim.as_str());
            let wanted = Wanted { name, claim, mebibytes: desired.disk_mebibytes };
            grow(wanted, namespace, &mut observed.disk, site, context).await?;
        }
        Step::ApplyMachine(why) => {
            let api = Api::<MachineView>::namespaced(site.client.clone(), namespace);
            let is_missing = why == Why::Missing;
            let found = if is_missing { found(&api, &desired.machine, &desired.claim).await? } else { None };
            let machine = match found {
                Some(machine) if applied::is_applied(&machine.metadata, &desired.machine) => machine,
                found => {
                    let seen = found.as_ref().or(observed.machine.as_ref());
                    apply_machine(host, &api, desired, (seen, why), context).await?
                }
            };
            site.unseen_machines.wrote(machine.clone());
            observed.machine = Some(machine);
        }
    }
    Ok(())
}

/// Has the volume behind `disk` grow. What it has grown to is written on the disk, so that nobody has to look again.
///
/// # Errors
/// When Kubernetes does not take it.
pub async fn grow(
    wanted: Wanted<'_>,
    namespace: &str,
    disk: &mut Option<cdi::DiskView>,
    site: &SiteEngines,
    context: &Context,
) -> Result<(), ReconcileError> {
    let Wanted { name, claim, mebibytes } = wanted;
    let api = Api::<PersistentVolumeClaim>::namespaced(site.client.clone(), namespace);
    let found = api.get_opt(name).await;
    let found = found.map_err(|source| ReconcileError::read(format!("PersistentVolumeClaim {name}"), source))?;
    let Some(found) = found else { return Ok(()) };
    let mut growth = volume::growth(&found, claim, mebibytes);
    if growth == Growth::Due {
        let asked = context.writer.apply(&api, name, &volume::grown(&found, mebibytes)).await?;
        growth = volume::growth(&asked, claim, mebibytes);
    }
    if let Some(grown) = disk.as_ref().filter(|_| growth == Growth::Done) {
        let api = Api::<cdi::DiskView>::namespaced(site.client.clone(), namespace);
        let has = Quantity::from_mebibytes(mebibytes);
        let grown = context.writer.annotate(&api, grown, cdi::GROWN_TO, Some(has.as_str())).await?;
        site.unseen_disks.wrote(grown.clone());
        *disk = Some(grown);
    }
    Ok(())
}

/// Applies the machine; where that switches it on or off, the trail has it before and after.
async fn apply_machine(
    host: &CloudHost,
    api: &Api<MachineView>,
    desired: &Desired,
    (observed, why): (Option<&MachineView>, Why),
    context: &Context,
) -> Result<MachineView, ReconcileError> {
    let power = desired.power;
    let begun = match observed.filter(|machine| is_switched(machine, power)) {
        Some(machine) => Some(context.writer.trail().switching(("host", host), machine, power, why.into()).await?),
        None => None,
    };
    let applied = match (&desired.bare, observed) {
        (_, Some(machine)) => apply_to(machine, api, desired, context).await,
        (None, None) => context.writer.apply(api, name_of(&desired.machine), &desired.machine).await,
        (Some(bare), None) => {
            let made = context.writer.apply(api, name_of(bare), bare).await?;
            match apply_to(&made, api, desired, context).await {
                // Its engine has noticed it meanwhile, and written on it.
                Err(error) if error.status() == Some(409) => {
                    match found(api, &desired.machine, &desired.claim).await? {
                        Some(made) => apply_to(&made, api, desired, context).await,
                        None => Err(error),
                    }
                }
                attached => attached,
            }
        }
    };
    if let Some(begun) = begun {
        begun.ended(outcome(&applied)).await;
    }
    Ok(applied?)
}

/// Applies a machine that is there, if it still is the one that was read (else status 409): a request that arrives late must
/// neither attach what another host has by then, nor take off what was attached since, whatever it was sent for.
async fn apply_to(
    machine: &MachineView,
    api: &Api<MachineView>,
    desired: &Desired,
    context: &Context,
) -> Result<MachineView, WriteError> {
    context.writer.apply(api, name_of(&desired.machine), &meant_for(machine, &desired.machine)).await
}

/// The object as it is applied to this one, in the version that was read, and to no other.
fn meant_for(machine: &MachineView, wanted: &serde_json::Value) -> serde_json::Value {
    let mut wanted = wanted.clone();
    if let Some(metadata) = wanted.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
        metadata.insert("uid".to_owned(), machine.metadata.uid.clone().into());
        metadata.insert("resourceVersion".to_owned(), machine.metadata.resource_version.clone().into());
    }
    wanted
}

/// Whether a machine that is there is told to do something else than it was.
fn is_switched(machine: &MachineView, power: Power) -> bool {
    machine.spec.run_strategy.as_deref() != Some(kubevirt::run_strategy(power))
}

/// How a request went, for the trail.
pub fn outcome<T>(done: &Result<T, WriteError>) -> Outcome {
    done.as_ref().map_or_else(|error| Outcome::failed(error.to_string()), |_| Outcome::Succeeded)
}

/// What is missing in our cache may be there: made by hand or by another tool (apply would take it over: refused), or by
/// ourselves before a crash (applying it again would only cost a write). Read from the API server's memory, which costs
/// its store nothing: what appeared in the last milliseconds appears after any reading.
///
/// # Errors
/// When it cannot be read, or is not labelled with `claim`.
pub async fn there<E: EngineKind>(
    api: &Api<View<E>>,
    object: &serde_json::Value,
    is_missing: bool,
    claim: &str,
) -> Result<Option<View<E>>, ReconcileError> {
    if !is_missing {
        return Ok(None);
    }
    Ok(found(api, object, claim).await?.filter(|found| applied::is_applied(&found.metadata, object)))
}

/// See [`there`]: what is there of the name, whatever was applied to it.
async fn found<E: EngineKind>(
    api: &Api<View<E>>,
    object: &serde_json::Value,
    claim: &str,
) -> Result<Option<View<E>>, ReconcileError> {
    let name = name_of(object);
    let found = match api.get_with(name, &GetParams::any()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => None,
        outcome => Some(outcome.map_err(|source| ReconcileError::read(format!("{} {name}", E::KIND), source))?),
    };
    if let Some(found) = &found {
        plan::ours(&found.metadata, claim, E::KIND)?;
    }
    Ok(found)
}

fn name_of(object: &serde_json::Value) -> &str {
    object.pointer("/metadata/name").and_then(serde_json::Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_applied_to_a_machine_names_the_one_that_was_read_and_changes_nothing_else() {
        let machine: MachineView = serde_json::from_value(json!({
            "metadata": {"name": "web", "uid": "a-b-c", "resourceVersion": "7"}, "spec": {}, "status": {},
        }))
        .unwrap();
        let wanted = json!({"metadata": {"name": "web"}, "spec": {"runStrategy": "Halted"}});
        let mut expected = wanted.clone();
        expected["metadata"]["uid"] = json!("a-b-c");
        expected["metadata"]["resourceVersion"] = json!("7");
        assert_eq!(meant_for(&machine, &wanted), expected);
    }
}
