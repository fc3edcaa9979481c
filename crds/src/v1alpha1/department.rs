//! Department (单位): a unit of government with an account, a namespace, people and quotas.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::conditions_schema;
use super::{Architecture, Delegation, LocalRef, Meter, UsageSummary};
use crate::date_time::DateTime;
use crate::quantity::Quantity;
use crate::rules;
use crate::schema::structural;

/// A department (委办局), county (区县), township (乡镇), court...: whoever may hold resources. It has one account in the
/// account book, one namespace `dept-<name>` for its requests, and limits. Departments form a tree: use counts against
/// the limits of every unit above, too.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "Department",
    doc = "A unit of government (单位) with an account, a namespace for its requests, people and quotas.",
    status = "DepartmentStatus",
    shortname = "dept",
    category = "jiyun",
    derive = "PartialEq",
    validation = rules::short_name(),
    validation = rules::not_its_own_parent(),
    printcolumn(name = "Display", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Parent", type_ = "string", json_path = ".spec.parentRef.name"),
    printcolumn(name = "vCPU", type_ = "string", json_path = ".status.summary.vcpu"),
    printcolumn(name = "Memory", type_ = "string", json_path = ".status.summary.memory"),
    printcolumn(name = "Storage", type_ = "string", json_path = ".status.summary.blockStorage"),
    printcolumn(name = "Over", type_ = "string", json_path = r#".status.conditions[?(@.type=="OverLimit")].status"#),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Namespace", type_ = "string", json_path = ".status.namespace", priority = 1),
    printcolumn(name = "State", type_ = "string", json_path = ".spec.state", priority = 1),
    printcolumn(name = "Code", type_ = "string", json_path = ".spec.code", priority = 1),
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.billingAccount", priority = 1),
    printcolumn(name = "Objects", type_ = "string", json_path = ".status.summary.objectStorage", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct DepartmentSpec {
    /// [free] Name for people (单位名称), one line of at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("单位名称", "displayName"))]
    pub display_name: String,
    /// [immutable] Code of the unit (单位统一编码): 2 to 18 digits, capital letters or hyphens. Unique; stays the same
    /// when the unit is renamed.
    #[schemars(length(max = 64))]
    #[x_kube(
        validation = rules::immutable("单位编码", "code"),
        validation = Rule::new("self.matches('^[0-9A-Z-]{2,18}$')").message(
            "单位编码须为 2 至 18 位数字、大写字母或连字符 (code must be 2 to 18 digits, capital letters or hyphens)"
        )
    )]
    pub code: String,
    /// [free] The unit above (上级单位). Absent for the root of the tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_ref: Option<LocalRef>,
    /// [free] Fiscal unit the statements are addressed to (预算单位), at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("预算单位", "billingAccount"))]
    pub billing_account: String,
    /// [free] Network zones (网络区域) the unit may use: 1 to 8 names of `NetworkZone`.
    #[schemars(length(max = 8), inner(length(max = 253)))]
    #[x_kube(validation = rules::references("网络区域", "zones"), merge_strategy = ListMerge::Set)]
    pub zones: Vec<String>,
    /// [free] Groups of people, as the identity provider names them, and what they may do in the unit's namespace.
    #[serde(default)]
    pub access: DepartmentAccess,
    /// [free] Limits on what the unit and all units below it may hold (配额), at most 32. What no limit matches is
    /// bounded by the units above only. Lowering a limit below what is used refuses growth and stops nothing.
    #[serde(default)]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::one_limit_a_selector(), merge_strategy = ListMerge::Atomic)]
    pub quota: Vec<QuotaLimit>,
    /// [free] Which of the pools that fit are taken first for this unit (放置偏好). Refuses nothing.
    #[serde(default)]
    pub placement: PlacementPreference,
    /// [free] Days a unit has to give back what it uses above a limit that was lowered (宽限期), 0 to 366. After them
    /// nothing is stopped; operations are told.
    #[serde(default = "grace")]
    #[x_kube(validation = rules::between("宽限天数", "overLimitGraceDays", 0, 366))]
    pub over_limit_grace_days: u32,
    /// [guarded] Whether the unit and those below it are granted anything new (开户、销户). Closing stops nothing that
    /// runs, and can be taken back.
    #[serde(default)]
    pub state: DepartmentState,
}

/// Whether a unit is granted anything new.
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
pub enum DepartmentState {
    /// it orders and is granted (正常).
    #[default]
    Open,
    /// nothing new, and nothing larger (已销户); what it has runs on until it ends or is handed over.
    Closed,
}

fn grace() -> u32 {
    30
}

/// Which of the pools that fit are taken first.
#[derive(KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacementPreference {
    /// [free] Whose processors come first.
    #[serde(default)]
    pub processors: ProcessorPreference,
    /// [free] Among those, which.
    #[serde(default)]
    pub strategy: PlacementStrategy,
}

/// Whose processors come first.
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
pub enum ProcessorPreference {
    /// all alike (不限).
    #[default]
    Any,
    /// pools with domestic processors first (国产优先).
    DomesticFirst,
}

/// Which of several pools that fit is taken.
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
pub enum PlacementStrategy {
    /// the one that is left fullest (紧凑).
    #[default]
    Pack,
    /// the one that is left emptiest (分散).
    Spread,
}

/// Who may do what in the unit's namespace.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::delegated_by_approvers())]
pub struct DepartmentAccess {
    /// [free] Groups that may look (查看人员), at most 16.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(max = 253)))]
    #[x_kube(validation = rules::people_groups(), merge_strategy = ListMerge::Set)]
    pub readers: Vec<String>,
    /// [free] Groups that may request, change and delete (经办人员), at most 16.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(max = 253)))]
    #[x_kube(validation = rules::people_groups(), merge_strategy = ListMerge::Set)]
    pub operators: Vec<String>,
    /// [free] Groups that may approve requests (审批人员), at most 16.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(max = 253)))]
    #[x_kube(validation = rules::people_groups(), merge_strategy = ListMerge::Set)]
    pub approvers: Vec<String>,
    /// [free] What people of the unit above may do here (上级查看): its groups and, where that unit says so too, those of
    /// the units above it.
    #[serde(default)]
    pub parent_access: ParentAccess,
    /// [free] Who acts for approvers, and when (授权代理), at most 16.
    #[serde(default)]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub delegations: Vec<Delegation>,
}

/// What people of the unit above may do in this one.
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
pub enum ParentAccess {
    /// nothing (不开放).
    #[default]
    None,
    /// its readers look (上级可查看).
    Readers,
    /// its readers look, and its approvers see and decide where a policy names them (上级可查看和审批).
    ReadersAndApprovers,
}

/// One limit: how much of a meter may be held, wherever the given dimensions match.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::limit_or_floor(),
    validation = rules::limit_within_range(),
    validation = rules::floor_within_limit(),
    validation = rules::dimensions_fit_meter()
)]
pub struct QuotaLimit {
    /// [free] What is limited.
    pub meter: Meter,
    /// [free] Only in this pool: a name of a `ComputePool` or `StoragePool`, as the meter has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::reference())]
    pub pool: Option<String>,
    /// [free] Only on this architecture. For computing alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// [free] Only of this storage tier. For storage alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::label("存储级别", "tier"))]
    pub tier: Option<String>,
    /// [free] Only in this network zone: a name of a `NetworkZone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::reference())]
    pub zone: Option<String>,
    /// [free] The ceiling (上限): for what is counted, such as `Vcpu` and `Hosts`, a whole number from 0 to 1000000, for
    /// memory and storage a size up to 1Ei as a whole number with `Mi`, `Gi`, `Ti` or `Pi`. 0 allows nothing; absent,
    /// only the units above bound it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Quantity>,
    /// [free] The floor (保底), written like the limit: kept free for this unit whatever others ask for. Together with
    /// those of the units beside it not above that of the unit above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guaranteed: Option<Quantity>,
}

/// What the platform found out about the department.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct DepartmentStatus {
    /// What the platform found out about the object, one entry a type: `Ready`, `OverLimit`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` the platform last acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The namespace in which the department writes its requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
    /// What the unit and those below it use, of what they may: for columns. Written at most once in ten seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<UsageSummary>,
    /// Since when more is used than a limit allows, and until when that is borne.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_limit: Option<OverLimit>,
}

/// More is used than a limit allows: the limit was lowered, or something was handed over.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OverLimit {
    /// Since when.
    pub since: DateTime,
    /// Until when the unit has time to give something back (宽限期至).
    pub grace_until: DateTime,
}
