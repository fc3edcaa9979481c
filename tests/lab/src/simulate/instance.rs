//! The `VirtualMachineInstance` of a simulated machine: made when that starts, gone when it is off, and in between the
//! volumes it is given and those taken from it. Only labs that ask for instances have them.
//!
//! Imitated is KubeVirt 1.8 with its feature gate `DeclarativeHotplugVolumes`, and under [`super::Fault::NoHotplug`] without:
//! then an instance stays as it was started, and nothing but the generation it was made of tells so. No restart is asked for,
//! whatever the gate is: pkg/virt-controller/watch/vm/vm.go, `validLiveUpdateVolumes` and `validLiveUpdateDisks`.

use kube::api::DynamicObject;
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::virtual_machine;

const VOLUMES: &str = "/spec/volumes";
const DISKS: &str = "/spec/domain/devices/disks";
const STATUSES: &str = "/status/volumeStatus";

/// A volume that a machine takes on and gives up while it runs, and its disk.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plug {
    volume: Value,
    disk: Value,
}

/// What a running instance does not do.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unable {
    /// It takes on and gives up no volume.
    pub(super) to_change: bool,
    /// Its guest does not let go of a volume that is taken from it.
    pub(super) to_let_go: bool,
}

/// The volumes in a machine's `template` that it takes on and gives up while it runs.
pub(super) fn plugs(template: &Value) -> Vec<Plug> {
    let disk_of = |volume: &Value| listed(template, DISKS).iter().find(|disk| name(disk) == name(volume));
    let volumes = listed(template, VOLUMES).iter().filter(|volume| is_pluggable(volume));
    volumes.map(|volume| Plug { volume: volume.clone(), disk: disk_of(volume).cloned().unwrap_or_default() }).collect()
}

/// The instance that `machine` is started as, with all its volumes: vm.go, `setupVMIFromVM`.
pub(super) fn made(machine: &DynamicObject) -> Value {
    let template = &machine.data["spec"]["template"];
    json!({
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance",
        "metadata": {
            "name": machine.name_any(),
            "labels": template["metadata"]["labels"], "annotations": template["metadata"]["annotations"],
            "ownerReferences": [machine.controller_owner_ref(&virtual_machine::resource())],
        },
        "spec": template["spec"],
        "status": {"phase": "Running"},
    })
}

/// What is merged into `instance` next, whose machine is declared with `plugs`; nothing where it is as it should be.
pub(super) fn next(instance: &Value, plugs: &[Plug], unable: Unable) -> Option<Value> {
    let change = if unable.to_change { None } else { listed_anew(instance, plugs) };
    change.or_else(|| told_anew(instance, unable.to_let_go))
}

/// pkg/storage/hotplug/hotplug.go, `patchHotplugVolumes`. A volume comes back only after it has gone from the status.
fn listed_anew(instance: &Value, plugs: &[Plug]) -> Option<Value> {
    let is_there = |path: &str, volume: &Value| listed(instance, path).iter().any(|item| name(item) == name(volume));
    let stays = |volume: &Value| !is_pluggable(volume) || plugs.iter().any(|plug| plug.volume == *volume);
    let comes = |plug: &Plug| !is_there(VOLUMES, &plug.volume) && !is_there(STATUSES, &plug.volume);
    let coming: Vec<&Plug> = plugs.iter().filter(|plug| comes(plug)).collect();
    let mut volumes: Vec<&Value> = listed(instance, VOLUMES).iter().filter(|volume| stays(volume)).collect();
    if coming.is_empty() && volumes.len() == listed(instance, VOLUMES).len() {
        return None;
    }
    let is_kept = |disk: &Value| volumes.iter().any(|volume| name(volume) == name(disk));
    let mut disks: Vec<&Value> = listed(instance, DISKS).iter().filter(|disk| is_kept(disk)).collect();
    disks.extend(coming.iter().map(|plug| &plug.disk));
    volumes.extend(coming.iter().map(|plug| &plug.volume));
    Some(json!({"spec": {"volumes": volumes, "domain": {"devices": {"disks": disks}}}}))
}

/// virt-handler gives what is listed to the guest, and takes what is not any more from it; until it has, the status keeps it
/// as it was: pkg/virt-controller/watch/vmi/storage.go, `updateVolumeStatus` and `phaseForUnpluggedVolume`.
fn told_anew(instance: &Value, clings: bool) -> Option<Value> {
    let (seen, volumes) = (listed(instance, STATUSES), listed(instance, VOLUMES));
    let is_listed = |status: &Value| volumes.iter().any(|volume| name(volume) == name(status));
    let ready =
        |volume: &Value| json!({"name": name(volume), "target": "simulated", "phase": "Ready", "hotplugVolume": {}});
    let given = volumes.iter().filter(|volume| is_pluggable(volume)).map(ready);
    let clung_to = seen.iter().filter(|status| clings && !is_listed(status)).cloned();
    let statuses: Vec<Value> = given.chain(clung_to).collect();
    (statuses != seen).then(|| json!({"status": {"volumeStatus": statuses}}))
}

/// pkg/storage/types/volume.go, `IsDeclarativeHotplugVolume`.
fn is_pluggable(volume: &Value) -> bool {
    ["persistentVolumeClaim", "dataVolume"].iter().any(|source| volume[*source]["hotpluggable"] == true)
}

fn listed<'a>(object: &'a Value, path: &str) -> &'a [Value] {
    object.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn name(item: &Value) -> &str {
    item["name"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(data: &[&str]) -> Value {
        let mut volumes = vec![json!({"name": "system", "dataVolume": {"name": "web-system"}})];
        let mut disks = vec![json!({"name": "system", "disk": {"bus": "virtio"}})];
        for name in data {
            volumes.push(json!({"name": name, "persistentVolumeClaim": {"claimName": name, "hotpluggable": true}}));
            disks.push(json!({"name": name, "serial": name, "disk": {"bus": "scsi"}}));
        }
        json!({
            "metadata": {"labels": {"a": "b"}},
            "spec": {"architecture": "amd64", "volumes": volumes, "domain": {"devices": {"disks": disks}}},
        })
    }

    fn instance(data: &[&str]) -> Value {
        let machine = json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "web", "uid": "u"},
            "spec": {"template": template(data)},
        });
        made(&serde_json::from_value(machine).unwrap())
    }

    /// Merges what comes next, as the API server does; whether there was anything.
    fn step(instance: &mut Value, data: &[&str], unable: Unable) -> bool {
        let Some(patch) = next(instance, &plugs(&template(data)), unable) else { return false };
        if let Some(spec) = patch.get("spec") {
            instance["spec"]["volumes"] = spec["volumes"].clone();
            instance["spec"]["domain"]["devices"]["disks"] = spec["domain"]["devices"]["disks"].clone();
        }
        if let Some(statuses) = patch.pointer(STATUSES) {
            instance["status"]["volumeStatus"] = statuses.clone();
        }
        true
    }

    fn lists(instance: &Value, volumes: &[&str], given: &[&str]) {
        let names = |path| listed(instance, path).iter().map(name).collect::<Vec<_>>();
        let all: Vec<&str> = std::iter::once("system").chain(volumes.iter().copied()).collect();
        assert_eq!((names(VOLUMES), names(DISKS), names(STATUSES)), (all.clone(), all, given.to_vec()));
    }

    #[test]
    fn an_instance_is_made_of_all_its_machine_is_declared_with() {
        let mut made = instance(&["data", "logs"]);
        lists(&made, &["data", "logs"], &[]);
        assert_eq!((&made["spec"]["architecture"], &made["metadata"]["labels"]["a"]), (&json!("amd64"), &json!("b")));
        assert_eq!(made["metadata"]["ownerReferences"][0]["uid"], "u");
        assert!(step(&mut made, &["data", "logs"], Unable::default()));
        lists(&made, &["data", "logs"], &["data", "logs"]);
        assert!(!step(&mut made, &["data", "logs"], Unable::default()));
    }

    #[test]
    fn a_volume_is_listed_before_the_guest_has_it_and_is_not_listed_before_the_guest_lets_go() {
        let mut running = instance(&[]);
        assert!(!step(&mut running, &[], Unable::default()));
        assert!(step(&mut running, &["data"], Unable::default()));
        lists(&running, &["data"], &[]);
        assert!(step(&mut running, &["data"], Unable::default()));
        lists(&running, &["data"], &["data"]);

        let clinging = Unable { to_let_go: true, ..Unable::default() };
        assert!(step(&mut running, &[], clinging));
        lists(&running, &[], &["data"]);
        assert!(!step(&mut running, &["data"], clinging), "it does not come back before it has gone");
        assert!(step(&mut running, &[], Unable::default()));
        lists(&running, &[], &[]);
    }

    #[test]
    fn an_instance_that_cannot_change_stays_as_it_was_started() {
        let fixed = Unable { to_change: true, ..Unable::default() };
        let mut running = instance(&["data"]);
        assert!(step(&mut running, &["logs"], fixed), "the guest has what it was started with");
        assert!(!step(&mut running, &["logs"], fixed));
        lists(&running, &["data"], &["data"]);
    }
}
