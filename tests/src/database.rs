//! A department that has databases: what it orders, and what the engine was asked to make of it.

use jiyun_crds::{
    names::{department_namespace, engine_namespace},
    v1alpha1::{CloudDatabase, ConditionType, condition},
};
use jiyun_lab::wait_for;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    World, WorldError, WorldOptions,
    world::{Bureau, PATIENCE},
};

/// A world with CloudNativePG's clusters that all tests of databases share.
///
/// # Errors
/// See [`WorldError`].
pub async fn shared() -> Result<&'static World, WorldError> {
    static SHARED: OnceCell<World> = OnceCell::const_new();
    let options = WorldOptions::default();
    let begin = || World::start(WorldOptions { lab: options.lab.clone().cnpg().own_cluster(), ..options });
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
