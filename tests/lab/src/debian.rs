//! Root folders of Debian's packages: fetched and checked by apt in folders of its own, unpacked, never installed.

pub(crate) mod apt;
mod installed;
mod unpack;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

use crate::programs::{self, BuildError};

/// Debian's release whose packages are used, whichever the machine's own is: 13, with libvirt 11.3 and QEMU 10.0.
const SUITE: &str = "trixie";
/// Raised when the way roots are made changes, so that older ones are not taken for new.
const RECIPE: u32 = 1;
/// The same for roots in which packages are installed.
const INSTALLED: u32 = 2;

/// A root folder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// The cache could not be written.
    #[error(transparent)]
    Cache(#[from] BuildError),
    /// A program could not be started.
    #[error(
        "cannot run `{program}`, which Debian's packages are fetched and unpacked with (`sudo apt install {program}`)"
    )]
    Run {
        /// Which program.
        program: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A program failed.
    #[error("{what} failed ({status}); is the mirror {mirror} reachable and is there room?\n{output}")]
    Failed {
        /// What was tried.
        what: String,
        /// Where packages come from.
        mirror: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The last lines it printed.
        output: String,
    },
    /// No mirror is known.
    #[error("apt on this machine names no mirror of Debian: set JIYUN_LAB_DEBIAN to the address of one")]
    NoMirror,
    /// A file could not be written.
    #[error("cannot write {path}")]
    Write {
        /// Which path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// A root folder: its name and the packages in it. Those they depend on come along.
#[derive(Debug, Clone, Copy)]
pub struct Root {
    /// A plain file name.
    pub name: &'static str,
    /// Names of packages.
    pub packages: &'static [&'static str],
    /// Users and groups that packages would add when installed, as lines of `/etc/passwd` and `/etc/group`.
    pub users: &'static [(&'static str, &'static str)],
}

impl Root {
    /// Where it lies in the cache, made or not.
    pub fn entry(&self) -> PathBuf {
        programs::cache_folder().join(format!("debian-{}-{}", self.name, self.digest()))
    }

    /// The folder, made where it is not in the cache. Blocks.
    pub fn provide(&self) -> Result<PathBuf, DebianError> {
        let entry = self.entry();
        programs::keep_alone(&entry, &format!("debian-{}", self.name), |unfinished| {
            let apt = apt::Apt::prepare(unfinished)?;
            let archives = apt.download(self.packages)?;
            unpack::unpack(self, &archives, &unfinished.join("root"), apt.mirror())?;
            apt.remove()
        })?;
        Ok(entry.join("root"))
    }

    /// The folder with its packages installed: their scripts have run, as on a machine. Made where it is not in the cache.
    /// Blocks; takes a minute.
    pub fn provide_installed(&self) -> Result<PathBuf, DebianError> {
        let entry = self.installed_entry();
        programs::keep_alone(&entry, &format!("installed-{}", self.name), |unfinished| {
            let apt = apt::Apt::prepare(unfinished)?;
            let archives = apt.download(self.packages)?;
            let root = unfinished.join("root");
            unpack::unpack(self, &archives, &root, apt.mirror())?;
            programs::report(format_args!("installing packages of {}", self.name));
            installed::install(&archives, &root, apt.mirror())?;
            apt.remove()
        })?;
        Ok(entry.join("root"))
    }

    /// Where [`Self::provide_installed`] keeps it.
    pub fn installed_entry(&self) -> PathBuf {
        programs::cache_folder().join(format!("installed-{}-{}", self.name, self.digest_of(INSTALLED)))
    }

    fn digest(&self) -> String {
        self.digest_of(RECIPE)
    }

    fn digest_of(&self, recipe: u32) -> String {
        let mut hasher = Sha256::new();
        hasher.update(format!("{recipe} {SUITE} {:?} {:?}", self.packages, self.users));
        hex::encode(hasher.finalize()).chars().take(16).collect()
    }
}

/// This machine's, as Debian and containers name it.
pub(crate) fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

fn at<T>(path: &Path, outcome: io::Result<T>) -> Result<T, DebianError> {
    outcome.map_err(|source| DebianError::Write { path: path.to_owned(), source })
}

/// Runs a program to its end and returns what it printed.
fn run(
    program: &'static str,
    mirror: &str,
    what: &str,
    change: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<String, DebianError> {
    let mut command = Command::new(program);
    let output = change(command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()))
        .output()
        .map_err(|source| DebianError::Run { program, source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let lines: Vec<&str> = said.lines().collect();
    Err(DebianError::Failed {
        what: what.to_owned(),
        mirror: mirror.to_owned(),
        status: output.status,
        output: lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_of_other_packages_or_users_is_another_entry() {
        let root = Root { name: "tool", packages: &["a", "b"], users: &[] };
        assert_eq!(root.entry(), root.entry());
        assert_ne!(root.entry(), Root { packages: &["a", "c"], ..root }.entry());
        assert_ne!(root.entry(), Root { users: &[("x", "y")], ..root }.entry());
    }
}
