//! Volumes on the nodes' disk: folders that all nodes see, made when a claim asks for one and removed with it. A provisioner of
//! the lab's own: sizes are not enforced, and there are no snapshots.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::api::{Api, DeleteParams, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

use super::NodeProfileError;
use crate::install::Installer;
use crate::node::spec::VOLUMES;
use crate::simulate::follow::{Wakes, follow, unless_overtaken};

/// The class of such volumes, which is the default.
const CLASS: &str = "lab-local";
/// Who makes them; the name says what it is.
const PROVISIONER: &str = "local.lab.jiyun.io";
/// Until a folder that could not be made or removed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Makes the class known.
pub(super) async fn install(client: &Client) -> Result<(), NodeProfileError> {
    let class = json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
    });
    Ok(Installer::new(client.clone()).apply(vec![class]).await?)
}

/// Serves claims and removes volumes for as long as it is polled; their folders lie in `folder`.
pub(super) async fn run(client: Client, folder: PathBuf) {
    let quiet = || Wakes { all: stream::pending(), some: stream::pending() };
    let made = {
        let (client, folder) = (client.clone(), folder.clone());
        follow(Api::all(client.clone()), (), quiet(), move |claim: Arc<PersistentVolumeClaim>| {
            let (client, folder) = (client.clone(), folder.clone());
            async move { serve(&client, &folder, &claim).await }
        })
    };
    let removed = follow(Api::all(client.clone()), (), Wakes { all: stream::pending(), some: stream::pending() }, {
        move |volume: Arc<PersistentVolume>| {
            let (client, folder) = (client.clone(), folder.clone());
            async move { remove(&client, &folder, &volume).await }
        }
    });
    tokio::join!(made, removed);
}

async fn serve(client: &Client, folder: &Path, claim: &PersistentVolumeClaim) -> Result<Option<Duration>, kube::Error> {
    let Some(volume) = volume(claim) else { return Ok(None) };
    if let Err(error) = make(&folder.join(volume.name_any())) {
        tracing::warn!(%error, claim = %claim.name_any(), "no folder for a volume");
        return Ok(Some(AGAIN));
    }
    unless_overtaken(Api::all(client.clone()).create(&PostParams::default(), &volume).await).map(|()| None)
}

async fn remove(client: &Client, folder: &Path, volume: &PersistentVolume) -> Result<Option<Duration>, kube::Error> {
    let is_ours = volume.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref()) == Some(CLASS);
    let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    if !is_ours || phase != Some("Released") {
        return Ok(None);
    }
    match fs::remove_dir_all(folder.join(volume.name_any())) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, volume = %volume.name_any(), "the folder of a volume stays");
            return Ok(Some(AGAIN));
        }
        _ => {}
    }
    let api: Api<PersistentVolume> = Api::all(client.clone());
    unless_overtaken(api.delete(&volume.name_any(), &DeleteParams::default()).await).map(|()| None)
}

/// Whoever a pod runs as may write there: what a group would give is not applied to folders of the node.
fn make(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o777))
}

/// The volume for a claim that asks for one of this class and has none.
fn volume(claim: &PersistentVolumeClaim) -> Option<PersistentVolume> {
    let spec = claim.spec.as_ref()?;
    let waits = spec.volume_name.is_none() && claim.metadata.deletion_timestamp.is_none();
    // Raw devices are not to be had from folders.
    let is_folder = spec.volume_mode.as_deref() != Some("Block");
    if !waits || !is_folder || spec.storage_class_name.as_deref() != Some(CLASS) {
        return None;
    }
    let uid = claim.uid()?;
    let name = format!("pvc-{uid}");
    let volume: Value = json!({
        "metadata": {"name": name},
        "spec": {
            "capacity": spec.resources.as_ref()?.requests,
            "accessModes": spec.access_modes,
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": CLASS,
            "hostPath": {"path": Path::new(VOLUMES).join(&name)},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim.namespace(),
                "name": claim.name_any(),
                "uid": uid,
            },
        },
    });
    serde_json::from_value(volume).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(change: impl FnOnce(&mut Value)) -> PersistentVolumeClaim {
        let mut claim = json!({
            "metadata": {"name": "data", "namespace": "one", "uid": "0-1"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": CLASS,
                "resources": {"requests": {"storage": "1Gi"}},
            },
        });
        change(&mut claim);
        serde_json::from_value(claim).expect("a claim")
    }

    #[test]
    fn a_claim_gets_a_volume_of_its_own_size_kept_for_it_alone() {
        let volume = volume(&claim(|_| {})).expect("a volume").spec.expect("a spec");
        assert_eq!(volume.capacity.expect("a size")["storage"].0, "1Gi");
        assert_eq!(volume.claim_ref.expect("for whom").uid.as_deref(), Some("0-1"));
        assert_eq!(volume.host_path.expect("a folder").path, "/var/lib/jiyun-lab/volumes/pvc-0-1");
    }

    #[test]
    fn claims_of_other_classes_for_raw_devices_or_with_a_volume_get_none() {
        for change in [("storageClassName", "other"), ("volumeMode", "Block"), ("volumeName", "there")] {
            assert_eq!(volume(&claim(|claim| claim["spec"][change.0] = change.1.into())), None, "{change:?}");
        }
    }

    #[test]
    fn anybody_may_write_to_a_volume() {
        let parent = tempfile::tempdir().expect("temp dir");
        let folder = parent.path().join("pvc-1");
        make(&folder).expect("made");
        assert_eq!(fs::metadata(folder).expect("there").permissions().mode() & 0o777, 0o777);
    }
}
