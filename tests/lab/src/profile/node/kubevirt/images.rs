//! Images of KubeVirt's programs, as its own build puts them together (`cmd/virt-launcher/BUILD.bazel`), on Debian's libvirt
//! and QEMU.

use std::path::{Path, PathBuf};

use super::super::NodeProfileError;
use super::super::supplies::{PLACE, keep};
use super::{TAG, guest};
use crate::debian::Root;
use crate::image::{Image, ImageError, Layer, Start};
use crate::programs;

/// The user and group that own a guest's files and run QEMU (`cmd/virt-launcher/BUILD.bazel`, `qemu-user`).
pub(super) const QEMU: u32 = 107;

/// libvirt and QEMU. The user libvirt-qemu is compiled into Debian's libvirt, which does not start without it.
const LAUNCHER: Root = Root {
    name: "launcher",
    packages: &[
        "base-files",
        "base-passwd",
        "bash",
        "coreutils",
        "dash",
        "findutils",
        "grep",
        "iproute2",
        "libc-bin",
        "libcap2-bin",
        "libvirt-clients",
        "libvirt-daemon",
        "libvirt-daemon-driver-qemu",
        "libvirt-daemon-log",
        "nftables",
        "procps",
        "qemu-system-x86",
        "qemu-utils",
        "seabios",
        "sed",
        "tar",
        "util-linux",
        "xorriso",
    ],
    users: &[
        ("qemu:x:107:107:qemu:/var/lib/qemu:/bin/bash", "qemu:x:107:"),
        ("libvirt-qemu:x:64055:64055:libvirt:/nonexistent:/usr/sbin/nologin", "libvirt-qemu:x:64055:"),
        ("kvm:x:993:993:kvm:/nonexistent:/usr/sbin/nologin", "kvm:x:993:"),
    ],
};

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// As KubeVirt configures libvirt (`cmd/virt-launcher/qemu.conf`, `virtqemud.conf`).
const QEMU_CONF: &str = r#"stdio_handler = "logd"
vnc_listen = "0.0.0.0"
vnc_tls = 0
vnc_sasl = 0
user = "qemu"
group = "qemu"
dynamic_ownership = 1
remember_owner = 0
namespaces = [ ]
cgroup_controllers = [ ]
"#;
const VIRTQEMUD_CONF: &str = "listen_tls = 0\nlisten_tcp = 0\nlog_outputs = \"1:stderr\"\n";

/// Debian has one daemon for all of libvirt and none of this name. The driver is the same, the socket's name is not.
const VIRTQEMUD: &str = r#"#!/bin/sh
mkdir -p /run/libvirt /var/log/libvirt/qemu
ln -sf libvirt-sock /run/libvirt/virtqemud-sock
ln -sf libvirt-sock-ro /run/libvirt/virtqemud-sock-ro
exec /usr/sbin/libvirtd "$@"
"#;

/// KubeVirt's own makes `/dev/kvm` where the kernel has it and looks what the processor can do; this one asks what software
/// emulation can do, and never more.
const NODE_LABELLER: &str = r#"#!/bin/bash
set -xeo pipefail
to=/var/lib/kubevirt-node-labeller
machine=(--machine q35 --arch x86_64 --virttype qemu)
virtqemud -d
virsh domcapabilities "${machine[@]}" >$to/virsh_domcapabilities.xml
virsh domcapabilities "${machine[@]}" | virsh hypervisor-cpu-baseline --features /dev/stdin "${machine[@]}" >$to/supported_features.xml
virsh capabilities >$to/capabilities.xml
"#;

/// Tells a launcher that its machine went to another node (`cmd/virt-launcher/qemu`).
const HOOK: &str = r#"#!/bin/bash
if [ "$2" != release ] || [ "$3" != end ] || [ "$4" != migrated ]; then
  exit
fi
touch /run/kubevirt-private/backend-storage-meta/migrated
"#;

/// What KubeVirt is made of.
pub(in super::super) struct KubeVirt {
    /// The folder with the archive of its images and the guest's.
    pub(in super::super) images: PathBuf,
    /// The writer of what virt-operator would install.
    pub(in super::super) installer: PathBuf,
}

/// The name of the archive.
pub(in super::super) const ARCHIVE: &str = "kubevirt.tar";

/// Finds or makes it. Packages are fetched while programs are compiled. Blocks.
pub(in super::super) fn provide() -> Result<KubeVirt, NodeProfileError> {
    let (launcher, built) = std::thread::scope(|scope| {
        let roots = scope.spawn(|| Ok::<_, NodeProfileError>((LAUNCHER.provide()?, guest::ROOT.provide()?)));
        let built = [programs::provide("kubevirt-node"), programs::provide("kubevirt")];
        (roots.join(), built)
    });
    let (launcher, kernel) = launcher.map_err(|_| NodeProfileError::Panicked("fetching Debian's packages"))??;
    let [node, control] = built;
    let (node, control) = (node?, control?);
    let folders = [node.clone(), control.clone(), LAUNCHER.entry(), guest::ROOT.entry()];
    let names = folders.map(|folder| folder.file_name().unwrap_or_default().to_owned());
    let made_of = format!("{names:?} {RECIPE}");
    let images = [
        control_plane(&control, "virt-api"),
        control_plane(&control, "virt-controller"),
        on_node(&node, &launcher, "virt-launcher")?,
        on_node(&node, &launcher, "virt-handler")?,
        guest::image(&kernel)?,
    ];
    let folder = keep("kubevirt-images", &made_of, &[(ARCHIVE, &images)])?;
    Ok(KubeVirt { images: folder, installer: node.join("kubevirt-install") })
}

/// Raised when these images are put together in another way.
const RECIPE: u32 = 2;

fn name(program: &str) -> String {
    format!("{PLACE}/kubevirt/{program}:{TAG}")
}

/// One static program under the name it is called by.
fn control_plane(folder: &Path, program: &str) -> Image {
    Image {
        name: name(program),
        layers: vec![
            Layer::new().file(folder.join("kubevirt"), "usr/bin/kubevirt", 0o755),
            Layer::new().link("kubevirt", &format!("usr/bin/{program}")).empty_folder("tmp", 0o1777, 0),
        ],
        start: Start {
            entrypoint: vec![format!("/usr/bin/{program}")],
            environment: vec![PATH.to_owned()],
            user: "1001".to_owned(),
        },
    }
}

/// Debian's root and KubeVirt's programs. Launcher and handler are the same but for their names: the archive holds them
/// once.
fn on_node(folder: &Path, root: &Path, program: &str) -> Result<Image, NodeProfileError> {
    let failed = |source| ImageError::reading(&name(program), root, source);
    let debian = Layer::new()
        .folder(root)
        .map_err(failed)?
        .link("../run", "var/run")
        .empty_folder("var/lib/qemu", 0o755, QEMU)
        .empty_folder("etc/libvirt/hooks", 0o755, 0)
        .empty_folder("init", 0o755, 0);
    let programs = [
        "container-disk",
        "libvirt-hook-client",
        "virt-chroot",
        "virt-freezer",
        "virt-handler",
        "virt-launcher",
        "virt-probe",
        "virt-tail",
    ];
    let mut own = Layer::new()
        .program_that_binds_low_ports(folder.join("virt-launcher-monitor"), "usr/bin/virt-launcher-monitor");
    for program in programs {
        own = own.file(folder.join(program), &format!("usr/bin/{program}"), 0o755);
    }
    let own = own
        .text("usr/bin/node-labeller.sh", NODE_LABELLER, 0o755)
        .text("usr/sbin/virtqemud", VIRTQEMUD, 0o755)
        .text("etc/libvirt/qemu.conf", QEMU_CONF, 0o644)
        .text("etc/libvirt/virtqemud.conf", VIRTQEMUD_CONF, 0o644)
        .text("etc/libvirt/virtlogd.conf", "", 0o644)
        .text("etc/libvirt/hooks/qemu", HOOK, 0o755)
        .text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n", 0o644);
    Ok(Image {
        name: name(program),
        layers: vec![debian, own],
        start: Start {
            entrypoint: vec![format!("/usr/bin/{program}")],
            environment: vec![PATH.to_owned()],
            user: String::new(),
        },
    })
}
