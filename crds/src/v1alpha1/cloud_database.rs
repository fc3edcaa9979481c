//! Cloud database (云数据库): a database a department asks for, run for it on one to three instances.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::conditions_schema;
use super::{Architecture, DatabaseEngine, DeletionProtection, HostRefusal, LocalRef, Power};
use crate::quantity::Quantity;
use crate::rules;
use crate::schema::structural;

/// A database with its instances and their storage. The object is the request; nothing is created until the account book
/// has granted it (condition `Admitted`).
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "CloudDatabase",
    namespaced,
    doc = "A database (云数据库) a department asks for.",
    status = "CloudDatabaseStatus",
    shortname = "cdb",
    category = "jiyun",
    derive = "PartialEq",
    selectable = ".spec.systemRef.name",
    selectable = ".spec.classRef.name",
    validation = rules::service_name(),
    validation = rules::database_keeps_its_size(),
    printcolumn(name = "Class", type_ = "string", json_path = ".spec.classRef.name"),
    printcolumn(name = "System", type_ = "string", json_path = ".spec.systemRef.name"),
    printcolumn(name = "Version", type_ = "string", json_path = ".spec.engine.version"),
    printcolumn(name = "Topology", type_ = "string", json_path = ".spec.topology"),
    printcolumn(name = "Power", type_ = "string", json_path = ".spec.power"),
    printcolumn(name = "Admitted", type_ = "string", json_path = r#".status.conditions[?(@.type=="Admitted")].status"#),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Host", type_ = "string", json_path = ".status.connection.host", priority = 1),
    printcolumn(name = "Instances", type_ = "integer", json_path = ".status.readyInstances", priority = 1),
    printcolumn(name = "Refusal", type_ = "string", json_path = ".status.refusal.code", priority = 1),
    printcolumn(name = "Zone", type_ = "string", json_path = ".spec.zoneRef.name", priority = 1),
    printcolumn(name = "Arch", type_ = "string", json_path = ".spec.architecture", priority = 1),
    printcolumn(name = "Storage", type_ = "string", json_path = ".spec.storage.size", priority = 1),
    printcolumn(name = "Pool", type_ = "string", json_path = ".status.poolRef.name", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct CloudDatabaseSpec {
    /// [free] Name for people (云数据库名称), one line of at most 63 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("云数据库名称", "displayName"))]
    pub display_name: Option<String>,
    /// [immutable] The `InformationSystem` of the same namespace the database is for.
    #[x_kube(validation = rules::immutable("所属信息系统", "systemRef"))]
    pub system_ref: LocalRef,
    /// [metered] The `DatabaseClass`: how many vCPUs and how much memory each instance has.
    pub class_ref: LocalRef,
    /// [immutable] The `NetworkZone` the database is connected to; that of its information system.
    #[x_kube(validation = rules::immutable("网络区域", "zoneRef"))]
    pub zone_ref: LocalRef,
    /// [immutable] Architecture of the machines it runs on.
    #[x_kube(validation = rules::immutable("架构", "architecture"))]
    pub architecture: Architecture,
    /// [immutable] What kind of database it is, and in which version.
    #[x_kube(validation = rules::immutable("数据库引擎和版本", "engine"))]
    pub engine: EngineChoice,
    /// [metered] How many instances it runs on.
    pub topology: DatabaseTopology,
    /// Storage of each instance.
    pub storage: DatabaseStorage,
    /// [free] Whether the database runs. What is stopped is still reserved and paid for.
    #[serde(default)]
    pub power: Power,
    /// [guarded] Whether the database is kept from being deleted (删除保护). Taking it off is decided like an order; putting it
    /// on applies at once. A database that was never granted can be deleted all the same.
    #[serde(default)]
    pub deletion_protection: DeletionProtection,
}

/// Engine and version of a database.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineChoice {
    /// [immutable] Engine; that of the class.
    pub kind: DatabaseEngine,
    /// [immutable] Major version, one the class is offered in, e.g. `17`.
    #[schemars(length(max = 15))]
    #[x_kube(validation = rules::major_version("版本", "engine.version"))]
    pub version: String,
}

/// Instances of a database.
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
pub enum DatabaseTopology {
    /// one instance (单节点).
    Single,
    /// a primary and a standby that takes over (一主一备).
    PrimaryStandby,
    /// a primary and two standbys (一主两备).
    Three,
}

impl DatabaseTopology {
    /// How many instances it has.
    pub fn instances(self) -> u32 {
        match self {
            Self::Single => 1,
            Self::PrimaryStandby => 2,
            Self::Three => 3,
        }
    }
}

/// Storage of each instance.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseStorage {
    /// [immutable] Storage tier (存储级别), e.g. `standard`, `performance`, `extreme`.
    #[schemars(length(max = 253))]
    #[x_kube(
        validation = rules::immutable("存储级别", "storage.tier"),
        validation = rules::label("存储级别", "storage.tier")
    )]
    pub tier: String,
    /// [metered] Size for each instance, 10Gi to 4Ti in whole Mi. What was granted can grow, never shrink; a wish that was
    /// not granted can be taken back.
    #[x_kube(
        validation = rules::size("存储容量", "storage.size", "10Gi", "4Ti")
    )]
    pub size: Quantity,
}

/// What the platform found out about the database.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct CloudDatabaseStatus {
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
    /// What was granted last. Where the spec asks for something else, that is not decided, or was decided against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted: Option<DatabaseGrant>,
    /// The `ComputePool` its instances were placed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_ref: Option<LocalRef>,
    /// The `StoragePool` their storage was placed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_pool_ref: Option<LocalRef>,
    /// Where clients find it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<DatabaseConnection>,
    /// Instances that answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_instances: Option<u32>,
    /// Why the request was not granted, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<HostRefusal>,
    /// The `Order` that was filed for this wish and is not decided yet, or was decided against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_ref: Option<LocalRef>,
    /// `Disabled` once that was decided: only then may the database be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<DeletionProtection>,
    /// SHA-256 digest, in hexadecimal, of the spec that was decided upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub spec_digest: Option<String>,
}

/// The metered fields of a database as they were granted.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseGrant {
    /// The `DatabaseClass`.
    #[schemars(length(max = 253))]
    pub class: String,
    /// How many instances it runs on.
    pub instances: u32,
    /// Storage of each.
    pub storage_size: Quantity,
}

/// Where clients find a database.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseConnection {
    /// Name of the primary on the network; it follows the primary.
    #[schemars(length(max = 253))]
    pub host: String,
    /// Name of the standbys, which only read; none where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub read_only_host: Option<String>,
    /// Port of both.
    pub port: u32,
    /// Name of the database to connect to.
    #[schemars(length(max = 63))]
    pub database: String,
    /// The Secret of the same namespace with user and password (`username`, `password`, `dbname`, `host`, `port`).
    pub credentials_secret_ref: LocalRef,
}
