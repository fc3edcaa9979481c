//! Cloud volume (云硬盘): block storage a department asks for, which its hosts take turns to use.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::conditions_schema;
use super::{DeletionProtection, HostRefusal, LocalRef, Restore, Restored};
use crate::quantity::Quantity;
use crate::rules;
use crate::schema::structural;

/// Block storage that outlives the hosts it is attached to. The object is the request; nothing is created until the account
/// book has granted it (condition `Admitted`).
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "CloudVolume",
    namespaced,
    doc = "Block storage (云硬盘) a department asks for.",
    status = "CloudVolumeStatus",
    shortname = "cvol",
    category = "jiyun",
    derive = "PartialEq",
    selectable = ".spec.systemRef.name",
    validation = rules::short_name(),
    validation = rules::volume_keeps_its_size(),
    printcolumn(name = "System", type_ = "string", json_path = ".spec.systemRef.name"),
    printcolumn(name = "Tier", type_ = "string", json_path = ".spec.tier"),
    printcolumn(name = "Size", type_ = "string", json_path = ".spec.size"),
    printcolumn(name = "Granted", type_ = "string", json_path = ".status.grantedSize"),
    printcolumn(name = "Host", type_ = "string", json_path = ".status.attachment.host"),
    printcolumn(name = "Attachment", type_ = "string", json_path = ".status.attachment.state"),
    printcolumn(name = "Accepted", type_ = "string", json_path = r#".status.conditions[?(@.type=="Accepted")].status"#),
    printcolumn(name = "Admitted", type_ = "string", json_path = r#".status.conditions[?(@.type=="Admitted")].status"#),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Wished", type_ = "string", json_path = ".spec.hostRef.name", priority = 1),
    printcolumn(name = "Serial", type_ = "string", json_path = ".status.serial", priority = 1),
    printcolumn(name = "Refusal", type_ = "string", json_path = ".status.refusal.code", priority = 1),
    printcolumn(name = "Zone", type_ = "string", json_path = ".spec.zoneRef.name", priority = 1),
    printcolumn(name = "Pool", type_ = "string", json_path = ".status.storagePoolRef.name", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
#[x_kube(
    validation = rules::there_or_not("快照来源", "snapshotRef"),
    validation = rules::restored_while_detached()
)]
pub struct CloudVolumeSpec {
    /// [free] Name for people (云硬盘名称), one line of at most 63 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("云硬盘名称", "displayName"))]
    pub display_name: Option<String>,
    /// [immutable] The `InformationSystem` of the same namespace the volume is for.
    #[x_kube(validation = rules::immutable("所属信息系统", "systemRef"))]
    pub system_ref: LocalRef,
    /// [immutable] The `NetworkZone` its hosts are in; that of its information system.
    #[x_kube(validation = rules::immutable("网络区域", "zoneRef"))]
    pub zone_ref: LocalRef,
    /// [immutable] Storage tier (存储级别), e.g. `standard`, `performance`, `extreme`; those with a price of
    /// `BlockStorage` are in the `PriceList` in force.
    #[schemars(length(max = 253))]
    #[x_kube(
        validation = rules::immutable("存储级别", "tier"),
        validation = rules::label("存储级别", "tier")
    )]
    pub tier: String,
    /// [metered] Size that is wished, 1Gi to 16Ti in whole Mi; `status.grantedSize` is what was granted. What was granted can grow,
    /// never shrink; a wish that was not granted can be taken back.
    #[x_kube(validation = rules::size("云硬盘容量", "size", "1Gi", "16Ti"))]
    pub size: Quantity,
    /// [immutable] The `CloudSnapshot` of the same information system whose content it begins with, no larger than itself; none:
    /// it comes empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::immutable("快照来源", "snapshotRef"))]
    pub snapshot_ref: Option<LocalRef>,
    /// [free] The `CloudHost` of the same information system it is attached to (挂载); none: it lies by itself. A volume is
    /// made at the site of the host it names when it is granted, and can only be attached to hosts there. Where this cannot be
    /// followed, the host that has the volume keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_ref: Option<LocalRef>,
    /// Bringing the volume back to what a snapshot of it holds (恢复). No host has it when that is asked for, and none is given it
    /// until that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<Restore>,
    /// [guarded] Whether the volume is kept from being deleted (删除保护). Taking it off is decided like an order; putting it
    /// on applies at once. A volume that was never granted can be deleted all the same.
    #[serde(default)]
    pub deletion_protection: DeletionProtection,
}

/// What the platform found out about the volume.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct CloudVolumeStatus {
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
    /// The `StoragePool` the volume was placed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_pool_ref: Option<LocalRef>,
    /// The host that has it, or is the only one that may have it now; absent where no host has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment: Option<VolumeAttachment>,
    /// The serial number a guest finds the volume by: on Linux `/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_<serial>`. It stays
    /// what it was first; letters such as `sdb` change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub serial: Option<String>,
    /// The restore that was begun last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restored>,
    /// Why the request was not granted, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<HostRefusal>,
    /// The `Order` that was filed for this wish, or for what was changed in it, and is not decided yet or was decided against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_ref: Option<LocalRef>,
    /// The size that was granted last. Where the spec asks for another, that is not decided, or was decided against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted_size: Option<Quantity>,
    /// `Disabled` once that was decided: only then may the volume be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<DeletionProtection>,
    /// SHA-256 digest, in hexadecimal, of the spec that was decided upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub spec_digest: Option<String>,
}

/// A host and a volume.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeAttachment {
    /// Name of the `CloudHost`. While it stands here no other host is given the volume.
    #[schemars(length(max = 253))]
    pub host: String,
    /// How far it is.
    pub state: AttachmentState,
}

/// How far a volume and its host are with each other.
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
pub enum AttachmentState {
    /// it is on its way to the host, or waits until that is there again, as after its archival (挂载中).
    Attaching,
    /// the machine takes it on when it is next started: the host is to be restarted by the platform, or stopped, then started, and
    /// a reboot in the guest is not enough (重启后挂载).
    AttachedAtRestart,
    /// the machine has it, or will have it once it runs (已挂载).
    Attached,
    /// it is on its way off the host, which still has it or may have it (卸载中).
    Detaching,
    /// the machine gives it up when it is next stopped: the host is to be restarted by the platform, or stopped, and need not be
    /// started for that; a reboot in the guest is not enough (重启后卸载).
    DetachedAtRestart,
}
