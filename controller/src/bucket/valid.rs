//! Validate: from a wish and what it names to an order without loose ends, or the field that is wrong.
//!
//! No client, no clock, no randomness. After it nothing reaches into the spec again but for free fields.

use jiyun_approvals::Size;
use jiyun_crds::v1alpha1::{CloudBucket, DeletionProtection, OrderAction, misfit::bucket_misfits};

use super::found::Found;
use crate::{
    host::{
        rejection::Rejection,
        valid::{department, known, quantity, zone_allowed},
    },
    order::route::Asked,
    stored::approved::Approved,
};

/// A bucket that may be put to the ledger.
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

/// How large a bucket is.
pub fn size_of(approved: &Approved) -> Size {
    Size { object_mebibytes: approved.mebibytes, ..Size::default() }
}

/// Checks `bucket` against what it names. The first thing wrong is told, in the order a form is filled in.
///
/// # Errors
/// The field that is wrong and what to do.
pub fn validate(bucket: &CloudBucket, found: &Found) -> Result<Valid, Rejection> {
    let spec = &bucket.spec;
    let namespace = bucket.metadata.namespace.as_deref().unwrap_or_default();
    let department = department(namespace, found.department.as_ref())?;
    let system = known(found.system.as_ref(), "spec.systemRef.name", "InformationSystem", &spec.system_ref.name)?;
    let zone = &spec.zone_ref.name;
    known(found.zone.as_ref(), "spec.zoneRef.name", "NetworkZone", zone)?;
    zone_allowed(department, zone)?;
    let mebibytes = quantity("spec.size", spec.size.as_str(), spec.size.mebibytes())?;
    if let Some(misfit) = bucket_misfits(spec, system).next() {
        return Err(Rejection::misfit(misfit));
    }
    Ok(Valid {
        department: department.metadata.name.clone().unwrap_or_default(),
        system: spec.system_ref.name.clone(),
        zone: zone.clone(),
        protection_level: system.spec.protection_level,
        digest: super::digest::of(spec),
        approved: Approved {
            tier: spec.tier.clone(),
            mebibytes,
            deletable: spec.deletion_protection == DeletionProtection::Disabled,
            source: None,
            content: None,
            restored: None,
            order: None,
            policies: Vec::new(),
        },
    })
}

#[cfg(test)]
#[path = "valid_tests.rs"]
pub mod tests;
