//! Validate: whether systems can go where they are to go, or the field that is wrong. All of it is checked before anything
//! goes, and no client, clock or randomness is near.

use std::collections::BTreeMap;

use jiyun_crds::{
    names::ANNOTATION_HANDOVER,
    v1alpha1::{CloudHost, ConditionType, Department, Handover, InformationSystem, condition},
};
use jiyun_messages::parameters;
use kube::ResourceExt;

use super::{build::mark, found::Found};
use crate::host::rejection::Rejection;

/// From whom to whom, and which systems.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Name of the handover.
    pub handover: String,
    /// Who hands over.
    pub from: String,
    /// Who takes over.
    pub to: String,
    /// The one system it is about; none if it is about all.
    pub only: Option<String>,
    /// What each of the giver's systems that are left is called by the taker.
    pub systems: BTreeMap<String, String>,
    /// The handover was withdrawn: what is halfway is brought to an end, and nothing else begins.
    pub withdrawn: bool,
}

impl Route {
    /// Whether the handover is about this host of the giver.
    pub fn concerns(&self, host: &CloudHost) -> bool {
        self.only.as_ref().is_none_or(|only| *only == host.spec.system_ref.name)
    }
}

/// Checks `handover` against what it names. The first thing wrong is told.
///
/// # Errors
/// The field that is wrong and what to do.
pub fn validate(handover: &Handover, found: &Found) -> Result<Route, Rejection> {
    let (from, to) = (&handover.spec.from, &handover.spec.to);
    known(found.from.as_ref(), "spec.from.departmentRef.name", "Department", &from.department_ref.name)?;
    let taker = taker(found, &to.department_ref.name)?;
    let only = from.system_ref.as_ref().map(|system| &system.name);
    let wanted = found.systems.iter().filter(|system| only.is_none_or(|only| *only == system.name_any()));
    let named = to.system_ref.as_ref().map(|system| system.name.as_str());
    let mut route = Route {
        handover: handover.name_any(),
        from: from.department_ref.name.clone(),
        to: to.department_ref.name.clone(),
        only: only.cloned(),
        ..Route::default()
    };
    for system in wanted {
        let name = system.name_any();
        stays_behind(&name, found)?;
        let there = named.unwrap_or(&name).to_owned();
        fits(system, &there, (&route.handover, named.is_some()), taker, found)?;
        route.systems.insert(name, there);
    }
    // One that was there when it began has gone over since, or its department has deleted it: nothing of it is left.
    let begun =
        handover.status.as_ref().is_some_and(|status| condition::is_true(&status.conditions, ConditionType::Ready));
    if let Some(only) = only.filter(|_| route.systems.is_empty() && !begun) {
        return Err(Rejection::unknown_reference("spec.from.systemRef.name", "InformationSystem", only));
    }
    Ok(route)
}

/// The way back of a handover that was withdrawn.
pub fn withdrawn(handover: &Handover) -> Route {
    Route {
        handover: handover.name_any(),
        from: handover.spec.from.department_ref.name.clone(),
        to: handover.spec.to.department_ref.name.clone(),
        only: handover.spec.from.system_ref.as_ref().map(|system| system.name.clone()),
        withdrawn: true,
        ..Route::default()
    }
}

/// Databases, volumes, buckets and snapshots do not go along yet, and their system cannot go without them.
fn stays_behind(system: &str, found: &Found) -> Result<(), Rejection> {
    let refused = |code, kind: &'static str, name: String| {
        let field = ("field", "spec.from.systemRef.name".to_owned());
        let about = parameters([field, ("system", system.to_owned()), (kind, name)]);
        Err(Rejection::misconfigured(code, about))
    };
    if let Some(database) = found.databases.iter().find(|database| database.spec.system_ref.name == system) {
        return refused("DatabasesNotHandedOver", "database", database.name_any());
    }
    if let Some(volume) = found.volumes.iter().find(|volume| volume.spec.system_ref.name == system) {
        return refused("VolumesNotHandedOver", "volume", volume.name_any());
    }
    if let Some(bucket) = found.buckets.iter().find(|bucket| bucket.spec.system_ref.name == system) {
        return refused("BucketsNotHandedOver", "bucket", bucket.name_any());
    }
    match found.snapshots.iter().find(|snapshot| snapshot.spec.system_ref.name == system) {
        Some(snapshot) => refused("SnapshotsNotHandedOver", "snapshot", snapshot.name_any()),
        None => Ok(()),
    }
}

fn known<'a, K>(found: Option<&'a K>, field: &str, kind: &str, name: &str) -> Result<&'a K, Rejection> {
    found.ok_or_else(|| Rejection::unknown_reference(field, kind, name))
}

fn taker<'a>(found: &'a Found, name: &str) -> Result<&'a Department, Rejection> {
    let field = "spec.to.departmentRef.name";
    let stays = found.to.as_ref().filter(|taker| taker.metadata.deletion_timestamp.is_none());
    let taker = known(stays, field, "Department", name)?;
    if let Some(closed) = &found.closed {
        let about = parameters([("field", field), ("name", name), ("closed", closed)]);
        return Err(Rejection::misconfigured("TakerClosed", about));
    }
    let conditions = taker.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    if !condition::is_true(conditions, ConditionType::Ready) {
        return Err(Rejection::misconfigured("TakerNotReady", parameters([("field", field), ("name", name)])));
    }
    Ok(taker)
}

fn fits(
    system: &InformationSystem,
    there: &str,
    (handover, named): (&str, bool),
    taker: &Department,
    found: &Found,
) -> Result<(), Rejection> {
    let zone = &system.spec.zone_ref.name;
    let (name, department) = (system.name_any(), taker.name_any());
    if !taker.spec.zones.contains(zone) {
        return Err(Rejection::zone_not_allowed("spec.to.departmentRef.name", &department, zone));
    }
    let Some(namesake) = found.taker_systems.iter().find(|namesake| namesake.name_any() == there) else {
        return Ok(());
    };
    let field = "spec.to.systemRef.name";
    if namesake.metadata.deletion_timestamp.is_some() {
        return Err(Rejection::unknown_reference(field, "InformationSystem", there));
    }
    // Somebody else's system of the same name is joined only where that was asked for.
    if !named && namesake.annotations().get(ANNOTATION_HANDOVER) != Some(&mark(handover, &name)) {
        let about = parameters([("field", field), ("name", there), ("department", &department)]);
        return Err(Rejection::misconfigured("SystemNameTaken", about));
    }
    let of = |system: &InformationSystem| (system.spec.zone_ref.clone(), system.spec.protection_level);
    if of(namesake) != of(system) {
        let about = parameters([
            ("field", field.to_owned()),
            ("name", there.to_owned()),
            ("zone", zone.clone()),
            ("level", system.spec.protection_level.to_string()),
        ]);
        return Err(Rejection::misconfigured("SystemDiffers", about));
    }
    Ok(())
}

#[cfg(test)]
#[path = "valid_tests.rs"]
mod tests;
