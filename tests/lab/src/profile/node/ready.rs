//! When a node can be used: it is Ready, its images are there, names resolve.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::Client;
use kube::api::Api;
use serde_json::Value;

use super::NodeProfileError;
use crate::install::{self, Installer};
use crate::wait::wait_for;

/// Five to ten seconds are usual; a machine that also compiles takes longer.
const READY: Duration = Duration::from_mins(2);
const DNS: &str = include_str!("dns.yaml");

/// The kubelet says so.
pub(super) async fn node(client: &Client, name: &str) -> Result<(), NodeProfileError> {
    let nodes = Api::<Node>::all(client.clone());
    wait_for(format!("the node {name} to be Ready"), READY, || async {
        let node = nodes.get(name).await.map_err(|error| error.to_string())?;
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        match conditions.into_iter().find(|condition| condition.type_ == "Ready") {
            Some(condition) if condition.status == "True" => Ok(()),
            Some(condition) => Err(condition.message.unwrap_or_default()),
            None => Err("it reports nothing yet".to_owned()),
        }
    })
    .await?;
    Ok(())
}

/// Nothing is ever fetched, so a pod that comes before its image fails.
pub(super) async fn images(sign: &Path) -> Result<(), NodeProfileError> {
    wait_for("images to be imported", READY, || async { if sign.exists() { Ok(()) } else { Err("they are not") } })
        .await?;
    Ok(())
}

/// The name server runs, on every one of so many nodes.
pub(super) async fn names(client: Client, nodes: u8) -> Result<(), NodeProfileError> {
    let mut objects = install::parse(Path::new("dns.yaml"), DNS)?;
    one_for_each(&mut objects, nodes);
    Installer::new(client.clone()).apply(objects).await?;
    deployed(&client, "kube-system", "coredns").await
}

/// Gives every Deployment as many pods as there are nodes: a node that dies leaves one.
pub(super) fn one_for_each(objects: &mut [Value], nodes: u8) {
    for deployment in objects.iter_mut().filter(|object| object["kind"] == "Deployment") {
        deployment["spec"]["replicas"] = nodes.into();
    }
}

/// All pods of a Deployment are ready.
pub(super) async fn deployed(client: &Client, namespace: &str, name: &str) -> Result<(), NodeProfileError> {
    let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
    wait_for(format!("the Deployment {namespace}/{name} to be ready"), READY, || async {
        let deployment = deployments.get(name).await.map_err(|error| error.to_string())?;
        let wanted = deployment.spec.and_then(|spec| spec.replicas).unwrap_or(1);
        let status = deployment.status.unwrap_or_default();
        match status.ready_replicas {
            Some(ready) if ready >= wanted => Ok(()),
            ready => Err(format!("{} of {wanted} pods are ready", ready.unwrap_or(0))),
        }
    })
    .await?;
    Ok(())
}

/// An API that another program serves can be asked.
pub(super) async fn served(client: &Client, name: &str) -> Result<(), NodeProfileError> {
    let services = Api::<APIService>::all(client.clone());
    wait_for(format!("the API {name} to be available"), READY, || async {
        let service = services.get(name).await.map_err(|error| error.to_string())?;
        let conditions = service.status.and_then(|status| status.conditions).unwrap_or_default();
        match conditions.into_iter().find(|condition| condition.type_ == "Available") {
            Some(condition) if condition.status == "True" => Ok(()),
            Some(condition) => Err(condition.message.unwrap_or_default()),
            None => Err("it reports nothing yet".to_owned()),
        }
    })
    .await?;
    Ok(())
}
