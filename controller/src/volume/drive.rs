//! Drives the engine of a granted volume: takes the step of its plan, or of a restore, and says what came of it.

use std::sync::Arc;

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
    content::{self, anew::Restoring, at_engine, restorable},
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
    claim: &Arc<Claim>,
    approved: &Approved,
    context: &Context,
) -> Result<Engine, ReconcileError> {
    let Some((site, storage_class)) = whereabouts(claim, context) else {
        return Ok(Engine { unasked: Some(Reason::SiteUnreachable), ..Engine::default() });
    };
    let label = claim_label(claim, context);
    let order = request::order(claim, &label, approved, &storage_class);
    let mut desired = Desired {
        claim: label,
        disk: cdi::of_volume(&order),
        mebibytes: order.mebibytes,
        established: claim.billable_from.is_some() || claim.adopted,
    };
    let mut engine = Engine::default();
    if let Some(restoration) = restorable::under_way::<CloudVolume>(approved) {
        match Box::pin(restorable::proceed::<CloudVolume>(claim, approved, restoration, &desired.disk, site, context))
            .await
        {
            Ok(progress) => {
                engine.state.clone_from(&progress.disk);
                engine.restoring = Some(Restoring::UnderWay(progress));
            }
            Err(error) => engine.problem = Some(told(volume, Step::ApplyDisk, error)?),
        }
        return Ok(engine);
    }
    let mut disk = site.disk(&order.namespace, &order.disk_name);
    let next = plan::plan(&desired, disk.as_ref());
    if next == Ok(Some(Step::ApplyDisk))
        && let Some(from) = content::source_of(approved.content.as_ref(), approved.restored.as_ref())
    {
        match Box::pin(at_engine::seen(from, site, context)).await?.least(from) {
            Ok(least) => desired.disk = cdi::at_least(desired.disk, least),
            Err(state) => {
                engine.state = Some(state);
                return Ok(engine);
            }
        }
    }
    match next {
        Ok(None) => {}
        Ok(Some(step)) => match take(step, &desired, &order.namespace, &mut disk, site, context).await {
            Ok(()) => {}
            Err(error) => engine.problem = Some(told(volume, step, error)?),
        },
        Err(obstacle) => {
            warn!(volume.namespace = volume.namespace(), volume.name = volume.name_any(), %obstacle, "the engine is not free");
            engine.lost = matches!(obstacle, Obstacle::Lost { .. });
            engine.problem = Some(obstacle.to_string());
            // Somebody else's, or ours on its way out, is not this volume's.
            disk = None;
        }
    }
    engine.state = disk.as_ref().map(cdi::state);
    engine.grows = engine.state == Some(DiskState::Filled)
        && disk.as_ref().is_some_and(|disk| cdi::mebibytes(disk) < order.mebibytes);
    Ok(engine)
}

/// What is told of a step that was not taken, where asking again at once is no use.
fn told(volume: &CloudVolume, step: Step, error: ReconcileError) -> Result<String, ReconcileError> {
    match error {
        ReconcileError::Obstacle(obstacle) => Ok(obstacle.to_string()),
        ReconcileError::Write(error) if matches!(error.status(), Some(400 | 403 | 404 | 422)) => {
            warn!(
                volume.namespace = volume.namespace(),
                volume.name = volume.name_any(),
                error = crate::error::chain(&error),
                "an engine refused what was approved"
            );
            // Its own words may name other tenants' things and are for operators; the owner gets the code.
            Ok(format!("{step} {}", error.status().unwrap_or_default()))
        }
        error => Err(error),
    }
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

/// Whether the disk of a claim in use is not where it was. A site that cannot be reached says nothing; one that is
/// being restored was taken away by us.
pub fn has_vanished(claim: &Claim, context: &Context) -> bool {
    let Some((site, _)) = whereabouts(claim, context).filter(|_| !content::is_restoring(claim)) else { return false };
    site.disk(&engine_namespace(claim), &request::disk_name(claim)).is_none()
}
