//! Validate: from a wish and what it names to an order without loose ends, or the field that is wrong.
//!
//! No client, no clock, no randomness. After it nothing reaches into the spec again but for free fields.

use jiyun_approvals::Size;
use jiyun_crds::{
    names,
    v1alpha1::{
        CloudVolume, DeletionProtection, OrderAction,
        misfit::{volume_from_snapshot_misfits, volume_misfits},
    },
};
use jiyun_messages::parameters;

use super::found::{Found, Named, Place};
use crate::{
    content,
    host::{
        rejection::Rejection,
        valid::{department, known, quantity, zone_allowed},
    },
    order::route::Asked,
    stored::approved::Approved,
};

/// A volume that may be put to the ledger.
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
    /// The site it has to be at, where it is made from a snapshot, or names a host that has a place.
    pub site: Option<String>,
    /// Whether the host it names has no place yet.
    pub awaits_host: bool,
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

/// How large a volume is.
pub fn size_of(approved: &Approved) -> Size {
    Size { storage_mebibytes: approved.mebibytes, ..Size::default() }
}

/// Checks `volume` against what it names. The first thing wrong is told, in the order a form is filled in.
///
/// # Errors
/// The field that is wrong and what to do.
pub fn validate(volume: &CloudVolume, found: &Found) -> Result<Valid, Rejection> {
    let spec = &volume.spec;
    let namespace = volume.metadata.namespace.as_deref().unwrap_or_default();
    let department = department(namespace, found.department.as_ref())?;
    let system = known(found.system.as_ref(), "spec.systemRef.name", "InformationSystem", &spec.system_ref.name)?;
    let zone = &spec.zone_ref.name;
    known(found.zone.as_ref(), "spec.zoneRef.name", "NetworkZone", zone)?;
    zone_allowed(department, zone)?;
    let mebibytes = quantity("spec.size", spec.size.as_str(), spec.size.mebibytes())?;
    if let Some(misfit) = volume_misfits(spec, system).next() {
        return Err(Rejection::misfit(misfit));
    }
    let content =
        found.content.made_from(spec.snapshot_ref.as_ref(), |kept| volume_from_snapshot_misfits(spec, kept).next())?;
    let place = place(volume, &found.host)?;
    if let (Some(place), Some(host)) = (place, &spec.host_ref) {
        let made_in = names::engine_namespace(department.metadata.name.as_deref().unwrap_or_default());
        match &found.content {
            // It is to be made where the snapshot lies; where one lies that was made, is judged where it is attached.
            content::Named::Taken(taken) => reachable(&host.name, place, &taken.content.site, &made_in)?,
            _ => made_here(&host.name, place, &made_in)?,
        }
    }
    Ok(Valid {
        department: department.metadata.name.clone().unwrap_or_default(),
        system: spec.system_ref.name.clone(),
        zone: zone.clone(),
        protection_level: system.spec.protection_level,
        awaits_host: place.is_none() && spec.host_ref.is_some(),
        site: content.as_ref().map(|content| content.site.clone()).or_else(|| place.map(|place| place.site.clone())),
        digest: super::digest::of(spec),
        approved: Approved {
            tier: spec.tier.clone(),
            mebibytes,
            deletable: spec.deletion_protection == DeletionProtection::Disabled,
            source: None,
            content,
            restored: None,
            order: None,
            policies: Vec::new(),
        },
    })
}

/// The field that names the host.
const HOST: &str = "spec.hostRef.name";

/// Where the host that `volume` names is, if it names one and that has a place.
fn place<'a>(volume: &CloudVolume, host: &'a Named) -> Result<Option<&'a Place>, Rejection> {
    let name = volume.spec.host_ref.as_ref().map(|host| host.name.as_str()).unwrap_or_default();
    match host {
        Named::Nobody => Ok(None),
        Named::Missing | Named::Leaving | Named::Unreadable => {
            Err(Rejection::unknown_reference(HOST, "CloudHost", name))
        }
        Named::There(host) if host.system != volume.spec.system_ref.name => {
            let about = parameters([
                ("field", HOST),
                ("host", name),
                ("system", &host.system),
                ("expected", &volume.spec.system_ref.name),
            ]);
            Err(Rejection::misconfigured("HostInOtherSystem", about))
        }
        Named::There(host) => Ok(host.place.as_ref()),
    }
}

/// Whether a volume that lies at `site`, with its disk in `namespace`, can be attached to a host that is at `place`.
///
/// # Errors
/// Why it cannot.
pub fn reachable(host: &str, place: &Place, site: &str, namespace: &str) -> Result<(), Rejection> {
    if place.site != site {
        return Err(Rejection::misconfigured("VolumeAtOtherSite", parameters([("field", HOST), ("host", host)])));
    }
    made_here(host, place, namespace)
}

/// The machine of a host that came from another department stays where it was made, and disks are attached in their own
/// namespace alone.
fn made_here(host: &str, place: &Place, namespace: &str) -> Result<(), Rejection> {
    if place.namespace != namespace {
        return Err(Rejection::misconfigured("HostMadeElsewhere", parameters([("field", HOST), ("host", host)])));
    }
    Ok(())
}

#[cfg(test)]
#[path = "valid_tests.rs"]
pub mod tests;
