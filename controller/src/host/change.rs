//! Changes of a granted host: what applies at once, what is decided first, and what cannot be done yet.
//!
//! A granted host is served from what was approved. A wish that differs is put to a policy or to people; until they have
//! decided, and if they decide against it, the host goes on as it is.

use std::sync::Arc;

use jiyun_crds::v1alpha1::{CloudHost, InformationSystem, OrderAction};
use jiyun_ledger::{Claim, Decision};
use jiyun_messages::parameters;
use kube::ResourceExt;
use tracing::info;

use super::{
    approved::Approved,
    decided_by, digest, filing,
    parking::{given_back, protection_level},
    rejection::Rejection,
    report::Ordered,
    request,
    valid::Valid,
};
use crate::{
    context::Context,
    error::ReconcileError,
    order::route::{self, Route},
};

/// The claim after what may change did, and what stands in the way of the rest.
///
/// # Errors
/// When the ledger cannot be asked, or an order cannot be filed.
pub async fn settle(
    host: &CloudHost,
    claim: Arc<Claim>,
    valid: Valid,
    system: Option<&InformationSystem>,
    context: &Context,
) -> Result<(Arc<Claim>, Option<Rejection>), ReconcileError> {
    if digest::of_wish(&claim.spec_digest) == valid.digest || context.quarantined() {
        return Ok((claim, None));
    }
    let approved = Approved::of(&claim)?;
    if let Some(rejection) = approved.change_to(&valid.approved) {
        return Ok((claim, Some(rejection)));
    }
    if approved.deletable == valid.approved.deletable {
        // Digests differ, and nothing that is decided does: another spelling of the same size.
        return Ok((claim, None));
    }
    // What protects more is asked of nobody.
    let policies = if valid.approved.deletable {
        match route::of(host, &valid, OrderAction::Change, system, context) {
            Route::Automatic(passed) => passed.policies,
            Route::Order(order, phase) => return Ok((claim, decided_by(&order, phase).map(waits))),
            Route::Awaited(order) => return Ok((claim, Some(awaited(&order)))),
            Route::File(name) => {
                let ordered = filing::file(host, name, OrderAction::Change, context).await?;
                return Ok((claim, Some(waits(ordered))));
            }
        }
    } else {
        approved.policies.clone()
    };
    let resolved = Approved { policies, deletable: valid.approved.deletable, ..approved };
    let claim = apply(&claim, &Valid { approved: resolved, ..valid }, context).await?;
    info!(host.namespace = host.namespace(), host.name = host.name_any(), claim = %claim.id, "changed");
    Ok((claim, None))
}

/// Records what was decided about a guarded field: the claim holds what it held.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn apply(claim: &Arc<Claim>, valid: &Valid, context: &Context) -> Result<Arc<Claim>, ReconcileError> {
    let without = given_back(claim, &valid.approved);
    let asked = request::changed(claim, protection_level(claim, context), valid, &without)?;
    Ok(match context.ledger.decide_change(claim.id, asked).await? {
        Decision::Granted { claim, .. } => claim,
        // It asks for nothing more; a refusal says that the book is being checked.
        Decision::Refused(_) => Arc::clone(claim),
    })
}

/// What an order that is not approved means for a host that runs.
fn waits(Ordered { order, reason, refusal }: Ordered) -> Rejection {
    let told = refusal.map(|refusal| (refusal.code, refusal.parameters));
    let (_, about) = told.unwrap_or_default();
    let mut parameters: jiyun_messages::Parameters = about.into_iter().map(|each| (each.name, each.value)).collect();
    parameters.insert("order".to_owned(), order);
    Rejection { reason, code: reason.as_str(), parameters }
}

fn awaited(order: &str) -> Rejection {
    let reason = jiyun_crds::v1alpha1::Reason::AwaitingOrder;
    Rejection { reason, code: reason.as_str(), parameters: parameters([("order", order)]) }
}
