//! What was approved for a network flow: kept in the ledger, and all that the walls are opened for.

use jiyun_crds::v1alpha1::{
    FlowDirection, FlowPort, FlowProtocol, FlowReach, ForeignPeer, IpBlock, RefusalParameter, SystemPeer,
};
use jiyun_ledger::Claim;
use serde::{Deserialize, Serialize};

use crate::order::mark::OrderMark;

/// A flow as it was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approved {
    /// How far it reaches.
    pub reach: FlowReach,
    /// Which end opens connections.
    pub direction: FlowDirection,
    /// Hosts at this end, in their order; none named: all of the system.
    pub hosts: Vec<String>,
    /// The other end.
    pub peer: Peer,
    /// Ports of the end that answers, in their order.
    pub ports: Vec<FlowPort>,
    /// The order that was approved, if people had to agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderMark>,
    /// The policies that let it through, if nobody had to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
}

/// The other end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Peer {
    /// A system of the same department.
    System(SystemPeer),
    /// A system of another one.
    Foreign(ForeignPeer),
    /// Addresses outside the platform.
    IpBlock(IpBlock),
}

impl Approved {
    /// What a claim was granted for.
    ///
    /// # Errors
    /// When the book's text is none of ours.
    pub fn of(claim: &Claim) -> Result<Self, serde_json::Error> {
        Self::deserialize(&*claim.approved_spec)
    }

    /// Whether everything this lets through, `other` lets through as well: the same peer further away is another one.
    pub fn is_within(&self, other: &Self) -> bool {
        let peers = match (&self.peer, &other.peer) {
            (Peer::System(one), Peer::System(all)) => one.name == all.name && are_among(&one.hosts, &all.hosts),
            (Peer::Foreign(one), Peer::Foreign(all)) => one == all,
            (Peer::IpBlock(one), Peer::IpBlock(all)) => {
                one.cidr == all.cidr && all.except.iter().all(|left_out| one.except.contains(left_out))
            }
            _ => false,
        };
        let ports = self.ports.iter().all(|port| other.ports.iter().any(|wider| lies_in(port, wider)));
        let reach = self.reach <= other.reach;
        reach && peers && ports && self.direction == other.direction && are_among(&self.hosts, &other.hosts)
    }

    /// What was approved, for people.
    pub fn summary(&self) -> Vec<RefusalParameter> {
        let all = |hosts: &[String]| if hosts.is_empty() { "*".to_owned() } else { named(hosts) };
        let peer = match &self.peer {
            Peer::System(SystemPeer { name, hosts }) => format!("{name}: {}", all(hosts)),
            Peer::Foreign(ForeignPeer { department, system }) => format!("{department}/{system}"),
            Peer::IpBlock(IpBlock { cidr, except }) if except.is_empty() => cidr.clone(),
            Peer::IpBlock(IpBlock { cidr, except }) => format!("{cidr} - {}", except.join(", ")),
        };
        let ports: Vec<String> = self.ports.iter().map(shown).collect();
        [
            ("reach", self.reach.to_string()),
            ("direction", self.direction.to_string()),
            ("hosts", all(&self.hosts)),
            ("peer", peer),
            ("ports", ports.join(", ")),
        ]
        .map(|(name, value)| RefusalParameter { name: name.to_owned(), value: value.chars().take(1024).collect() })
        .into()
    }
}

/// Whether a claim is a flow's whose other end is the own department's system of this name.
pub fn is_to(claim: &Claim, system: &str) -> bool {
    let to = |approved: Approved| matches!(approved.peer, Peer::System(peer) if peer.name == system);
    claim.subject.kind == super::KIND && Approved::of(claim).is_ok_and(to)
}

/// Whether hosts named (none: all) are among others.
fn are_among(some: &[String], others: &[String]) -> bool {
    others.is_empty() || (!some.is_empty() && some.iter().all(|host| others.contains(host)))
}

/// The last port of an entry.
pub fn last(port: &FlowPort) -> u32 {
    port.end_port.unwrap_or(port.port)
}

/// As many names as are read in one line; how many more there are is told.
fn named(hosts: &[String]) -> String {
    const SHOWN: usize = 12;
    let more = hosts.len().saturating_sub(SHOWN);
    let shown = hosts.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} (+{more})") }
}

fn lies_in(port: &FlowPort, wider: &FlowPort) -> bool {
    port.protocol == wider.protocol && wider.port <= port.port && last(port) <= last(wider)
}

fn shown(port: &FlowPort) -> String {
    let FlowPort { protocol, port: first, .. } = port;
    let protocol = match protocol {
        FlowProtocol::TCP => "TCP",
        FlowProtocol::UDP => "UDP",
    };
    let last = last(port);
    if last == *first { format!("{protocol} {first}") } else { format!("{protocol} {first}-{last}") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn approved(change: &Value) -> Approved {
        let mut whole = json!({
            "reach": "WithinZone", "direction": "Egress", "hosts": ["a", "b"],
            "peer": {"system": {"name": "db", "hosts": []}},
            "ports": [{"protocol": "TCP", "port": 8000, "endPort": 8100}],
        });
        for (name, value) in change.as_object().unwrap() {
            whole[name] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn what_lets_less_through_is_within_and_what_lets_anything_else_through_is_not() {
        let whole = approved(&json!({}));
        for (change, within) in [
            (json!({}), true),
            (json!({"hosts": ["a"]}), true),
            (json!({"hosts": ["a", "c"]}), false),
            (json!({"hosts": []}), false),
            (json!({"peer": {"system": {"name": "db", "hosts": ["x"]}}}), true),
            (json!({"peer": {"system": {"name": "other", "hosts": []}}}), false),
            (json!({"peer": {"foreign": {"department": "tax", "system": "db"}}}), false),
            (json!({"ports": [{"protocol": "TCP", "port": 8050}]}), true),
            (json!({"ports": [{"protocol": "UDP", "port": 8050}]}), false),
            (json!({"ports": [{"protocol": "TCP", "port": 8050, "endPort": 8101}]}), false),
            (json!({"ports": [{"protocol": "TCP", "port": 8050}, {"protocol": "TCP", "port": 22}]}), false),
            (json!({"direction": "Ingress"}), false),
            (json!({"reach": "CrossZone", "hosts": ["a"]}), false),
            (json!({"reach": "WithinSystem"}), true),
        ] {
            assert_eq!(approved(&change).is_within(&whole), within, "{change}");
        }
        let block = |except: Value| approved(&json!({"peer": {"ipBlock": {"cidr": "10.0.0.0/8", "except": except}}}));
        assert!(block(json!(["10.1.0.0/16"])).is_within(&block(json!([]))));
        assert!(!block(json!([])).is_within(&block(json!(["10.1.0.0/16"]))));
    }

    #[test]
    fn approvers_read_who_and_which_ports() {
        let summary = approved(&json!({})).summary();
        let told: Vec<_> = summary.iter().map(|each| format!("{}={}", each.name, each.value)).collect();
        assert_eq!(told, ["reach=WithinZone", "direction=Egress", "hosts=a, b", "peer=db: *", "ports=TCP 8000-8100"]);
    }
}
