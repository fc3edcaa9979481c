//! CSI's snapshots: a `VolumeSnapshot` of a disk gets its `VolumeSnapshotContent`, is cut and becomes ready, and takes that along
//! when it goes. What is kept of a disk is the word that stands for what is on it ([`super::CONTENT`]), as it was at that moment.
//!
//! Imitated are external-snapshotter 8.6, both its controller (snapshot-controller) and its sidecar (csi-snapshotter), and a
//! driver whose snapshots share with their disk what was not written since. Left out: contents that somebody else provides,
//! groups, Secrets, and that a snapshot stays while a claim that is made from it waits for its volume.

mod content;

use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::{Client, ResourceExt as _};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Simulation;
use super::disk::DRIVER;
use super::follow::{Wakes, follow, unless_overtaken};
use super::held::{held_by, release, time_left_since, without};
use super::runner::View;

pub(super) use content::{bytes, word};

/// The classes of the example county's pools of disks, by which snapshots of them are taken.
const CLASSES: [&str; 3] = ["standard", "performance", "extreme"];
/// A snapshot removed from the array.
const REMOVAL: Duration = Duration::from_secs(2);
/// How soon what failed is tried again: the controller's queue begins with a second and ends with minutes.
const AGAIN: Duration = Duration::from_secs(1);

/// On a snapshot that disks may be made from: pkg/utils/util.go.
const AS_SOURCE: &str = "snapshot.storage.kubernetes.io/volumesnapshot-as-source-protection";
/// On a snapshot that has its content.
const BOUND: &str = "snapshot.storage.kubernetes.io/volumesnapshot-bound-protection";
/// On the content of a snapshot.
const CONTENT_BOUND: &str = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection";
/// On a disk's claim while a snapshot of it is taken.
const SOURCE: &str = "snapshot.storage.kubernetes.io/pvc-as-source-protection";
/// The annotation by which the controller tells the sidecar that a content may go.
const BEING_DELETED: &str = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted";

/// The part of a wish a step depends on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Spec {
    volume_snapshot_class_name: Option<String>,
    source: Source,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Source {
    persistent_volume_claim_name: Option<String>,
}

/// The part of a status a step depends on.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    pub(super) bound_volume_snapshot_content_name: Option<String>,
    pub(super) ready_to_use: Option<bool>,
    creation_time: Option<String>,
    pub(super) restore_size: Option<String>,
    pub(super) error: Option<Failure>,
}

/// Why a snapshot could not be taken.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Failure {
    pub(super) message: Option<String>,
}

/// `snapshot.storage.k8s.io/v1 VolumeSnapshot`
pub(super) type VolumeSnapshot = View<Spec, Status>;

fn kind(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("snapshot.storage.k8s.io", "v1", kind), plural)
}

/// The kind `VolumeSnapshot`
pub(super) fn resource() -> ApiResource {
    kind("VolumeSnapshot", "volumesnapshots")
}

fn contents(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &kind("VolumeSnapshotContent", "volumesnapshotcontents"))
}

fn classes(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &kind("VolumeSnapshotClass", "volumesnapshotclasses"))
}

/// pkg/utils/util.go, `GetDynamicSnapshotContentNameForSnapshot`.
fn content_name(snapshot: &VolumeSnapshot) -> String {
    format!("snapcontent-{}", snapshot.uid().unwrap_or_default())
}

impl Status {
    /// pkg/utils/util.go, `IsSnapshotReady`.
    pub(super) fn is_ready(&self) -> bool {
        self.ready_to_use == Some(true) && self.error.is_none()
    }
}

fn is_ready(snapshot: &VolumeSnapshot) -> bool {
    snapshot.status.as_ref().is_some_and(Status::is_ready)
}

fn claim_of(snapshot: &VolumeSnapshot) -> Option<&str> {
    snapshot.spec.source.persistent_volume_claim_name.as_deref()
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Runs the simulator for ever.
pub(crate) async fn run(simulation: Simulation) {
    for class in CLASSES {
        while let Err(error) = make_class(&simulation.client, class).await {
            tracing::debug!(class, %error, "a class of snapshots is tried again");
            tokio::time::sleep(AGAIN).await;
        }
    }
    let api = Api::<VolumeSnapshot>::all_with(simulation.client.clone(), &resource());
    let wakes = Wakes { all: simulation.faults.changes(), some: stream::pending() };
    follow(api, resource(), wakes, move |snapshot: Arc<VolumeSnapshot>| {
        let simulation = simulation.clone();
        async move { act(&simulation, &snapshot).await }
    })
    .await;
}

/// What whoever installs a driver makes for it. One that is there is somebody's.
async fn make_class(client: &Client, name: &str) -> Result<(), kube::Error> {
    let class = json!({
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass", "metadata": {"name": name},
        "driver": DRIVER, "deletionPolicy": "Delete",
    });
    let class = serde_json::from_value(class).map_err(kube::Error::SerdeError)?;
    match classes(client).create(&PostParams::default(), &class).await {
        Err(kube::Error::Api(refusal)) if refusal.code == 409 => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// pkg/common-controller/snapshot_controller.go, `syncSnapshot`.
async fn act(simulation: &Simulation, seen: &VolumeSnapshot) -> Result<Option<Duration>, kube::Error> {
    let client = &simulation.client;
    let (namespace, name) = (seen.namespace().unwrap_or_default(), seen.name_any());
    let snapshots = Api::<VolumeSnapshot>::namespaced_with(client.clone(), &namespace, &resource());
    // Read anew: what was seen may be from before our own writes.
    let Some(snapshot) = snapshots.get_opt(&name).await? else { return Ok(None) };
    if snapshot.metadata.deletion_timestamp.is_some() {
        return end(simulation, &snapshots, &snapshot).await;
    }
    let content = contents(client).get_opt(&content_name(&snapshot)).await?;
    if let Some(missing) = missing_finalizer(&snapshot, content.is_some()) {
        // It comes back with it.
        let held = Patch::Merge(json!({"metadata": {"finalizers": held_by(&snapshot, missing)}}));
        unless_overtaken(snapshots.patch(&name, &PatchParams::default(), &held).await)?;
        return Ok(None);
    }
    if is_ready(&snapshot) {
        return let_go_of_source(client, &snapshots, &snapshot).await.map(|()| None);
    }
    let content = match content {
        Some(content) => content,
        None => match content::made(client, &snapshot).await? {
            Ok(content) => content,
            Err(why) => return fail(&snapshots, &snapshot, &why).await.map(|()| Some(AGAIN)),
        },
    };
    let (content, again) = content::cut(simulation, &snapshot, content).await?;
    tell(&snapshots, &snapshot, &content).await?;
    Ok(again)
}

/// The same file, `checkandAddSnapshotFinalizers`.
fn missing_finalizer(snapshot: &VolumeSnapshot, has_content: bool) -> Option<&'static str> {
    let wanted: &[&'static str] = if has_content { &[AS_SOURCE, BOUND] } else { &[AS_SOURCE] };
    let is_missing = |wanted: &&&str| !snapshot.finalizers().iter().any(|held| held == **wanted);
    wanted.iter().find(is_missing).copied()
}

/// The same file, `updateSnapshotErrorStatusWithEvent`: what went wrong is told once.
async fn fail(snapshots: &Api<VolumeSnapshot>, snapshot: &VolumeSnapshot, why: &str) -> Result<(), kube::Error> {
    let message = format!("Failed to create snapshot content with error {why}");
    let told = snapshot.status.as_ref().and_then(|status| status.error.as_ref()?.message.as_deref());
    if told == Some(message.as_str()) {
        return Ok(());
    }
    write(snapshots, snapshot, &json!({"readyToUse": false, "error": {"time": now(), "message": message}})).await
}

/// The same file, `updateSnapshotStatus`: what the sidecar told of the content.
async fn tell(
    snapshots: &Api<VolumeSnapshot>,
    snapshot: &VolumeSnapshot,
    content: &DynamicObject,
) -> Result<(), kube::Error> {
    let told = content::told(content);
    let wanted = serde_json::from_value::<Status>(told.clone()).map_err(kube::Error::SerdeError)?;
    if snapshot.status.as_ref() == Some(&wanted) {
        return Ok(());
    }
    write(snapshots, snapshot, &told).await
}

async fn write(snapshots: &Api<VolumeSnapshot>, snapshot: &VolumeSnapshot, status: &Value) -> Result<(), kube::Error> {
    let patch = Patch::Merge(json!({"status": status}));
    unless_overtaken(snapshots.patch_status(&snapshot.name_any(), &PatchParams::default(), &patch).await)
}

/// The same file, `checkandRemovePVCFinalizer`: a disk may go once no snapshot of it is being taken.
async fn let_go_of_source(
    client: &Client,
    snapshots: &Api<VolumeSnapshot>,
    snapshot: &VolumeSnapshot,
) -> Result<(), kube::Error> {
    let Some(name) = claim_of(snapshot) else { return Ok(()) };
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &snapshot.namespace().unwrap_or_default());
    let Some(claim) = claims.get_opt(name).await? else { return Ok(()) };
    let Some(patch) = without(&claim, SOURCE) else { return Ok(()) };
    let others = snapshots.list(&ListParams::default()).await?;
    let is_being_taken = |other: &VolumeSnapshot| {
        other.name_any() != snapshot.name_any() && claim_of(other) == Some(name) && !is_ready(other)
    };
    if others.items.iter().any(is_being_taken) {
        return Ok(());
    }
    match claims.patch(name, &PatchParams::default(), &patch).await {
        Err(kube::Error::Api(refusal)) if refusal.code == 404 => Ok(()),
        // Where somebody was faster, it is tried again: nothing else would have this looked at.
        outcome => outcome.map(drop),
    }
}

/// The same file, `processSnapshotWithDeletionTimestamp`, and of the sidecar pkg/sidecar-controller/snapshot_controller.go,
/// `syncContent`: the content goes first, and with it what is kept, unless the class says that it stays.
async fn end(
    simulation: &Simulation,
    snapshots: &Api<VolumeSnapshot>,
    snapshot: &VolumeSnapshot,
) -> Result<Option<Duration>, kube::Error> {
    let client = &simulation.client;
    let (contents, name) = (contents(client), content_name(snapshot));
    let is_its = |content: &DynamicObject| content.data["spec"]["volumeSnapshotRef"]["uid"] == json!(snapshot.uid());
    if let Some(content) = contents.get_opt(&name).await?.filter(is_its) {
        let goes = content.data["spec"]["deletionPolicy"] == "Delete";
        if !content.annotations().contains_key(BEING_DELETED) {
            let marked = Patch::Merge(json!({"metadata": {"annotations": {(BEING_DELETED): "yes"}}}));
            unless_overtaken(contents.patch(&name, &PatchParams::default(), &marked).await)?;
        }
        if goes && content.metadata.deletion_timestamp.is_none() {
            unless_overtaken(contents.delete(&name, &DeleteParams::default()).await)?;
        }
        let since = snapshot.metadata.deletion_timestamp.as_ref();
        if let Some(left) = time_left_since(simulation, snapshot, since, REMOVAL).filter(|_| goes) {
            return Ok(Some(left));
        }
        if let Some(content) = contents.get_opt(&name).await?.filter(|_| goes) {
            release(&contents, &content, CONTENT_BOUND).await?;
            if contents.get_opt(&name).await?.is_some() {
                return Ok(Some(AGAIN));
            }
        }
    }
    let_go_of_source(client, snapshots, snapshot).await?;
    for finalizer in [AS_SOURCE, BOUND] {
        let Some(now) = snapshots.get_opt(&snapshot.name_any()).await? else { return Ok(None) };
        release(snapshots, &now, finalizer).await?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(finalizers: &[&str], status: &Value) -> VolumeSnapshot {
        serde_json::from_value(json!({
            "metadata": {"name": "nightly", "namespace": "engine-tax", "uid": "u", "finalizers": finalizers},
            "spec": {"volumeSnapshotClassName": "standard", "source": {"persistentVolumeClaimName": "files-volume"}},
            "status": status,
        }))
        .expect("a snapshot")
    }

    #[test]
    fn a_snapshot_is_held_from_the_start_and_by_its_content_once_it_has_one() {
        let missing = |held: &[&str], has_content| missing_finalizer(&snapshot(held, &Value::Null), has_content);
        assert_eq!(missing(&[], false), Some(AS_SOURCE));
        assert_eq!(missing(&[AS_SOURCE], false), None);
        assert_eq!(missing(&[AS_SOURCE], true), Some(BOUND));
        assert_eq!(missing(&["x/y", BOUND, AS_SOURCE], true), None);
    }

    #[test]
    fn a_snapshot_with_an_error_is_not_ready_whatever_else_it_says() {
        let ready = |status: Value| is_ready(&snapshot(&[], &status));
        assert!(ready(json!({"readyToUse": true, "error": null})));
        assert!(!ready(json!({"readyToUse": true, "error": {"message": "no room"}})));
        assert!(!ready(json!({"readyToUse": false})) && !ready(Value::Null));
    }
}
