//! The keeper of a node: a process outside it that ends it when the lab is gone, and removes what the kernel does not.

use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::cgroups::{self, Groups};
use super::spec::Spec;
use super::{NodeError, Role};

/// Keeps a node until it ends, or the lab does, or somebody asks.
pub(super) fn keep(path: &Path) -> Result<(), NodeError> {
    let spec = Spec::read(path)?;
    let own = std::process::id();
    let _claim = cgroups::claim(own).map_err(NodeError::doing("claim the node's control groups"))?;
    let groups = Groups::make(&spec.hierarchies, own)?;
    let outcome = hold(path, own);
    groups.remove();
    outcome
}

fn hold(path: &Path, own: u32) -> Result<(), NodeError> {
    let (gone, lab_is_gone) = oneshot::channel();
    // Standard input is a pipe the lab holds: it ends with the lab, however that ends.
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = gone.send(());
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(NodeError::doing("start the keeper"))?.block_on(async {
        let mut asked = signal(SignalKind::terminate()).map_err(NodeError::doing("listen to signals"))?;
        let program = std::env::current_exe().map_err(NodeError::doing("find this program"))?;
        let mut shell = Command::new(program)
            .args(["node", Role::Shell.name()])
            .arg(path)
            .arg(own.to_string())
            .stdin(Stdio::null())
            .spawn()
            .map_err(NodeError::doing("start the node"))?;
        tokio::select! {
            ended = shell.wait() => {
                let status = ended.map_err(NodeError::doing("wait for the node"))?;
                return Err(NodeError::Ended(status));
            }
            _ = lab_is_gone => {}
            _ = asked.recv() => {}
        }
        // Its death is that of the node's first process, and so of all that are in the node.
        shell.kill().await.map_err(NodeError::doing("end the node"))
    })
}
