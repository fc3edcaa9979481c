//! CloudNativePG's `Cluster`: its Secret and the claims of its volumes are made, then its instances answer; when it
//! is hibernated, none does. It is scaled and rolled out anew as it is changed. No PostgreSQL runs anywhere, nothing is
//! kept, and nobody can sign in.

mod instances;

use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Client, Resource as _, ResourceExt as _};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::instances::Instances;
use super::follow::{Wakes, follow, unless_overtaken};
use super::held::time_left_since;
use super::runner::{View, condition};
use super::{Fault, Simulation};

/// From an empty volume to a primary that answers, and standbys after it.
const SETUP: Duration = Duration::from_secs(16);
/// How often Secret, pods and claims are looked at: the operator watches them
/// (`internal/controller/cluster_controller.go`, `SetupWithManager`).
const LOOK: Duration = Duration::from_secs(1);

// api/v1/cluster_types.go
const FIRST_PRIMARY: &str = "Setting up primary";
const CREATING_REPLICA: &str = "Creating a new replica";
const UPGRADE: &str = "Upgrading cluster";
const HEALTHY: &str = "Cluster in healthy state";
const HIBERNATION: &str = "cnpg.io/hibernation";
/// The one time field of its conditions (`metav1.Condition`).
const TIMES: [&str; 1] = ["lastTransitionTime"];

/// The part of a wish a step depends on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    instances: u32,
    image_name: Option<String>,
    resources: Map<String, Value>,
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
    AddingInstance,
    Upgrading,
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
    let version = application_secret(client, cluster).await?;
    let seen = cluster.status.clone().unwrap_or_default();
    let (doing, ready) = tend(simulation, cluster, &seen).await?;
    if !says(&seen, doing, ready, version.as_deref()) {
        let api = Api::<DynamicObject>::namespaced_with(
            client.clone(),
            &cluster.namespace().unwrap_or_default(),
            &resource(),
        );
        let patch = Patch::Merge(json!({"status": told(cluster, doing, ready, version.as_deref())}));
        unless_overtaken(api.patch_status(&cluster.name_any(), &PatchParams::default(), &patch).await)?;
    }
    Ok(Some(LOOK))
}

/// Brings the instances of a cluster closer to what it wants, as far as time allows. What it is doing then, and how
/// many instances answer. A cluster that is never ready and was so before is kept as it is.
async fn tend(simulation: &Simulation, cluster: &Cluster, seen: &Status) -> Result<(Doing, u32), kube::Error> {
    let client = &simulation.client;
    let is_kept = simulation.faults.befalls(Fault::NeverReady, &cluster.name_any());
    let phase = seen.phase.as_deref();
    let was_set_up = matches!(phase, Some(HEALTHY | CREATING_REPLICA | UPGRADE));
    let created = cluster.metadata.creation_timestamp.as_ref();
    let mut instances = Instances::of(client, cluster).await?;
    if !was_set_up && (is_kept || time_left_since(simulation, cluster, created, SETUP).is_some()) {
        instances.claim_all(client, cluster).await?;
        return Ok((Doing::SettingUp, 0));
    }
    // Only what was healthy once is hibernated (`pkg/reconciler/hibernation/status.go`, `EnrichStatus`), and nothing is
    // changed of what is (`internal/controller/cluster_controller.go`, `reconcile`).
    let sleeps = cluster.annotations().get(HIBERNATION).is_some_and(|power| power == "on");
    if sleeps && phase == Some(HEALTHY) && (!is_kept || instances.pods.is_empty()) {
        instances.stop_all(client, cluster).await?;
        return Ok((Doing::Hibernated, 0));
    }
    if !is_kept {
        instances.grow(client, cluster).await?;
    }
    loop {
        let is_due = |begun: Option<&Time>, natural| time_left_since(simulation, cluster, begun, natural).is_none();
        let deed = instances.next(cluster, is_due);
        if is_kept || !instances.perform(client, cluster, deed).await? {
            return Ok((deed.doing(), u32::try_from(instances.pods.len()).unwrap_or(u32::MAX)));
        }
    }
}

fn says(seen: &Status, doing: Doing, ready: u32, version: Option<&str>) -> bool {
    let is = |kind: &str| seen.conditions.iter().find(|one| one.kind == kind).map(|one| one.status.as_str());
    seen.phase.as_deref() == Some(phase(doing))
        && seen.ready_instances == ready
        && is("Ready") == Some(if doing == Doing::Running { "True" } else { "False" })
        && is(HIBERNATION) == (doing == Doing::Hibernated).then_some("True")
        && seen.secrets_resource_version.application_secret_version.as_deref() == version
}

/// A hibernated cluster keeps its last phase.
fn phase(doing: Doing) -> &'static str {
    match doing {
        Doing::SettingUp => FIRST_PRIMARY,
        Doing::AddingInstance => CREATING_REPLICA,
        Doing::Upgrading => UPGRADE,
        Doing::Running | Doing::Hibernated => HEALTHY,
    }
}

/// `internal/controller/cluster_status.go`, `updateResourceStatus` and `updateClusterStatusThatRequiresInstancesState`.
fn told(cluster: &Cluster, doing: Doing, ready: u32, version: Option<&str>) -> Value {
    let mut conditions = vec![match doing {
        Doing::Running => condition("Ready", true, "ClusterIsReady", "Cluster is Ready", &TIMES),
        _ => condition("Ready", false, "ClusterIsNotReady", "Cluster Is Not Ready", &TIMES),
    }];
    if doing == Doing::Hibernated {
        conditions.push(condition(HIBERNATION, true, "Hibernated", "Cluster has been hibernated", &TIMES));
    }
    json!({
        "instances": cluster.spec.instances, "readyInstances": ready, "phase": phase(doing),
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
