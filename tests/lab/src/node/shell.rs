//! Between keeper and node: enters the node's control groups and namespaces, starts its first process there, and takes
//! it along when it dies.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use rustix::thread::UnshareFlags;

use super::spec::{Sign, Spec};
use super::{NodeError, Role, cgroups};

/// Runs a node in namespaces of its own until its first process ends.
pub(super) fn run(path: &Path, keeper: u32) -> Result<(), NodeError> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(NodeError::doing("ask to end with the keeper"))?;
    // A keeper that died before this was asked is not noticed by the kernel.
    if getppid().map(|parent| parent.as_raw_nonzero().get().unsigned_abs()) != Some(keeper) {
        return Err(NodeError::Orphan);
    }
    let spec = Spec::read(path)?;
    cgroups::enter(&spec.hierarchies, keeper)?;
    unshare()?;
    let program = std::env::current_exe().map_err(NodeError::doing("find this program"))?;
    let mut first = Command::new(program)
        .args(["node", Role::First.name()])
        .arg(path)
        // A pipe that ends with this process: the node's first process reads it and so never outlives this one.
        .stdin(Stdio::piped())
        .spawn()
        .map_err(NodeError::doing("start the node's first process"))?;
    spec.give(Sign::Process, &first.id().to_string())?;
    let pipe = first.stdin.take();
    let status = first.wait().map_err(NodeError::doing("wait for the node's first process"))?;
    drop(pipe);
    Err(NodeError::Ended(status))
}

/// The groups entered before become the root of the new control group namespace.
fn unshare() -> Result<(), NodeError> {
    let flags = UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWCGROUP;
    #[expect(
        deprecated,
        reason = "its successor is unsafe for the sake of UnshareFlags::FILES, which is not among these"
    )]
    rustix::thread::unshare(flags).map_err(NodeError::doing("make the node's namespaces"))
}
