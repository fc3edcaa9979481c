//! A node's control groups: one in each hierarchy, made before the node and removed after it, whoever dies first.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::NodeError;
use super::spec::Hierarchy;
use crate::doctor::Facts;
use crate::programs::report;

/// Groups are called this and the number of the node's keeper.
const PREFIX: &str = "jiyun-lab-";
/// How long the kernel may take to end a group's processes after their first was killed.
const EMPTY: Duration = Duration::from_secs(10);

/// The hierarchies of this machine, each once.
pub(crate) fn hierarchies(facts: &Facts) -> Vec<Hierarchy> {
    let mut found: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for (controller, hierarchy) in &facts.hierarchies {
        found.entry(hierarchy.folder()).or_default().push(controller.clone());
    }
    found.into_iter().map(|(parent, controllers)| Hierarchy { controllers, parent }).collect()
}

/// The groups of one node.
#[derive(Debug)]
pub(super) struct Groups(Vec<PathBuf>);

impl Groups {
    /// Makes them for the keeper of this number.
    pub(super) fn make(hierarchies: &[Hierarchy], keeper: u32) -> Result<Self, NodeError> {
        let mut made = Self(Vec::new());
        for hierarchy in hierarchies {
            let group = group(hierarchy, keeper);
            let outcome = make(hierarchy, &group);
            made.0.push(group.clone());
            if let Err(source) = outcome {
                made.remove();
                let action = format!("make the control group {}", group.display());
                return Err(NodeError::Do { action, source });
            }
        }
        Ok(made)
    }

    /// Removes them; what still has processes after ten seconds stays and is reported.
    pub(super) fn remove(&self) {
        for group in &self.0 {
            if let Err(error) = remove(group, EMPTY) {
                report(format_args!("the control group {} stays: {error}", group.display()));
            }
        }
    }
}

/// Moves this process into the groups of the keeper of this number.
pub(super) fn enter(hierarchies: &[Hierarchy], keeper: u32) -> Result<(), NodeError> {
    for hierarchy in hierarchies {
        let file = group(hierarchy, keeper).join("cgroup.procs");
        fs::write(&file, "0").map_err(NodeError::doing(format!("enter {}", file.display())))?;
    }
    Ok(())
}

/// A keeper's claim on its groups: while it lives, nobody takes them for left over. The kernel gives it back.
pub(super) fn claim(keeper: u32) -> io::Result<UnixDatagram> {
    let name = SocketAddr::from_abstract_name(format!("{PREFIX}keeper-{keeper}"))?;
    UnixDatagram::bind_addr(&name)
}

/// Removes groups whose keeper is dead.
pub(crate) fn remove_left_over(hierarchies: &[Hierarchy]) {
    for hierarchy in hierarchies {
        for entry in fs::read_dir(&hierarchy.parent).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(keeper) = name.strip_prefix(PREFIX).and_then(|number| number.parse().ok()) else { continue };
            // Held until the group is gone: a keeper of the same number does not make it meanwhile.
            let Ok(_claim) = claim(keeper) else { continue };
            if let Err(error) = remove(&entry.path(), EMPTY) {
                tracing::warn!(group = %entry.path().display(), %error, "a control group of a dead node stays");
            }
        }
    }
}

fn group(hierarchy: &Hierarchy, keeper: u32) -> PathBuf {
    hierarchy.parent.join(format!("{PREFIX}{keeper}"))
}

fn make(hierarchy: &Hierarchy, group: &Path) -> io::Result<()> {
    fs::create_dir(group)?;
    if hierarchy.has("cpuset") {
        // Empty in a new group, and a process cannot enter such a one (kernel, admin-guide/cgroup-v1/cpusets.rst).
        for file in ["cpuset.cpus", "cpuset.mems"] {
            fs::write(group.join(file), fs::read(hierarchy.parent.join(file))?)?;
        }
    }
    Ok(())
}

/// Removes a group and those in it, the innermost first, as soon as no process is in them.
fn remove(group: &Path, patience: Duration) -> io::Result<()> {
    let end = Instant::now() + patience;
    loop {
        match remove_once(group) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if Instant::now() >= end => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
            Ok(()) => return Ok(()),
        }
    }
}

fn remove_once(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_once(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}
