//! Host image (云主机镜像): an operating system a cloud host can start from.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Architecture, LocalRef, PlainStatus};
use crate::quantity::Quantity;
use crate::rules;
use crate::schema::structural;

/// An operating system a cloud host can start from. A changed image is a new image under a new name.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "HostImage",
    doc = "An operating system (云主机镜像) a cloud host can start from.",
    status = "PlainStatus",
    shortname = "himg",
    category = "jiyun",
    derive = "PartialEq",
    validation = rules::referable_name(),
    validation = Rule::new("!has(self.spec.replacedBy) || self.spec.replacedBy.name != self.metadata.name").message(
        "替代镜像不能是自己 (replacedBy must name another image)"
    ),
    printcolumn(name = "Display", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "OS", type_ = "string", json_path = ".spec.operatingSystem"),
    printcolumn(name = "Arch", type_ = "string", json_path = ".spec.architecture"),
    printcolumn(name = "MinDisk", type_ = "string", json_path = ".spec.minDisk"),
    printcolumn(name = "Lifecycle", type_ = "string", json_path = ".spec.lifecycle"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "ReplacedBy", type_ = "string", json_path = ".spec.replacedBy.name", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct HostImageSpec {
    /// [free] Name for people (镜像名称), one line of at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("镜像名称", "displayName"))]
    pub display_name: String,
    /// [free] Operating system and release, e.g. `openEuler 24.03 LTS`, at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::line("操作系统", "operatingSystem"))]
    pub operating_system: String,
    /// [immutable] Architecture it runs on.
    #[x_kube(validation = rules::immutable("架构", "architecture"))]
    pub architecture: Architecture,
    /// [free] Smallest system disk it fits on, 1Gi to 4Ti in whole Mi.
    #[x_kube(validation = rules::size("最小系统盘", "minDisk", "1Gi", "4Ti"))]
    pub min_disk: Quantity,
    /// [immutable] Where the image is fetched from: either `http` or `registry`.
    #[schemars(with = "ImageSourceFields")]
    #[x_kube(validation = rules::immutable("镜像来源", "source"))]
    pub source: ImageSource,
    /// [free] Whether hosts may still be ordered with it. What was granted stays as it is: it is started, resized, restored and
    /// copied from its snapshots whatever becomes of its image.
    #[serde(default)]
    pub lifecycle: ImageLifecycle,
    /// [free] The `HostImage` to order instead, named to whoever orders this one after it was retired, and in the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<LocalRef>,
}

/// How far an image is on its way out.
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
pub enum ImageLifecycle {
    /// hosts are ordered with it (在用).
    #[default]
    Offered,
    /// hosts can still be ordered with it, and better are not (不推荐).
    Deprecated,
    /// no host is ordered with it any more (已下架).
    Retired,
}

/// Where an image is fetched from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImageSource {
    /// A disk image (qcow2 or raw) on a web server.
    Http(HttpSource),
    /// A disk image inside a container image.
    Registry(RegistrySource),
}

/// A disk image on a web server.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpSource {
    /// [immutable] Address, `https://...` or `http://...`, at most 1024 characters.
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new("isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != '' && !self.matches('^[^/]*//[^/]*@')")
        .message("镜像地址须为 http:// 或 https:// 网址，不能含用户名或口令 (url must be an http:// or https:// address without user or password)"))]
    pub url: String,
}

/// A disk image inside a container image.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrySource {
    /// [immutable] Address, `docker://<registry>/<repository>:<tag>`, at most 1024 characters.
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new("self.matches('^docker://[^/\\\\s]+/[^\\\\s]+$')")
        .message("镜像地址须为 docker://仓库/名称 的形式 (url must be like docker://registry/repository:tag)"))]
    pub url: String,
}

/// The two forms of [`ImageSource`] as a Kubernetes schema can say it: optional fields of which exactly one is set.
#[derive(KubeSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.http) != has(self.registry)")
    .message("镜像来源须且只能填写 http 或 registry 之一 (source must hold exactly one of http and registry)"))]
struct ImageSourceFields {
    /// [immutable] A disk image (qcow2 or raw) on a web server.
    http: Option<HttpSource>,
    /// [immutable] A disk image inside a container image.
    registry: Option<RegistrySource>,
}
