//! Cloud snapshots (云快照): dereference, validate, ask the ledger, have the engine take it, report.
//!
//! Nothing is taken before a claim is granted; nothing is given back before it is gone. It is taken once, and outlives what it
//! is of.

pub mod digest;
mod drive;
mod ending;
pub mod engine;
pub mod found;
mod plan;
mod report;
pub mod request;
mod run;
pub mod usage;
pub mod valid;

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{CloudSnapshot, OrderAction, Reason};
use jiyun_ledger::{Claim, ClaimStage};
use kube::{Api, ResourceExt, runtime::controller::Action};

use self::{report::Standing, valid::Valid};
use crate::{
    admission::{self, Answer},
    claimed::{ON_ITS_WAY, may_come, wake_order},
    claims::{leave_line, open_claim, ordered_by},
    context::{Context, NOT_LISTED},
    error::ReconcileError,
    host::change::Objection,
    stored::{
        approved::Approved,
        change::{self, Wished},
    },
    volume::patience::SELDOM,
};

pub use drive::has_vanished;
pub use ending::dismantle;
pub use run::{of_engine, run};

/// The kind, as the ledger names it.
pub const KIND: &str = "CloudSnapshot";

/// What its storage is called where people are told what was approved.
pub const STORAGE: &str = "blockStorage";

/// When a wish that names something missing or not ready, or was not decided, or waits for its source, is looked at again.
const UNSETTLED: Duration = SELDOM;

/// When a snapshot that was taken is looked at again whatever happened.
const SETTLED: Duration = Duration::from_mins(10);

/// Brings one snapshot a step on.
///
/// # Errors
/// What did not work; the snapshot is tried again.
pub async fn reconcile(snapshot: &CloudSnapshot, context: &Context) -> Result<Action, ReconcileError> {
    let snapshot = &*context.unseen_snapshots.freshest(snapshot);
    if snapshot.metadata.deletion_timestamp.is_some() {
        return ending::reconcile(snapshot, context).await;
    }
    if !context.orders_listed.is_open() || !engine::is_known(context) {
        // What it is of, what decides it, or what was made of it already, may only not be read yet.
        return Ok(Action::requeue(NOT_LISTED));
    }
    let found = found::dereference(snapshot, context);
    let valid = valid::validate(snapshot, &found);
    // What is only held is the order's business; the snapshot has nothing yet.
    let granted = |claim: &Arc<Claim>| !matches!(claim.stage(), ClaimStage::Ending | ClaimStage::Held);
    let claim = open_claim(snapshot, context).filter(granted);
    if claim.is_none() && may_come(snapshot, valid.as_ref().err(), Timestamp::now()) {
        return Ok(Action::requeue(ON_ITS_WAY));
    }
    if let Some(claim) = claim.as_ref().filter(|_| found.granted.is_none()) {
        // It was granted in this very moment, and is looked at again as what it is now. What cannot be read is a fault.
        Approved::of(claim)?;
        return Ok(Action::requeue(ON_ITS_WAY));
    }
    if valid.is_err() && (claim.is_none() || !context.quarantined()) {
        // Whoever asks for nothing that can be granted keeps nobody waiting behind them.
        leave_line(snapshot, context).await?;
    }
    let standing = match (valid, claim) {
        (Ok(valid), None) => ask(snapshot, valid, context).await?,
        (Ok(valid), Some(claim)) => {
            let asked = valid.asked(OrderAction::Change);
            let wished = Wished { approved: &valid.approved, digest: &valid.digest, asked };
            let (claim, objection) = change::settle(snapshot, claim, wished, context).await?;
            serve(snapshot, claim, objection, context).await?
        }
        (Err(rejection), None) => Standing::Rejected(rejection),
        (Err(rejection), Some(claim)) => serve(snapshot, claim, Some(Objection::Invalid(rejection)), context).await?,
    };
    let order = match &standing {
        Standing::Ordered(ordered) => Some(ordered.order.clone()),
        Standing::Admitted { claim, .. } => ordered_by(claim),
        _ => None,
    };
    report(snapshot, &standing, context).await?;
    wake_order(snapshot, order.as_deref(), context);
    Ok(Action::requeue(if standing.is_settled() { SETTLED } else { UNSETTLED }))
}

/// Has a valid wish decided.
async fn ask(snapshot: &CloudSnapshot, mut valid: Valid, context: &Context) -> Result<Standing, ReconcileError> {
    let asked = valid.asked(OrderAction::Create);
    // Nothing is set aside for what nobody can take.
    let hindrance = engine::is_missing(context).then_some(Reason::EngineMissing);
    let answer = match admission::pass(snapshot, &valid.digest, asked, hindrance, context).await? {
        ControlFlow::Break(answer) => answer,
        ControlFlow::Continue(passed) => {
            valid.approved.policies = passed.policies;
            let asked = request::claim_request(snapshot, &valid)?;
            admission::decide(snapshot, asked, passed.only_within_guaranteed, context).await?
        }
    };
    Ok(match answer {
        Answer::Granted(claim) => return serve(snapshot, claim, None, context).await,
        Answer::Refused(refusal) => Standing::Refused(refusal),
        Answer::Undecided(reason) => Standing::Undecided(reason),
        Answer::Ordered(ordered) => Standing::Ordered(ordered),
    })
}

/// Drives the engine of a snapshot with a claim, and says how it stands.
async fn serve(
    snapshot: &CloudSnapshot,
    mut claim: Arc<Claim>,
    objection: Option<Objection>,
    context: &Context,
) -> Result<Standing, ReconcileError> {
    let approved = Approved::of(&claim)?;
    let engine = drive::drive(snapshot, &claim, &approved, context).await?;
    if engine.taken && claim.stage() == ClaimStage::Reserved && !context.quarantined() {
        // The department pays from the moment it can use the snapshot, and not a second earlier.
        context.ledger.billable(claim.id).await?;
        claim = open_claim(snapshot, context).unwrap_or(claim);
    }
    let (approved, objection) = (Box::new(approved), objection.map(Box::new));
    Ok(Standing::Admitted { claim, approved, objection, engine: Box::new(engine) })
}

/// Writes the status where it differs.
async fn report(snapshot: &CloudSnapshot, standing: &Standing, context: &Context) -> Result<(), ReconcileError> {
    let status = report::status(snapshot, standing, Timestamp::now());
    if snapshot.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let api = Api::<CloudSnapshot>::namespaced(context.client.clone(), &snapshot.namespace().unwrap_or_default());
    let written = context.writer.apply_status(&api, &snapshot.name_any(), &serde_json::to_value(&status)?).await?;
    context.unseen_snapshots.wrote(written);
    Ok(())
}
