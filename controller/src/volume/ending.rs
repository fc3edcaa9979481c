//! The end of a volume: an intent in the ledger, then it is taken off its host, then its disk goes, and only then the claim.
//!
//! Every call that destroys follows the committed intent and carries the UID and version of what was read just before.
//! What is gone is asked of the API server, never of a cache.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiyun_crds::{
    names::FINALIZER_CLAIM,
    v1alpha1::{AttachmentState, CloudVolume, VolumeAttachment},
};
use jiyun_ledger::{Claim, ClaimStage};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Api, ResourceExt, runtime::controller::Action};
use tracing::{error, info};

use super::{
    attach,
    patience::SELDOM,
    report::{Standing, Waiting},
    request::disk_name,
};
use crate::{
    claimed::{unaccounted, wake_order},
    claims::{leave_line, open_claim},
    context::Context,
    deleting::SITE,
    engines::cdi::DiskView,
    error::ReconcileError,
    host::{
        claim_label,
        ending::{present, remove},
        request::engine_namespace,
        whereabouts,
    },
    snapshot::usage::not_taken,
};

/// When to look again while nothing may be destroyed.
const PAUSED: Duration = Duration::from_secs(5);

/// Brings a volume that is being deleted a step on; where what makes machines and disks is not installed
/// (`is_engine_missing`), its end is recorded, and nothing further.
///
/// # Errors
/// What did not work; the volume is tried again.
pub async fn reconcile(
    volume: &CloudVolume,
    is_engine_missing: bool,
    context: &Context,
) -> Result<Action, ReconcileError> {
    if !volume.finalizers().iter().any(|finalizer| finalizer == FINALIZER_CLAIM) {
        return Ok(Action::await_change());
    }
    let claim = open_claim(volume, context);
    if context.quarantined() {
        // Without a claim the book may have lost it: nothing is let go.
        if let Some(claim) = claim {
            let before = volume.status.as_ref().and_then(|status| status.attachment.clone());
            wait(volume, claim, Waiting::Paused, before, context).await?;
        }
        return Ok(Action::requeue(PAUSED));
    }
    if let Some(claim) = claim {
        leave_line(volume, context).await?;
        context.ledger.end_for(claim.id, claim.subject.uid.as_str()).await?;
        // Of what was only held nothing was made, and the hold is free with its end.
        if claim.stage() != ClaimStage::Held {
            let before = attach::known(volume, &claim, context);
            if is_engine_missing {
                // Which machine has it cannot be asked; that none is served is not taken for none.
                wait(volume, claim, Waiting::Engine, before, context).await?;
                return Ok(Action::requeue(SELDOM));
            }
            let attachment = attach::bring(&claim, None, before, context).await?;
            let next = |at| {
                let (namespace, name) = (volume.namespace().unwrap_or_default(), volume.name_any());
                Ok(Action::requeue(context.patience.next(&namespace, &name, at, Instant::now())))
            };
            if let Some(host) = attachment.as_ref().map(|attachment| attachment.host.clone()) {
                wait(volume, claim, Waiting::Host(host), attachment.clone(), context).await?;
                return next(attachment.as_ref());
            }
            if let Some(remaining) = dismantle(&claim, context).await? {
                wait(volume, claim, Waiting::For(remaining), None, context).await?;
                return next(None);
            }
            context.ledger.release(claim.id).await?;
            info!(
                volume.namespace = volume.namespace(),
                volume.name = volume.name_any(),
                claim = %claim.id,
                "released"
            );
        }
    } else if let Some(claim) = unaccounted(volume, context) {
        return keep(volume, claim, context).await;
    } else {
        leave_line(volume, context).await?;
    }
    let namespace = volume.namespace().unwrap_or_default();
    context.patience.forget(&namespace, &volume.name_any());
    let api = Api::<CloudVolume>::namespaced(context.client.clone(), &namespace);
    context.writer.remove_finalizer(&api, volume, FINALIZER_CLAIM).await?;
    wake_order(volume, None, context);
    Ok(Action::await_change())
}

/// Keeps a volume until somebody has looked, and says so to its owner, to the log and to whoever watches the figures.
async fn keep(volume: &CloudVolume, claim: &str, context: &Context) -> Result<Action, ReconcileError> {
    context.metrics.unknown_claim();
    error!(
        volume.namespace = volume.namespace(),
        volume.name = volume.name_any(),
        claim,
        "the ledger does not know the claim of this volume; it is kept until somebody has looked"
    );
    super::report(volume, &Standing::Unaccounted { claim: claim.to_owned() }, context).await?;
    Ok(Action::requeue(PAUSED))
}

async fn wait(
    volume: &CloudVolume,
    claim: Arc<Claim>,
    waiting: Waiting,
    attachment: Option<VolumeAttachment>,
    context: &Context,
) -> Result<(), ReconcileError> {
    super::report(volume, &Standing::Ending { claim, waiting, attachment }, context).await
}

/// Deletes the disk of a claim, once no machine has it. `None` once nothing is left; otherwise what is still there.
///
/// # Errors
/// When a request fails. An answer that cannot be had is never taken for "gone".
pub async fn dismantle(claim: &Claim, context: &Context) -> Result<Option<String>, ReconcileError> {
    let Some((site, _)) = whereabouts(claim, context) else {
        return Ok(Some(SITE.to_owned()));
    };
    // A disk does not go from under a machine, whoever has attached it, nor from what a host that is off comes back with:
    // nobody took it from that yet, where the volume's object was forced away.
    let given = context.attachments.owner(&claim.subject.namespace, &disk_name(claim));
    let given = given.map(|host| VolumeAttachment { host, state: AttachmentState::Detaching });
    if let Some(VolumeAttachment { host, .. }) = attach::bring(claim, None, given, context).await? {
        return Ok(Some(format!("CloudHost {host}")));
    }
    if let Some(host) = attach::holder(claim, site).await? {
        attach::take(claim, &host, context);
        return Ok(Some(format!("CloudHost {host}")));
    }
    let (namespace, name) = (engine_namespace(claim), disk_name(claim));
    let label = &claim_label(claim, context);
    if let Some(left) = remove::<DiskView>(&site.client, &namespace, &name, label, context).await? {
        return Ok(Some(left));
    }
    // Capacity is free when the volume claim is gone, not when its import object is.
    let left = present::<PersistentVolumeClaim>(&site.client, &namespace, &name, label).await?;
    Ok(left.map(|left| not_taken(claim, context).unwrap_or(left)))
}
