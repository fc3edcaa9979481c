//! KubeVirt whole on a node: virt-api, virt-controller, virt-handler, and launchers with libvirt and QEMU in software.

pub(super) mod guest;
mod images;

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::apps::v1::DaemonSet;
use kube::Client;
use kube::api::Api;

pub(super) use images::{ARCHIVE, provide};

use super::NodeProfileError;
use super::ready::deployed;
use super::supplies::PLACE;
use crate::install::{self, Installer};
use crate::profile::real;
use crate::wait::wait_for;

/// The tag of KubeVirt's images, as its release has it.
const TAG: &str = "v1.8.2";
/// Its namespace.
const NAMESPACE: &str = "kubevirt";
/// Twenty seconds are usual; a machine that also compiles takes longer.
const READY: Duration = Duration::from_mins(3);

/// Installs KubeVirt and waits until a machine can be ordered.
pub(super) async fn install(client: &Client, program: &Path, folder: &Path) -> Result<(), NodeProfileError> {
    let registry = format!("{PLACE}/kubevirt");
    let arguments = [folder.display().to_string(), format!("--registry={registry}"), format!("--tag={TAG}")];
    install::output(program, &arguments).await?;
    let installer = Installer::new(client.clone());
    installer.apply(install::read(&folder.join("definitions"))?).await?;
    installer.apply(install::read(&folder.join("objects"))?).await?;
    for status in install::read(&folder.join("statuses"))? {
        real::write_status(client, &status).await.map_err(Box::new)?;
    }
    for name in ["virt-api", "virt-controller"] {
        deployed(client, NAMESPACE, name).await?;
    }
    handles(client).await?;
    installer.apply(install::read(&folder.join("registrations"))?).await?;
    real::webhooks_answer(client).await.map_err(Box::new)?;
    real::subresources_answer(client).await.map_err(Box::new)?;
    Ok(())
}

/// virt-handler runs on the node, which is then labelled as one for machines.
async fn handles(client: &Client) -> Result<(), NodeProfileError> {
    let sets = Api::<DaemonSet>::namespaced(client.clone(), NAMESPACE);
    wait_for("virt-handler to be ready", READY, || async {
        let set = sets.get("virt-handler").await.map_err(|error| error.to_string())?;
        let status = set.status.unwrap_or_default();
        if status.desired_number_scheduled > 0 && status.number_ready == status.desired_number_scheduled {
            Ok(())
        } else {
            Err(format!("{} of {} are", status.number_ready, status.desired_number_scheduled))
        }
    })
    .await?;
    Ok(())
}
