//! Host class (云主机规格): a size of cloud host in the service catalogue.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Architecture, PlainStatus};
use crate::quantity::Quantity;
use crate::rules;
use crate::schema::structural;

/// A size of cloud host in the service catalogue (云服务目录). Its figures never change, so a claim can always be
/// recomputed from the class it names; another size is another class.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "HostClass",
    plural = "hostclasses",
    doc = "A size of cloud host (云主机规格) in the service catalogue.",
    status = "PlainStatus",
    shortname = "hc",
    category = "jiyun",
    derive = "PartialEq",
    validation = rules::referable_name(),
    printcolumn(name = "Display", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Series", type_ = "string", json_path = ".spec.series"),
    printcolumn(name = "vCPU", type_ = "integer", json_path = ".spec.vcpu"),
    printcolumn(name = "Memory", type_ = "string", json_path = ".spec.memory"),
    printcolumn(name = "Architectures", type_ = "string", json_path = ".spec.architectures"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct HostClassSpec {
    /// [free] Name for people (规格名称), one line of at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("规格名称", "displayName"))]
    pub display_name: String,
    /// [immutable] Series in the catalogue.
    #[x_kube(validation = rules::immutable("规格系列", "series"))]
    pub series: HostSeries,
    /// [immutable] Virtual CPUs, 1 to 128.
    #[x_kube(
        validation = rules::immutable("vCPU 核数", "vcpu"),
        validation = rules::between("vCPU 核数", "vcpu", 1, 128)
    )]
    pub vcpu: u32,
    /// [immutable] Memory, 512Mi to 4Ti in whole Mi.
    #[x_kube(
        validation = rules::immutable("内存", "memory"),
        validation = rules::size("内存", "memory", "512Mi", "4Ti")
    )]
    pub memory: Quantity,
    /// [immutable] Architectures it is offered on, at least one.
    #[schemars(length(max = 2))]
    #[x_kube(
        validation = rules::immutable("架构", "architectures"),
        validation = Rule::new("self.size() >= 1")
            .message("至少填写一种架构：amd64 或 arm64 (architectures must hold amd64, arm64 or both)"),
        merge_strategy = ListMerge::Set
    )]
    pub architectures: Vec<Architecture>,
}

/// Series of the catalogue, by the ratio of memory to vCPU and by size.
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
pub enum HostSeries {
    /// small hosts (基础型).
    Basic,
    /// 2 GiB of memory for each vCPU (通用型).
    General,
    /// 4 GiB of memory for each vCPU (内存型).
    Memory,
    /// many vCPUs (计算型).
    Compute,
}
