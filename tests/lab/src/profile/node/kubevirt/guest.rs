//! The lab's guest: Debian's kernel and a file tree in memory that answers HTTP, as an image KubeVirt boots a kernel from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::NodeProfileError;
use super::super::supplies::PLACE;
use super::images::QEMU;
use crate::debian::Root;
use crate::image::{Image, ImageError, Initramfs, Layer, Start};

/// A kernel made for virtual machines, and the tools of the tree.
pub(in super::super) const ROOT: Root =
    Root { name: "guest", packages: &["linux-image-cloud-amd64", "busybox-static"], users: &[] };

/// What the kernel needs to see the machine's devices, each after what it needs itself.
const MODULES: [&str; 11] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "failover",
    "net_failover",
    "virtio_net",
    "virtio_blk",
    "virtio_console",
    "virtio_balloon",
];
/// Names of busybox that the scripts below use.
const TOOLS: [&str; 16] = [
    "cat", "chmod", "cttyhack", "echo", "httpd", "insmod", "ip", "mkdir", "mount", "poweroff", "reboot", "setsid",
    "sh", "sleep", "udhcpc", "uname",
];

const INIT: &str = r#"#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in $(cat /lib/modules/order); do insmod /lib/modules/$module; done
ip link set lo up
udhcpc -i eth0 -s /etc/lease -n -q -t 10 -T 2
echo "hello from a guest, Linux $(uname -r)" >/www/index.html
httpd -p 80 -h /www
echo "the guest is ready"
while :; do
  setsid cttyhack sh
  sleep 1
done
"#;

/// Which start of the guest answers, by its kernel's number for it, for how long it runs, and how often it was asked: in its
/// memory alone, so that a guest that goes on somewhere else is told from one that started again.
const LIFE: &str = r#"#!/bin/sh
read count 2>/dev/null </tmp/count
count=$((${count:-0} + 1))
echo $count >/tmp/count
read uptime rest </proc/uptime
read boot </proc/sys/kernel/random/boot_id
echo "Content-Type: text/plain"
echo
echo "boot=$boot uptime=$uptime asked=$count"
"#;

const LEASE: &str = r#"#!/bin/sh
case $1 in
deconfig) ip link set $interface up ;;
bound | renew)
  ip addr flush dev $interface
  ip addr add $ip/${mask:-24} dev $interface
  for gateway in $router; do ip route add default via $gateway dev $interface; done
  echo "nameserver $dns" >/etc/resolv.conf
  ;;
esac
"#;

/// The name of the guest's image.
const NAME: &str = "guest:1";

/// The guest, from the unpacked packages.
pub(super) fn image(root: &Path) -> Result<Image, NodeProfileError> {
    let name = format!("{PLACE}/{NAME}");
    let failed = |source| ImageError::reading(&name, root, source);
    let (kernel, modules) = find(root).map_err(failed)?;
    let tree = tree(root, &modules).map_err(failed)?;
    let layer = Layer::new()
        .empty_folder("boot", 0o755, QEMU)
        .file(kernel, "boot/vmlinuz", 0o644)
        .bytes("boot/initrd.img", tree, 0o644)
        .owned_by(QEMU);
    Ok(Image { name: name.clone(), layers: vec![layer], start: Start::default() })
}

/// The kernel, and the folder of its modules.
pub(in super::super) fn find(root: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let only = |folder: PathBuf, beginning: &str| {
        let mut found = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
        let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(beginning));
        let missing = || io::Error::other(format!("no {beginning}* in {}", folder.display()));
        found.find(named).ok_or_else(missing)
    };
    Ok((only(root.join("boot"), "vmlinuz-")?, only(root.join("usr/lib/modules"), "")?))
}

fn tree(root: &Path, modules: &Path) -> io::Result<Vec<u8>> {
    let busybox = busybox(root)?;
    let mut tree = Initramfs::new();
    for folder in ["bin", "dev", "etc", "lib", "lib/modules", "proc", "sys", "tmp", "www", "www/cgi-bin"] {
        tree = tree.folder(folder);
    }
    tree = tree.file("bin/busybox", &busybox).file("init", INIT.as_bytes()).file("etc/lease", LEASE.as_bytes());
    tree = tree.file("www/cgi-bin/life", LIFE.as_bytes());
    for tool in TOOLS {
        tree = tree.link(&format!("bin/{tool}"), "busybox");
    }
    let mut order = String::new();
    for path in drivers(modules, &MODULES)? {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        tree = tree.file(&format!("lib/modules/{file}"), &fs::read(path)?);
        order.push_str(&file);
        order.push('\n');
    }
    tree.file("lib/modules/order", order.as_bytes()).finish()
}

/// The one program of the tree, which needs no library.
pub(in super::super) fn busybox(root: &Path) -> io::Result<Vec<u8>> {
    let paths = ["usr/bin/busybox", "bin/busybox"].map(|path| root.join(path));
    let found = paths.into_iter().find(|path| path.is_file());
    fs::read(found.ok_or_else(|| io::Error::other("no busybox"))?)
}

/// Files of these modules, in this order. Some kernels have one or the other built in.
pub(in super::super) fn drivers(modules: &Path, names: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    collect(&modules.join("kernel"), &mut all)?;
    let is = |path: &&PathBuf, name: &str| {
        path.file_name().is_some_and(|file| file.to_string_lossy().split(".ko").next() == Some(name))
    };
    Ok(names.iter().filter_map(|name| all.iter().find(|path| is(path, name)).cloned()).collect())
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
