//! `ObjectBucketClaim`: waits for its class and its owner, gets a bucket, and with it a Secret, a `ConfigMap` and a cluster-wide
//! `ObjectBucket`; a change of its `additionalConfig` is followed, and its end takes all of it along.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Client, Resource as _, ResourceExt as _};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::follow::{Wakes, follow, unless_overtaken};
use super::super::held::{held_by, release, time_left};
use super::super::runner::View;
use super::super::{Fault, Simulation};
use super::{AGAIN, host_of, put, user};

/// A bucket made in the store, with its quota.
const MAKING: Duration = Duration::from_secs(3);
/// pkg/operator/ceph/object/objectstore.go, `GetObjectBucketProvisioner`: before it stands the namespace of the cluster.
const PROVISIONER: &str = "ceph.rook.io/bucket";
/// lib-bucket-provisioner, pkg/provisioner/resourcehandlers.go, `finalizer`.
const FINALIZER: &str = "objectbucket.io/finalizer";
/// The label of everything that is made: the same file, `provisionerLabelKey`.
const LABEL: &str = "bucket-provisioner";
/// Of a prefix of a name, this much is used: pkg/provisioner/helpers.go, `generateBucketName`.
const PREFIX: usize = 26;
/// The port of a store without TLS.
const PORT: u32 = 80;

/// The part of a wish a step depends on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    storage_class_name: Option<String>,
    bucket_name: Option<String>,
    generate_bucket_name: Option<String>,
    additional_config: Option<BTreeMap<String, String>>,
}

/// The part of a status a step depends on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Status {
    phase: Option<String>,
}

type Claim = View<Spec, Status>;

/// The kind `objectbucket.io/v1alpha1 ObjectBucketClaim`
fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("objectbucket.io", "v1alpha1", "ObjectBucketClaim");
    ApiResource::from_gvk_with_plural(&kind, "objectbucketclaims")
}

/// The buckets of all claims, `objectbucket.io/v1alpha1 ObjectBucket`.
pub(super) fn buckets(client: &Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("objectbucket.io", "v1alpha1", "ObjectBucket");
    Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, "objectbuckets"))
}

/// Runs the simulator for ever.
pub(super) async fn run(simulation: Simulation) {
    let api = Api::<Claim>::all_with(simulation.client.clone(), &resource());
    let wakes = Wakes { all: simulation.faults.changes(), some: stream::pending() };
    follow(api, resource(), wakes, move |claim: Arc<Claim>| {
        let simulation = simulation.clone();
        async move { act(&simulation, &claim).await }
    })
    .await;
}

/// lib-bucket-provisioner: pkg/provisioner/controller.go, `syncHandler`. Without its class a claim neither comes nor goes.
async fn act(simulation: &Simulation, seen: &Claim) -> Result<Option<Duration>, kube::Error> {
    let client = &simulation.client;
    let (namespace, name) = (seen.namespace().unwrap_or_default(), seen.name_any());
    let claims = Api::<Claim>::namespaced_with(client.clone(), &namespace, &resource());
    // Read anew (`claimForKey`): what was seen may be from before our own writes.
    let Some(claim) = claims.get_opt(&name).await? else { return Ok(None) };
    let Some(class) = &claim.spec.storage_class_name else { return Ok(Some(AGAIN)) };
    let Some(class) = Api::<StorageClass>::all(client.clone()).get_opt(class).await? else { return Ok(Some(AGAIN)) };
    if !class.provisioner.ends_with(PROVISIONER) {
        return Ok(None);
    }
    if claim.metadata.deletion_timestamp.is_some() {
        return end(client, &claims, &claim).await.map(|()| None);
    }
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    if phase.is_none() {
        tell(&claims, &name, "Pending").await?;
    }
    set_metadata(&claims, &claim, &class).await?;
    let config = claim.spec.additional_config.clone().unwrap_or_default();
    let made = buckets(client).get_opt(&bucket_of(&namespace, &name)).await?;
    let is_told = made.is_some_and(|made| made.data["spec"]["endpoint"]["additionalConfig"] == json!(config));
    if phase == Some("Bound") && is_told || simulation.faults.befalls(Fault::NeverReady, &name) {
        return Ok(None);
    }
    if let Some(left) = time_left(simulation, &claim, MAKING) {
        return Ok(Some(left));
    }
    // Without an owner Rook makes a user of its own.
    let Some(owner) = config.get("bucketOwner") else { return Ok(None) };
    let Some(keys) = user::keys(client, owner).await? else { return Ok(Some(AGAIN)) };
    let Some(place) = Place::of(&claim, &class) else { return Ok(Some(AGAIN)) };
    if claim.spec.bucket_name.is_none() {
        change(&claims, &name, json!({"spec": {"bucketName": place.bucket}})).await?;
    }
    provide(client, &claim, &class, &place, owner, keys).await?;
    change(&claims, &name, json!({"spec": {"objectBucketName": bucket_of(&namespace, &name)}})).await?;
    tell(&claims, &name, "Bound").await?;
    Ok(None)
}

async fn change(claims: &Api<Claim>, name: &str, patch: Value) -> Result<(), kube::Error> {
    unless_overtaken(claims.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await)
}

async fn tell(claims: &Api<Claim>, name: &str, phase: &str) -> Result<(), kube::Error> {
    let status = Patch::Merge(json!({"status": {"phase": phase}}));
    unless_overtaken(claims.patch_status(name, &PatchParams::default(), &status).await)
}

/// The same file, `setOBCMetaFields`.
async fn set_metadata(claims: &Api<Claim>, claim: &Claim, class: &StorageClass) -> Result<(), kube::Error> {
    if claim.finalizers().iter().any(|held| held == FINALIZER) && claim.labels().contains_key(LABEL) {
        return Ok(());
    }
    let metadata = json!({"finalizers": held_by(claim, FINALIZER), "labels": {(LABEL): label(class)}});
    change(claims, &claim.name_any(), json!({"metadata": metadata})).await
}

/// pkg/provisioner/helpers.go, `labelValue`.
fn label(class: &StorageClass) -> String {
    class.provisioner.replace('/', "-")
}

/// pkg/provisioner/helpers.go, `objectBucketNameFromClaimKey`.
fn bucket_of(namespace: &str, name: &str) -> String {
    format!("obc-{namespace}-{name}")
}

/// Where a bucket is.
struct Place {
    store: String,
    namespace: String,
    bucket: String,
}

impl Place {
    /// Rook: pkg/operator/ceph/object/bucket/provisioner.go, `setObjectContext`; nothing without a store in the class.
    fn of(claim: &Claim, class: &StorageClass) -> Option<Self> {
        let parameters = class.parameters.as_ref()?;
        let (store, namespace) = (parameters.get("objectStoreName")?, parameters.get("objectStoreNamespace")?);
        Some(Self { store: store.clone(), namespace: namespace.clone(), bucket: bucket_name(claim)? })
    }
}

/// pkg/provisioner/helpers.go, `composeBucketName`.
fn bucket_name(claim: &Claim) -> Option<String> {
    if let Some(given) = &claim.spec.bucket_name {
        return Some(given.clone());
    }
    let prefix: String = claim.spec.generate_bucket_name.as_ref()?.chars().take(PREFIX).collect();
    Some(format!("{prefix}-{}", claim.uid()?))
}

/// The same file as `syncHandler`, `handleProvisionClaim`; Rook's part of it is pkg/operator/ceph/object/bucket/provisioner.go,
/// `Provision` (a bucket of another owner is linked to this one, and what is in it stays its writer's) and `composeObjectBucket`.
/// Nothing tells the claim of an owner's new keys: its Secret says the former ones until the claim itself changes.
async fn provide(
    client: &Client,
    claim: &Claim,
    class: &StorageClass,
    place: &Place,
    owner: &str,
    [access, secret]: [String; 2],
) -> Result<(), kube::Error> {
    let (namespace, name) = (claim.namespace().unwrap_or_default(), claim.name_any());
    let host = host_of(&place.store, &place.namespace);
    let metadata = json!({
        "name": name, "namespace": namespace, "finalizers": [FINALIZER], "labels": {(LABEL): label(class)},
        "ownerReferences": [claim.controller_owner_ref(&resource())],
    });
    let keys = json!({
        "metadata": metadata, "stringData": {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret},
    });
    put(&Api::<Secret>::namespaced(client.clone(), &namespace), &name, keys).await?;
    let way = json!({
        "metadata": metadata,
        "data": {
            "BUCKET_NAME": place.bucket, "BUCKET_HOST": host, "BUCKET_PORT": PORT.to_string(), "BUCKET_REGION": "",
            "BUCKET_SUBREGION": "",
        },
    });
    put(&Api::<ConfigMap>::namespaced(client.clone(), &namespace), &name, way).await?;
    let (buckets, of_claim) = (buckets(client), bucket_of(&namespace, &name));
    let claim_ref = json!({
        "apiVersion": "objectbucket.io/v1alpha1", "kind": "ObjectBucketClaim", "namespace": namespace, "name": name,
        "uid": claim.uid(),
    });
    let bucket = json!({
        "apiVersion": "objectbucket.io/v1alpha1", "kind": "ObjectBucket",
        "metadata": {"name": of_claim, "finalizers": [FINALIZER], "labels": {(LABEL): label(class)}},
        "spec": {
            "storageClassName": claim.spec.storage_class_name, "reclaimPolicy": class.reclaim_policy,
            "claimRef": claim_ref,
            "endpoint": {
                "bucketHost": host, "bucketPort": PORT, "bucketName": place.bucket, "region": "", "subRegion": "",
                "additionalConfig": claim.spec.additional_config,
            },
            "additionalState": {
                "cephUser": owner, "bucketOwner": owner, "objectStoreName": place.store,
                "objectStoreNamespace": place.namespace,
            },
        },
    });
    put(&buckets, &of_claim, bucket).await?;
    let bound = Patch::Merge(json!({"status": {"phase": "Bound"}}));
    unless_overtaken(buckets.patch_status(&of_claim, &PatchParams::default(), &bound).await)
}

/// The same file, `handleDeleteClaim` and `deleteResources`. Secret and `ConfigMap` are the garbage collector's after that.
async fn end(client: &Client, claims: &Api<Claim>, claim: &Claim) -> Result<(), kube::Error> {
    let (namespace, name) = (claim.namespace().unwrap_or_default(), claim.name_any());
    let (buckets, of_claim) = (buckets(client), bucket_of(&namespace, &name));
    if let Some(bucket) = buckets.get_opt(&of_claim).await? {
        release(&buckets, &bucket, FINALIZER).await?;
        unless_overtaken(buckets.delete(&of_claim, &DeleteParams::default()).await)?;
    }
    let secrets = Api::<Secret>::namespaced(client.clone(), &namespace);
    if let Some(secret) = secrets.get_opt(&name).await? {
        release(&secrets, &secret, FINALIZER).await?;
    }
    let ways = Api::<ConfigMap>::namespaced(client.clone(), &namespace);
    if let Some(way) = ways.get_opt(&name).await? {
        release(&ways, &way, FINALIZER).await?;
    }
    release(claims, claim, FINALIZER).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_keeps_the_name_it_was_given_and_is_otherwise_called_after_its_claim() {
        let claim = |spec: Value| -> Claim {
            serde_json::from_value(json!({"metadata": {"name": "files", "uid": "0b7e"}, "spec": spec}))
                .expect("a claim")
        };
        let named = |spec: Value| bucket_name(&claim(spec));
        assert_eq!(named(json!({"bucketName": "kept", "generateBucketName": "files"})).as_deref(), Some("kept"));
        assert_eq!(named(json!({"generateBucketName": "files"})).as_deref(), Some("files-0b7e"));
        let long = named(json!({"generateBucketName": "a".repeat(40)})).expect("a name");
        assert_eq!(long, format!("{}-0b7e", "a".repeat(26)));
        assert_eq!(named(json!({})), None);
    }
}
