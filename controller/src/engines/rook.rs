//! Rook: buckets of a Ceph object store as `ObjectBucketClaim`s, each owned by one `CephObjectStoreUser` for life, which has the
//! key pair that a Secret of ours says.
//!
//! Contract: `objectbucket.io/v1alpha1` and `ceph.rook.io/v1`, release 1.20. What a claim was last worked on as is told by its
//! `ObjectBucket` alone (`pkg/operator/ceph/object/bucket/provisioner.go`, `composeObjectBucket`): it is written after the
//! bucket was linked to its owner and its quota set. Another owner would be linked in the same way, but what the former one has
//! written stays the former one's: Rook does not call what changes that (`radosgw-admin bucket chown`). So the owner stays, and
//! its keys change: those that `spec.keys` does not name are taken away, those it names and that are not there are made
//! (`pkg/operator/ceph/object/user/controller.go`, `reconcileUserKeys`), and `status.keys` says which Secrets they were read
//! from (`updateKeyStatus`).
//!
//! Two Secrets that Rook writes say nothing for sure and are not read: the claim's own keeps the pair of the last time that the
//! claim was worked on, which may be a former one, and the user's own is empty where `spec.keys` is given.

use k8s_openapi::{ByteString, api::core::v1::Secret, api::storage::v1::StorageClass};
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

/// What the provisioner of a storage class for buckets ends in; what is before that names the operator
/// (`pkg/operator/ceph/object/objectstore.go`, `bucketProvisionerName`).
const PROVISIONER: &str = "ceph.rook.io/bucket";

/// Key of what names a key pair in the Secret it is in.
pub const ACCESS_KEY: &str = "AccessKey";

/// Key of its secret part there.
pub const SECRET_KEY: &str = "SecretKey";

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
    type Spec = UserSpec;
    type Status = UserStatus;
}

/// Buckets of a user that may make none: a negative number forbids it, and 0 bounds nothing (Ceph, `radosgw/admin`, `max-buckets`).
const NO_MORE: i64 = -1;

/// What is read of a user's wish.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct UserSpec {
    /// The object store it is of.
    pub store: String,
    /// The namespace of that.
    pub cluster_namespace: String,
    /// The key pairs it is to have, by the Secrets they are in.
    pub keys: Value,
}

/// What is read of a user's status.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct UserStatus {
    /// `Ready`, `ReconcileFailed`, or nothing yet.
    pub phase: Option<String>,
    /// The generation that was worked on last to its end.
    pub observed_generation: Option<i64>,
    /// The Secrets its key pairs were taken from.
    pub keys: Option<Vec<TakenKeys>>,
}

/// A Secret that a key pair was taken from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TakenKeys {
    /// Which one of its name.
    pub uid: Option<String>,
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
    /// It is not of Rook's buckets, does not say which object store it is of, or is for one bucket that is there already:
    /// that one would be every department's.
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
    // Rook takes even an empty one for the name of a bucket (`pkg/operator/ceph/object/bucket/util.go`, `isStaticBucket`).
    let is_of_one_bucket = class.parameters.as_ref().is_some_and(|parameters| parameters.contains_key("bucketName"));
    if is_of_one_bucket || !class.provisioner.ends_with(PROVISIONER) {
        return Err(Unusable::NotForBuckets);
    }
    if class.reclaim_policy.as_deref().is_some_and(|policy| policy != "Delete") {
        return Err(Unusable::KeepsBuckets);
    }
    Ok(Store { name, namespace })
}

/// The user that owns the bucket of the claim with this label. Names of users are global to a store, so it is called like the
/// claim.
pub fn user_name(claim: &str) -> String {
    claim.to_owned()
}

/// The object store that a user is of, whatever is said of the class now: another one would know it under other keys.
pub fn store_of_user(user: &UserView) -> Store {
    Store { name: user.spec.store.clone(), namespace: user.spec.cluster_namespace.clone() }
}

/// The size that a claim asks for, in MiB; none where it is not ours to read.
pub fn mebibytes(claim: &ClaimView) -> Option<u64> {
    claim.spec.additional_config.get(MAX_SIZE)?.as_str()?.strip_suffix("Mi")?.parse().ok()
}

/// The name of what the engine makes for a claim.
pub fn bucket_name(namespace: &str, claim_name: &str) -> String {
    format!("obc-{namespace}-{claim_name}")
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

/// Whether a user is there as it is declared now.
pub fn is_ready(user: &UserView) -> bool {
    user.status.phase.as_deref() == Some("Ready") && user.status.observed_generation >= user.metadata.generation
}

/// Whether a user has the key pair of the Secret with this UID.
pub fn has_taken(user: &UserView, secret: Option<&str>) -> bool {
    let taken = user.status.keys.iter().flatten();
    secret.is_some() && taken.map(|keys| keys.uid.as_deref()).any(|uid| uid == secret)
}

/// The Secrets that a user is to have its key pairs from.
pub fn secrets_of(user: &UserView) -> impl Iterator<Item = &str> {
    let keys = user.spec.keys.as_array().into_iter().flatten();
    keys.filter_map(|keys| keys.pointer("/accessKeyRef/name")?.as_str())
}

/// Whether a user is to have the key pairs that a built one is to have, and no other.
pub fn names_keys(user: &UserView, built: &Value) -> bool {
    built.pointer("/spec/keys") == Some(&user.spec.keys)
}

/// The engine's word for what keeps a user from being made, where it goes on trying.
pub fn fault(user: &UserView) -> Option<&str> {
    user.status.phase.as_deref().filter(|phase| *phase == "ReconcileFailed")
}

/// A key pair. It is printed nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The key that names it.
    pub access: ByteString,
    /// The secret one.
    pub secret: ByteString,
}

/// The key pair in the Secret it was made in.
pub fn key_pair(made: &Secret) -> Option<KeyPair> {
    let data = made.data.as_ref()?;
    Some(KeyPair { access: data.get(ACCESS_KEY)?.clone(), secret: data.get(SECRET_KEY)?.clone() })
}

/// The user of this name for an order, with the key pair of the Secret called `keys` and no other, ready for server-side apply.
/// It may have one bucket, and once that `is_bound` make no other, and fill it as far as was ordered: Rook's own default is a
/// thousand buckets of any size (`pkg/operator/ceph/object/user/controller.go`, `generateUserConfig`), which nobody would have
/// booked, and a user with a bucket that the engine does not know of never goes.
pub fn user(order: &BucketOrder, store: &Store, name: &str, keys: &str, is_bound: bool) -> Value {
    let buckets = if is_bound { NO_MORE } else { 1 };
    applied::stamped(json!({
        "apiVersion": "ceph.rook.io/v1",
        "kind": "CephObjectStoreUser",
        "metadata": {"name": name, "namespace": order.namespace, "labels": order.labels},
        "spec": {
            "store": store.name,
            "clusterNamespace": store.namespace,
            "displayName": order.title,
            "quotas": {"maxBuckets": buckets, "maxSize": size(order)},
            "keys": [{
                "accessKeyRef": {"name": keys, "key": ACCESS_KEY},
                "secretKeyRef": {"name": keys, "key": SECRET_KEY},
            }],
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

#[cfg(test)]
mod tests {
    use jiyun_crds::names::LABEL_CLAIM;

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
        provided("rook-ceph.ceph.rook.io/bucket", parameters, policy)
    }

    fn provided(provisioner: &str, parameters: &Value, policy: Option<&str>) -> StorageClass {
        serde_json::from_value(json!({
            "metadata": {"name": "objects"}, "provisioner": provisioner,
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
    fn a_class_for_one_bucket_that_is_there_or_for_no_bucket_at_all_is_not_used() {
        for bucket in ["everybodys", ""] {
            let one = json!({"objectStoreName": "city", "objectStoreNamespace": "rook-ceph", "bucketName": bucket});
            assert_eq!(store_of(&class(&one, Some("Delete"))), Err(Unusable::NotForBuckets), "{bucket}");
        }
        let of_store = json!({"objectStoreName": "city", "objectStoreNamespace": "rook-ceph"});
        for (provisioner, expected) in [
            ("ceph.rook.io/bucket", true),
            ("objects.rook-ceph.ceph.rook.io/bucket", true),
            ("rook-ceph.rbd.csi.ceph.com", false),
            ("", false),
        ] {
            let is_usable = store_of(&provided(provisioner, &of_store, Some("Delete"))).is_ok();
            assert_eq!(is_usable, expected, "{provisioner}");
        }
    }

    #[test]
    fn a_claim_names_size_and_owner_and_leaves_to_the_engine_what_is_the_engines() {
        let built = claim(&order(2048), "claim-1.book");
        let expected = json!({
            "generateBucketName": "scans", "storageClassName": "objects",
            "additionalConfig": {"bucketMaxSize": "2048Mi", "bucketOwner": "claim-1.book"},
        });
        assert_eq!(built["spec"], expected);
        let mut there: ClaimView = serde_json::from_value(built.clone()).unwrap();
        assert!(stands(&there, &built) && !is_bound(&there));
        there.spec.additional_config["bucketLifecycle"] = json!("{}");
        assert!(stands(&there, &built), "what others add is theirs");
        there.spec.additional_config["bucketOwner"] = json!("somebody");
        assert!(!stands(&there, &built));
        let bare: ClaimView =
            serde_json::from_value(json!({"metadata": {"name": "x"}, "spec": {"additionalConfig": null}})).unwrap();
        assert!(!stands(&bare, &built));
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
        let built = claim(&order(2048), "claim-1.book");
        for (size, owner, taken_on, other_size) in [
            ("2048Mi", "claim-1.book", true, false),
            ("2048Mi", "somebody", false, false),
            ("1024Mi", "claim-1.book", false, true),
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
    fn a_user_is_ready_as_it_is_declared_now_and_says_which_secrets_its_keys_are_from() {
        let user = |generation: i64, status: &Value| -> UserView {
            let metadata = json!({"name": "claim-1.book", "generation": generation});
            serde_json::from_value(json!({"metadata": metadata, "status": status})).unwrap()
        };
        let status = json!({
            "phase": "Ready", "info": {"secretName": "its-own"}, "observedGeneration": 2,
            "keys": [{"name": "scans-bucket-key-0", "namespace": "engine-tax", "uid": "u-1", "resourceVersion": "5"}],
        });
        let ready = user(2, &status);
        assert!(is_ready(&ready) && fault(&ready).is_none());
        assert!(has_taken(&ready, Some("u-1")) && !has_taken(&ready, Some("u-2")) && !has_taken(&ready, None));
        assert!(!is_ready(&user(3, &status)), "it was changed since");
        let failed = user(1, &json!({"phase": "ReconcileFailed", "info": null, "keys": null}));
        assert!(!is_ready(&failed) && !has_taken(&failed, Some("u-1")));
        assert_eq!(fault(&failed), Some("ReconcileFailed"));
        assert!(!is_ready(&user(1, &json!({}))));
    }

    #[test]
    fn a_user_has_one_bucket_of_its_size_and_one_key_pair() {
        let store = Store { name: "city".into(), namespace: "rook-ceph".into() };
        let built = user(&order(2048), &store, &user_name("claim-1.book"), "scans-bucket-key-7", false);
        assert_eq!(built["metadata"]["name"], "claim-1.book");
        let expected = json!({
            "store": "city", "clusterNamespace": "rook-ceph", "displayName": "dept-tax/scans",
            "quotas": {"maxBuckets": 1, "maxSize": "2048Mi"},
            "keys": [{
                "accessKeyRef": {"name": "scans-bucket-key-7", "key": "AccessKey"},
                "secretKeyRef": {"name": "scans-bucket-key-7", "key": "SecretKey"},
            }],
        });
        assert_eq!(built["spec"], expected);
        let mut there: UserView = serde_json::from_value(built.clone()).unwrap();
        assert_eq!(secrets_of(&there).collect::<Vec<_>>(), ["scans-bucket-key-7"]);
        assert!(names_keys(&there, &built));
        let keys = there.spec.keys.as_array_mut().unwrap();
        keys.push(json!({"accessKeyRef": {"name": "mine", "key": "a"}}));
        assert!(!names_keys(&there, &built), "another pair beside it");
        let bare: UserView =
            serde_json::from_value(json!({"metadata": {"name": "x"}, "spec": {"keys": null}})).unwrap();
        assert!(secrets_of(&bare).next().is_none() && !names_keys(&bare, &built));
    }

    #[test]
    fn a_key_pair_is_read_where_all_of_it_is_there() {
        let secret = |keys: &[(&str, &str)]| {
            let data = keys.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
            Secret { data: Some(data.collect()), ..Secret::default() }
        };
        let pair = key_pair(&secret(&[("AccessKey", "A"), ("SecretKey", "S")]));
        assert!(pair.is_some_and(|pair| pair.access.0 == b"A" && pair.secret.0 == b"S"));
        assert!(key_pair(&secret(&[("AccessKey", "A")])).is_none());
        assert!(key_pair(&Secret::default()).is_none());
    }
}
