//! Changes of a granted host: what applies at once, what is decided first, and what cannot be done yet.
//!
//! A granted host is served from what was approved. A wish that differs is put to a policy or to people; until they have
//! decided, and if they decide against it, the host goes on as it is.

use std::sync::Arc;

use jiyun_crds::v1alpha1::{CloudHost, OrderAction};
use jiyun_ledger::{Claim, Decision};
use kube::ResourceExt;
use tracing::info;

use super::{
    approved::Approved,
    digest, lease,
    parking::{given_back, protection_level},
    rejection::Rejection,
    request,
    valid::Valid,
};
use crate::{
    context::Context,
    error::ReconcileError,
    order::{
        answer::Ordered,
        filing,
        route::{self, Route},
    },
};

/// The claim after what may change did, and what stands in the way of the rest.
///
/// # Errors
/// When the ledger cannot be asked, or an order cannot be filed.
pub async fn settle(
    host: &CloudHost,
    claim: Arc<Claim>,
    valid: Valid,
    context: &Context,
) -> Result<(Arc<Claim>, Option<Rejection>), ReconcileError> {
    if digest::of_wish(&claim.spec_digest) == valid.digest || context.quarantined() {
        return Ok((claim, None));
    }
    let approved = Approved::of(&claim)?;
    if let Some(rejection) = approved.change_to(&valid.approved) {
        return Ok((claim, Some(rejection)));
    }
    let (granted, asked) = (approved.lease.as_ref(), valid.approved.lease.as_ref());
    if approved.deletable == valid.approved.deletable && lease::same(granted, asked) {
        // Digests differ, and nothing that is decided does: another spelling of the same size.
        return Ok((claim, None));
    }
    // What protects more, or ends earlier, is asked of nobody.
    let is_decided = (valid.approved.deletable && !approved.deletable) || lease::is_more(granted, asked);
    let policies = if is_decided {
        let action = OrderAction::Change;
        match route::of(host, &valid.digest, action, valid.asked(action), context) {
            Route::Automatic(passed) => passed.policies,
            Route::Order(order, phase) => {
                return Ok((claim, Ordered::by(&order, phase).map(|ordered| ordered.objection())));
            }
            Route::Awaited(order) => return Ok((claim, Some(Ordered::awaited(order).objection()))),
            Route::File(name) => {
                let ordered = filing::file(host, name, action, context).await?;
                return Ok((claim, Some(ordered.objection())));
            }
        }
    } else {
        approved.policies.clone()
    };
    let lease = lease::changed(approved.lease.clone(), valid.approved.lease);
    let resolved = Approved { policies, deletable: valid.approved.deletable, lease, ..approved };
    let claim = apply(&claim, &valid.digest, &resolved, context).await?;
    info!(host.namespace = host.namespace(), host.name = host.name_any(), claim = %claim.id, "changed");
    Ok((claim, None))
}

/// Records what was decided about a guarded field for this `wish`, or what has become of a lease: the claim holds what it
/// held.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn apply(
    claim: &Arc<Claim>,
    wish: &str,
    approved: &Approved,
    context: &Context,
) -> Result<Arc<Claim>, ReconcileError> {
    let without = given_back(claim, approved);
    let asked = request::changed(claim, protection_level(claim, context), (wish, approved), &without)?;
    Ok(match context.ledger.decide_change(claim.id, asked).await? {
        Decision::Granted { claim, .. } => claim,
        // It asks for nothing more; a refusal says that the book is being checked.
        Decision::Refused(_) => Arc::clone(claim),
    })
}
