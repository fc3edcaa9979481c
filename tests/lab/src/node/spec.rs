//! What the parts of a node are told: one file, written by the lab, read by the node's keeper and its first process.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::NodeError;

/// Where programs and other folders of the cache lie in the node.
pub const FOLDERS: &str = "/opt/jiyun-lab";

/// Where folders that are volumes lie in the node; all nodes of a lab see the same.
pub const VOLUMES: &str = "/var/lib/jiyun-lab/volumes";

/// Where a file system with snapshots is mounted in the node.
pub const POOL: &str = "/var/lib/jiyun-lab/pool";
/// How large it is at most; the file takes room only for what is written.
pub const POOL_BYTES: u64 = 16 << 30;

/// One node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its name, which is also its host's name.
    pub name: String,
    /// The lab's folder, at the same path in the node.
    pub lab: PathBuf,
    /// The node's own folder on disk: images, logs of pods.
    pub folder: PathBuf,
    /// The folder of all nodes' volumes, seen at [`VOLUMES`].
    pub volumes: PathBuf,
    /// The root folder, shared by all nodes of all labs and never written to.
    pub root: PathBuf,
    /// Folders seen below [`FOLDERS`] by their names, read-only.
    pub folders: BTreeMap<String, PathBuf>,
    /// Version 1 hierarchies of control groups: what is mounted where, and the lab's group in it.
    pub hierarchies: Vec<Hierarchy>,
    /// A file that holds the file system of [`POOL`], where there is to be one.
    pub pool: Option<PathBuf>,
    /// The node's address.
    pub address: Ipv4Addr,
    /// Where the API server is reached from within.
    pub api: Ipv4Addr,
    /// How it is joined to the lab's other nodes; nothing where it is alone.
    pub link: Option<Link>,
    /// Files in the node, with their content.
    pub files: Vec<(PathBuf, String)>,
    /// Archives of images, in the order they are needed; the node runs pods when the first is there.
    pub images: Vec<PathBuf>,
    /// Where several nodes have the same images.
    pub stock: Option<Stock>,
    /// What runs before images are imported.
    pub runtime: Service,
    /// What runs after the first of them.
    pub services: Vec<Service>,
}

/// A node's place among others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Link {
    /// The sign of the lab's [`super::switch`], which holds its process number.
    pub switch: PathBuf,
    /// The hardware address of the node's end: the same after a restart, so that no other node asks a dead one.
    pub hardware: String,
    /// The other nodes: their pods' network and their address.
    pub others: Vec<(String, Ipv4Addr)>,
}

/// Images that several nodes have: imported by one, and their files shared, since nothing ever writes to them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Stock {
    /// Import them and lay them down in this folder.
    Lay(PathBuf),
    /// Take them from there, as soon as they are there.
    Take(PathBuf),
}

/// A hierarchy of control groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hierarchy {
    /// Its controllers: `cpu`, `cpuacct`; or `name=systemd`.
    pub controllers: Vec<String>,
    /// The folder of the group below which the node's is made.
    pub parent: PathBuf,
}

impl Hierarchy {
    /// Whether a controller belongs to it.
    pub fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|known| known == controller)
    }
}

/// A program that runs as long as the node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Service {
    /// Its name, as logs and messages show it.
    pub name: String,
    /// Its path in the node.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its log.
    pub log: PathBuf,
}

impl Spec {
    /// Reads it.
    pub fn read(path: &Path) -> Result<Self, NodeError> {
        read(path)
    }

    /// A sign by which the lab sees how far the node is.
    pub fn sign(&self, sign: Sign) -> PathBuf {
        self.folder.join(match sign {
            Sign::Process => "process",
            Sign::Network => "network",
            Sign::Images => "images",
        })
    }

    /// Takes back the signs of an earlier life. Its images are still there.
    pub fn forget(&self) -> std::io::Result<()> {
        for sign in [Sign::Process, Sign::Network] {
            match fs::remove_file(self.sign(sign)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Gives a sign.
    pub fn give(&self, sign: Sign, content: &str) -> Result<(), NodeError> {
        let path = self.sign(sign);
        // Whole or not at all: it is read as soon as it is there.
        let unfinished = path.with_extension("unfinished");
        let written = fs::write(&unfinished, content).and_then(|()| fs::rename(&unfinished, &path));
        written.map_err(NodeError::doing(format!("write {}", path.display())))
    }
}

/// Reads a description.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, NodeError> {
    let text = fs::read(path).map_err(NodeError::doing(format!("read {}", path.display())))?;
    serde_json::from_slice(&text).map_err(|source| NodeError::Spec { path: path.to_owned(), source })
}

/// How far a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Its first process runs; the sign holds its number outside.
    Process,
    /// Its network is up.
    Network,
    /// All images are imported.
    Images,
}
