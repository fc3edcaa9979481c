//! Packages become a root folder in which they are installed: their scripts have run, as on a machine. For disks of guests;
//! what runs in containers is content with unpacked packages.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{DebianError, at, run};

/// Devices that the packages' scripts write to or read from, with their minor numbers (Linux, `devices.txt`); all of major 1.
const DEVICES: [(&str, &str); 4] = [("null", "3"), ("zero", "5"), ("random", "8"), ("urandom", "9")];
/// No service starts while its package is installed (`invoke-rc.d`: 101 is "not allowed").
const NO_SERVICES: &str = "#!/bin/sh\nexit 101\n";
/// As for all roots of the lab.
const LEFT_OUT: &str = "path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/lintian/*
force-unsafe-io
";
/// All packages at once: dpkg finds the order. Their files lie there already, so that every script finds its tools.
const INSTALL: &str =
    "mount -t proc proc \"$0/proc\" && exec chroot \"$0\" sh -c 'dpkg --force-depends --install /packages/*.deb'";
/// What an installation leaves and a guest makes anew, or that says when it was made.
const REMOVED: [&str; 12] = [
    "packages",
    "dev",
    "etc/machine-id",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    "usr/sbin/policy-rc.d",
    "var/lib/dbus/machine-id",
    "var/cache/ldconfig/aux-cache",
    "var/cache/debconf",
    "var/log",
];

/// Installs the packages of `archives`, which are unpacked in `root`. Their scripts see processes, a network and a host name
/// of their own: nothing of the machine.
pub(super) fn install(archives: &Path, root: &Path, mirror: &str) -> Result<(), DebianError> {
    let packages = root.join("packages");
    at(&packages, fs::create_dir_all(&packages))?;
    for entry in at(archives, fs::read_dir(archives))?.flatten() {
        if entry.path().is_file() {
            let to = packages.join(entry.file_name());
            at(&to, fs::copy(entry.path(), &to))?;
        }
    }
    for (name, minor) in DEVICES {
        let device = root.join("dev").join(name);
        run("mknod", mirror, "making a device", |command| {
            command.args(["-m", "666"]).arg(&device).args(["c", "1", minor])
        })?;
    }
    write(&root.join("usr/sbin/policy-rc.d"), NO_SERVICES, 0o755)?;
    write(&root.join("etc/dpkg/dpkg.cfg.d/lab"), LEFT_OUT, 0o644)?;
    for file in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"] {
        let folder = root.join(file);
        at(&folder, fs::create_dir_all(&folder))?;
    }
    write(&root.join("var/lib/dpkg/status"), "", 0o644)?;
    run("unshare", mirror, "installing packages", |command| {
        isolated(command).args(["sh", "-c", INSTALL]).arg(root).stdin(Stdio::null())
    })?;
    for name in REMOVED {
        let path = root.join(name);
        if path.is_dir() {
            at(&path, fs::remove_dir_all(&path))?;
        } else if path.exists() {
            at(&path, fs::remove_file(&path))?;
        }
    }
    // Keys that would be those of every guest.
    let ssh = root.join("etc/ssh");
    for entry in fs::read_dir(&ssh).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("ssh_host_") {
            at(&entry.path(), fs::remove_file(entry.path()))?;
        }
    }
    for folder in ["dev", "var/log", "var/cache/debconf"] {
        let folder = root.join(folder);
        at(&folder, fs::create_dir_all(&folder))?;
    }
    // Empty: the guest's first start makes one of its own.
    write(&root.join("etc/machine-id"), "", 0o444)
}

/// Python's compiled modules are checked by content and not by time where this is set (`py_compile`).
fn isolated(command: &mut Command) -> &mut Command {
    command
        .args(["--mount", "--pid", "--net", "--ipc", "--uts", "--propagation", "private", "--fork", "--kill-child"])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .env("SOURCE_DATE_EPOCH", "1")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("DEBCONF_NONINTERACTIVE_SEEN", "true")
}

fn write(path: &Path, content: &str, mode: u32) -> Result<(), DebianError> {
    if let Some(folder) = path.parent() {
        at(folder, fs::create_dir_all(folder))?;
    }
    at(path, fs::write(path, content))?;
    at(path, fs::set_permissions(path, fs::Permissions::from_mode(mode)))
}
