//! The node's own `/dev`: what containers and the node's programs use, and nothing of the machine's disks. Never `/dev/kvm`:
//! guests run in software, on every machine alike. (A rule of the devices controller against it would keep runc from
//! allowing containers what it always allows them: no group may have more than its parent.)

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::NodeError;
use super::mounts::{self, Kind};

/// Character devices: name, mode, major, minor (kernel, admin-guide/devices.txt).
const CHARACTER: [(&str, u32, u32, u32); 12] = [
    ("null", 0o666, 1, 3),
    ("zero", 0o666, 1, 5),
    ("full", 0o666, 1, 7),
    ("random", 0o666, 1, 8),
    ("urandom", 0o666, 1, 9),
    // The kubelet reads the kernel's messages about processes that took too much memory.
    ("kmsg", 0o600, 1, 11),
    ("tty", 0o666, 5, 0),
    ("net/tun", 0o666, 10, 200),
    ("fuse", 0o666, 10, 229),
    ("btrfs-control", 0o660, 10, 234),
    ("loop-control", 0o660, 10, 237),
    ("vhost-net", 0o600, 10, 238),
];
/// Loop devices the kernel makes at its start (`CONFIG_BLK_DEV_LOOP_MIN_COUNT`), major 7.
const LOOPS: u32 = 8;
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Makes it at `dev`.
pub(super) fn make(dev: &Path) -> Result<(), NodeError> {
    mounts::new(Kind::Memory, dev, "mode=755")?;
    for folder in ["net", "pts", "shm", "mqueue"] {
        let folder = dev.join(folder);
        fs::create_dir(&folder).map_err(NodeError::doing(format!("make {}", folder.display())))?;
    }
    for (name, mode, major, minor) in CHARACTER {
        device(&dev.join(name), FileType::CharacterDevice, mode, (major, minor))?;
    }
    for number in 0..LOOPS {
        device(&dev.join(format!("loop{number}")), FileType::BlockDevice, 0o660, (7, number))?;
    }
    for (name, target) in LINKS {
        let link = dev.join(name);
        symlink(target, &link).map_err(NodeError::doing(format!("make {}", link.display())))?;
    }
    mounts::new(Kind::Terminals, &dev.join("pts"), "newinstance,ptmxmode=0666,mode=620,gid=5")?;
    mounts::new(Kind::Memory, &dev.join("shm"), "mode=1777")?;
    mounts::new(Kind::Messages, &dev.join("mqueue"), "")
}

fn device(path: &Path, kind: FileType, mode: u32, (major, minor): (u32, u32)) -> Result<(), NodeError> {
    let outcome = mknodat(CWD, path, kind, Mode::from_raw_mode(mode), makedev(major, minor));
    outcome.map_err(NodeError::doing(format!("make the device {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_of_hardware_virtualization_is_never_made() {
        assert!(CHARACTER.iter().all(|(name, _, major, minor)| *name != "kvm" && (*major, *minor) != (10, 232)));
    }
}
