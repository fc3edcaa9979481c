//! Order (申请单): what somebody has to decide before it is done. One form for the resources of one information system.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::conditions_schema;
use super::{DateTime, HostRefusal, LocalRef, RefusalParameter};
use crate::rules;
use crate::schema::structural;

/// A request for one or several resources of one information system, decided wholly or not at all. Its items are objects
/// that exist and do nothing yet. The platform files an order by itself for an object that was applied without one.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "Order",
    namespaced,
    doc = "A request (申请单) for resources of one information system, decided wholly or not at all.",
    status = "OrderStatus",
    shortname = "ord",
    category = "jiyun",
    derive = "PartialEq",
    selectable = ".spec.systemRef.name",
    selectable = ".status.level",
    validation = rules::referable_name(),
    printcolumn(name = "System", type_ = "string", json_path = ".spec.systemRef.name"),
    printcolumn(name = "Held", type_ = "string", json_path = r#".status.conditions[?(@.type=="Held")].status"#),
    printcolumn(name = "Approved", type_ = "string", json_path = r#".status.conditions[?(@.type=="Approved")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Approved")].reason"#),
    printcolumn(name = "Level", type_ = "string", json_path = ".status.level"),
    printcolumn(name = "Deadline", type_ = "string", json_path = ".status.deadline"),
    printcolumn(name = "Fulfilled", type_ = "string", json_path = r#".status.conditions[?(@.type=="Fulfilled")].status"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Digest", type_ = "string", json_path = ".status.digest", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct OrderSpec {
    /// [immutable] The `InformationSystem` of the same namespace that all items belong to.
    #[x_kube(validation = rules::immutable("所属信息系统", "systemRef"))]
    pub system_ref: LocalRef,
    /// [immutable] What is asked for, 1 to 16 items.
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = rules::immutable("申请内容", "items"),
        validation = Rule::new("self.size() >= 1").message("申请单至少包含一项 (items must hold at least one item)"),
        merge_strategy = ListMerge::Map(vec!["name".to_owned()])
    )]
    pub items: Vec<OrderItem>,
    /// [free] Why it is asked for (事由), one line of at most 512 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = rules::line("事由", "justification"))]
    pub justification: Option<String>,
    /// [immutable] Whom the order is filed for, where that is not the one who sends it: what a GitOps tool declares, which
    /// nobody has verified. Neither may decide the order. At most 253 characters.
    #[serde(default)]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::immutable("申请人", "applicant"))]
    pub applicant: String,
    /// [free] Number of the project it belongs to (项目编号), at most 63 characters. Left out, that of the system counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("项目编号", "projectNumber"))]
    pub project_number: Option<String>,
    /// [free] Number of the filing with the authority (备案号), at most 63 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("备案号", "filingNumber"))]
    pub filing_number: Option<String>,
    /// [free] Whether it is still asked for. What was withdrawn stays withdrawn.
    #[serde(default)]
    #[x_kube(validation = rules::withdrawn_for_good())]
    pub state: OrderState,
}

/// Whether an order is still asked for.
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
pub enum OrderState {
    /// it is asked for (已提交).
    #[default]
    Filed,
    /// it is not asked for any more (已撤回).
    Withdrawn,
}

/// One resource of an order.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderItem {
    /// [immutable] Kind of the object.
    pub kind: OrderedKind,
    /// [immutable] Name of the object, in the namespace of the order.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::reference())]
    pub name: String,
    /// [immutable] What is to happen to it.
    pub action: OrderAction,
}

/// Kinds that can be ordered.
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
pub enum OrderedKind {
    /// a cloud host (云主机).
    CloudHost,
    /// a network flow (网络互访).
    NetworkFlow,
    /// a cloud database (云数据库).
    CloudDatabase,
    /// a cloud volume (云硬盘).
    CloudVolume,
    /// a cloud bucket (对象存储桶).
    CloudBucket,
    /// a cloud snapshot (云快照).
    CloudSnapshot,
}

/// What is to happen to an item.
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
pub enum OrderAction {
    /// it is granted and made (新建).
    Create,
    /// it grows, or a guarded field of it is changed, e.g. its deletion protection taken off (变更).
    Change,
    /// it is ended and deleted, its deletion protection notwithstanding (注销).
    End,
}

/// How an order stands.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct OrderStatus {
    /// What the platform found out about the order, one entry a type: `Accepted`, `Held`, `Approved`, `Fulfilled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` the platform last acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// SHA-256 digest, in hexadecimal, of the items as they were accepted: what approvers decide about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub digest: Option<String>,
    /// When the order was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<DateTime>,
    /// Who asks, none of whom may decide: whoever sent the order or an item, and the declared applicant. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub applicants: Vec<String>,
    /// The items as they were accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub items: Vec<AcceptedItem>,
    /// Who has to agree, in this order, as the policies said when the order was accepted. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub levels: Vec<RequiredLevel>,
    /// The policies that said so, at most 64; `default` stands for the platform's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub policies: Vec<String>,
    /// Level that has to decide now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub level: Option<String>,
    /// Groups whose members may decide now: those of the level, and those that may step in once its deadline has passed.
    /// At most 48.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 48), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub groups: Vec<String>,
    /// Users who may decide now for one of these groups by a delegation (授权代理), at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub deputies: Vec<String>,
    /// Until when it has to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DateTime>,
    /// Decisions that count, oldest first, at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["approval".to_owned()]))]
    pub decisions: Vec<CountedDecision>,
    /// Approvals that do not count, with the reason, at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["approval".to_owned()]))]
    pub ignored: Vec<IgnoredApproval>,
    /// Why it was not held or not granted, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<HostRefusal>,
}

/// An item as it was accepted.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedItem {
    /// Name of the object.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its UID: a namesake made later is another one.
    #[schemars(length(max = 63))]
    pub uid: String,
    /// Digest of what it asked for.
    #[schemars(length(max = 80))]
    pub spec_digest: String,
    /// What it asked for, for people: class, cores, memory, disk. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub summary: Vec<RefusalParameter>,
}

/// A level that has to agree.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequiredLevel {
    /// Its name; approvals name it.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Groups whose members may decide, at most 32.
    #[serde(default)]
    #[schemars(length(max = 32), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub groups: Vec<String>,
    /// Whether one of them is enough or each must agree.
    pub mode: super::ApprovalMode,
    /// Working days (工作日) it has.
    pub working_days: u32,
    /// Working days after which it is reminded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remind_after: Option<u32>,
    /// Groups that may decide as well once the deadline has passed, for as many working days again, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub escalate_to: Vec<String>,
}

/// A decision that counts.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountedDecision {
    /// The `Approval`.
    #[schemars(length(max = 253))]
    pub approval: String,
    /// The level it was made for.
    #[schemars(length(max = 63))]
    pub level: String,
    /// Who decided, as the API server knows them.
    #[schemars(length(max = 253))]
    pub user: String,
    /// What.
    pub decision: super::ApprovalDecision,
    /// When.
    pub at: DateTime,
    /// Groups that they decided for by a delegation (授权代理), not being in them; at most 48. Empty: they decided in their own
    /// right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 48), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub on_behalf_of: Vec<String>,
}

/// An approval that does not count.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IgnoredApproval {
    /// The `Approval`.
    #[schemars(length(max = 253))]
    pub approval: String,
    /// Why not, one word for programs.
    #[schemars(length(max = 63))]
    pub code: String,
}
