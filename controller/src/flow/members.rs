//! Which machines are at the ends of a flow: by the claims of hosts and databases, which tell whose they are at this moment.
//!
//! Not by labels that say so on machines: a machine keeps the labels it was started with when it goes to another
//! department, and would be let through with its old one.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
};

use jiyun_crds::v1alpha1::{FlowDirection, ForeignPeer, SystemPeer};
use jiyun_ledger::{AccountId, Claim, ClaimStage, State};

use super::approved::{Approved, Peer};
use crate::{
    database,
    engines::network::{End, Far, Machines, Way},
    host::{label_of, request::engine_namespace},
};

/// The ends that this department opens: its own, and the other one where that is its own as well.
pub fn ends(claim: &Claim, approved: &Approved, state: &State) -> Vec<End> {
    let own = machines(state, &claim.account, &claim.system, &approved.hosts);
    let (out, back) = match approved.direction {
        FlowDirection::Egress => (Way::Out, Way::In),
        FlowDirection::Ingress => (Way::In, Way::Out),
    };
    match &approved.peer {
        Peer::System(SystemPeer { name, hosts }) => {
            let other = machines(state, &claim.account, name, hosts);
            vec![
                End { way: out, machines: own.clone(), far: Far::Machines(labels(&other)) },
                End { way: back, machines: other, far: Far::Machines(labels(&own)) },
            ]
        }
        Peer::Foreign(ForeignPeer { department, system }) => {
            let other = machines(state, &AccountId::new(department), system, &[]);
            vec![End { way: out, machines: own, far: Far::Machines(labels(&other)) }]
        }
        Peer::IpBlock(block) => vec![End { way: out, machines: own, far: Far::Block(block.clone()) }],
    }
}

fn labels(machines: &Machines) -> Vec<String> {
    let mut labels: Vec<String> = machines.values().flatten().cloned().collect();
    labels.sort();
    labels
}

/// The machines of hosts and databases of a system, of these names or of all, by the namespace they lie in.
fn machines(state: &State, account: &AccountId, system: &str, hosts: &[String]) -> Machines {
    let mut found: Machines = BTreeMap::new();
    for claim in hosts_of(state, account, system, hosts) {
        found.entry(engine_namespace(claim)).or_default().push(label_of(claim.id, state));
    }
    for labels in found.values_mut() {
        labels.sort();
    }
    found
}

/// Hosts and databases of a system, of these names or of all, that were granted and do not end.
pub fn hosts_of<'a>(
    state: &'a State,
    account: &'a AccountId,
    system: &'a str,
    hosts: &'a [String],
) -> impl Iterator<Item = &'a Claim> {
    granted(state, account, system).filter(|claim| hosts.is_empty() || hosts.contains(&claim.subject.name))
}

/// Hosts and databases of a system that were granted and do not end.
fn granted<'a>(state: &'a State, account: &'a AccountId, system: &'a str) -> impl Iterator<Item = &'a Claim> {
    let of_system = move |claim: &&Claim| {
        claim.system == system
            && ["CloudHost", database::KIND].contains(&claim.subject.kind.as_str())
            && matches!(claim.stage(), ClaimStage::Reserved | ClaimStage::Billable)
    };
    state.open_claims_of(account).map(AsRef::as_ref).filter(of_system)
}

/// What is at the ends of flows, as numbers that change when it does. Looked up once for each system.
#[derive(Debug, Default)]
pub struct Fingerprints(HashMap<(AccountId, String), u64>);

impl Fingerprints {
    /// The number of what is at both ends of the flow that was granted `claim`.
    pub fn of(&mut self, claim: &Claim, state: &State) -> u64 {
        let own = self.of_system(&claim.account, &claim.system, state);
        let other = match Approved::of(claim).map(|approved| approved.peer) {
            Ok(Peer::System(SystemPeer { name, .. })) => self.of_system(&claim.account, &name, state),
            Ok(Peer::Foreign(ForeignPeer { department, system })) => {
                self.of_system(&AccountId::new(department), &system, state)
            }
            Ok(Peer::IpBlock(_)) | Err(_) => 0,
        };
        let mut hash = DefaultHasher::new();
        (own, other, &claim.spec_digest).hash(&mut hash);
        hash.finish()
    }

    fn of_system(&mut self, account: &AccountId, system: &str, state: &State) -> u64 {
        let key = (account.clone(), system.to_owned());
        *self.0.entry(key).or_insert_with(|| {
            let mut hash = DefaultHasher::new();
            for claim in granted(state, account, system) {
                (claim.id, &claim.subject.name).hash(&mut hash);
            }
            hash.finish()
        })
    }
}
