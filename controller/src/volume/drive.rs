//! Drives the engine of a granted volume: takes the step of its plan, and says what came of it.

use jiyun_crds::v1alpha1::{CloudVolume, Reason};
use jiyun_ledger::Claim;
use kube::{Api, ResourceExt};
use tracing::warn;

use super::{
    plan::{self, Desired, Step},
    report::Engine,
    request,
};
use crate::{
    context::Context,
    engines::{
        cdi::{self, DiskState, DiskView},
        volume::Wanted,
    },
    error::ReconcileError,
    host::{
        claim_label,
        plan::Obstacle,
        request::engine_namespace,
        steps::{grow, there},
        whereabouts,
    },
    site::SiteEngines,
    stored::approved::Approved,
};

/// Makes what was approved of `claim`.
///
/// # Errors
/// When the engine cannot be asked.
pub async fn drive(
    volume: &CloudVolume,
    claim: &Claim,
    approved: &Approved,
    context: &Context,
) -> Result<Engine, ReconcileError> {
    let Some((site, storage_class)) = whereabouts(claim, context) else {
        return Ok(Engine { unasked: Some(Reason::SiteUnreachable), ..Engine::default() });
    };
    let label = claim_label(claim, context);
    let order = request::order(claim, &label, approved, &storage_class);
    let desired = Desired {
        claim: label,
        disk: cdi::blank(&order),
        mebibytes: order.mebibytes,
        established: claim.billable_from.is_some() || claim.adopted,
    };
    let mut disk = site.disk(&order.namespace, &order.disk_name);
    let mut engine = Engine::default();
    match plan::plan(&desired, disk.as_ref()) {
        Ok(None) => {}
        Ok(Some(step)) => match take(step, &desired, &order.namespace, &mut disk, site, context).await {
            Ok(()) => {}
            Err(ReconcileError::Obstacle(obstacle)) => engine.problem = Some(obstacle.to_string()),
            Err(ReconcileError::Write(error)) if matches!(error.status(), Some(400 | 403 | 404 | 422)) => {
                warn!(
                    volume.namespace = volume.namespace(),
                    volume.name = volume.name_any(),
                    error = crate::error::chain(&error),
                    "an engine refused what was approved"
                );
                // Its own words may name other tenants' things and are for operators; the owner gets the code.
                engine.problem = Some(format!("{step} {}", error.status().unwrap_or_default()));
            }
            Err(error) => return Err(error),
        },
        Err(obstacle) => {
            warn!(volume.namespace = volume.namespace(), volume.name = volume.name_any(), %obstacle, "the engine is not free");
            engine.lost = matches!(obstacle, Obstacle::Lost { .. });
            engine.problem = Some(obstacle.to_string());
            // Somebody else's, or ours on its way out, is not this volume's.
            disk = None;
        }
    }
    engine.state = disk.as_ref().map(|disk| cdi::state(&disk.status));
    engine.grows = engine.state == Some(DiskState::Filled)
        && disk.as_ref().is_some_and(|disk| cdi::mebibytes(disk) < order.mebibytes);
    Ok(engine)
}

async fn take(
    step: Step,
    desired: &Desired,
    namespace: &str,
    disk: &mut Option<DiskView>,
    site: &SiteEngines,
    context: &Context,
) -> Result<(), ReconcileError> {
    let name = desired.disk.pointer("/metadata/name").and_then(serde_json::Value::as_str).unwrap_or_default();
    match step {
        Step::ApplyDisk => {
            let api = Api::<DiskView>::namespaced(site.client.clone(), namespace);
            let made = match there(&api, &desired.disk, true, &desired.claim).await? {
                Some(made) => made,
                None => context.writer.apply(&api, name, &desired.disk).await?,
            };
            site.unseen_disks.wrote(made.clone());
            *disk = Some(made);
        }
        Step::GrowDisk => {
            let wanted = Wanted { name, claim: &desired.claim, mebibytes: desired.mebibytes };
            grow(wanted, namespace, disk, site, context).await?;
        }
    }
    Ok(())
}

/// Whether the disk of a claim in use is not where it was. A site that cannot be reached says nothing.
pub fn has_vanished(claim: &Claim, context: &Context) -> bool {
    let Some((site, _)) = whereabouts(claim, context) else { return false };
    site.disk(&engine_namespace(claim), &request::disk_name(claim)).is_none()
}
