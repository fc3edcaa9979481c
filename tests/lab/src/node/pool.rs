//! A file system with snapshots for a node's volumes: a btrfs in a file, mounted in the node alone. The loop device goes with
//! the node's mounts.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use super::NodeError;
use super::spec::{POOL, POOL_BYTES};

/// Makes it where it is not there yet and mounts it, by programs of the node's own root.
pub(super) fn mount(file: &Path) -> Result<(), NodeError> {
    let failed = || NodeError::doing(format!("make {}", file.display()));
    fs::create_dir_all(POOL).map_err(failed())?;
    if !file.exists() {
        File::create(file).and_then(|made| made.set_len(POOL_BYTES)).map_err(failed())?;
        run("/usr/sbin/mkfs.btrfs", &["--quiet"], &[file])?;
    }
    // `mount` has the kernel free the loop device when nothing is mounted any more.
    run("/usr/bin/mount", &["-o", "loop,discard"], &[file, Path::new(POOL)])
}

fn run(program: &str, options: &[&str], paths: &[&Path]) -> Result<(), NodeError> {
    let output = Command::new(program)
        .args(options)
        .args(paths)
        .stdin(Stdio::null())
        .output()
        .map_err(NodeError::doing(format!("run `{program}` in the node")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(NodeError::Pool { program: program.to_owned(), said })
}
