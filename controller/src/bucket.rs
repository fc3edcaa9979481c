//! Cloud buckets (对象存储桶): dereference, validate, ask the ledger, drive the engine, hand over the key pair, report.
//!
//! Nothing is made before a claim is granted; nothing is given back before it is gone. What is made is what was approved.

mod credentials;
pub mod digest;
mod drive;
mod ending;
pub mod engine;
pub mod found;
mod keys;
mod plan;
mod report;
pub mod request;
mod run;
pub mod valid;

use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{CloudBucket, OrderAction, Reason};
use jiyun_ledger::{Claim, ClaimStage};
use kube::{Api, ResourceExt, runtime::controller::Action};

use self::{report::Standing, valid::Valid};
use crate::{
    admission::{self, Answer},
    claimed::{ON_ITS_WAY, may_come, wake_order},
    claims::{leave_line, open_claim, ordered_by},
    context::{Context, NOT_LISTED},
    error::ReconcileError,
    host::{change::Objection, restart},
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
pub const KIND: &str = "CloudBucket";

/// What its storage is called where people are told what was approved.
pub const STORAGE: &str = "objectStorage";

/// When a wish that names something missing, or was not decided, is looked at again.
const UNSETTLED: Duration = SELDOM;

/// When a bucket at work is looked at again whatever happened.
const SETTLED: Duration = Duration::from_mins(10);

/// Brings one bucket a step on.
///
/// # Errors
/// What did not work; the bucket is tried again.
pub async fn reconcile(bucket: &CloudBucket, context: &Context) -> Result<Action, ReconcileError> {
    let bucket = &*context.unseen_buckets.freshest(bucket);
    if bucket.metadata.deletion_timestamp.is_some() {
        return ending::reconcile(bucket, context).await;
    }
    if !context.orders_listed.is_open() || !engine::is_known(context) {
        // What decides it, or what was made of it already, may only not be read yet.
        return Ok(Action::requeue(NOT_LISTED));
    }
    // One moment for the whole look: what is not due in it is looked at when it is.
    let now = Timestamp::now();
    let found = found::dereference(bucket, &context.catalogue);
    let valid = valid::validate(bucket, &found);
    // What is only held is the order's business; the bucket has nothing yet.
    let granted = |claim: &Arc<Claim>| !matches!(claim.stage(), ClaimStage::Ending | ClaimStage::Held);
    let claim = open_claim(bucket, context).filter(granted);
    if claim.is_none() && may_come(bucket, valid.as_ref().err(), now) {
        return Ok(Action::requeue(ON_ITS_WAY));
    }
    if valid.is_err() && (claim.is_none() || !context.quarantined()) {
        // Whoever asks for nothing that can be granted keeps nobody waiting behind them.
        leave_line(bucket, context).await?;
    }
    let standing = match (valid, claim) {
        (Ok(valid), None) => ask(bucket, valid, now, context).await?,
        (Ok(valid), Some(claim)) => {
            let asked = valid.asked(OrderAction::Change);
            let wished = Wished { approved: &valid.approved, digest: &valid.digest, asked };
            let (claim, objection) = change::settle(bucket, claim, wished, context).await?;
            serve(bucket, claim, objection, now, context).await?
        }
        (Err(rejection), None) => Standing::Rejected(rejection),
        (Err(rejection), Some(claim)) => {
            serve(bucket, claim, Some(Objection::Invalid(rejection)), now, context).await?
        }
    };
    let order = match &standing {
        Standing::Ordered(ordered) => Some(ordered.order.clone()),
        Standing::Admitted { claim, .. } => ordered_by(claim),
        _ => None,
    };
    report(bucket, &standing, context).await?;
    wake_order(bucket, order.as_deref(), context);
    Ok(Action::requeue(next_look(bucket, &standing, now, context)))
}

/// When to look again at a bucket that was looked at `now`.
fn next_look(bucket: &CloudBucket, standing: &Standing, now: Timestamp, context: &Context) -> Duration {
    let (namespace, name) = (bucket.namespace().unwrap_or_default(), bucket.name_any());
    let usual = if let Some(way) = standing.way() {
        context.bucket_patience.next(&namespace, &name, Some(&way), Instant::now())
    } else {
        context.bucket_patience.forget(&namespace, &name);
        if standing.is_settled() { SETTLED } else { UNSETTLED }
    };
    let moment = restart::moment(bucket.spec.credentials_requested_at.as_ref());
    let rotation = moment.and_then(|moment| restart::until(moment, now));
    rotation.into_iter().fold(usual, Duration::min)
}

/// Has a valid wish decided.
async fn ask(
    bucket: &CloudBucket,
    mut valid: Valid,
    now: Timestamp,
    context: &Context,
) -> Result<Standing, ReconcileError> {
    let asked = valid.asked(OrderAction::Create);
    // Nothing is set aside for what nobody can make.
    let hindrance = engine::is_missing(context).then_some(Reason::EngineMissing);
    let answer = match admission::pass(bucket, &valid.digest, asked, hindrance, context).await? {
        ControlFlow::Break(answer) => answer,
        ControlFlow::Continue(passed) => {
            valid.approved.policies = passed.policies;
            let asked = request::claim_request(bucket, &valid)?;
            admission::decide(bucket, asked, passed.only_within_guaranteed, context).await?
        }
    };
    Ok(match answer {
        Answer::Granted(claim) => return serve(bucket, claim, None, now, context).await,
        Answer::Refused(refusal) => Standing::Refused(refusal),
        Answer::Undecided(reason) => Standing::Undecided(reason),
        Answer::Ordered(ordered) => Standing::Ordered(ordered),
    })
}

/// Drives the engine of a bucket with a claim, and says how it stands.
async fn serve(
    bucket: &CloudBucket,
    mut claim: Arc<Claim>,
    objection: Option<Objection>,
    now: Timestamp,
    context: &Context,
) -> Result<Standing, ReconcileError> {
    let approved = Approved::of(&claim)?;
    let engine = drive::drive(bucket, &claim, &approved, now, context).await?;
    if engine.handed_over && claim.stage() == ClaimStage::Reserved && !context.quarantined() {
        // The department pays from the moment it can use the bucket, and not a second earlier.
        context.ledger.billable(claim.id).await?;
        claim = open_claim(bucket, context).unwrap_or(claim);
    }
    let (approved, objection) = (Box::new(approved), objection.map(Box::new));
    Ok(Standing::Admitted { claim, approved, objection, engine: Box::new(engine) })
}

/// Writes the status where it differs.
async fn report(bucket: &CloudBucket, standing: &Standing, context: &Context) -> Result<(), ReconcileError> {
    let status = report::status(bucket, standing, Timestamp::now());
    if bucket.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let api = Api::<CloudBucket>::namespaced(context.client.clone(), &bucket.namespace().unwrap_or_default());
    let written = context.writer.apply_status(&api, &bucket.name_any(), &serde_json::to_value(&status)?).await?;
    context.unseen_buckets.wrote(written);
    Ok(())
}
