//! The Node objects launcher pods are placed on, and statuses that are a subresource.

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};

use super::RealError;
use crate::install::Installer;
use crate::simulate::NODES;

/// Creates one node per architecture.
pub(super) async fn create(installer: &Installer, client: &Client) -> Result<(), RealError> {
    let nodes: Vec<Value> = NODES.iter().map(|(architecture, name)| node(architecture, name)).collect();
    installer.apply(nodes.clone()).await?;
    for node in nodes {
        // More than any test places: room is what `Fault::Full` takes away.
        let room = json!({"cpu": "4096", "memory": "16Ti", "pods": "20000"});
        let status = json!({
            "capacity": room, "allocatable": room,
            "conditions": [{"type": "Ready", "status": "True", "reason": "Simulated", "message": "no kubelet runs"}],
        });
        let (kind, metadata) = (&node["kind"], &node["metadata"]);
        let reported = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "status": status});
        write_status(client, &reported).await?;
    }
    Ok(())
}

/// As virt-handler labels its node (pkg/virt-handler/heartbeat/heartbeat.go, pkg/virt-handler/node-labeller).
fn node(architecture: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": architecture,
            "kubevirt.io/schedulable": "true",
        }},
    })
}

/// Merges an object's `status` into the subresource of that name.
pub(in super::super) async fn write_status(client: &Client, object: &Value) -> Result<(), RealError> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (kind, name, namespace) = (text("/kind"), text("/metadata/name"), text("/metadata/namespace"));
    let refused = |source| RealError::Status { object: format!("{kind} {name}"), source };
    // The core group has no name and its versions no slash.
    let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = if namespace.is_empty() {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    };
    let status = Patch::Merge(json!({"status": object["status"]}));
    api.patch_status(name, &PatchParams::default(), &status).await.map(drop).map_err(refused)
}
