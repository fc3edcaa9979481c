//! A department that has snapshots: what it orders and restores over REST, what its engine made of that, and what is on its disks.

use jiyun_crds::{
    date_time::DateTime,
    names::{
        LABEL_SNAPSHOT, department_namespace, engine_namespace, system_disk_name, volume_disk_name,
        volume_snapshot_name,
    },
    v1alpha1::{CloudHost, CloudSnapshot, CloudVolume, ConditionType, Restored, condition},
};
use jiyun_lab::{simulate::CONTENT, wait_for};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    Answer, WorldError,
    world::{Bureau, PATIENCE},
};

/// What has a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of<'a> {
    /// A host, with its system disk.
    Host(&'a str),
    /// A volume.
    Volume(&'a str),
}

impl<'a> Of<'a> {
    /// Its kind, as snapshots name it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Host(_) => "CloudHost",
            Self::Volume(_) => "CloudVolume",
        }
    }

    /// Its name.
    pub fn name(self) -> &'a str {
        match self {
            Self::Host(name) | Self::Volume(name) => name,
        }
    }

    /// Name of its disk, and of that disk's claim on storage.
    pub fn disk(self) -> String {
        match self {
            Self::Host(name) => system_disk_name(name),
            Self::Volume(name) => volume_disk_name(name),
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::Host(_) => "hosts",
            Self::Volume(_) => "volumes",
        }
    }
}

/// A department's snapshots.
#[derive(Debug)]
pub struct Snapshots<'a> {
    /// The department.
    pub bureau: &'a Bureau<'a>,
}

impl Snapshots<'_> {
    /// Path of its snapshots.
    pub fn path(&self) -> String {
        format!("/v1/departments/{}/snapshots", self.bureau.name)
    }

    /// Path of one snapshot.
    pub fn one(&self, name: &str) -> String {
        format!("{}/{name}", self.path())
    }

    /// The order of a snapshot for the system `portal`, free to be deleted: the body of a POST.
    pub fn body(&self, name: &str, of: Of<'_>) -> Value {
        json!({
            "name": name, "system": "portal", "source": {"kind": of.kind(), "name": of.name()},
            "deletionProtection": "Disabled",
        })
    }

    /// The same, to be applied.
    pub fn object(&self, name: &str, of: Of<'_>) -> Value {
        json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudSnapshot",
            "metadata": {"name": name, "namespace": self.home()},
            "spec": {
                "systemRef": {"name": "portal"}, "source": {"kind": of.kind(), "name": of.name()},
                "deletionProtection": "Disabled",
            },
        })
    }

    /// Orders a snapshot and waits `wait` seconds for the decision.
    ///
    /// # Errors
    /// When the API cannot be called.
    pub async fn order(&self, body: &Value, wait: u32) -> Result<Answer, WorldError> {
        Ok(self.bureau.caller.post(&self.path(), body, wait).await?)
    }

    /// Orders a snapshot and waits until it was taken.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn take(&self, name: &str, of: Of<'_>) -> Result<CloudSnapshot, WorldError> {
        self.order(&self.body(name, of), 30).await?;
        self.wait_taken(name).await
    }

    /// Changes a snapshot.
    ///
    /// # Errors
    /// When the API cannot be called.
    pub async fn change(&self, name: &str, wish: &Value) -> Result<Answer, WorldError> {
        Ok(self.bureau.caller.patch(&self.one(name), wish, "").await?)
    }

    /// The snapshots, as the platform sees them.
    ///
    /// # Errors
    /// When there is no client.
    pub async fn objects(&self) -> Result<Api<CloudSnapshot>, WorldError> {
        Ok(Api::namespaced(self.client().await?, &self.home()))
    }

    /// Waits until a snapshot is as described.
    ///
    /// # Errors
    /// When it is not in time; the error shows what was seen last.
    pub async fn wait(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&CloudSnapshot) -> bool,
    ) -> Result<CloudSnapshot, WorldError> {
        let api = self.objects().await?;
        Ok(wait_for(format!("snapshot {}/{name}: {what}", self.bureau.name), PATIENCE, || async {
            let found = api.get(name).await.map_err(|error| error.to_string())?;
            let seen = found.status.as_ref().and_then(|status| status.observed_generation);
            if seen == found.metadata.generation && holds(&found) {
                Ok(found)
            } else {
                Err(format!("{:?}", found.status))
            }
        })
        .await?)
    }

    /// Waits until a snapshot was taken.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait_taken(&self, name: &str) -> Result<CloudSnapshot, WorldError> {
        self.wait(name, "taken", |found| says(found, ConditionType::Ready) == Some(("True", "Available"))).await
    }

    /// Waits until a snapshot is gone, and what it is at its engine, and what that has kept.
    ///
    /// # Errors
    /// When they are not in time.
    pub async fn wait_gone(&self, name: &str) -> Result<(), WorldError> {
        let (objects, taken, contents) = (self.objects().await?, self.taken().await?, self.contents().await?);
        let of_it = ListParams::default().labels(&format!("{LABEL_SNAPSHOT}={name}"));
        let failed = |error: kube::Error| error.to_string();
        let engines = engine_namespace(&self.bureau.name);
        wait_for(format!("snapshot {}/{name} to be gone", self.bureau.name), PATIENCE, || async {
            let object = objects.get_opt(name).await.map_err(failed)?;
            let mut left: Vec<String> = object.map(|object| format!("{:?}", object.status)).into_iter().collect();
            left.extend(taken.list(&of_it).await.map_err(failed)?.items.iter().map(ResourceExt::name_any));
            let kept = contents.list(&ListParams::default()).await.map_err(failed)?;
            let is_of_it = |content: &&DynamicObject| {
                let of = &content.data["spec"]["volumeSnapshotRef"];
                of["namespace"] == engines && of["name"] == volume_snapshot_name(name)
            };
            left.extend(kept.items.iter().filter(is_of_it).map(ResourceExt::name_any));
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await?;
        Ok(())
    }

    /// What a snapshot is at its engine.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn made(&self, name: &str) -> Result<DynamicObject, WorldError> {
        Ok(self.taken().await?.get(&volume_snapshot_name(name)).await?)
    }

    /// Waits until the moment is over whose content a snapshot holds, whether it can be used by then or not.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait_cut(&self, name: &str) -> Result<DynamicObject, WorldError> {
        Ok(wait_for(format!("snapshot {}/{name} to be cut", self.bureau.name), PATIENCE, || async {
            let made = self.made(name).await.map_err(|error| format!("{error:?}"))?;
            if made.data["status"]["creationTime"].is_string() { Ok(made) } else { Err(made.data.to_string()) }
        })
        .await?)
    }

    /// All that were taken, at the engine.
    ///
    /// # Errors
    /// When there is no client.
    pub async fn taken(&self) -> Result<Api<DynamicObject>, WorldError> {
        self.engine("snapshot.storage.k8s.io", "v1", "VolumeSnapshot").await
    }

    /// The word a snapshot has kept of its disk.
    ///
    /// # Errors
    /// When nothing was kept.
    pub async fn kept(&self, name: &str) -> Result<String, WorldError> {
        let made = self.made(name).await?;
        let content = made.data["status"]["boundVolumeSnapshotContentName"].as_str().unwrap_or_default();
        Ok(word(&self.contents().await?.get(content).await?))
    }

    /// The word that stands for what is on a disk; empty where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn word(&self, of: Of<'_>) -> Result<String, WorldError> {
        Ok(self.storage(of).await?.as_ref().map(word).unwrap_or_default())
    }

    /// The claim on storage that a disk has; nothing where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn storage(&self, of: Of<'_>) -> Result<Option<PersistentVolumeClaim>, WorldError> {
        Ok(self.claims().await?.get_opt(&of.disk()).await?)
    }

    /// Writes to a disk, as a guest would, once it is there.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn write(&self, of: Of<'_>, word: &str) -> Result<(), WorldError> {
        let (claims, disk) = (self.claims().await?, of.disk());
        let written = Patch::Merge(json!({"metadata": {"annotations": {(CONTENT): word}}}));
        wait_for(format!("{word} to be written to {}/{disk}", self.bureau.name), PATIENCE, || async {
            let written = claims.patch(&disk, &PatchParams::default(), &written).await;
            written.map(drop).map_err(|error| error.to_string())
        })
        .await?;
        Ok(())
    }

    /// A disk at its engine; nothing where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn disk(&self, of: Of<'_>) -> Result<Option<DynamicObject>, WorldError> {
        Ok(self.engine("cdi.kubevirt.io", "v1beta1", "DataVolume").await?.get_opt(&of.disk()).await?)
    }

    /// Asks for a disk to be brought back to a snapshot.
    ///
    /// # Errors
    /// When the API cannot be called.
    pub async fn restore(&self, of: Of<'_>, snapshot: &str) -> Result<Answer, WorldError> {
        let path = format!("/v1/departments/{}/{}/{}/restore", self.bureau.name, of.plural(), of.name());
        Ok(self.bureau.caller.post(&path, &json!({"snapshot": snapshot}), 0).await?)
    }

    /// Asks for it as an administrator does by kubectl, whom nothing tells beforehand that it is a mistake.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn wish(&self, of: Of<'_>, snapshot: &str, moment: &str) -> Result<(), WorldError> {
        self.wished(of, &json!({"snapshotRef": {"name": snapshot}, "requestedAt": moment})).await
    }

    /// Takes such a wish back, as an administrator does by kubectl.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn take_back(&self, of: Of<'_>) -> Result<(), WorldError> {
        self.wished(of, &Value::Null).await
    }

    async fn wished(&self, of: Of<'_>, restore: &Value) -> Result<(), WorldError> {
        let object = format!("{}/{}", of.kind().to_lowercase(), of.name());
        let (home, spec) = (self.home(), json!({"spec": {"restore": restore}}).to_string());
        self.bureau.world.lab.kubectl(&["patch", &object, "-n", &home, "--type=merge", "-p", &spec]).await?;
        Ok(())
    }

    /// The restore of a disk that was begun last, as its host or its volume says.
    ///
    /// # Errors
    /// When there is no such host or volume.
    pub async fn restored(&self, of: Of<'_>) -> Result<Option<Restored>, WorldError> {
        let (client, home) = (self.client().await?, self.home());
        Ok(match of {
            Of::Host(name) => {
                let host = Api::<CloudHost>::namespaced(client, &home).get(name).await?;
                host.status.and_then(|status| status.restored)
            }
            Of::Volume(name) => {
                let volume = Api::<CloudVolume>::namespaced(client, &home).get(name).await?;
                volume.status.and_then(|status| status.restored)
            }
        })
    }

    /// Waits until the restore that was asked for with this moment was begun.
    ///
    /// # Errors
    /// When it was not in time.
    pub async fn wait_begun(&self, of: Of<'_>, moment: &str) -> Result<Restored, WorldError> {
        self.wait_restore(of, moment, false).await
    }

    /// Waits until the restore that was asked for with this moment is done.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait_restored(&self, of: Of<'_>, moment: &str) -> Result<Restored, WorldError> {
        self.wait_restore(of, moment, true).await
    }

    async fn wait_restore(&self, of: Of<'_>, moment: &str, is_done: bool) -> Result<Restored, WorldError> {
        let asked = DateTime::from(moment).timestamp().map_err(std::io::Error::other)?;
        let end = if is_done { "done" } else { "begun" };
        let what = format!("the restore of {}/{} at {moment} to be {end}", self.bureau.name, of.name());
        Ok(wait_for(what, PATIENCE, || async {
            let found = self.restored(of).await.map_err(|error| format!("{error:?}"))?;
            let is_it = |found: &Restored| {
                found.requested_at.timestamp().is_ok_and(|begun| begun == asked)
                    && (found.completed_at.is_some() || !is_done)
            };
            found.clone().filter(is_it).ok_or_else(|| format!("{found:?}"))
        })
        .await?)
    }

    fn home(&self) -> String {
        department_namespace(&self.bureau.name)
    }

    async fn claims(&self) -> Result<Api<PersistentVolumeClaim>, WorldError> {
        Ok(Api::namespaced(self.client().await?, &engine_namespace(&self.bureau.name)))
    }

    async fn contents(&self) -> Result<Api<DynamicObject>, WorldError> {
        let kind = GroupVersionKind::gvk("snapshot.storage.k8s.io", "v1", "VolumeSnapshotContent");
        Ok(Api::all_with(self.client().await?, &ApiResource::from_gvk(&kind)))
    }

    async fn engine(&self, group: &str, version: &str, kind: &str) -> Result<Api<DynamicObject>, WorldError> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Ok(Api::namespaced_with(self.client().await?, &engine_namespace(&self.bureau.name), &resource))
    }

    async fn client(&self) -> Result<Client, WorldError> {
        Ok(self.bureau.world.lab.client().await?)
    }
}

fn word(object: &impl ResourceExt) -> String {
    object.annotations().get(CONTENT).cloned().unwrap_or_default()
}

/// Status, reason and message of a condition.
pub fn told(snapshot: &CloudSnapshot, kind: ConditionType) -> Option<(&str, &str, &str)> {
    let found = condition::find(&snapshot.status.as_ref()?.conditions, kind)?;
    Some((&found.status, &found.reason, &found.message))
}

/// Status and reason of a condition.
pub fn says(snapshot: &CloudSnapshot, kind: ConditionType) -> Option<(&str, &str)> {
    told(snapshot, kind).map(|(status, reason, _)| (status, reason))
}
