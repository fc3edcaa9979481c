//! Changes of a granted flow: what lets less through applies at once, anything else is decided first. Until it is, and if
//! it is decided against, what was approved stays open and nothing else.

use std::sync::Arc;

use jiyun_crds::v1alpha1::{NetworkFlow, OrderAction};
use jiyun_ledger::{Claim, Decision};
use kube::ResourceExt;
use tracing::info;

use super::{approved::Approved, request, valid::Valid};
use crate::{
    context::Context,
    error::ReconcileError,
    host::rejection::Rejection,
    order::{
        answer::Ordered,
        filing,
        route::{self, Route},
    },
};

/// What stands in the way of a changed wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// It makes no sense as it is.
    Invalid(Rejection),
    /// People have to agree, or did not.
    Ordered(Ordered),
}

/// The claim after what may change did, and what stands in the way of the rest.
///
/// # Errors
/// When the ledger cannot be asked, or an order cannot be filed.
pub async fn settle(
    flow: &NetworkFlow,
    claim: Arc<Claim>,
    valid: &Valid,
    context: &Context,
) -> Result<(Arc<Claim>, Option<Objection>), ReconcileError> {
    if claim.spec_digest == valid.digest || context.quarantined() {
        return Ok((claim, None));
    }
    let approved = Approved::of(&claim)?;
    if let Some(rejection) = valid.impossible_change(&approved) {
        return Ok((claim, Some(Objection::Invalid(rejection))));
    }
    let ordered = |ordered| Some(Objection::Ordered(ordered));
    let (order, policies) = if valid.approved.is_within(&approved) {
        // Closing is asked of nobody.
        (approved.order, approved.policies)
    } else {
        let action = OrderAction::Change;
        match route::of(flow, &valid.digest, action, valid.asked(action), context) {
            Route::Automatic(passed) => (None, passed.policies),
            Route::Order(order, phase) => {
                return Ok((claim, Ordered::by(&order, phase).map(Objection::Ordered)));
            }
            Route::Awaited(order) => return Ok((claim, ordered(Ordered::awaited(order)))),
            Route::File(name) => {
                return Ok((claim, ordered(filing::file(flow, name, action, context).await?)));
            }
        }
    };
    let resolved = Approved { order, policies, ..valid.approved.clone() };
    let claim = apply(&claim, &Valid { approved: resolved, ..valid.clone() }, context).await?;
    info!(flow.namespace = flow.namespace(), flow.name = flow.name_any(), claim = %claim.id, "changed");
    Ok((claim, None))
}

/// Records what was decided.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn apply(claim: &Arc<Claim>, valid: &Valid, context: &Context) -> Result<Arc<Claim>, ReconcileError> {
    Ok(match context.ledger.decide_change(claim, request::changed(claim, valid)?).await? {
        Decision::Granted { claim, .. } => claim,
        // The book is being checked: what was approved stays.
        Decision::Refused(_) => Arc::clone(claim),
    })
}
