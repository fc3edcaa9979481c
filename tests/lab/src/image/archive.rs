//! Several images in one archive: what they have in common lies in it once.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, Header};

use super::{Image, ImageError, digest};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// The name under which containerd keeps an image it imports (containerd, `core/images/annotations.go`).
const NAME: &str = "io.containerd.image.name";

/// What the archive holds under `blobs/sha256/`.
enum Blob {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// Writes the images to the new file `archive`; `scratch` is a folder for what is in the making.
///
/// Each image is known by its name and also as `<name without tag>@<digest>`: a pod may name either.
pub fn write(images: &[Image], archive: &Path, scratch: &Path) -> Result<(), ImageError> {
    let mut blobs = BTreeMap::new();
    let mut manifests = Vec::new();
    for image in images {
        let manifest = add(image, &mut blobs, scratch)?;
        manifests.extend(entries(image, &manifest));
        blobs.insert(digest(&manifest), Blob::Bytes(manifest));
    }
    let index = json!({"schemaVersion": 2, "manifests": manifests});
    let Some(first) = images.first() else { return Ok(()) };
    pack(archive, &index, &blobs).map_err(first.failed("write", archive))?;
    for blob in blobs.values() {
        if let Blob::File(path) = blob {
            fs::remove_file(path).map_err(first.failed("remove", path))?;
        }
    }
    Ok(())
}

/// Adds layers and configuration of an image; returns its manifest (image-spec, manifest.md).
fn add(image: &Image, blobs: &mut BTreeMap<String, Blob>, scratch: &Path) -> Result<Vec<u8>, ImageError> {
    let mut layers = Vec::new();
    for (number, layer) in image.layers.iter().enumerate() {
        let path = scratch.join(format!("layer-{number}-{}", blobs.len()));
        let file = File::create(&path).map_err(image.failed("create", &path))?;
        let mut hashed = Hashed { output: BufWriter::new(file), hasher: Sha256::new(), size: 0 };
        layer.write(&mut hashed).map_err(image.failed("write", &path))?;
        let digest = format!("sha256:{}", hex::encode(hashed.hasher.finalize()));
        layers.push(json!({"mediaType": LAYER, "digest": digest, "size": hashed.size}));
        if let Some(Blob::File(same)) = blobs.insert(digest, Blob::File(path)) {
            fs::remove_file(&same).map_err(image.failed("remove", &same))?;
        }
    }
    let digests: Vec<String> = layers.iter().filter_map(|layer| layer["digest"].as_str().map(str::to_owned)).collect();
    let config = bytes(&image.config(&digests));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": digest(&config), "size": config.len()},
        "layers": layers,
    });
    blobs.insert(digest(&config), Blob::Bytes(config));
    Ok(bytes(&manifest))
}

/// The image's entries in the index: by name, and by digest.
fn entries(image: &Image, manifest: &[u8]) -> [Value; 2] {
    let digest = digest(manifest);
    // A tag is after the last colon, unless that belongs to a host's port.
    let untagged = match image.name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => &image.name,
    };
    [image.name.clone(), format!("{untagged}@{digest}")].map(
        |name| json!({"mediaType": MANIFEST, "digest": digest, "size": manifest.len(), "annotations": {NAME: name}}),
    )
}

/// `serde_json` writes the keys of a map in alphabetical order, so equal values are equal bytes.
fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn pack(path: &Path, index: &Value, blobs: &BTreeMap<String, Blob>) -> io::Result<()> {
    let mut archive = Builder::new(BufWriter::new(File::create(path)?));
    put(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    put(&mut archive, "index.json", &bytes(index))?;
    for (digest, blob) in blobs {
        let name = format!("blobs/{}", digest.replace(':', "/"));
        match blob {
            Blob::Bytes(bytes) => put(&mut archive, &name, bytes)?,
            Blob::File(file) => {
                let file = File::open(file)?;
                archive.append_data(&mut header(file.metadata()?.len()), &name, file)?;
            }
        }
    }
    archive.into_inner()?.flush()
}

fn put(archive: &mut Builder<impl Write>, name: &str, bytes: &[u8]) -> io::Result<()> {
    archive.append_data(&mut header(bytes.len() as u64), name, bytes)
}

fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_size(size);
    header
}

/// Counts and hashes what passes through.
struct Hashed<W> {
    output: W,
    hasher: Sha256,
    size: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::time::{Duration, SystemTime};

    use super::super::{Layer, Start};
    use super::*;

    /// A folder with everything a layer must carry; its times differ from call to call.
    fn folder(age: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temp dir");
        let inside = folder.path().join("usr/bin");
        fs::create_dir_all(&inside).expect("create");
        fs::write(inside.join("tool"), "#!/bin/sh\n").expect("write");
        fs::set_permissions(inside.join("tool"), fs::Permissions::from_mode(0o755)).expect("mode");
        fs::hard_link(inside.join("tool"), inside.join("same")).expect("link");
        symlink("usr/bin", folder.path().join("bin")).expect("link");
        let time = SystemTime::now() - Duration::from_secs(age);
        File::options().write(true).open(inside.join("tool")).and_then(|file| file.set_modified(time)).expect("time");
        folder
    }

    fn image(name: &str, folder: &Path) -> Image {
        let layer = Layer::new().folder(folder).expect("readable").text("etc/name", name, 0o644);
        let low = Layer::new().program_that_binds_low_ports(folder.join("usr/bin/tool"), "/low");
        Image {
            name: name.into(),
            layers: vec![layer, low],
            start: Start { entrypoint: vec!["/bin/tool".into()], ..Start::default() },
        }
    }

    fn written(images: &[Image]) -> Vec<u8> {
        let scratch = tempfile::tempdir().expect("temp dir");
        let archive = scratch.path().join("images.tar");
        write(images, &archive, scratch.path()).expect("written");
        let left: Vec<_> = fs::read_dir(scratch.path()).expect("readable").flatten().collect();
        assert_eq!(left.len(), 1, "nothing but the archive is left");
        fs::read(archive).expect("readable")
    }

    fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(archive);
        let read = |entry: io::Result<tar::Entry<'_, &[u8]>>| {
            let mut entry = entry.expect("entry");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("content");
            (entry.path().expect("path").to_string_lossy().into_owned(), content)
        };
        archive.entries().expect("entries").map(read).collect()
    }

    #[test]
    fn the_same_files_make_the_same_bytes_whenever_they_were_written() {
        let (first, second) = (folder(5), folder(5000));
        let name = "lab.example/tool:1";
        assert_eq!(written(&[image(name, first.path())]), written(&[image(name, second.path())]));
    }

    #[test]
    fn every_blob_is_named_by_its_digest_and_every_reference_is_met() {
        let folder = folder(1);
        let files = files(&written(&[image("lab.example/tool:1", folder.path())]));
        for (name, content) in files.iter().filter(|(name, _)| name.starts_with("blobs/")) {
            assert_eq!(name.replace("blobs/sha256/", "sha256:"), digest(content));
        }
        let blob = |value: &Value| {
            let name = value["digest"].as_str().expect("digest").replace(':', "/");
            let content = files.get(&format!("blobs/{name}")).expect("the blob is there");
            assert_eq!(value["size"].as_u64(), Some(content.len() as u64));
            content.clone()
        };
        let index: Value = serde_json::from_slice(&files["index.json"]).expect("JSON");
        let manifest: Value = serde_json::from_slice(&blob(&index["manifests"][0])).expect("JSON");
        let config: Value = serde_json::from_slice(&blob(&manifest["config"])).expect("JSON");
        assert_eq!(config["config"]["Entrypoint"][0], "/bin/tool");
        for (layer, diff) in manifest["layers"].as_array().expect("layers").iter().zip([0, 1]) {
            blob(layer);
            assert_eq!(config["rootfs"]["diff_ids"][diff], layer["digest"]);
        }
    }

    #[test]
    fn an_image_is_known_by_its_tag_and_by_its_digest() {
        let folder = folder(1);
        let files = files(&written(&[image("lab.example:5000/tool:1", folder.path())]));
        let index: Value = serde_json::from_slice(&files["index.json"]).expect("JSON");
        let name = |number: usize| index["manifests"][number]["annotations"][NAME].as_str().expect("name").to_owned();
        assert_eq!(name(0), "lab.example:5000/tool:1");
        let digest = index["manifests"][0]["digest"].as_str().expect("digest");
        assert_eq!(name(1), format!("lab.example:5000/tool@{digest}"));
    }

    #[test]
    fn a_layer_that_two_images_share_lies_in_the_archive_once() {
        let folder = folder(1);
        let one = written(&[image("lab.example/a:1", folder.path())]);
        let both = written(&[image("lab.example/a:1", folder.path()), image("lab.example/a:1", folder.path())]);
        assert_eq!(files(&one).len(), files(&both).len());
    }

    #[test]
    fn links_modes_and_capabilities_are_kept_and_owners_of_a_layer_can_be_set() {
        let folder = folder(1);
        let mut layer = Vec::new();
        let described = Layer::new().folder(folder.path()).expect("readable").owned_by(107);
        described
            .program_that_binds_low_ports(folder.path().join("usr/bin/tool"), "low")
            .write(&mut layer)
            .expect("written");
        let mut archive = tar::Archive::new(layer.as_slice());
        let mut seen = Vec::new();
        for entry in archive.entries().expect("entries") {
            let mut entry = entry.expect("entry");
            let capability = entry.pax_extensions().expect("readable").is_some_and(|mut all| {
                all.any(|pax| pax.is_ok_and(|pax| pax.key_bytes() == b"SCHILY.xattr.security.capability"))
            });
            assert_eq!(entry.header().uid().ok(), Some(107));
            let kind = entry.header().entry_type();
            seen.push((entry.path().expect("path").display().to_string(), kind, capability));
        }
        let is = |path: &str, kind, capability| {
            assert!(seen.contains(&(path.into(), kind, capability)), "{path} in {seen:?}");
        };
        is("bin", tar::EntryType::Symlink, false);
        is("usr/bin/same", tar::EntryType::Regular, false);
        is("usr/bin/tool", tar::EntryType::Link, false);
        is("low", tar::EntryType::Regular, true);
    }
}
