//! What the approval policies come to for one department: told to its people, without the names of others.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{Evidence, OrderAction, Quantity, QuotaScope, RequiredLevel};

/// The policies that can apply to orders of one department, as they were when this was written.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRules {
    /// Groups of the department's own approvers (审批人员), who decide where no policy says otherwise, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub approvers: Vec<String>,
    /// The policies, by name, at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub policies: Vec<ApplicablePolicy>,
}

/// A policy as it is for one department: whom its roles stand for is worked out.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicablePolicy {
    /// Its name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Only orders with an item of one of these actions; none: of any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub actions: Vec<OrderAction>,
    /// Only for systems in these network zones; none: in any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub zones: Vec<String>,
    /// Only for systems of this protection level (等保级别) or above.
    pub min_protection_level: u32,
    /// Of any size, or only beyond what the department is guaranteed.
    pub quota: QuotaScope,
    /// Up to this size orders go through by themselves; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automatic: Option<AutomaticSize>,
    /// Who has to agree, at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub levels: Vec<RankedLevel>,
    /// What an order must carry, at most 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub evidence: Vec<Evidence>,
}

/// A level and its place among the levels of all policies.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RankedLevel {
    /// Its place, 1 to 99; lower ones decide first.
    pub rank: u32,
    /// Who.
    pub level: RequiredLevel,
}

/// The largest order that goes through by itself, as a policy said it: checked there, told here.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomaticSize {
    /// vCPUs.
    pub vcpu: u32,
    /// Memory.
    pub memory: Quantity,
    /// Block storage.
    pub block_storage: Quantity,
    /// Object storage.
    #[serde(default)]
    pub object_storage: Quantity,
}
