//! A department that has databases: what it orders, and what the engine was asked to make of it.

use std::fmt::Debug;

use jiyun_crds::{
    names::{department_namespace, engine_namespace},
    v1alpha1::{CloudDatabase, ConditionType, condition},
};
use jiyun_lab::wait_for;
use k8s_openapi::{
    ByteString,
    api::core::v1::{PersistentVolumeClaim, Pod, Secret},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
    core::NamespaceResourceScope,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    World, WorldError, WorldOptions,
    world::{Bureau, PATIENCE},
};

/// A world with CloudNativePG's clusters that all tests of databases share. Their volumes are of a class that can grow.
///
/// # Errors
/// See [`WorldError`].
pub async fn shared() -> Result<&'static World, WorldError> {
    static SHARED: OnceCell<World> = OnceCell::const_new();
    let begin = || async {
        let options = WorldOptions::default();
        let lab = options.lab.cnpg().volumes().own_cluster();
        let world = World::start(WorldOptions { lab, ..options }).await?;
        let class = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "standard"},
            "provisioner": "simulated.lab.jiyun.io", "allowVolumeExpansion": true,
        });
        world.lab.apply_text(&class.to_string()).await?;
        Ok(world)
    };
    SHARED.get_or_try_init(begin).await
}

/// A department's databases.
#[derive(Debug)]
pub struct Databases<'a> {
    /// The department.
    pub bureau: &'a Bureau<'a>,
}

impl Databases<'_> {
    /// A database of the system `portal`, free to be deleted, to be applied: 2 cores and 8 GiB, 20 GiB, for each instance.
    pub fn order(&self, name: &str, topology: &str) -> Value {
        json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudDatabase",
            "metadata": {"name": name, "namespace": department_namespace(&self.bureau.name)},
            "spec": {
                "systemRef": {"name": "portal"}, "classRef": {"name": "database-2c8g"},
                "zoneRef": {"name": "extranet-public"}, "architecture": "amd64",
                "engine": {"kind": "Postgresql", "version": "17"}, "topology": topology,
                "storage": {"tier": "standard", "size": "20Gi"}, "deletionProtection": "Disabled",
            },
        })
    }

    /// Applies `object`.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn apply(&self, object: &Value) -> Result<(), WorldError> {
        self.bureau.world.take("a database", &object.to_string()).await
    }

    /// The databases, as the platform sees them.
    ///
    /// # Errors
    /// When there is no client.
    pub async fn objects(&self) -> Result<Api<CloudDatabase>, WorldError> {
        Ok(Api::namespaced(self.client().await?, &department_namespace(&self.bureau.name)))
    }

    /// Sets fields of a database's spec.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn set(&self, name: &str, spec: Value) -> Result<CloudDatabase, WorldError> {
        let patch = Patch::Merge(json!({"spec": spec}));
        Ok(self.objects().await?.patch(name, &PatchParams::default(), &patch).await?)
    }

    /// Waits until a database is as described.
    ///
    /// # Errors
    /// When it is not in time; the error shows what was seen last.
    pub async fn wait(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&CloudDatabase) -> bool,
    ) -> Result<CloudDatabase, WorldError> {
        let api = self.objects().await?;
        Ok(wait_for(format!("database {}/{name}: {what}", self.bureau.name), PATIENCE, || async {
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

    /// Waits until a database is ready, for this reason.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait_ready(&self, name: &str, why: &str) -> Result<CloudDatabase, WorldError> {
        self.wait(name, why, |found| {
            told(found, ConditionType::Ready).is_some_and(|(status, reason, _)| status == "True" && reason == why)
        })
        .await
    }

    /// Waits until a database was granted so many instances of this class, with so much storage each, and has them;
    /// it is ready, and nothing stands in the way of its wish.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait_granted(
        &self,
        name: &str,
        (class, instances, size): (&str, u32, &str),
    ) -> Result<CloudDatabase, WorldError> {
        self.wait(name, &format!("{instances} of {class} with {size}"), |found| {
            let granted = found.status.as_ref().and_then(|status| status.granted.as_ref());
            let is_granted = granted.is_some_and(|granted| {
                (granted.class.as_str(), granted.instances, granted.storage_size.as_str()) == (class, instances, size)
            });
            is_granted
                && told(found, ConditionType::Accepted).is_some_and(|(status, ..)| status == "True")
                && told(found, ConditionType::Ready).is_some_and(|(status, ..)| status == "True")
        })
        .await
    }

    /// Waits until a database, its cluster, its volumes and its credentials are gone.
    ///
    /// # Errors
    /// When they are not in time.
    pub async fn wait_gone(&self, name: &str) -> Result<(), WorldError> {
        let lab = &self.bureau.world.lab;
        let (home, engines) = (department_namespace(&self.bureau.name), engine_namespace(&self.bureau.name));
        let label = format!("jiyun.io/clouddatabase={name}");
        wait_for(format!("database {}/{name} to be gone", self.bureau.name), PATIENCE, || async {
            let mut left = String::new();
            for (kinds, namespace) in
                [("clusters.postgresql.cnpg.io,pvc,networkpolicies", &engines), ("secrets", &home)]
            {
                let found = lab.kubectl(&["get", kinds, "-n", namespace, "-l", &label, "-o", "name"]).await;
                left += &found.map_err(|error| error.to_string())?;
            }
            let found = lab.kubectl(&["get", "cdb", "-n", &home, "-o", "name", "--ignore-not-found", name]).await;
            left += &found.map_err(|error| error.to_string())?;
            if left.is_empty() { Ok(()) } else { Err(left) }
        })
        .await?;
        Ok(())
    }

    /// The cluster of a database, as the engine has it.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn cluster(&self, name: &str) -> Result<DynamicObject, WorldError> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("postgresql.cnpg.io", "v1", "Cluster"));
        let namespace = engine_namespace(&self.bureau.name);
        Ok(Api::namespaced_with(self.client().await?, &namespace, &kind).get(name).await?)
    }

    /// Cores and memory of each instance of a database, as the engine made them, in the order of their names.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn sizes(&self, name: &str) -> Result<Vec<(String, String)>, WorldError> {
        let pods = self.made::<Pod>(name).await?;
        let containers = pods.into_iter().flat_map(|pod| pod.spec.unwrap_or_default().containers);
        let sizes = containers.filter(|container| container.name == "postgres").map(|container| {
            let requests = container.resources.and_then(|resources| resources.requests).unwrap_or_default();
            let of = |resource: &str| requests.get(resource).map(|quantity| quantity.0.clone()).unwrap_or_default();
            (of("cpu"), of("memory"))
        });
        Ok(sizes.collect())
    }

    /// What each volume of a database holds, in the order of their names.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn capacities(&self, name: &str) -> Result<Vec<String>, WorldError> {
        let volumes = self.made::<PersistentVolumeClaim>(name).await?.into_iter();
        let capacities = volumes.map(|volume| {
            let capacity = volume.status.and_then(|status| status.capacity).unwrap_or_default();
            capacity.get("storage").map(|quantity| quantity.0.clone()).unwrap_or_default()
        });
        Ok(capacities.collect())
    }

    /// What the engine made of a database, in the order of names.
    async fn made<K>(&self, name: &str) -> Result<Vec<K>, WorldError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let api = Api::<K>::namespaced(self.client().await?, &engine_namespace(&self.bureau.name));
        let mut found = api.list(&ListParams::default().labels(&format!("cnpg.io/cluster={name}"))).await?.items;
        found.sort_by_key(ResourceExt::name_any);
        Ok(found)
    }

    /// The Secrets of the department's own namespace.
    ///
    /// # Errors
    /// When there is no client.
    pub async fn credentials(&self) -> Result<Api<Secret>, WorldError> {
        Ok(Api::namespaced(self.client().await?, &department_namespace(&self.bureau.name)))
    }

    /// The Secrets of the engines' namespace.
    ///
    /// # Errors
    /// When there is no client.
    pub async fn engine_secrets(&self) -> Result<Api<Secret>, WorldError> {
        Ok(Api::namespaced(self.client().await?, &engine_namespace(&self.bureau.name)))
    }

    async fn client(&self) -> Result<Client, WorldError> {
        Ok(self.bureau.world.lab.client().await?)
    }
}

/// Status, reason and message of a condition.
pub fn told(database: &CloudDatabase, kind: ConditionType) -> Option<(&str, &str, &str)> {
    let found = condition::find(&database.status.as_ref()?.conditions, kind)?;
    Some((&found.status, &found.reason, &found.message))
}

/// A key of a Secret, as text.
pub fn text(secret: &Secret, key: &str) -> Option<String> {
    let ByteString(bytes) = secret.data.as_ref()?.get(key)?;
    String::from_utf8(bytes.clone()).ok()
}
