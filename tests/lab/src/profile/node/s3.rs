//! An S3 service on a node: versitygw, whose objects are files of a volume.

use std::path::{Path, PathBuf};

use kube::Client;
use serde_json::json;

use super::NodeProfileError;
use super::ready::deployed;
use super::supplies::{PLACE, keep};
use crate::image::{Image, Layer, Start};
use crate::install::{self, Installer};
use crate::programs;
use crate::random;

/// The name of the archive.
pub(super) const ARCHIVE: &str = "s3.tar";
const MANIFEST: &str = include_str!("s3.yaml");
/// Its namespace, and the user who owns everything.
const NAMESPACE: &str = "lab-s3";
const ROOT: &str = "jiyun-lab";

/// The folder with the archive of its image. Blocks.
pub(super) fn images() -> Result<PathBuf, NodeProfileError> {
    let built = programs::provide("s3")?;
    let layer = Layer::new().file(built.join("versitygw"), "versitygw", 0o755).empty_folder("tmp", 0o1777, 0);
    let image = Image {
        name: format!("{PLACE}/versitygw:1.8.0"),
        layers: vec![layer],
        start: Start { entrypoint: vec!["/versitygw".into()], ..Start::default() },
    };
    let made_of = built.file_name().unwrap_or_default().to_string_lossy().into_owned();
    keep("s3-images", &made_of, &[(ARCHIVE, &[image])])
}

/// Installs it, with keys of this lab's own, and waits until it answers.
pub(super) async fn install(client: &Client) -> Result<(), NodeProfileError> {
    let secret =
        random::hexadecimal().map_err(|source| NodeProfileError::Do { action: "read random numbers", source })?;
    let mut objects = install::parse(Path::new("s3.yaml"), MANIFEST)?;
    objects.push(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": NAMESPACE, "name": "root"},
        "stringData": {"ROOT_ACCESS_KEY": ROOT, "ROOT_SECRET_KEY": secret},
    }));
    Installer::new(client.clone()).apply(objects).await?;
    deployed(client, NAMESPACE, "s3").await
}
