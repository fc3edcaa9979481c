//! Validate: from a wish and what it names to an order without loose ends, or the field that is wrong.
//!
//! No client, no clock, no randomness. After it nothing reaches into the spec again but for free fields. What was granted is
//! read again as it was granted: its source may have changed since, or be gone.

use jiyun_approvals::Size;
use jiyun_crds::{
    names::engine_namespace,
    v1alpha1::{CloudSnapshot, DeletionProtection, OrderAction, Reason},
};
use jiyun_ledger::PoolId;
use jiyun_messages::parameters;

use super::found::{Found, Granted, Named, Place};
use crate::{
    content::Source,
    host::{
        rejection::Rejection,
        valid::{department, known},
    },
    order::route::Asked,
    stored::approved::Approved,
};

/// The field that names what a snapshot is taken of.
pub const SOURCE: &str = "spec.source.name";

/// A snapshot that may be put to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valid {
    /// The department whose account pays.
    pub department: String,
    /// The information system it is for.
    pub system: String,
    /// The network zone of its source.
    pub zone: String,
    /// Protection level (等保) of its system, 1..=4.
    pub protection_level: u8,
    /// The pool its source lies in, and it too.
    pub pool: PoolId,
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

/// How large a snapshot is.
pub fn size_of(approved: &Approved) -> Size {
    Size { storage_mebibytes: approved.mebibytes, ..Size::default() }
}

/// Checks `snapshot` against what it names. The first thing wrong is told, in the order a form is filled in.
///
/// # Errors
/// The field that is wrong and what to do.
pub fn validate(snapshot: &CloudSnapshot, found: &Found) -> Result<Valid, Rejection> {
    let spec = &snapshot.spec;
    let namespace = snapshot.metadata.namespace.as_deref().unwrap_or_default();
    let department = department(namespace, found.department.as_ref())?;
    let system = known(found.system.as_ref(), "spec.systemRef.name", "InformationSystem", &spec.system_ref.name)?;
    let department = department.metadata.name.clone().unwrap_or_default();
    let deletable = spec.deletion_protection == DeletionProtection::Disabled;
    let Granted { approved, zone, pool } = match &found.granted {
        Some(granted) => granted.clone(),
        None => asked_for(snapshot, place(snapshot, found.source.as_ref(), &engine_namespace(&department))?),
    };
    Ok(Valid {
        department,
        system: spec.system_ref.name.clone(),
        zone,
        protection_level: system.spec.protection_level,
        pool,
        digest: super::digest::of(spec),
        approved: Approved { deletable, ..approved },
    })
}

/// What a snapshot of the disk at `place` asks for: as much as that was granted, out of the same pool.
fn asked_for(snapshot: &CloudSnapshot, place: &Place) -> Granted {
    let source = &snapshot.spec.source;
    let approved = Approved {
        tier: place.disk.tier.clone(),
        mebibytes: place.disk.mebibytes,
        deletable: false,
        source: Some(Source {
            kind: source.kind,
            name: source.name.clone(),
            claim: place.claim,
            namespace: place.namespace.clone(),
            disk: place.disk.name.clone(),
            image: place.disk.image.clone(),
        }),
        content: None,
        restored: None,
        order: None,
        policies: Vec::new(),
    };
    Granted { approved, zone: place.zone.clone(), pool: place.pool.clone() }
}

/// Where the disk is that `snapshot` is to be taken of, in the department's own namespace `engines`.
fn place<'a>(snapshot: &CloudSnapshot, source: Option<&'a Named>, engines: &str) -> Result<&'a Place, Rejection> {
    let (kind, name) = (snapshot.spec.source.kind.as_str(), snapshot.spec.source.name.as_str());
    let about = |more: &[(&str, &str)]| {
        parameters([("field", SOURCE), ("kind", kind), ("name", name)].into_iter().chain(more.iter().copied()))
    };
    let not_ready = || {
        let code = "SnapshotSourceNotReady";
        Rejection { reason: Reason::AwaitingSource, code, parameters: about(&[]) }
    };
    let source = source.ok_or_else(|| Rejection::unknown_reference(SOURCE, kind, name))?;
    let expected = &snapshot.spec.system_ref.name;
    if source.system != *expected {
        let about = about(&[("system", source.system.as_str()), ("expected", expected.as_str())]);
        return Err(Rejection::misconfigured("SnapshotSourceInOtherSystem", about));
    }
    let place = source.place.as_ref().filter(|_| !source.is_leaving).ok_or_else(not_ready)?;
    // The machine of a host that came from another department stays where it was made, and a snapshot lies beside its disk.
    if place.namespace != engines {
        return Err(Rejection::misconfigured("SnapshotSourceMadeElsewhere", about(&[])));
    }
    if !place.is_offered {
        return Err(Rejection::misconfigured("SnapshotsNotOffered", about(&[("tier", place.disk.tier.as_str())])));
    }
    if !place.is_used || place.disk.is_restored {
        return Err(not_ready());
    }
    Ok(place)
}

#[cfg(test)]
#[path = "valid_tests.rs"]
pub mod tests;
