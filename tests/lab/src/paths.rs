//! Where things are: the source tree, cargo's target folder, the product's own programs.

use std::path::{Path, PathBuf};

/// The root of the source tree.
pub fn source_root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own).to_owned()
}

/// Cargo's target folder: `CARGO_TARGET_DIR`, else `target` in the source tree.
pub fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| source_root().join("target"), PathBuf::from)
}

/// A program of the product was not found.
#[derive(Debug, thiserror::Error)]
#[error(
    "{path} does not exist; build it with `cargo build -p {program}`, or set JIYUN_BIN_DIR to the folder that holds it"
)]
pub struct NotBuilt {
    program: String,
    path: PathBuf,
}

/// The path of `jiyun-controller`, `jiyun-api` or another program of the product: in the folder `JIYUN_BIN_DIR`, else
/// beside the program that runs (a test's program is one folder deeper, in `deps`).
pub fn product_program(program: &str) -> Result<PathBuf, NotBuilt> {
    let own = || {
        let exe = std::env::current_exe().ok()?;
        let folder = exe.parent()?;
        let inner = folder.ends_with("deps") || folder.ends_with("examples");
        Some(if inner { folder.parent()?.to_owned() } else { folder.to_owned() })
    };
    let folder = std::env::var_os("JIYUN_BIN_DIR").map(PathBuf::from).or_else(own).unwrap_or_default();
    let path = folder.join(program);
    if path.is_file() { Ok(path) } else { Err(NotBuilt { program: program.to_owned(), path }) }
}
