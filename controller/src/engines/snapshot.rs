//! external-snapshotter: what a volume claim holds at one moment, kept by its storage as a `VolumeSnapshot`.
//!
//! Contract: `snapshot.storage.k8s.io/v1`, release 8.6 (`client/apis/volumesnapshot/v1/types.go`); what follows was
//! read in `pkg/common-controller/snapshot_controller.go`. `status.error` is what went wrong last and goes with
//! success: it is tried again by itself (`updateSnapshotStatus`). A snapshot is usable once it is ready *and* bound
//! (`syncSnapshot`), and never with an error (`pkg/utils/util.go`, `IsSnapshotReady`): CDI copies nothing of such a
//! one, nor of one that does not say its `restoreSize` (CDI's `pkg/controller/common/util.go`,
//! `IsSnapshotValidForClone`, `ValidateSnapshotCloneSize`). `creationTime` is the driver's word for the moment whose
//! content it holds, and is written once. A volume claim stays while a snapshot of it is not ready (`isPVCBeingUsed`),
//! and a snapshot while its content is not gone, or a volume claim that is made from it is not bound
//! (`checkandRemoveSnapshotFinalizersAndCheckandDeleteContent`).
//!
//! Where the content of one that was ready is taken away behind its back, it is said to be not ready, and is then taken
//! anew, of what the claim holds by then and under the old `creationTime` (`syncReadySnapshot`, `syncUnreadySnapshot`):
//! nothing that is read here tells the two apart afterwards.

use jiff::Timestamp;
use jiyun_crds::v1alpha1::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::DynamicObject;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    order::SnapshotOrder,
    view::{EngineKind, Unread, View},
};

/// The kind `VolumeSnapshot`.
#[derive(Clone, Debug)]
pub struct VolumeSnapshot;

/// A `VolumeSnapshot` as we see it.
pub type SnapshotView = View<VolumeSnapshot>;

impl EngineKind for VolumeSnapshot {
    const GROUP: &'static str = "snapshot.storage.k8s.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "VolumeSnapshot";
    const PLURAL: &'static str = "volumesnapshots";
    type Spec = SnapshotSpec;
    type Status = SnapshotStatus;
}

/// What is read of a snapshot's wish.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SnapshotSpec {
    /// What it is taken of.
    pub source: SnapshotOf,
}

/// What a snapshot is taken of.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SnapshotOf {
    /// The volume claim, in the same namespace.
    pub persistent_volume_claim_name: Option<String>,
}

/// What is read of a snapshot's status.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SnapshotStatus {
    /// Where its content is registered.
    pub bound_volume_snapshot_content_name: Option<String>,
    /// The moment whose content it holds.
    pub creation_time: Option<Time>,
    /// Whether something can be made from it.
    pub ready_to_use: Option<bool>,
    /// The least that a volume made from it has; 0 where its driver does not say.
    pub restore_size: Option<Quantity>,
    /// What went wrong last.
    pub error: Option<SnapshotError>,
}

/// What went wrong last with a snapshot.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SnapshotError {
    /// In the engine's words.
    pub message: Option<String>,
}

/// The kind `VolumeSnapshotClass`; cluster-scoped.
#[derive(Clone, Debug)]
pub struct VolumeSnapshotClass;

/// A `VolumeSnapshotClass`. What is read of it lies beside where other kinds have a spec: see [`is_kept`].
pub type ClassView = View<VolumeSnapshotClass>;

impl EngineKind for VolumeSnapshotClass {
    const GROUP: &'static str = "snapshot.storage.k8s.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "VolumeSnapshotClass";
    const PLURAL: &'static str = "volumesnapshotclasses";
    type Spec = Unread;
    type Status = Unread;
}

/// Whether what is taken by this class stays in its storage when its `VolumeSnapshot` goes: with the policy `Retain`, the
/// only other one there is.
pub fn is_kept(class: &DynamicObject) -> bool {
    class.data.get("deletionPolicy").and_then(Value::as_str) != Some("Delete")
}

/// How far a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotState {
    /// It is being taken.
    Taking,
    /// Something went wrong with it last, as when it could not be taken. It is tried again.
    Failed,
    /// Something can be made from it.
    Taken,
}

/// Reads a snapshot's state.
pub fn state(snapshot: &SnapshotView) -> SnapshotState {
    let status = &snapshot.status;
    if status.error.is_some() {
        SnapshotState::Failed
    } else if status.ready_to_use == Some(true) && status.bound_volume_snapshot_content_name.is_some() {
        SnapshotState::Taken
    } else {
        SnapshotState::Taking
    }
}

/// What went wrong last, in the engine's words: for operators, since it may name what is others'.
pub fn fault(snapshot: &SnapshotView) -> Option<&str> {
    snapshot.status.error.as_ref()?.message.as_deref()
}

/// The moment whose content a snapshot holds.
pub fn taken_at(snapshot: &SnapshotView) -> Option<Timestamp> {
    snapshot.status.creation_time.as_ref().map(|time| time.0)
}

/// The least that a volume made from a snapshot has, in whole MiB; 0 where its driver does not say, nothing where its
/// engine has not said. It is what the volume claim had, which may be more than its disk asked for: a file system takes
/// some.
pub fn least_mebibytes(snapshot: &SnapshotView) -> Option<u64> {
    let size = snapshot.status.restore_size.as_ref()?;
    size.mebibytes().or_else(|_| size.mebibytes_down().map(|whole| whole.saturating_add(1))).ok()
}

/// Whether a snapshot is of the volume claim of this name.
pub fn is_of(snapshot: &SnapshotView, disk: &str) -> bool {
    snapshot.spec.source.persistent_volume_claim_name.as_deref() == Some(disk)
}

/// The `VolumeSnapshot` of an order, ready for server-side apply.
pub fn build(order: &SnapshotOrder) -> Value {
    json!({
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": order.name, "namespace": order.namespace, "labels": order.labels},
        "spec": {
            "volumeSnapshotClassName": order.class,
            "source": {"persistentVolumeClaimName": order.disk_name},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: &Value) -> SnapshotView {
        let snapshot = json!({
            "metadata": {"name": "files-1-snapshot"},
            "spec": {"source": {"persistentVolumeClaimName": "files-volume"}, "volumeSnapshotClassName": "standard"},
            "status": status,
        });
        serde_json::from_value(snapshot).unwrap()
    }

    #[test]
    fn a_snapshot_is_taken_once_it_is_ready_and_bound_and_a_fault_is_one_until_then() {
        let (error, bound) = (json!({"message": "no such volume", "time": "2026-03-01T08:00:00Z"}), "snapcontent-1");
        for (status, expected) in [
            (json!({}), SnapshotState::Taking),
            (json!({"readyToUse": false, "boundVolumeSnapshotContentName": bound}), SnapshotState::Taking),
            (json!({"readyToUse": true}), SnapshotState::Taking),
            (json!({"readyToUse": true, "boundVolumeSnapshotContentName": bound}), SnapshotState::Taken),
            (json!({"error": error}), SnapshotState::Failed),
            (json!({"readyToUse": false, "error": error}), SnapshotState::Failed),
            (
                json!({"readyToUse": true, "boundVolumeSnapshotContentName": bound, "error": error}),
                SnapshotState::Failed,
            ),
            (json!({"readyToUse": null, "creationTime": null, "error": null}), SnapshotState::Taking),
        ] {
            assert_eq!(state(&read(&status)), expected, "{status}");
        }
        assert_eq!(fault(&read(&json!({"error": error}))), Some("no such volume"));
        assert_eq!(fault(&read(&json!({"error": {}}))), None);
    }

    #[test]
    fn the_size_of_what_is_made_from_a_snapshot_is_read_in_whole_mebibytes_and_never_less() {
        for (size, expected) in [
            (json!("10Gi"), Some(10_240)),
            (json!("10737418240"), Some(10_240)),
            (json!("11362304Ki"), Some(11_096)),
            (json!("11362305Ki"), Some(11_097)),
            (json!("1"), Some(1)),
            (json!("0"), Some(0)),
            (json!("-1Gi"), None),
            (json!("a lot"), None),
            (json!(null), None),
        ] {
            assert_eq!(least_mebibytes(&read(&json!({"restoreSize": size}))), expected, "{size}");
        }
        assert_eq!(least_mebibytes(&read(&json!({}))), None);
    }

    #[test]
    fn the_moment_of_a_snapshot_is_the_drivers_word() {
        let snapshot = read(&json!({"creationTime": "2026-03-01T08:00:00Z"}));
        assert_eq!(taken_at(&snapshot), Some("2026-03-01T08:00:00Z".parse().unwrap()));
        assert_eq!(taken_at(&read(&json!({"readyToUse": true}))), None);
    }

    #[test]
    fn a_snapshot_names_the_volume_claim_and_the_class_and_nothing_else() {
        let order = SnapshotOrder {
            namespace: "engine-tax".into(),
            name: "files-1-snapshot".into(),
            labels: [("jiyun.io/claim".to_owned(), "claim-2.book".to_owned())].into(),
            disk_name: "files-volume".into(),
            class: "standard".into(),
        };
        let built = build(&order);
        let expected = json!({
            "volumeSnapshotClassName": "standard", "source": {"persistentVolumeClaimName": "files-volume"},
        });
        assert_eq!(built["spec"], expected);
        let there: SnapshotView = serde_json::from_value(built).unwrap();
        assert!(is_of(&there, "files-volume") && !is_of(&there, "files-2-volume"));
        assert_eq!(state(&there), SnapshotState::Taking);
    }

    #[test]
    fn what_is_taken_goes_with_its_object_only_where_the_class_says_so() {
        let class = |policy: &Value| -> DynamicObject {
            serde_json::from_value(json!({
                "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
                "metadata": {"name": "standard"}, "driver": "rbd", "deletionPolicy": policy,
            }))
            .unwrap()
        };
        assert!(!is_kept(&class(&json!("Delete"))));
        assert!(is_kept(&class(&json!("Retain"))) && is_kept(&class(&json!(null))));
    }
}
