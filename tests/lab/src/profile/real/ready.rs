//! When KubeVirt may be used: virt-api listens, its webhooks answer, its subresources are served.

use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};
use kube::{Client, Error};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::RealError;
use super::kubevirt::Ports;
use crate::wait::wait_for;

/// Three to seven seconds are usual; a machine that also compiles takes longer.
const READY: Duration = Duration::from_secs(90);

/// virt-api listens once its caches are filled (pkg/virt-api/api.go, `Run`).
pub(super) async fn virt_api_listens(ports: &Ports) -> Result<(), RealError> {
    let address = ports.api.address();
    wait_for(format!("virt-api to listen on {address}"), READY, || TcpStream::connect(&address)).await?;
    Ok(())
}

/// A machine no KubeVirt accepts is refused by KubeVirt, and not only by its definition.
pub(in super::super) async fn webhooks_answer(client: &Client) -> Result<(), RealError> {
    let kind = GroupVersionKind::gvk("kubevirt.io", "v1", "VirtualMachine");
    let machines: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), "default", &ApiResource::from_gvk_with_plural(&kind, "virtualmachines"));
    let mut wrong = DynamicObject::new("readiness", &ApiResource::from_gvk(&kind));
    wrong.data = json!({"spec": {"runStrategy": "Never", "template": {"spec": {"domain": {"devices": {}}}}}});
    let tried = PostParams { dry_run: true, ..PostParams::default() };
    wait_for("KubeVirt's webhooks to refuse a wrong machine", READY, || async {
        match machines.create(&tried, &wrong).await {
            Err(Error::Api(refusal)) if refusal.message.contains("RunStrategy") => Ok(()),
            Err(error) => Err(error.to_string()),
            Ok(_) => Err("it was accepted".to_owned()),
        }
    })
    .await?;
    Ok(())
}

/// The aggregated API of start, stop and restart is available.
pub(in super::super) async fn subresources_answer(client: &Client) -> Result<(), RealError> {
    let kind = GroupVersionKind::gvk("apiregistration.k8s.io", "v1", "APIService");
    let services: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
    wait_for("KubeVirt's subresource API to be available", READY, || async {
        let service = services.get("v1.subresources.kubevirt.io").await.map_err(|error| error.to_string())?;
        let conditions = service.data.pointer("/status/conditions").and_then(Value::as_array);
        let available = |condition: &&Value| condition["type"] == "Available";
        match conditions.into_iter().flatten().find(available) {
            Some(condition) if condition["status"] == "True" => Ok(()),
            seen => Err(seen.map_or_else(|| "no condition".to_owned(), ToString::to_string)),
        }
    })
    .await?;
    Ok(())
}
