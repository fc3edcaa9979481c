//! What the parts of a node are told: one file, written by the lab, read by the node's keeper and its first process.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::NodeError;

/// Where programs and other folders of the cache lie in the node.
pub const FOLDERS: &str = "/opt/jiyun-lab";

/// Where folders that are volumes lie in the node.
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
    /// The node's own folder on disk: images, volumes, logs of pods.
    pub folder: PathBuf,
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
    /// Files in the node, with their content.
    pub files: Vec<(PathBuf, String)>,
    /// Archives of images, in the order they are needed; the node runs pods when the first is there.
    pub images: Vec<PathBuf>,
    /// What runs before images are imported.
    pub runtime: Service,
    /// What runs after the first of them.
    pub services: Vec<Service>,
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
        let text = fs::read(path).map_err(NodeError::doing(format!("read {}", path.display())))?;
        serde_json::from_slice(&text).map_err(|source| NodeError::Spec { path: path.to_owned(), source })
    }

    /// A sign by which the lab sees how far the node is.
    pub fn sign(&self, sign: Sign) -> PathBuf {
        self.folder.join(match sign {
            Sign::Process => "process",
            Sign::Network => "network",
            Sign::Images => "images",
        })
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
