//! Information system (信息系统): what resources are for; the unit of inventory, protection level and cost.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{LocalRef, PlainStatus};
use crate::rules;
use crate::schema::structural;

/// What resources are for: every resource names one. The unit of inventory, protection level and cost.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "InformationSystem",
    namespaced,
    doc = "What resources are for (信息系统): the unit of inventory, protection level and cost.",
    status = "PlainStatus",
    shortname = "isys",
    category = "jiyun",
    derive = "PartialEq",
    validation = rules::short_name(),
    printcolumn(name = "Display", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Level", type_ = "integer", json_path = ".spec.protectionLevel"),
    printcolumn(name = "Zone", type_ = "string", json_path = ".spec.zoneRef.name"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Owner", type_ = "string", json_path = ".spec.owner.name", priority = 1),
    printcolumn(name = "Project", type_ = "string", json_path = ".spec.projectNumber", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct InformationSystemSpec {
    /// [free] Name for people (系统名称), one line of at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("系统名称", "displayName"))]
    pub display_name: String,
    /// [guarded] Protection level the system is filed at (等保级别, GB/T 22239), 1 to 4. Its resources go to pools of at
    /// least that level. Level 5 is outside this platform.
    #[x_kube(validation = rules::between("等保级别", "protectionLevel", 1, 4))]
    pub protection_level: u8,
    /// [immutable] Network zone the system lives in. A system that moves to another zone is set up anew there.
    #[x_kube(validation = rules::immutable("网络区域", "zoneRef"))]
    pub zone_ref: LocalRef,
    /// [free] Number of the project that pays for it (项目编号), at most 63 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("项目编号", "projectNumber"))]
    pub project_number: Option<String>,
    /// [free] Person in charge (负责人).
    pub owner: SystemOwner,
}

/// Person in charge of a system.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemOwner {
    /// [free] Name, at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("负责人姓名", "owner.name"))]
    pub name: String,
    /// [free] Office telephone: digits, blanks, `+`, `-` and brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9+() -]{3,24}$')")
        .message("电话须为 3 至 24 位数字、空格、加号、连字符或括号 (owner.phone must be 3 to 24 digits, blanks, plus signs, hyphens or brackets)"))]
    pub phone: Option<String>,
}
