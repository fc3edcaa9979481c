//! Container images written without a daemon: the same bytes for the same input, as an archive of the OCI image layout that
//! containerd imports (opencontainers/image-spec 1.1).

mod archive;
mod initramfs;
mod layer;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub use archive::write;
pub use initramfs::Initramfs;
pub use layer::Layer;

/// An image could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the image {image}: {action} {path}")]
pub struct ImageError {
    image: String,
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// An image: a name, layers from the lowest up, and how it is started.
#[derive(Debug)]
pub struct Image {
    /// `<place>/<name>:<tag>`; nothing is ever fetched by it.
    pub name: String,
    /// Its files.
    pub layers: Vec<Layer>,
    /// How it is started.
    pub start: Start,
}

/// How an image is started.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// `NAME=value`.
    pub environment: Vec<String>,
    /// `user`, `user:group`, or numbers; root if empty.
    pub user: String,
}

impl ImageError {
    /// What goes into an image could not be read.
    pub(crate) fn reading(image: &str, path: &Path, source: io::Error) -> Self {
        Self { image: image.to_owned(), action: "read", path: path.to_owned(), source }
    }
}

impl Image {
    /// The configuration object of the image, given the digests of its layers (image-spec, config.md).
    fn config(&self, layers: &[String]) -> Value {
        let mut config = json!({"Entrypoint": self.start.entrypoint});
        if !self.start.environment.is_empty() {
            config["Env"] = json!(self.start.environment);
        }
        if !self.start.user.is_empty() {
            config["User"] = json!(self.start.user);
        }
        json!({
            "architecture": crate::debian::architecture(),
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": layers},
        })
    }

    fn failed(&self, action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ImageError {
        let (image, path) = (self.name.clone(), path.to_owned());
        move |source| ImageError { image, action, path, source }
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
