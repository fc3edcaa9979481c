//! One lab at a time in a cluster: a Lease that the lab renews while it lives, and another takes when it has expired.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Client, ResourceExt as _};
use serde_json::json;
use tokio::time::Instant;

use super::ClusterError;
use super::error::{asked, removed};
use crate::install::NAMESPACE;

/// Its name.
const NAME: &str = "jiyun-lab";
/// Its namespace and name.
const FULL_NAME: &str = "jiyun-system/jiyun-lab";
/// How long it holds without being renewed.
const DURATION: Duration = Duration::from_secs(15);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(3);
/// The longest another lab's Lease is watched, whatever it says of itself.
const LONGEST: Duration = Duration::from_mins(1);
/// How often a lab that waits looks at another's.
const LOOK: Duration = Duration::from_millis(500);

fn api(client: &Client) -> Api<Lease> {
    Api::namespaced(client.clone(), NAMESPACE)
}

/// Takes the Lease; refuses if another lab renews it. Whether that lab lives is seen by watching it for as long as the
/// Lease holds, not by comparing clocks of different machines.
pub(super) async fn take(client: &Client, mark: &str) -> Result<(), ClusterError> {
    let now = MicroTime(Timestamp::now());
    let mut lease = Lease {
        spec: Some(LeaseSpec {
            holder_identity: Some(mark.to_owned()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }),
        ..Lease::default()
    };
    lease.metadata.name = Some(NAME.to_owned());
    let answer = match expired(client).await? {
        None => api(client).create(&PostParams::default(), &lease).await,
        Some(version) => {
            lease.metadata.resource_version = Some(version);
            api(client).replace(NAME, &PostParams::default(), &lease).await
        }
    };
    match answer {
        // Another was faster.
        Err(kube::Error::Api(refusal)) if refusal.code == 409 => Err(ClusterError::Living { lease: FULL_NAME }),
        answer => asked("take the Lease of a lab", answer).map(drop),
    }
}

/// The resource version of an expired Lease; nothing if there is none. An error if it is renewed meanwhile.
async fn expired(client: &Client) -> Result<Option<String>, ClusterError> {
    let read = || async { asked("read the Lease of a lab", api(client).get_opt(NAME).await) };
    let Some(first) = read().await? else { return Ok(None) };
    let seconds = first.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).unwrap_or_default();
    let holds = Duration::from_secs(u64::try_from(seconds).unwrap_or_default()).min(LONGEST);
    let end = Instant::now() + holds;
    while Instant::now() < end {
        tokio::time::sleep(LOOK).await;
        let Some(now) = read().await? else { return Ok(None) };
        if now.spec != first.spec {
            return Err(ClusterError::Living { lease: FULL_NAME });
        }
    }
    Ok(Some(first.resource_version().unwrap_or_default()))
}

/// Renews the Lease until it is another's; returns then, and never otherwise. A cluster that does not answer is asked
/// again: nobody else can take the Lease there either.
pub(super) async fn renew(client: &Client, mark: &str) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        match tokio::time::timeout(DURATION / 3, renew_once(client, mark)).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return,
            Ok(Err(error)) => tracing::warn!(%error, "the lab's Lease was not renewed; it is tried again"),
            Err(_) => tracing::warn!("the lab's Lease was not renewed in time; it is tried again"),
        }
    }
}

/// Whether the Lease is still this lab's.
async fn renew_once(client: &Client, mark: &str) -> Result<bool, ClusterError> {
    let Some(held) = held(client, mark).await? else { return Ok(false) };
    let renewal = json!({
        "metadata": {"resourceVersion": held.resource_version()},
        "spec": {"renewTime": MicroTime(Timestamp::now())},
    });
    match api(client).patch(NAME, &PatchParams::default(), &Patch::Merge(renewal)).await {
        // Changed in between: whose it is now is seen at the next look.
        Err(kube::Error::Api(refusal)) if refusal.code == 409 => Ok(true),
        answer => asked("renew the Lease of this lab", answer).map(|_| true),
    }
}

/// The Lease, if it is this lab's.
pub(super) async fn held(client: &Client, mark: &str) -> Result<Option<Lease>, ClusterError> {
    let found = asked("read the Lease of this lab", api(client).get_opt(NAME).await)?;
    let is_ours = |lease: &Lease| lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) == Some(mark);
    Ok(found.filter(is_ours))
}

/// Gives the Lease back.
pub(super) async fn give_back(client: &Client, mark: &str) -> Result<(), ClusterError> {
    let Some(held) = held(client, mark).await? else { return Ok(()) };
    let preconditions = Preconditions { uid: held.uid(), resource_version: None };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    removed("delete the Lease of this lab", api(client).delete(NAME, &parameters).await)
}
