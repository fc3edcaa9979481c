//! Validate: from a wish and what it names to an order without loose ends, or the field that is wrong.
//!
//! No client, no clock (the time is one of the things found), no randomness. After it nothing reaches into the spec again
//! but for free fields.

use jiyun_crds::{
    names::{department_namespace, department_of_namespace},
    quantity::InvalidQuantity,
    v1alpha1::{
        AntiAffinityPolicy, CloudHost, DeletionProtection, Department, ImageSource as CatalogueSource, OrderAction,
        misfit::{host_from_snapshot_misfits, misfits},
    },
};
use jiyun_messages::parameters;
use kube::ResourceExt;

use super::{approved::Approved, found::Found, lease, rejection::Rejection};
use crate::{
    engines::{
        kube_ovn,
        order::{Apart, ImageSource},
    },
    order::route::{Asked, size_of},
};

/// A host that may be put to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valid {
    /// The department whose account pays.
    pub department: String,
    /// The information system it is part of.
    pub system: String,
    /// Its network zone.
    pub zone: String,
    /// Protection level (等保) of its system, 1..=4.
    pub protection_level: u8,
    /// What is asked for, resolved.
    pub approved: Approved,
    /// Digest of the wish; equal wishes have equal digests.
    pub digest: String,
}

impl Valid {
    /// What policies are asked about it.
    pub fn asked(&self, action: OrderAction) -> Asked<'_> {
        let size = size_of(&self.approved);
        Asked::of_resources(&self.department, &self.zone, self.protection_level, size, action)
    }
}

/// Checks `host` against what it names. The first thing wrong is told, in the order a form is filled in.
///
/// # Errors
/// The field that is wrong and what to do.
pub fn validate(host: &CloudHost, found: &Found) -> Result<Valid, Rejection> {
    let spec = &host.spec;
    let namespace = host.metadata.namespace.as_deref().unwrap_or_default();
    let department = department(namespace, found.department.as_ref())?;
    let system = known(found.system.as_ref(), "spec.systemRef.name", "InformationSystem", &spec.system_ref.name)?;
    let zone = &spec.zone_ref.name;
    let found_zone = known(found.zone.as_ref(), "spec.zoneRef.name", "NetworkZone", zone)?;
    zone_allowed(department, zone)?;
    let class = known(found.class.as_ref(), "spec.classRef.name", "HostClass", &spec.class_ref.name)?;
    let image = known(found.image.as_ref(), "spec.imageRef.name", "HostImage", &spec.image_ref.name)?;
    let disk_mebibytes =
        quantity("spec.systemDisk.size", spec.system_disk.size.as_str(), spec.system_disk.size.mebibytes())?;
    let minimum = &image.spec.min_disk;
    quantity("HostImage.spec.minDisk", minimum.as_str(), minimum.mebibytes())?;
    if let Some(misfit) = misfits(spec, system, class, image).next() {
        return Err(Rejection::misfit(misfit));
    }
    let content =
        found.content.made_from(spec.snapshot_ref.as_ref(), |kept| host_from_snapshot_misfits(spec, kept).next())?;
    let approved = Approved {
        class: spec.class_ref.name.clone(),
        image: spec.image_ref.name.clone(),
        image_source: match &image.spec.source {
            CatalogueSource::Http(source) => ImageSource::Http(source.url.clone()),
            CatalogueSource::Registry(source) => ImageSource::Registry(source.url.clone()),
        },
        vcpu: u64::from(class.spec.vcpu),
        memory_mebibytes: quantity("HostClass.spec.memory", class.spec.memory.as_str(), class.spec.memory.mebibytes())?,
        architecture: spec.architecture.as_str().to_owned(),
        disk_tier: spec.system_disk.tier.clone(),
        disk_mebibytes,
        apart: spec.anti_affinity.as_ref().map(|apart| Apart {
            system: system.uid().unwrap_or_default().chars().take(Apart::DIGITS).collect(),
            group: apart.group.clone(),
            required: apart.policy == AntiAffinityPolicy::Required,
        }),
        ssh_authorized_keys: spec.ssh_authorized_keys.clone(),
        user_data: spec.user_data_secret_ref.as_ref().map(|secret| secret.name.clone()),
        subnet: found_zone.spec.isolation.as_ref().map(|_| kube_ovn::subnet_name(&department.name_any(), zone)),
        deletable: spec.deletion_protection == DeletionProtection::Disabled,
        lease: lease::wished(host, found.lease)?,
        content,
        restored: None,
        order: None,
        policies: Vec::new(),
    };
    Ok(Valid {
        department: department.metadata.name.clone().unwrap_or_default(),
        system: spec.system_ref.name.clone(),
        zone: zone.clone(),
        protection_level: system.spec.protection_level,
        digest: super::digest::of(spec),
        approved,
    })
}

/// The department whose namespace this is.
///
/// # Errors
/// When it is none, or the department is not there.
pub fn department<'a>(namespace: &str, found: Option<&'a Department>) -> Result<&'a Department, Rejection> {
    found.ok_or_else(|| match department_of_namespace(namespace) {
        Some(department) if department_namespace(department) == namespace => {
            Rejection::unknown_reference("metadata.namespace", "Department", department)
        }
        _ => Rejection::misconfigured("NotInDepartmentNamespace", parameters([("namespace", namespace)])),
    })
}

/// What is named, if it is there.
///
/// # Errors
/// When it is not.
pub fn known<'a, K>(found: Option<&'a K>, field: &str, kind: &str, name: &str) -> Result<&'a K, Rejection> {
    found.ok_or_else(|| Rejection::unknown_reference(field, kind, name))
}

/// Whether the department may use the zone.
///
/// # Errors
/// When it may not.
pub fn zone_allowed(department: &Department, zone: &str) -> Result<(), Rejection> {
    if department.spec.zones.iter().any(|allowed| allowed == zone) {
        return Ok(());
    }
    let department = department.metadata.name.as_deref().unwrap_or_default();
    Err(Rejection::zone_not_allowed("spec.zoneRef.name", department, zone))
}

/// The amount a field says.
///
/// # Errors
/// When it says none.
pub fn quantity(field: &str, value: &str, read: Result<u64, InvalidQuantity>) -> Result<u64, Rejection> {
    read.map_err(|problem| {
        let about = parameters([("field", field), ("value", value), ("problem", &problem.to_string())]);
        Rejection::misconfigured("InvalidQuantity", about)
    })
}

#[cfg(test)]
#[path = "valid_tests.rs"]
mod tests;
