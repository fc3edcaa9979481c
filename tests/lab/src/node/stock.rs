//! Images that several nodes of a lab have: one node imports them, the others take its files. What containerd never writes
//! to again, contents and unpacked layers, is shared by links to the same files; its own books are copied.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::NodeError;

/// A minute for a gigabyte; a machine that also compiles takes longer.
const LAID: Duration = Duration::from_mins(5);

/// Lays down a copy of containerd's folder, which nothing uses meanwhile.
pub(super) fn lay(from: &Path, stock: &Path) -> Result<(), NodeError> {
    // Whole or not at all: it is taken as soon as it is there.
    let unfinished = stock.with_extension("unfinished");
    copy(from, &unfinished)?;
    fs::rename(&unfinished, stock).map_err(NodeError::doing(format!("make {}", stock.display())))
}

/// Waits for it and makes another node's folder of it.
pub(super) fn take(stock: &Path, to: &Path) -> Result<(), NodeError> {
    let end = Instant::now() + LAID;
    while !stock.exists() {
        if Instant::now() >= end {
            return Err(NodeError::NoStock(LAID));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    copy(stock, to)
}

/// `to/.` of `from/.`: folders are made, files linked, but for those that lie beside the folders of one of containerd's parts.
fn copy(from: &Path, to: &Path) -> Result<(), NodeError> {
    let failed = || NodeError::doing(format!("copy {} to {}", from.display(), to.display()));
    fs::create_dir_all(to).map_err(failed())?;
    // By a program, which keeps owners, times and attributes.
    let output = Command::new("/usr/bin/cp")
        .args(["--archive", "--link", "--no-target-directory"])
        .args([from, to])
        .stdin(Stdio::null())
        .output()
        .map_err(failed())?;
    if !output.status.success() {
        return Err(NodeError::Copy {
            from: from.to_owned(),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    for part in fs::read_dir(to).map_err(failed())? {
        let part = part.map_err(failed())?.path();
        let entries = if part.is_dir() { fs::read_dir(&part).map_err(failed())?.collect() } else { Vec::new() };
        for entry in entries {
            let entry = entry.map_err(failed())?.path();
            if entry.is_file() {
                let own = entry.with_extension("own");
                fs::copy(&entry, &own).and_then(|_| fs::rename(&own, &entry)).map_err(failed())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn contents_are_shared_and_books_are_not() {
        let folder = tempfile::tempdir().expect("temp dir");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let blob = Path::new("content/blobs/sha256/1");
        let book = Path::new("metadata/meta.db");
        for file in [blob, book] {
            fs::create_dir_all(from.join(file).parent().expect("a folder")).expect("made");
            fs::write(from.join(file), "as it was").expect("written");
        }
        lay(&from, &to).expect("laid");
        let same = |file: &Path| {
            let number = |of: &Path| fs::metadata(of.join(file)).expect("there").ino();
            number(&from) == number(&to)
        };
        assert!(same(blob) && !same(book));
        fs::write(from.join(book), "changed").expect("written");
        assert_eq!(fs::read_to_string(to.join(book)).expect("there"), "as it was");
    }
}
