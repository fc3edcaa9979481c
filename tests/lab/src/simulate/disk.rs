//! What a disk array's provisioner and CDI do so that a `DataVolume` has a disk: the claim (PVC), the volume (PV) bound
//! to it, its growth and its removal; the same for claims that a database's engine makes. The import's progress is
//! `data_volume`'s, what is made from a snapshot `clone`'s. No byte is stored anywhere: a word on the claim
//! ([`CONTENT`]) stands for what is on the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Client, Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::follow::{Wakes, follow, unless_overtaken};
use super::{CONTENT, Fault, Simulation, clone, data_volume};

/// The driver named in volumes; it says what it is.
pub(super) const DRIVER: &str = "simulated.lab.jiyun.io";
/// How soon a disk whose namesake's claim is on its way out is looked at again: CDI watches claims.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs the three loops for ever.
pub(crate) async fn run(simulation: Simulation) {
    let client = &simulation.client;
    let claims = {
        let simulation = simulation.clone();
        follow(
            Api::all_with(client.clone(), &data_volume::resource()),
            data_volume::resource(),
            quiet(),
            move |volume: Arc<DynamicObject>| {
                let simulation = simulation.clone();
                async move {
                    match clone::source(&volume) {
                        Some(snapshot) => clone::act(&simulation, &volume, &snapshot).await,
                        None => claim(&simulation.client, &volume).await,
                    }
                }
            },
        )
    };
    let volumes = {
        let simulation = simulation.clone();
        let wakes = Wakes { all: simulation.faults.changes(), some: stream::pending() };
        follow(Api::all(client.clone()), (), wakes, move |claim: Arc<PersistentVolumeClaim>| {
            let simulation = simulation.clone();
            async move { serve(&simulation, &claim).await.map(|()| None) }
        })
    };
    let removals = {
        let client = client.clone();
        follow(Api::all(client.clone()), (), quiet(), move |volume: Arc<PersistentVolume>| {
            let client = client.clone();
            async move { remove(&client, &volume).await.map(|()| None) }
        })
    };
    tokio::join!(claims, volumes, removals);
}

fn quiet<K>() -> Wakes<stream::Pending<()>, stream::Pending<K>> {
    Wakes { all: stream::pending(), some: stream::pending() }
}

/// Gives a disk its claim. What an empty disk or an image begins with is like nothing that was before.
async fn claim(client: &Client, volume: &DynamicObject) -> Result<Option<Duration>, kube::Error> {
    if volume.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &volume.namespace().unwrap_or_default());
    match api.get_opt(&volume.name_any()).await? {
        Some(there) => Ok((!is_of(&there, volume)).then_some(AGAIN)),
        None => make_claim(client, volume, &format!("new-{}", volume.uid().unwrap_or_default())).await.map(|()| None),
    }
}

/// Whether a claim is that of a disk, and not of a namesake that is gone.
pub(super) fn is_of(claim: &PersistentVolumeClaim, volume: &DynamicObject) -> bool {
    claim.owner_references().iter().any(|owner| Some(&owner.uid) == volume.metadata.uid.as_ref())
}

/// CDI: pkg/controller/datavolume/controller-base.go, `newPersistentVolumeClaim`. `content` is the word for what is on it.
pub(super) async fn make_claim(client: &Client, volume: &DynamicObject, content: &str) -> Result<(), kube::Error> {
    let namespace = volume.namespace().unwrap_or_default();
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &namespace);
    let Some(spec) = claim_spec(&volume.data) else { return Ok(()) };
    let mut labels: BTreeMap<String, String> = volume.labels().clone();
    labels.insert("app".into(), "containerized-data-importer".into());
    let mut annotations: BTreeMap<String, String> = volume.annotations().clone();
    annotations.insert("cdi.kubevirt.io/storage.contentType".into(), "kubevirt".into());
    annotations.insert("cdi.kubevirt.io/createdForDataVolume".into(), volume.uid().unwrap_or_default());
    annotations.insert(CONTENT.into(), content.into());
    let body = json!({
        "metadata": {
            "name": volume.name_any(), "namespace": namespace, "labels": labels, "annotations": annotations,
            "ownerReferences": [volume.controller_owner_ref(&data_volume::resource())],
        },
        "spec": spec,
    });
    let body = serde_json::from_value(body).map_err(kube::Error::SerdeError)?;
    unless_overtaken(api.create(&PostParams::default(), &body).await)
}

/// CDI: util.go, `renderPvcSpec`. What `spec.storage` leaves open a `StorageProfile` would say; as for Ceph's block
/// devices that is a shared raw device (pkg/storagecapabilities/storagecapabilities.go, `createRbdCapabilities`).
pub(super) fn claim_spec(volume: &Value) -> Option<Value> {
    if let Some(given) = volume.pointer("/spec/pvc") {
        return Some(given.clone());
    }
    let mut spec = volume.pointer("/spec/storage")?.clone();
    let fields = spec.as_object_mut()?;
    fields.entry("accessModes").or_insert_with(|| json!(["ReadWriteMany"]));
    fields.entry("volumeMode").or_insert_with(|| json!("Block"));
    Some(spec)
}

/// Gives a claim its volume, and a bound one the size it asks for.
async fn serve(simulation: &Simulation, claim: &PersistentVolumeClaim) -> Result<(), kube::Error> {
    let is_served = claim.owner_references().iter().any(|owner| matches!(&*owner.kind, "DataVolume" | "Cluster"));
    let full = simulation.faults.befalls(Fault::Full, &claim.name_any());
    if !is_served || full || claim.metadata.deletion_timestamp.is_some() {
        return Ok(());
    }
    let status = claim.status.as_ref();
    let requested = size(claim.spec.as_ref().and_then(|spec| spec.resources.as_ref()?.requests.as_ref()));
    match status.and_then(|status| status.phase.as_deref()) {
        Some("Bound") => {
            let held = size(status.and_then(|status| status.capacity.as_ref()));
            if requested == held { Ok(()) } else { grow(&simulation.client, claim, requested.as_ref()).await }
        }
        Some("Lost") => Ok(()),
        _ => provision(&simulation.client, claim, requested.as_ref()).await,
    }
}

fn size(quantities: Option<&BTreeMap<String, Quantity>>) -> Option<Quantity> {
    quantities?.get("storage").cloned()
}

fn volume_name(claim: &PersistentVolumeClaim) -> String {
    format!("pvc-{}", claim.uid().unwrap_or_default())
}

/// external-provisioner: pkg/controller/controller.go, `Provision`. Binding is kube-controller-manager's.
async fn provision(
    client: &Client,
    claim: &PersistentVolumeClaim,
    capacity: Option<&Quantity>,
) -> Result<(), kube::Error> {
    let Some(spec) = &claim.spec else { return Ok(()) };
    let name = volume_name(claim);
    let body = json!({
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": DRIVER}},
        "spec": {
            "storageClassName": spec.storage_class_name,
            "capacity": {"storage": capacity},
            "accessModes": spec.access_modes,
            "volumeMode": spec.volume_mode,
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": claim.namespace(),
                "name": claim.name_any(), "uid": claim.uid(),
            },
            "csi": {"driver": DRIVER, "volumeHandle": name},
        },
    });
    let body = serde_json::from_value(body).map_err(kube::Error::SerdeError)?;
    let api: Api<PersistentVolume> = Api::all(client.clone());
    unless_overtaken(api.create(&PostParams::default(), &body).await)
}

/// external-resizer: pkg/controller/controller.go, `resizePVC`; a raw device needs nothing of the node.
async fn grow(client: &Client, claim: &PersistentVolumeClaim, size: Option<&Quantity>) -> Result<(), kube::Error> {
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    let grown = Patch::Merge(json!({"spec": {"capacity": {"storage": size}}}));
    unless_overtaken(volumes.patch(&volume_name(claim), &PatchParams::default(), &grown).await)?;
    let claims: Api<PersistentVolumeClaim> =
        Api::namespaced(client.clone(), claim.metadata.namespace.as_deref().unwrap_or_default());
    let grown = Patch::Merge(json!({"status": {"capacity": {"storage": size}}}));
    unless_overtaken(claims.patch_status(&claim.name_any(), &PatchParams::default(), &grown).await)
}

/// external-provisioner: the same, `Delete`, for a volume whose claim is gone.
async fn remove(client: &Client, volume: &PersistentVolume) -> Result<(), kube::Error> {
    let spec = volume.spec.as_ref();
    let is_ours = spec.and_then(|spec| spec.csi.as_ref()).is_some_and(|csi| csi.driver == DRIVER);
    let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    if !is_ours || phase != Some("Released") || volume.metadata.deletion_timestamp.is_some() {
        return Ok(());
    }
    let api: Api<PersistentVolume> = Api::all(client.clone());
    unless_overtaken(api.delete(&volume.name_any(), &DeleteParams::default()).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_asks_for_what_the_data_volume_asks_for() {
        let stored =
            json!({"spec": {"storage": {"storageClassName": "gold", "resources": {"requests": {"storage": "20Gi"}}}}});
        let spec = claim_spec(&stored).expect("a claim");
        assert_eq!(spec["storageClassName"], "gold");
        assert_eq!(spec["resources"]["requests"]["storage"], "20Gi");
        assert_eq!(spec["volumeMode"], "Block");
        let given = json!({"spec": {"pvc": {"accessModes": ["ReadWriteOnce"]}}});
        assert_eq!(claim_spec(&given), Some(json!({"accessModes": ["ReadWriteOnce"]})));
        assert_eq!(claim_spec(&json!({"spec": {}})), None);
    }
}
