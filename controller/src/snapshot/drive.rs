//! Drives the engine of a granted snapshot: has it taken, once, and says what came of it.

use jiyun_crds::v1alpha1::CloudSnapshot;
use jiyun_ledger::{Claim, ClaimStage};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject},
};
use tracing::warn;

use super::{
    engine,
    found::{self, Disk},
    plan::{self, Awaited, Desired, Hindrance, Step},
    report::{Engine, Trouble},
    request,
};
use crate::{
    content::{self, Source},
    context::Context,
    engines::{
        cdi::{self, DiskState, DiskView},
        network::name_of,
        snapshot::{self, ClassView, SnapshotView},
    },
    error::{ReconcileError, chain},
    host::{
        claim_label,
        plan::{Obstacle, ours},
        request::engine_namespace,
        whereabouts,
    },
    site::SiteEngines,
    stored::approved::Approved,
};

/// Has what was approved of `claim` taken.
///
/// # Errors
/// When the engine or Kubernetes cannot be asked.
pub async fn drive(
    snapshot: &CloudSnapshot,
    claim: &Claim,
    approved: &Approved,
    context: &Context,
) -> Result<Engine, ReconcileError> {
    if engine::is_missing(context) {
        return Ok(Engine::troubled(Trouble::Missing));
    }
    let Some((site, _)) = whereabouts(claim, context) else {
        return Ok(Engine::troubled(Trouble::Unreachable));
    };
    let Some(source) = &approved.source else {
        // None is granted without one.
        return Ok(Engine::troubled(Trouble::Fault("CloudSnapshot source".to_owned())));
    };
    let desired = Desired {
        claim: claim_label(claim, context),
        name: request::object_name(claim),
        disk: source.disk.clone(),
        established: request::is_established(claim) || request::was_told_taken(snapshot, claim),
        paused: context.quarantined(),
    };
    let of_source = source_of(source, approved, site, context);
    let mut there = site.volume_snapshot(&engine_namespace(claim), &desired.name);
    let mut step = plan::plan(&desired, of_source, there.as_ref());
    if step == Ok(Step::Take) {
        match take(snapshot, claim, source, &desired, site, context).await? {
            Ok(taken) => there = Some(taken),
            Err(trouble) => return Ok(Engine::troubled(trouble)),
        }
        step = plan::plan(&desired, of_source, there.as_ref());
    }
    Ok(match step {
        Ok(Step::Nothing) => {
            let taken_at = there.as_ref().and_then(snapshot::taken_at);
            Engine { taken: true, taken_at, ..Engine::default() }
        }
        Ok(Step::Await(awaited)) => Engine { awaited: Some(awaited), ..Engine::default() },
        Ok(Step::Take) => Engine { awaited: Some(Awaited::Snapshot), ..Engine::default() },
        Err(hindrance) => {
            let said = there.as_ref().and_then(snapshot::fault);
            warn!(
                snapshot.namespace = snapshot.namespace(),
                snapshot.name = snapshot.name_any(),
                ?hindrance,
                engine = said,
                "the snapshot is not taken"
            );
            Engine::troubled(troubled(&hindrance, source, approved))
        }
    })
}

/// What is told of something in the way. The engine's own words may name other tenants' things and are for operators.
fn troubled(hindrance: &Hindrance, source: &Source, approved: &Approved) -> Trouble {
    let named = || (source.kind, source.name.clone());
    match hindrance {
        Hindrance::Obstacle(Obstacle::Lost { .. }) => Trouble::Lost,
        Hindrance::Obstacle(obstacle @ Obstacle::Foreign { .. }) => Trouble::Fault(obstacle.to_string()),
        Hindrance::SourceGone => Trouble::SourceGone(named()),
        Hindrance::SourceGrew => Trouble::SourceGrew(named(), approved.mebibytes),
        Hindrance::Failed => Trouble::Fault("VolumeSnapshot error".to_owned()),
    }
}

/// How the disk stands that a snapshot is to be taken of.
fn source_of(source: &Source, approved: &Approved, site: &SiteEngines, context: &Context) -> plan::Source {
    let claim = context.ledger.read(|state| state.claim(source.claim).cloned());
    let Some(claim) = claim else { return plan::Source::Gone(None) };
    match claim.stage() {
        // Of what was taken after its end was recorded nobody can tell by the array's clock, which is not ours.
        ClaimStage::Released => return plan::Source::Gone(claim.billable_until.or(claim.released_at)),
        ClaimStage::Ending => return plan::Source::Ending,
        ClaimStage::Held | ClaimStage::Reserved | ClaimStage::Billable => {}
    }
    let label = claim_label(&claim, context);
    let disk = site.disk(&source.namespace, &source.disk);
    let disk = disk.filter(|disk| ours(&disk.metadata, &label, "DataVolume").is_ok());
    let granted = Disk::of(source.kind, &claim).map_or(0, |disk| disk.mebibytes);
    if room_for(disk.as_ref(), granted) > approved.mebibytes {
        return plan::Source::Grew;
    }
    // While it is brought back to a snapshot it goes, and another one that is being filled has its name.
    let is_filled = disk.is_some_and(|disk| cdi::state(&disk) == DiskState::Filled);
    // The cache may still have the former one.
    if is_filled && !content::is_restoring(&claim) { plan::Source::Ready } else { plan::Source::Busy }
}

/// How large in MiB the snapshot of a `disk` may come to be, of which so much was `granted`: what it is to grow to may come
/// in this very moment. A copy of a snapshot is made as large as its engine wants it, and that says nothing of what was
/// granted.
fn room_for(disk: Option<&DiskView>, granted: u64) -> u64 {
    let is_copy = |disk: &&DiskView| disk.spec.source.as_ref().is_some_and(|source| source.snapshot.is_some());
    let made = disk.filter(|disk| !is_copy(disk)).map_or(0, cdi::mebibytes);
    granted.max(made)
}

/// Has the snapshot of a claim taken of its `source`, or says what keeps it from being taken.
async fn take(
    snapshot: &CloudSnapshot,
    claim: &Claim,
    source: &Source,
    desired: &Desired,
    site: &SiteEngines,
    context: &Context,
) -> Result<Result<SnapshotView, Trouble>, ReconcileError> {
    let class = match class_of(claim, site, context).await? {
        Ok(class) => class,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let order = request::order(claim, &desired.claim, source, &class);
    let api = Api::<SnapshotView>::namespaced(site.client.clone(), &order.namespace);
    let read = |error| ReconcileError::read(format!("VolumeSnapshot {}", order.name), error);
    // What is missing in our cache may be there: made before a crash, or by somebody else under the same name.
    if let Some(found) = api.get_opt(&order.name).await.map_err(read)? {
        return Ok(match ours(&found.metadata, &desired.claim, "VolumeSnapshot") {
            Ok(()) => Ok(found),
            Err(obstacle) => Err(Trouble::Fault(obstacle.to_string())),
        });
    }
    let built = snapshot::build(&order);
    match context.writer.apply(&api, name_of(&built), &built).await {
        Ok(made) => {
            site.unseen_volume_snapshots.wrote(made.clone());
            Ok(Ok(made))
        }
        // The engine's own admission said no: its owner should read why, and asking again at once is no use.
        Err(error) if matches!(error.status(), Some(400 | 403 | 404 | 422)) => {
            warn!(
                snapshot.namespace = snapshot.namespace(),
                snapshot.name = snapshot.name_any(),
                error = chain(&error),
                "the engine refused what was approved"
            );
            let status = error.status().unwrap_or_default();
            Ok(Err(Trouble::Fault(format!("VolumeSnapshot {status}"))))
        }
        Err(error) => Err(error.into()),
    }
}

/// The class that the snapshot of a claim is taken by: its pool's, as it is now. What is taken by one that keeps it would take
/// room for ever, whatever the book says.
async fn class_of(
    claim: &Claim,
    site: &SiteEngines,
    context: &Context,
) -> Result<Result<String, Trouble>, ReconcileError> {
    let Some(pool) = found::pool_of(claim, context) else { return Ok(Err(Trouble::Unreachable)) };
    let Some(class) = pool.spec.snapshot_class_name else { return Ok(Err(Trouble::NotOffered(pool.spec.tier))) };
    let api = Api::<DynamicObject>::all_with(site.client.clone(), &ApiResource::erase::<ClassView>(&()));
    let found = api.get_opt(&class).await;
    let found = found.map_err(|source| ReconcileError::read(format!("VolumeSnapshotClass {class}"), source))?;
    let code = match found.as_ref().map(snapshot::is_kept) {
        Some(false) => return Ok(Ok(class)),
        Some(true) => "SnapshotClassKeepsSnapshots",
        None => "SnapshotClassUnknown",
    };
    Ok(Err(Trouble::Class { code, class }))
}

/// Whether the snapshot of a claim in use is not where it was. An engine that is not installed, or a site that cannot be
/// reached, says nothing.
pub fn has_vanished(claim: &Claim, context: &Context) -> bool {
    let Some((site, _)) = whereabouts(claim, context) else { return false };
    let is_gone = site.volume_snapshot(&engine_namespace(claim), &request::object_name(claim)).is_none();
    context.snapshots_listed.is_open() && is_gone
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn disk(source: &Value, size: &str) -> DiskView {
        serde_json::from_value(json!({
            "metadata": {"name": "files-volume"},
            "spec": {"source": source, "storage": {"resources": {"requests": {"storage": size}}}},
        }))
        .unwrap()
    }

    #[test]
    fn a_snapshot_has_room_for_what_was_granted_and_for_what_is_there_but_for_no_rounding_of_a_copy() {
        let blank = |size| disk(&json!({"blank": {}}), size);
        let copy = |size| disk(&json!({"snapshot": {"namespace": "engine-finance", "name": "files-1-snapshot"}}), size);
        for (what, disk, granted, expected) in [
            ("as granted", Some(blank("1500Mi")), 1500, 1500),
            ("the book knows less than was done", Some(blank("2048Mi")), 1500, 2048),
            ("it is to grow", Some(blank("1500Mi")), 3000, 3000),
            ("a copy, in whole GiB", Some(copy("2048Mi")), 1500, 1500),
            ("a copy, as large as its engine wants it", Some(copy("2200Mi")), 2048, 2048),
            ("a copy that is to grow", Some(copy("2048Mi")), 3000, 3000),
            ("not seen now", None, 1500, 1500),
        ] {
            assert_eq!(room_for(disk.as_ref(), granted), expected, "{what}");
        }
    }
}
