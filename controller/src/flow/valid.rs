//! Validate: from a wish and what it names to a flow that can be decided, or the field that is wrong. No client, no clock,
//! no randomness.

use std::collections::BTreeSet;

use jiyun_approvals::{About, Size};
use jiyun_crds::v1alpha1::{
    FlowPeer, FlowReach, ForeignPeer, InformationSystem, IpBlock, NetworkFlow, OrderAction, Reason, SystemPeer,
};
use jiyun_messages::parameters;

use super::{
    approved::{Approved, Peer},
    found::Found,
};
use crate::{
    host::{
        rejection::Rejection,
        valid::{department, known},
    },
    order::route::Asked,
};

/// A flow that can be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valid {
    /// The department that asks.
    pub department: String,
    /// The information system at this end.
    pub system: String,
    /// Its network zone.
    pub zone: String,
    /// Its protection level (等保), 1..=4.
    pub protection_level: u8,
    /// The zones at both ends, as far as they are the department's own.
    pub zones: BTreeSet<String>,
    /// The higher protection level of both ends.
    pub highest_level: u8,
    /// Whether the department, or a unit above it, takes nothing new.
    pub closed: bool,
    /// What is asked for.
    pub approved: Approved,
    /// Digest of the wish; equal wishes have equal digests.
    pub digest: String,
}

impl Valid {
    /// What policies are asked about it.
    pub fn asked(&self, action: OrderAction) -> Asked<'_> {
        Asked {
            department: &self.department,
            zones: self.zones.clone(),
            protection_level: self.highest_level,
            about: BTreeSet::from([About::Flow(self.approved.reach)]),
            actions: BTreeSet::from([action]),
            size: Size::default(),
            held: Size::default(),
        }
    }

    /// The objection to what was approved, where its ends are further apart by now than whoever decided it saw: a system was
    /// made anew in another zone, or handed over.
    pub fn reaches_further(&self, approved: &Approved) -> Option<Rejection> {
        let (was, is) = (approved.reach.to_string(), self.approved.reach.to_string());
        (self.approved.reach > approved.reach && self.approved.peer == approved.peer)
            .then(|| Rejection::misconfigured("FlowReachesFurther", parameters([("was", was), ("is", is)])))
    }

    /// What of a change from what was approved before is not done whoever agrees: a closed department opens nothing more.
    pub fn impossible_change(&self, before: &Approved) -> Option<Rejection> {
        let parameters = parameters([("account", self.department.as_str())]);
        let (reason, code) = (Reason::AccountClosed, Reason::AccountClosed.as_str());
        (self.closed && !self.approved.is_within(before)).then_some(Rejection { reason, code, parameters })
    }
}

/// Checks `flow` against what it names. The first thing wrong is told, in the order of the form. Of what is another
/// department's nothing is checked, whether it is there or not.
///
/// # Errors
/// The field that is wrong and what to do.
pub fn validate(flow: &NetworkFlow, found: &Found) -> Result<Valid, Rejection> {
    let spec = &flow.spec;
    let namespace = flow.metadata.namespace.as_deref().unwrap_or_default();
    let department = department(namespace, found.department.as_ref())?;
    let department = department.metadata.name.clone().unwrap_or_default();
    let name = &spec.system_ref.name;
    let system = known(found.system.as_ref(), "spec.systemRef.name", "InformationSystem", name)?;
    let (peer, reach) = other_end(&spec.peer, &department, name, system, found.peer.as_ref())?;
    let ports: BTreeSet<_> = spec.ports.iter().cloned().collect();
    let approved = Approved {
        reach,
        direction: spec.direction,
        hosts: sorted(&spec.hosts),
        peer,
        ports: ports.into_iter().collect(),
        order: None,
        policies: Vec::new(),
    };
    let other = spec.peer.system.as_ref().and(found.peer.as_ref());
    let systems = || std::iter::once(system).chain(other);
    Ok(Valid {
        department,
        system: name.clone(),
        zone: system.spec.zone_ref.name.clone(),
        protection_level: system.spec.protection_level,
        zones: systems().map(|system| system.spec.zone_ref.name.clone()).collect(),
        highest_level: systems().map(|system| system.spec.protection_level).max().unwrap_or(4),
        closed: found.closed,
        approved,
        digest: super::digest::of(spec),
    })
}

fn sorted(names: &[String]) -> Vec<String> {
    names.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// The other end, and how far that is.
fn other_end(
    peer: &FlowPeer,
    department: &str,
    own_name: &str,
    own: &InformationSystem,
    other: Option<&InformationSystem>,
) -> Result<(Peer, FlowReach), Rejection> {
    match peer {
        FlowPeer { system: Some(SystemPeer { name, hosts }), foreign: None, ip_block: None } => {
            let other = known(other, "spec.peer.system.name", "InformationSystem", name)?;
            let reach = if name == own_name {
                FlowReach::WithinSystem
            } else if other.spec.zone_ref == own.spec.zone_ref {
                FlowReach::WithinZone
            } else {
                FlowReach::CrossZone
            };
            Ok((Peer::System(SystemPeer { name: name.clone(), hosts: sorted(hosts) }), reach))
        }
        FlowPeer { system: None, foreign: Some(ForeignPeer { department: named, .. }), ip_block: None }
            if named == department =>
        {
            let about = parameters([("field", "spec.peer.foreign.department"), ("department", department)]);
            Err(Rejection::misconfigured("ForeignIsOwn", about))
        }
        FlowPeer { system: None, foreign: Some(foreign), ip_block: None } => {
            Ok((Peer::Foreign(foreign.clone()), FlowReach::CrossDepartment))
        }
        FlowPeer { system: None, foreign: None, ip_block: Some(IpBlock { cidr, except }) } => {
            Ok((Peer::IpBlock(IpBlock { cidr: cidr.clone(), except: sorted(except) }), FlowReach::Outside))
        }
        // The schema takes exactly one; an object from before it might not.
        _ => Err(Rejection::misconfigured("OnePeer", parameters([("field", "spec.peer")]))),
    }
}

#[cfg(test)]
mod tests {
    use jiyun_crds::v1alpha1::Department;
    use serde_json::{Value, json};

    use super::*;

    fn flow(peer: &Value) -> NetworkFlow {
        serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "NetworkFlow",
            "metadata": {"name": "f", "namespace": "dept-tax", "uid": "u"},
            "spec": {"systemRef": {"name": "portal"}, "direction": "Egress", "hosts": ["web-2", "web-1"], "peer": peer,
                     "ports": [{"port": 443}, {"port": 80}]},
        }))
        .unwrap()
    }

    fn system(name: &str, zone: &str) -> InformationSystem {
        serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem", "metadata": {"name": name},
            "spec": {"displayName": "系统", "protectionLevel": 2, "zoneRef": {"name": zone}, "owner": {"name": "张三"}},
        }))
        .unwrap()
    }

    fn found(peer: Option<InformationSystem>) -> Found {
        let department: Department = serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Department", "metadata": {"name": "tax"},
            "spec": {"displayName": "税务局", "code": "105", "billingAccount": "105", "zones": ["internet"]},
        }))
        .unwrap();
        Found { department: Some(department), system: Some(system("portal", "internet")), peer, closed: false }
    }

    fn reach(peer: &Value, other: Option<InformationSystem>) -> FlowReach {
        validate(&flow(peer), &found(other)).unwrap().approved.reach
    }

    #[test]
    fn how_far_a_flow_reaches_follows_from_its_ends() {
        let of = |name: &str| json!({"system": {"name": name}});
        assert_eq!(reach(&of("portal"), Some(system("portal", "internet"))), FlowReach::WithinSystem);
        assert_eq!(reach(&of("db"), Some(system("db", "internet"))), FlowReach::WithinZone);
        assert_eq!(reach(&of("db"), Some(system("db", "extranet"))), FlowReach::CrossZone);
        let foreign = json!({"foreign": {"department": "court", "system": "filing"}});
        assert_eq!(reach(&foreign, None), FlowReach::CrossDepartment);
        assert_eq!(reach(&json!({"ipBlock": {"cidr": "0.0.0.0/0"}}), None), FlowReach::Outside);
    }

    #[test]
    fn what_is_not_there_is_told_in_the_own_department_alone() {
        let rejection = validate(&flow(&json!({"system": {"name": "db"}})), &found(None)).unwrap_err();
        assert_eq!(
            (rejection.reason, rejection.parameters["field"].as_str()),
            (Reason::UnknownReference, "spec.peer.system.name")
        );
        let homeless = Found { system: None, ..found(None) };
        let rejection = validate(&flow(&json!({"ipBlock": {"cidr": "10.0.0.0/8"}})), &homeless).unwrap_err();
        assert_eq!(rejection.parameters["field"], "spec.systemRef.name");
        let own = json!({"foreign": {"department": "tax", "system": "db"}});
        assert_eq!(validate(&flow(&own), &found(None)).unwrap_err().code, "ForeignIsOwn");
    }

    #[test]
    fn policies_look_at_both_ends_whichever_declares_the_flow() {
        let mut other = system("db", "extranet");
        other.spec.protection_level = 3;
        let valid = validate(&flow(&json!({"system": {"name": "db"}})), &found(Some(other))).unwrap();
        let asked = valid.asked(OrderAction::Create);
        assert_eq!(asked.zones, BTreeSet::from(["extranet".to_owned(), "internet".to_owned()]));
        assert_eq!(asked.protection_level, 3);
    }

    #[test]
    fn what_reaches_further_than_was_approved_is_told_and_closed() {
        let near = validate(&flow(&json!({"system": {"name": "db"}})), &found(Some(system("db", "internet")))).unwrap();
        let far = validate(&flow(&json!({"system": {"name": "db"}})), &found(Some(system("db", "extranet")))).unwrap();
        assert_eq!(near.digest, far.digest, "the wish says the same");
        assert_eq!(far.reaches_further(&near.approved).unwrap().code, "FlowReachesFurther");
        assert_eq!(near.reaches_further(&far.approved), None);
        assert_eq!(near.reaches_further(&near.approved), None);
    }

    #[test]
    fn a_closed_department_opens_nothing_more_and_closes_what_it_likes() {
        let peer = json!({"ipBlock": {"cidr": "10.0.0.0/8"}});
        let mut closed = found(None);
        closed.closed = true;
        let before = validate(&flow(&peer), &closed).unwrap();
        assert_eq!(before.impossible_change(&before.approved), None);
        let mut wider = flow(&peer);
        wider.spec.hosts.clear();
        let wider = validate(&wider, &closed).unwrap();
        assert_eq!(wider.impossible_change(&before.approved).unwrap().reason, Reason::AccountClosed);
        assert_eq!(before.impossible_change(&wider.approved), None);
        let open = Valid { closed: false, ..wider };
        assert_eq!(open.impossible_change(&before.approved), None);
    }

    #[test]
    fn the_order_in_which_lists_are_written_is_no_other_wish() {
        let peer = json!({"system": {"name": "db", "hosts": ["y", "x"]}});
        let one = validate(&flow(&peer), &found(Some(system("db", "internet")))).unwrap();
        let mut turned = flow(&json!({"system": {"name": "db", "hosts": ["x", "y"]}}));
        turned.spec.hosts.reverse();
        turned.spec.ports.reverse();
        turned.spec.justification = Some("另一个事由".into());
        let other = validate(&turned, &found(Some(system("db", "internet")))).unwrap();
        assert_eq!(one, other);
        turned.spec.ports.pop();
        assert_ne!(super::super::digest::of(&turned.spec), one.digest);
    }
}
