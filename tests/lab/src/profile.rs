//! Which engines of a lab are real and which are simulated.

mod node;
mod real;
mod scale;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use kube::Client;

pub use node::NodeProfileError;
pub(crate) use node::{
    NodeSite, Supplies, addresses, check, egress, jiyun, start as start_node, start_again as start_node_again,
};
pub use real::RealError;

use crate::cluster::Engines;
use crate::lab::Site;
use crate::options::{Buckets, Databases, Network};
use crate::parts::Part;
use crate::programs::ProgramError;
use crate::simulate::{self, Simulation};

/// The profile's engines could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// A program could not be found or built.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// KubeVirt's control plane could not be started.
    #[error(transparent)]
    Real(#[from] RealError),
    /// The node could not be brought up.
    #[error(transparent)]
    Node(Box<NodeProfileError>),
}

impl From<NodeProfileError> for ProfileError {
    fn from(error: NodeProfileError) -> Self {
        Self::Node(Box::new(error))
    }
}

/// What is real in a lab. etcd, the API server and the controller manager always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Profile {
    /// Engines' objects are moved by simulators: thousands of hosts on one machine.
    #[default]
    Scale,
    /// KubeVirt's own control plane; only what a node would do is simulated.
    Real,
    /// A node that runs pods, in namespaces of its own. Needs root.
    Node,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scale => "scale",
            Self::Real => "real",
            Self::Node => "node",
        })
    }
}

impl Profile {
    /// Builds the programs the profile needs. Blocks.
    pub(crate) fn provide_programs(self) -> Result<(), ProfileError> {
        match self {
            Self::Scale | Self::Node => Ok(()),
            Self::Real => real::provide_programs(),
        }
    }

    /// Whether an engines' definition of that name is installed.
    pub(crate) fn uses(self, parts: &BTreeSet<Part>, definition: &str) -> bool {
        match self {
            // The operator's manifest brings its own.
            Self::Node if parts.contains(&Part::Cnpg) && definition.ends_with("postgresql.cnpg.io") => false,
            // KubeVirt brings its own.
            Self::Node if parts.contains(&Part::Kubevirt) => {
                !definition.ends_with("kubevirt.io") || definition.ends_with("cdi.kubevirt.io")
            }
            Self::Scale | Self::Node => scale::uses(definition),
            Self::Real => true,
        }
    }

    /// Starts the profile's engines: processes go to the site's supervisor, tasks to the current runtime, which is the
    /// lab's own. Called when definitions and charts are installed. Tasks must not keep `site`: it ends when its last
    /// handle goes.
    pub(crate) async fn start(self, site: Arc<Site>, client: Client) -> Result<(), ProfileError> {
        if site.options.network == Network::KubeOvn {
            let (pace, faults) = (site.options.pace, Arc::clone(&site.faults));
            tokio::spawn(simulate::kube_ovn::run(Simulation { client: client.clone(), pace, faults }));
        }
        if site.options.databases == Databases::Cnpg && !site.options.parts.contains(&Part::Cnpg) {
            let (pace, faults) = (site.options.pace, Arc::clone(&site.faults));
            tokio::spawn(simulate::cnpg::run(Simulation { client: client.clone(), pace, faults }));
        }
        if site.options.buckets == Buckets::Rook {
            let (pace, faults) = (site.options.pace, Arc::clone(&site.faults));
            tokio::spawn(simulate::rook::run(Simulation { client: client.clone(), pace, faults }));
        }
        match self {
            Self::Scale => {
                scale::start(&site, &client);
                Ok(())
            }
            Self::Node => {
                if site.engines == Engines::Simulated {
                    scale::start(&site, &client);
                }
                Ok(())
            }
            Self::Real => real::start(site, client).await,
        }
    }
}
