//! Rook's buckets: a user of an object store gets a key pair, and a claim a bucket that is its owner's, with the Secret and the
//! `ConfigMap` that say how to reach it. No store runs, nothing is kept in a bucket, and nobody can sign in.
//!
//! Imitated are Rook 1.20 and lib-bucket-provisioner, which Rook's claims are worked on by. Left out: what the object store
//! itself allows (`allowUsersInNamespaces`), buckets that are shared or that nobody was named the owner of, and whose an object in
//! a bucket is: each keeps the access list of the user who wrote it, also where its bucket is linked to another one.

mod claim;
mod user;

use std::fmt::Debug;
use std::time::Duration;

use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::follow::unless_overtaken;
use super::{Fault, Simulation};

/// How soon what waits for something else is tried again: the engines' queues begin with less and end with minutes.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs both simulators for ever.
pub(crate) async fn run(simulation: Simulation) {
    tokio::join!(user::run(simulation.clone()), claim::run(simulation));
}

/// Where a store answers: pkg/apis/ceph.rook.io/v1/object.go, `GetServiceDomainName`.
fn host_of(store: &str, namespace: &str) -> String {
    format!("rook-ceph-rgw-{store}.{namespace}.svc")
}

/// How long until what an object asks for is there, which an engine usually takes `natural` for; nothing once it is.
fn time_left(simulation: &Simulation, object: &impl Resource, natural: Duration) -> Option<Duration> {
    let slow = simulation.faults.befalls(Fault::Slow, &object.name_any());
    let takes = if slow { simulation.pace.slow(natural) } else { simulation.pace.of(natural) };
    let created = object.meta().creation_timestamp.as_ref()?.0;
    let elapsed = jiff::Timestamp::now().duration_since(created).unsigned_abs();
    takes.checked_sub(elapsed).filter(|left| !left.is_zero())
}

/// Creates an object, or changes the one that is there: lib-bucket-provisioner, pkg/provisioner/resourcehandlers.go,
/// `createOrUpdateSecret` and its like.
async fn put<K>(api: &Api<K>, name: &str, body: Value) -> Result<(), kube::Error>
where
    K: Clone + Debug + DeserializeOwned + Serialize,
{
    let object = serde_json::from_value(body.clone()).map_err(kube::Error::SerdeError)?;
    match api.create(&PostParams::default(), &object).await {
        Err(kube::Error::Api(refusal)) if refusal.code == 409 => {
            unless_overtaken(api.patch(name, &PatchParams::default(), &Patch::Merge(body)).await)
        }
        outcome => outcome.map(drop),
    }
}

/// Takes a finalizer off an object as it was read.
async fn release<K>(api: &Api<K>, object: &K, finalizer: &str) -> Result<(), kube::Error>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let (held, version) = (object.finalizers(), object.resource_version());
    let left: Vec<&String> = held.iter().filter(|name| *name != finalizer).collect();
    if left.len() == held.len() {
        return Ok(());
    }
    let patch = Patch::Merge(json!({"metadata": {"finalizers": left, "resourceVersion": version}}));
    unless_overtaken(api.patch(&object.name_any(), &PatchParams::default(), &patch).await)
}

/// The finalizers of an object and one more.
fn held_by(object: &impl Resource, finalizer: &str) -> Vec<String> {
    let others = object.finalizers().iter().filter(|name| *name != finalizer);
    others.cloned().chain([finalizer.to_owned()]).collect()
}
