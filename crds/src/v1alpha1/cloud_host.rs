//! Cloud host (云主机): a virtual machine a department asks for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::conditions_schema;
use super::{AntiAffinity, Architecture, Lease, LeaseStatus, LocalRef, Restore, Restored};
use crate::date_time::DateTime;
use crate::quantity::Quantity;
use crate::rules;
use crate::schema::structural;

/// A virtual machine with one system disk. The object is the request; nothing is created until the account book has
/// granted it (condition `Admitted`).
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "CloudHost",
    namespaced,
    doc = "A virtual machine (云主机) a department asks for.",
    status = "CloudHostStatus",
    shortname = "chost",
    category = "jiyun",
    derive = "PartialEq",
    selectable = ".spec.systemRef.name",
    selectable = ".spec.classRef.name",
    selectable = ".status.lease.stage",
    validation = rules::short_name(),
    validation = rules::disk_keeps_its_size(),
    printcolumn(name = "Class", type_ = "string", json_path = ".spec.classRef.name"),
    printcolumn(name = "System", type_ = "string", json_path = ".spec.systemRef.name"),
    printcolumn(name = "Power", type_ = "string", json_path = ".spec.power"),
    printcolumn(name = "Admitted", type_ = "string", json_path = r#".status.conditions[?(@.type=="Admitted")].status"#),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Lease", type_ = "string", json_path = ".status.lease.stage"),
    printcolumn(name = "Address", type_ = "string", json_path = ".status.addresses[0]"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Refusal", type_ = "string", json_path = ".status.refusal.code", priority = 1),
    printcolumn(name = "LeaseEnds", type_ = "string", json_path = ".status.lease.endsAt", priority = 1),
    printcolumn(name = "Zone", type_ = "string", json_path = ".spec.zoneRef.name", priority = 1),
    printcolumn(name = "Arch", type_ = "string", json_path = ".spec.architecture", priority = 1),
    printcolumn(name = "Disk", type_ = "string", json_path = ".spec.systemDisk.size", priority = 1),
    printcolumn(name = "Pool", type_ = "string", json_path = ".status.poolRef.name", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
#[x_kube(
    validation = rules::there_or_not("快照来源", "snapshotRef"),
    validation = rules::there_or_not("反亲和", "antiAffinity"),
    validation = rules::there_or_not("自定义数据", "userDataSecretRef"),
    validation = rules::restored_while_off()
)]
pub struct CloudHostSpec {
    /// [free] Name for people (云主机名称), one line of at most 63 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("云主机名称", "displayName"))]
    pub display_name: Option<String>,
    /// [immutable] The `InformationSystem` of the same namespace the host is for.
    #[x_kube(validation = rules::immutable("所属信息系统", "systemRef"))]
    pub system_ref: LocalRef,
    /// [metered] The `HostClass`: how many vCPUs and how much memory. Another one is decided like a new order where it is
    /// larger; the machine follows at its next restart at the latest.
    pub class_ref: LocalRef,
    /// [immutable] The `HostImage` the system disk is filled from.
    #[x_kube(validation = rules::immutable("镜像", "imageRef"))]
    pub image_ref: LocalRef,
    /// [immutable] The `CloudSnapshot` of a host of the same information system whose content the system disk has instead, made
    /// from the same image and no larger; none: it begins as its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::immutable("快照来源", "snapshotRef"))]
    pub snapshot_ref: Option<LocalRef>,
    /// [immutable] The `NetworkZone` the host is connected to; that of its information system.
    #[x_kube(validation = rules::immutable("网络区域", "zoneRef"))]
    pub zone_ref: LocalRef,
    /// [immutable] Architecture of the machine it runs on.
    #[x_kube(validation = rules::immutable("架构", "architecture"))]
    pub architecture: Architecture,
    /// [immutable] Which hosts of its information system it does not share a node with (反亲和); none: it may run beside any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::immutable("反亲和", "antiAffinity"))]
    pub anti_affinity: Option<AntiAffinity>,
    /// The disk the host starts from.
    pub system_disk: SystemDisk,
    /// [free] Whether the host runs. What is stopped is still reserved and paid for, but for what its pool makes it give
    /// back (`stopReleases` of the `ComputePool`).
    #[serde(default)]
    pub power: Power,
    /// [free] A machine that was started before this moment is restarted (重启) once it has come; one that was started since is
    /// left alone. RFC 3339 with an offset and whole seconds; what is still to come can be taken back. That begins within
    /// seconds; a guest that has not shut down after 30 seconds is switched off. What waits for a restart, such as another
    /// class, is taken on by it. A host that is switched off is not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(
        validation = rules::moment("重启时间", "restartRequestedAt"),
        validation = rules::day_exists("重启时间", "restartRequestedAt")
    )]
    pub restart_requested_at: Option<DateTime>,
    /// Bringing the system disk back to what a snapshot of it holds (恢复). The host is off when it is asked for, and stays off
    /// until that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<Restore>,
    /// [guarded] Whether the host is kept from being deleted (删除保护). Taking it off is decided like an order; putting it on
    /// applies at once. A host that was never granted can be deleted all the same.
    #[serde(default)]
    pub deletion_protection: DeletionProtection,
    /// Until when the host is lent (租期); none: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// [immutable] Public keys that may log in at first start, one line each as in `authorized_keys`: at most 16, and 1800
    /// characters in all (`KubeVirt` takes 2048 bytes of first-boot data).
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(max = 2048)))]
    #[x_kube(
        validation = rules::immutable("SSH 公钥", "sshAuthorizedKeys"),
        validation = Rule::new(
            "self.all(k, k.matches('^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( [] !#-[^-~]*)?$'))"
        ).message("SSH 公钥格式不正确，应为 ssh-ed25519 AAAA... 这样的一行 (each sshAuthorizedKeys entry must be one line such as ssh-ed25519 AAAA...)"),
        validation = Rule::new("self.join(' ').size() <= 1800").message(
            "SSH 公钥合计不能超过 1800 个字符，RSA 4096 位约可放两个 (sshAuthorizedKeys may hold 1800 characters in all, about two RSA keys of 4096 bits)"
        ),
        merge_strategy = ListMerge::Set
    )]
    pub ssh_authorized_keys: Vec<String>,
    /// [immutable] The Secret of the same namespace, of type `jiyun.io/user-data`, that has under the key `userData` what cloud-init
    /// does at first start (自定义数据): text of at most 32 KiB that begins as cloud-init wants it, such as `#cloud-config` or
    /// `#!`. The machine gets a copy when it is made; what is done to the Secret later changes nothing. Of a host that was handed
    /// over it was the former department's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::immutable("自定义数据", "userDataSecretRef"))]
    pub user_data_secret_ref: Option<LocalRef>,
}

/// The disk a host starts from.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemDisk {
    /// [immutable] Storage tier (存储级别), e.g. `standard`, `performance`, `extreme`.
    #[schemars(length(max = 253))]
    #[x_kube(
        validation = rules::immutable("系统盘存储级别", "systemDisk.tier"),
        validation = rules::label("系统盘存储级别", "systemDisk.tier")
    )]
    pub tier: String,
    /// [metered] Size, 20Gi to 4Ti in whole Mi. What was granted can grow, never shrink; a wish that was not granted can be
    /// taken back.
    #[x_kube(validation = rules::size("系统盘", "systemDisk.size", "20Gi", "4Ti"))]
    pub size: Quantity,
}

/// Whether something runs.
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
pub enum Power {
    /// it runs (开机).
    #[default]
    Running,
    /// it is switched off (关机).
    Stopped,
}

/// Whether something is kept from being deleted.
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
pub enum DeletionProtection {
    /// it cannot be deleted; an order that ends it still can (已开启).
    #[default]
    Enabled,
    /// it can be deleted (已关闭).
    Disabled,
}

/// What the platform found out about the host.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct CloudHostStatus {
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
    /// The `ComputePool` the host was placed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_ref: Option<LocalRef>,
    /// The `StoragePool` the system disk was placed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_pool_ref: Option<LocalRef>,
    /// Network addresses of the running host, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub addresses: Vec<String>,
    /// When what runs of the machine was started: at its first start, when it was switched on or restarted last, or when its
    /// engine started it anew after its guest had ended. Absent while it does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime>,
    /// The `restartRequestedAt` that was acted upon last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarted_for: Option<DateTime>,
    /// The restore of its system disk that was begun last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restored>,
    /// When the request was granted, by the account book; of a host that was handed over, to its first holder. What people
    /// decide about is granted when all of them have agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted_at: Option<DateTime>,
    /// When the host first did what was asked and could be used, by the account book: it is paid for from that second. A later
    /// stop or fault changes nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<DateTime>,
    /// Why the request was not granted, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<HostRefusal>,
    /// The `Order` that was filed for this wish, or for what was changed in it, and is not decided yet or was decided against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_ref: Option<LocalRef>,
    /// What was granted last: what the machine has, or takes on at its next restart. Where the spec asks for something else,
    /// that is not decided, or was decided against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted: Option<HostGrant>,
    /// `Disabled` once that was decided: only then may the host be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<DeletionProtection>,
    /// How its lease stands; absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseStatus>,
    /// SHA-256 digest, in hexadecimal, of the spec that was decided upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub spec_digest: Option<String>,
}

/// The metered fields of a host as they were granted.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostGrant {
    /// The `HostClass`.
    #[schemars(length(max = 253))]
    pub class: String,
    /// Size of the system disk.
    pub system_disk_size: Quantity,
}

/// Why a request was not granted: a code, and the figures that go with it. Nothing here is about other departments.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostRefusal {
    /// Code, as in the message catalogue.
    #[schemars(length(max = 63))]
    pub code: String,
    /// Figures, at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub parameters: Vec<RefusalParameter>,
}

/// One figure of a refusal.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusalParameter {
    /// Name, e.g. `meter`, `limit`, `used`, `missing`.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Value, as text.
    #[schemars(length(max = 1024))]
    pub value: String,
}
