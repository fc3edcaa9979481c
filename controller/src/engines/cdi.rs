//! CDI (Containerized Data Importer): system disks and volumes as `DataVolume`s.
//!
//! Contract: `cdi.kubevirt.io/v1beta1`, release 1.65; phases in its `core-api/types.go`. A disk is an object of its own,
//! not a template inside the machine, so that a machine can be rebuilt or archived while its disk stays.

use std::collections::BTreeMap;

use jiyun_crds::v1alpha1::{Quantity, Reason};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    applied,
    fault::Fault,
    order::{ImageSource, MachineOrder, VolumeOrder},
    view::{EngineKind, View},
};

/// Annotation that holds the size a disk was seen to have after it was grown: its own spec keeps the size it was made with.
pub const GROWN_TO: &str = "jiyun.io/grown-to";

/// The kind `DataVolume`.
#[derive(Clone, Debug)]
pub struct DataVolume;

/// A `DataVolume` as we see it.
pub type DiskView = View<DataVolume>;

impl EngineKind for DataVolume {
    const GROUP: &'static str = "cdi.kubevirt.io";
    const VERSION: &'static str = "v1beta1";
    const KIND: &'static str = "DataVolume";
    const PLURAL: &'static str = "datavolumes";
    type Spec = DiskSpec;
    type Status = DiskStatus;
}

/// What is read of a disk's wish.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DiskSpec {
    /// What it was made with.
    pub storage: Option<Storage>,
}

/// What a disk was made with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Storage {
    /// Its resources.
    pub resources: Option<Resources>,
}

/// Resources of a disk.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// What was asked for, by resource; `storage` is its size.
    pub requests: Option<BTreeMap<String, Quantity>>,
}

/// What is read of a disk's status.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DiskStatus {
    /// Phase; empty until CDI has looked at it.
    pub phase: Option<String>,
    /// Import progress such as `37.5%`, or `N/A`.
    pub progress: Option<String>,
    /// What CDI found out about it.
    pub conditions: Option<Vec<DiskCondition>>,
}

/// What is read of a disk's condition.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DiskCondition {
    /// Which.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `True`, `False` or `Unknown`.
    pub status: Option<String>,
    /// Why, in one word.
    pub reason: Option<String>,
}

/// How far a disk is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskState {
    /// Content is being fetched; the text is CDI's phase and progress.
    Filling(String),
    /// Content is complete, or will be fetched as soon as a machine wants it.
    Filled,
    /// Content cannot be fetched, or the storage behind it is lost. CDI goes on trying, unless its phase is `Failed`.
    Failed(Fault),
}

/// Kubernetes' words for a pod that is killed or cannot be started, which CDI hands on as they are (pkg/controller/util.go,
/// `setAnnotationsFromPodWithPrefix`).
const POD_FAULTS: [&str; 6] = [
    "OOMKilled",
    "ContainerCannotRun",
    "StartError",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

/// Reads a disk's state. `PendingPopulation` and `WaitForFirstConsumer` mean "waits for its machine": no fault.
///
/// An import that fails keeps its phase, for its pod is started again; that it failed is told by the condition `Running`
/// alone (pkg/controller/util.go, `setAnnotationsFromPodWithPrefix`). `Failed` is a phase only of what is not tried again:
/// contents that are not those promised (import-controller.go, `updateStatusPhase`), or lost storage (controller-base.go,
/// `ClaimLost`).
pub fn state(status: &DiskStatus) -> DiskState {
    match status.phase.as_deref() {
        Some("Succeeded" | "PendingPopulation" | "WaitForFirstConsumer") => DiskState::Filled,
        Some("Failed") => DiskState::Failed(match denied(status, "Bound") {
            Some(lost @ "ClaimLost") => Fault::other(lost),
            _ => Fault::new(Reason::ImageUnavailable, "Failed"),
        }),
        Some(phase) => match denied(status, "Running") {
            Some(why @ ("Error" | "ImagePullFailed")) => {
                DiskState::Failed(Fault::new(Reason::ImageUnavailable, format!("{phase} {why}")))
            }
            // Its pod does not start, or is killed: whoever chose the image can do nothing about that.
            Some(why) if POD_FAULTS.contains(&why) => DiskState::Failed(Fault::other(format!("{phase} {why}"))),
            // It passes with the volume claim that its pod waits for, or with other pods: no fault, and worth naming.
            Some(why @ "Unschedulable") => DiskState::Filling(format!("{phase} {why}")),
            _ => {
                let quarter = status.progress.as_deref().and_then(quarter);
                DiskState::Filling(quarter.map_or_else(|| phase.to_owned(), |quarter| format!("{phase} {quarter}")))
            }
        },
        None => DiskState::Filling("Pending".to_owned()),
    }
}

/// Why the condition of this type is `False`, in CDI's word; `None` where it is not.
fn denied<'a>(status: &'a DiskStatus, kind: &str) -> Option<&'a str> {
    let mut all = status.conditions.iter().flatten();
    let found =
        all.find(|condition| (condition.kind.as_deref(), condition.status.as_deref()) == (Some(kind), Some("False")));
    found?.reason.as_deref()
}

/// The size of a disk in MiB: what it was made with, or what it was seen to have grown to since.
pub fn mebibytes(disk: &DiskView) -> u64 {
    let made = || disk.spec.storage.as_ref()?.resources.as_ref()?.requests.as_ref()?.get("storage")?.mebibytes().ok();
    let grown = || {
        let text = disk.metadata.annotations.as_ref()?.get(GROWN_TO)?;
        serde_json::from_value::<Quantity>(Value::String(text.clone())).ok()?.mebibytes().ok()
    };
    made().max(grown()).unwrap_or_default()
}

/// CDI's progress (`37.5%`) rounded down to quarters: an import is told in five steps, not in a write a second.
fn quarter(progress: &str) -> Option<&'static str> {
    let percent: u32 = progress.strip_suffix('%')?.split('.').next()?.parse().ok()?;
    Some(match percent {
        0..25 => "0%",
        25..50 => "25%",
        50..75 => "50%",
        75..100 => "75%",
        _ => "100%",
    })
}

/// The `DataVolume` of an order, ready for server-side apply.
pub fn build(order: &MachineOrder) -> Value {
    let source = match &order.image {
        ImageSource::Http(url) => json!({"http": {"url": url}}),
        ImageSource::Registry(url) => json!({"registry": {"url": url}}),
    };
    let meta = (order.namespace.as_str(), order.disk_name.as_str(), &order.labels);
    disk(meta, &source, order.disk_mebibytes, &order.storage_class)
}

/// The empty `DataVolume` of a volume, ready for server-side apply.
pub fn blank(order: &VolumeOrder) -> Value {
    let meta = (order.namespace.as_str(), order.disk_name.as_str(), &order.labels);
    disk(meta, &json!({"blank": {}}), order.mebibytes, &order.storage_class)
}

fn disk(
    (namespace, name, labels): (&str, &str, &BTreeMap<String, String>),
    source: &Value,
    mebibytes: u64,
    storage_class: &str,
) -> Value {
    applied::stamped(json!({
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels,
            // At once, whether or not the storage class waits for a consumer: the import is the longest step.
            "annotations": {"cdi.kubevirt.io/storage.bind.immediate.requested": "true"},
        },
        "spec": {
            "source": source,
            "storage": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": format!("{mebibytes}Mi")}},
                "storageClassName": storage_class,
            },
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(phase: &str, progress: &str) -> DiskStatus {
        DiskStatus { phase: Some(phase.into()), progress: Some(progress.into()), conditions: None }
    }

    #[test]
    fn an_import_that_fails_and_storage_that_is_lost_are_told_apart() {
        let of = |phase: &str, kind: &str, reason: &str| -> DiskState {
            let status = json!({
                "phase": phase, "progress": "37.5%",
                "conditions": [{"type": kind, "status": "False", "reason": reason, "message": null}],
            });
            state(&serde_json::from_value(status).unwrap())
        };
        let unavailable = |word: &str| DiskState::Failed(Fault::new(Reason::ImageUnavailable, word));
        for (phase, kind, reason, expected) in [
            ("ImportInProgress", "Running", "Error", unavailable("ImportInProgress Error")),
            ("ImportScheduled", "Running", "ImagePullFailed", unavailable("ImportScheduled ImagePullFailed")),
            ("ImportInProgress", "Running", "OOMKilled", DiskState::Failed(Fault::other("ImportInProgress OOMKilled"))),
            (
                "ImportScheduled",
                "Running",
                "CreateContainerConfigError",
                DiskState::Failed(Fault::other("ImportScheduled CreateContainerConfigError")),
            ),
            ("ImportScheduled", "Running", "ContainerCreating", DiskState::Filling("ImportScheduled 25%".into())),
            ("Failed", "Running", "Error", unavailable("Failed")),
            ("Failed", "Bound", "ClaimLost", DiskState::Failed(Fault::other("ClaimLost"))),
            ("ImportScheduled", "Running", "Unschedulable", DiskState::Filling("ImportScheduled Unschedulable".into())),
            ("ImportInProgress", "Running", "Pending", DiskState::Filling("ImportInProgress 25%".into())),
            ("ImportInProgress", "Ready", "Error", DiskState::Filling("ImportInProgress 25%".into())),
            ("Succeeded", "Running", "Error", DiskState::Filled),
        ] {
            assert_eq!(of(phase, kind, reason), expected, "{phase} {kind} {reason}");
        }
    }

    #[test]
    fn a_disk_that_waits_for_its_machine_is_no_fault() {
        assert_eq!(state(&status("WaitForFirstConsumer", "N/A")), DiskState::Filled);
        assert_eq!(state(&status("Succeeded", "100.0%")), DiskState::Filled);
    }

    #[test]
    fn progress_is_told_in_quarters_while_an_image_is_fetched() {
        assert_eq!(state(&status("ImportInProgress", "37.5%")), DiskState::Filling("ImportInProgress 25%".into()));
        assert_eq!(state(&status("ImportInProgress", "49.99%")), DiskState::Filling("ImportInProgress 25%".into()));
        assert_eq!(state(&status("ImportScheduled", "N/A")), DiskState::Filling("ImportScheduled".into()));
        assert_eq!(state(&DiskStatus::default()), DiskState::Filling("Pending".into()));
    }

    #[test]
    fn a_disk_has_the_size_it_was_made_with_or_has_grown_to() {
        let size = |grown: Option<&str>| {
            let disk: DiskView = serde_json::from_value(json!({
                "metadata": {"name": "d", "annotations": grown.map(|grown| json!({(GROWN_TO): grown}))},
                "spec": {"storage": {"resources": {"requests": {"storage": "40960Mi"}}}},
            }))
            .unwrap();
            mebibytes(&disk)
        };
        assert_eq!((size(None), size(Some("80Gi")), size(Some("a lot"))), (40_960, 81_920, 40_960));
    }

    #[test]
    fn a_null_in_the_status_is_read_as_nothing() {
        let read: DiskStatus = serde_json::from_str(r#"{"phase": null, "progress": null, "claimName": "x"}"#).unwrap();
        assert_eq!(state(&read), DiskState::Filling("Pending".into()));
    }
}
