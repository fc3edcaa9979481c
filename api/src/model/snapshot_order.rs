//! The order of a cloud snapshot: the body of `POST .../snapshots`.

use jiyun_crds::v1alpha1::{CloudSnapshot, CloudSnapshotSpec, LocalRef};
use kube::core::ObjectMeta;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{DeletionProtection, SnapshotSource, host_order::rule};
use crate::{
    extract::{DepartmentName, ObjectName, name::is_label},
    problem::{Code, Fault, Problem},
};

/// A snapshot (云快照) a department asks for. Its size, its storage tier and its price per GiB are those of what it is
/// taken of. Fields the API does not know are refused.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "before-upgrade", "displayName": "升级前", "system": "portal",
    "source": {"kind": "CloudHost", "name": "web-1"},
}))]
pub struct SnapshotOrder {
    /// Name of the snapshot: a DNS label of at most 40 characters, unique within the department. Left out where the
    /// header `Idempotency-Key` is sent, and only there: the name is then made from it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 40, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", example = "before-upgrade")]
    pub name: Option<String>,
    /// Name for people (云快照名称), one line of at most 63 characters.
    #[serde(default)]
    #[schema(max_length = 63, example = "升级前")]
    pub display_name: Option<String>,
    /// The information system (信息系统) of the department it is for, that of its source. Cannot be changed.
    #[schema(max_length = 40, example = "portal")]
    pub system: String,
    /// What it is taken of: one disk. Cannot be changed.
    pub source: SnapshotSource,
    /// Whether it is kept from being deleted; left out: `Enabled`. Taking it off later is decided like an order.
    #[serde(default)]
    pub deletion_protection: DeletionProtection,
}

impl SnapshotOrder {
    /// Checks what becomes part of an address at the API server, of a snapshot called `name`. Everything else is
    /// checked there, once.
    pub fn validate(&self, name: &str) -> Result<(), Problem> {
        let names = [
            ("name", ObjectName::parse(name).is_some()),
            ("system", is_label(&self.system)),
            ("source.name", ObjectName::parse(&self.source.name).is_some()),
        ];
        let wrong = names.into_iter().filter(|(_, fits)| !fits);
        let faults = wrong.map(|(field, _)| Fault::new(Code::InvalidField, field, [("problem", rule(field))]));
        Problem::of_body(faults.collect()).map_or(Ok(()), Err)
    }

    /// The object called `name` this order is.
    pub fn into_object(self, department: &DepartmentName, name: &str) -> CloudSnapshot {
        CloudSnapshot {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(department.namespace()),
                ..ObjectMeta::default()
            },
            spec: CloudSnapshotSpec {
                display_name: self.display_name,
                system_ref: LocalRef::new(self.system),
                source: self.source.into(),
                deletion_protection: self.deletion_protection.into(),
            },
            status: None,
        }
    }
}
