//! Nodes (物理节点) of a site: what its machines have, for pools that read their capacity there, and whether they answer, for
//! hosts that run there.
//!
//! Contract: Kubernetes `v1` `Node`, `status.allocatable` (what the kubelet leaves to pods after its own reservations)
//! and `spec.unschedulable` (cordoned); the condition `Ready` of its `status`.

use std::collections::BTreeMap;

use jiyun_crds::v1alpha1::Quantity;
use serde::Deserialize;

use super::view::{EngineKind, View};

/// The kind `Node`.
#[derive(Clone, Debug)]
pub struct Node;

/// A `Node` as we see it.
pub type NodeView = View<Node>;

impl EngineKind for Node {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Node";
    const PLURAL: &'static str = "nodes";
    type Spec = NodeSpec;
    type Status = NodeStatus;
}

/// What is read of a node's wish.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct NodeSpec {
    /// Whether it was cordoned.
    pub unschedulable: Option<bool>,
}

/// What is read of a node's status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct NodeStatus {
    /// What it has for pods, by resource.
    pub allocatable: Option<BTreeMap<String, Quantity>>,
    /// How it is.
    pub conditions: Option<Vec<NodeCondition>>,
}

/// What is read of a node's condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct NodeCondition {
    /// Which.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `True`, `False` or `Unknown`.
    pub status: Option<String>,
}

/// Whether nothing is heard of a node any more. Kubernetes turns its condition `Ready` to `Unknown` after 50 s without a sign
/// (pkg/controller/nodelifecycle, `--node-monitor-grace-period`); `False` is what the node itself says.
pub fn is_silent(status: &NodeStatus) -> bool {
    let mut all = status.conditions.iter().flatten();
    all.any(|condition| (condition.kind.as_deref(), condition.status.as_deref()) == (Some("Ready"), Some("Unknown")))
}

/// What the nodes of a pool have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hardware {
    /// Nodes counted.
    pub counted: usize,
    /// Nodes that carry the labels and are not counted: cordoned, leaving, or without figures that can be read.
    pub left_out: usize,
    /// Threads of those counted, whole ones of each.
    pub vcpu: u64,
    /// Memory of those counted in MiB, whole ones of each.
    pub mebibytes: u64,
}

/// Adds up the nodes that carry every label of `selector` (`key=value`, separated by commas).
///
/// A node that is only not ready counts: it comes back, and a pool that shrank with every reboot would refuse what has
/// room. A cordoned one does not: operators took it out.
pub fn hardware<'a>(nodes: impl Iterator<Item = &'a NodeView>, selector: &str) -> Hardware {
    let mut sum = Hardware::default();
    for node in nodes.filter(|node| carries(node, selector)) {
        let leaving = node.spec.unschedulable == Some(true) || node.metadata.deletion_timestamp.is_some();
        match has(&node.status).filter(|_| !leaving) {
            Some((vcpu, mebibytes)) => {
                sum.counted += 1;
                sum.vcpu = sum.vcpu.saturating_add(vcpu);
                sum.mebibytes = sum.mebibytes.saturating_add(mebibytes);
            }
            None => sum.left_out += 1,
        }
    }
    sum
}

fn carries(node: &NodeView, selector: &str) -> bool {
    let labels = node.metadata.labels.as_ref();
    selector.split(',').all(|label| {
        let (key, value) = label.split_once('=').unwrap_or((label, ""));
        labels.and_then(|labels| labels.get(key)).is_some_and(|is| is == value)
    })
}

fn has(status: &NodeStatus) -> Option<(u64, u64)> {
    let allocatable = status.allocatable.as_ref()?;
    Some((allocatable.get("cpu")?.whole_down().ok()?, allocatable.get("memory")?.mebibytes_down().ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(labels: &serde_json::Value, cordoned: bool, allocatable: &serde_json::Value) -> NodeView {
        serde_json::from_value(json!({
            "metadata": {"name": "n", "labels": labels},
            "spec": {"unschedulable": cordoned}, "status": {"allocatable": allocatable},
        }))
        .unwrap()
    }

    #[test]
    fn only_nodes_with_every_label_count_and_each_is_rounded_down() {
        let mine = json!({"pool": "hygon", "room": "3"});
        let nodes = [
            node(&mine, false, &json!({"cpu": "63900m", "memory": "263847000Ki"})),
            node(&mine, false, &json!({"cpu": "64", "memory": "256Gi"})),
            node(&json!({"pool": "hygon"}), false, &json!({"cpu": "64", "memory": "256Gi"})),
            node(&json!({}), false, &json!({"cpu": "64", "memory": "256Gi"})),
        ];
        let sum = hardware(nodes.iter(), "pool=hygon,room=3");
        assert_eq!(sum, Hardware { counted: 2, left_out: 0, vcpu: 127, mebibytes: 257_663 + 262_144 });
        assert_eq!(hardware(nodes.iter(), "pool=kunpeng"), Hardware::default());
    }

    #[test]
    fn a_node_is_silent_when_kubernetes_hears_nothing_of_it_and_not_when_it_says_that_it_is_unwell() {
        let silent = |conditions: serde_json::Value| {
            is_silent(&serde_json::from_value(json!({"conditions": conditions})).unwrap())
        };
        assert!(silent(
            json!([{"type": "MemoryPressure", "status": "Unknown"}, {"type": "Ready", "status": "Unknown"}])
        ));
        assert!(!silent(
            json!([{"type": "MemoryPressure", "status": "Unknown"}, {"type": "Ready", "status": "False"}])
        ));
        assert!(!silent(json!([{"type": "Ready", "status": "True", "lastHeartbeatTime": null}])));
        assert!(!silent(json!(null)));
    }

    #[test]
    fn a_cordoned_node_and_one_without_figures_are_left_out_and_told() {
        let mine = json!({"pool": "hygon"});
        let nodes = [
            node(&mine, true, &json!({"cpu": "64", "memory": "256Gi"})),
            node(&mine, false, &json!(null)),
            node(&mine, false, &json!({"cpu": "many", "memory": "256Gi"})),
        ];
        assert_eq!(hardware(nodes.iter(), "pool=hygon"), Hardware { left_out: 3, ..Hardware::default() });
    }
}
