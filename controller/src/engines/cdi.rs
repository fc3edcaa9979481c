//! CDI (Containerized Data Importer): system disks and volumes as `DataVolume`s.
//!
//! Contract: `cdi.kubevirt.io/v1beta1`, release 1.65; phases in its `core-api/types.go`. A disk is an object of its own,
//! not a template inside the machine, so that a machine can be rebuilt or archived while its disk stays.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{Quantity, Reason};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    applied,
    fault::Fault,
    order::{FromSnapshot, ImageSource, MachineOrder, VolumeOrder},
    view::{EngineKind, Unread, View},
};

/// Annotation that holds the size a disk was seen to have after it was grown: its own spec keeps the size it was made with.
pub const GROWN_TO: &str = "jiyun.io/grown-to";

/// Annotation of a disk that was made anew in its place: the moment that was asked for with. It tells the disk from the
/// one before it.
pub const RESTORED_AT: &str = "jiyun.io/restored-at";

/// Annotation of a disk that was to be made anew and stays after all: the version it had when that was decided. A
/// request to delete it that is on its way since before finds another version, and is refused.
pub const KEPT_AT: &str = "jiyun.io/kept-at";

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
    /// What it is filled from.
    pub source: Option<DiskSource>,
}

/// What is read of a disk's source.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DiskSource {
    /// A snapshot, if it is one.
    pub snapshot: Option<Unread>,
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

/// MiB of a GiB.
const GIB: u64 = 1024;

/// CDI's words for a copy that is not begun: its snapshot is not there, or does not fit, as where it is larger than the
/// disk (pkg/controller/datavolume/snapshot-clone-controller.go, `validateCloneAndSourceSnapshot`;
/// clone-controller-base.go). It looks again when the snapshot changes.
const COPY_FAULTS: [&str; 2] = ["CloneWithoutSource", "CloneValidationFailed"];

/// Reads a disk's state.
pub fn state(disk: &DiskView) -> DiskState {
    let is_copied = disk.spec.source.as_ref().is_some_and(|source| source.snapshot.is_some());
    if is_copied { copied(&disk.status) } else { fetched(&disk.status) }
}

/// Reads the state of a disk that is copied from a snapshot. It has nothing of it before it has all: what still waits
/// for a machine would lose it with the snapshot. Disks are asked for at once (`build`), so none does.
///
/// A copy that fails keeps its phase, and is begun anew (pkg/controller/populators/clone-populator.go,
/// `updateClonePhaseError`; clone-controller-base.go, `updateStatusPhaseForPopulator`). No image is to blame for it.
fn copied(status: &DiskStatus) -> DiskState {
    let phase = status.phase.as_deref().filter(|phase| !phase.is_empty()).unwrap_or("Pending");
    match phase {
        "Succeeded" => return DiskState::Filled,
        "Failed" => return DiskState::Failed(Fault::other(denied(status, "Bound").unwrap_or(phase))),
        _ => {}
    }
    match (denied(status, "Bound"), denied(status, "Running")) {
        (Some(why), _) if COPY_FAULTS.contains(&why) => DiskState::Failed(Fault::other(format!("{phase} {why}"))),
        (_, Some(why)) if POD_FAULTS.contains(&why) || matches!(why, "Error" | "ImagePullFailed") => {
            DiskState::Failed(Fault::other(format!("{phase} {why}")))
        }
        (_, Some(why @ "Unschedulable")) => DiskState::Filling(format!("{phase} {why}")),
        _ => DiskState::Filling(with_progress(phase, status)),
    }
}

/// The phase, and how far it is where that is known.
fn with_progress(phase: &str, status: &DiskStatus) -> String {
    let quarter = status.progress.as_deref().and_then(quarter);
    quarter.map_or_else(|| phase.to_owned(), |quarter| format!("{phase} {quarter}"))
}

/// Reads the state of a disk that is filled with an image, or with nothing. `PendingPopulation` and
/// `WaitForFirstConsumer` mean "waits for its machine": no fault.
///
/// An import that fails keeps its phase, for its pod is started again; that it failed is told by the condition `Running`
/// alone (pkg/controller/util.go, `setAnnotationsFromPodWithPrefix`). `Failed` is a phase only of what is not tried again:
/// contents that are not those promised (import-controller.go, `updateStatusPhase`), or lost storage (controller-base.go,
/// `ClaimLost`).
fn fetched(status: &DiskStatus) -> DiskState {
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
            _ => DiskState::Filling(with_progress(phase, status)),
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

/// The moment that a disk was made anew for; none of one that never was.
pub fn restored_at(disk: &DiskView) -> Option<Timestamp> {
    disk.metadata.annotations.as_ref()?.get(RESTORED_AT)?.parse().ok()
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

/// The `DataVolume` of an order, ready for server-side apply; one whose content comes from a snapshot once it has the
/// size that takes ([`at_least`]).
pub fn build(order: &MachineOrder) -> Value {
    let image = match &order.image {
        ImageSource::Http(url) => json!({"http": {"url": url}}),
        ImageSource::Registry(url) => json!({"registry": {"url": url}}),
    };
    let meta = (order.namespace.as_str(), order.disk_name.as_str(), &order.labels);
    disk(meta, (order.content.as_ref(), image), order.disk_mebibytes, &order.storage_class)
}

/// The `DataVolume` of a volume, empty unless its content comes from a snapshot; otherwise as [`build`] has it.
pub fn of_volume(order: &VolumeOrder) -> Value {
    let meta = (order.namespace.as_str(), order.disk_name.as_str(), &order.labels);
    disk(meta, (order.content.as_ref(), json!({"blank": {}})), order.mebibytes, &order.storage_class)
}

/// A disk with the content of a snapshot, or what it has otherwise. Whoever makes one in the namespace of the snapshot
/// needs no right to copy (CDI's `CanUserCloneSnapshot`).
fn disk(
    (namespace, name, labels): (&str, &str, &BTreeMap<String, String>),
    (content, otherwise): (Option<&FromSnapshot>, Value),
    mebibytes: u64,
    storage_class: &str,
) -> Value {
    // Many drivers give whole GiB, and CDI copies to no disk that asks for less than its snapshot was given
    // (`at_least`).
    let mebibytes = if content.is_some() { mebibytes.next_multiple_of(GIB) } else { mebibytes };
    // At once, whether or not the storage class waits for a consumer: filling it is the longest step.
    let mut annotations = json!({"cdi.kubevirt.io/storage.bind.immediate.requested": "true"});
    if let Some(moment) = content.and_then(|content| content.restored_at) {
        annotations[RESTORED_AT] = json!(moment.to_string());
    }
    let source = content
        .map_or(otherwise, |content| json!({"snapshot": {"namespace": content.namespace, "name": content.name}}));
    applied::stamped(json!({
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations},
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

/// Where a disk says how large it is.
const SIZE: &str = "/spec/storage/resources/requests/storage";

/// A `disk` as it was built, with as many MiB as were granted or so many, where that is more.
///
/// CDI compares what a disk asks for with what the volume claim had that the snapshot is of
/// (pkg/controller/common/util.go, `ValidateRequestedCloneSize`). For a disk that is kept as a file, that claim was
/// made larger than its disk asked for (pkg/controller/datavolume/util.go, `renderPvcSpecVolumeSize`): so a copy asks
/// for more than was granted, and what was granted stays what its guest is promised.
pub fn at_least(mut disk: Value, mebibytes: u64) -> Value {
    let asked = disk.pointer(SIZE).and_then(Value::as_str);
    let asked = asked.and_then(|size| size.strip_suffix("Mi")?.parse::<u64>().ok());
    if asked.is_some_and(|asked| asked >= mebibytes) {
        return disk;
    }
    if let Some(size) = disk.pointer_mut(SIZE) {
        *size = json!(format!("{mebibytes}Mi"));
    }
    if let Some(annotations) = disk.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(applied::ANNOTATION);
    }
    applied::stamped(disk)
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
            fetched(&serde_json::from_value(status).unwrap())
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
    fn a_copy_of_a_snapshot_is_there_once_it_is_whole_and_its_faults_are_the_engines() {
        let of = |phase: Value, conditions: Value| -> DiskState {
            let disk = json!({
                "metadata": {"name": "d"}, "spec": {"source": {"snapshot": {"namespace": "engine-tax", "name": "s"}}},
                "status": {"phase": phase, "progress": "37.5%", "conditions": conditions},
            });
            state(&serde_json::from_value(disk).unwrap())
        };
        let failed = |word: &str| DiskState::Failed(Fault::other(word));
        let filling = |word: &str| DiskState::Filling(word.into());
        let denied = |kind: &str, why: &str| json!([{"type": kind, "status": "False", "reason": why}]);
        for (phase, conditions, expected) in [
            (json!(null), json!(null), filling("Pending 25%")),
            (json!(""), denied("Bound", "CloneWithoutSource"), failed("Pending CloneWithoutSource")),
            (json!("Pending"), denied("Bound", "CloneValidationFailed"), failed("Pending CloneValidationFailed")),
            (json!("CloneScheduled"), denied("Running", "Pending"), filling("CloneScheduled 25%")),
            (json!("CloneFromSnapshotSourceInProgress"), json!([]), filling("CloneFromSnapshotSourceInProgress 25%")),
            (json!("CloneScheduled"), denied("Running", "Error"), failed("CloneScheduled Error")),
            (json!("CloneInProgress"), denied("Running", "OOMKilled"), failed("CloneInProgress OOMKilled")),
            (json!("CloneInProgress"), denied("Running", "Unschedulable"), filling("CloneInProgress Unschedulable")),
            (json!("PendingPopulation"), json!([]), filling("PendingPopulation 25%")),
            (json!("WaitForFirstConsumer"), json!([]), filling("WaitForFirstConsumer 25%")),
            (json!("Failed"), denied("Bound", "ClaimLost"), failed("ClaimLost")),
            (json!("Succeeded"), denied("Running", "Completed"), DiskState::Filled),
        ] {
            assert_eq!(of(phase.clone(), conditions.clone()), expected, "{phase} {conditions}");
        }
        let blank = json!({
            "metadata": {"name": "d"}, "spec": {"source": {"blank": {}}}, "status": {"phase": "PendingPopulation"},
        });
        assert_eq!(state(&serde_json::from_value(blank).unwrap()), DiskState::Filled, "nothing can be lost of it");
    }

    #[test]
    fn a_disk_from_a_snapshot_names_it_and_one_made_anew_the_moment_it_was_asked_for_with() {
        let order = |content: Option<FromSnapshot>| VolumeOrder {
            namespace: "engine-tax".into(),
            disk_name: "files-volume".into(),
            labels: BTreeMap::new(),
            mebibytes: 1024,
            storage_class: "standard".into(),
            content,
        };
        let from = |restored_at: Option<&str>| FromSnapshot {
            namespace: "engine-tax".into(),
            name: "files-1-snapshot".into(),
            restored_at: restored_at.map(|at| at.parse().unwrap()),
        };
        let snapshot = json!({"snapshot": {"namespace": "engine-tax", "name": "files-1-snapshot"}});
        let mut fingerprints = std::collections::BTreeSet::new();
        for (content, source, moment) in [
            (None, json!({"blank": {}}), None),
            (Some(from(None)), snapshot.clone(), None),
            (Some(from(Some("2026-03-01T08:00:00+08:00"))), snapshot, Some("2026-03-01T00:00:00Z")),
        ] {
            let built = of_volume(&order(content));
            assert_eq!(built["spec"]["source"], source);
            let read: DiskView = serde_json::from_value(built.clone()).unwrap();
            assert_eq!(restored_at(&read).map(|at| at.to_string()).as_deref(), moment);
            fingerprints.insert(built["metadata"]["annotations"][applied::ANNOTATION].to_string());
        }
        assert_eq!(fingerprints.len(), 3, "none is taken for another");
        let size = |content: Option<FromSnapshot>, mebibytes: u64| {
            let read = serde_json::from_value(of_volume(&VolumeOrder { mebibytes, ..order(content) }));
            super::mebibytes(&read.unwrap())
        };
        assert_eq!((size(None, 1500), size(Some(from(None)), 1500)), (1500, 2048), "as much as a driver made of it");
        assert_eq!((size(None, 2048), size(Some(from(None)), 2048)), (2048, 2048));
    }

    #[test]
    fn a_copy_asks_for_what_its_snapshot_takes_where_that_is_more_than_was_granted() {
        let built = |mebibytes| {
            let content = FromSnapshot { namespace: "e".into(), name: "s".into(), restored_at: None };
            of_volume(&VolumeOrder {
                namespace: "engine-tax".into(),
                disk_name: "files-volume".into(),
                labels: BTreeMap::new(),
                mebibytes,
                storage_class: "standard".into(),
                content: Some(content),
            })
        };
        let read = |disk: &Value| mebibytes(&serde_json::from_value(disk.clone()).unwrap());
        for (granted, least, expected) in
            [(10_240, 10_240, 10_240), (10_240, 0, 10_240), (20_480, 10_865, 20_480), (10_240, 10_865, 10_865)]
        {
            let sized = at_least(built(granted), least);
            assert_eq!(read(&sized), expected, "{granted} {least}");
            assert_eq!(sized["spec"]["source"], built(granted)["spec"]["source"]);
        }
        let sized = at_least(built(10_240), 10_865);
        assert_eq!(at_least(built(10_240), 10_865), sized, "whoever leads makes the same");
        let stamp = |disk: &Value| disk["metadata"]["annotations"][applied::ANNOTATION].clone();
        assert_ne!(stamp(&sized), stamp(&built(10_240)), "and it is told from what was built");
        let mut bare = sized.clone();
        bare["metadata"]["annotations"].as_object_mut().unwrap().remove(applied::ANNOTATION);
        assert_eq!(applied::stamped(bare), sized, "by all that is asked for");
    }

    #[test]
    fn a_disk_that_waits_for_its_machine_is_no_fault() {
        assert_eq!(fetched(&status("WaitForFirstConsumer", "N/A")), DiskState::Filled);
        assert_eq!(fetched(&status("Succeeded", "100.0%")), DiskState::Filled);
    }

    #[test]
    fn progress_is_told_in_quarters_while_an_image_is_fetched() {
        assert_eq!(fetched(&status("ImportInProgress", "37.5%")), DiskState::Filling("ImportInProgress 25%".into()));
        assert_eq!(fetched(&status("ImportInProgress", "49.99%")), DiskState::Filling("ImportInProgress 25%".into()));
        assert_eq!(fetched(&status("ImportScheduled", "N/A")), DiskState::Filling("ImportScheduled".into()));
        assert_eq!(fetched(&DiskStatus::default()), DiskState::Filling("Pending".into()));
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
        assert_eq!(fetched(&read), DiskState::Filling("Pending".into()));
    }
}
