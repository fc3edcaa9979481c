//! Volumes attached to a machine: how they are declared, and how machines and instances are read for them.
//!
//! Contract: `kubevirt.io/v1`, release 1.8 (`schema.go`: `Volume`, `PersistentVolumeClaimVolumeSource`, `VolumeStatus`). A
//! volume that is `hotpluggable` is given to a running machine where the feature gate `DeclarativeHotplugVolumes` is on and
//! `HotplugVolumes` is off; elsewhere the machine takes it on at its next start, and sets no condition for that
//! (`pkg/virt-controller/watch/vm/vm.go`). What is unplugged leaves the instance's spec at once, and its status when the
//! guest has let go (`watch/vmi/storage.go`, `updateVolumeStatus`).

use std::collections::BTreeMap;

use jiyun_crds::names::volume_of_disk_name;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::engines::order::AttachedVolume;

/// What stands before a disk's name where the machine names the volume.
const NAMED: &str = "at-";

/// The disk of a volume, as the guest sees it. Hot plug knows this bus on every machine.
pub fn disk(attached: &AttachedVolume) -> Value {
    let mut disk = json!({"name": name(attached), "disk": {"bus": "scsi"}});
    if let Some(serial) = &attached.serial {
        disk["serial"] = json!(serial);
    }
    disk
}

/// The volume itself.
pub fn volume(attached: &AttachedVolume) -> Value {
    json!({
        "name": name(attached),
        "persistentVolumeClaim": {"claimName": attached.disk_name, "hotpluggable": true},
    })
}

fn name(attached: &AttachedVolume) -> String {
    format!("{NAMED}{}", attached.disk_name)
}

/// What a machine is declared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// Names of the disks of volumes attached to it.
    pub disks: Vec<String>,
    /// Serial numbers by the names of disks, where one is declared.
    pub serials: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Template {
    spec: Option<Pod>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pod {
    volumes: Option<Vec<Volume>>,
    domain: Option<Domain>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Domain {
    devices: Option<Devices>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Devices {
    disks: Option<Vec<Disk>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Disk {
    name: Option<String>,
    serial: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Volume {
    persistent_volume_claim: Option<Claim>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Claim {
    claim_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Plugged {
    name: Option<String>,
    target: Option<String>,
    phase: Option<String>,
}

/// The volumes in a machine's template.
///
/// # Errors
/// When it is no template.
pub fn of_template<'de, D: Deserializer<'de>>(from: D) -> Result<Declared, D::Error> {
    let template = Option::<Template>::deserialize(from)?.unwrap_or_default().spec.unwrap_or_default();
    let declared = template.domain.and_then(|domain| domain.devices?.disks).unwrap_or_default();
    let serials = declared.into_iter().filter_map(|Disk { name, serial }| {
        let disk = name?.strip_prefix(NAMED)?.to_owned();
        Some((disk, serial?))
    });
    Ok(Declared { serials: serials.collect(), disks: disks(template.volumes) })
}

/// Names of the disks of volumes among an instance's volumes.
///
/// # Errors
/// When they are none.
pub fn of_volumes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(disks(Option::<Vec<Volume>>::deserialize(from)?))
}

/// Disks of volumes as an instance's status has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plugs {
    /// Those the guest was given.
    pub ready: Vec<String>,
    /// All that are named: those on their way to the guest and off it as well.
    pub named: Vec<String>,
}

/// What an instance's status says of volumes.
///
/// # Errors
/// When it is none.
pub fn of_status<'de, D: Deserializer<'de>>(from: D) -> Result<Plugs, D::Error> {
    let mut plugs = Plugs::default();
    for Plugged { name, target, phase } in Option::<Vec<Plugged>>::deserialize(from)?.unwrap_or_default() {
        let Some(disk) = name.as_deref().and_then(|name| name.strip_prefix(NAMED)) else { continue };
        let is_ready = target.is_some_and(|target| !target.is_empty())
            && phase.is_none_or(|phase| phase.is_empty() || phase == "Ready");
        if is_ready {
            plugs.ready.push(disk.to_owned());
        }
        plugs.named.push(disk.to_owned());
    }
    Ok(plugs)
}

fn disks(volumes: Option<Vec<Volume>>) -> Vec<String> {
    let claims = volumes.into_iter().flatten().filter_map(|volume| volume.persistent_volume_claim?.claim_name);
    claims.filter(|claim| volume_of_disk_name(claim).is_some()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{InstanceView, MachineView};
    use super::*;

    fn data() -> AttachedVolume {
        AttachedVolume { disk_name: "data-volume".into(), serial: Some("claim-7".into()) }
    }

    #[test]
    fn what_is_declared_is_read_again_and_nothing_else_is() {
        let own = json!({"name": "system", "dataVolume": {"name": "web-system"}});
        let machine: MachineView = serde_json::from_value(json!({
            "metadata": {"name": "web"},
            "spec": {"runStrategy": "Always", "template": {"spec": {
                "volumes": [own, volume(&data())],
                "domain": {"devices": {"disks": [{"name": "system", "serial": "mine"}, disk(&data())]}},
            }}},
        }))
        .unwrap();
        assert_eq!(machine.spec.attached.disks, ["data-volume"]);
        let serials = BTreeMap::from([("data-volume".to_owned(), "claim-7".to_owned())]);
        assert_eq!(machine.spec.attached.serials, serials);
        let bare: MachineView =
            serde_json::from_value(json!({"metadata": {"name": "web"}, "spec": {"template": null}})).unwrap();
        assert_eq!(bare.spec.attached, Declared::default());
    }

    #[test]
    fn a_guest_has_a_volume_once_it_was_given_it_and_until_it_is_named_no_more() {
        let instance = |status: Value| -> InstanceView {
            serde_json::from_value(json!({
                "metadata": {"name": "web"}, "spec": {"volumes": [volume(&data())]},
                "status": {"volumeStatus": status},
            }))
            .unwrap()
        };
        let told = |target: &str, phase: Value| {
            let instance = instance(json!([{"name": "at-data-volume", "target": target, "phase": phase}]));
            assert_eq!(instance.spec.attached, ["data-volume"]);
            (instance.status.plugs.ready.len(), instance.status.plugs.named.len())
        };
        assert_eq!(instance(Value::Null).status.plugs, Plugs::default());
        assert_eq!(told("", json!("AttachedToNode")), (0, 1));
        assert_eq!(told("sda", json!("MountedToPod")), (0, 1));
        assert_eq!(told("sda", json!("Ready")), (1, 1));
        assert_eq!(told("sda", Value::Null), (1, 1), "it was there when the machine was started");
    }

    #[test]
    fn the_serial_number_is_what_the_guest_finds_it_by() {
        assert_eq!(disk(&data()), json!({"name": "at-data-volume", "disk": {"bus": "scsi"}, "serial": "claim-7"}));
        let unknown = AttachedVolume { serial: None, ..data() };
        assert_eq!(disk(&unknown), json!({"name": "at-data-volume", "disk": {"bus": "scsi"}}));
    }
}
