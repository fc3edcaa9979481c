//! Database class (云数据库规格): a size of cloud database in the service catalogue, and the versions it comes in.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Architecture, PlainStatus};
use crate::quantity::Quantity;
use crate::rules;
use crate::schema::structural;

/// A size of cloud database in the service catalogue (云服务目录). Its figures never change, so a claim can always be
/// recomputed from the class it names; another size is another class.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "DatabaseClass",
    plural = "databaseclasses",
    doc = "A size of cloud database (云数据库规格) in the service catalogue.",
    status = "PlainStatus",
    shortname = "dbc",
    category = "jiyun",
    derive = "PartialEq",
    validation = rules::referable_name(),
    printcolumn(name = "Display", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Engine", type_ = "string", json_path = ".spec.engine"),
    printcolumn(name = "vCPU", type_ = "integer", json_path = ".spec.vcpu"),
    printcolumn(name = "Memory", type_ = "string", json_path = ".spec.memory"),
    printcolumn(name = "Version", type_ = "string", json_path = ".spec.versions[0].version"),
    printcolumn(name = "Architectures", type_ = "string", json_path = ".spec.architectures"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct DatabaseClassSpec {
    /// [free] Name for people (规格名称), one line of at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("规格名称", "displayName"))]
    pub display_name: String,
    /// [immutable] Engine of its databases.
    #[x_kube(validation = rules::immutable("数据库引擎", "engine"))]
    pub engine: DatabaseEngine,
    /// [immutable] Virtual CPUs of each instance, 1 to 128.
    #[x_kube(
        validation = rules::immutable("vCPU 核数", "vcpu"),
        validation = rules::between("vCPU 核数", "vcpu", 1, 128)
    )]
    pub vcpu: u32,
    /// [immutable] Memory of each instance, 1Gi to 4Ti in whole Mi.
    #[x_kube(
        validation = rules::immutable("内存", "memory"),
        validation = rules::size("内存", "memory", "1Gi", "4Ti")
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
    /// [free] Versions it is offered in, 1 to 8. What is changed here is for databases to come.
    #[schemars(length(max = 8))]
    #[x_kube(
        validation = Rule::new("self.size() >= 1").message("至少填写一个版本 (versions must hold at least one entry)"),
        merge_strategy = ListMerge::Map(vec!["version".to_owned()])
    )]
    pub versions: Vec<DatabaseVersion>,
}

/// A version of the engine, and what it is made from.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseVersion {
    /// [free] Major version, as databases ask for it, e.g. `17`.
    #[schemars(length(max = 15))]
    #[x_kube(validation = rules::major_version("版本", "version"))]
    pub version: String,
    /// [free] Container image of that version, e.g. `registry.example/postgresql:17.6`. Its tag begins with the version:
    /// `CloudNativePG` reads it there.
    #[schemars(length(max = 255))]
    #[x_kube(validation = rules::container_image("镜像", "image"))]
    pub image: String,
}

/// Engine of a database.
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
pub enum DatabaseEngine {
    /// PostgreSQL, by `CloudNativePG`.
    Postgresql,
}

impl DatabaseEngine {
    /// The word used in objects and in the account book.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
