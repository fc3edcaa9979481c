//! The node's file tree: Debian's packages below, a layer in memory above them, the machine's own tree out of sight.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::mount::{MountPropagationFlags, UnmountFlags, unmount};

use super::mounts::{self, Kind, show, show_read_only};
use super::spec::{FOLDERS, Spec, VOLUMES};
use super::{NodeError, devices, switch};

/// Folders of the node that lie on disk: too large for memory, or used as the upper layer of containers, for which a
/// layered file system does not serve.
const ON_DISK: [(&str, &str); 3] =
    [(CONTAINERD, "/var/lib/containerd"), ("kubelet", "/var/lib/kubelet"), ("pods", "/var/log/pods")];
/// Where containerd's files lie below the node's folder.
pub(super) const CONTAINERD: &str = "containerd";
/// Settings of the whole machine that the kubelet would change (kubelet, `pkg/kubelet/cm/container_manager_linux.go`,
/// `setupKernelTunables`): it sees what it wants to see, and the machine keeps its own.
const SETTINGS: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Builds the tree and moves into it.
pub(super) fn enter(spec: &Spec) -> Result<(), NodeError> {
    // Before anything else: nothing mounted here may reach the machine.
    mounts::spread(Path::new("/"), MountPropagationFlags::PRIVATE)?;
    let root = spec.folder.join("root");
    layers(spec, &root)?;
    let inside = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
    mounts::new(Kind::Processes, &root.join("proc"), "")?;
    mounts::new(Kind::System, &root.join("sys"), "")?;
    for (folder, options) in [("run", "mode=755"), ("tmp", "mode=1777")] {
        mounts::new(Kind::Memory, &root.join(folder), options)?;
    }
    devices::make(&root.join("dev"))?;
    control_groups(spec, &root.join("sys/fs/cgroup"))?;
    for (name, folder) in &spec.folders {
        show_read_only(folder, &root.join(FOLDERS.trim_start_matches('/')).join(name))?;
    }
    let on_disk = ON_DISK.map(|(name, at)| (spec.folder.join(name), at));
    for (folder, at) in on_disk.iter().chain([&(spec.volumes.clone(), VOLUMES)]) {
        fs::create_dir_all(folder).map_err(NodeError::doing(format!("make {}", folder.display())))?;
        show(folder, &inside(Path::new(at)))?;
    }
    show(&spec.lab, &inside(&spec.lab))?;
    if let Some(link) = &spec.link {
        // Seen by its number outside: the machine's own processes are still in view.
        switch::show(link, &inside(Path::new(switch::SEEN)))?;
    }
    settings(&root)?;
    for (path, content) in &spec.files {
        let path = inside(path);
        let folder = path.parent().unwrap_or(&root);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, content));
        written.map_err(NodeError::doing(format!("write {}", path.display())))?;
    }
    change_root(&root)?;
    // Volumes mounted by a pod's helper must be seen by the pod.
    mounts::spread(Path::new("/"), MountPropagationFlags::SHARED)
}

fn layers(spec: &Spec, root: &Path) -> Result<(), NodeError> {
    let memory = spec.folder.join("memory");
    mounts::new(Kind::Memory, &memory, "mode=755")?;
    for sub in ["upper", "work"] {
        let sub = memory.join(sub);
        fs::create_dir(&sub).map_err(NodeError::doing(format!("make {}", sub.display())))?;
    }
    let options = format!(
        "lowerdir={},upperdir={memory}/upper,workdir={memory}/work",
        spec.root.display(),
        memory = memory.display()
    );
    mounts::new(Kind::Overlay, root, &options)
}

/// Every hierarchy, seen from the node's own group down.
fn control_groups(spec: &Spec, at: &Path) -> Result<(), NodeError> {
    mounts::new(Kind::Memory, at, "mode=755")?;
    for hierarchy in &spec.hierarchies {
        let controllers = hierarchy.controllers.join(",");
        let name = controllers.strip_prefix("name=").unwrap_or(&controllers);
        let options = if name == controllers { controllers.clone() } else { format!("none,{controllers}") };
        mounts::new(Kind::ControlGroups, &at.join(name), &options)?;
        for alone in hierarchy.controllers.iter().filter(|_| hierarchy.controllers.len() > 1) {
            let link = at.join(alone);
            symlink(name, &link).map_err(NodeError::doing(format!("make {}", link.display())))?;
        }
    }
    Ok(())
}

fn settings(root: &Path) -> Result<(), NodeError> {
    for (setting, value) in SETTINGS {
        let real = root.join("proc/sys").join(setting);
        if !real.exists() {
            continue;
        }
        let stand_in = root.join("run").join(setting.replace('/', "."));
        fs::write(&stand_in, format!("{value}\n"))
            .map_err(NodeError::doing(format!("write {}", stand_in.display())))?;
        show(&stand_in, &real)?;
    }
    Ok(())
}

fn change_root(root: &Path) -> Result<(), NodeError> {
    let outside = root.join("mnt/outside");
    fs::create_dir_all(&outside).map_err(NodeError::doing("make the place of the old root"))?;
    rustix::process::pivot_root(root, &outside).map_err(NodeError::doing("change the root"))?;
    std::env::set_current_dir("/").map_err(NodeError::doing("change to the new root"))?;
    unmount("/mnt/outside", UnmountFlags::DETACH).map_err(NodeError::doing("let go of the machine's own tree"))?;
    fs::remove_dir("/mnt/outside").map_err(NodeError::doing("remove the place of the old root"))
}
