//! Compute pool (计算资源池): machines of one architecture at one site, and how much of them may be given out.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Architecture, LocalRef, Maintenance, PoolStatus};
use crate::date_time::DateTime;
use crate::quantity::Quantity;
use crate::rules;
use crate::schema::structural;

/// Machines of one architecture at one site. What may be given out is capacity × over-commit − reserve.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "ComputePool",
    doc = "Machines of one architecture at one site (计算资源池), and how much of them may be given out.",
    status = "PoolStatus",
    shortname = "cpool",
    category = "jiyun",
    derive = "PartialEq",
    validation = rules::referable_name(),
    printcolumn(name = "Site", type_ = "string", json_path = ".spec.siteRef.name"),
    printcolumn(name = "Arch", type_ = "string", json_path = ".spec.architecture"),
    printcolumn(name = "vCPU", type_ = "string", json_path = ".status.summary.vcpu"),
    printcolumn(name = "Memory", type_ = "string", json_path = ".status.summary.memory"),
    printcolumn(name = "Claims", type_ = "integer", json_path = ".status.summary.claims"),
    printcolumn(name = "Waiting", type_ = "integer", json_path = ".status.summary.waiting"),
    printcolumn(name = "Maintenance", type_ = "string", json_path = ".spec.maintenance"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Level", type_ = "integer", json_path = ".spec.maxProtectionLevel", priority = 1),
    printcolumn(name = "Provider", type_ = "string", json_path = ".spec.provider", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
#[x_kube(validation = Rule::new(
    "!has(self.capacity) || (self.reserve.vcpu <= self.capacity.vcpu \
     && (!isQuantity(self.reserve.memory) || !isQuantity(self.capacity.memory) \
     || quantity(self.reserve.memory).compareTo(quantity(self.capacity.memory)) <= 0))"
).message("预留不能大于容量 (reserve must not be larger than capacity)"))]
#[x_kube(validation = Rule::new("has(self.capacity) != has(self.nodeSelector)").message(
    "capacity 与 nodeSelector 必须且只能填写一项 (set exactly one of capacity and nodeSelector)"
))]
pub struct ComputePoolSpec {
    /// [immutable] The site the machines are at.
    #[x_kube(validation = rules::immutable("所在数据中心", "siteRef"))]
    pub site_ref: LocalRef,
    /// [free] Network zones the pool is connected to: 1 to 8 names of `NetworkZone`.
    #[schemars(length(max = 8), inner(length(max = 253)))]
    #[x_kube(validation = rules::references("网络区域", "zones"), merge_strategy = ListMerge::Set)]
    pub zones: Vec<String>,
    /// [immutable] Architecture of the machines.
    #[x_kube(validation = rules::immutable("架构", "architecture"))]
    pub architecture: Architecture,
    /// [free] Processor of the machines, e.g. `Hygon C86 7390`, at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("处理器", "processor"))]
    pub processor: String,
    /// [free] Company that provides the machines (云服务商), at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("云服务商", "provider"))]
    pub provider: String,
    /// [free] Where the processors come from (国产化): units may prefer pools with domestic ones.
    #[serde(default)]
    pub processor_origin: ProcessorOrigin,
    /// [free] Whether new claims are placed here.
    #[serde(default)]
    pub maintenance: Maintenance,
    /// [free] Highest protection level (等保级别, GB/T 22239) of the systems it may carry, 1 to 4: a platform carries no
    /// system of a level above its own. A pool of level 4 carries systems of level 4 and no others.
    #[x_kube(validation = rules::between("可承载的最高等保级别", "maxProtectionLevel", 1, 4))]
    pub max_protection_level: u8,
    /// [free] What the machines have, those taken over left out. Entered by hand; else `nodeSelector` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<ComputeCapacity>,
    /// [free] Reads what the machines have from the site's nodes instead, and follows them: labels a node has to carry, as
    /// `kubectl get nodes -l` takes them, `key=value`, several with commas, all of them. Give every pool's nodes a label
    /// of their own, or they are counted twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new(
        r"self.matches('^[^=,\\s]+=[^=,\\s]*(,[^=,\\s]+=[^=,\\s]*){0,7}$')"
    ).message(
        "节点标签须写成 键=值，多个用逗号分隔，最多 8 个 (nodeSelector must be key=value, several with commas, at most 8)"
    ))]
    pub node_selector: Option<String>,
    /// [free] Machines taken over from server rooms (利旧设备), at most 64: their capacity adds to the pool's, and where
    /// they came from is kept. Where capacity is read from nodes, they are among those and add nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub taken_over: Vec<HardwareOrigin>,
    /// [free] What is kept back for the platform itself and for repairs.
    #[serde(default)]
    pub reserve: ComputeReserve,
    /// [free] Virtual CPUs given out per 100 physical threads, 100 to 1000. Memory is never over-committed
    /// (按内存不复用方式分配).
    #[serde(default = "no_overcommit")]
    #[x_kube(validation = rules::between("vCPU 超分百分比", "vcpuOvercommitPercent", 100, 1000))]
    pub vcpu_overcommit_percent: u32,
    /// [free] Meters a host gives back while it is stopped (关机释放), both, one or none; none unless said. It pays nothing
    /// for them meanwhile, and its start is decided anew: it may have to wait for room. All other meters it keeps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub stop_releases: Vec<StopRelease>,
}

/// What a host may give back while it is stopped.
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
pub enum StopRelease {
    /// virtual CPUs (vCPU 核).
    Vcpu,
    /// memory (内存).
    Memory,
}

/// Where processors come from.
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
pub enum ProcessorOrigin {
    /// imported products (进口).
    #[default]
    Imported,
    /// domestic products (国产).
    Domestic,
}

/// What the machines of a pool have.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComputeCapacity {
    /// [free] Physical threads, 1 to 1000000.
    #[x_kube(validation = rules::between("资源池核数", "vcpu", 1, 1_000_000))]
    pub vcpu: u64,
    /// [free] Memory, 1Gi to 64Pi in whole Mi.
    #[x_kube(validation = rules::size("资源池内存", "memory", "1Gi", "64Pi"))]
    pub memory: Quantity,
}

/// Machines that came from a department's own server room.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HardwareOrigin {
    /// [free] Name of this lot, unique in the pool.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("批次名称", "takenOver.name"))]
    pub name: String,
    /// [free] The department they came from: a name of a `Department`.
    #[x_kube(validation = rules::reference())]
    #[schemars(length(max = 253))]
    pub department: String,
    /// [free] The server room they stood in (原机房), one line.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("原机房", "takenOver.serverRoom"))]
    pub server_room: String,
    /// [free] Since when they belong to the pool.
    #[x_kube(validation = rules::moment("并入时间", "takenOver.since"))]
    pub since: DateTime,
    /// [free] What they have.
    pub capacity: ComputeCapacity,
}

/// What is kept back in a pool.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComputeReserve {
    /// [free] Virtual CPUs, 0 to 1000000, counted after over-commit.
    #[serde(default)]
    #[x_kube(validation = rules::between("预留核数", "vcpu", 0, 1_000_000))]
    pub vcpu: u64,
    /// [free] Memory, 0 to 64Pi in whole Mi.
    #[serde(default)]
    #[x_kube(validation = rules::size("预留内存", "memory", "0", "64Pi"))]
    pub memory: Quantity,
}

fn no_overcommit() -> u32 {
    100
}
