//! Storage pool (存储资源池): block or object storage of one tier at one site, and how much of it may be given out.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LocalRef, Maintenance, Meter, PoolStatus};
use crate::quantity::Quantity;
use crate::rules;
use crate::schema::structural;

/// Storage of one type and one tier at one site. What may be given out is capacity − reserve.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "StoragePool",
    doc = "Block or object storage of one tier at one site (存储资源池), and how much of it may be given out.",
    status = "PoolStatus",
    shortname = "spool",
    category = "jiyun",
    derive = "PartialEq",
    validation = rules::referable_name(),
    printcolumn(name = "Site", type_ = "string", json_path = ".spec.siteRef.name"),
    printcolumn(name = "Tier", type_ = "string", json_path = ".spec.tier"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.storageType"),
    printcolumn(name = "Used", type_ = "string", json_path = ".status.summary.blockStorage"),
    printcolumn(name = "Objects", type_ = "string", json_path = ".status.summary.objectStorage"),
    printcolumn(name = "Claims", type_ = "integer", json_path = ".status.summary.claims"),
    printcolumn(name = "Waiting", type_ = "integer", json_path = ".status.summary.waiting"),
    printcolumn(name = "Maintenance", type_ = "string", json_path = ".spec.maintenance"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Class", type_ = "string", json_path = ".spec.storageClassName", priority = 1),
    printcolumn(name = "Snapshots", type_ = "string", json_path = ".spec.snapshotClassName", priority = 1),
    printcolumn(name = "Level", type_ = "integer", json_path = ".spec.maxProtectionLevel", priority = 1),
    printcolumn(name = "Provider", type_ = "string", json_path = ".spec.provider", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
#[x_kube(validation = rules::snapshots_of_disks())]
#[x_kube(validation = Rule::new(
    "!isQuantity(self.reserve) || !isQuantity(self.capacity) \
     || quantity(self.reserve).compareTo(quantity(self.capacity)) <= 0"
).message("预留不能大于容量 (reserve must not be larger than capacity)"))]
pub struct StoragePoolSpec {
    /// [immutable] The site the storage is at.
    #[x_kube(validation = rules::immutable("所在数据中心", "siteRef"))]
    pub site_ref: LocalRef,
    /// [free] Network zones whose hosts may use it: 1 to 8 names of `NetworkZone`.
    #[schemars(length(max = 8), inner(length(max = 253)))]
    #[x_kube(validation = rules::references("网络区域", "zones"), merge_strategy = ListMerge::Set)]
    pub zones: Vec<String>,
    /// [immutable] Tier (存储级别) as prices and requests name it, e.g. `standard`, `performance`, `extreme`.
    #[schemars(length(max = 253))]
    #[x_kube(
        validation = rules::immutable("存储级别", "tier"),
        validation = rules::label("存储级别", "tier")
    )]
    pub tier: String,
    /// [immutable] Storage type (存储类型): what the pool is given out as.
    #[serde(default)]
    #[x_kube(validation = rules::immutable("存储类型", "storageType"))]
    pub storage_type: StorageType,
    /// [free] `StorageClass` at the site that creates volumes, or buckets, in this pool. New ones only.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::reference())]
    pub storage_class_name: String,
    /// [free] `VolumeSnapshotClass` at the site that takes snapshots (快照) of disks in this pool; its `deletionPolicy` has to be
    /// `Delete`. None: they cannot be taken. New ones only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::reference())]
    pub snapshot_class_name: Option<String>,
    /// [free] Company that provides the storage (云服务商), at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("云服务商", "provider"))]
    pub provider: String,
    /// [free] Whether new claims are placed here.
    #[serde(default)]
    pub maintenance: Maintenance,
    /// [free] Highest protection level (等保级别, GB/T 22239) of the systems it may carry, 1 to 4. A pool of level 4
    /// carries systems of level 4 and no others.
    #[x_kube(validation = rules::between("可承载的最高等保级别", "maxProtectionLevel", 1, 4))]
    pub max_protection_level: u8,
    /// [free] Usable space after redundancy, 1Gi to 1Ei in whole Mi.
    #[x_kube(validation = rules::size("资源池容量", "capacity", "1Gi", "1Ei"))]
    pub capacity: Quantity,
    /// [free] What is kept back, 0 to 1Ei in whole Mi.
    #[serde(default)]
    #[x_kube(validation = rules::size("预留容量", "reserve", "0", "1Ei"))]
    pub reserve: Quantity,
}

/// What a storage pool is given out as.
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
pub enum StorageType {
    /// disks of hosts and databases, and volumes (块存储).
    #[default]
    Block,
    /// buckets (对象存储).
    Object,
}

impl StorageType {
    /// The word used in objects.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What is counted of it.
    pub fn meter(self) -> Meter {
        match self {
            Self::Block => Meter::BlockStorage,
            Self::Object => Meter::ObjectStorage,
        }
    }
}
