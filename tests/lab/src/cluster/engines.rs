//! Who moves the machines of a lab.

use std::collections::BTreeSet;
use std::fmt;

use crate::parts::Part;
use crate::profile::Profile;

/// The engines of a lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engines {
    /// There are none.
    None,
    /// The lab's simulators move the engines' objects.
    Simulated,
    /// KubeVirt's own control plane runs as processes of the lab; nodes are simulated.
    KubeVirt,
    /// KubeVirt runs on the lab's node, and guests boot.
    OnNode,
    /// Those of the given cluster: the lab installs and simulates nothing.
    TheClusters,
}

impl Engines {
    /// Those of a profile in a Kubernetes of the lab's own.
    pub(crate) fn of(profile: Profile, parts: &BTreeSet<Part>) -> Self {
        match profile {
            Profile::Node if parts.contains(&Part::Kubevirt) => Self::OnNode,
            // Machines of a node are simulated as elsewhere; its pods are not.
            Profile::Scale | Profile::Node => Self::Simulated,
            Profile::Real => Self::KubeVirt,
        }
    }

    /// Whether the lab installs and runs them.
    pub(crate) fn are_the_labs(self) -> bool {
        matches!(self, Self::Simulated | Self::KubeVirt | Self::OnNode)
    }
}

impl fmt::Display for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Simulated => "simulated",
            Self::KubeVirt => "KubeVirt's own control plane, simulated nodes",
            Self::OnNode => "KubeVirt on the lab's node, guests in software emulation",
            Self::TheClusters => "the cluster's own",
        })
    }
}
