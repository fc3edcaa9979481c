//! What a snapshot keeps: its `VolumeSnapshotContent`, made of the disk's volume, and what the array says of it.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

use super::super::held::{held_by, time_left_since};
use super::super::{CONTENT, Fault, Simulation};
use super::{
    AGAIN, CONTENT_BOUND, SOURCE, VolumeSnapshot, claim_of, classes, content_name, contents, kind, now, resource,
};

/// A snapshot cut by the array.
const CUT: Duration = Duration::from_secs(1);
/// A snapshot of which everything is where it is kept.
const READY: Duration = Duration::from_secs(3);

/// The content of a snapshot, or why there is none yet: pkg/common-controller/snapshot_controller.go, `createSnapshotContent`.
pub(super) async fn made(
    client: &Client,
    snapshot: &VolumeSnapshot,
) -> Result<Result<DynamicObject, String>, kube::Error> {
    let (namespace, name) = (snapshot.namespace().unwrap_or_default(), snapshot.name_any());
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &namespace);
    let failed = |whose: &str, why: &str| format!("snapshot controller failed to update {whose} on API server: {why}");
    let claim = match claim_of(snapshot) {
        Some(claim) => claims.get_opt(claim).await?,
        None => None,
    };
    let Some(claim) = claim else { return Ok(Err(failed(&name, "cannot get claim from snapshot"))) };
    if !claim.finalizers().iter().any(|held| held == SOURCE) {
        if claim.metadata.deletion_timestamp.is_some() {
            let why = "cannot add finalizer on claim because it is being deleted";
            return Ok(Err(failed(&claim.name_any(), why)));
        }
        let (held, version) = (held_by(&claim, SOURCE), claim.resource_version());
        let held = Patch::Merge(json!({"metadata": {"finalizers": held, "resourceVersion": version}}));
        claims.patch(&claim.name_any(), &PatchParams::default(), &held).await?;
    }
    let missing = |why: String| format!("failed to get input parameters to create snapshot {name}: {why:?}");
    let class_name = snapshot.spec.volume_snapshot_class_name.clone().unwrap_or_default();
    let Some(class) = classes(client).get_opt(&class_name).await? else {
        return Ok(Err(missing(format!("volumesnapshotclass.snapshot.storage.k8s.io {class_name:?} not found"))));
    };
    let volume = match bound_volume(&claim) {
        Some(volume) => Api::<PersistentVolume>::all(client.clone()).get_opt(volume).await?,
        None => None,
    };
    let Some(volume) = volume else {
        let claim = claim.name_any();
        let why = format!("the PVC {claim} is not yet bound to a PV, will not attempt to take a snapshot");
        return Ok(Err(missing(why)));
    };
    let spec = volume.spec.as_ref();
    let Some(csi) = spec.and_then(|spec| spec.csi.as_ref()) else {
        return Ok(Err(format!("cannot find CSI PersistentVolumeSource for volume {}", volume.name_any())));
    };
    let (snapshot_kind, content_kind) = (resource(), kind("VolumeSnapshotContent", "volumesnapshotcontents"));
    let content = json!({
        "apiVersion": content_kind.api_version, "kind": content_kind.kind,
        "metadata": {"name": content_name(snapshot), "finalizers": [CONTENT_BOUND]},
        "spec": {
            "volumeSnapshotRef": {
                "apiVersion": snapshot_kind.api_version, "kind": snapshot_kind.kind,
                "namespace": namespace, "name": name, "uid": snapshot.uid(),
            },
            "source": {"volumeHandle": csi.volume_handle},
            "volumeSnapshotClassName": class_name,
            "deletionPolicy": class.data["deletionPolicy"],
            "driver": class.data["driver"],
            "sourceVolumeMode": spec.and_then(|spec| spec.volume_mode.clone()).unwrap_or_else(|| "Filesystem".into()),
        },
    });
    let content: DynamicObject = serde_json::from_value(content).map_err(kube::Error::SerdeError)?;
    // One that is there already is this one: its name has the snapshot's uid.
    let content = match contents(client).create(&PostParams::default(), &content).await {
        Err(kube::Error::Api(refusal)) if refusal.code == 409 => contents(client).get(&content_name(snapshot)).await?,
        outcome => outcome?,
    };
    Ok(Ok(content))
}

/// The same file, `getVolumeFromVolumeSnapshot`.
fn bound_volume(claim: &PersistentVolumeClaim) -> Option<&str> {
    let phase = claim.status.as_ref()?.phase.as_deref()?;
    claim.spec.as_ref()?.volume_name.as_deref().filter(|_| phase == "Bound")
}

/// Has the array cut the snapshot, and tells what it says: pkg/sidecar-controller/snapshot_controller.go,
/// `createSnapshotWrapper` and `updateSnapshotContentStatus`. The content as it is then, and when to look again.
pub(super) async fn cut(
    simulation: &Simulation,
    snapshot: &VolumeSnapshot,
    content: DynamicObject,
) -> Result<(DynamicObject, Option<Duration>), kube::Error> {
    let (contents, name) = (contents(&simulation.client), content.name_any());
    let befalls = |fault| simulation.faults.befalls(fault, &snapshot.name_any());
    let status = &content.data["status"];
    let is_cut = status["creationTime"].is_i64();
    if status["readyToUse"] == true {
        return Ok((content, None));
    }
    let parameters = PatchParams::default();
    let refused =
        [(Fault::Full, "the simulated array has no room"), (Fault::ImportFails, "the simulated array does not answer")];
    if let Some((_, why)) = refused.into_iter().find(|(fault, _)| !is_cut && befalls(*fault)) {
        let handle = content.data["spec"]["source"]["volumeHandle"].as_str().unwrap_or_default();
        let message = format!("Failed to create snapshot: failed to take snapshot of the volume {handle}: {why:?}");
        if status["error"]["message"] == message {
            return Ok((content, Some(AGAIN)));
        }
        let status = json!({"readyToUse": false, "error": {"time": now(), "message": message}});
        let told = contents.patch_status(&name, &parameters, &Patch::Merge(json!({"status": status}))).await?;
        return Ok((told, Some(AGAIN)));
    }
    let begun = content.metadata.creation_timestamp.as_ref();
    let left = |natural| time_left_since(simulation, snapshot, begun, natural);
    if let Some(left) = left(CUT) {
        return Ok((content, Some(left)));
    }
    let until_ready = left(READY);
    if is_cut && until_ready.is_some() {
        return Ok((content, until_ready));
    }
    let is_ready = until_ready.is_none() && !befalls(Fault::NeverReady);
    if is_cut && !is_ready {
        return Ok((content, None));
    }
    let status = if is_cut {
        json!({"readyToUse": true})
    } else {
        let Some((word, bytes)) = on_disk(&simulation.client, snapshot).await? else {
            return Ok((content, Some(AGAIN)));
        };
        // Before it is said to be cut: nobody looks for it earlier.
        let kept = Patch::Merge(json!({"metadata": {"annotations": {(CONTENT): word}}}));
        contents.patch(&name, &parameters, &kept).await?;
        let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default();
        json!({
            "snapshotHandle": format!("snapshot-{}", snapshot.uid().unwrap_or_default()),
            "creationTime": now, "restoreSize": bytes, "readyToUse": is_ready, "error": null,
        })
    };
    let told = contents.patch_status(&name, &parameters, &Patch::Merge(json!({"status": status}))).await?;
    Ok((told, if is_ready { None } else { until_ready }))
}

/// The word on the disk of a snapshot, and its size in bytes; nothing where there is none.
async fn on_disk(client: &Client, snapshot: &VolumeSnapshot) -> Result<Option<(String, u64)>, kube::Error> {
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &snapshot.namespace().unwrap_or_default());
    let Some(name) = claim_of(snapshot) else { return Ok(None) };
    Ok(claims.get_opt(name).await?.and_then(|claim| {
        let size = claim.status.as_ref()?.capacity.as_ref()?.get("storage")?;
        Some((claim.annotations().get(CONTENT).cloned().unwrap_or_default(), bytes(&size.0)?))
    }))
}

/// What a snapshot has kept of its disk; nothing before it was cut, or where it is gone.
pub(in super::super) async fn word(client: &Client, snapshot: &VolumeSnapshot) -> Result<Option<String>, kube::Error> {
    let bound = snapshot.status.as_ref().and_then(|status| status.bound_volume_snapshot_content_name.as_deref());
    let Some(name) = bound else { return Ok(None) };
    Ok(contents(client).get_opt(name).await?.and_then(|content| content.annotations().get(CONTENT).cloned()))
}

/// The status of a snapshot whose content this is: pkg/common-controller/snapshot_controller.go, `updateSnapshotStatus`. What
/// is null, a merge takes away.
pub(super) fn told(content: &DynamicObject) -> Value {
    let status = &content.data["status"];
    let moment = status["creationTime"].as_i64().and_then(|cut| jiff::Timestamp::from_second(cut / 1_000_000_000).ok());
    json!({
        "boundVolumeSnapshotContentName": content.name_any(),
        "readyToUse": status["readyToUse"] == true,
        "creationTime": moment.map(|moment| moment.to_string()),
        "restoreSize": status["restoreSize"].as_u64().map(binary),
        "error": status["error"],
    })
}

const UNITS: [&str; 6] = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];

/// Bytes of a size as disks are asked for: a whole number, in a binary unit or in none.
pub(in super::super) fn bytes(size: &str) -> Option<u64> {
    let unit = size.trim_start_matches(|one: char| one.is_ascii_digit());
    let power = UNITS.iter().position(|known| *known == unit)?;
    let factor = 1024_u64.checked_pow(u32::try_from(power).ok()?)?;
    size.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(factor)
}

/// A size as Kubernetes writes it (`resource.BinarySI`): in the largest unit it is a whole number of.
fn binary(mut bytes: u64) -> String {
    let mut unit = 0;
    while bytes > 0 && bytes.is_multiple_of(1024) && unit + 1 < UNITS.len() {
        bytes /= 1024;
        unit += 1;
    }
    format!("{bytes}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_binary_units_and_written_as_kubernetes_writes_them() {
        for (size, in_bytes, written) in [
            ("20Gi", 20 << 30, "20Gi"),
            ("20480Mi", 20 << 30, "20Gi"),
            ("1024", 1024, "1Ki"),
            ("1500Mi", 1500 << 20, "1500Mi"),
            ("2Ti", 2 << 40, "2Ti"),
            ("0", 0, "0"),
        ] {
            assert_eq!(bytes(size), Some(in_bytes), "{size}");
            assert_eq!(binary(in_bytes), written, "{size}");
        }
        for size in ["", "Gi", "1.5Gi", "20G", "20000000Pi"] {
            assert_eq!(bytes(size), None, "{size}");
        }
    }

    #[test]
    fn a_snapshot_tells_what_its_content_says() {
        let of = |status: Value| {
            let content = json!({"metadata": {"name": "snapcontent-u"}, "status": status});
            told(&serde_json::from_value(content).expect("a content"))
        };
        let cut =
            of(json!({"creationTime": 1_767_225_600_123_456_789_i64, "restoreSize": 1_u64 << 30, "readyToUse": true}));
        assert_eq!(
            cut,
            json!({
                "boundVolumeSnapshotContentName": "snapcontent-u", "readyToUse": true,
                "creationTime": "2026-01-01T00:00:00Z", "restoreSize": "1Gi", "error": null,
            })
        );
        let begun = of(Value::Null);
        assert_eq!((&begun["readyToUse"], &begun["creationTime"]), (&json!(false), &Value::Null));
        let failed = of(json!({"readyToUse": false, "error": {"message": "no room"}}));
        assert_eq!(failed["error"]["message"], "no room");
    }
}
