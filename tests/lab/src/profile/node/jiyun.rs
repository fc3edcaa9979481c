//! Images of Jiyun's own programs and of an etcd for its books, for the charts to run on a node: a program and the C library,
//! no shell, not root.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, io};

use tempfile::TempDir;

use super::NodeProfileError;
use super::supplies::{PLACE, keep};
use crate::debian::Root;
use crate::image::{self, Image, ImageError, Layer, Start};
use crate::paths::product_program;
use crate::programs;

/// The name of the archive.
pub(super) const ARCHIVE: &str = "jiyun.tar";
/// What they are called in the cache.
const NAME: &str = "jiyun-images";
/// How long images of an older build are kept.
const OLD: Duration = Duration::from_hours(24);
/// The tag of all three.
const TAG: &str = "lab";
/// Who the programs run as; the charts say the same.
const USER: &str = "65532:65532";

/// What programs of Rust need to run.
const RUNTIME: Root = Root { name: "runtime", packages: &["libc6", "libgcc-s1"], users: &[] };

/// The programs, with the name of their image.
const PROGRAMS: [&str; 2] = ["jiyun-controller", "jiyun-api"];

/// The folder with the archive of their images, of the programs as they are built now. Blocks.
pub(super) fn images() -> Result<PathBuf, NodeProfileError> {
    let (runtime, etcd) = (RUNTIME.provide()?, programs::provide("controlplane")?.join("controlplane"));
    let stripped = scratch()?;
    let mut made_of = vec![etcd.display().to_string(), runtime.display().to_string()];
    for name in PROGRAMS {
        made_of.push(version(name, &product_program(name)?)?);
    }
    let mut images = of_programs(&runtime, stripped.path(), PLACE, TAG)?;
    images.push(image(PLACE, "etcd", TAG, Layer::new().file(etcd, "usr/bin/etcd", 0o755)));
    let folder = keep(NAME, &made_of.join(" "), &[(ARCHIVE, &images)])?;
    forget_older(&folder);
    Ok(folder)
}

/// Writes the images of Jiyun's programs, as they are built now, to the new file `archive`: `<registry>/<program>:<tag>`, an
/// archive of the OCI image layout, the same bytes for the same programs. Needs neither root nor a daemon. Returns their
/// names. Blocks.
///
/// # Errors
/// When a program is not built, Debian's C library cannot be had, or the file cannot be written.
pub(crate) fn write(registry: &str, tag: &str, archive: &Path) -> Result<Vec<String>, NodeProfileError> {
    let folder = archive.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|source| ImageError::reading("jiyun", folder, source))?;
    let scratch = scratch()?;
    let images = of_programs(&RUNTIME.provide()?, scratch.path(), registry.trim_end_matches('/'), tag)?;
    // Under another name first: a file of this name is whole.
    let part = archive.with_extension("part");
    let written = image::write(&images, &part, scratch.path())
        .and_then(|()| fs::rename(&part, archive).map_err(|source| ImageError::reading("jiyun", archive, source)));
    if let Err(error) = written {
        // Half an archive is of no use to anybody, least of all on a full disk.
        let _ = fs::remove_file(&part);
        return Err(error.into());
    }
    Ok(images.into_iter().map(|image| image.name).collect())
}

fn scratch() -> Result<TempDir, NodeProfileError> {
    tempfile::tempdir().map_err(|source| NodeProfileError::Do { action: "make a folder", source })
}

fn of_programs(runtime: &Path, scratch: &Path, place: &str, tag: &str) -> Result<Vec<Image>, NodeProfileError> {
    let of = |name: &&str| {
        let program = strip(&product_program(name)?, scratch.join(name));
        let layers = runtime_layer(runtime)?.file(program, &format!("usr/bin/{name}"), 0o755);
        Ok(image(place, name, tag, layers))
    };
    PROGRAMS.iter().map(of).collect()
}

/// Every build makes other images: those of yesterday's are removed. A lab that starts may still read those of today's.
fn forget_older(kept: &Path) {
    let is_old = |path: &Path| {
        let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
        changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age > OLD))
    };
    let entries = kept.parent().and_then(|cache| fs::read_dir(cache).ok()).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()).filter(|path| path != kept && is_old(path)) {
        let is_ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{NAME}-")));
        if is_ours && let Err(error) = fs::remove_dir_all(&path) {
            programs::report(format_args!("{} stays in the cache: {error}", path.display()));
        }
    }
}

fn image(place: &str, name: &str, tag: &str, layer: Layer) -> Image {
    let start = Start {
        entrypoint: vec![format!("/usr/bin/{name}")],
        environment: vec!["PATH=/usr/bin".into()],
        user: USER.into(),
    };
    Image { name: format!("{place}/{name}:{tag}"), layers: vec![layer], start }
}

/// The C library, where programs look for it.
fn runtime_layer(runtime: &Path) -> Result<Layer, NodeProfileError> {
    let layer = Layer::new().folder(runtime).map_err(|source| reading(runtime, source))?;
    Ok(layer.link("usr/lib", "lib").link("usr/lib64", "lib64"))
}

fn reading(path: &Path, source: io::Error) -> NodeProfileError {
    ImageError::reading("jiyun", path, source).into()
}

/// Which build it is: hashing it would take longer than all the rest.
fn version(name: &str, program: &Path) -> Result<String, NodeProfileError> {
    let metadata = fs::metadata(program).map_err(|source| reading(program, source))?;
    let changed = metadata.modified().map_err(|source| reading(program, source))?;
    Ok(format!("{name} {} {changed:?}", metadata.len()))
}

/// The program without what only a debugger reads, where binutils are there to take that off; else as it is.
fn strip(program: &Path, to: PathBuf) -> PathBuf {
    let mut strip = Command::new("strip");
    strip.arg("--strip-debug").arg("-o").arg(&to).arg(program).stdin(Stdio::null()).stderr(Stdio::null());
    if strip.status().is_ok_and(|status| status.success()) { to } else { program.to_owned() }
}
