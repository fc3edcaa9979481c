//! One node of a lab: what it is told, how it is joined with the API server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use super::reach::Reach;
use super::supplies::Supplies;
use super::ways::Ways;
use super::{NodeProfileError, addresses, files};
use crate::folder::Folder;
use crate::node::spec::{FOLDERS, Hierarchy, Link, Service, Sign, Spec, Stock};
use crate::wait::wait_for;

/// Namespaces, mounts and network take a fifth of a second; a machine that also compiles takes longer.
const UP: Duration = Duration::from_secs(30);

/// The name of the node of this number, which counts from 1.
pub(super) fn name(number: u8) -> String {
    format!("node-{number}")
}

/// One of a lab's nodes.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) spec: Spec,
    /// The file its keeper reads.
    pub(super) description: PathBuf,
}

/// What is the same for all nodes of a lab.
pub(super) struct Common<'a> {
    pub(super) supplies: &'a Supplies,
    pub(super) folder: &'a Folder,
    pub(super) hierarchies: &'a [Hierarchy],
    /// The sign of the switch between them.
    pub(super) switch: &'a Path,
    /// How many there are.
    pub(super) count: u8,
}

impl Member {
    /// Writes what the node of this number is told.
    pub(super) fn prepare(
        common: &Common<'_>,
        number: u8,
        identity: &files::Identity,
    ) -> Result<Self, NodeProfileError> {
        let spec = spec(common, number, identity);
        let text = serde_json::to_string_pretty(&spec)
            .map_err(|error| NodeProfileError::Do { action: "describe the node", source: error.into() })?;
        std::fs::create_dir_all(&spec.folder)
            .map_err(|source| NodeProfileError::Do { action: "make the node's folder", source })?;
        let name = name(number);
        Ok(Self { description: common.folder.write_etc(&format!("{name}.json"), &text)?, name, spec })
    }

    /// Joins the node's network with the API server; the node's programs can speak from then on.
    pub(super) async fn join(&self, ways: &Ways, api_port: u16) -> Result<(), NodeProfileError> {
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
        let (reach, mut accepted) = Reach::open(process, listen)
            .map_err(|source| NodeProfileError::Do { action: "enter the node's network", source })?;
        ways.open(&self.name, reach);
        tokio::spawn(async move {
            while let Some(stream) = accepted.recv().await {
                tokio::spawn(forward(stream, api_port));
            }
        });
        Ok(())
    }
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

fn spec(common: &Common<'_>, number: u8, identity: &files::Identity) -> Spec {
    let Common { supplies, folder, count, .. } = common;
    let (name, data) = (name(number), folder.path().join("data"));
    let flag = |name: &str, path: &Path| format!("--{name}={}", path.display());
    let service = |program: &str, path: PathBuf, arguments: Vec<String>| Service {
        name: program.into(),
        program: path,
        arguments,
        // The first node's are called as those of a lab with one.
        log: folder.log(&if number == 1 { program.to_owned() } else { format!("{program}-{name}") }),
    };
    let kubelet = vec![
        flag("config", &files::path("kubelet.json")),
        flag("kubeconfig", &identity.kubelet_kubeconfig),
        "--root-dir=/var/lib/kubelet".into(),
        format!("--node-ip={}", addresses::node(number)),
        format!("--hostname-override={name}"),
    ];
    let proxy = vec![flag("config", &files::path("kube-proxy.json")), format!("--hostname-override={name}")];
    let stock = data.join("images");
    Spec {
        lab: folder.path().to_owned(),
        folder: data.join(&name),
        volumes: data.join("volumes"),
        root: supplies.root.clone(),
        folders: supplies.folders.clone(),
        hierarchies: common.hierarchies.to_vec(),
        pool: supplies.csi.is_some().then(|| data.join(format!("{name}.btrfs"))),
        address: addresses::node(number),
        api: addresses::API,
        link: (*count > 1).then(|| link(common, number)),
        files: files::files(&name, &addresses::pods(number), identity),
        images: supplies.images.iter().map(|image| Path::new(FOLDERS).join(image)).collect(),
        stock: (*count > 1).then_some(if number == 1 { Stock::Lay(stock) } else { Stock::Take(stock) }),
        runtime: service(
            "containerd",
            files::program("containerd", "containerd"),
            vec![flag("config", &files::path("containerd.toml"))],
        ),
        services: vec![
            service("kubelet", files::program("node", "kubelet"), kubelet),
            service("kube-proxy", files::program("node", "kube-proxy"), proxy),
        ],
        name,
    }
}

fn link(common: &Common<'_>, number: u8) -> Link {
    let others = (1..=common.count).filter(|other| *other != number);
    Link {
        switch: common.switch.to_owned(),
        hardware: addresses::hardware(number),
        others: others.map(|other| (addresses::pods(other), addresses::node(other))).collect(),
    }
}
