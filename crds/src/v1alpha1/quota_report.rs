//! Quota report (配额报告): what a department may have, has, and may still have, where it can read it with kubectl.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::condition::conditions_schema;
use super::{ApprovalRules, Architecture, LocalRef, Meter};
use crate::date_time::DateTime;
use crate::quantity::Quantity;
use crate::rules;
use crate::schema::structural;

/// A projection of the department's account, written by the platform at most once in ten seconds and not at all where
/// nothing changed. One a department, of its name, in its namespace.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "QuotaReport",
    doc = "What a department may have, has, and may still have (配额报告); written by the platform.",
    namespaced,
    status = "QuotaReportStatus",
    shortname = "quotarep",
    category = "jiyun",
    derive = "PartialEq",
    validation = rules::short_name(),
    printcolumn(name = "vCPU", type_ = "string", json_path = ".status.vcpu"),
    printcolumn(name = "Memory", type_ = "string", json_path = ".status.memory"),
    printcolumn(name = "Storage", type_ = "string", json_path = ".status.blockStorage"),
    printcolumn(name = "Over", type_ = "string", json_path = r#".status.conditions[?(@.type=="OverLimit")].status"#),
    printcolumn(name = "Revision", type_ = "integer", json_path = ".status.revision"),
    printcolumn(name = "AsOf", type_ = "string", json_path = ".status.asOf"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Objects", type_ = "string", json_path = ".status.objectStorage", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct QuotaReportSpec {
    /// [immutable] The department it is about.
    #[x_kube(validation = rules::immutable("单位", "departmentRef"))]
    pub department_ref: LocalRef,
}

/// The department's account at one entry of the account book.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct QuotaReportStatus {
    /// What the platform found out about the object, one entry a type: `OverLimit`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` the platform last acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The entry of the account book this was read at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The moment of that entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime>,
    /// vCPUs used and held, of the limit: `12/64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub vcpu: Option<String>,
    /// Memory, in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub memory: Option<String>,
    /// Block storage, in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub block_storage: Option<String>,
    /// Object storage, in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub object_storage: Option<String>,
    /// Every limit and floor, and every meter in use without one, at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub rows: Vec<QuotaReportRow>,
    /// Who has to agree to what (审批规则); absent where there are more policies than it can hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals: Option<ApprovalRules>,
}

/// One meter of an account, over the department and all units below it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotaReportRow {
    /// What is counted.
    pub meter: Meter,
    /// Only in this pool; absent: in any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub pool: Option<String>,
    /// Only on this architecture; absent: on any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// Only of this storage tier; absent: of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub tier: Option<String>,
    /// Only in this network zone; absent: in any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub zone: Option<String>,
    /// The floor (保底); absent if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guaranteed: Option<Quantity>,
    /// The ceiling (上限); absent if this department has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Quantity>,
    /// Handed over (已用).
    pub used: Quantity,
    /// Set aside, not handed over yet (在途).
    pub held: Quantity,
    /// Used and held above the floor (借用).
    pub borrowed: Quantity,
    /// What is left of the limit (可用); a unit above may leave less. Absent without a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<Quantity>,
}
