//! CDI whole on a node, so that a disk that is ordered is filled; and a shop in the node that has a disk to fill it with.

mod disk;
mod images;

use std::path::{Path, PathBuf};

use kube::Client;
use serde_json::{Value, json};

pub(super) use images::ARCHIVE;

use super::NodeProfileError;
use super::ready::{deployed, served};
use super::supplies::PLACE;
use crate::install::{self, Installer};
use crate::programs;

/// The tag of CDI's images, as its release has it.
const TAG: &str = "v1.65.0";
/// Its namespace.
const NAMESPACE: &str = "cdi";
/// The image of the shop, and where it is.
const SHOP: &str = "shop:1";
const SHOP_NAMESPACE: &str = "lab-images";
const MANIFEST: &str = include_str!("cdi/shop.yaml");
/// The folder with the disk, as the node sees it and the manifest names it.
pub(super) const DISKS: &str = "guest-disk";

/// What CDI is made of.
#[derive(Debug)]
pub(super) struct Cdi {
    /// The folder with the archive of its images.
    pub(super) images: PathBuf,
    /// The folder with the disk.
    pub(super) disks: PathBuf,
    /// The writer of what CDI's operator would install.
    pub(super) installer: PathBuf,
}

/// Finds or makes it. The disk is written while programs are compiled. Blocks.
pub(super) fn provide() -> Result<Cdi, NodeProfileError> {
    let (disks, built) = std::thread::scope(|scope| {
        let disks = scope.spawn(disk::provide);
        let built = programs::provide("cdi");
        (disks.join(), built)
    });
    let disks = disks.map_err(|_| NodeProfileError::Panicked("making a disk"))??;
    let built = built?;
    Ok(Cdi { images: images::provide(&built)?, disks, installer: built.join("cdi-install") })
}

/// Installs CDI and the shop, and waits until a disk can be ordered; `snapshots` is whether there is the class of volumes
/// with snapshots.
pub(super) async fn install(
    client: &Client,
    program: &Path,
    folder: &Path,
    snapshots: bool,
) -> Result<(), NodeProfileError> {
    let registry = format!("{PLACE}/cdi");
    let arguments = [folder.display().to_string(), format!("--registry={registry}"), format!("--tag={TAG}")];
    install::output(program, &arguments).await?;
    let installer = Installer::new(client.clone());
    installer.apply(install::read(&folder.join("definitions"))?).await?;
    let mut objects = install::read(&folder.join("objects"))?;
    objects.extend(install::parse(Path::new("shop.yaml"), MANIFEST)?);
    objects.push(profile("lab-local"));
    if snapshots {
        objects.push(profile("lab-btrfs"));
    }
    installer.apply(objects).await?;
    for name in ["cdi-apiserver", "cdi-deployment"] {
        deployed(client, NAMESPACE, name).await?;
    }
    deployed(client, SHOP_NAMESPACE, "images").await?;
    installer.apply(install::read(&folder.join("registrations"))?).await?;
    served(client, "v1beta1.upload.cdi.kubevirt.io").await
}

/// What CDI may make of a class of volumes whose driver it does not know (`StorageProfile`).
fn profile(class: &str) -> Value {
    json!({
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "StorageProfile",
        "metadata": {"name": class},
        "spec": {"claimPropertySets": [{"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"}]},
    })
}
