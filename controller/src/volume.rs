//! Cloud volumes (云硬盘): dereference, validate, ask the ledger, make the disk, bring it to its host, report.
//!
//! Nothing is made before a claim is granted; nothing is given back before it is gone. A volume is with one host at a time.

pub mod approved;
pub mod attach;
mod attachment;
pub mod attachments;
pub mod change;
pub mod digest;
mod drive;
mod ending;
pub mod found;
pub mod patience;
mod plan;
mod report;
pub mod request;
mod run;
pub mod valid;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{CloudVolume, CloudVolumeStatus, OrderAction, Reason};
use jiyun_ledger::{Claim, ClaimStage, Decision, LedgerError, Refusal, RefusalCode, RequestError};
use kube::{Api, ResourceExt, runtime::controller::Action};
use tracing::{info, warn};

use self::{approved::Approved, found::Named, report::Standing, valid::Valid};
use crate::{
    claimed::{disputed, is_taken, may_come, standing_refusal, wake_order},
    claims::{leave_line, open_claim, ordered_by},
    context::Context,
    error::ReconcileError,
    host::change::Objection,
    order::{
        answer::Ordered,
        filing,
        route::{self, Route},
    },
};

pub use drive::has_vanished;
pub use ending::dismantle;
pub use run::{run, telling};

/// The kind, as the ledger names it.
pub const KIND: &str = "CloudVolume";

/// When a wish that names something missing, or was not decided, is looked at again.
const UNSETTLED: Duration = patience::SELDOM;

/// When to look again while something was not listed yet.
const NOT_LISTED: Duration = Duration::from_millis(100);

/// When a volume at work is looked at again whatever happened.
const SETTLED: Duration = Duration::from_mins(10);

/// Brings one volume a step on.
///
/// # Errors
/// What did not work; the volume is tried again.
pub async fn reconcile(volume: &CloudVolume, context: &Context) -> Result<Action, ReconcileError> {
    let volume = &*context.unseen_volumes.freshest(volume);
    if !context.orders_listed.is_open() || !context.engines_listed.is_open() {
        // What decides it, what was made of it, or its host, may only not be read yet.
        return Ok(Action::requeue(NOT_LISTED));
    }
    if volume.metadata.deletion_timestamp.is_some() {
        return ending::reconcile(volume, context).await;
    }
    let found = found::dereference(volume, context);
    let valid = valid::validate(volume, &found);
    // What is only held is the order's business; the volume has nothing yet.
    let granted = |claim: &Arc<Claim>| !matches!(claim.stage(), ClaimStage::Ending | ClaimStage::Held);
    let claim = open_claim(volume, context).filter(granted);
    if claim.is_none() && may_come(volume, valid.as_ref().err(), Timestamp::now()) {
        return Ok(Action::requeue(NOT_LISTED));
    }
    if valid.is_err() && claim.is_none() {
        leave_line(volume, context).await?;
    }
    let standing = match (valid, claim) {
        (Ok(valid), None) => ask(volume, valid, &found.host, context).await?,
        (Ok(valid), Some(claim)) => {
            let (claim, objection) = change::settle(volume, claim, &valid, context).await?;
            serve(volume, claim, objection, &found.host, context).await?
        }
        (Err(rejection), None) => Standing::Rejected(rejection),
        (Err(rejection), Some(claim)) => {
            if !context.quarantined() {
                // Whoever asks for nothing that can be granted keeps nobody waiting behind them.
                leave_line(volume, context).await?;
            }
            serve(volume, claim, Some(Objection::Invalid(rejection)), &found.host, context).await?
        }
    };
    let order = match &standing {
        Standing::Ordered(ordered) => Some(ordered.order.clone()),
        Standing::Admitted { claim, .. } => ordered_by(claim),
        _ => None,
    };
    report(volume, &standing, context).await?;
    if let Standing::Admitted { claim, attached, .. } = &standing {
        attach::give(claim, attached, context);
    }
    wake_order(volume, order.as_deref(), context);
    Ok(Action::requeue(next_look(volume, &standing, context)))
}

fn next_look(volume: &CloudVolume, standing: &Standing, context: &Context) -> Duration {
    let (namespace, name) = (volume.namespace().unwrap_or_default(), volume.name_any());
    if let Standing::Admitted { attached, .. } = standing
        && standing.is_moving()
    {
        return context.patience.next(&namespace, &name, attached.attachment.as_ref(), Instant::now());
    }
    context.patience.forget(&namespace, &name);
    if standing.is_settled() { SETTLED } else { UNSETTLED }
}

/// Has a valid wish decided, unless this very wish was refused before: a refusal stands until the wish is edited, or
/// GitOps would ask again for ever.
async fn ask(
    volume: &CloudVolume,
    mut valid: Valid,
    host: &Named,
    context: &Context,
) -> Result<Standing, ReconcileError> {
    let is_held = open_claim(volume, context).is_some_and(|claim| claim.stage() == ClaimStage::Held);
    if let Some(claim) = disputed(volume, context).filter(|_| !is_held) {
        warn!(
            volume.namespace = volume.namespace(),
            volume.name = volume.name_any(),
            claim,
            "object and ledger disagree about a claim; nothing is granted until somebody has looked (ledger adopt)"
        );
        context.metrics.unknown_claim();
        return Ok(Standing::Undecided(Reason::AdoptionNeeded));
    }
    if !is_held && is_taken(volume, context) {
        return Ok(Standing::Undecided(Reason::Undecided));
    }
    if let Some(refusal) = standing_refusal(volume, &valid.digest) {
        return Ok(Standing::Refused(refusal));
    }
    let action = OrderAction::Create;
    let route = route::of(volume, &valid.digest, action, valid.asked(action), context);
    if !matches!(route, Route::Automatic(_)) {
        // Whoever waits for people does not stand in line: those behind would wait for them too.
        leave_line(volume, context).await?;
    }
    let only_within_guaranteed = match route {
        // What an order holds is for it to grant or to give up.
        Route::Automatic(_) if is_held => return Ok(Standing::Undecided(Reason::Undecided)),
        Route::Automatic(passed) => {
            valid.approved.policies = passed.policies;
            passed.only_within_guaranteed
        }
        Route::Order(order, phase) => {
            return Ok(Ordered::by(&order, phase).map_or(Standing::Undecided(Reason::Undecided), Standing::Ordered));
        }
        Route::Awaited(order) => return Ok(Standing::Ordered(Ordered::awaited(order))),
        Route::File(name) => {
            return Ok(Standing::Ordered(filing::file(volume, name, action, context).await?));
        }
    };
    if *host != Named::Nobody && (valid.awaits_host || !is_granted(host)) {
        // Made anywhere, it might be where its host is not.
        leave_line(volume, context).await?;
        let host = volume.spec.host_ref.as_ref().map(|host| host.name.clone()).unwrap_or_default();
        return Ok(Standing::AwaitsHost(host));
    }
    let asked = request::claim_request(volume, &valid)?;
    let decided = if only_within_guaranteed {
        context.ledger.decide_within_guaranteed(asked).await
    } else {
        context.ledger.decide(asked).await
    };
    if let Err(LedgerError::Request(RequestError::BeyondGuaranteed { .. })) = decided {
        // Others asked in the same moment: asked again, it is for people.
        leave_line(volume, context).await?;
        return Ok(Standing::Undecided(Reason::Undecided));
    }
    match decided? {
        Decision::Granted { claim, existing, .. } => {
            if !existing {
                context.metrics.decided("Granted");
                info!(
                    volume.namespace = volume.namespace(),
                    volume.name = volume.name_any(),
                    claim = %claim.id,
                    "granted"
                );
            }
            serve(volume, claim, None, host, context).await
        }
        Decision::Refused(refusal) => {
            note_refusal(volume, "the wish", &refusal, context);
            Ok(match refusal.code {
                RefusalCode::Quarantined => Standing::Undecided(Reason::Quarantined),
                RefusalCode::UnknownAccount => Standing::Undecided(Reason::Undecided),
                _ => Standing::Refused(refusal),
            })
        }
    }
}

/// Whether the host was granted its place: what an order only holds may yet be somewhere else.
fn is_granted(host: &Named) -> bool {
    matches!(host, Named::There(host) if host.place.as_ref().is_some_and(|place| place.is_granted))
}

/// Counts a refusal, and tells operators of what and why; they alone see which pool refused it.
fn note_refusal(volume: &CloudVolume, what: &str, refusal: &Refusal, context: &Context) {
    context.metrics.decided(refusal.code.into());
    context.writer.trail().volume_refused(volume, what, refusal);
    info!(
        volume.namespace = volume.namespace(),
        volume.name = volume.name_any(),
        what,
        code = %refusal.code,
        parameters = ?refusal.parameters,
        report = %serde_json::to_string(&refusal.report).unwrap_or_default(),
        "refused"
    );
}

/// Makes the disk of a volume with a claim, brings it to its host, and says how it stands.
async fn serve(
    volume: &CloudVolume,
    mut claim: Arc<Claim>,
    objection: Option<Objection>,
    host: &Named,
    context: &Context,
) -> Result<Standing, ReconcileError> {
    let approved = Approved::of(&claim)?;
    let engine = drive::drive(volume, &claim, &approved, context).await?;
    if engine.is_made() && claim.stage() == ClaimStage::Reserved && !context.quarantined() {
        // The department pays from the moment it can use the volume, and not a second earlier.
        context.ledger.billable(claim.id).await?;
        claim = open_claim(volume, context).unwrap_or(claim);
    }
    let attached = attach::settle(volume, host, &claim, engine.is_made(), context).await?;
    Ok(Standing::Admitted {
        claim,
        approved: Box::new(approved),
        objection: objection.map(Box::new),
        engine,
        attached: Box::new(attached),
    })
}

/// Writes the status where it differs.
async fn report(volume: &CloudVolume, standing: &Standing, context: &Context) -> Result<(), ReconcileError> {
    let status = report::status(volume, standing, Timestamp::now());
    if volume.status.as_ref() != Some(&status) {
        write_status(volume, &status, context).await?;
    }
    Ok(())
}

async fn write_status(
    volume: &CloudVolume,
    status: &CloudVolumeStatus,
    context: &Context,
) -> Result<(), ReconcileError> {
    let api = Api::<CloudVolume>::namespaced(context.client.clone(), &volume.namespace().unwrap_or_default());
    // It is the lock: one that arrives late, or was worked out from what is old, must not say who has the volume.
    let written = context.writer.apply_status_at(&api, volume, &serde_json::to_value(status)?).await?;
    context.unseen_volumes.wrote(written);
    Ok(())
}
