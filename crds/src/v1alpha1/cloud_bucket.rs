//! Cloud bucket (对象存储桶): object storage a department asks for, which programs reach by the S3 protocol.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::condition::conditions_schema;
use super::{DeletionProtection, HostRefusal, LocalRef};
use crate::date_time::DateTime;
use crate::quantity::Quantity;
use crate::rules;
use crate::schema::structural;

/// Object storage, and the key pair (密钥对) it is reached with. The object is the request; nothing is created until the
/// account book has granted it (condition `Admitted`).
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "CloudBucket",
    namespaced,
    doc = "Object storage (对象存储桶) a department asks for.",
    status = "CloudBucketStatus",
    shortname = "cbkt",
    category = "jiyun",
    derive = "PartialEq",
    selectable = ".spec.systemRef.name",
    validation = rules::short_name(),
    validation = rules::bucket_keeps_its_size(),
    printcolumn(name = "System", type_ = "string", json_path = ".spec.systemRef.name"),
    printcolumn(name = "Tier", type_ = "string", json_path = ".spec.tier"),
    printcolumn(name = "Size", type_ = "string", json_path = ".spec.size"),
    printcolumn(name = "Granted", type_ = "string", json_path = ".status.grantedSize"),
    printcolumn(name = "Accepted", type_ = "string", json_path = r#".status.conditions[?(@.type=="Accepted")].status"#),
    printcolumn(name = "Admitted", type_ = "string", json_path = r#".status.conditions[?(@.type=="Admitted")].status"#),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Host", type_ = "string", json_path = ".status.connection.host", priority = 1),
    printcolumn(name = "Bucket", type_ = "string", json_path = ".status.connection.bucket", priority = 1),
    printcolumn(name = "Issued", type_ = "string", json_path = ".status.credentialsIssuedAt", priority = 1),
    printcolumn(name = "Refusal", type_ = "string", json_path = ".status.refusal.code", priority = 1),
    printcolumn(name = "Zone", type_ = "string", json_path = ".spec.zoneRef.name", priority = 1),
    printcolumn(name = "Pool", type_ = "string", json_path = ".status.storagePoolRef.name", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct CloudBucketSpec {
    /// [free] Name for people (对象存储桶名称), one line of at most 63 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("对象存储桶名称", "displayName"))]
    pub display_name: Option<String>,
    /// [immutable] The `InformationSystem` of the same namespace the bucket is for.
    #[x_kube(validation = rules::immutable("所属信息系统", "systemRef"))]
    pub system_ref: LocalRef,
    /// [immutable] The `NetworkZone` it is used from; that of its information system.
    #[x_kube(validation = rules::immutable("网络区域", "zoneRef"))]
    pub zone_ref: LocalRef,
    /// [immutable] Storage tier (存储级别), e.g. `standard`; those with a price of `ObjectStorage` are in the `PriceList` in
    /// force.
    #[schemars(length(max = 253))]
    #[x_kube(
        validation = rules::immutable("存储级别", "tier"),
        validation = rules::label("存储级别", "tier")
    )]
    pub tier: String,
    /// [metered] How much the bucket may hold, 1Gi to 1Pi in whole Mi; `status.grantedSize` is what was granted, and what is
    /// paid for, however much lies in it. What was granted can grow, never shrink; a wish that was not granted can be taken back.
    #[x_kube(validation = rules::size("对象存储桶容量", "size", "1Gi", "1Pi"))]
    pub size: Quantity,
    /// [free] A key pair that was issued for an earlier moment is replaced (密钥轮换) once this moment has come; the former one
    /// is worth nothing from then on. RFC 3339 with an offset and whole seconds; what is still to come can be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(
        validation = rules::moment("密钥轮换时间", "credentialsRequestedAt"),
        validation = rules::day_exists("密钥轮换时间", "credentialsRequestedAt")
    )]
    pub credentials_requested_at: Option<DateTime>,
    /// [guarded] Whether the bucket is kept from being deleted (删除保护). Taking it off is decided like an order; putting it
    /// on applies at once. A bucket that was never granted can be deleted all the same.
    #[serde(default)]
    pub deletion_protection: DeletionProtection,
}

/// What the platform found out about the bucket.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct CloudBucketStatus {
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
    /// The `StoragePool` the bucket was placed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_pool_ref: Option<LocalRef>,
    /// The size that was granted last. Where the spec asks for another, that is not decided, or was decided against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted_size: Option<Quantity>,
    /// Where programs find it. Absent until a key pair has been handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<BucketConnection>,
    /// When the key pair in use was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_issued_at: Option<DateTime>,
    /// The `credentialsRequestedAt` that pair was made for; absent: it was made with the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_issued_for: Option<DateTime>,
    /// Why the request was not granted, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<HostRefusal>,
    /// The `Order` that was filed for this wish, or for what was changed in it, and is not decided yet or was decided against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_ref: Option<LocalRef>,
    /// `Disabled` once that was decided: only then may the bucket be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<DeletionProtection>,
    /// SHA-256 digest, in hexadecimal, of the spec that was decided upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub spec_digest: Option<String>,
}

/// Where programs find a bucket.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketConnection {
    /// Name on the network of what answers S3 requests.
    #[schemars(length(max = 253))]
    pub host: String,
    /// Its port.
    pub port: u32,
    /// Name of the bucket there.
    #[schemars(length(max = 63))]
    pub bucket: String,
    /// The Secret of the same namespace with the key pair and the place (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    /// `BUCKET_NAME`, `BUCKET_HOST`, `BUCKET_PORT`).
    pub credentials_secret_ref: LocalRef,
}
