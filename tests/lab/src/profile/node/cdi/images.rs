//! Images of CDI's programs, as its own build puts them together (`cmd/*/BUILD.bazel`), on Debian's QEMU and nbdkit; and of the
//! shop that sells the lab's disk.

use std::path::{Path, PathBuf};

use super::super::NodeProfileError;
use super::super::kubevirt::guest;
use super::super::supplies::{PLACE, keep};
use super::{SHOP, TAG};
use crate::debian::Root;
use crate::image::{Image, ImageError, Layer, Start};

/// The name of the archive.
pub(in super::super) const ARCHIVE: &str = "cdi.tar";
/// Raised when these images are put together in another way.
const RECIPE: u32 = 1;
/// Who CDI's own programs run as (`cmd/*/BUILD.bazel`).
const USER: &str = "1001";
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an importer works with: nbdkit reads over HTTP, qemu-img converts.
const IMPORTER: Root = Root {
    name: "importer",
    packages: &[
        "base-files",
        "base-passwd",
        "bash",
        "ca-certificates",
        "coreutils",
        "dash",
        "findutils",
        "grep",
        "libc-bin",
        "nbdkit",
        "qemu-utils",
        "sed",
        "tar",
        "util-linux",
    ],
    users: &[],
};

/// What fills volumes. The three share all their files.
const WORKERS: [(&str, &str); 3] =
    [("cdi-importer", "cdi-importer"), ("cdi-cloner", "cloner_startup.sh"), ("cdi-uploadserver", "cdi-uploadserver")];

/// The folder with the archive of all of them. Blocks.
pub(super) fn provide(built: &Path) -> Result<PathBuf, NodeProfileError> {
    let (importer, tools) = (IMPORTER.provide()?, guest::ROOT.provide()?);
    let made_of = [built.to_owned(), IMPORTER.entry(), guest::ROOT.entry()];
    let names = made_of.map(|folder| folder.file_name().unwrap_or_default().to_owned());
    let mut images = vec![control(built, &tools, "cdi-controller")?, control(built, &tools, "cdi-apiserver")?];
    for (name, program) in WORKERS {
        images.push(worker(built, &importer, name, program)?);
    }
    let shop = Layer::new().file(built.join("shop"), "shop", 0o755);
    let start = Start { entrypoint: vec!["/shop".into()], environment: Vec::new(), user: USER.into() };
    images.push(Image { name: format!("{PLACE}/{SHOP}"), layers: vec![shop], start });
    keep("cdi-images", &format!("{names:?} {RECIPE}"), &[(ARCHIVE, &images)])
}

fn name(program: &str) -> String {
    format!("{PLACE}/cdi/{program}:{TAG}")
}

/// One static program, and `cat`, by which its readiness is asked.
fn control(folder: &Path, tools: &Path, program: &str) -> Result<Image, NodeProfileError> {
    let failed = |source| ImageError::reading(&name(program), tools, source);
    let layer = Layer::new()
        .file(folder.join(program), &format!("usr/bin/{program}"), 0o755)
        .bytes("usr/bin/busybox", guest::busybox(tools).map_err(failed)?, 0o755)
        .link("busybox", "usr/bin/cat")
        .empty_folder("tmp", 0o1777, 0);
    let start = Start {
        entrypoint: vec![format!("/usr/bin/{program}")],
        environment: vec![PATH.to_owned()],
        user: USER.to_owned(),
    };
    Ok(Image { name: name(program), layers: vec![layer], start })
}

fn worker(folder: &Path, root: &Path, image: &str, program: &str) -> Result<Image, NodeProfileError> {
    let failed = |source| ImageError::reading(&name(image), root, source);
    let debian = Layer::new().folder(root).map_err(failed)?.link("../run", "var/run");
    let mut own = Layer::new().text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n", 0o644);
    for program in ["cdi-importer", "cdi-cloner", "cdi-uploadserver", "cdi-image-size-detection", "cloner_startup.sh"] {
        own = own.file(folder.join(program), &format!("usr/bin/{program}"), 0o755);
    }
    let start = Start {
        entrypoint: vec![format!("/usr/bin/{program}")],
        environment: vec![PATH.to_owned()],
        user: USER.to_owned(),
    };
    Ok(Image { name: name(image), layers: vec![debian, own], start })
}
