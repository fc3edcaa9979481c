//! `CephObjectStoreUser`: a key pair in a Secret of the user's own, or exactly those that its wish names; it goes when no bucket
//! is the user's any more.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, Resource as _, ResourceExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::follow::{Wakes, follow, unless_overtaken};
use super::super::held::{held_by, release, time_left};
use super::super::runner::{View, observe};
use super::super::{Fault, Simulation};
use super::{AGAIN, claim, host_of, put};

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
    keys: Option<Vec<KeyRefs>>,
}

/// pkg/apis/ceph.rook.io/v1/types.go, `ObjectUserKey`: where a key pair is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KeyRefs {
    access_key_ref: Option<KeyRef>,
    secret_key_ref: Option<KeyRef>,
}

/// One key of a Secret beside the user.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct KeyRef {
    name: String,
    key: String,
}

/// The part of a status a step depends on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    phase: Option<String>,
    info: Option<BTreeMap<String, String>>,
    observed_generation: Option<i64>,
    keys: Option<Vec<Taken>>,
}

/// The same file as `ObjectUserKey`, `SecretReference`: a Secret as it was when its key was taken on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Taken {
    name: String,
    namespace: String,
    uid: Option<String>,
    resource_version: Option<String>,
}

pub(super) type User = View<Spec, Status>;

/// Namespace and name of each Secret that a wish names, and the user whose wish it is: the same file as `reconcile`, the index
/// `spec.keys.secretNames` of `add`. What is named no more only costs a look.
#[derive(Clone, Default)]
struct Named(Arc<Mutex<BTreeSet<[String; 3]>>>);

impl Named {
    fn note(&self, user: &User) {
        let namespace = user.namespace().unwrap_or_default();
        let named = key_refs(user).into_iter().map(|of| [namespace.clone(), of.name.clone(), user.name_any()]);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(named);
    }

    fn users(&self, secret: &Secret) -> Vec<ObjectRef<User>> {
        let (namespace, name) = (secret.namespace().unwrap_or_default(), secret.name_any());
        let named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wishes = named.iter().filter(|[place, of, _]| *place == namespace && *of == name);
        wishes.map(|[_, _, user]| ObjectRef::new_with(user, resource()).within(&namespace)).collect()
    }
}

/// The kind `ceph.rook.io/v1 CephObjectStoreUser`
pub(super) fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("ceph.rook.io", "v1", "CephObjectStoreUser");
    ApiResource::from_gvk_with_plural(&kind, "cephobjectstoreusers")
}

/// Runs the simulator for ever.
pub(super) async fn run(simulation: Simulation) {
    let api = Api::<User>::all_with(simulation.client.clone(), &resource());
    let named = Named::default();
    let naming = named.clone();
    // Whoever changes a Secret that a user's wish names, or takes it away, has the user looked at (`add`, `changedOrDeleted`).
    let of_secrets = observe("Secret", Api::<Secret>::all(simulation.client.clone()))
        .touched_objects()
        .filter_map(|secret| ready(secret.ok()))
        .flat_map(move |secret| stream::iter(naming.users(&secret)));
    let wakes = Wakes { all: simulation.faults.changes(), some: of_secrets };
    follow(api, resource(), wakes, move |user: Arc<User>| {
        let (simulation, named) = (simulation.clone(), named.clone());
        async move { act(&simulation, &named, &user).await }
    })
    .await;
}

/// pkg/operator/ceph/object/user/controller.go, `reconcile`.
async fn act(simulation: &Simulation, named: &Named, seen: &User) -> Result<Option<Duration>, kube::Error> {
    let client = &simulation.client;
    let (namespace, name) = (seen.namespace().unwrap_or_default(), seen.name_any());
    let users = Api::<User>::namespaced_with(client.clone(), &namespace, &resource());
    // Read anew: what was seen may be from before our own writes, and tell of keys that are not wished any more.
    let Some(user) = users.get_opt(&name).await? else { return Ok(None) };
    if user.metadata.deletion_timestamp.is_some() {
        return leave(client, &users, &user).await;
    }
    if !user.finalizers().iter().any(|held| held == FINALIZER) {
        // It comes back with it.
        let held = Patch::Merge(json!({"metadata": {"finalizers": held_by(&user, FINALIZER)}}));
        unless_overtaken(users.patch(&name, &PatchParams::default(), &held).await)?;
        return Ok(None);
    }
    named.note(&user);
    if simulation.faults.befalls(Fault::NeverReady, &name) {
        return Ok(None);
    }
    let Some(taken) = taken(client, &namespace, &user).await? else {
        // What it had before is left as it was: `Reconcile` tells the phase alone.
        tell(&users, &name, json!({"phase": "ReconcileFailed"})).await?;
        return Ok(Some(AGAIN));
    };
    if has_taken(&user, &taken) {
        return Ok(None);
    }
    if let Some(left) = time_left(simulation, &user, MAKING) {
        return Ok(Some(left));
    }
    keep_keys(client, &namespace, &user).await?;
    // Without a wish there are none in the status: a merge takes away what is null.
    let keys = (!taken.is_empty()).then_some(taken);
    let status = json!({
        "phase": "Ready", "info": {"secretName": secret_name(&user)}, "observedGeneration": user.metadata.generation,
        "keys": keys,
    });
    tell(&users, &name, status).await?;
    Ok(None)
}

async fn tell(users: &Api<User>, name: &str, status: Value) -> Result<(), kube::Error> {
    let status = Patch::Merge(json!({"status": status}));
    unless_overtaken(users.patch_status(name, &PatchParams::default(), &status).await)
}

/// The keys that the wish of a user names.
fn key_refs(user: &User) -> Vec<&KeyRef> {
    let pairs = user.spec.keys.iter().flatten();
    pairs.flat_map(|pair| [&pair.access_key_ref, &pair.secret_key_ref]).flatten().collect()
}

/// The Secrets that the wish of a user names, as they are, by their names; nothing where one or a key of it is missing: the same
/// file, `generateUserKeySpec` and `updateKeyStatus`. Keys that are not named are the user's no more (`reconcileUserKeys`), from
/// that moment on.
async fn taken(client: &Client, namespace: &str, user: &User) -> Result<Option<Vec<Taken>>, kube::Error> {
    let secrets = Api::<Secret>::namespaced(client.clone(), namespace);
    let mut taken = BTreeMap::new();
    for KeyRef { name, key } in key_refs(user) {
        let Some(secret) = secrets.get_opt(name).await? else { return Ok(None) };
        if !secret.data.as_ref().is_some_and(|data| data.contains_key(key)) {
            return Ok(None);
        }
        let found = Taken {
            name: name.clone(),
            namespace: namespace.to_owned(),
            uid: secret.uid(),
            resource_version: secret.resource_version(),
        };
        taken.insert(name, found);
    }
    Ok(Some(taken.into_values().collect()))
}

/// Whether a user is ready as it is wished now, with these keys.
fn has_taken(user: &User, taken: &[Taken]) -> bool {
    let Some(status) = &user.status else { return false };
    status.phase.as_deref() == Some("Ready")
        && status.observed_generation == user.metadata.generation
        && status.keys.as_deref().unwrap_or_default() == taken
}

/// The same file, `generateCephUserSecretName`.
fn secret_name(user: &User) -> String {
    format!("rook-ceph-object-user-{}-{}", user.spec.store, user.name_any())
}

/// The same file, `generateCephUserSecret`. A user of the same name that is made later has other keys. One whose wish names keys
/// has none in it: `generateUserKeySpec` puts as many empty pairs before those it was told, and the first is written.
async fn keep_keys(client: &Client, namespace: &str, user: &User) -> Result<(), kube::Error> {
    let uid = user.uid().unwrap_or_default();
    let [access, secret] = if key_refs(user).is_empty() {
        let access: String = uid.chars().filter(char::is_ascii_alphanumeric).take(ACCESS_KEY).collect();
        [access.to_uppercase(), format!("simulated-{uid}")]
    } else {
        [String::new(), String::new()]
    };
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
            "AccessKey": access, "SecretKey": secret,
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

/// The key pair that a user has in the store, nothing before it is made or while another one is being taken on. Names of users
/// are the store's own, whichever namespace asked for one.
pub(super) async fn keys(client: &Client, name: &str) -> Result<Option<[String; 2]>, kube::Error> {
    let named = ListParams::default().fields(&format!("metadata.name={name}"));
    let users = Api::<User>::all_with(client.clone(), &resource()).list(&named).await?;
    for user in users.items {
        let Some([access, secret]) = places(&user) else { continue };
        let secrets = Api::<Secret>::namespaced(client.clone(), &user.namespace().unwrap_or_default());
        let (access, secret) = (text(&secrets, &access).await?, text(&secrets, &secret).await?);
        if let (Some(access), Some(secret)) = (access, secret) {
            return Ok(Some([access, secret]));
        }
    }
    Ok(None)
}

/// Where both keys of a user are.
fn places(user: &User) -> Option<[KeyRef; 2]> {
    let status = user.status.as_ref()?;
    let Some(pair) = user.spec.keys.iter().flatten().next() else {
        let name = status.info.as_ref()?.get("secretName")?;
        return Some(["AccessKey", "SecretKey"].map(|key| KeyRef { name: name.clone(), key: key.to_owned() }));
    };
    let places = [pair.access_key_ref.clone()?, pair.secret_key_ref.clone()?];
    let is_taken = |place: &KeyRef| status.keys.iter().flatten().any(|taken| taken.name == place.name);
    places.iter().all(is_taken).then_some(places)
}

async fn text(secrets: &Api<Secret>, place: &KeyRef) -> Result<Option<String>, kube::Error> {
    let found = secrets.get_opt(&place.name).await?;
    Ok(found.and_then(|found| String::from_utf8(found.data?.get(&place.key)?.0.clone()).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A user of generation 2 whose wish names the keys of these Secrets.
    fn user(secrets: &[&str], status: &Value) -> User {
        let keys: Vec<_> = secrets
            .iter()
            .map(|name| {
                let of = |key: &str| json!({"name": name, "key": key});
                json!({"accessKeyRef": of("AccessKey"), "secretKeyRef": of("SecretKey")})
            })
            .collect();
        let metadata = json!({"name": "claim-1", "namespace": "engine-tax", "generation": 2});
        let spec = json!({"store": "city", "clusterNamespace": "rook-ceph", "keys": keys});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec, "status": status})).expect("a user")
    }

    fn secret(namespace: &str, name: &str) -> Secret {
        serde_json::from_value(json!({"metadata": {"name": name, "namespace": namespace}})).expect("a Secret")
    }

    #[test]
    fn a_user_is_done_once_it_has_the_keys_it_is_to_have_as_they_are_now() {
        let taken = |version: &str| Taken {
            name: "k-7".into(),
            namespace: "engine-tax".into(),
            uid: Some("u".into()),
            resource_version: Some(version.into()),
        };
        let status = |phase: &str, generation: u8| {
            user(&["k-7"], &json!({"phase": phase, "observedGeneration": generation, "keys": [taken("3")]}))
        };
        assert!(has_taken(&status("Ready", 2), &[taken("3")]));
        assert!(!has_taken(&status("Ready", 2), &[taken("4")]), "the Secret was changed");
        for outdated in [status("Ready", 1), status("ReconcileFailed", 2)] {
            assert!(!has_taken(&outdated, &[taken("3")]), "{outdated:?}");
        }
        assert!(!has_taken(&user(&["k-7"], &Value::Null), &[taken("3")]));
        let plain = user(&[], &json!({"phase": "Ready", "observedGeneration": 2, "keys": null}));
        assert!(has_taken(&plain, &[]));
    }

    #[test]
    fn a_secret_leads_to_the_user_whose_wish_names_it() {
        let named = Named::default();
        named.note(&user(&["k-7"], &Value::Null));
        let users = named.users(&secret("engine-tax", "k-7"));
        assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["claim-1"]);
        assert_eq!(users[0].namespace.as_deref(), Some("engine-tax"));
        assert!(named.users(&secret("engine-tax", "k-0")).is_empty());
        assert!(named.users(&secret("engine-rta", "k-7")).is_empty());
    }

    #[test]
    fn a_pair_is_a_users_from_the_moment_it_was_taken_on() {
        let of = |user: &User| places(user).map(|places| places.map(|place| format!("{}/{}", place.name, place.key)));
        let new = Some(["k-7/AccessKey".to_owned(), "k-7/SecretKey".to_owned()]);
        assert_eq!(of(&user(&["k-7"], &json!({"keys": [{"name": "k-7"}]}))), new);
        assert_eq!(of(&user(&["k-7"], &json!({"keys": [{"name": "k-0"}], "info": {"secretName": "own"}}))), None);
        let own = Some(["own/AccessKey".to_owned(), "own/SecretKey".to_owned()]);
        assert_eq!(of(&user(&[], &json!({"info": {"secretName": "own"}}))), own);
        assert_eq!(of(&user(&[], &Value::Null)), None);
    }
}
