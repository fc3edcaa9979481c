//! A node that runs pods: kubelet, containerd, kube-proxy, in mount, process, network, host name, message and control group
//! namespaces of its own. Nothing of it is seen outside, and nothing outlives the lab.
//!
//! Four processes hold it: the lab, which starts the *keeper* and holds a pipe to it; the keeper, outside the node, which
//! removes its control groups; the *shell*, which enters namespaces; the *first* process in them. Each ends with the one
//! before it. Where a lab has several nodes, one more process holds the *switch* between them.

pub(crate) mod cgroups;
mod devices;
mod first;
mod keeper;
mod mounts;
mod network;
mod pool;
mod root;
mod shell;
pub(crate) mod spec;
mod stock;
pub(crate) mod switch;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use crate::programs::report;

/// A node could not be brought up or has ended.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The operating system refused.
    #[error("cannot {action}")]
    Do {
        /// What was tried.
        action: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The description of the node is not one.
    #[error("{path}: not a description of a node")]
    Spec {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// The keeper is gone already.
    #[error("whoever asked for the node is gone")]
    Orphan,
    /// The node ended though nobody asked it to.
    #[error("the node ended ({0})")]
    Ended(ExitStatus),
    /// The network could not be brought up.
    #[error("the node's network does not come up; the kernel must have veth (`jiyun-lab doctor`): {said}")]
    Network {
        /// What `ip` said.
        said: String,
    },
    /// The switch did not come up.
    #[error("the switch between the nodes did not come up within {0:?}: see `jiyun-lab logs switch`")]
    NoSwitch(Duration),
    /// The first node did not lay down its images.
    #[error("node-1 did not lay down its images within {0:?}")]
    NoStock(Duration),
    /// Images could not be shared between nodes.
    #[error("cannot copy {from}: {said}")]
    Copy {
        /// From where.
        from: PathBuf,
        /// What `cp` said.
        said: String,
    },
    /// An image could not be named.
    #[error("containerd refused to name {image} by its digest ({status})")]
    Name {
        /// Which.
        image: String,
        /// How its client ended.
        status: ExitStatus,
    },
    /// The file system with snapshots could not be made or mounted.
    #[error("`{program}` fails in the node; the kernel must have btrfs and a free loop device: {said}")]
    Pool {
        /// The program.
        program: String,
        /// What it said.
        said: String,
    },
    /// A service ended.
    #[error("{name} ended ({how}), and the node with it; the last lines of {log}:\n{tail}")]
    Service {
        /// Which.
        name: String,
        /// Exit code or signal.
        how: String,
        /// Its log.
        log: PathBuf,
        /// The end of it.
        tail: String,
    },
    /// containerd did not answer.
    #[error("containerd did not answer within {0:?}")]
    Silent(Duration),
    /// Images could not be imported.
    #[error("containerd refused the images of {archive} ({how}); is the disk full?")]
    Import {
        /// Which archive.
        archive: PathBuf,
        /// Exit code or signal.
        how: String,
    },
}

impl NodeError {
    /// Words what was tried when the operating system refuses.
    fn doing<E: Into<io::Error>>(action: impl Into<String>) -> impl FnOnce(E) -> Self {
        let action = action.into();
        move |source| Self::Do { action, source: source.into() }
    }
}

/// What a process of a node is. The lab's program starts itself as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Outside the node.
    Keeper,
    /// Between.
    Shell,
    /// The first process inside.
    First,
    /// Between nodes.
    Switch,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Keeper => "keeper",
            Self::Shell => "shell",
            Self::First => "first",
            Self::Switch => "switch",
        }
    }
}

/// Runs as that part of the node (or the switch) `spec` describes; `keeper` is the keeper's process number, which the shell is told.
pub fn run(role: Role, spec: &Path, keeper: Option<u32>) -> ExitCode {
    let outcome = match (role, keeper) {
        (Role::Keeper, _) => keeper::keep(spec),
        (Role::Shell, Some(keeper)) => shell::run(spec, keeper),
        (Role::Shell, None) => Err(NodeError::Orphan),
        (Role::First, _) => first::run(spec),
        (Role::Switch, _) => switch::run(spec),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever ended with a code has said why.
        Err(NodeError::Ended(status)) if status.code().is_some() => ExitCode::FAILURE,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            // Its log may lie on a full disk.
            report(format_args!("{} of the node: {error}{cause}", role.name()));
            ExitCode::FAILURE
        }
    }
}
