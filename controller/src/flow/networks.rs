//! Whether anything leads from one end of a flow to the other: walls that are open connect no two networks.
//!
//! Departments' own networks have nothing in common but what platform operators connect on their routers, which is read there.

use std::collections::BTreeSet;

use jiyun_crds::{names::department_of_engine_namespace, v1alpha1::SystemPeer};
use jiyun_ledger::{AccountId, Claim, State};

use super::{
    approved::{Approved, Peer},
    members,
};
use crate::{
    engines::kube_ovn::{VpcSpec, vpc_name},
    host::{approved::subnet_of, request::engine_namespace},
};

/// Where machines lie: behind the router of this name, or in the cluster's own network.
type Network = Option<String>;

/// Routers were not listed yet: nothing can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotListed;

/// What is missing between two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// They lie in networks that are not connected.
    Between,
    /// The other department's network is not connected to this one.
    ToOthers,
    /// Nothing leads out of this network.
    ToOutside,
}

impl Gap {
    /// The code of its sentence.
    pub fn code(self) -> &'static str {
        match self {
            Self::Between => "NotConnected",
            Self::ToOthers => "NotConnectedToOthers",
            Self::ToOutside => "NotConnectedToOutside",
        }
    }
}

/// What is missing between the ends of the flow that was granted `claim`; `router` finds what operators set on a router, as
/// soon as routers are listed. Of another department only its name is looked at.
///
/// # Errors
/// When a router has to be looked at, and none is listed yet.
pub fn gap(
    claim: &Claim,
    approved: &Approved,
    state: &State,
    router: impl Fn(&str) -> Option<VpcSpec>,
) -> Result<Option<Gap>, NotListed> {
    let own = networks(state, &claim.account, &claim.system, &approved.hosts);
    let routers = || own.iter().flatten().map(|name| router(name)).collect::<Option<Vec<_>>>().ok_or(NotListed);
    Ok(match &approved.peer {
        Peer::System(SystemPeer { name, hosts }) => {
            let other = networks(state, &claim.account, name, hosts);
            // Each that is here is to reach each that is there.
            let same = own.iter().all(|here| other.iter().all(|there| here == there));
            (!same).then_some(Gap::Between)
        }
        Peer::Foreign(peer) => {
            let theirs = vpc_name(&peer.department);
            routers()?.iter().any(|router| !router.is_joined_to(&theirs)).then_some(Gap::ToOthers)
        }
        Peer::IpBlock(_) => routers()?.iter().any(|router| !router.has_way_out()).then_some(Gap::ToOutside),
    })
}

fn networks(state: &State, account: &AccountId, system: &str, hosts: &[String]) -> BTreeSet<Network> {
    members::hosts_of(state, account, system, hosts).map(network).collect()
}

fn network(claim: &Claim) -> Network {
    subnet_of(claim)?;
    let namespace = engine_namespace(claim);
    Some(vpc_name(department_of_engine_namespace(&namespace)?))
}
