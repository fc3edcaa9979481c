//! Storage with snapshots on a node: a driver of the lab's own, one btrfs subvolume for each volume, on a file of the lab's
//! folder. Not a product's driver: it serves one node, and sizes are not enforced.

use std::path::{Path, PathBuf};

use kube::Client;

use super::NodeProfileError;
use super::ready::deployed;
use super::supplies::{PLACE, keep};
use crate::debian::Root;
use crate::image::{Image, ImageError, Layer, Start};
use crate::install::{self, Installer};
use crate::programs;

/// The name of the archive.
pub(super) const ARCHIVE: &str = "csi.tar";
const MANIFEST: &str = include_str!("csi.yaml");
/// Definitions of snapshots, as their project releases them.
const DEFINITIONS: [&str; 3] = ["volumesnapshots.yaml", "volumesnapshotcontents.yaml", "volumesnapshotclasses.yaml"];
/// Raised when the image is put together in another way.
const RECIPE: u32 = 1;

const ROOT: Root = Root { name: "csi", packages: &["btrfs-progs", "libc-bin"], users: &[] };

/// What it is made of.
pub(super) struct Csi {
    /// The folder with the archive of its image.
    pub(super) images: PathBuf,
    /// Where definitions of snapshots lie.
    pub(super) definitions: PathBuf,
}

/// Finds or makes it. Blocks.
pub(super) fn provide() -> Result<Csi, NodeProfileError> {
    let built = programs::provide("csi")?;
    let root = ROOT.provide()?;
    let name = format!("{PLACE}/csi:1");
    let debian = Layer::new().folder(&root).map_err(|source| ImageError::reading(&name, &root, source))?;
    let mut own = Layer::new();
    for program in ["csi-btrfs", "csi-provisioner", "csi-sanity", "csi-snapshotter", "snapshot-controller"] {
        own = own.file(built.join(program), program, 0o755);
    }
    let start = Start { environment: vec!["PATH=/usr/sbin:/usr/bin".into()], ..Start::default() };
    let names = [built.clone(), ROOT.entry()].map(|folder| folder.file_name().unwrap_or_default().to_owned());
    let image = Image { name, layers: vec![debian, own], start };
    let images = keep("csi-images", &format!("{names:?} {RECIPE}"), &[(ARCHIVE, &[image])])?;
    Ok(Csi { images, definitions: built })
}

/// Installs it and waits until a volume can be ordered.
pub(super) async fn install(client: &Client, definitions: &Path) -> Result<(), NodeProfileError> {
    let installer = Installer::new(client.clone());
    for definition in DEFINITIONS {
        installer.apply(install::read(&definitions.join(definition))?).await?;
    }
    installer.apply(install::parse(Path::new("csi.yaml"), MANIFEST)?).await?;
    deployed(client, "lab-csi", "csi").await
}
