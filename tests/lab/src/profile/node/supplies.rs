//! What a node is made of: programs, a root of Debian's packages, images. Made once and kept in the cache.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{NodeProfileError, cdi, cnpg, csi, jiyun, kubevirt, s3};
use crate::debian::Root;
use crate::image::{self, Image, Layer, Start};
use crate::parts::Part;
use crate::programs::{self, report};

/// What the node itself runs beside the lab's programs: runc, network plugins, packet rules, and what the kubelet calls.
const ROOT: Root = Root {
    name: "node",
    packages: &[
        "base-files",
        "base-passwd",
        "bash",
        "conntrack",
        "containernetworking-plugins",
        "coreutils",
        "dash",
        "findutils",
        "grep",
        "iproute2",
        "iptables",
        "kmod",
        "libc-bin",
        "mount",
        "nftables",
        "procps",
        "runc",
        "sed",
        "tar",
        "util-linux",
        // Volumes of the lab's own driver.
        "btrfs-progs",
        "e2fsprogs",
    ],
    users: &[],
};

/// Where images of the lab seem to come from. Nothing is ever fetched from there.
pub(crate) const PLACE: &str = "lab.jiyun.io";
/// Raised when images are put together in another way.
const RECIPE: u32 = 1;

/// All of it.
#[derive(Debug, Clone)]
pub(crate) struct Supplies {
    pub(super) scheduler: PathBuf,
    pub(super) root: PathBuf,
    /// Folders of the cache as the node sees them.
    pub(super) folders: BTreeMap<String, PathBuf>,
    /// Archives below `folders`, in the order they are imported.
    pub(super) images: Vec<PathBuf>,
    /// The writer of KubeVirt's objects, where KubeVirt is asked for.
    pub(super) kubevirt: Option<PathBuf>,
    /// The writer of CDI's objects, where CDI is asked for.
    pub(super) cdi: Option<PathBuf>,
    /// The manifest of CloudNativePG, where it is asked for.
    pub(super) cnpg: Option<PathBuf>,
    /// Where definitions of snapshots lie, where storage with them is asked for.
    pub(super) csi: Option<PathBuf>,
    /// Whether an S3 service is asked for.
    pub(super) s3: bool,
}

impl Supplies {
    /// Finds or makes it. Packages are fetched while programs are compiled. Blocks.
    pub(crate) fn provide(parts: &BTreeSet<Part>) -> Result<Self, NodeProfileError> {
        let mut supplies = Self::base()?;
        if parts.contains(&Part::Kubevirt) {
            let made = kubevirt::provide()?;
            supplies.add("kubevirt-images", made.images, kubevirt::ARCHIVE);
            supplies.kubevirt = Some(made.installer);
        }
        if parts.contains(&Part::Cdi) {
            let made = cdi::provide()?;
            supplies.add("cdi-images", made.images, cdi::ARCHIVE);
            supplies.folders.insert(cdi::DISKS.to_owned(), made.disks);
            supplies.cdi = Some(made.installer);
        }
        if parts.contains(&Part::Cnpg) {
            let made = cnpg::provide()?;
            supplies.add("cnpg-images", made.images, cnpg::ARCHIVE);
            supplies.cnpg = Some(made.manifest);
        }
        if parts.contains(&Part::Csi) {
            let made = csi::provide()?;
            supplies.add("csi-images", made.images, csi::ARCHIVE);
            supplies.csi = Some(made.definitions);
        }
        if parts.contains(&Part::Jiyun) {
            supplies.add("jiyun-images", jiyun::images()?, jiyun::ARCHIVE);
        }
        if parts.contains(&Part::S3) {
            supplies.add("s3-images", s3::images()?, s3::ARCHIVE);
            supplies.s3 = true;
        }
        Ok(supplies)
    }

    fn add(&mut self, name: &str, folder: PathBuf, archive: &str) {
        self.images.push(Path::new(name).join(archive));
        self.folders.insert(name.to_owned(), folder);
    }

    fn base() -> Result<Self, NodeProfileError> {
        let (root, built) = std::thread::scope(|scope| {
            let root = scope.spawn(|| ROOT.provide());
            let built = Built::provide();
            (root.join(), built)
        });
        let root = root.map_err(|_| NodeProfileError::Panicked("fetching Debian's packages"))??;
        let built = built?;
        let images = built.images()?;
        Ok(Self {
            scheduler: built.node.join("kube-scheduler"),
            root,
            folders: BTreeMap::from([
                ("node".to_owned(), built.node),
                ("containerd".to_owned(), built.containerd),
                ("images".to_owned(), images),
            ]),
            images: vec![PathBuf::from("images/base.tar")],
            kubevirt: None,
            cdi: None,
            cnpg: None,
            csi: None,
            s3: false,
        })
    }
}

/// Folders of built programs.
struct Built {
    node: PathBuf,
    containerd: PathBuf,
    coredns: PathBuf,
    pods: PathBuf,
}

impl Built {
    fn provide() -> Result<Self, NodeProfileError> {
        let folder = |module| programs::provide(module);
        Ok(Self {
            node: folder("node")?,
            containerd: folder("containerd")?,
            coredns: folder("coredns")?,
            pods: folder("pods")?,
        })
    }

    /// The folder with `base.tar`: what every node needs, and what tests run in pods.
    fn images(&self) -> Result<PathBuf, NodeProfileError> {
        let program = |folder: &Path, name: &str| Image {
            name: format!("{PLACE}/{name}:1"),
            layers: vec![Layer::new().file(folder.join(name), name, 0o755)],
            start: Start { entrypoint: vec![format!("/{name}")], ..Start::default() },
        };
        let images = [program(&self.pods, "pause"), program(&self.coredns, "coredns"), program(&self.pods, "web")];
        let made_of = [&self.pods, &self.coredns].map(|folder| folder.file_name().unwrap_or_default().to_owned());
        keep("images", &format!("{made_of:?}"), &[("base.tar", &images)])
    }
}

/// The folder of the cache with these archives, written where it is missing. `made_of` says what goes into them.
pub(super) fn keep(name: &str, made_of: &str, archives: &[(&str, &[Image])]) -> Result<PathBuf, NodeProfileError> {
    let digest: String = hex::encode(Sha256::digest(format!("{RECIPE} {made_of}"))).chars().take(16).collect();
    let entry = programs::cache_folder().join(format!("{name}-{digest}"));
    programs::keep_alone(&entry, name, |unfinished| {
        for (archive, images) in archives {
            report(format_args!("writing {} images: {archive}", images.len()));
            image::write(images, &unfinished.join(archive), unfinished)?;
        }
        Ok::<_, NodeProfileError>(())
    })
}
