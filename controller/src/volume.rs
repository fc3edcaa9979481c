//! Cloud volumes (云硬盘): dereference, validate, ask the ledger, make the disk, bring it to its host, report.
//!
//! Nothing is made before a claim is granted; nothing is given back before it is gone. A volume is with one host at a time.

pub mod attach;
mod attachment;
pub mod attachments;
pub mod digest;
mod drive;
mod ending;
pub mod found;
pub mod patience;
mod plan;
mod report;
pub mod request;
mod restore;
mod run;
pub mod valid;

use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{CloudVolume, CloudVolumeStatus, OrderAction, Reason};
use jiyun_ledger::{Claim, ClaimStage};
use kube::{Api, ResourceExt, runtime::controller::Action};

use self::{
    found::Named,
    report::{Engine, Standing},
    valid::Valid,
};
use crate::{
    admission::{self, Answer},
    claimed::{ON_ITS_WAY, may_come, wake_order},
    claims::{leave_line, open_claim, ordered_by},
    content::{
        anew::Restoring,
        restorable::{self, Settled},
        restoring,
    },
    context::{Context, NOT_LISTED},
    error::ReconcileError,
    host::{change::Objection, engine},
    stored::{
        approved::Approved,
        change::{self, Wished},
    },
};

pub use drive::has_vanished;
pub use ending::dismantle;
pub use run::{run, telling};

/// The kind, as the ledger names it.
pub const KIND: &str = "CloudVolume";

/// What its storage is called where people are told what was approved.
pub const STORAGE: &str = "blockStorage";

/// When a wish that names something missing, or was not decided, is looked at again.
const UNSETTLED: Duration = patience::SELDOM;

/// When a volume at work is looked at again whatever happened.
const SETTLED: Duration = Duration::from_mins(10);

/// Brings one volume a step on.
///
/// # Errors
/// What did not work; the volume is tried again.
pub async fn reconcile(volume: &CloudVolume, context: &Context) -> Result<Action, ReconcileError> {
    // One moment for the whole look: what is not due in it is looked at when it is.
    let (volume, looked) = (&*context.unseen_volumes.freshest(volume), Timestamp::now());
    let is_engine_missing = engine::is_missing(context);
    if !context.orders_listed.is_open() || !(context.engines_listed.is_open() || is_engine_missing) {
        // What decides it, what was made of it, or its host, may only not be read yet.
        return Ok(Action::requeue(NOT_LISTED));
    }
    if volume.metadata.deletion_timestamp.is_some() {
        return ending::reconcile(volume, is_engine_missing, context).await;
    }
    let found = found::dereference(volume, context);
    let valid = valid::validate(volume, &found);
    // What is only held is the order's business; the volume has nothing yet.
    let granted = |claim: &Arc<Claim>| !matches!(claim.stage(), ClaimStage::Ending | ClaimStage::Held);
    let claim = open_claim(volume, context).filter(granted);
    if claim.is_none() && may_come(volume, valid.as_ref().err(), Timestamp::now()) {
        return Ok(Action::requeue(ON_ITS_WAY));
    }
    if valid.is_err() && claim.is_none() {
        leave_line(volume, context).await?;
    }
    let standing = match (valid, claim) {
        (Ok(valid), None) => ask(volume, valid, &found.host, is_engine_missing, context).await?,
        (Ok(valid), Some(claim)) => {
            let asked = valid.asked(OrderAction::Change);
            let wished = Wished { approved: &valid.approved, digest: &valid.digest, asked };
            let (claim, objection) = change::settle(volume, claim, wished, context).await?;
            serve(volume, claim, objection, &found.host, is_engine_missing, context).await?
        }
        (Err(rejection), None) => Standing::Rejected(rejection),
        (Err(rejection), Some(claim)) => {
            if !context.quarantined() {
                // Whoever asks for nothing that can be granted keeps nobody waiting behind them.
                leave_line(volume, context).await?;
            }
            let objection = Some(Objection::Invalid(rejection));
            serve(volume, claim, objection, &found.host, is_engine_missing, context).await?
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
    let restore = restoring::next_look(volume.spec.restore.as_ref(), looked);
    Ok(Action::requeue(restore.into_iter().fold(next_look(volume, &standing, context), Duration::min)))
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

/// Has a valid wish decided.
async fn ask(
    volume: &CloudVolume,
    mut valid: Valid,
    host: &Named,
    is_engine_missing: bool,
    context: &Context,
) -> Result<Standing, ReconcileError> {
    let asked = valid.asked(OrderAction::Create);
    // Nothing is set aside for what nobody can make.
    let hindrance = is_engine_missing.then_some(Reason::EngineMissing);
    let answer = match admission::pass(volume, &valid.digest, asked, hindrance, context).await? {
        ControlFlow::Break(answer) => answer,
        ControlFlow::Continue(passed) => {
            if *host != Named::Nobody && (valid.awaits_host || !is_granted(host)) {
                // Made anywhere, it might be where its host is not.
                leave_line(volume, context).await?;
                let host = volume.spec.host_ref.as_ref().map(|host| host.name.clone()).unwrap_or_default();
                return Ok(Standing::AwaitsHost(host));
            }
            valid.approved.policies = passed.policies;
            let asked = request::claim_request(volume, &valid)?;
            admission::decide(volume, asked, passed.only_within_guaranteed, context).await?
        }
    };
    Ok(match answer {
        Answer::Granted(claim) => return serve(volume, claim, None, host, is_engine_missing, context).await,
        Answer::Refused(refusal) => Standing::Refused(refusal),
        Answer::Undecided(reason) => Standing::Undecided(reason),
        Answer::Ordered(ordered) => Standing::Ordered(ordered),
    })
}

/// Whether the host was granted its place: what an order only holds may yet be somewhere else.
fn is_granted(host: &Named) -> bool {
    matches!(host, Named::There(host) if host.place.as_ref().is_some_and(|place| place.is_granted))
}

/// Makes the disk of a volume with a claim, brings it to its host, and says how it stands.
async fn serve(
    volume: &CloudVolume,
    claim: Arc<Claim>,
    objection: Option<Objection>,
    host: &Named,
    is_engine_missing: bool,
    context: &Context,
) -> Result<Standing, ReconcileError> {
    let approved = Approved::of(&claim)?;
    if is_engine_missing {
        let attached = Box::new(attach::stay(volume, host, &claim, context)?);
        let (approved, objection) = (Box::new(approved), objection.map(Box::new));
        let engine = Engine { unasked: Some(Reason::EngineMissing), ..Engine::default() };
        return Ok(Standing::Admitted { claim, approved, objection, engine, attached });
    }
    let settled = Box::pin(restorable::settle(volume, claim, approved, context)).await?;
    let is_kept = settled.is_kept();
    let Settled { mut claim, approved, restoring } = settled;
    let mut engine = drive::drive(volume, &claim, &approved, context).await?;
    engine.restoring = Restoring::of(engine.restoring.take(), restoring);
    if engine.is_made() && claim.stage() == ClaimStage::Reserved && !context.quarantined() {
        // The department pays from the moment it can use the volume, and not a second earlier.
        context.ledger.billable(claim.id).await?;
        claim = open_claim(volume, context).unwrap_or(claim);
    }
    let attached = attach::settle(volume, host, &claim, engine.is_made(), is_kept, context).await?;
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
