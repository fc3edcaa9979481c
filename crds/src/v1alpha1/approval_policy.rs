//! Approval policy (审批策略): which orders go through by themselves, and who has to agree to the others.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FlowReach, OrderAction, PlainStatus, Quantity};
use crate::rules;
use crate::schema::structural;

/// Says who has to agree to orders it applies to. Where several apply, all their levels are asked for, and nothing goes
/// through by itself unless all of them let it. Where none applies, the department's approvers decide.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "ApprovalPolicy",
    doc = "Which orders go through by themselves, and who has to agree to the others (审批策略).",
    status = "PlainStatus",
    shortname = "apol",
    category = "jiyun",
    derive = "PartialEq",
    validation = rules::referable_name(),
    printcolumn(name = "Display", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Automatic-vCPU", type_ = "string", json_path = ".spec.automatic.vcpu"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
#[x_kube(validation = rules::decides_somehow())]
pub struct ApprovalPolicySpec {
    /// [free] Name for people (策略名称), one line of at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("策略名称", "displayName"))]
    pub display_name: String,
    /// [free] Orders it applies to. Left out: all.
    #[serde(default)]
    pub applies_to: PolicyScope,
    /// [free] Orders up to this size go through by themselves (自动通过), as far as this policy is concerned. Left out:
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automatic: Option<AutomaticLimits>,
    /// [free] Who has to agree, in this order, at most 8.
    #[serde(default)]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub levels: Vec<PolicyLevel>,
    /// [free] What an order must carry before anybody looks at it (必备材料), at most 2.
    #[serde(default)]
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub evidence: Vec<Evidence>,
}

/// Which orders a policy applies to: those that fit every condition that is given.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyScope {
    /// [free] Of these departments and all units below them, at most 64.
    #[serde(default)]
    #[schemars(length(max = 64), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub departments: Vec<String>,
    /// [free] With an item of one of these actions, at most 3.
    #[serde(default)]
    #[schemars(length(max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub actions: Vec<OrderAction>,
    /// [free] For a system in one of these network zones, at most 8.
    #[serde(default)]
    #[schemars(length(max = 8), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub zones: Vec<String>,
    /// [free] For a system of this protection level (等保级别) or above, 1 to 4.
    #[serde(default = "lowest")]
    #[x_kube(validation = rules::between("等保级别", "minProtectionLevel", 1, 4))]
    pub min_protection_level: u32,
    /// [free] Of any size, or only those that take their department beyond what it is guaranteed.
    #[serde(default)]
    pub quota: QuotaScope,
    /// [free] Network flows (网络互访) that reach so far, at most 5. A policy that names any is about flows and nothing
    /// else; one that names none is not about flows, so that none passes by a limit that was meant for hosts.
    #[serde(default)]
    #[schemars(length(max = 5))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub flows: Vec<FlowReach>,
}

fn lowest() -> u32 {
    1
}

impl Default for PolicyScope {
    fn default() -> Self {
        Self {
            departments: Vec::new(),
            actions: Vec::new(),
            zones: Vec::new(),
            min_protection_level: lowest(),
            quota: QuotaScope::default(),
            flows: Vec::new(),
        }
    }
}

/// Whether a policy looks at what a department is guaranteed.
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
pub enum QuotaScope {
    /// whatever the department uses (不限).
    #[default]
    Any,
    /// orders that take a meter beyond the department's floor (超出保底).
    BeyondGuaranteed,
}

/// The largest order that goes through by itself: the sum over all its items.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomaticLimits {
    /// [free] vCPUs, 0 to 1000000.
    #[x_kube(validation = rules::between("自动通过核数", "vcpu", 0, 1_000_000))]
    pub vcpu: u32,
    /// [free] Memory, up to 1Ei in whole Mi.
    #[x_kube(validation = rules::size("自动通过内存", "memory", "0", "1Ei"))]
    pub memory: Quantity,
    /// [free] Block storage, up to 1Ei in whole Mi.
    #[x_kube(validation = rules::size("自动通过存储", "blockStorage", "0", "1Ei"))]
    pub block_storage: Quantity,
    /// [free] Object storage, up to 1Ei in whole Mi. Left out: none, so no bucket goes through by itself.
    #[serde(default)]
    #[x_kube(validation = rules::size("自动通过对象存储", "objectStorage", "0", "1Ei"))]
    pub object_storage: Quantity,
}

/// People who have to agree.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::reminded_in_time())]
pub struct PolicyLevel {
    /// [free] Name of the level (审批级次), e.g. `leader`; unique in the policy.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::label("审批级次", "name"))]
    pub name: String,
    /// [free] Its place among the levels of all policies, 1 to 99; lower ones decide first.
    #[x_kube(validation = rules::between("级次顺序", "rank", 1, 99))]
    pub rank: u32,
    /// [free] Roles that may decide, at most 2: they stand for groups that the `Department` names.
    #[serde(default)]
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub roles: Vec<ApproverRole>,
    /// [free] Further groups of people that may decide, at most 16.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(max = 253)))]
    #[x_kube(validation = rules::people_groups(), merge_strategy = ListMerge::Set)]
    pub groups: Vec<String>,
    /// [free] Whether one decision is enough, or one of each group is needed.
    #[serde(default)]
    pub mode: ApprovalMode,
    /// [free] Working days (工作日) it has, 1 to 60, counted from the day after its turn came.
    #[serde(default = "five")]
    #[x_kube(validation = rules::between("审批时限（工作日）", "workingDays", 1, 60))]
    pub working_days: u32,
    /// [free] Working days after which it is reminded, 1 to 59 and fewer than `workingDays`. Left out: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::between("催办（工作日）", "remindAfter", 1, 59))]
    pub remind_after: Option<u32>,
    /// [free] Groups that may decide as well once the deadline has passed, for as many working days again, at most 16.
    /// Left out: the order expires at the deadline.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(max = 253)))]
    #[x_kube(validation = rules::people_groups(), merge_strategy = ListMerge::Set)]
    pub escalate_to: Vec<String>,
}

fn five() -> u32 {
    5
}

/// A role that stands for groups of people.
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
pub enum ApproverRole {
    /// the approvers of the department that asks (本单位审批人员).
    DepartmentApprovers,
    /// the approvers of the unit above it (上级单位审批人员).
    ParentApprovers,
}

/// How many have to agree.
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
pub enum ApprovalMode {
    /// one person of any of the groups (或签).
    #[default]
    Any,
    /// one person of each group, all of them different (会签).
    All,
}

/// What an order must carry.
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
pub enum Evidence {
    /// the number of the project (项目编号).
    ProjectNumber,
    /// the number of the filing (备案号).
    FilingNumber,
}
