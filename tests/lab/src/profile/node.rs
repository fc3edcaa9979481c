//! Profile `node`: beside the control plane, which is that of the other profiles, nodes in namespaces of their own run
//! pods. The API server stays on the machine's loopback; it and the nodes reach each other by ways that no other program sees.

pub(crate) mod addresses;
mod cdi;
mod cnpg;
mod csi;
pub(crate) mod egress;
mod files;
pub(crate) mod jiyun;
mod kubevirt;
mod member;
mod reach;
mod ready;
mod s3;
mod supplies;
mod volumes;
mod ways;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kube::Client;
use member::{Common, Member};
pub(crate) use supplies::Supplies;
use ways::Ways;

use crate::debian::DebianError;
use crate::disk::DiskError;
use crate::doctor::{CannotRun, Facts, Finding, examine};
use crate::folder::{Folder, FolderError};
use crate::image::ImageError;
use crate::install::InstallError;
use crate::kubeconfig::{self, Credentials};
use crate::lab::Site;
use crate::node::spec::{Hierarchy, Sign};
use crate::node::switch::Switch;
use crate::node::{Role, cgroups};
use crate::parts::Part;
use crate::paths::{NotBuilt, product_program};
use crate::pki::{Authority, PkiError};
use crate::ports::{NoFreePort, Port};
use crate::process::{Launch, SpawnError, Tie};
use crate::profile::{Profile, RealError};
use crate::programs::{BuildError, ProgramError};
use crate::wait::NotInTime;

/// What the process between the nodes is called, and its files.
const SWITCH: &str = "switch";

/// A node could not be provided or started.
#[derive(Debug, thiserror::Error)]
pub enum NodeProfileError {
    /// The machine lacks something.
    #[error(transparent)]
    CannotRun(#[from] CannotRun),
    /// A program could not be found or built.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The cache could not be written.
    #[error(transparent)]
    Cache(#[from] BuildError),
    /// Debian's packages could not be had.
    #[error(transparent)]
    Debian(#[from] DebianError),
    /// A disk could not be made.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// An image could not be written.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A thread ended in a panic.
    #[error("{0} ended in a panic, which is a fault of the lab")]
    Panicked(&'static str),
    /// The lab's own program is missing.
    #[error(transparent)]
    NotBuilt(#[from] NotBuilt),
    /// A certificate could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The lab's folder is unusable.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// No port is free.
    #[error(transparent)]
    Port(#[from] NoFreePort),
    /// A process could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// Something did not come in time.
    #[error(transparent)]
    NotInTime(#[from] NotInTime),
    /// KubeVirt did not become ready.
    #[error(transparent)]
    KubeVirt(#[from] Box<RealError>),
    /// An object was refused.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The operating system refused.
    #[error("cannot {action}")]
    Do {
        /// What was tried.
        action: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// Refuses what this machine cannot run, before anything is built or started.
pub(crate) fn check(profile: Profile, parts: &BTreeSet<Part>) -> Result<(), NodeProfileError> {
    let missing: Vec<Finding> =
        examine(&Facts::read(), profile, parts).into_iter().filter(Finding::is_missing).collect();
    if missing.is_empty() { Ok(()) } else { Err(CannotRun { profile: profile.to_string(), missing }.into()) }
}

/// The nodes of one lab.
#[derive(Debug)]
pub(crate) struct NodeSite {
    supplies: Supplies,
    members: Vec<Member>,
    /// The description of the switch between them; nothing where there is one node.
    switch: Option<PathBuf>,
    program: PathBuf,
    hierarchies: Vec<Hierarchy>,
    scheduler_port: Port,
    scheduler_kubeconfig: PathBuf,
    ways: Ways,
}

impl NodeSite {
    /// Issues certificates and writes what the parts of so many nodes are told; `api_port` is the API server's.
    pub(crate) fn prepare(
        supplies: Supplies,
        folder: &Folder,
        authority: &Authority,
        api_port: u16,
        count: u8,
    ) -> Result<Self, NodeProfileError> {
        let program = product_program("jiyun-lab")?;
        let hierarchies = cgroups::hierarchies(&Facts::read());
        cgroups::remove_left_over(&hierarchies);
        let inside = format!("https://{}:{api_port}", addresses::API);
        let kubeconfig = |name: &str, user: &str, group: Option<&str>, server: &str| {
            let client = authority.client(name, user, group)?;
            let text = kubeconfig::render(server, authority.certificate(), name, Credentials::Certificate(&client));
            Ok::<_, NodeProfileError>(folder.write_etc(&format!("{name}.kubeconfig"), &text)?)
        };
        let outside = format!("https://127.0.0.1:{api_port}");
        let scheduler_kubeconfig = kubeconfig("scheduler", "system:kube-scheduler", None, &outside)?;
        let proxy_kubeconfig = kubeconfig("kube-proxy", "system:kube-proxy", None, &inside)?;
        let switch = Switch { root: supplies.root.clone(), sign: folder.path().join("data").join(SWITCH) };
        let common = Common { supplies: &supplies, folder, hierarchies: &hierarchies, switch: &switch.sign, count };
        let mut members = Vec::new();
        for number in 1..=count {
            let name = member::name(number);
            let user = format!("system:node:{name}");
            let address = addresses::node(number).to_string();
            let server = authority.server(&format!("kubelet-server-{name}"), &[&name, &address])?;
            let identity = files::Identity {
                authority: authority.certificate().to_owned(),
                kubelet_kubeconfig: kubeconfig(&format!("kubelet-{name}"), &user, Some("system:nodes"), &inside)?,
                kubelet_certificate: server.certificate,
                kubelet_key: server.key,
                proxy_kubeconfig: proxy_kubeconfig.clone(),
            };
            members.push(Member::prepare(&common, number, &identity)?);
        }
        let described = serde_json::to_string_pretty(&switch)
            .map_err(|error| NodeProfileError::Do { action: "describe the switch", source: error.into() })?;
        let switch = (count > 1).then(|| folder.write_etc(&format!("{SWITCH}.json"), &described)).transpose()?;
        Ok(Self {
            supplies,
            members,
            switch,
            program,
            hierarchies,
            scheduler_port: Port::reserve()?,
            scheduler_kubeconfig,
            ways: Ways::default(),
        })
    }

    /// Ports of the nodes' components outside of them.
    pub(crate) fn ports(&self) -> [u16; 1] {
        [self.scheduler_port.number()]
    }

    /// The nodes' names.
    pub(crate) fn names(&self) -> Vec<String> {
        self.members.iter().map(|member| member.name.clone()).collect()
    }

    /// The ways into the nodes that are up.
    pub(crate) fn ways(&self) -> &Ways {
        &self.ways
    }

    /// Starts the nodes; they come up beside the control plane.
    pub(crate) fn launch(&self, site: &Site) -> Result<(), NodeProfileError> {
        let component = |name: &str, program: &PathBuf, arguments: Vec<String>, tie| Launch {
            name: name.into(),
            program: program.clone(),
            arguments,
            environment: Vec::new(),
            directory: site.folder.path().to_owned(),
            log: site.folder.log(name),
            tie,
        };
        let role = |role: Role, told: &Path| vec!["node".into(), role.name().into(), told.display().to_string()];
        if let Some(told) = &self.switch {
            let switch = component(SWITCH, &self.program, role(Role::Switch, told), Tie::Killed);
            site.supervisor.start(&switch)?;
        }
        for Member { name, description, .. } in &self.members {
            let keeper = component(name, &self.program, role(Role::Keeper, description), Tie::Told);
            site.supervisor.start(&keeper)?;
        }
        let kubeconfig = self.scheduler_kubeconfig.display();
        self.scheduler_port.hand_over();
        let scheduler = vec![
            format!("--kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
            "--leader-elect=false".into(),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={}", self.scheduler_port.number()),
            format!("--cert-dir={}", site.folder.path().join("pki").display()),
        ];
        site.supervisor.start(&component("kube-scheduler", &self.supplies.scheduler, scheduler, Tie::Killed))?;
        Ok(())
    }

    /// Joins the nodes' networks with the API server.
    async fn join(&self, site: &Site, api_port: u16) -> Result<(), NodeProfileError> {
        let socket = egress::listen(site.folder.path())
            .map_err(|source| NodeProfileError::Do { action: "make the API server's way into the node", source })?;
        tokio::spawn(egress::serve(socket, self.ways.clone()));
        for member in &self.members {
            member.join(&self.ways, api_port).await?;
        }
        Ok(())
    }

    /// Waits until the nodes run pods and names resolve.
    async fn ready(&self, client: Client) -> Result<(), NodeProfileError> {
        for member in &self.members {
            ready::node(&client, &member.name).await?;
            ready::images(&member.spec.sign(Sign::Images)).await?;
        }
        volumes::install(&client).await?;
        if let Some(member) = self.members.first() {
            tokio::spawn(volumes::run(client.clone(), member.spec.volumes.clone()));
        }
        ready::names(client, self.count()).await
    }

    /// Installs the parts that were asked for.
    async fn install(&self, client: Client, lab: &Path) -> Result<(), NodeProfileError> {
        if let Some(program) = &self.supplies.kubevirt {
            kubevirt::install(&client, program, &lab.join("virt-operator"), self.count()).await?;
        }
        if let Some(manifest) = &self.supplies.cnpg {
            cnpg::install(&client, manifest).await?;
        }
        if let Some(definitions) = &self.supplies.csi {
            csi::install(&client, definitions).await?;
        }
        // After the classes of volumes: CDI keeps no settings for one that is not there.
        if let Some(program) = &self.supplies.cdi {
            cdi::install(&client, program, &lab.join("cdi-operator"), self.supplies.csi.is_some()).await?;
        }
        if self.supplies.s3 {
            s3::install(&client).await?;
        }
        Ok(())
    }

    fn count(&self) -> u8 {
        u8::try_from(self.members.len()).unwrap_or(u8::MAX)
    }
}

impl Drop for NodeSite {
    fn drop(&mut self) {
        // The keeper has removed its groups, unless it was killed itself.
        cgroups::remove_left_over(&self.hierarchies);
    }
}

/// Opens the ways into the nodes, waits for them and installs their parts, on the lab's own threads.
pub(crate) async fn start(site: Arc<Site>, client: Client) -> Result<(), NodeProfileError> {
    let (Some(node), Some(own)) = (&site.node, site.cluster.own()) else { return Ok(()) };
    node.join(&site, own.api_port()).await?;
    node.ready(client.clone()).await?;
    node.install(client, site.folder.path()).await
}

/// Starts a node again that was killed, and opens the way into it, on the lab's own threads.
pub(crate) async fn start_again(site: Arc<Site>, name: &str) -> Result<(), NodeProfileError> {
    let (Some(node), Some(own)) = (&site.node, site.cluster.own()) else { return Ok(()) };
    let Some(member) = node.members.iter().find(|member| member.name == name) else { return Ok(()) };
    member.spec.forget().map_err(|source| NodeProfileError::Do { action: "forget the node's earlier life", source })?;
    site.supervisor.start_again(name)?;
    member.join(&node.ways, own.api_port()).await
}
