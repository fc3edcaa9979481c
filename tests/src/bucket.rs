//! A department that has buckets: what it orders over REST, the key pair it was given, and what the engine was asked to make.

use std::collections::BTreeSet;

use http::Method;
use jiyun_crds::{
    names::{LABEL_BUCKET, bucket_claim_name, bucket_secret_name, department_namespace, engine_namespace},
    v1alpha1::{CloudBucket, ConditionType, condition},
};
use jiyun_lab::{Lab, LabOptions, wait_for};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    Answer, World, WorldError, WorldOptions, city,
    database::text,
    world::{Bureau, PATIENCE},
};

/// The store of [`class`], and the namespace it is in.
pub const STORE: [&str; 2] = ["city", "rook-ceph"];

/// The world that all tests of buckets share but for those that kill its programs. It keeps an audit trail.
///
/// # Errors
/// See [`WorldError`].
pub async fn shared() -> Result<&'static World, WorldError> {
    static SHARED: OnceCell<World> = OnceCell::const_new();
    SHARED.get_or_try_init(|| begin(WorldOptions::default().lab)).await
}

/// Starts a world on `lab` with Rook's buckets and a class for those of the city's pool. It keeps an audit trail.
///
/// # Errors
/// See [`WorldError`].
pub async fn begin(lab: LabOptions) -> Result<World, WorldError> {
    let world = World::recorded(Lab::start(lab.rook().own_cluster()).await?, &city::CATALOGUE_FILES).await?;
    world.lab.apply_text(&class("objects").to_string()).await?;
    Ok(world)
}

/// A storage class whose buckets Rook makes, and deletes with what is in them.
pub fn class(name: &str) -> Value {
    let [store, namespace] = STORE;
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
        "provisioner": format!("{namespace}.ceph.rook.io/bucket"), "reclaimPolicy": "Delete",
        "parameters": {"objectStoreName": store, "objectStoreNamespace": namespace},
    })
}

/// A key pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What is shown of it.
    pub access: String,
    /// What is secret of it.
    pub secret: String,
}

/// A department's buckets.
#[derive(Debug)]
pub struct Buckets<'a> {
    /// The department.
    pub bureau: &'a Bureau<'a>,
}

impl Buckets<'_> {
    /// Path of its buckets.
    pub fn path(&self) -> String {
        format!("/v1/departments/{}/buckets", self.bureau.name)
    }

    /// Path of one bucket.
    pub fn one(&self, name: &str) -> String {
        format!("{}/{name}", self.path())
    }

    /// The order of a bucket of the system `portal`, free to be deleted: the body of a POST.
    pub fn body(&self, name: &str, size: &str) -> Value {
        json!({
            "name": name, "system": "portal", "zone": "extranet-public", "tier": "standard", "size": size,
            "deletionProtection": "Disabled",
        })
    }

    /// The same, to be applied.
    pub fn object(&self, name: &str, size: &str) -> Value {
        json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudBucket",
            "metadata": {"name": name, "namespace": department_namespace(&self.bureau.name)},
            "spec": {
                "systemRef": {"name": "portal"}, "zoneRef": {"name": "extranet-public"}, "tier": "standard",
                "size": size, "deletionProtection": "Disabled",
            },
        })
    }

    /// Orders a bucket and waits `wait` seconds for the decision.
    ///
    /// # Errors
    /// When the API cannot be called.
    pub async fn order(&self, body: &Value, wait: u32) -> Result<Answer, WorldError> {
        Ok(self.bureau.caller.post(&self.path(), body, wait).await?)
    }

    /// Changes a bucket.
    ///
    /// # Errors
    /// When the API cannot be called.
    pub async fn change(&self, name: &str, wish: &Value) -> Result<Answer, WorldError> {
        Ok(self.bureau.caller.patch(&self.one(name), wish, "").await?)
    }

    /// Asks for another key pair.
    ///
    /// # Errors
    /// When the API cannot be called.
    pub async fn rotate(&self, name: &str) -> Result<Answer, WorldError> {
        let (caller, path) = (&self.bureau.caller, format!("{}/rotate-credentials", self.one(name)));
        Ok(caller.send(caller.request(Method::POST, &path).header("accept-language", "en")).await?)
    }

    /// Sets fields of a bucket's spec, as by kubectl.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn set(&self, name: &str, spec: Value) -> Result<CloudBucket, WorldError> {
        let patch = Patch::Merge(json!({"spec": spec}));
        Ok(self.objects().await?.patch(name, &PatchParams::default(), &patch).await?)
    }

    /// The buckets, as the platform sees them.
    ///
    /// # Errors
    /// When there is no client.
    pub async fn objects(&self) -> Result<Api<CloudBucket>, WorldError> {
        Ok(Api::namespaced(self.client().await?, &self.home()))
    }

    /// Waits until a bucket is as described.
    ///
    /// # Errors
    /// When it is not in time; the error shows what was seen last.
    pub async fn wait(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&CloudBucket) -> bool,
    ) -> Result<CloudBucket, WorldError> {
        let api = self.objects().await?;
        Ok(wait_for(format!("bucket {}/{name}: {what}", self.bureau.name), PATIENCE, || async {
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

    /// Waits until a bucket can be used as it is asked for now.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait_ready(&self, name: &str) -> Result<CloudBucket, WorldError> {
        self.wait(name, "ready", |found| says(found, ConditionType::Ready) == Some(("True", "Available"))).await
    }

    /// Waits until a bucket, its claim at the engine and all that was made of that, its user and its key pairs are gone.
    ///
    /// # Errors
    /// When they are not in time.
    pub async fn wait_gone(&self, name: &str) -> Result<(), WorldError> {
        let (client, engines) = (self.client().await?, engine_namespace(&self.bureau.name));
        let (claim, objects, claims) = (bucket_claim_name(name), self.objects().await?, self.claims().await?);
        let copies = Api::<Secret>::namespaced(client.clone(), &self.home());
        let secrets = Api::<Secret>::namespaced(client.clone(), &engines);
        let ways = Api::<ConfigMap>::namespaced(client.clone(), &engines);
        let kind = GroupVersionKind::gvk("objectbucket.io", "v1alpha1", "ObjectBucket");
        let buckets = Api::<DynamicObject>::all_with(client, &ApiResource::from_gvk(&kind));
        let failed = |error: kube::Error| error.to_string();
        wait_for(format!("bucket {}/{name} to be gone", self.bureau.name), PATIENCE, || async {
            let told = |error: WorldError| format!("{error:?}");
            let mut left = self.user_names(name).await.map_err(told)?;
            left.extend(self.key_names(name).await.map_err(told)?);
            let mut note = |what: &str, is_there: bool| left.extend(is_there.then(|| what.to_owned()));
            note("the object", objects.get_opt(name).await.map_err(failed)?.is_some());
            note("the claim", claims.get_opt(&claim).await.map_err(failed)?.is_some());
            note("its Secret", secrets.get_opt(&claim).await.map_err(failed)?.is_some());
            note("its ConfigMap", ways.get_opt(&claim).await.map_err(failed)?.is_some());
            let bucket = buckets.get_opt(&format!("obc-{engines}-{claim}")).await.map_err(failed)?;
            note("the bucket", bucket.is_some());
            let copy = copies.get_opt(&bucket_secret_name(name)).await.map_err(failed)?;
            note("the department's Secret", copy.is_some());
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await?;
        Ok(())
    }

    /// The claim of a bucket at the engine.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn claim(&self, name: &str) -> Result<DynamicObject, WorldError> {
        Ok(self.claims().await?.get(&bucket_claim_name(name)).await?)
    }

    /// The claims at the engine.
    ///
    /// # Errors
    /// When there is no client.
    pub async fn claims(&self) -> Result<Api<DynamicObject>, WorldError> {
        self.engine("objectbucket.io", "v1alpha1", "ObjectBucketClaim").await
    }

    /// The user a bucket is of, as its claim at the engine says it.
    ///
    /// # Errors
    /// When there is no claim.
    pub async fn owner(&self, name: &str) -> Result<String, WorldError> {
        let claim = self.claim(name).await?;
        Ok(claim.data["spec"]["additionalConfig"]["bucketOwner"].as_str().unwrap_or_default().to_owned())
    }

    /// The users that were made for a bucket: one, for all of its life.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn users(&self, name: &str) -> Result<Vec<DynamicObject>, WorldError> {
        let of_bucket = ListParams::default().labels(&format!("{LABEL_BUCKET}={name}"));
        Ok(self.engine("ceph.rook.io", "v1", "CephObjectStoreUser").await?.list(&of_bucket).await?.items)
    }

    /// Their names.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn user_names(&self, name: &str) -> Result<BTreeSet<String>, WorldError> {
        Ok(self.users(name).await?.iter().map(ResourceExt::name_any).collect())
    }

    /// The Secret the department was given for a bucket.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn secret(&self, name: &str) -> Result<Secret, WorldError> {
        let secrets = Api::<Secret>::namespaced(self.client().await?, &self.home());
        Ok(secrets.get(&bucket_secret_name(name)).await?)
    }

    /// The key pair in it.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn pair(&self, name: &str) -> Result<Pair, WorldError> {
        let secret = self.secret(name).await?;
        let of = |key: &str| text(&secret, key).unwrap_or_default();
        Ok(Pair { access: of("AWS_ACCESS_KEY_ID"), secret: of("AWS_SECRET_ACCESS_KEY") })
    }

    /// The Secrets with key pairs that were made for a bucket, where the department has no rights.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn keys(&self, name: &str) -> Result<Vec<Secret>, WorldError> {
        let of_bucket = ListParams::default().labels(&format!("{LABEL_BUCKET}={name}"));
        let secrets = Api::<Secret>::namespaced(self.client().await?, &engine_namespace(&self.bureau.name));
        Ok(secrets.list(&of_bucket).await?.items)
    }

    /// Their names.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn key_names(&self, name: &str) -> Result<BTreeSet<String>, WorldError> {
        Ok(self.keys(name).await?.iter().map(ResourceExt::name_any).collect())
    }

    /// Waits until the department has another key pair than `before`, the bucket is ready with it, and there is no other; gives
    /// that one.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait_rotated(&self, name: &str, before: &Pair) -> Result<Pair, WorldError> {
        let told = |error: WorldError| format!("{error:?}");
        let pair = wait_for(format!("another key pair for {}/{name}", self.bureau.name), PATIENCE, || async {
            let (pair, keys) = (self.pair(name).await.map_err(told)?, self.key_names(name).await.map_err(told)?);
            let is_done = pair.access != before.access && keys.len() == 1;
            if is_done { Ok(pair) } else { Err(format!("{keys:?}")) }
        });
        let pair = pair.await?;
        self.wait_ready(name).await?;
        Ok(pair)
    }

    fn home(&self) -> String {
        department_namespace(&self.bureau.name)
    }

    async fn engine(&self, group: &str, version: &str, kind: &str) -> Result<Api<DynamicObject>, WorldError> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Ok(Api::namespaced_with(self.client().await?, &engine_namespace(&self.bureau.name), &resource))
    }

    async fn client(&self) -> Result<Client, WorldError> {
        Ok(self.bureau.world.lab.client().await?)
    }
}

/// The Secrets that a user's keys are to be taken from, as its wish names them, and the UIDs of those whose keys it has.
pub fn named(user: &DynamicObject) -> (Value, Vec<&str>) {
    let taken = user.data["status"]["keys"].as_array().into_iter().flatten();
    (user.data["spec"]["keys"].clone(), taken.filter_map(|taken| taken["uid"].as_str()).collect())
}

/// The wish of a user for the key pair of a Secret, and for no other.
pub fn names(secret: &str) -> Value {
    let of = |key: &str| json!({"name": secret, "key": key});
    json!([{"accessKeyRef": of("AccessKey"), "secretKeyRef": of("SecretKey")}])
}

/// The key pair in a Secret that was made for a bucket.
pub fn made(secret: &Secret) -> Pair {
    let of = |key: &str| text(secret, key).unwrap_or_default();
    Pair { access: of("AccessKey"), secret: of("SecretKey") }
}

/// Status, reason and message of a condition.
pub fn told(bucket: &CloudBucket, kind: ConditionType) -> Option<(&str, &str, &str)> {
    let found = condition::find(&bucket.status.as_ref()?.conditions, kind)?;
    Some((&found.status, &found.reason, &found.message))
}

/// Status and reason of a condition.
pub fn says(bucket: &CloudBucket, kind: ConditionType) -> Option<(&str, &str)> {
    told(bucket, kind).map(|(status, reason, _)| (status, reason))
}
