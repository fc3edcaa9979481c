//! `CephObjectStoreUser`: a key pair in a Secret of the user's own; it goes when no bucket is the user's any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::{Client, Resource as _, ResourceExt as _};
use serde::Deserialize;
use serde_json::json;

use super::super::follow::{Wakes, follow, unless_overtaken};
use super::super::runner::View;
use super::super::{Fault, Simulation};
use super::{AGAIN, claim, held_by, host_of, put, release, time_left};

/// A user made in the store, with its keys.
const MAKING: Duration = Duration::from_secs(2);
/// pkg/operator/ceph/controller/finalizer.go, `buildFinalizerName`.
const FINALIZER: &str = "cephobjectstoreuser.ceph.rook.io";
/// Letters and digits of an access key.
const ACCESS_KEY: usize = 20;

/// The part of a wish a step depends on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Spec {
    store: String,
    cluster_namespace: String,
}

/// The part of a status a step depends on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    phase: Option<String>,
    info: Option<BTreeMap<String, String>>,
}

pub(super) type User = View<Spec, Status>;

/// The kind `ceph.rook.io/v1 CephObjectStoreUser`
pub(super) fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("ceph.rook.io", "v1", "CephObjectStoreUser");
    ApiResource::from_gvk_with_plural(&kind, "cephobjectstoreusers")
}

/// Runs the simulator for ever.
pub(super) async fn run(simulation: Simulation) {
    let api = Api::<User>::all_with(simulation.client.clone(), &resource());
    let wakes = Wakes { all: simulation.faults.changes(), some: stream::pending() };
    follow(api, resource(), wakes, move |user: Arc<User>| {
        let simulation = simulation.clone();
        async move { act(&simulation, &user).await }
    })
    .await;
}

/// pkg/operator/ceph/object/user/controller.go, `reconcile`.
async fn act(simulation: &Simulation, user: &User) -> Result<Option<Duration>, kube::Error> {
    let client = &simulation.client;
    let (namespace, name) = (user.namespace().unwrap_or_default(), user.name_any());
    let users = Api::<User>::namespaced_with(client.clone(), &namespace, &resource());
    if user.metadata.deletion_timestamp.is_some() {
        return leave(client, &users, user).await;
    }
    if !user.finalizers().iter().any(|held| held == FINALIZER) {
        // It comes back with it.
        let held = Patch::Merge(json!({"metadata": {"finalizers": held_by(user, FINALIZER)}}));
        unless_overtaken(users.patch(&name, &PatchParams::default(), &held).await)?;
        return Ok(None);
    }
    let is_ready = user.status.as_ref().is_some_and(|seen| seen.phase.as_deref() == Some("Ready"));
    if is_ready || simulation.faults.befalls(Fault::NeverReady, &name) {
        return Ok(None);
    }
    if let Some(left) = time_left(simulation, user, MAKING) {
        return Ok(Some(left));
    }
    keep_keys(client, &namespace, user).await?;
    let status = json!({
        "phase": "Ready", "info": {"secretName": secret_name(user)}, "observedGeneration": user.metadata.generation,
    });
    let status = Patch::Merge(json!({"status": status}));
    unless_overtaken(users.patch_status(&name, &PatchParams::default(), &status).await)?;
    Ok(None)
}

/// The same file, `generateCephUserSecretName`.
fn secret_name(user: &User) -> String {
    format!("rook-ceph-object-user-{}-{}", user.spec.store, user.name_any())
}

/// The same file, `generateCephUserSecret`. A user of the same name that is made later has other keys.
async fn keep_keys(client: &Client, namespace: &str, user: &User) -> Result<(), kube::Error> {
    let uid = user.uid().unwrap_or_default();
    let access: String = uid.chars().filter(char::is_ascii_alphanumeric).take(ACCESS_KEY).collect();
    let store = &user.spec.store;
    let name = secret_name(user);
    let body = json!({
        "metadata": {
            "name": name, "namespace": namespace, "ownerReferences": [user.controller_owner_ref(&resource())],
            "labels": {
                "app": "rook-ceph-rgw", "user": user.name_any(), "rook_cluster": namespace, "rook_object_store": store,
            },
        },
        "type": "kubernetes.io/rook",
        "stringData": {
            "AccessKey": access.to_uppercase(), "SecretKey": format!("simulated-{uid}"),
            "Endpoint": format!("http://{}:80", host_of(store, &user.spec.cluster_namespace)),
        },
    });
    put(&Api::<Secret>::namespaced(client.clone(), namespace), &name, body).await
}

/// The same file, `deleteUser`. Ceph removes no user that has buckets (`RGWUser::execute_remove`), and Rook asks again.
async fn leave(client: &Client, users: &Api<User>, user: &User) -> Result<Option<Duration>, kube::Error> {
    let buckets = claim::buckets(client).list(&ListParams::default()).await?;
    let is_theirs = |bucket: &DynamicObject| bucket.data["spec"]["additionalState"]["cephUser"] == user.name_any();
    if buckets.items.iter().any(is_theirs) {
        return Ok(Some(AGAIN));
    }
    release(users, user, FINALIZER).await.map(|()| None)
}

/// The key pair of a user, nothing before it is made. Names of users are the store's own, whichever namespace asked for one.
pub(super) async fn keys(client: &Client, name: &str) -> Result<Option<[String; 2]>, kube::Error> {
    let named = ListParams::default().fields(&format!("metadata.name={name}"));
    let users = Api::<User>::all_with(client.clone(), &resource()).list(&named).await?;
    for user in users.items {
        let info = user.status.as_ref().and_then(|seen| seen.info.as_ref());
        let Some(secret) = info.and_then(|info| info.get("secretName")) else { continue };
        let secrets = Api::<Secret>::namespaced(client.clone(), &user.namespace().unwrap_or_default());
        let Some(found) = secrets.get_opt(secret).await? else { continue };
        let text = |key: &str| String::from_utf8(found.data.as_ref()?.get(key)?.0.clone()).ok();
        if let (Some(access), Some(secret)) = (text("AccessKey"), text("SecretKey")) {
            return Ok(Some([access, secret]));
        }
    }
    Ok(None)
}
