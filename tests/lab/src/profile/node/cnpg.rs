//! CloudNativePG on a node, with PostgreSQL from Debian's packages.

use std::path::{Path, PathBuf};

use kube::Client;

use super::NodeProfileError;
use super::ready::deployed;
use super::supplies::{PLACE, keep};
use crate::debian::Root;
use crate::image::{Image, ImageError, Layer, Start};
use crate::install::{self, InstallError, Installer};
use crate::programs;

/// The operator's image as its release names it, and as the lab does.
const RELEASED: &str = "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0";
const OPERATOR: &str = "cloudnative-pg:1.30.0";
/// CloudNativePG reads PostgreSQL's version from the tag.
const POSTGRESQL: &str = "postgresql:17";
/// The user and group CloudNativePG runs PostgreSQL as, unless told otherwise.
const POSTGRES: u32 = 26;
/// Raised when these images are put together in another way.
const RECIPE: u32 = 1;

/// The name of the archive.
pub(super) const ARCHIVE: &str = "cnpg.tar";

const ROOT: Root = Root {
    name: "postgresql",
    packages: &[
        "base-files",
        "base-passwd",
        "bash",
        "coreutils",
        "dash",
        "findutils",
        "grep",
        "libc-bin",
        "postgresql-17",
        "sed",
        "tar",
        "util-linux",
    ],
    users: &[("postgres:x:26:26:PostgreSQL:/var/lib/postgresql:/bin/bash", "postgres:x:26:")],
};

/// What CloudNativePG is made of.
pub(super) struct Cnpg {
    /// The folder with the archive of its images.
    pub(super) images: PathBuf,
    /// The manifest of its release.
    pub(super) manifest: PathBuf,
}

/// Finds or makes it. Packages are fetched while the operator is compiled. Blocks.
pub(super) fn provide() -> Result<Cnpg, NodeProfileError> {
    let (root, built) = std::thread::scope(|scope| {
        let root = scope.spawn(|| ROOT.provide());
        let built = programs::provide("cnpg");
        (root.join(), built)
    });
    let root = root.map_err(|_| NodeProfileError::Panicked("fetching Debian's packages"))??;
    let built = built?;
    let names = [built.clone(), ROOT.entry()].map(|folder| folder.file_name().unwrap_or_default().to_owned());
    let images = [operator(&built.join("manager")), postgresql(&root)?];
    let images = keep("cnpg-images", &format!("{names:?} {RECIPE}"), &[(ARCHIVE, &images)])?;
    Ok(Cnpg { images, manifest: built.join("cnpg.yaml") })
}

/// The operator, also under the name it copies itself by into pods of another architecture.
fn operator(manager: &Path) -> Image {
    let layer = Layer::new()
        .file(manager, "manager", 0o755)
        .link("../manager", &format!("operator/manager_{}", crate::debian::architecture()))
        .empty_folder("operator", 0o755, 0)
        .empty_folder("tmp", 0o1777, 0);
    Image {
        name: format!("{PLACE}/{OPERATOR}"),
        layers: vec![layer],
        start: Start { entrypoint: vec!["/manager".into()], environment: Vec::new(), user: "65532:65532".into() },
    }
}

fn postgresql(root: &Path) -> Result<Image, NodeProfileError> {
    let name = format!("{PLACE}/{POSTGRESQL}");
    let debian = Layer::new().folder(root).map_err(|source| ImageError::reading(&name, root, source))?;
    let own = Layer::new()
        .empty_folder("var/lib/postgresql", 0o755, POSTGRES)
        .empty_folder("var/run/postgresql", 0o775, POSTGRES)
        .text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n", 0o644);
    Ok(Image {
        name,
        layers: vec![debian, own],
        start: Start {
            entrypoint: Vec::new(),
            environment: vec![
                "PATH=/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
                "LANG=C.UTF-8".into(),
            ],
            user: POSTGRES.to_string(),
        },
    })
}

/// Installs the operator and waits until a cluster can be ordered.
pub(super) async fn install(client: &Client, manifest: &Path) -> Result<(), NodeProfileError> {
    let text =
        std::fs::read_to_string(manifest).map_err(|source| InstallError::Read { path: manifest.to_owned(), source })?;
    let text = text
        .replace(RELEASED, &format!("{PLACE}/{OPERATOR}"))
        .replace("imagePullPolicy: Always", "imagePullPolicy: Never");
    Installer::new(client.clone()).apply(install::parse(manifest, &text)?).await?;
    deployed(client, "cnpg-system", "cnpg-controller-manager").await
}
