//! Profile `real`: KubeVirt's own virt-api and virt-controller beside the API server. Simulated is what a node, a disk
//! array and CDI's importer would do; see `programs/kubevirt/README.md`.

pub(super) use nodes::write_status;
pub(super) use ready::{subresources_answer, webhooks_answer};

mod kubevirt;
mod nodes;
mod ready;

use std::sync::Arc;

use kube::Client;

use super::ProfileError;
use crate::folder::FolderError;
use crate::install::{InstallError, Installer};
use crate::kubeconfig::{self, ClientError, Credentials};
use crate::lab::Site;
use crate::options::Snapshots;
use crate::pki::PkiError;
use crate::ports::NoFreePort;
use crate::process::{Failure, SpawnError};
use crate::programs;
use crate::simulate::{self, Simulation};
use crate::wait::NotInTime;

/// KubeVirt's control plane could not be started.
#[derive(Debug, thiserror::Error)]
pub enum RealError {
    /// KubeVirt's objects could not be installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// A certificate could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// No port is free.
    #[error(transparent)]
    Port(#[from] NoFreePort),
    /// A process could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The lab's folder is unusable.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A client could not be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A status was refused.
    #[error("the status of {object} was refused")]
    Status {
        /// Kind and name.
        object: String,
        /// The cause.
        #[source]
        source: kube::Error,
    },
    /// A component ended though nobody asked it to.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// KubeVirt did not become ready in time.
    #[error(transparent)]
    NotInTime(#[from] NotInTime),
}

/// Builds KubeVirt's programs.
pub(super) fn provide_programs() -> Result<(), ProfileError> {
    for program in kubevirt::PROGRAMS {
        programs::program("kubevirt", program)?;
    }
    Ok(())
}

/// Starts KubeVirt's control plane and the simulated node.
pub(super) async fn start(site: Arc<Site>, client: Client) -> Result<(), ProfileError> {
    let programs = kubevirt::Programs::provide()?;
    tokio::select! {
        biased;
        failure = site.supervisor.failed() => Err(RealError::from(failure).into()),
        started = start_with(&site, client, &programs) => Ok(started?),
    }
}

async fn start_with(site: &Site, client: Client, programs: &kubevirt::Programs) -> Result<(), RealError> {
    let installer = Installer::new(client.clone());
    let ports = kubevirt::Ports::reserve()?;
    let objects = kubevirt::objects(site, programs, &ports).await?;
    installer.apply(objects.before).await?;
    for status in &objects.statuses {
        nodes::write_status(&client, status).await?;
    }
    nodes::create(&installer, &client).await?;
    kubevirt::launch(site, programs, &ports)?;
    ready::virt_api_listens(&ports).await?;
    installer.apply(objects.registrations).await?;
    ready::webhooks_answer(&client).await?;
    ready::subresources_answer(&client).await?;

    let handler = kubevirt::account(site, "kubevirt-handler")?;
    let handler = kubevirt::kubeconfig(site, "kubevirt-handler", Credentials::Certificate(&handler));
    let handler = kubeconfig::client(&handler).await?;
    let simulation = Simulation { client, pace: site.options.pace, faults: Arc::clone(&site.faults) };
    tokio::spawn(simulate::data_volume::run(simulation.clone()));
    tokio::spawn(simulate::disk::run(simulation.clone()));
    if site.options.snapshots == Snapshots::Csi {
        tokio::spawn(simulate::snapshot::run(simulation.clone()));
    }
    tokio::spawn(async move {
        simulate::vmi::run(simulation, handler).await;
        // The ports are KubeVirt's for as long as the lab's tasks run.
        drop(ports);
    });
    Ok(())
}
