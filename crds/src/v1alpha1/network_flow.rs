//! Network flow (网络互访): who may talk to whom, beyond the wall around every department's machines.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::conditions_schema;
use super::{HostRefusal, LocalRef};
use crate::rules;
use crate::schema::structural;

/// A declared flow between hosts of an information system and a peer. Everything that is not declared is denied. The
/// object is the request; nothing is let through until it was decided (condition `Admitted`), and what is let through is
/// what was decided, whatever the object says since.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "NetworkFlow",
    namespaced,
    doc = "Who may talk to whom (网络互访), beyond the wall around a department's machines.",
    status = "NetworkFlowStatus",
    shortname = "nflow",
    category = "jiyun",
    derive = "PartialEq",
    selectable = ".spec.systemRef.name",
    validation = rules::short_name(),
    printcolumn(name = "System", type_ = "string", json_path = ".spec.systemRef.name"),
    printcolumn(name = "Direction", type_ = "string", json_path = ".spec.direction"),
    printcolumn(name = "Reach", type_ = "string", json_path = ".status.reach"),
    printcolumn(name = "Admitted", type_ = "string", json_path = r#".status.conditions[?(@.type=="Admitted")].status"#),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Admitted")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Order", type_ = "string", json_path = ".status.orderRef.name", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct NetworkFlowSpec {
    /// [immutable] The `InformationSystem` of the same namespace whose hosts are at this end.
    #[x_kube(validation = rules::immutable("所属信息系统", "systemRef"))]
    pub system_ref: LocalRef,
    /// [immutable] Which end opens the connection.
    #[x_kube(validation = rules::immutable("方向", "direction"))]
    pub direction: FlowDirection,
    /// [guarded] Names of the hosts and databases at this end, at most 32. Left out: all of the system, those to come as well.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(max = 253)))]
    #[x_kube(validation = rules::names("本端云主机", "hosts"), merge_strategy = ListMerge::Set)]
    pub hosts: Vec<String>,
    /// [guarded] The other end: exactly one of `system`, `foreign` and `ipBlock`.
    pub peer: FlowPeer,
    /// [guarded] Ports of the end that answers, 1 to 16.
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new("self.size() >= 1").message("至少填写一个端口 (ports must hold at least one entry)"),
        merge_strategy = ListMerge::Map(vec!["protocol".to_owned(), "port".to_owned()])
    )]
    pub ports: Vec<FlowPort>,
    /// [free] What it is for (事由), one line of at most 512 characters. Approvers read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = rules::line("事由", "justification"))]
    pub justification: Option<String>,
}

/// Which end opens the connection.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::IntoStaticStr,
    strum::EnumIter,
    strum::EnumString,
)]
pub enum FlowDirection {
    /// the hosts of the system call the peer (出向).
    Egress,
    /// the peer calls the hosts of the system (入向).
    Ingress,
}

/// The other end of a flow.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::one_peer())]
pub struct FlowPeer {
    /// [guarded] An information system of the same department; the flow's own one as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemPeer>,
    /// [guarded] A system of another department. Each department declares its own end; nothing passes before both ends
    /// are decided. Whether there is such a department or system is told to nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign: Option<ForeignPeer>,
    /// [guarded] Addresses outside the platform: the internet, old server rooms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_block: Option<IpBlock>,
}

/// A system of the same department.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemPeer {
    /// [guarded] Name of the `InformationSystem`.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::reference())]
    pub name: String,
    /// [guarded] Names of its hosts and databases, at most 32. Left out: all of them.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(max = 253)))]
    #[x_kube(validation = rules::names("对端云主机", "peer.system.hosts"), merge_strategy = ListMerge::Set)]
    pub hosts: Vec<String>,
}

/// A system of another department.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForeignPeer {
    /// [guarded] Name of the department, as it tells it.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::reference())]
    pub department: String,
    /// [guarded] Name of its system, as it tells it.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::reference())]
    pub system: String,
}

/// Addresses outside the platform.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::excepted_within())]
pub struct IpBlock {
    /// [guarded] Network in CIDR notation, IPv4 or IPv6, e.g. `10.20.0.0/16`.
    #[schemars(length(max = 43))]
    #[x_kube(validation = rules::network("地址段", "cidr"))]
    pub cidr: String,
    /// [guarded] Networks within it that are left out, at most 8.
    #[serde(default)]
    #[schemars(length(max = 8), inner(length(max = 43)))]
    #[x_kube(validation = rules::networks("排除的地址段", "except"), merge_strategy = ListMerge::Set)]
    pub except: Vec<String>,
}

/// One port, or some in a row.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::ports_in_order())]
pub struct FlowPort {
    /// [guarded] Protocol.
    #[serde(default)]
    pub protocol: FlowProtocol,
    /// [guarded] The port, or the first of them, 1 to 65535.
    #[x_kube(validation = rules::between("端口", "port", 1, 65_535))]
    pub port: u32,
    /// [guarded] The last of them, 1 to 65535. Left out: that port alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::between("截止端口", "endPort", 1, 65_535))]
    pub end_port: Option<u32>,
}

/// Protocol of a port.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::IntoStaticStr,
    strum::EnumIter,
    strum::EnumString,
)]
pub enum FlowProtocol {
    /// connections (TCP).
    #[default]
    TCP,
    /// datagrams (UDP).
    UDP,
}

/// How far a flow reaches: what approval policies tell flows apart by.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::IntoStaticStr,
    strum::EnumIter,
    strum::EnumString,
)]
pub enum FlowReach {
    /// between hosts of one system (系统内).
    WithinSystem,
    /// between two systems of one department in one network zone (同区域).
    WithinZone,
    /// between systems of one department in different network zones (跨区域).
    CrossZone,
    /// to or from a system of another department (跨单位).
    CrossDepartment,
    /// to or from addresses outside the platform (平台外).
    Outside,
}

/// What the platform found out about the flow.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct NetworkFlowStatus {
    /// What the platform found out about the object, one entry a type: `Accepted`, `Admitted`, `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` the platform last acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Claim in the account book, e.g. `claim-123`; it holds what was decided, and no amount of anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub claim_id: Option<String>,
    /// How far the flow reaches, as it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reach: Option<FlowReach>,
    /// Why it was not granted, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<HostRefusal>,
    /// The `Order` that was filed for this wish and is not decided yet, or was decided against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_ref: Option<LocalRef>,
    /// SHA-256 digest, in hexadecimal, of the spec that was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub spec_digest: Option<String>,
}
