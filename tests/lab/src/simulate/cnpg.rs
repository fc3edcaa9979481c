//! CloudNativePG's `Cluster`: its Secret and the claims of its volumes are made, then its instances answer; hibernated, none
//! does. No PostgreSQL runs anywhere, nothing is kept, and nobody can sign in.

use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Client, Resource as _, ResourceExt as _};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::follow::{Wakes, follow, unless_overtaken};
use super::runner::{View, condition};
use super::{Fault, Simulation};

/// From an empty volume to a primary that answers, and standbys after it.
const SETUP: Duration = Duration::from_secs(16);
/// How often the Secret is looked at: the operator watches it (`internal/controller/cluster_controller.go`, `SetupWithManager`).
const LOOK: Duration = Duration::from_secs(1);

const HEALTHY: &str = "Cluster in healthy state";
const HIBERNATION: &str = "cnpg.io/hibernation";
/// The one time field of its conditions (`metav1.Condition`).
const TIMES: [&str; 1] = ["lastTransitionTime"];

/// The part of a wish a step depends on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    instances: u32,
    storage: Storage,
    bootstrap: Bootstrap,
    inherited_metadata: Inherited,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Storage {
    size: Option<String>,
    storage_class: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Bootstrap {
    initdb: Initdb,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Initdb {
    database: Option<String>,
    owner: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Inherited {
    labels: Map<String, Value>,
}

/// The part of a status a step depends on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: Option<String>,
    ready_instances: u32,
    conditions: Vec<Condition>,
    secrets_resource_version: Versions,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Versions {
    application_secret_version: Option<String>,
}

type Cluster = View<Spec, Status>;

/// What a cluster is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    SettingUp,
    Running,
    Hibernated,
}

/// The kind `postgresql.cnpg.io/v1 Cluster`
fn resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("postgresql.cnpg.io", "v1", "Cluster"), "clusters")
}

/// Runs the simulator for ever.
pub(crate) async fn run(simulation: Simulation) {
    let api = Api::<Cluster>::all_with(simulation.client.clone(), &resource());
    let wakes = Wakes { all: simulation.faults.changes(), some: stream::pending() };
    follow(api, resource(), wakes, move |cluster: Arc<Cluster>| {
        let simulation = simulation.clone();
        async move { act(&simulation, &cluster).await }
    })
    .await;
}

/// `internal/controller/cluster_controller.go`, `reconcile`. What was made of a cluster goes with it: it is its owner.
async fn act(simulation: &Simulation, cluster: &Cluster) -> Result<Option<Duration>, kube::Error> {
    if cluster.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let client = &simulation.client;
    make_claims(client, cluster).await?;
    let version = application_secret(client, cluster).await?;
    let seen = cluster.status.clone().unwrap_or_default();
    let doing = next(simulation, cluster, &seen);
    if !says(&seen, doing, cluster.spec.instances, version.as_deref()) {
        let api = Api::<DynamicObject>::namespaced_with(
            client.clone(),
            &cluster.namespace().unwrap_or_default(),
            &resource(),
        );
        let patch = Patch::Merge(json!({"status": told(cluster, doing, version.as_deref())}));
        unless_overtaken(api.patch_status(&cluster.name_any(), &PatchParams::default(), &patch).await)?;
    }
    Ok(Some(LOOK))
}

fn next(simulation: &Simulation, cluster: &Cluster, seen: &Status) -> Doing {
    let name = cluster.name_any();
    if simulation.faults.befalls(Fault::NeverReady, &name) {
        return Doing::SettingUp;
    }
    let slow = simulation.faults.befalls(Fault::Slow, &name);
    let takes = if slow { simulation.pace.slow(SETUP) } else { simulation.pace.of(SETUP) };
    let created = cluster.metadata.creation_timestamp.as_ref().map(|created| created.0);
    let elapsed = created.map(|created| jiff::Timestamp::now().duration_since(created).unsigned_abs());
    let is_set_up = seen.phase.as_deref() == Some(HEALTHY) || elapsed.is_none_or(|elapsed| elapsed >= takes);
    // Only what was healthy once is hibernated (`pkg/reconciler/hibernation/status.go`, `EnrichStatus`).
    match (is_set_up, seen.phase.as_deref(), cluster.annotations().get(HIBERNATION).map(String::as_str)) {
        (false, _, _) => Doing::SettingUp,
        (true, Some(HEALTHY), Some("on")) => Doing::Hibernated,
        (true, _, _) => Doing::Running,
    }
}

fn says(seen: &Status, doing: Doing, instances: u32, version: Option<&str>) -> bool {
    let is = |kind: &str| seen.conditions.iter().find(|one| one.kind == kind).map(|one| one.status.as_str());
    let (phase, ready) = phase(doing, instances);
    seen.phase.as_deref() == Some(phase)
        && seen.ready_instances == ready
        && is("Ready") == Some(if doing == Doing::Running { "True" } else { "False" })
        && is(HIBERNATION) == (doing == Doing::Hibernated).then_some("True")
        && seen.secrets_resource_version.application_secret_version.as_deref() == version
}

/// Phase and instances that answer. A hibernated cluster keeps its last phase.
fn phase(doing: Doing, instances: u32) -> (&'static str, u32) {
    match doing {
        Doing::SettingUp => ("Setting up primary", 0),
        Doing::Running => (HEALTHY, instances),
        Doing::Hibernated => (HEALTHY, 0),
    }
}

/// `internal/controller/cluster_status.go`, `updateResourceStatus` and `updateClusterStatusThatRequiresInstancesState`.
fn told(cluster: &Cluster, doing: Doing, version: Option<&str>) -> Value {
    let (phase, ready) = phase(doing, cluster.spec.instances);
    let mut conditions = vec![match doing {
        Doing::Running => condition("Ready", true, "ClusterIsReady", "Cluster is Ready", &TIMES),
        _ => condition("Ready", false, "ClusterIsNotReady", "Cluster Is Not Ready", &TIMES),
    }];
    if doing == Doing::Hibernated {
        conditions.push(condition(HIBERNATION, true, "Hibernated", "Cluster has been hibernated", &TIMES));
    }
    json!({
        "instances": cluster.spec.instances, "readyInstances": ready, "phase": phase,
        "currentPrimary": format!("{}-1", cluster.name_any()), "conditions": conditions,
        "secretsResourceVersion": {"applicationSecretVersion": version},
    })
}

/// The version of the Secret with which applications sign in; it is made where it is missing (`pkg/specs/secrets.go`,
/// `CreateSecret`; `internal/controller/cluster_create.go`, `reconcilePostgresSecrets`).
async fn application_secret(client: &Client, cluster: &Cluster) -> Result<Option<String>, kube::Error> {
    let (namespace, cluster_name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    let api = Api::<Secret>::namespaced(client.clone(), &namespace);
    let name = format!("{cluster_name}-app");
    if let Some(found) = api.get_opt(&name).await? {
        return Ok(found.resource_version());
    }
    let initdb = &cluster.spec.bootstrap.initdb;
    let body = json!({
        "metadata": {
            "name": name, "namespace": namespace, "ownerReferences": [cluster.controller_owner_ref(&resource())],
            "labels": {"cnpg.io/cluster": cluster_name, "cnpg.io/userType": "app"},
        },
        "type": "kubernetes.io/basic-auth",
        "stringData": {
            "username": initdb.owner, "user": initdb.owner, "dbname": initdb.database,
            "password": format!("simulated-{}", cluster.uid().unwrap_or_default()),
            "host": format!("{cluster_name}-rw"), "port": "5432",
        },
    });
    let body = serde_json::from_value(body).map_err(kube::Error::SerdeError)?;
    unless_overtaken(api.create(&PostParams::default(), &body).await)?;
    Ok(api.get_opt(&name).await?.and_then(|made| made.resource_version()))
}

/// `pkg/reconciler/persistentvolumeclaim/build.go`, `Build`.
async fn make_claims(client: &Client, cluster: &Cluster) -> Result<(), kube::Error> {
    let (namespace, cluster_name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    let api = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &namespace);
    let mut labels = cluster.spec.inherited_metadata.labels.clone();
    labels.insert("cnpg.io/cluster".into(), cluster_name.clone().into());
    for number in 1..=cluster.spec.instances {
        let name = format!("{cluster_name}-{number}");
        if api.get_opt(&name).await?.is_some() {
            continue;
        }
        let storage = &cluster.spec.storage;
        let body = json!({
            "metadata": {
                "name": name, "namespace": namespace, "labels": labels,
                "ownerReferences": [cluster.controller_owner_ref(&resource())],
            },
            "spec": {
                "accessModes": ["ReadWriteOnce"], "storageClassName": storage.storage_class,
                "resources": {"requests": {"storage": storage.size}},
            },
        });
        let body = serde_json::from_value(body).map_err(kube::Error::SerdeError)?;
        unless_overtaken(api.create(&PostParams::default(), &body).await)?;
    }
    Ok(())
}
