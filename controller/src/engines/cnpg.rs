//! CloudNativePG: PostgreSQL as `Cluster`s.
//!
//! Contract: `postgresql.cnpg.io/v1`, release 1.30; the status in its `api/v1/cluster_types.go`. What it says is read from
//! conditions; `phase` is text for people. Power is declared by an annotation (`pkg/reconciler/hibernation`): instances go,
//! their storage stays. User and password lie in a Secret the engine makes (`pkg/specs/secrets.go`), and stay there.

pub mod instances;

use jiyun_crds::{
    names::{LABEL_CLAIM, LABEL_DATABASE, LABEL_DEPARTMENT},
    v1alpha1::Quantity,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    applied,
    order::{DatabaseOrder, Power},
    view::{EngineKind, View},
};

/// The annotation that declares whether instances run.
pub const HIBERNATION: &str = "cnpg.io/hibernation";

/// The label of everything made for a cluster: its name.
pub const CLUSTER: &str = "cnpg.io/cluster";

/// The port PostgreSQL answers at.
pub const PORT: u16 = 5432;

/// The port at which the operator asks an instance how it is (`pkg/management/url/url.go`).
const STATUS_PORT: u16 = 8000;

/// The database made at the beginning, and the user that owns it.
pub const DATABASE: &str = "app";

/// The kind `Cluster`.
#[derive(Clone, Debug)]
pub struct Cluster;

/// A `Cluster` as we see it.
pub type ClusterView = View<Cluster>;

impl EngineKind for Cluster {
    const GROUP: &'static str = "postgresql.cnpg.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Cluster";
    const PLURAL: &'static str = "clusters";
    type Spec = ClusterSpec;
    type Status = ClusterStatus;
}

/// What is read of a cluster's wish: where its storage lies, which does not move.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClusterSpec {
    /// Storage of each instance.
    pub storage: Option<Storage>,
}

/// Storage of each instance.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Storage {
    /// Its class.
    pub storage_class: Option<String>,
    /// Its size.
    pub size: Option<Quantity>,
}

/// What is read of a cluster's status.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClusterStatus {
    /// `CloudNativePG`'s words for people.
    pub phase: Option<String>,
    /// Instances that answer.
    pub ready_instances: Option<u32>,
    /// Conditions.
    pub conditions: Option<Vec<Condition>>,
}

/// A condition of a cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `True`, `False` or `Unknown`.
    pub status: Option<String>,
}

/// What a database is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseState {
    /// Every instance answers.
    Running,
    /// Shut down.
    Stopped,
    /// On its way; the engine's words.
    Changing(String),
    /// The engine reports a fault; its words.
    Failed(String),
}

/// Phases that do not pass by waiting for the normal course of things.
const FAULTS: [&str; 5] = [
    "Cluster is unrecoverable and needs manual intervention",
    "Cluster has incomplete or invalid image catalog",
    "Unable to create required cluster objects",
    "Invalid cluster definition",
    "Not enough disk space",
];

/// Reads the state of a database that is to have so many instances.
pub fn state(status: &ClusterStatus, instances: u64) -> DatabaseState {
    let found = |kind: &str| {
        let all = status.conditions.iter().flatten();
        all.filter(|condition| condition.kind.as_deref() == Some(kind))
            .find_map(|condition| condition.status.as_deref())
    };
    let hibernation = found(HIBERNATION);
    if hibernation == Some("True") {
        return DatabaseState::Stopped;
    }
    let all_answer = u64::from(status.ready_instances.unwrap_or_default()) >= instances;
    if found("Ready") == Some("True") && hibernation.is_none() && all_answer {
        return DatabaseState::Running;
    }
    // The phase alone: the reason beside it may name nodes and others' objects, and is for operators.
    match status.phase.as_deref() {
        Some(fault) if FAULTS.contains(&fault) => DatabaseState::Failed(fault.to_owned()),
        // Said until the engine looks again: it is on its way all the same.
        Some("Cluster in healthy state") | None => DatabaseState::Changing("Pending".to_owned()),
        Some(phase) => DatabaseState::Changing(phase.to_owned()),
    }
}

/// What the annotation says for `power`.
pub fn hibernation(power: Power) -> &'static str {
    match power {
        Power::On => "off",
        Power::Off => "on",
    }
}

/// The name of the Secret with user and password of a cluster, in its own namespace.
pub fn secret_name(cluster: &str) -> String {
    format!("{cluster}-app")
}

/// The name of what the wall lets through for a cluster.
pub fn gate_name(cluster: &str) -> String {
    format!("database-{cluster}")
}

/// The primary's name on the network; the engine moves it with the primary.
pub fn host(cluster: &str, namespace: &str) -> String {
    format!("{cluster}-rw.{namespace}.svc")
}

/// The standbys' name on the network, where there are any.
pub fn read_only_host(cluster: &str, namespace: &str, instances: u64) -> Option<String> {
    (instances > 1).then(|| format!("{cluster}-ro.{namespace}.svc"))
}

/// The `Cluster` of an order, ready for server-side apply.
pub fn build(order: &DatabaseOrder) -> Value {
    // What counts on a node is what was booked, and nothing else of the node's.
    let resources = json!({"cpu": order.vcpu.to_string(), "memory": format!("{}Mi", order.memory_mebibytes)});
    // On instances and volumes: walls are opened for the claim on them, and what is left of a cluster is found by it.
    let links: Map<String, Value> = [LABEL_DEPARTMENT, LABEL_DATABASE, LABEL_CLAIM]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), order.labels.get(name)?.clone().into())))
        .collect();
    applied::stamped(json!({
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {
            "name": order.name,
            "namespace": order.namespace,
            "labels": order.labels,
            "annotations": {(HIBERNATION): hibernation(order.power)},
        },
        "spec": {
            "instances": order.instances,
            "imageName": order.image,
            "inheritedMetadata": {"labels": links},
            "bootstrap": {"initdb": {"database": DATABASE, "owner": DATABASE}},
            "enableSuperuserAccess": false,
            "storage": {"size": format!("{}Mi", order.storage_mebibytes), "storageClass": order.storage_class},
            "resources": {"requests": resources, "limits": resources},
            "affinity": {
                "nodeSelector": {"kubernetes.io/arch": order.architecture},
                // Apart where there are nodes enough; where there are not, a standby beside its primary is better than none.
                "enablePodAntiAffinity": true,
                "podAntiAffinityType": "preferred",
                "topologyKey": "kubernetes.io/hostname",
            },
        },
    }))
}

/// What the department's wall has to let through so that the engine can work at all, ready for server-side apply: instances
/// among each other, the operator to them, and they to names and to the API server, whose address no policy can tell.
pub fn gate(order: &DatabaseOrder) -> Value {
    let own = json!({"podSelector": {"matchLabels": {(CLUSTER): order.name}}});
    let operator = json!({
        "namespaceSelector": {}, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "cloudnative-pg"}},
    });
    let port = |protocol: &str, port: u16| json!({"protocol": protocol, "port": port});
    let among = json!([port("TCP", PORT), port("TCP", STATUS_PORT)]);
    applied::stamped(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": gate_name(&order.name), "namespace": order.namespace, "labels": order.labels},
        "spec": {
            "podSelector": {"matchLabels": {(CLUSTER): order.name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [own, operator], "ports": among}],
            "egress": [
                {"to": [own], "ports": among},
                {"ports": [port("UDP", 53), port("TCP", 53), port("TCP", 443), port("TCP", 6443)]},
            ],
        },
    }))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    fn status(text: &Value) -> ClusterStatus {
        serde_json::from_value(text.clone()).unwrap()
    }

    fn ready(instances: u32, further: &[Value]) -> ClusterStatus {
        let mut conditions = vec![json!({"type": "Ready", "status": "True"})];
        conditions.extend_from_slice(further);
        status(&json!({
            "phase": "Cluster in healthy state", "readyInstances": instances, "instances": 3, "conditions": conditions,
        }))
    }

    pub fn order(power: Power) -> DatabaseOrder {
        let labels =
            [(LABEL_DEPARTMENT, "tax"), (LABEL_CLAIM, "claim-1.book"), ("app.kubernetes.io/managed-by", "jiyun")];
        DatabaseOrder {
            namespace: "engine-tax".into(),
            name: "pg".into(),
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            image: "registry.example/postgresql:17.6".into(),
            instances: 2,
            vcpu: 2,
            memory_mebibytes: 8192,
            architecture: "amd64".into(),
            storage_mebibytes: 10_240,
            storage_class: "standard".into(),
            power,
        }
    }

    #[test]
    fn a_database_runs_once_every_instance_answers() {
        assert_eq!(state(&ready(3, &[]), 3), DatabaseState::Running);
        assert_eq!(state(&ready(2, &[]), 3), DatabaseState::Changing("Pending".into()));
        assert_eq!(state(&ClusterStatus::default(), 1), DatabaseState::Changing("Pending".into()));
        let setting_up = json!({"phase": "Setting up primary", "readyInstances": null, "conditions": null});
        assert_eq!(state(&status(&setting_up), 1), DatabaseState::Changing("Setting up primary".into()));
    }

    #[test]
    fn it_is_stopped_once_the_engine_says_so_and_not_while_instances_still_go() {
        let hibernation = |status: &str| json!({"type": "cnpg.io/hibernation", "status": status});
        assert_eq!(state(&ready(0, &[hibernation("True")]), 3), DatabaseState::Stopped);
        assert_eq!(state(&ready(3, &[hibernation("False")]), 3), DatabaseState::Changing("Pending".into()));
    }

    #[test]
    fn what_does_not_pass_by_waiting_is_a_fault() {
        let phase = "Cluster is unrecoverable and needs manual intervention";
        assert_eq!(state(&status(&json!({"phase": phase})), 1), DatabaseState::Failed(phase.into()));
    }

    #[test]
    fn power_is_an_annotation_and_nothing_else_of_the_cluster_changes_with_it() {
        let (on, off) = (build(&order(Power::On)), build(&order(Power::Off)));
        assert_eq!(on["metadata"]["annotations"][HIBERNATION], "off");
        assert_eq!(off["metadata"]["annotations"][HIBERNATION], "on");
        assert_eq!(on["spec"], off["spec"]);
    }

    #[test]
    fn instances_carry_the_claim_and_keep_the_engines_own_labels() {
        let links = &build(&order(Power::On))["spec"]["inheritedMetadata"]["labels"];
        assert_eq!(*links, json!({"jiyun.io/department": "tax", "jiyun.io/claim": "claim-1.book"}));
    }

    #[test]
    fn only_where_there_are_standbys_is_there_a_name_for_them() {
        assert_eq!(read_only_host("pg", "engine-tax", 1), None);
        assert_eq!(read_only_host("pg", "engine-tax", 2).as_deref(), Some("pg-ro.engine-tax.svc"));
        assert_eq!(host("pg", "engine-tax"), "pg-rw.engine-tax.svc");
    }
}
