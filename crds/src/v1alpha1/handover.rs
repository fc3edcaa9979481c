//! Handover (移交): information systems and their cloud hosts go from one department to another, and run on meanwhile.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::condition::conditions_schema;
use super::{DateTime, LocalRef};
use crate::rules;
use crate::schema::structural;

/// One information system, or all of a department, goes to another department: objects, claims and costs from that second
/// on. Machines and disks neither stop nor move. A merger is a handover of everything, a split one of some systems.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "Handover",
    doc = "Information systems and their hosts go from one department to another (移交); machines run on.",
    status = "HandoverStatus",
    shortname = "hov",
    category = "jiyun",
    derive = "PartialEq",
    validation = rules::short_name(),
    printcolumn(name = "From", type_ = "string", json_path = ".spec.from.departmentRef.name"),
    printcolumn(name = "System", type_ = "string", json_path = ".spec.from.systemRef.name"),
    printcolumn(name = "To", type_ = "string", json_path = ".spec.to.departmentRef.name"),
    printcolumn(name = "Total", type_ = "integer", json_path = ".status.total"),
    printcolumn(name = "Moved", type_ = "integer", json_path = ".status.moved"),
    printcolumn(name = "Failed", type_ = "integer", json_path = ".status.failed"),
    printcolumn(name = "Completed", type_ = "string", json_path = r#".status.conditions[?(@.type=="Completed")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Completed")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Document", type_ = "string", json_path = ".spec.document", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
#[x_kube(validation = rules::another_department(), validation = rules::system_to_system())]
pub struct HandoverSpec {
    /// [immutable] Who hands over, and what.
    #[x_kube(validation = rules::immutable("移交方", "from"))]
    pub from: HandoverParty,
    /// [immutable] Who takes over, and under which name.
    #[x_kube(validation = rules::immutable("接收方", "to"))]
    pub to: HandoverParty,
    /// [free] The decision it follows (批复文号), one line of at most 63 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("批复文号", "document"))]
    pub document: Option<String>,
}

/// One side of a handover.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandoverParty {
    /// The `Department`.
    pub department_ref: LocalRef,
    /// The `InformationSystem` of that department. On the giving side absent: all of them. On the taking side absent: of
    /// the same name, made anew; named: made anew, or, if it is there, joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_ref: Option<LocalRef>,
}

/// How far a handover has come.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct HandoverStatus {
    /// What the platform found out about the object, one entry a type: `Ready`, `Completed`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` the platform last acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Hosts in all: those that went over, and those that have not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Hosts that went over: the other department pays for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<u64>,
    /// Hosts that cannot go over as they are; `failures` says why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    /// The first of them, at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["host".to_owned()]))]
    pub failures: Vec<HandoverFailure>,
    /// Since when hosts go over, by the account book's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime>,
    /// When everything had gone over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime>,
}

/// A host that cannot go over as it is.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandoverFailure {
    /// Name of the host in the department that hands over.
    #[schemars(length(max = 63))]
    pub host: String,
    /// Code, as in the message catalogue.
    #[schemars(length(max = 63))]
    pub code: String,
    /// The same for people, with what to do.
    #[schemars(length(max = 1024))]
    pub message: String,
}
