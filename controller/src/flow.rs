//! Network flows (网络互访): dereference, validate, have it decided, open the walls for what was decided, report.
//!
//! A claim without amounts keeps what was approved. Nothing is let through before it is granted; what is let through is
//! the claim's approved spec, never the wish; its end is recorded before the walls are closed.

pub mod approved;
pub mod change;
pub mod digest;
mod ending;
pub mod found;
mod members;
mod networks;
mod plan;
mod report;
pub mod request;
mod run;
mod sweep;
pub mod valid;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{NetworkFlow, NetworkFlowStatus, OrderAction, Reason};
use jiyun_ledger::{Claim, ClaimStage, Decision, Refusal, RefusalCode};
use kube::{Api, ResourceExt, runtime::controller::Action};
use tracing::info;

use self::{
    approved::Approved,
    plan::Step,
    report::{Engine, Standing},
    valid::Valid,
};
use crate::{
    claimed::{ON_ITS_WAY, may_come, wake_order},
    claims::{kept, open_claim},
    context::{Context, NOT_LISTED},
    engines::network::{self, PolicyView},
    error::ReconcileError,
    host::{self, rejection::Rejection},
    networks::is_known,
    order::{
        answer::Ordered,
        filing,
        mark::OrderMark,
        route::{self, Route},
    },
};

pub use run::run;
pub use sweep::sweep;

/// The kind, as the ledger names it.
pub const KIND: &str = "NetworkFlow";

/// When a wish that names something missing, or was not decided, is looked at again.
const UNSETTLED: Duration = Duration::from_secs(20);

/// When a flow that is open is looked at again whatever happened.
const SETTLED: Duration = Duration::from_mins(10);

/// Brings one flow a step on.
///
/// # Errors
/// What did not work; the flow is tried again.
pub async fn reconcile(flow: &NetworkFlow, context: &Context) -> Result<Action, ReconcileError> {
    let flow = &*context.unseen_flows.freshest(flow);
    if flow.metadata.deletion_timestamp.is_some() {
        return ending::reconcile(flow, context).await;
    }
    if !context.orders_listed.is_open() || !context.policies_listed.is_open() {
        // What decides it, or what is open already, may only not be read yet.
        return Ok(Action::requeue(NOT_LISTED));
    }
    let found = found::dereference(flow, context);
    let valid = valid::validate(flow, &found);
    // What is only held is the order's business; nothing is open yet.
    let granted = |claim: &Arc<Claim>| !matches!(claim.stage(), ClaimStage::Ending | ClaimStage::Held);
    let claim = open_claim(flow, context).filter(granted);
    if claim.is_none() && may_come(flow, valid.as_ref().err(), Timestamp::now()) {
        return Ok(Action::requeue(ON_ITS_WAY));
    }
    let reach = valid.as_ref().ok().map(|valid| valid.approved.reach);
    let standing = match (valid, claim) {
        (Ok(valid), None) => ask(flow, valid, context).await?,
        (Ok(valid), Some(claim)) => {
            let (claim, objection) = change::settle(flow, claim, &valid, context).await?;
            // What nobody has decided about is not open, whatever the wish says.
            match valid.reaches_further(&Approved::of(&claim)?) {
                Some(further) => close(claim, further, context).await?,
                None => serve(flow, claim, objection, context).await?,
            }
        }
        (Err(rejection), None) => Standing::Rejected(rejection),
        (Err(rejection), Some(claim)) => {
            serve(flow, claim, Some(change::Objection::Invalid(rejection)), context).await?
        }
    };
    if standing.is_unseen() {
        return Ok(Action::requeue(NOT_LISTED));
    }
    let order = standing.order();
    let status = report::status(flow, reach, &standing, Timestamp::now());
    if flow.status.as_ref() != Some(&status) {
        write_status(flow, &status, context).await?;
    }
    wake_order(flow, order.as_deref(), context);
    Ok(Action::requeue(if standing.is_settled() { SETTLED } else { UNSETTLED }))
}

/// Whether an earlier object of this name still has a claim: it is being taken down.
fn is_taken(flow: &NetworkFlow, context: &Context) -> bool {
    let (namespace, name) = (flow.namespace().unwrap_or_default(), flow.name_any());
    let uid = flow.metadata.uid.as_deref();
    let claim = context.ledger.read(|state| state.claim_of_object(KIND, &namespace, &name).cloned());
    claim.is_some_and(|claim| Some(claim.subject.uid.as_str()) != uid)
}

/// Has a valid wish decided, unless this very wish was refused before: a refusal stands until the wish is edited, or
/// GitOps would ask again for ever.
async fn ask(flow: &NetworkFlow, mut valid: Valid, context: &Context) -> Result<Standing, ReconcileError> {
    if is_taken(flow, context) {
        return Ok(Standing::Undecided(Reason::Undecided));
    }
    if let Some(refusal) = standing_refusal(flow, &valid.digest) {
        return Ok(Standing::Refused(refusal));
    }
    let is_held = open_claim(flow, context).is_some_and(|claim| claim.stage() == ClaimStage::Held);
    let action = OrderAction::Create;
    match route::of(flow, &valid.digest, action, valid.asked(action), context) {
        // What an order holds is for it to grant or to give up.
        Route::Automatic(_) if is_held => return Ok(Standing::Undecided(Reason::Undecided)),
        Route::Automatic(passed) => valid.approved.policies = passed.policies,
        Route::Order(order, phase) => {
            return Ok(Ordered::by(&order, phase).map_or(Standing::Undecided(Reason::Undecided), Standing::Ordered));
        }
        Route::Awaited(order) => return Ok(Standing::Ordered(Ordered::awaited(order))),
        Route::File(name) => return Ok(Standing::Ordered(filing::file(flow, name, action, context).await?)),
    }
    match context.ledger.decide(request::claim_request(flow, &valid)?).await? {
        Decision::Granted { claim, existing, .. } => {
            if !existing {
                context.metrics.decided("Granted");
                info!(flow.namespace = flow.namespace(), flow.name = flow.name_any(), claim = %claim.id, "granted");
            }
            serve(flow, claim, None, context).await
        }
        Decision::Refused(refusal) => {
            context.metrics.decided(refusal.code.into());
            context.writer.trail().flow_refused(flow, "the wish", &refusal);
            info!(flow.namespace = flow.namespace(), flow.name = flow.name_any(), code = %refusal.code, "refused");
            Ok(match refusal.code {
                RefusalCode::Quarantined => Standing::Undecided(Reason::Quarantined),
                RefusalCode::UnknownAccount => Standing::Undecided(Reason::Undecided),
                _ => Standing::Refused(refusal),
            })
        }
    }
}

/// The refusal the status holds for this very wish, where it is one of the ledger's own.
fn standing_refusal(flow: &NetworkFlow, digest: &str) -> Option<Refusal> {
    let status = flow.status.as_ref()?;
    let refusal = status.refusal.as_ref().filter(|_| status.spec_digest.as_deref() == Some(digest))?;
    kept(refusal)
}

/// Opens the walls for what was approved, closes what was open beyond it, and says how it stands.
async fn serve(
    flow: &NetworkFlow,
    claim: Arc<Claim>,
    objection: Option<change::Objection>,
    context: &Context,
) -> Result<Standing, ReconcileError> {
    let approved = Approved::of(&claim)?;
    let ends = context.ledger.read(|state| members::ends(&claim, &approved, state));
    let mut engine = drive(&claim, &approved, ends, context).await?;
    let is_open = engine == Engine::Open;
    if is_open {
        let found = |name: &str| context.sites.all().find_map(|site| site.router(name)).map(|router| router.spec);
        let known = is_known(context);
        let router = |name: &str| known.then(|| found(name).unwrap_or_default());
        engine = match context.ledger.read(|state| networks::gap(&claim, &approved, state, router)) {
            Ok(None) => Engine::Open,
            Ok(Some(gap)) => Engine::Apart(gap),
            Err(networks::NotListed) => Engine::Unseen,
        };
    }
    let mut claim = claim;
    if is_open && claim.stage() == ClaimStage::Reserved && !context.quarantined() {
        context.ledger.billable(claim.id).await?;
        claim = open_claim(flow, context).unwrap_or(claim);
    }
    let order = OrderMark::of(&claim.approved_spec).map(|mark| mark.name);
    Ok(Standing::Admitted { claim, reach: approved.reach, order, objection, engine })
}

/// Closes what was open for a claim that its ends have outgrown, and says why.
async fn close(claim: Arc<Claim>, why: Rejection, context: &Context) -> Result<Standing, ReconcileError> {
    let approved = Approved::of(&claim)?;
    let engine = match drive(&claim, &approved, Vec::new(), context).await? {
        Engine::Open => Engine::Closed,
        other => other,
    };
    let order = OrderMark::of(&claim.approved_spec).map(|mark| mark.name);
    let objection = Some(change::Objection::Invalid(why));
    Ok(Standing::Admitted { claim, reach: approved.reach, order, objection, engine })
}

/// Makes the policies of a claim what they should be for these ends.
async fn drive(
    claim: &Claim,
    approved: &Approved,
    ends: Vec<network::End>,
    context: &Context,
) -> Result<Engine, ReconcileError> {
    let label = context.ledger.read(|state| host::label_of(claim.id, state));
    let desired = network::policies(&network::FlowOrder {
        claim: label.clone(),
        department: claim.account.to_string(),
        flow: claim.subject.name.clone(),
        ports: approved.ports.clone(),
        ends,
    });
    for site in context.sites.all() {
        let observed = site.policies_of(&label);
        for step in plan::plan(&desired, &observed) {
            match step {
                Step::Apply(policy, why) => {
                    let (namespace, name) = (network::namespace_of(policy), network::name_of(policy));
                    let api = Api::<PolicyView>::namespaced(site.client.clone(), namespace);
                    match context.writer.apply(&api, name, policy).await {
                        Ok(written) => site.unseen_policies.wrote(written),
                        Err(error) if matches!(error.status(), Some(400 | 403 | 404 | 422)) => {
                            tracing::warn!(
                                flow = %claim.subject.name, namespace, name, ?why,
                                error = crate::error::chain(&error), "a wall could not be opened"
                            );
                            return Ok(Engine::Failed(error.status().unwrap_or_default()));
                        }
                        Err(error) => return Err(error.into()),
                    }
                    info!(namespace, name, ?why, "opened a wall");
                }
                Step::Delete(_) if context.quarantined() => return Ok(Engine::Paused),
                Step::Delete(policy) => {
                    let namespace = policy.metadata.namespace.clone().unwrap_or_default();
                    let api = Api::<PolicyView>::namespaced(site.client.clone(), &namespace);
                    context.writer.delete(&api, policy).await?;
                    info!(namespace, name = policy.metadata.name, "closed a wall");
                }
            }
        }
    }
    Ok(Engine::Open)
}

async fn write_status(flow: &NetworkFlow, status: &NetworkFlowStatus, context: &Context) -> Result<(), ReconcileError> {
    let api = Api::<NetworkFlow>::namespaced(context.client.clone(), &flow.namespace().unwrap_or_default());
    let written = context.writer.apply_status(&api, &flow.name_any(), &serde_json::to_value(status)?).await?;
    context.unseen_flows.wrote(written);
    Ok(())
}
