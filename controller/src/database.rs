//! Cloud databases (云数据库): dereference, validate, ask the ledger, drive the engine, hand over the credentials, report.
//!
//! Nothing is made before a claim is granted; nothing is given back before it is gone. What is made is what was approved.

pub mod approved;
pub mod change;
pub mod credentials;
pub mod digest;
mod drive;
mod ending;
pub mod engine;
mod follow;
pub mod found;
mod plan;
mod report;
pub mod request;
pub mod resize;
mod run;
pub mod sightings;
pub mod valid;

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{CloudDatabase, CloudDatabaseStatus, OrderAction, Reason};
use jiyun_ledger::{Claim, ClaimStage, LedgerError, RequestError};
use kube::{Api, ResourceExt, runtime::controller::Action};

use self::{approved::Approved, report::Standing, valid::Valid};
use crate::{
    admission::{self, Answer},
    claimed::{ON_ITS_WAY, may_come, wake_order},
    claims::{leave_line, open_claim, ordered_by},
    context::{Context, NOT_LISTED},
    error::ReconcileError,
    host::change::Objection,
};

pub use drive::has_vanished;
pub use ending::dismantle;
pub use run::run;

/// The kind, as the ledger names it.
pub const KIND: &str = "CloudDatabase";

/// When a wish that names something missing, or was not decided, is looked at again.
const UNSETTLED: Duration = Duration::from_secs(20);

/// How soon to look again whether instances have followed: pods and volumes tell nobody here.
const RESIZING: Duration = Duration::from_secs(5);

/// When a database at work is looked at again whatever happened.
const SETTLED: Duration = Duration::from_mins(10);

/// Brings one database a step on.
///
/// # Errors
/// What did not work; the database is tried again.
pub async fn reconcile(database: &CloudDatabase, context: &Context) -> Result<Action, ReconcileError> {
    let database = &*context.unseen_databases.freshest(database);
    if database.metadata.deletion_timestamp.is_some() {
        return ending::reconcile(database, context).await;
    }
    if !context.orders_listed.is_open() || !engine::is_known(context) || !context.policies_listed.is_open() {
        // What decides it, or what was made of it already, may only not be read yet.
        return Ok(Action::requeue(NOT_LISTED));
    }
    let found = found::dereference(database, &context.catalogue);
    let valid = valid::validate(database, &found);
    // What is only held is the order's business; the database has nothing yet.
    let granted = |claim: &Arc<Claim>| !matches!(claim.stage(), ClaimStage::Ending | ClaimStage::Held);
    let claim = open_claim(database, context).filter(granted);
    if claim.is_none() && may_come(database, valid.as_ref().err(), Timestamp::now()) {
        return Ok(Action::requeue(ON_ITS_WAY));
    }
    if valid.is_err() && claim.is_none() {
        leave_line(database, context).await?;
    }
    let standing = match (valid, claim) {
        (Ok(valid), None) => ask(database, valid, context).await?,
        (Err(rejection), None) => Standing::Rejected(rejection),
        (valid, Some(claim)) => {
            let (claim, objection) = Box::pin(change::settle(database, claim, valid, context)).await?;
            serve(database, claim, objection, context).await?
        }
    };
    let order = match &standing {
        Standing::Ordered(ordered) => Some(ordered.order.clone()),
        Standing::Admitted { claim, objection, .. } => {
            objection.as_deref().and_then(Objection::order).map(str::to_owned).or_else(|| ordered_by(claim))
        }
        _ => None,
    };
    report(database, &standing, context).await?;
    wake_order(database, order.as_deref(), context);
    Ok(Action::requeue(match standing {
        standing if standing.is_settled() => SETTLED,
        Standing::Admitted { engine, .. } if engine.lag.is_some() || engine.unheard => RESIZING,
        _ => UNSETTLED,
    }))
}

/// Has a valid wish decided.
async fn ask(database: &CloudDatabase, mut valid: Valid, context: &Context) -> Result<Standing, ReconcileError> {
    let asked = valid.asked(OrderAction::Create);
    // Nothing is set aside for what nobody can make.
    let hindrance = engine::is_missing(context).then_some(Reason::EngineMissing);
    let answer = match admission::pass(database, &valid.digest, asked, hindrance, context).await? {
        ControlFlow::Break(answer) => answer,
        ControlFlow::Continue(passed) => {
            valid.approved.policies = passed.policies;
            let asked = request::claim_request(database, &valid)?;
            admission::decide(database, asked, passed.only_within_guaranteed, context).await?
        }
    };
    Ok(match answer {
        Answer::Granted(claim) => return serve(database, claim, None, context).await,
        Answer::Refused(refusal) => Standing::Refused(refusal),
        Answer::Undecided(reason) => Standing::Undecided(reason),
        Answer::Ordered(ordered) => Standing::Ordered(ordered),
    })
}

/// Drives the engine of a database with a claim, and says how it stands.
async fn serve(
    database: &CloudDatabase,
    mut claim: Arc<Claim>,
    objection: Option<Objection>,
    context: &Context,
) -> Result<Standing, ReconcileError> {
    let approved = Approved::of(&claim)?;
    let engine = drive::drive(database, &claim, &approved, context).await?;
    if engine.settled() && claim.stage() == ClaimStage::Reserved && !context.quarantined() {
        // The department pays from the moment it can use the database, and not a second earlier.
        context.ledger.billable(claim.id).await?;
        claim = open_claim(database, context).unwrap_or(claim);
        if Approved::of(&claim)? != approved {
            // It was changed while the engine was driven: what follows is worked out from what it is now, at the next look.
            let outdated = RequestError::Outdated { subject: database.name_any(), claim: claim.id };
            return Err(LedgerError::from(outdated).into());
        }
    }
    let claim = resize::give_back(database, claim, &approved, &engine, context).await?;
    Ok(Standing::Admitted { claim, objection: objection.map(Box::new), engine, approved: Box::new(approved) })
}

/// Writes the status where it differs.
async fn report(database: &CloudDatabase, standing: &Standing, context: &Context) -> Result<(), ReconcileError> {
    let status = report::status(database, standing, Timestamp::now());
    if database.status.as_ref() != Some(&status) {
        write_status(database, &status, context).await?;
    }
    Ok(())
}

async fn write_status(
    database: &CloudDatabase,
    status: &CloudDatabaseStatus,
    context: &Context,
) -> Result<(), ReconcileError> {
    let api = Api::<CloudDatabase>::namespaced(context.client.clone(), &database.namespace().unwrap_or_default());
    let written = context.writer.apply_status(&api, &database.name_any(), &serde_json::to_value(status)?).await?;
    context.unseen_databases.wrote(written);
    Ok(())
}
