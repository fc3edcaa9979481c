//! Rook: buckets of a Ceph object store as `ObjectBucketClaim`s, each owned by a `CephObjectStoreUser` with one key pair.
//!
//! Contract: `objectbucket.io/v1alpha1` and `ceph.rook.io/v1`, release 1.20. What a claim was last worked on as is told by its
//! `ObjectBucket` alone (`pkg/operator/ceph/object/bucket/provisioner.go`, `composeObjectBucket`): it is written after the
//! bucket was linked to its owner, its quota set, and the owner's key pair put into the claim's own Secret. A changed owner is
//! linked in the same way, and the former one has no right to the bucket from then on.

use std::collections::BTreeMap;

use jiyun_crds::names::LABEL_CLAIM;
use k8s_openapi::{ByteString, api::core::v1::Secret, api::storage::v1::StorageClass};
use kube::ResourceExt;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    applied,
    order::BucketOrder,
    view::{EngineKind, Unread, View},
};

/// Key of a bucket's size in what a claim asks for beside the bucket.
const MAX_SIZE: &str = "bucketMaxSize";

/// Key of a bucket's owner there.
const OWNER: &str = "bucketOwner";

/// The kind `ObjectBucketClaim`.
#[derive(Clone, Debug)]
pub struct ObjectBucketClaim;

/// An `ObjectBucketClaim` as we see it.
pub type ClaimView = View<ObjectBucketClaim>;

impl EngineKind for ObjectBucketClaim {
    const GROUP: &'static str = "objectbucket.io";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "ObjectBucketClaim";
    const PLURAL: &'static str = "objectbucketclaims";
    type Spec = ClaimSpec;
    type Status = ClaimStatus;
}

/// What is read of a claim's wish.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClaimSpec {
    /// The class of the bucket, which does not change.
    pub storage_class_name: Option<String>,
    /// Size and owner, and whatever else somebody has written.
    pub additional_config: Value,
}

/// What is read of a claim's status.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClaimStatus {
    /// `Pending` or `Bound`; none until the engine has looked at it.
    pub phase: Option<String>,
}

/// The kind `ObjectBucket`.
#[derive(Clone, Debug)]
pub struct ObjectBucket;

/// An `ObjectBucket` as we see it; cluster-scoped.
pub type BucketView = View<ObjectBucket>;

impl EngineKind for ObjectBucket {
    const GROUP: &'static str = "objectbucket.io";
    const VERSION: &'static str = "v1alpha1";
    const KIND: &'static str = "ObjectBucket";
    const PLURAL: &'static str = "objectbuckets";
    type Spec = BucketSpec;
    type Status = Unread;
}

/// What is read of a bucket.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct BucketSpec {
    /// Where it is.
    pub endpoint: Option<Endpoint>,
}

/// Where a bucket is, and what its claim was worked on as.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Endpoint {
    /// Name on the network of what answers.
    pub bucket_host: String,
    /// Its port.
    pub bucket_port: u32,
    /// Name of the bucket there.
    pub bucket_name: String,
    /// What the claim asked for beside the bucket.
    pub additional_config: Value,
}

/// The kind `CephObjectStoreUser`.
#[derive(Clone, Debug)]
pub struct CephObjectStoreUser;

/// A `CephObjectStoreUser` as we see it.
pub type UserView = View<CephObjectStoreUser>;

impl EngineKind for CephObjectStoreUser {
    const GROUP: &'static str = "ceph.rook.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "CephObjectStoreUser";
    const PLURAL: &'static str = "cephobjectstoreusers";
    type Spec = Unread;
    type Status = UserStatus;
}

/// What is read of a user's status.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct UserStatus {
    /// `Ready`, `ReconcileFailed`, or nothing yet.
    pub phase: Option<String>,
    /// Where its key pair is: `secretName`.
    pub info: Option<BTreeMap<String, String>>,
}

/// The object store of a storage class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Name of the `CephObjectStore`.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// What keeps a storage class from being used for buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It does not say which object store it is of.
    NotForBuckets,
    /// Its buckets would never go (rook/rook#5373): they are kept when their claims end.
    KeepsBuckets,
}

/// The object store whose buckets are of this class.
///
/// # Errors
/// What keeps it from being used.
pub fn store_of(class: &StorageClass) -> Result<Store, Unusable> {
    let parameter = |name: &str| class.parameters.as_ref()?.get(name).filter(|value| !value.is_empty()).cloned();
    let (Some(name), Some(namespace)) = (parameter("objectStoreName"), parameter("objectStoreNamespace")) else {
        return Err(Unusable::NotForBuckets);
    };
    if class.reclaim_policy.as_deref().is_some_and(|policy| policy != "Delete") {
        return Err(Unusable::KeepsBuckets);
    }
    Ok(Store { name, namespace })
}

/// The user whose key pair was asked for at this moment (Unix seconds; 0: it was made with the bucket), of the claim with this
/// label. Names of users are global to a store, so they carry the claim.
pub fn user_name(claim: &str, moment: u64) -> String {
    format!("{claim}-{moment}")
}

/// The moment a user of the claim with this label is of; none where it is no such user.
pub fn moment_of(user: &str, claim: &str) -> Option<u64> {
    user.strip_prefix(claim)?.strip_prefix('-')?.parse().ok()
}

/// The name of what the engine makes for a claim.
pub fn bucket_name(namespace: &str, claim_name: &str) -> String {
    format!("obc-{namespace}-{claim_name}")
}

/// The owner that a claim names.
pub fn owner(claim: &ClaimView) -> Option<&str> {
    claim.spec.additional_config.get(OWNER).and_then(Value::as_str)
}

/// Whether there is a bucket behind a claim.
pub fn is_bound(claim: &ClaimView) -> bool {
    claim.status.phase.as_deref() == Some("Bound")
}

/// Whether a claim says what a built one says.
pub fn stands(claim: &ClaimView, built: &Value) -> bool {
    holds(&claim.spec.additional_config, built)
}

/// Whether a bucket was worked on as a built claim says.
pub fn is_taken_on(bucket: &BucketView, built: &Value) -> bool {
    bucket.spec.endpoint.as_ref().is_some_and(|endpoint| holds(&endpoint.additional_config, built))
}

/// Whether a bucket has another size than a built claim says.
pub fn has_other_size(bucket: &BucketView, built: &Value) -> bool {
    let wanted = wishes(built).and_then(|wishes| wishes.get(MAX_SIZE));
    bucket.spec.endpoint.as_ref().is_some_and(|endpoint| endpoint.additional_config.get(MAX_SIZE) != wanted)
}

/// Whether everything that a built claim asks for is there; others may have added more.
fn holds(there: &Value, built: &Value) -> bool {
    wishes(built).is_some_and(|wishes| wishes.iter().all(|(key, value)| there.get(key) == Some(value)))
}

fn wishes(built: &Value) -> Option<&serde_json::Map<String, Value>> {
    built.pointer("/spec/additionalConfig")?.as_object()
}

/// Whether a user is there with its key pair.
pub fn is_ready(user: &UserView) -> bool {
    user.status.phase.as_deref() == Some("Ready")
}

/// The engine's word for what keeps a user from being made, where it goes on trying.
pub fn fault(user: &UserView) -> Option<&str> {
    user.status.phase.as_deref().filter(|phase| *phase == "ReconcileFailed")
}

/// The Secret with the key pair of a user, in its own namespace.
pub fn secret_of(user: &UserView) -> Option<&str> {
    user.status.info.as_ref()?.get("secretName").map(String::as_str)
}

/// A key pair. It is printed nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The key that names it.
    pub access: ByteString,
    /// The secret one.
    pub secret: ByteString,
}

/// The key pair in a Secret of a user's.
pub fn key_pair(made: &Secret) -> Option<KeyPair> {
    let data = made.data.as_ref()?;
    Some(KeyPair { access: data.get("AccessKey")?.clone(), secret: data.get("SecretKey")?.clone() })
}

/// The user of this name that has a key pair for an order, ready for server-side apply. It has one bucket and may fill it as far
/// as was ordered, also where it deletes that and makes another: Rook's own default is a thousand buckets of any size
/// (`pkg/operator/ceph/object/user/controller.go`, `generateUserConfig`), which nobody would have booked.
pub fn user(order: &BucketOrder, store: &Store, name: &str) -> Value {
    applied::stamped(json!({
        "apiVersion": "ceph.rook.io/v1",
        "kind": "CephObjectStoreUser",
        "metadata": {"name": name, "namespace": order.namespace, "labels": order.labels},
        "spec": {
            "store": store.name,
            "clusterNamespace": store.namespace,
            "displayName": order.title,
            "quotas": {"maxBuckets": 1, "maxSize": size(order)},
        },
    }))
}

/// The claim of an order, whose bucket belongs to the user called `owner`, ready for server-side apply. The names of bucket and
/// `ObjectBucket` are the engine's to write.
pub fn claim(order: &BucketOrder, owner: &str) -> Value {
    applied::stamped(json!({
        "apiVersion": "objectbucket.io/v1alpha1",
        "kind": "ObjectBucketClaim",
        "metadata": {"name": order.claim_name, "namespace": order.namespace, "labels": order.labels},
        "spec": {
            "generateBucketName": order.prefix,
            "storageClassName": order.storage_class,
            "additionalConfig": {(MAX_SIZE): size(order), (OWNER): owner},
        },
    }))
}

fn size(order: &BucketOrder) -> String {
    format!("{}Mi", order.mebibytes)
}

/// The moment a user that was made for a claim is of, by the label it carries.
pub fn moment_of_user(user: &UserView) -> Option<u64> {
    moment_of(&user.name_any(), user.labels().get(LABEL_CLAIM)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(mebibytes: u64) -> BucketOrder {
        BucketOrder {
            namespace: "engine-tax".into(),
            claim_name: "scans-bucket".into(),
            prefix: "scans".into(),
            title: "dept-tax/scans".into(),
            labels: [(LABEL_CLAIM.to_owned(), "claim-1.book".to_owned())].into(),
            mebibytes,
            storage_class: "objects".into(),
        }
    }

    fn class(parameters: &Value, policy: Option<&str>) -> StorageClass {
        serde_json::from_value(json!({
            "metadata": {"name": "objects"}, "provisioner": "rook-ceph.ceph.rook.io/bucket",
            "parameters": parameters, "reclaimPolicy": policy,
        }))
        .unwrap()
    }

    #[test]
    fn a_class_says_which_store_it_is_of_and_has_to_let_buckets_go() {
        let of_store = json!({"objectStoreName": "city", "objectStoreNamespace": "rook-ceph"});
        let store = Store { name: "city".into(), namespace: "rook-ceph".into() };
        assert_eq!(store_of(&class(&of_store, Some("Delete"))), Ok(store.clone()));
        assert_eq!(store_of(&class(&of_store, None)), Ok(store), "Kubernetes deletes where nothing is said");
        assert_eq!(store_of(&class(&of_store, Some("Retain"))), Err(Unusable::KeepsBuckets));
        for other in [json!({}), json!({"objectStoreName": "city"}), json!({"objectStoreNamespace": "rook-ceph"})] {
            assert_eq!(store_of(&class(&other, Some("Delete"))), Err(Unusable::NotForBuckets), "{other}");
        }
    }

    #[test]
    fn a_user_leads_back_to_its_claim_and_its_moment() {
        let name = user_name("claim-1.book", 1_772_352_000);
        assert_eq!(moment_of(&name, "claim-1.book"), Some(1_772_352_000));
        assert_eq!(moment_of("claim-1.book-0", "claim-1.book"), Some(0));
        for other in ["claim-1.book", "claim-1.book-", "claim-1.book--5", "claim-1.books-0", "claim-2.book-0", "obc-0"]
        {
            assert_eq!(moment_of(other, "claim-1.book"), None, "{other}");
        }
    }

    #[test]
    fn a_claim_names_size_and_owner_and_leaves_to_the_engine_what_is_the_engines() {
        let built = claim(&order(2048), "claim-1.book-0");
        let expected = json!({
            "generateBucketName": "scans", "storageClassName": "objects",
            "additionalConfig": {"bucketMaxSize": "2048Mi", "bucketOwner": "claim-1.book-0"},
        });
        assert_eq!(built["spec"], expected);
        let mut there: ClaimView = serde_json::from_value(built.clone()).unwrap();
        assert_eq!(owner(&there), Some("claim-1.book-0"));
        assert!(stands(&there, &built) && !is_bound(&there));
        there.spec.additional_config["bucketLifecycle"] = json!("{}");
        assert!(stands(&there, &built), "what others add is theirs");
        there.spec.additional_config["bucketOwner"] = json!("somebody");
        assert!(!stands(&there, &built));
        let bare: ClaimView =
            serde_json::from_value(json!({"metadata": {"name": "x"}, "spec": {"additionalConfig": null}})).unwrap();
        assert!(owner(&bare).is_none() && !stands(&bare, &built));
    }

    #[test]
    fn a_bucket_tells_what_it_was_worked_on_as() {
        let bucket = |size: &str, owner: &str| -> BucketView {
            serde_json::from_value(json!({
                "metadata": {"name": "obc-engine-tax-scans-bucket"},
                "spec": {"endpoint": {
                    "bucketHost": "s3.city", "bucketPort": 80, "bucketName": "scans-1", "region": "", "subRegion": "",
                    "additionalConfig": {"bucketMaxSize": size, "bucketOwner": owner},
                }},
            }))
            .unwrap()
        };
        let built = claim(&order(2048), "claim-1.book-7");
        for (size, owner, taken_on, other_size) in [
            ("2048Mi", "claim-1.book-7", true, false),
            ("2048Mi", "claim-1.book-0", false, false),
            ("1024Mi", "claim-1.book-7", false, true),
        ] {
            let bucket = bucket(size, owner);
            assert_eq!(is_taken_on(&bucket, &built), taken_on, "{size} {owner}");
            assert_eq!(has_other_size(&bucket, &built), other_size, "{size} {owner}");
        }
        assert_eq!(bucket_name("engine-tax", "scans-bucket"), "obc-engine-tax-scans-bucket");
        let empty: BucketView = serde_json::from_value(json!({"metadata": {}, "spec": {"endpoint": null}})).unwrap();
        assert!(!is_taken_on(&empty, &built) && !has_other_size(&empty, &built));
    }

    #[test]
    fn a_user_has_a_key_pair_once_it_is_ready() {
        let user = |status: &Value| -> UserView {
            serde_json::from_value(json!({"metadata": {"name": "claim-1.book-0"}, "status": status})).unwrap()
        };
        let ready = user(&json!({"phase": "Ready", "info": {"secretName": "keys"}, "observedGeneration": 1}));
        assert!(is_ready(&ready));
        assert_eq!((secret_of(&ready), fault(&ready)), (Some("keys"), None));
        let failed = user(&json!({"phase": "ReconcileFailed", "info": null}));
        assert!(!is_ready(&failed));
        assert_eq!((secret_of(&failed), fault(&failed)), (None, Some("ReconcileFailed")));
        let data = [("AccessKey", "A"), ("SecretKey", "S"), ("Endpoint", "http://s3.city")];
        let data = data.map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec())));
        let pair = key_pair(&Secret { data: Some(data.into()), ..Secret::default() });
        assert!(pair.is_some_and(|pair| pair.access.0 == b"A" && pair.secret.0 == b"S"));
        assert!(key_pair(&Secret::default()).is_none());
    }
}
