//! Changes of what was granted: what a changed wish comes to, and how it is put to the ledger; the same for every kind.

use std::sync::Arc;

use jiyun_crds::v1alpha1::Reason;
use jiyun_ledger::{Claim, ClaimRequest, Decision, LedgerError, RefusalCode, RequestError};
use kube::{Resource, ResourceExt};
use tracing::info;

use crate::{
    admission::note_refusal, claimed::Claimed, context::Context, error::ReconcileError, host::change::Objection,
    order::route::Passed,
};

/// What a changed wish comes to; `A` is what a kind keeps of what was approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<A> {
    /// Nothing that is decided differs: another spelling of the same size.
    None,
    /// It takes nothing more, ends no later and is protected no less: nobody is asked.
    AtOnce(A),
    /// Something grows, ends later, or is to be protected no more: a policy or people decide about all of it.
    Decided(A),
}

impl<A> Change<A> {
    /// What was approved, after it: nothing new where nothing differs.
    pub fn after(self) -> Option<A> {
        match self {
            Self::None => None,
            Self::AtOnce(after) | Self::Decided(after) => Some(after),
        }
    }
}

/// Puts to the ledger what a policy lets through: the claim as it is then, and what stands in the way.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn ask<T: Claimed>(
    object: &T,
    claim: Arc<Claim>,
    asked: ClaimRequest,
    passed: &Passed,
    context: &Context,
) -> Result<(Arc<Claim>, Option<Objection>), ReconcileError> {
    let decision = if passed.only_within_guaranteed {
        match context.ledger.decide_change_within_guaranteed(&claim, asked).await {
            // Others asked in the same moment: asked again, it is for people.
            Err(LedgerError::Request(RequestError::BeyondGuaranteed { .. })) => {
                return Ok((claim, Some(Objection::Undecided(Reason::Undecided))));
            }
            decision => decision?,
        }
    } else {
        context.ledger.decide_change(&claim, asked).await?
    };
    Ok(match decision {
        Decision::Granted { claim, .. } => {
            context.metrics.decided("Granted");
            changed(object, &claim);
            (claim, None)
        }
        Decision::Refused(refusal) => {
            let told = object.told().and_then(|told| told.refusal);
            // Who stands in line is asked again every few seconds: told once.
            if told.is_none_or(|told| told.code != refusal.code.to_string()) {
                note_refusal(object, "its change", &refusal, context);
            }
            let objection = match refusal.code {
                RefusalCode::Quarantined => Objection::Undecided(Reason::Quarantined),
                RefusalCode::UnknownAccount => Objection::Undecided(Reason::Undecided),
                _ => Objection::Refused(refusal),
            };
            (claim, Some(objection))
        }
    })
}

/// Records what is decided about a claim: it takes nothing more by it that was not held for it.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn apply(claim: &Arc<Claim>, asked: ClaimRequest, context: &Context) -> Result<Arc<Claim>, ReconcileError> {
    Ok(match context.ledger.decide_change(claim, asked).await? {
        Decision::Granted { claim, .. } => claim,
        // It asks for nothing more; a refusal says that the book is being checked.
        Decision::Refused(_) => Arc::clone(claim),
    })
}

/// Tells operators that what was granted is another from now on.
pub fn changed<T: Resource<DynamicType = ()>>(object: &T, claim: &Claim) {
    info!(
        object.kind = %T::kind(&()),
        object.namespace = object.namespace(),
        object.name = object.name_any(),
        claim = %claim.id,
        "changed"
    );
}
