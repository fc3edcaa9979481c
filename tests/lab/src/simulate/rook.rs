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
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Simulation;
use super::follow::unless_overtaken;

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
