//! Packages become a root folder: unpacked over each other, with the few things their scripts would do.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{DebianError, Root, at, run};

/// What nobody in a container reads.
const LEFT_OUT: [&str; 5] =
    ["./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*", "./usr/share/info/*", "./usr/share/lintian/*"];
/// Names that `update-alternatives` would make.
const ALTERNATIVES: [(&str, &str); 9] = [
    ("iptables", "/usr/sbin/xtables-nft-multi"),
    ("iptables-save", "/usr/sbin/xtables-nft-multi"),
    ("iptables-restore", "/usr/sbin/xtables-nft-multi"),
    ("ip6tables", "/usr/sbin/xtables-nft-multi"),
    ("ip6tables-save", "/usr/sbin/xtables-nft-multi"),
    ("ip6tables-restore", "/usr/sbin/xtables-nft-multi"),
    ("ebtables", "/usr/sbin/xtables-nft-multi"),
    ("awk", "/usr/bin/mawk"),
    ("nc", "/usr/bin/nc.openbsd"),
];
/// The merged layout, which packages that still carry `/bin` and `/lib` are unpacked into.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// Unpacks all packages in `archives` into the new folder `root`.
pub(super) fn unpack(what: &Root, archives: &Path, root: &Path, mirror: &str) -> Result<(), DebianError> {
    for name in MERGED {
        let real = root.join("usr").join(name);
        at(&real, fs::create_dir_all(&real))?;
        let link = root.join(name);
        at(&link, symlink(format!("usr/{name}"), &link))?;
    }
    let packages = packages(archives)?;
    crate::programs::report(format_args!("unpacking {} packages for {}", packages.len(), what.name));
    for package in &packages {
        unpack_one(package, root, mirror)?;
    }
    accounts(what, root)?;
    alternatives(root)?;
    for folder in ["dev", "proc", "sys", "run", "tmp", "root", "etc", "var/log", "var/lib", "var/tmp"] {
        let folder = root.join(folder);
        at(&folder, fs::create_dir_all(&folder))?;
    }
    for shared in ["tmp", "var/tmp"] {
        use std::os::unix::fs::PermissionsExt as _;
        let shared = root.join(shared);
        at(&shared, fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)))?;
    }
    // The root's own ldconfig: it knows the root's own folders.
    if root.join("usr/sbin/ldconfig").exists() {
        run("chroot", mirror, "listing the root's libraries", |command| command.arg(root).arg("/usr/sbin/ldconfig"))?;
    }
    Ok(())
}

fn packages(archives: &Path) -> Result<Vec<PathBuf>, DebianError> {
    let entries = at(archives, fs::read_dir(archives))?;
    let mut packages: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    packages.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    // An order of its own, so that the same packages make the same root.
    packages.sort();
    Ok(packages)
}

/// `dpkg-deb` reads the package, `tar` writes it: without the second's option, a package's `/lib` would take the place
/// of the link of that name.
fn unpack_one(package: &Path, root: &Path, mirror: &str) -> Result<(), DebianError> {
    let mut reader = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| DebianError::Run { program: "dpkg-deb", source })?;
    let Some(files) = reader.stdout.take() else {
        let source = std::io::Error::other("its output was not connected");
        return Err(DebianError::Run { program: "dpkg-deb", source });
    };
    let what = format!("unpacking {}", package.display());
    run("tar", mirror, &what, |command| {
        command
            .args(["--extract", "--keep-directory-symlink", "--preserve-permissions", "--numeric-owner", "--directory"])
            .arg(root)
            .args(LEFT_OUT.map(|pattern| format!("--exclude={pattern}")))
            .stdin(files)
    })?;
    let status = reader.wait().map_err(|source| DebianError::Run { program: "dpkg-deb", source })?;
    if status.success() {
        return Ok(());
    }
    Err(DebianError::Failed { what, mirror: mirror.to_owned(), status, output: String::new() })
}

/// Debian's own users and groups (package base-passwd), and those the root asks for.
fn accounts(what: &Root, root: &Path) -> Result<(), DebianError> {
    let etc = root.join("etc");
    at(&etc, fs::create_dir_all(&etc))?;
    for (file, own) in [("passwd", 0), ("group", 1)] {
        let master = root.join(format!("usr/share/base-passwd/{file}.master"));
        let plain = if file == "passwd" { "root:x:0:0:root:/root:/bin/sh\n" } else { "root:x:0:\n" };
        let mut lines = fs::read_to_string(&master).unwrap_or_else(|_| plain.to_owned()).replace(":*:", ":x:");
        for (passwd, group) in what.users {
            lines.push_str(if own == 0 { passwd } else { group });
            lines.push('\n');
        }
        let path = etc.join(file);
        at(&path, fs::write(&path, lines))?;
    }
    Ok(())
}

fn alternatives(root: &Path) -> Result<(), DebianError> {
    for (name, target) in ALTERNATIVES {
        let program = root.join(target.trim_start_matches('/'));
        let link = program.with_file_name(name);
        if program.exists() && fs::symlink_metadata(&link).is_err() {
            at(&link, symlink(target, &link))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_debian_s_and_those_asked_for() {
        let root = tempfile::tempdir().expect("temp dir");
        let base = root.path().join("usr/share/base-passwd");
        fs::create_dir_all(&base).expect("create");
        fs::write(base.join("passwd.master"), "root:*:0:0:root:/root:/bin/bash\n").expect("write");
        let what = Root { name: "x", packages: &[], users: &[("qemu:x:107:107::/:/bin/sh", "qemu:x:107:")] };
        accounts(&what, root.path()).expect("written");
        let read = |file: &str| fs::read_to_string(root.path().join("etc").join(file)).expect("there");
        assert_eq!(read("passwd"), "root:x:0:0:root:/root:/bin/bash\nqemu:x:107:107::/:/bin/sh\n");
        assert_eq!(read("group"), "root:x:0:\nqemu:x:107:\n");
    }

    #[test]
    fn an_alternative_is_linked_only_where_its_program_is_and_no_file_has_its_name() {
        let root = tempfile::tempdir().expect("temp dir");
        let programs = root.path().join("usr/sbin");
        fs::create_dir_all(&programs).expect("create");
        fs::write(programs.join("xtables-nft-multi"), "").expect("write");
        fs::write(programs.join("ebtables"), "own").expect("write");
        alternatives(root.path()).expect("linked");
        let target = fs::read_link(programs.join("iptables")).expect("a link");
        assert_eq!(target, Path::new("/usr/sbin/xtables-nft-multi"));
        assert_eq!(fs::read_to_string(programs.join("ebtables")).expect("there"), "own");
        assert!(fs::symlink_metadata(root.path().join("usr/bin/awk")).is_err());
    }
}
