//! The namespaces a lab makes in an existing cluster carry its mark, so that no lab takes over what somebody installed.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::json;

use super::ClusterError;
use super::error::{asked, removed};
use crate::install::{MANAGER, NAMESPACE};
use crate::wait::wait_for;

/// The annotation that holds the mark of the lab that uses the namespace, or used it last.
const OWNER: &str = "lab.jiyun.io/owner";
/// The namespace of the lab's people.
pub(super) const PEOPLE: &str = "jiyun-lab-people";
/// A namespace goes when everything in it is gone.
const GONE: Duration = Duration::from_secs(30);

/// Refuses a cluster with a namespace of ours that no lab made. Changes nothing.
pub(super) async fn none_is_foreign(client: &Client) -> Result<(), ClusterError> {
    for namespace in [NAMESPACE, PEOPLE] {
        let found = read(client, namespace).await?;
        if found.is_some_and(|found| owner(&found).is_none()) {
            return Err(ClusterError::Foreign { namespace, annotation: OWNER });
        }
    }
    Ok(())
}

/// Makes the namespace with this lab's mark, or checks that a lab made it.
pub(super) async fn make(client: &Client, namespace: &'static str, mark: &str) -> Result<(), ClusterError> {
    let api = Api::<Namespace>::all(client.clone());
    let mut object = Namespace::default();
    object.metadata.name = Some(namespace.to_owned());
    object.annotations_mut().insert(OWNER.to_owned(), mark.to_owned());
    gone_if_going(client, namespace).await?;
    // Created, not applied: if somebody was faster, it is looked at who.
    let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    match api.create(&parameters, &object).await {
        Err(kube::Error::Api(refusal)) if refusal.code == 409 => none_is_foreign(client).await,
        answer => asked(format!("create the namespace {namespace}"), answer).map(drop),
    }
}

/// Writes this lab's mark over that of a lab that is gone.
pub(super) async fn take_over(client: &Client, namespace: &'static str, mark: &str) -> Result<(), ClusterError> {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {(OWNER): mark}}}));
    let api = Api::<Namespace>::all(client.clone());
    asked(format!("mark the namespace {namespace}"), api.patch(namespace, &PatchParams::default(), &patch).await)
        .map(drop)
}

/// Removes a namespace that a lab made, and waits until it is gone.
pub(super) async fn remove(client: &Client, namespace: &'static str) -> Result<(), ClusterError> {
    let Some(found) = read(client, namespace).await? else { return Ok(()) };
    if owner(&found).is_none() {
        return Err(ClusterError::Foreign { namespace, annotation: OWNER });
    }
    let api = Api::<Namespace>::all(client.clone());
    let answer = api.delete(namespace, &DeleteParams::default()).await;
    removed(format!("delete the namespace {namespace}"), answer)?;
    gone_if_going(client, namespace).await
}

/// Whether nothing was installed in a namespace: it has no other `ServiceAccount` than the one Kubernetes makes.
pub(super) async fn is_unused(client: &Client, namespace: &'static str) -> Result<bool, ClusterError> {
    let api = Api::<ServiceAccount>::namespaced(client.clone(), namespace);
    let found = asked(format!("list the accounts of {namespace}"), api.list_metadata(&ListParams::default()).await)?;
    Ok(found.iter().all(|account| account.name_any() == "default"))
}

async fn read(client: &Client, namespace: &'static str) -> Result<Option<Namespace>, ClusterError> {
    asked(format!("read the namespace {namespace}"), Api::all(client.clone()).get_opt(namespace).await)
}

async fn gone_if_going(client: &Client, namespace: &'static str) -> Result<(), ClusterError> {
    let gone = wait_for(format!("the namespace {namespace} to be gone"), GONE, || async {
        match read(client, namespace).await {
            Ok(Some(found)) if found.metadata.deletion_timestamp.is_some() => Err(format!("{:?}", found.status)),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    });
    Ok(gone.await?)
}

fn owner(namespace: &Namespace) -> Option<&str> {
    namespace.annotations().get(OWNER).map(String::as_str)
}
