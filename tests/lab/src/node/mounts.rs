//! Mounting, with errors that say what was mounted where.

use std::ffi::CString;
use std::fs;
use std::path::Path;

use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change, mount_remount,
};

use super::NodeError;

/// File systems a node mounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Memory,
    Overlay,
    Processes,
    System,
    Terminals,
    Messages,
    ControlGroups,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "tmpfs",
            Self::Overlay => "overlay",
            Self::Processes => "proc",
            Self::System => "sysfs",
            Self::Terminals => "devpts",
            Self::Messages => "mqueue",
            Self::ControlGroups => "cgroup",
        }
    }
}

/// Mounts a new file system on a folder, which is made where it is missing.
pub(super) fn new(kind: Kind, target: &Path, options: &str) -> Result<(), NodeError> {
    let name = kind.name();
    let action = format!("mount {name} on {} ({options})", target.display());
    let failed = |source| NodeError::Do { action: action.clone(), source };
    fs::create_dir_all(target).map_err(failed)?;
    let options = CString::new(options).map_err(|error| failed(error.into()))?;
    let options = (!options.is_empty()).then_some(options.as_c_str());
    mount(name, target, name, MountFlags::empty(), options).map_err(|error| failed(error.into()))
}

/// Shows a folder or file at another place, which is made where it is missing.
pub(super) fn show(from: &Path, at: &Path) -> Result<(), NodeError> {
    let action = format!("show {} at {}", from.display(), at.display());
    let failed = |source| NodeError::Do { action: action.clone(), source };
    if from.is_dir() {
        fs::create_dir_all(at).map_err(failed)?;
    }
    mount_bind(from, at).map_err(|error| failed(error.into()))
}

/// As [`show`], with what is mounted below, and not to be written to.
pub(super) fn show_read_only(from: &Path, at: &Path) -> Result<(), NodeError> {
    let action = format!("show {} at {}, read-only", from.display(), at.display());
    let failed = |source| NodeError::Do { action: action.clone(), source };
    fs::create_dir_all(at).map_err(failed)?;
    let shown =
        mount_bind_recursive(from, at).and_then(|()| mount_remount(at, MountFlags::BIND | MountFlags::RDONLY, c""));
    shown.map_err(|error| failed(error.into()))
}

/// Who sees what is mounted below a folder from now on.
pub(super) fn spread(at: &Path, flags: MountPropagationFlags) -> Result<(), NodeError> {
    let changed = mount_change(at, flags | MountPropagationFlags::REC);
    changed.map_err(NodeError::doing(format!("change who sees mounts below {}", at.display())))
}
