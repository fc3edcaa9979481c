//! CDI's disks that are made from snapshots: the snapshot is looked at, then the disk's claim is made with what that has kept.
//!
//! Imitated is CDI 1.65 where the driver of the snapshot makes the disk (strategy `snapshot`). Left out: the claim of another
//! name that CDI makes first and binds to the disk's own claim at the end, and copies by pods where no driver does it.

use std::time::Duration;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt as _;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::data_volume::{self, TIMES, bound, ready, running};
use super::disk::{claim_spec, is_of, make_claim};
use super::follow::unless_overtaken;
use super::held::time_left;
use super::runner::condition;
use super::snapshot::{self, VolumeSnapshot};
use super::{Fault, Simulation};

/// A disk made by the array, which shares with the snapshot what is not written.
const CLONING: Duration = Duration::from_secs(5);
/// How soon an unfinished disk is looked at again: CDI watches claims and snapshots.
const AGAIN: Duration = Duration::from_millis(200);

const SCHEDULED: &str = "CloneScheduled";
const IN_PROGRESS: &str = "CloneFromSnapshotSourceInProgress";

/// A snapshot a disk is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    namespace: String,
    name: String,
}

/// The snapshot a disk is made from; nothing where it is made of anything else.
pub(super) fn source(volume: &DynamicObject) -> Option<Source> {
    let snapshot = volume.data.pointer("/spec/source/snapshot")?;
    let text = |field: &str| snapshot[field].as_str().unwrap_or_default().to_owned();
    Some(Source { namespace: text("namespace"), name: text("name") })
}

/// pkg/controller/datavolume/snapshot-clone-controller.go, `syncSnapshotClone`, and of the populator
/// pkg/controller/clone/snap-clone.go, `Reconcile`.
pub(super) async fn act(
    simulation: &Simulation,
    seen: &DynamicObject,
    source: &Source,
) -> Result<Option<Duration>, kube::Error> {
    let client = &simulation.client;
    let (namespace, name) = (seen.namespace().unwrap_or_default(), seen.name_any());
    let volumes = Api::<DynamicObject>::namespaced_with(client.clone(), &namespace, &data_volume::resource());
    // Read anew: what was seen may be from before our own writes, or of a namesake that is gone.
    let Some(volume) = volumes.get_opt(&name).await?.filter(|now| now.metadata.uid == seen.metadata.uid) else {
        return Ok(None);
    };
    if volume.metadata.deletion_timestamp.is_some() || volume.data["status"]["phase"] == "Succeeded" {
        return Ok(None);
    }
    let befalls = |fault| simulation.faults.befalls(fault, &name);
    if befalls(Fault::Lost) {
        return Ok(Some(AGAIN));
    }
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &namespace);
    let Some(claim) = claims.get_opt(&name).await? else {
        begin(simulation, &volumes, &volume, source).await?;
        return Ok(Some(AGAIN));
    };
    if !is_of(&claim, &volume) {
        return Ok(Some(AGAIN));
    }
    if claim.status.as_ref().and_then(|status| status.phase.as_deref()) != Some("Bound") {
        tell(&volumes, &volume, &told(SCHEDULED, pending(&name))).await?;
        return Ok(Some(AGAIN));
    }
    let left = time_left(simulation, &volume, CLONING);
    if left.is_some() || befalls(Fault::NeverReady) {
        tell(&volumes, &volume, &told(IN_PROGRESS, bound(&name))).await?;
        return Ok(Some(left.unwrap_or(AGAIN)));
    }
    tell(&volumes, &volume, &told("Succeeded", bound(&name))).await?;
    Ok(None)
}

/// Makes the disk's claim once its snapshot is ready: the first of these files, `validateCloneAndSourceSnapshot`. From there on the
/// snapshot may go. Of one whose data is gone nothing is made.
async fn begin(
    simulation: &Simulation,
    volumes: &Api<DynamicObject>,
    volume: &DynamicObject,
    source: &Source,
) -> Result<(), kube::Error> {
    let client = &simulation.client;
    let snapshots = Api::<VolumeSnapshot>::namespaced_with(client.clone(), &source.namespace, &snapshot::resource());
    let found = snapshots.get_opt(&source.name).await?;
    let (snapshot, objection) = match &found {
        Some(found) => (Some(found), objection(found, requested(volume))),
        None => (None, Some(("CloneWithoutSource", format!("The source snapshot {} doesn't exist", source.name)))),
    };
    if let Some((reason, message)) = objection {
        let not_bound = condition("Bound", false, reason, &message, &TIMES);
        let not_ready = condition("Ready", false, reason, &message, &TIMES);
        let conditions = [not_bound, not_ready, running(false, "", "")];
        return tell(volumes, volume, &json!({"conditions": conditions})).await;
    }
    let is_lost = simulation.faults.befalls(Fault::Lost, &source.name);
    let usable = snapshot.filter(|found| found.status.as_ref().is_some_and(snapshot::Status::is_ready) && !is_lost);
    let word = match usable {
        Some(usable) => snapshot::word(client, usable).await?,
        None => None,
    };
    match word {
        Some(word) => make_claim(client, volume, &word).await,
        None => tell(volumes, volume, &told(IN_PROGRESS, pending(&volume.name_any()))).await,
    }
}

/// Why a snapshot is no source for a disk of this size: the same file, `validateSnapshotClone`, and
/// pkg/controller/common/util.go, `IsSnapshotValidForClone` and `ValidateRequestedCloneSize`. One that is not ready yet is
/// waited for.
fn objection(snapshot: &VolumeSnapshot, requested: Option<u64>) -> Option<(&'static str, String)> {
    let invalid = |why: String| {
        let message = format!("The clone doesn't meet the validation requirements: {why}");
        Some(("CloneValidationFailed", message))
    };
    let Some(status) = &snapshot.status else { return invalid("no status on source snapshot yet".to_owned()) };
    if let Some(error) = &status.error {
        let message = error.message.as_deref().unwrap_or("no details");
        return invalid(format!("snapshot in error state with msg: {message}"));
    }
    let Some(size) = status.restore_size.as_deref().and_then(snapshot::bytes) else {
        return invalid("snapshot has no restore size".to_owned());
    };
    let requested = requested?;
    let says = || format!("target resources requests storage size is smaller than the source {size} < {requested}");
    if size > requested { invalid(says()) } else { None }
}

/// The bytes a disk asks for.
fn requested(volume: &DynamicObject) -> Option<u64> {
    snapshot::bytes(claim_spec(&volume.data)?.pointer("/resources/requests/storage")?.as_str()?)
}

/// pkg/controller/datavolume/clone-controller-base.go, `updateStatusPhaseForPopulator`.
fn told(phase: &str, bound: Value) -> Value {
    let is_done = phase == "Succeeded";
    let conditions = [bound, ready(is_done, ""), running(false, if is_done { "Completed" } else { "" }, "")];
    json!({"phase": phase, "progress": if is_done { "100.0%" } else { "N/A" }, "conditions": conditions})
}

fn pending(name: &str) -> Value {
    condition("Bound", false, "Pending", &format!("PVC {name} Pending"), &TIMES)
}

/// Writes a status that says anything else than the one that is there.
async fn tell(volumes: &Api<DynamicObject>, volume: &DynamicObject, status: &Value) -> Result<(), kube::Error> {
    let seen = &volume.data["status"];
    let said = |status: &Value| -> Vec<Value> {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        conditions.map(|one| json!([one["type"], one["status"], one["reason"], one["message"]])).collect()
    };
    let is_told = status.get("phase").is_none_or(|phase| seen["phase"] == *phase) && said(seen) == said(status);
    if is_told {
        return Ok(());
    }
    let patch = Patch::Merge(json!({"status": status}));
    unless_overtaken(volumes.patch_status(&volume.name_any(), &PatchParams::default(), &patch).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(status: &Value) -> VolumeSnapshot {
        serde_json::from_value(json!({
            "metadata": {"name": "nightly"}, "spec": {"source": {"persistentVolumeClaimName": "files"}},
            "status": status,
        }))
        .expect("a snapshot")
    }

    #[test]
    fn a_disk_is_made_from_a_snapshot_that_is_there_without_error_and_no_larger() {
        let why = |status: Value, requested: Option<u64>| objection(&snapshot(&status), requested).map(|(_, why)| why);
        let taken = || json!({"readyToUse": true, "restoreSize": "20Gi"});
        assert_eq!(why(taken(), Some(20 << 30)), None);
        assert_eq!(why(taken(), Some(40 << 30)), None);
        assert_eq!(why(taken(), None), None, "it is as large as the snapshot then");
        assert_eq!(why(json!({"readyToUse": false, "restoreSize": "20Gi"}), Some(20 << 30)), None, "it is waited for");
        for (status, requested, says) in [
            (taken(), 10 << 30, "smaller than the source"),
            (Value::Null, 20 << 30, "no status"),
            (json!({"readyToUse": false}), 20 << 30, "no restore size"),
            (
                json!({"restoreSize": "20Gi", "error": {"message": "no room"}}),
                20 << 30,
                "error state with msg: no room",
            ),
        ] {
            let told = why(status, Some(requested)).expect("an objection");
            assert!(told.contains(says), "{says} in {told}");
        }
    }

    #[test]
    fn only_a_disk_that_names_a_snapshot_is_made_from_one() {
        let of = |spec: Value| {
            let volume = json!({"metadata": {"name": "files"}, "spec": spec});
            source(&serde_json::from_value(volume).expect("a disk"))
        };
        let named = json!({"source": {"snapshot": {"namespace": "engine-tax", "name": "nightly"}}});
        assert_eq!(of(named), Some(Source { namespace: "engine-tax".into(), name: "nightly".into() }));
        for other in [json!({"source": {"blank": {}}}), json!({"sourceRef": {"name": "x"}}), json!({})] {
            assert_eq!(of(other.clone()), None, "{other}");
        }
    }
}
