//! Validate: from a wish and what it names to an order without loose ends, or the field that is wrong.
//!
//! No client, no clock, no randomness. After it nothing reaches into the spec again but for free fields.

use jiyun_approvals::Size;
use jiyun_crds::v1alpha1::{CloudDatabase, DeletionProtection, OrderAction, misfit::database_misfits};
use jiyun_messages::parameters;

use super::{
    approved::{Approved, Extent},
    found::Found,
};
use crate::{
    host::{
        rejection::Rejection,
        valid::{department, known, quantity, zone_allowed},
    },
    order::route::Asked,
};

/// A database that may be put to the ledger.
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

/// How large a database is, or may be while it is changed: all of its instances together.
pub fn size_of(approved: &Approved) -> Size {
    let Extent { instances, vcpu, memory_mebibytes, storage_mebibytes } = approved.held();
    Size {
        vcpu: vcpu * instances,
        memory_mebibytes: memory_mebibytes * instances,
        storage_mebibytes: storage_mebibytes * instances,
        ..Size::default()
    }
}

/// Checks `database` against what it names. The first thing wrong is told, in the order a form is filled in.
///
/// # Errors
/// The field that is wrong and what to do.
pub fn validate(database: &CloudDatabase, found: &Found) -> Result<Valid, Rejection> {
    let spec = &database.spec;
    let namespace = database.metadata.namespace.as_deref().unwrap_or_default();
    let department = department(namespace, found.department.as_ref())?;
    let system = known(found.system.as_ref(), "spec.systemRef.name", "InformationSystem", &spec.system_ref.name)?;
    let zone = &spec.zone_ref.name;
    let found_zone = known(found.zone.as_ref(), "spec.zoneRef.name", "NetworkZone", zone)?;
    zone_allowed(department, zone)?;
    if found_zone.spec.isolation.is_some() {
        // The engine's operator has no way into a department's own network, and would never see an instance answer.
        let about = parameters([("field", "spec.zoneRef.name"), ("zone", zone)]);
        return Err(Rejection::misconfigured("DatabaseInOwnNetwork", about));
    }
    let class = known(found.class.as_ref(), "spec.classRef.name", "DatabaseClass", &spec.class_ref.name)?;
    let size = &spec.storage.size;
    let storage_mebibytes = quantity("spec.storage.size", size.as_str(), size.mebibytes())?;
    if let Some(misfit) = database_misfits(spec, system, class).next() {
        return Err(Rejection::misfit(misfit));
    }
    let memory = &class.spec.memory;
    let offered = class.spec.versions.iter().find(|offered| offered.version == spec.engine.version);
    let approved = Approved {
        class: spec.class_ref.name.clone(),
        engine: spec.engine.kind,
        version: spec.engine.version.clone(),
        image: offered.map(|offered| offered.image.clone()).unwrap_or_default(),
        architecture: spec.architecture.as_str().to_owned(),
        instances: spec.topology.instances().into(),
        vcpu: class.spec.vcpu.into(),
        memory_mebibytes: quantity("DatabaseClass.spec.memory", memory.as_str(), memory.mebibytes())?,
        storage_tier: spec.storage.tier.clone(),
        storage_mebibytes,
        under_way: None,
        deletable: spec.deletion_protection == DeletionProtection::Disabled,
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

#[cfg(test)]
#[path = "valid_tests.rs"]
pub mod tests;
