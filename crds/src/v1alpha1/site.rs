//! Site (数据中心): a place with its own Kubernetes in which engines run.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretRef;
use super::condition::conditions_schema;
use crate::rules;
use crate::schema::structural;

/// A data centre. Its engines (virtual machines, storage) are reached through its own Kubernetes API.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "Site",
    doc = "A data centre (数据中心) in which engines run.",
    status = "SiteStatus",
    shortname = "site",
    category = "jiyun",
    derive = "PartialEq",
    validation = rules::referable_name(),
    printcolumn(name = "Display", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region"),
    printcolumn(name = "Role", type_ = "string", json_path = ".spec.role"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Engines", type_ = "string", json_path = ".status.engineVersions"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct SiteSpec {
    /// [free] Name for people (数据中心名称), one line of at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("数据中心名称", "displayName"))]
    pub display_name: String,
    /// [free] Where it is (所在地区), one line of at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("所在地区", "region"))]
    pub region: String,
    /// [free] What the site is for.
    pub role: SiteRole,
    /// [free] How to reach it. Absent: the site is this cluster itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<SiteAccess>,
}

/// What a site is for.
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
pub enum SiteRole {
    /// resources are placed here (主中心).
    Primary,
    /// protected copies are kept here (灾备中心).
    Peer,
}

/// How a site is reached.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SiteAccess {
    /// [free] Secret with a kubeconfig under the key `kubeconfig`.
    pub kubeconfig_secret_ref: SecretRef,
}

/// What the platform found out about the object, and which engines it has.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct SiteStatus {
    /// What the platform found out about the object, one entry a type: `Ready`, `EnginesSupported`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` the platform last acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The engines the platform drives, those that are not installed too, at most 16. None where the site is not served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub engines: Vec<EngineReport>,
    /// The same for a column: `KubeVirt 1.8.2, CDI 1.57.0 TooOld`. Engines that may be missing are left out where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 511))]
    pub engine_versions: Option<String>,
}

/// One engine of a site.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineReport {
    /// Its name: `KubeVirt`, `CDI`, `CloudNativePG`, `Kube-OVN`, `Rook`.
    #[schemars(length(max = 63))]
    pub name: String,
    /// The version that runs, as the engine says it, without the letter in front; absent where it says none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub version: Option<String>,
    /// The oldest version the platform supports.
    #[schemars(length(max = 63))]
    pub minimum: String,
    /// How the two compare.
    pub state: EngineState,
}

/// How an engine's version compares with the oldest one that is supported.
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
pub enum EngineState {
    /// it is that one or a later one.
    Supported,
    /// it is an older one: upgrade it.
    TooOld,
    /// the engine is not installed.
    Missing,
    /// the engine is installed, and its version cannot be told.
    Unknown,
}
