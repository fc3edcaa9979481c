//! Cloud snapshot (云快照): the content of a host's system disk or of a volume as it was at one moment, kept.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::conditions_schema;
use super::{DeletionProtection, HostRefusal, LocalRef};
use crate::date_time::DateTime;
use crate::quantity::Quantity;
use crate::rules;
use crate::schema::structural;

/// What a disk holds at one moment: its own system or volume can be brought back to it, and new ones made from it. It outlives
/// what it is of. The object is the request; nothing is taken until the account book has granted it (condition `Admitted`).
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "CloudSnapshot",
    namespaced,
    doc = "The content of a host's system disk or of a volume at one moment (云快照), kept.",
    status = "CloudSnapshotStatus",
    shortname = "csnap",
    category = "jiyun",
    derive = "PartialEq",
    selectable = ".spec.systemRef.name",
    validation = rules::short_name(),
    printcolumn(name = "System", type_ = "string", json_path = ".spec.systemRef.name"),
    printcolumn(name = "Of", type_ = "string", json_path = ".spec.source.kind"),
    printcolumn(name = "Source", type_ = "string", json_path = ".spec.source.name"),
    printcolumn(name = "Tier", type_ = "string", json_path = ".status.tier"),
    printcolumn(name = "Size", type_ = "string", json_path = ".status.grantedSize"),
    printcolumn(name = "Taken", type_ = "string", json_path = ".status.takenAt"),
    printcolumn(name = "Accepted", type_ = "string", json_path = r#".status.conditions[?(@.type=="Accepted")].status"#),
    printcolumn(name = "Admitted", type_ = "string", json_path = r#".status.conditions[?(@.type=="Admitted")].status"#),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Image", type_ = "string", json_path = ".status.image", priority = 1),
    printcolumn(name = "Refusal", type_ = "string", json_path = ".status.refusal.code", priority = 1),
    printcolumn(name = "Pool", type_ = "string", json_path = ".status.storagePoolRef.name", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct CloudSnapshotSpec {
    /// [free] Name for people (云快照名称), one line of at most 63 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("云快照名称", "displayName"))]
    pub display_name: Option<String>,
    /// [immutable] The `InformationSystem` of the same namespace it is for; that of its source.
    #[x_kube(validation = rules::immutable("所属信息系统", "systemRef"))]
    pub system_ref: LocalRef,
    /// What it is taken of.
    pub source: SnapshotSource,
    /// [guarded] Whether the snapshot is kept from being deleted (删除保护). Taking it off is decided like an order; putting it
    /// on applies at once. A snapshot that was never granted can be deleted all the same.
    #[serde(default)]
    pub deletion_protection: DeletionProtection,
}

/// What a snapshot is taken of.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotSource {
    /// [immutable] Kind of the object: of a host its system disk is taken, of a volume all of it.
    #[x_kube(validation = rules::immutable("快照来源类型", "source.kind"))]
    pub kind: SnapshotSourceKind,
    /// [immutable] Name of the object, in the same namespace.
    #[schemars(length(max = 253))]
    #[x_kube(
        validation = rules::immutable("快照来源", "source.name"),
        validation = rules::reference()
    )]
    pub name: String,
}

/// Kinds whose content can be kept in a snapshot.
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
pub enum SnapshotSourceKind {
    /// the system disk of a cloud host (云主机系统盘).
    CloudHost,
    /// a cloud volume (云硬盘).
    CloudVolume,
}

impl SnapshotSourceKind {
    /// The word used in objects.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What the platform found out about the snapshot.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct CloudSnapshotStatus {
    /// What the platform found out about the object, one entry a type: `Accepted`, `Admitted`, `Provisioned`, `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` the platform last acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Claim in the account book, e.g. `claim-123`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub claim_id: Option<String>,
    /// The `StoragePool` it lies in: that of its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_pool_ref: Option<LocalRef>,
    /// Storage tier (存储级别) it is paid for by: that of its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub tier: Option<String>,
    /// Size of its source when it was granted: what is paid for, and the least a disk made from it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted_size: Option<Quantity>,
    /// The moment whose content it holds. Absent until it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<DateTime>,
    /// Of a host: the `HostImage` that one was made from, which a host made from the snapshot names as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub image: Option<String>,
    /// Why the request was not granted, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<HostRefusal>,
    /// The `Order` that was filed for this wish, or for what was changed in it, and is not decided yet or was decided against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_ref: Option<LocalRef>,
    /// `Disabled` once that was decided: only then may the snapshot be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<DeletionProtection>,
    /// SHA-256 digest, in hexadecimal, of the spec that was decided upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub spec_digest: Option<String>,
}
