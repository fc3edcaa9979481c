//! Site (数据中心): a place with its own Kubernetes in which engines run.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PlainStatus, SecretRef};
use crate::rules;
use crate::schema::structural;

/// A data centre. Its engines (virtual machines, storage) are reached through its own Kubernetes API.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "Site",
    doc = "A data centre (数据中心) in which engines run.",
    status = "PlainStatus",
    shortname = "site",
    category = "jiyun",
    derive = "PartialEq",
    validation = rules::referable_name(),
    printcolumn(name = "Display", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region"),
    printcolumn(name = "Role", type_ = "string", json_path = ".spec.role"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
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
