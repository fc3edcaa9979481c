//! Profile `node`: beside the control plane, which is that of the other profiles, a node in namespaces of its own runs
//! pods. The API server stays on the machine's loopback; the two reach each other by ways that no other program sees.

pub(crate) mod addresses;
mod cdi;
mod cnpg;
mod csi;
pub(crate) mod egress;
mod files;
mod jiyun;
mod kubevirt;
mod reach;
mod ready;
mod s3;
mod supplies;
mod volumes;

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kube::Client;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

pub(crate) use reach::Reach;
pub(crate) use supplies::Supplies;

use crate::debian::DebianError;
use crate::disk::DiskError;
use crate::doctor::{CannotRun, Facts, Finding, examine};
use crate::folder::{Folder, FolderError};
use crate::image::ImageError;
use crate::install::InstallError;
use crate::kubeconfig::{self, Credentials};
use crate::lab::Site;
use crate::node::cgroups;
use crate::node::spec::{FOLDERS, Hierarchy, Service, Sign, Spec};
use crate::parts::Part;
use crate::paths::{NotBuilt, product_program};
use crate::pki::{Authority, PkiError};
use crate::ports::{NoFreePort, Port};
use crate::process::{Launch, SpawnError, Tie};
use crate::profile::{Profile, RealError};
use crate::programs::{BuildError, ProgramError};
use crate::wait::{NotInTime, wait_for};

/// The node's name.
const NAME: &str = "node-1";
/// Namespaces, mounts and network take a fifth of a second; a machine that also compiles takes longer.
const UP: Duration = Duration::from_secs(30);

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

/// The node of one lab.
#[derive(Debug)]
pub(crate) struct NodeSite {
    supplies: Supplies,
    spec: Spec,
    description: PathBuf,
    program: PathBuf,
    hierarchies: Vec<Hierarchy>,
    scheduler_port: Port,
    scheduler_kubeconfig: PathBuf,
    reach: OnceLock<Reach>,
}

impl NodeSite {
    /// Issues certificates and writes what the node's parts are told; `api_port` is the API server's.
    pub(crate) fn prepare(
        supplies: Supplies,
        folder: &Folder,
        authority: &Authority,
        api_port: u16,
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
        let server = authority.server(&format!("kubelet-{NAME}"), &[NAME, &addresses::NODE.to_string()])?;
        let identity = files::Identity {
            authority: authority.certificate().to_owned(),
            kubelet_kubeconfig: kubeconfig("kubelet", &format!("system:node:{NAME}"), Some("system:nodes"), &inside)?,
            kubelet_certificate: server.certificate,
            kubelet_key: server.key,
            proxy_kubeconfig: kubeconfig("kube-proxy", "system:kube-proxy", None, &inside)?,
        };
        let outside = format!("https://127.0.0.1:{api_port}");
        let scheduler_kubeconfig = kubeconfig("scheduler", "system:kube-scheduler", None, &outside)?;
        let spec = spec(&supplies, folder, &identity, hierarchies.clone());
        let text = serde_json::to_string_pretty(&spec)
            .map_err(|error| NodeProfileError::Do { action: "describe the node", source: error.into() })?;
        std::fs::create_dir_all(&spec.folder)
            .map_err(|source| NodeProfileError::Do { action: "make the node's folder", source })?;
        Ok(Self {
            description: folder.write_etc(&format!("{NAME}.json"), &text)?,
            supplies,
            spec,
            program,
            hierarchies,
            scheduler_port: Port::reserve()?,
            scheduler_kubeconfig,
            reach: OnceLock::new(),
        })
    }

    /// Ports of the node's components outside of it.
    pub(crate) fn ports(&self) -> [u16; 1] {
        [self.scheduler_port.number()]
    }

    /// The way into the node, as soon as it is up.
    pub(crate) fn reach(&self) -> Option<&Reach> {
        self.reach.get()
    }

    /// Starts the node; it comes up beside the control plane.
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
        let keeper = vec!["node".into(), "keeper".into(), self.description.display().to_string()];
        site.supervisor.start(&component(NAME, &self.program, keeper, Tie::Told))?;
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

    /// Joins the node's network with the API server; the node's programs can speak from then on.
    pub(crate) async fn join(&self, site: &Site, api_port: u16) -> Result<(), NodeProfileError> {
        let failed = |action| move |source| NodeProfileError::Do { action, source };
        let sign = |sign| {
            let path = self.spec.sign(sign);
            wait_for(format!("the node's sign {}", path.display()), UP, move || {
                let path = path.clone();
                async move { std::fs::read_to_string(path).map_err(|error| error.to_string()) }
            })
        };
        let process = sign(Sign::Process).await?;
        sign(Sign::Network).await?;
        let process = process.trim().parse().unwrap_or_default();
        let listen = SocketAddr::from((addresses::API, api_port));
        let (reach, mut accepted) = Reach::open(process, listen).map_err(failed("enter the node's network"))?;
        let reach = self.reach.get_or_init(|| reach).clone();
        let socket = egress::listen(site.folder.path()).map_err(failed("make the API server's way into the node"))?;
        tokio::spawn(egress::serve(socket, reach));
        tokio::spawn(async move {
            while let Some(stream) = accepted.recv().await {
                tokio::spawn(forward(stream, api_port));
            }
        });
        Ok(())
    }

    /// Waits until the node runs pods and names resolve.
    pub(crate) async fn ready(&self, client: Client) -> Result<(), NodeProfileError> {
        ready::node(&client, NAME).await?;
        ready::images(&self.spec.sign(Sign::Images)).await?;
        volumes::install(&client).await?;
        tokio::spawn(volumes::run(client.clone(), self.spec.folder.join("volumes")));
        ready::names(client).await
    }

    /// Installs the parts that were asked for.
    pub(crate) async fn install(&self, client: Client, lab: &Path) -> Result<(), NodeProfileError> {
        if let Some(program) = &self.supplies.kubevirt {
            kubevirt::install(&client, program, &lab.join("virt-operator")).await?;
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
}

impl Drop for NodeSite {
    fn drop(&mut self) {
        // The keeper has removed its groups, unless it was killed itself.
        cgroups::remove_left_over(&self.hierarchies);
    }
}

/// Opens the ways into the node, waits for it and installs its parts, on the lab's own threads.
pub(crate) async fn start(site: Arc<Site>, client: Client) -> Result<(), NodeProfileError> {
    let (Some(node), Some(own)) = (&site.node, site.cluster.own()) else { return Ok(()) };
    node.join(&site, own.api_port()).await?;
    node.ready(client.clone()).await?;
    node.install(client, site.folder.path()).await
}

async fn forward(stream: std::net::TcpStream, port: u16) {
    let joined = async {
        let mut inside = TcpStream::from_std(stream)?;
        let mut outside = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        copy_bidirectional(&mut inside, &mut outside).await
    };
    if let Err(error) = joined.await {
        tracing::debug!(%error, "a connection of the node to the API server ended");
    }
}

fn spec(supplies: &Supplies, folder: &Folder, identity: &files::Identity, hierarchies: Vec<Hierarchy>) -> Spec {
    let flag = |name: &str, path: &Path| format!("--{name}={}", path.display());
    let service = |name: &str, program: PathBuf, arguments: Vec<String>| Service {
        name: name.into(),
        program,
        arguments,
        log: folder.log(name),
    };
    let kubelet = vec![
        flag("config", &files::path("kubelet.json")),
        flag("kubeconfig", &identity.kubelet_kubeconfig),
        "--root-dir=/var/lib/kubelet".into(),
        format!("--node-ip={}", addresses::NODE),
        format!("--hostname-override={NAME}"),
    ];
    let proxy = vec![flag("config", &files::path("kube-proxy.json")), format!("--hostname-override={NAME}")];
    Spec {
        name: NAME.into(),
        lab: folder.path().to_owned(),
        folder: folder.path().join("data").join(NAME),
        root: supplies.root.clone(),
        folders: supplies.folders.clone(),
        hierarchies,
        pool: supplies.csi.is_some().then(|| folder.path().join("data").join(format!("{NAME}.btrfs"))),
        address: addresses::NODE,
        api: addresses::API,
        files: files::files(NAME, identity),
        images: supplies.images.iter().map(|image| Path::new(FOLDERS).join(image)).collect(),
        runtime: service(
            "containerd",
            files::program("containerd", "containerd"),
            vec![flag("config", &files::path("containerd.toml"))],
        ),
        services: vec![
            service("kubelet", files::program("node", "kubelet"), kubelet),
            service("kube-proxy", files::program("node", "kube-proxy"), proxy),
        ],
    }
}
