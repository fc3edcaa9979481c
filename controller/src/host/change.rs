//! Changes of a granted host: what applies at once, what is decided first, and what is not done whoever agrees.
//!
//! A granted host is served from what was approved. A wish that differs is put to a policy or to people; until they have
//! decided, and if they decide against it, the host goes on as it is.

use std::sync::Arc;

use jiyun_crds::v1alpha1::{CloudHost, OrderAction, Reason};
use jiyun_ledger::{Claim, Refusal, RefusalCode};

use super::{
    approved::Approved,
    digest, leave_line,
    parking::{given_back, protection_level},
    rejection::Rejection,
    resize::{self, Change},
    valid::Valid,
};
use crate::{
    change,
    context::Context,
    error::ReconcileError,
    order::{answer::Ordered, route::Passed},
};

/// What stands in the way of a changed wish; the host goes on as approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// It makes no sense as it is.
    Invalid(Rejection),
    /// People have to agree, or did not.
    Ordered(Ordered),
    /// The ledger said no.
    Refused(Refusal),
    /// The ledger has not said anything yet.
    Undecided(Reason),
}

impl Objection {
    /// Whether something may become of it without another edit.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Undecided(_) => true,
            Self::Ordered(ordered) => ordered.refusal.is_none(),
            Self::Refused(refusal) => {
                matches!(refusal.code, RefusalCode::NoMatchingPool | RefusalCode::WaitingForCapacity)
            }
            Self::Invalid(_) => false,
        }
    }

    /// Whether it is asked for in earnest, and nobody has decided against it. An order that may never come is nothing to wait
    /// for.
    pub fn awaits_an_answer(&self) -> bool {
        match self {
            Self::Ordered(ordered) => ordered.reason == Reason::AwaitingApproval,
            Self::Undecided(_) => true,
            // Let through by a policy, and asked for again until there is room.
            Self::Refused(_) => self.is_open(),
            // The catalogue has lost something that it names: that is nobody's answer either.
            Self::Invalid(rejection) => rejection.reason == Reason::UnknownReference,
        }
    }

    /// Whether a place in line that it may have stays its own.
    pub fn keeps_its_place(&self) -> bool {
        match self {
            Self::Refused(refusal) => {
                matches!(refusal.code, RefusalCode::NoMatchingPool | RefusalCode::WaitingForCapacity)
            }
            Self::Undecided(reason) => *reason == Reason::Quarantined,
            Self::Invalid(_) | Self::Ordered(_) => false,
        }
    }

    /// The order that decides about it, or has decided.
    pub fn order(&self) -> Option<&str> {
        match self {
            Self::Ordered(ordered) => Some(&ordered.order),
            Self::Invalid(_) | Self::Refused(_) | Self::Undecided(_) => None,
        }
    }
}

/// The claim after what may change did, and what stands in the way of the rest.
///
/// # Errors
/// When the ledger cannot be asked, or an order cannot be filed.
pub async fn settle(
    host: &CloudHost,
    claim: Arc<Claim>,
    valid: Result<Valid, Rejection>,
    context: &Context,
) -> Result<(Arc<Claim>, Option<Objection>), ReconcileError> {
    let (claim, objection) = match valid {
        Ok(valid) => changed(host, claim, &valid, context).await?,
        Err(rejection) => (claim, Some(Objection::Invalid(rejection))),
    };
    // While the book is being checked, or no pool takes it for now, the ledger keeps its place in line.
    let waits = context.quarantined() || objection.as_ref().is_some_and(Objection::keeps_its_place);
    if !waits && given_back(&claim, &Approved::of(&claim)?).is_empty() {
        // A growth that is not asked for any more; a start is only waited for by what has given something back.
        leave_line(host, context).await?;
    }
    Ok((claim, objection))
}

async fn changed(
    host: &CloudHost,
    claim: Arc<Claim>,
    valid: &Valid,
    context: &Context,
) -> Result<(Arc<Claim>, Option<Objection>), ReconcileError> {
    if digest::of_wish(&claim.spec_digest) == valid.digest || context.quarantined() {
        return Ok((claim, None));
    }
    let mut claim = claim;
    let mut approved = Approved::of(&claim)?;
    if let Some(part) = resize::at_once(&claim, &approved, &valid.approved) {
        // What protects more or ends earlier counts whatever becomes of the rest of the wish.
        let digest = digest::partly(&claim.spec_digest, &part);
        claim = apply(&claim, &part, &digest, context).await?;
        approved = Approved::of(&claim)?;
    }
    let after = match resize::change(&claim, &approved, &valid.approved) {
        Err(rejection) => return Ok((claim, Some(Objection::Invalid(rejection)))),
        Ok(Change::None) => return Ok((claim, None)),
        Ok(Change::AtOnce(after)) => {
            let claim = apply(&claim, &after, &valid.digest, context).await?;
            change::changed(host, &claim);
            return Ok((claim, None));
        }
        Ok(Change::Decided(after)) => after,
    };
    let request = |claim: &Claim, passed: &Passed| {
        let after = Approved { policies: passed.policies.clone(), ..after };
        resize::request(claim, &after, &valid.digest, protection_level(claim, context))
    };
    change::decide(host, claim, &valid.digest, valid.asked(OrderAction::Change), request, context).await
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
