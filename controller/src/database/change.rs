//! Changes of a granted database: what applies at once, what is decided first, and what cannot be done yet.
//!
//! A granted database is served from what was approved. A wish that differs is put to a policy or to people; until they
//! have decided, and if they decide against it, the database goes on as it is.

use std::sync::Arc;

use jiyun_crds::v1alpha1::{CloudDatabase, OrderAction};
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

/// The claim after what may change did, and what stands in the way of the rest.
///
/// # Errors
/// When the ledger cannot be asked, or an order cannot be filed.
pub async fn settle(
    database: &CloudDatabase,
    claim: Arc<Claim>,
    valid: Valid,
    context: &Context,
) -> Result<(Arc<Claim>, Option<Rejection>), ReconcileError> {
    if claim.spec_digest == valid.digest || context.quarantined() {
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
        let action = OrderAction::Change;
        match route::of(database, &valid.digest, action, valid.asked(action), context) {
            Route::Automatic(passed) => passed.policies,
            Route::Order(order, phase) => {
                return Ok((claim, Ordered::by(&order, phase).map(|ordered| ordered.objection())));
            }
            Route::Awaited(order) => return Ok((claim, Some(Ordered::awaited(order).objection()))),
            Route::File(name) => {
                let ordered = filing::file(database, name, action, context).await?;
                return Ok((claim, Some(ordered.objection())));
            }
        }
    } else {
        approved.policies.clone()
    };
    let resolved = Approved { policies, deletable: valid.approved.deletable, ..approved };
    let claim = apply(&claim, &Valid { approved: resolved, ..valid }, context).await?;
    info!(
        database.namespace = database.namespace(),
        database.name = database.name_any(),
        claim = %claim.id,
        "changed"
    );
    Ok((claim, None))
}

/// Records what was decided about a guarded field: the claim holds what it held.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn apply(claim: &Arc<Claim>, valid: &Valid, context: &Context) -> Result<Arc<Claim>, ReconcileError> {
    Ok(match context.ledger.decide_change(claim, request::changed(claim, valid)?).await? {
        Decision::Granted { claim, .. } => claim,
        // It asks for nothing more; a refusal says that the book is being checked.
        Decision::Refused(_) => Arc::clone(claim),
    })
}
