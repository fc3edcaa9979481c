//! A department that has volumes: what it orders over REST, and which machines have them.

mod watch;

use std::collections::BTreeSet;

use jiyun_crds::{
    names::{department_namespace, engine_namespace, volume_disk_name},
    v1alpha1::{AttachmentState, CloudVolume, ConditionType, condition},
};
use jiyun_lab::{Lab, LabOptions, wait_for};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    Answer, World, WorldError, WorldOptions, city,
    world::{Bureau, PATIENCE},
};

pub use watch::{Moment, Watch};

/// The kinds that have volumes: machines as they are declared, and as they run.
const MACHINES: [&str; 2] = ["VirtualMachine", "VirtualMachineInstance"];

/// The world that all tests of volumes and of snapshots share but for those that kill its programs. It keeps an audit trail.
///
/// # Errors
/// See [`WorldError`].
pub async fn shared() -> Result<&'static World, WorldError> {
    static SHARED: OnceCell<World> = OnceCell::const_new();
    let begin = || async {
        let lab = Lab::start(with_disks(WorldOptions::default().lab)).await?;
        let world = World::recorded(lab, &city::CATALOGUE_FILES).await?;
        grow(world).await
    };
    SHARED.get_or_try_init(begin).await
}

/// Starts a world on `lab` whose disks are of a class that can grow, and whose machines have instances.
///
/// # Errors
/// See [`WorldError`].
pub async fn begin(lab: LabOptions) -> Result<World, WorldError> {
    begin_with(lab, &[]).await
}

/// As [`begin`], with a controller that is given these arguments too.
///
/// # Errors
/// See [`WorldError`].
pub async fn begin_with(lab: LabOptions, arguments: &[&str]) -> Result<World, WorldError> {
    let controller_arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let options = WorldOptions { lab: with_disks(lab), controller_arguments, ..WorldOptions::default() };
    grow(World::start(options).await?).await
}

fn with_disks(lab: LabOptions) -> LabOptions {
    lab.volumes().instances().own_cluster()
}

/// Lets the disks of a world grow.
async fn grow(world: World) -> Result<World, WorldError> {
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "standard"},
        "provisioner": "simulated.lab.jiyun.io", "allowVolumeExpansion": true,
    });
    world.lab.apply_text(&class.to_string()).await?;
    Ok(world)
}

/// A department's volumes.
#[derive(Debug)]
pub struct Volumes<'a> {
    /// The department.
    pub bureau: &'a Bureau<'a>,
}

impl Volumes<'_> {
    /// Path of its volumes.
    pub fn path(&self) -> String {
        format!("/v1/departments/{}/volumes", self.bureau.name)
    }

    /// Path of one volume.
    pub fn one(&self, name: &str) -> String {
        format!("{}/{name}", self.path())
    }

    /// The order of a volume of the system `portal`, free to be deleted, attached to `host` or to none: the body of a POST.
    pub fn body(&self, name: &str, size: &str, host: Option<&str>) -> Value {
        let mut body = json!({
            "name": name, "system": "portal", "zone": "extranet-public", "tier": "standard", "size": size,
            "deletionProtection": "Disabled",
        });
        if let Some(host) = host {
            body["host"] = json!(host);
        }
        body
    }

    /// Orders a volume and waits `wait` seconds for the decision.
    ///
    /// # Errors
    /// When the API cannot be called.
    pub async fn order(&self, body: &Value, wait: u32) -> Result<Answer, WorldError> {
        Ok(self.bureau.caller.post(&self.path(), body, wait).await?)
    }

    /// Changes a volume.
    ///
    /// # Errors
    /// When the API cannot be called.
    pub async fn change(&self, name: &str, wish: &Value) -> Result<Answer, WorldError> {
        Ok(self.bureau.caller.patch(&self.one(name), wish, "").await?)
    }

    /// Names the host of a volume as an administrator does by kubectl, whom nothing tells beforehand that it is a mistake.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn wish(&self, name: &str, host: &str) -> Result<(), WorldError> {
        let patch = Patch::Merge(json!({"spec": {"hostRef": {"name": host}}}));
        self.objects().await?.patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// The volumes, as the platform sees them.
    ///
    /// # Errors
    /// When there is no client.
    pub async fn objects(&self) -> Result<Api<CloudVolume>, WorldError> {
        Ok(Api::namespaced(self.bureau.world.lab.client().await?, &department_namespace(&self.bureau.name)))
    }

    /// Waits until a volume is as described.
    ///
    /// # Errors
    /// When it is not in time; the error shows what was seen last.
    pub async fn wait(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&CloudVolume) -> bool,
    ) -> Result<CloudVolume, WorldError> {
        let api = self.objects().await?;
        Ok(wait_for(format!("volume {}/{name}: {what}", self.bureau.name), PATIENCE, || async {
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

    /// Waits until a volume is ready, for this reason.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait_ready(&self, name: &str, why: &str) -> Result<CloudVolume, WorldError> {
        self.wait(name, why, |found| {
            told(found, ConditionType::Ready).is_some_and(|(status, reason, _)| status == "True" && reason == why)
        })
        .await
    }

    /// Waits until a volume and a host are so far with each other.
    ///
    /// # Errors
    /// When they are not in time.
    pub async fn wait_attached(
        &self,
        name: &str,
        host: &str,
        state: AttachmentState,
    ) -> Result<CloudVolume, WorldError> {
        self.wait(name, &format!("{state} at {host}"), |found| attachment(found) == Some((host, state))).await
    }

    /// Waits until a volume, its disk and its claim on storage are gone.
    ///
    /// # Errors
    /// When they are not in time.
    pub async fn wait_gone(&self, name: &str) -> Result<(), WorldError> {
        let lab = &self.bureau.world.lab;
        let (home, engines) = (department_namespace(&self.bureau.name), engine_namespace(&self.bureau.name));
        let label = format!("jiyun.io/cloudvolume={name}");
        wait_for(format!("volume {}/{name} to be gone", self.bureau.name), PATIENCE, || async {
            let disks = ["get", "dv,pvc", "-n", &engines, "-l", &label, "-o", "name"];
            let mut left = lab.kubectl(&disks).await.map_err(|error| error.to_string())?;
            let object = ["get", "cvol", "-n", &home, "-o", "name", "--ignore-not-found", name];
            left += &lab.kubectl(&object).await.map_err(|error| error.to_string())?;
            if left.is_empty() { Ok(()) } else { Err(left) }
        })
        .await?;
        Ok(())
    }

    /// An object that was made of a volume: its disk (`dv`) or its claim on storage (`pvc`).
    ///
    /// # Errors
    /// When it is not there.
    pub async fn made(&self, kind: &str, name: &str) -> Result<Value, WorldError> {
        let (disk, namespace) = (volume_disk_name(name), engine_namespace(&self.bureau.name));
        let text = self.bureau.world.lab.kubectl(&["get", kind, &disk, "-n", &namespace, "-o", "json"]).await?;
        Ok(serde_json::from_str(&text).map_err(std::io::Error::other)?)
    }

    /// How the machine of a host is declared with a volume: its source and its disk; nothing where it is not.
    ///
    /// # Errors
    /// When the machine is not there.
    pub async fn declared(&self, host: &str, name: &str) -> Result<Option<(Value, Value)>, WorldError> {
        let machine = self.machine(host).await?;
        let spec = &machine.data["spec"]["template"]["spec"];
        let listed = spec["volumes"].as_array().cloned().unwrap_or_default();
        let Some(mut volume) = listed.into_iter().find(|volume| is_of(volume, &volume_disk_name(name))) else {
            return Ok(None);
        };
        let disks = spec["domain"]["devices"]["disks"].as_array().cloned().unwrap_or_default();
        let disk = disks.into_iter().find(|disk| disk["name"] == volume["name"]).unwrap_or_default();
        Ok(Some((volume["persistentVolumeClaim"].take(), disk)))
    }

    /// Waits until the machine of a host is declared with a volume, or without it.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait_declared(&self, host: &str, name: &str, with: bool) -> Result<(), WorldError> {
        let how = if with { "with" } else { "without" };
        wait_for(format!("machine {host} to be declared {how} {name}"), PATIENCE, || async {
            let declared = self.declared(host, name).await.map_err(|error| error.to_string())?;
            if declared.is_some() == with { Ok(()) } else { Err(format!("{declared:?}")) }
        })
        .await?;
        Ok(())
    }

    /// The machine of a host as it is declared.
    ///
    /// # Errors
    /// When there is none.
    pub async fn machine(&self, host: &str) -> Result<DynamicObject, WorldError> {
        Ok(self.engines(MACHINES[0]).await?.get(host).await?)
    }

    /// The machine of a host as it runs.
    ///
    /// # Errors
    /// When it does not.
    pub async fn instance(&self, host: &str) -> Result<DynamicObject, WorldError> {
        Ok(self.engines(MACHINES[1]).await?.get(host).await?)
    }

    /// Kind and host of all that have a volume: machines that are declared with it, and instances that list it or whose guests
    /// have not let go of it yet.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn holders(&self, name: &str) -> Result<BTreeSet<String>, WorldError> {
        let disk = volume_disk_name(name);
        let mut holders = BTreeSet::new();
        for kind in MACHINES {
            let all = self.engines(kind).await?.list(&ListParams::default()).await?;
            let having = all.items.iter().filter(|object| has(&object.data, &disk));
            holders.extend(having.map(|object| format!("{kind} {}", object.name_any())));
        }
        Ok(holders)
    }

    /// Begins to watch what becomes of the volumes.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn watch(&self) -> Result<Watch, WorldError> {
        let [machines, instances] = MACHINES;
        let kinds = [machines, instances, watch::DISK];
        let mut begun = Watch::default();
        for kind in kinds {
            begun.follow(kind, self.engines(kind).await?).await?;
        }
        Ok(begun)
    }

    async fn engines(&self, kind: &str) -> Result<Api<DynamicObject>, WorldError> {
        let (group, version) = if kind == watch::DISK { ("cdi.kubevirt.io", "v1beta1") } else { ("kubevirt.io", "v1") };
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let namespace = engine_namespace(&self.bureau.name);
        Ok(Api::namespaced_with(self.bureau.world.lab.client().await?, &namespace, &resource))
    }
}

/// Status, reason and message of a condition.
pub fn told(volume: &CloudVolume, kind: ConditionType) -> Option<(&str, &str, &str)> {
    let found = condition::find(&volume.status.as_ref()?.conditions, kind)?;
    Some((&found.status, &found.reason, &found.message))
}

/// Status and reason of a condition.
pub fn says(volume: &CloudVolume, kind: ConditionType) -> Option<(&str, &str)> {
    told(volume, kind).map(|(status, reason, _)| (status, reason))
}

/// The host that has the volume, or is the only one that may have it, and how far they are.
pub fn attachment(volume: &CloudVolume) -> Option<(&str, AttachmentState)> {
    let attachment = volume.status.as_ref()?.attachment.as_ref()?;
    Some((&attachment.host, attachment.state))
}

/// Whether a machine or an instance has the volume with this disk.
fn has(object: &Value, disk: &str) -> bool {
    let all = |path: &str| object.pointer(path).and_then(Value::as_array).into_iter().flatten();
    let lists = |path: &str| all(path).any(|volume| is_of(volume, disk));
    // What is called after the disk is the volume's, and stays in the status until the guest has let go of it.
    let told = |status: &Value| status["name"].as_str().is_some_and(|name| name.ends_with(disk));
    lists("/spec/template/spec/volumes") || lists("/spec/volumes") || all("/status/volumeStatus").any(told)
}

fn is_of(volume: &Value, disk: &str) -> bool {
    volume["persistentVolumeClaim"]["claimName"] == disk
}
