//! KubeVirt whole on a node: virt-api, virt-controller, virt-handler, and launchers with libvirt and QEMU in software.

pub(super) mod guest;
mod images;

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::apps::v1::DaemonSet;
use kube::Client;
use kube::api::Api;
use serde_json::{Value, json};

pub(super) use images::{ARCHIVE, provide};

use super::NodeProfileError;
use super::ready::{deployed, one_for_each};
use super::supplies::PLACE;
use crate::install::{self, Installer};
use crate::profile::real;
use crate::wait::wait_for;

/// The tag of KubeVirt's images, as its release has it.
const TAG: &str = "v1.8.2";
/// Its namespace.
const NAMESPACE: &str = "kubevirt";
/// Memory that machines may have together, in percent of the node's: guests of a lab use little of what they were ordered with,
/// and without this five of four GiB fill a usual machine (KubeVirt, `DeveloperConfiguration.MemoryOvercommit`).
const OVERCOMMIT: u32 = 400;
/// Virtual processors that are counted as one of the node's: a handful of guests of two, beside everything else that asks for
/// its share, fills two cores at the usual ten (KubeVirt, `DeveloperConfiguration.CPUAllocationRatio`).
const PROCESSORS: u32 = 40;
/// Twenty seconds are usual; a machine that also compiles takes longer.
const READY: Duration = Duration::from_mins(3);

/// Installs KubeVirt on so many nodes and waits until a machine can be ordered.
pub(super) async fn install(client: &Client, program: &Path, folder: &Path, nodes: u8) -> Result<(), NodeProfileError> {
    let registry = format!("{PLACE}/kubevirt");
    let arguments = [folder.display().to_string(), format!("--registry={registry}"), format!("--tag={TAG}")];
    install::output(program, &arguments).await?;
    let installer = Installer::new(client.clone());
    installer.apply(install::read(&folder.join("definitions"))?).await?;
    let mut objects = install::read(&folder.join("objects"))?;
    one_for_each(&mut objects, nodes);
    objects.extend(budgets(&objects));
    for settings in objects.iter_mut().filter(|object| object["kind"] == "KubeVirt") {
        let developer = &mut settings["spec"]["configuration"]["developerConfiguration"];
        developer["memoryOvercommit"] = OVERCOMMIT.into();
        developer["cpuAllocationRatio"] = PROCESSORS.into();
    }
    installer.apply(objects).await?;
    for status in install::read(&folder.join("statuses"))? {
        real::write_status(client, &status).await.map_err(Box::new)?;
    }
    for name in ["virt-api", "virt-controller"] {
        deployed(client, NAMESPACE, name).await?;
    }
    handles(client, nodes.into()).await?;
    installer.apply(install::read(&folder.join("registrations"))?).await?;
    real::webhooks_answer(client).await.map_err(Box::new)?;
    real::subresources_answer(client).await.map_err(Box::new)?;
    Ok(())
}

/// What keeps a drain from taking the last pod of a Deployment before another is ready, as virt-operator makes it where there
/// are several (KubeVirt, `NewPodDisruptionBudgetForDeployment`): without virt-api nobody answers for a machine's eviction.
fn budgets(objects: &[Value]) -> Vec<Value> {
    let several = objects.iter().filter(|object| object["kind"] == "Deployment" && object["spec"]["replicas"] != 1);
    let budget = |deployment: &Value| {
        let name = format!("{}-pdb", deployment["metadata"]["name"].as_str().unwrap_or_default());
        json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"namespace": NAMESPACE, "name": name},
            "spec": {"maxUnavailable": 1, "selector": deployment["spec"]["selector"]},
        })
    };
    several.map(budget).collect()
}

/// virt-handler runs on every node, which is then labelled as one for machines.
async fn handles(client: &Client, nodes: i32) -> Result<(), NodeProfileError> {
    let sets = Api::<DaemonSet>::namespaced(client.clone(), NAMESPACE);
    wait_for("virt-handler to be ready", READY, || async {
        let set = sets.get("virt-handler").await.map_err(|error| error.to_string())?;
        let status = set.status.unwrap_or_default();
        if status.number_ready == nodes { Ok(()) } else { Err(format!("{} of {nodes} are", status.number_ready)) }
    })
    .await?;
    Ok(())
}
