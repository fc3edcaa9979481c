//! Kubernetes' own walls: `NetworkPolicy`, by which a network plugin that knows it lets flows through.
//!
//! Contract: `networking.k8s.io/v1`. Policies add up: what none lets through is denied where one selects the pod, and the
//! department's wall selects all of them. Machines are selected by the claim on their launcher pods, which `KubeVirt` copies
//! from the machine's template. Whether packets are dropped is the plugin's doing, not seen from here.

use std::collections::BTreeMap;

use jiyun_crds::{
    names::{LABEL_CLAIM, LABEL_DEPARTMENT, LABEL_FLOW, LABEL_MANAGED_BY, MANAGED_BY},
    v1alpha1::{FlowPort, IpBlock},
};
use serde_json::{Value, json};

use super::{
    applied,
    view::{EngineKind, Unread, View},
};

/// The kind `NetworkPolicy`.
#[derive(Clone, Debug)]
pub struct NetworkPolicy;

/// A `NetworkPolicy` as we see it: all of its spec, since any change of it opens or closes something.
pub type PolicyView = View<NetworkPolicy>;

impl EngineKind for NetworkPolicy {
    const GROUP: &'static str = "networking.k8s.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "NetworkPolicy";
    const PLURAL: &'static str = "networkpolicies";
    type Spec = Value;
    type Status = Unread;
}

/// Machines by the namespace they lie in, each by the claim on it.
pub type Machines = BTreeMap<String, Vec<String>>;

/// Which way connections go at an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// They are opened there.
    Out,
    /// They are answered there.
    In,
}

/// What is at the far end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Far {
    /// Machines of the platform, each by the claim on it, wherever they lie.
    Machines(Vec<String>),
    /// Addresses.
    Block(IpBlock),
}

/// One end of a flow that is to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Which way.
    pub way: Way,
    /// What is at this end.
    pub machines: Machines,
    /// What is at the other.
    pub far: Far,
}

/// A flow in plain terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowOrder {
    /// The claim it was granted for, as objects are labelled with it.
    pub claim: String,
    /// The department it is of.
    pub department: String,
    /// Its name.
    pub flow: String,
    /// Ports of the end that answers.
    pub ports: Vec<FlowPort>,
    /// What is to be opened.
    pub ends: Vec<End>,
}

/// The policies of a flow, ready for server-side apply: one for each way and namespace. Where nothing is at an end, there
/// is nothing to open.
pub fn policies(order: &FlowOrder) -> Vec<Value> {
    let policy = |end: &End, namespace: &String, here: &Vec<String>| {
        let far = match &end.far {
            Far::Machines(labels) if labels.is_empty() => return None,
            Far::Machines(labels) => json!({
                // Pods that carry a claim are made by engines alone, in namespaces of the platform.
                "namespaceSelector": {"matchLabels": {(LABEL_MANAGED_BY): MANAGED_BY}},
                "podSelector": claims(labels),
            }),
            Far::Block(IpBlock { cidr, except }) => json!({"ipBlock": {"cidr": cidr, "except": except}}),
        };
        let ports: Vec<Value> = order.ports.iter().map(port).collect();
        let (word, kind, list, side, other) = match end.way {
            Way::Out => ("out", "Egress", "egress", "to", "ingress"),
            Way::In => ("in", "Ingress", "ingress", "from", "egress"),
        };
        let labels = json!({
            (LABEL_DEPARTMENT): order.department, (LABEL_FLOW): order.flow, (LABEL_CLAIM): order.claim,
            (LABEL_MANAGED_BY): MANAGED_BY,
        });
        Some(applied::stamped(json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": format!("flow-{}-{word}", order.claim), "namespace": namespace, "labels": labels},
            "spec": {
                "podSelector": claims(here),
                "policyTypes": [kind],
                (list): [{(side): [far], "ports": ports}],
                // Ours as well, so that an opening added there by hand is taken off.
                (other): [],
            },
        })))
    };
    let all =
        order.ends.iter().flat_map(|end| end.machines.iter().map(move |(namespace, here)| (end, namespace, here)));
    all.filter_map(|(end, namespace, here)| policy(end, namespace, here)).collect()
}

fn claims(labels: &[String]) -> Value {
    json!({"matchExpressions": [{"key": LABEL_CLAIM, "operator": "In", "values": labels}]})
}

/// The last port is always said: left out, somebody could add one without changing anything we said.
fn port(FlowPort { protocol, port, end_port }: &FlowPort) -> Value {
    json!({"protocol": protocol, "port": port, "endPort": end_port.unwrap_or(*port)})
}

/// Whether a policy says what was applied, and nothing else: more in it opens more.
pub fn stands(policy: &PolicyView, desired: &Value) -> bool {
    same(Some(&policy.spec), desired.get("spec"))
}

/// What is empty may be left out: the API server drops it.
fn same(actual: Option<&Value>, desired: Option<&Value>) -> bool {
    match (actual, desired) {
        (Some(Value::Object(actual)), Some(Value::Object(desired))) => {
            let keys = actual.keys().chain(desired.keys());
            keys.into_iter().all(|key| same(actual.get(key), desired.get(key)))
        }
        (Some(Value::Array(actual)), Some(Value::Array(desired))) => {
            actual.len() == desired.len()
                && actual.iter().zip(desired).all(|(actual, desired)| same(Some(actual), Some(desired)))
        }
        (Some(value), None) | (None, Some(value)) => is_empty(value),
        (actual, desired) => actual == desired,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Null => true,
        _ => false,
    }
}

/// The name of a built policy.
pub fn name_of(policy: &Value) -> &str {
    policy.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

/// The namespace of a built policy.
pub fn namespace_of(policy: &Value) -> &str {
    policy.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(ends: Vec<End>) -> FlowOrder {
        FlowOrder {
            claim: "claim-9.book".into(),
            department: "tax".into(),
            flow: "web-to-db".into(),
            ports: vec![serde_json::from_value(json!({"port": 5236})).unwrap()],
            ends,
        }
    }

    fn machines(namespace: &str, claims: &[&str]) -> Machines {
        [(namespace.to_owned(), claims.iter().map(ToString::to_string).collect())].into()
    }

    #[test]
    fn both_ends_of_a_flow_in_one_department_are_opened_and_each_names_the_other() {
        let out = End {
            way: Way::Out,
            machines: machines("engine-tax", &["claim-1.book"]),
            far: Far::Machines(vec!["claim-2.book".into()]),
        };
        let back = End {
            way: Way::In,
            machines: machines("engine-tax", &["claim-2.book"]),
            far: Far::Machines(vec!["claim-1.book".into()]),
        };
        let built = policies(&order(vec![out, back]));
        let names: Vec<_> = built.iter().map(name_of).collect();
        assert_eq!(names, ["flow-claim-9.book-out", "flow-claim-9.book-in"]);
        assert_eq!(built[0]["spec"]["policyTypes"], json!(["Egress"]));
        assert_eq!(built[0]["spec"]["podSelector"], claims(&["claim-1.book".into()]));
        assert_eq!(built[0]["spec"]["egress"][0]["to"][0]["podSelector"], claims(&["claim-2.book".into()]));
        assert_eq!(built[0]["spec"]["egress"][0]["ports"], json!([{"protocol": "TCP", "port": 5236, "endPort": 5236}]));
        assert_eq!(built[1]["spec"]["ingress"][0]["from"][0]["podSelector"], claims(&["claim-1.book".into()]));
    }

    #[test]
    fn a_machine_that_was_handed_over_is_opened_where_it_lies() {
        let mut here = machines("engine-tax", &["claim-1.book"]);
        here.extend(machines("engine-court", &["claim-3.book"]));
        let block = Far::Block(serde_json::from_value(json!({"cidr": "10.0.0.0/8"})).unwrap());
        let built = policies(&order(vec![End { way: Way::Out, machines: here, far: block }]));
        let places: Vec<_> = built.iter().map(namespace_of).collect();
        assert_eq!(places, ["engine-court", "engine-tax"]);
        assert_eq!(built[0]["spec"]["podSelector"], claims(&["claim-3.book".into()]));
    }

    #[test]
    fn where_nothing_is_at_an_end_nothing_is_opened() {
        let nobody = End { way: Way::Out, machines: Machines::new(), far: Far::Machines(vec!["claim-2.book".into()]) };
        let alone =
            End { way: Way::Out, machines: machines("engine-tax", &["claim-1.book"]), far: Far::Machines(Vec::new()) };
        assert!(policies(&order(vec![nobody, alone])).is_empty(), "an empty peer would let everybody through");
    }
}
