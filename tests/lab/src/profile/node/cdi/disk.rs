//! The disk guests are ordered with: a small Debian 13 with cloud-init, an SSH server, QEMU's guest agent, a login prompt on
//! the serial console and a page that says who answers.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::super::NodeProfileError;
use super::super::kubevirt::guest;
use crate::debian::Root;
use crate::disk::{DiskError, Tools};
use crate::image::{Initramfs, Layer};
use crate::programs;

/// Its file.
pub(super) const FILE: &str = "debian-13.qcow2";
/// MiB of the disk; a guest grows the file system to what it is given.
const SIZE: u64 = 1024;
/// Raised when the disk is put together in another way.
const RECIPE: u32 = 1;

/// What is installed. The kernel is that of the lab's other guest, with a start-up of its own: Debian's takes longer.
const ROOT: Root = Root {
    name: "guest-disk",
    packages: &[
        "apt",
        "base-files",
        "base-passwd",
        "bash",
        "bsdutils",
        "busybox-static",
        "ca-certificates",
        "cloud-guest-utils",
        "cloud-init",
        "coreutils",
        "dash",
        "dbus",
        "debianutils",
        "diffutils",
        "dpkg",
        "e2fsprogs",
        "fdisk",
        "findutils",
        "grep",
        "gzip",
        "hostname",
        "init-system-helpers",
        "iproute2",
        "iputils-ping",
        "kmod",
        "less",
        "libc-bin",
        "login",
        "mawk",
        "ncurses-base",
        "netbase",
        "openssh-server",
        "passwd",
        "perl-base",
        "procps",
        "qemu-guest-agent",
        "sed",
        "systemd-resolved",
        "systemd-sysv",
        "tar",
        "udev",
        "util-linux",
    ],
    users: &[],
};

/// Without what nobody here needs: a start in software emulation takes as long as what it does.
const COMMAND_LINE: &str = "root=/dev/vda1 rw console=ttyS0 panic=5 lsm=landlock,yama systemd.ssh_auto=no";

/// The disk's driver is a module; all else is in the kernel.
const INIT: &str = "#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /lib/order); do /bin/busybox insmod /lib/$module; done
tries=0
until /bin/busybox test -b /dev/vda1 || /bin/busybox test $tries = 100; do
  tries=$((tries + 1))
  /bin/busybox usleep 100000
done
/bin/busybox mount -t ext4 -o rw /dev/vda1 /system
/bin/busybox mount --move /dev /system/dev
/bin/busybox umount /proc
exec /bin/busybox switch_root /system /sbin/init
";
const DRIVERS: [&str; 6] =
    ["virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk"];

/// Who answers, and how often it was started: what is on the disk stays there.
const PAGE: &str = "#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
echo \"hello from $(cat /proc/sys/kernel/hostname), Linux $(uname -r), start $(cat /var/lib/lab/starts)\"
";
const PAGE_SERVICE: &str = "[Unit]
Description=A page that says who answers

[Service]
ExecStartPre=/bin/sh -c 'echo $(($(cat /var/lib/lab/starts 2>/dev/null || echo 0) + 1)) >/var/lib/lab/starts; sync'
ExecStart=/usr/bin/busybox httpd -f -p 80 -h /srv/www

[Install]
WantedBy=multi-user.target
";
/// Every network card asks for an address. cloud-init, which would write this, starts later.
const NETWORK: &str = "[Match]\nName=e*\n\n[Network]\nDHCP=yes\n";
/// What the disk of a seed says, and nothing asked of any network. Keys of the host are made by `sshd-keygen.service`.
const CLOUD: &str = "datasource_list: [NoCloud, None]
network: {config: disabled}
ssh_deletekeys: false
ssh_genkeytypes: [ed25519]
";
/// cloud-init takes long in software emulation: it starts when the page answers, which takes a network.
const CLOUD_LATER: &str = "[Unit]
Wants=systemd-networkd-wait-online.service
After=lab-page.service systemd-networkd-wait-online.service
";
/// One card is enough, and half a minute: a guest may have none.
const ONLINE: &str = "[Service]
ExecStart=
ExecStart=/usr/lib/systemd/systemd-networkd-wait-online --any --timeout=30
";
/// cloud-init's units that all others would wait for, and the lines by which they would.
const STAGES: [&str; 2] = ["cloud-init-local.service", "cloud-init-network.service"];
const WAITED_FOR: [&str; 3] = ["Before=sysinit.target", "Before=network-pre.target", "Before=sshd-keygen.service"];
/// One key: others take seconds to make. A disk is used by whoever orders it, so the first start makes it.
const KEYS: &str = "[Unit]
Description=Generate the host's key at the first start
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
Before=ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
";
/// What a guest of a lab does without.
const MASKED: [&str; 19] = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dev-hugepages.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "modprobe@drm.service",
    "modprobe@fuse.service",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-hwdb-update.service",
    "systemd-journal-catalog-update.service",
    "systemd-pstore.service",
];
/// Modules for devices that a guest has, and has no use for.
const UNUSED: &str = "blacklist kvm_amd\nblacklist kvm_intel\nblacklist serio_raw\nblacklist sg\n";
/// The password of root on the console, `lab`: a guest of a lab has no secrets (crypt(5), SHA-512).
const PASSWORD: &str =
    "$6$jiyunlab$0cjJh4kUmROCtGK6Wed1PU/bl/cGOvMsYj2EL58UWlHW3By9GGwX8G1suEFIUFr.x9ObeqLhOBkaCd4wKLs3n.";
/// Nothing is to be brought up to date at a start (systemd, `ConditionNeedsUpdate=`): nanoseconds far in the future.
const UPDATED: &str = "TIMESTAMP_NSEC=9000000000000000000\n";

/// The folder with the disk, made where it is not in the cache. Blocks; takes two minutes.
pub(super) fn provide() -> Result<PathBuf, NodeProfileError> {
    let made_of = [ROOT.installed_entry(), guest::ROOT.entry(), Tools::entry()];
    let made_of = made_of.map(|path| path.file_name().unwrap_or_default().to_owned());
    let texts = [
        INIT,
        PAGE,
        PAGE_SERVICE,
        NETWORK,
        CLOUD,
        CLOUD_LATER,
        ONLINE,
        KEYS,
        PASSWORD,
        UPDATED,
        UNUSED,
        COMMAND_LINE,
        &format!("{MASKED:?} {STAGES:?} {WAITED_FOR:?} {DRIVERS:?} {SIZE} {RECIPE} {made_of:?}"),
    ];
    let digest: String = hex::encode(Sha256::digest(texts.concat())).chars().take(16).collect();
    let entry = programs::cache_folder().join(format!("guest-disk-{digest}"));
    programs::keep_alone(&entry, "guest-disk", |unfinished| {
        let (tools, kernel, installed) = (Tools::provide()?, guest::ROOT.provide()?, ROOT.provide_installed()?);
        let scratch = tempfile::tempdir_in(unfinished).map_err(DiskError::file(unfinished))?;
        let files = files(&tools, &kernel, &installed, scratch.path())?;
        tools.write(&files, COMMAND_LINE, SIZE, &unfinished.join(FILE), scratch.path())?;
        Ok::<_, NodeProfileError>(())
    })
}

fn files(tools: &Tools, kernel: &Path, installed: &Path, scratch: &Path) -> Result<Layer, NodeProfileError> {
    let (image, modules) = guest::find(kernel).map_err(DiskError::file(kernel))?;
    let release = modules.file_name().unwrap_or_default().to_string_lossy().into_owned();
    tools.depmod(kernel, &release, scratch)?;
    let folder = format!("usr/lib/modules/{release}");
    let lists = scratch.join("lib/modules").join(&release);
    let files = Layer::new()
        .folder(installed)
        .map_err(DiskError::file(installed))?
        .empty_folder("usr/lib/modules", 0o755, 0)
        .empty_folder(&folder, 0o755, 0)
        .folder_at(&modules, &folder)
        .map_err(DiskError::file(&modules))?
        .folder_at(&lists, &folder)
        .map_err(DiskError::file(&lists))?
        .file(image, "boot/vmlinuz", 0o644)
        .bytes("boot/initrd.img", start_up(kernel, &modules).map_err(DiskError::file(kernel))?, 0o644);
    Ok(units(own(files, installed)?, installed)?)
}

/// What finds the disk, and gives way to what is on it.
fn start_up(kernel: &Path, modules: &Path) -> std::io::Result<Vec<u8>> {
    let mut tree = Initramfs::new();
    for folder in ["bin", "dev", "lib", "proc", "system"] {
        tree = tree.folder(folder);
    }
    tree = tree.file("bin/busybox", &guest::busybox(kernel)?).file("init", INIT.as_bytes());
    let mut order = String::new();
    for path in guest::drivers(modules, &DRIVERS)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        tree = tree.file(&format!("lib/{name}"), &fs::read(path)?);
        order.push_str(&name);
        order.push('\n');
    }
    tree.file("lib/order", order.as_bytes()).finish()
}

/// Files of the lab's own.
fn own(files: Layer, installed: &Path) -> Result<Layer, DiskError> {
    let shadow = read(&installed.join("etc/shadow"))?;
    let shadow: String = shadow
        .lines()
        .map(|line| match line.split(':').next() {
            Some("root") => format!("root:{PASSWORD}::0:99999:7:::\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let files = ["srv/www", "srv/www/cgi-bin", "var/lib/lab"]
        .into_iter()
        .fold(files, |files, folder| files.empty_folder(folder, 0o755, 0));
    Ok(files
        .text("etc/shadow", shadow, 0o640)
        .text("etc/fstab", "/dev/vda1 / ext4 rw,relatime 0 1\n", 0o644)
        .text("etc/hostname", "guest\n", 0o644)
        .text("etc/.updated", UPDATED, 0o644)
        .text("var/.updated", UPDATED, 0o644)
        .text("etc/modprobe.d/lab.conf", UNUSED, 0o644)
        .text("etc/systemd/network/90-lab.network", NETWORK, 0o644)
        .text("etc/cloud/cloud.cfg.d/90_lab.cfg", CLOUD, 0o644)
        .text("srv/www/cgi-bin/index.cgi", PAGE, 0o755))
}

/// What starts, and in which order.
fn units(files: Layer, installed: &Path) -> Result<Layer, DiskError> {
    let unit = |name: &str| format!("etc/systemd/system/{name}");
    let mut files = files
        .text(&unit("lab-page.service"), PAGE_SERVICE, 0o644)
        .text(&unit("sshd-keygen.service"), KEYS, 0o644)
        .empty_folder(&unit("cloud-init-main.service.d"), 0o755, 0)
        .text(&unit("cloud-init-main.service.d/lab.conf"), CLOUD_LATER, 0o644)
        .empty_folder(&unit("systemd-networkd-wait-online.service.d"), 0o755, 0)
        .text(&unit("systemd-networkd-wait-online.service.d/lab.conf"), ONLINE, 0o644)
        .link("../lab-page.service", &unit("multi-user.target.wants/lab-page.service"))
        .link(
            "/usr/lib/systemd/system/systemd-networkd.service",
            &unit("multi-user.target.wants/systemd-networkd.service"),
        );
    for stage in STAGES {
        let text = read(&installed.join("usr/lib/systemd/system").join(stage))?;
        let kept = text.lines().filter(|line| !WAITED_FOR.contains(line));
        files = files.text(&unit(stage), kept.fold(String::new(), |text, line| text + line + "\n"), 0o644);
    }
    Ok(MASKED.into_iter().fold(files, |files, name| files.link("/dev/null", &unit(name))))
}

fn read(path: &Path) -> Result<String, DiskError> {
    fs::read_to_string(path).map_err(DiskError::file(path))
}
