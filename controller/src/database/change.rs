//! Changes of a granted database: what applies at once, what is decided first, and what is not done whoever agrees.
//!
//! A granted database is served from what was approved. A wish that differs is put to a policy or to people; until they
//! have decided, and if they decide against it, the database goes on as it is.

use std::sync::Arc;

use jiyun_crds::v1alpha1::{CloudDatabase, OrderAction};
use jiyun_ledger::Claim;

use super::{
    approved::Approved,
    resize::{self, Change},
    valid::{Valid, size_of},
};
use crate::{
    change,
    claims::leave_line,
    context::Context,
    error::ReconcileError,
    host::{change::Objection, digest::of_wish, protection_level, rejection::Rejection},
    order::route::{Asked, Passed},
};

/// The claim after what may change did, and what stands in the way of the rest.
///
/// # Errors
/// When the ledger cannot be asked, or an order cannot be filed.
pub async fn settle(
    database: &CloudDatabase,
    claim: Arc<Claim>,
    valid: Result<Valid, Rejection>,
    context: &Context,
) -> Result<(Arc<Claim>, Option<Objection>), ReconcileError> {
    let (claim, objection) = match valid {
        Ok(valid) => changed(database, claim, &valid, context).await?,
        Err(rejection) => (claim, Some(Objection::Invalid(rejection))),
    };
    // While the book is being checked, or no pool takes it for now, the ledger keeps its place in line.
    if !context.quarantined() && !objection.as_ref().is_some_and(Objection::keeps_its_place) {
        leave_line(database, context).await?;
    }
    Ok((claim, objection))
}

async fn changed(
    database: &CloudDatabase,
    claim: Arc<Claim>,
    valid: &Valid,
    context: &Context,
) -> Result<(Arc<Claim>, Option<Objection>), ReconcileError> {
    if of_wish(&claim.spec_digest) == valid.digest || context.quarantined() {
        return Ok((claim, None));
    }
    let (mut claim, mut approved) = (Arc::clone(&claim), Approved::of(&claim)?);
    if let Some(part) = resize::at_once(&claim, &approved, &valid.approved) {
        // What protects more counts whatever becomes of the rest of the wish.
        let digest = change::partly(&claim.spec_digest, part.deletable);
        claim = apply(&claim, &part, &digest, context).await?;
        approved = Approved::of(&claim)?;
    }
    let after = match resize::change(&claim, &approved, &valid.approved) {
        Err(rejection) => return Ok((claim, Some(Objection::Invalid(rejection)))),
        Ok(Change::None) => return Ok((claim, None)),
        Ok(Change::AtOnce(after)) => {
            let claim = apply(&claim, &after, &valid.digest, context).await?;
            change::changed(database, &claim);
            return Ok((claim, None));
        }
        Ok(Change::Decided(after)) => after,
    };
    // Policies are asked about what the ledger is: all there may be until the engine has followed.
    let asked = Asked { size: size_of(&after), ..valid.asked(OrderAction::Change) };
    let request = |claim: &Claim, passed: &Passed| {
        let after = Approved { policies: passed.policies.clone(), order: None, ..after };
        resize::request(claim, &after, &valid.digest, protection_level(claim, context))
    };
    change::decide(database, claim, &valid.digest, asked, request, context).await
}

/// Records what is decided: the claim takes nothing more by it that was not held for it.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn apply(
    claim: &Arc<Claim>,
    after: &Approved,
    digest: &str,
    context: &Context,
) -> Result<Arc<Claim>, ReconcileError> {
    let asked = resize::request(claim, after, digest, protection_level(claim, context))?;
    change::apply(claim, asked, context).await
}
