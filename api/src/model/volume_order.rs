//! The order of a cloud volume: the body of `POST .../volumes`.

use jiyun_crds::v1alpha1::{CloudVolume, CloudVolumeSpec, LocalRef, Quantity};
use kube::core::ObjectMeta;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{DeletionProtection, host_order::rule};
use crate::{
    extract::{
        DepartmentName, ObjectName,
        name::{is_label, is_subdomain},
    },
    problem::{Code, Fault, Problem},
};

/// A volume (云硬盘) a department asks for. Fields the API does not know are refused.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "portal-data", "displayName": "门户网站数据盘", "system": "portal", "zone": "extranet-public",
    "tier": "standard", "size": "200Gi", "host": "web-1",
}))]
pub struct VolumeOrder {
    /// Name of the volume: a DNS label of at most 40 characters, unique within the department. Left out where the header
    /// `Idempotency-Key` is sent, and only there: the name is then made from it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 40, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", example = "portal-data")]
    pub name: Option<String>,
    /// Name for people (云硬盘名称), one line of at most 63 characters.
    #[serde(default)]
    #[schema(max_length = 63, example = "门户网站数据盘")]
    pub display_name: Option<String>,
    /// The information system (信息系统) of the department the volume is for. Cannot be changed.
    #[schema(max_length = 40, example = "portal")]
    pub system: String,
    /// The network zone (网络区域) its hosts are in, that of the information system. Cannot be changed.
    #[schema(max_length = 63, example = "extranet-public")]
    pub zone: String,
    /// Storage tier (存储级别): those with a price of `BlockStorage` are in the catalogue. Cannot be changed.
    #[schema(max_length = 63, example = "standard")]
    pub tier: String,
    /// Size, 1Gi to 16Ti in whole Mi. It can grow, never shrink.
    #[schema(max_length = 32, example = "200Gi")]
    pub size: String,
    /// The snapshot (云快照) of the same information system whose content it begins with, no larger than itself; left out:
    /// it comes empty. It is made where the snapshot lies. Cannot be changed.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 40, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", example = "before-upgrade")]
    pub snapshot: Option<String>,
    /// The host of the same information system it is attached to (挂载); left out: it lies by itself. It is made at the site of
    /// this host, and can only be attached to hosts there.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 40, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", example = "web-1")]
    pub host: Option<String>,
    /// Whether it is kept from being deleted; left out: `Enabled`. Taking it off later is decided like an order.
    #[serde(default)]
    pub deletion_protection: DeletionProtection,
}

impl VolumeOrder {
    /// Checks what becomes part of an address at the API server, of a volume called `name`. Everything else is checked
    /// there, once.
    pub fn validate(&self, name: &str) -> Result<(), Problem> {
        let names = [
            ("name", ObjectName::parse(name).is_some()),
            ("system", is_label(&self.system)),
            ("zone", is_subdomain(&self.zone)),
            ("snapshot", self.snapshot.as_deref().is_none_or(|snapshot| ObjectName::parse(snapshot).is_some())),
            ("host", self.host.as_deref().is_none_or(|host| ObjectName::parse(host).is_some())),
        ];
        let wrong = names.into_iter().filter(|(_, fits)| !fits);
        let faults = wrong.map(|(field, _)| Fault::new(Code::InvalidField, field, [("problem", rule(field))]));
        Problem::of_body(faults.collect()).map_or(Ok(()), Err)
    }

    /// The object called `name` this order is.
    pub fn into_object(self, department: &DepartmentName, name: &str) -> CloudVolume {
        CloudVolume {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(department.namespace()),
                ..ObjectMeta::default()
            },
            spec: CloudVolumeSpec {
                display_name: self.display_name,
                system_ref: LocalRef::new(self.system),
                zone_ref: LocalRef::new(self.zone),
                tier: self.tier,
                size: Quantity::from(self.size.as_str()),
                snapshot_ref: self.snapshot.map(LocalRef::new),
                host_ref: self.host.map(LocalRef::new),
                restore: None,
                deletion_protection: self.deletion_protection.into(),
            },
            status: None,
        }
    }
}
