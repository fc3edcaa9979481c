//! Changes of what was granted: what a changed wish comes to, and how it is put to the ledger; the same for every kind.

use std::sync::Arc;

use jiyun_crds::v1alpha1::{OrderAction, Reason};
use jiyun_ledger::{Claim, ClaimRequest, Decision, LedgerError, RefusalCode, RequestError};
use kube::{Resource, ResourceExt};
use tracing::info;

use crate::{
    admission::note_refusal,
    claimed::{Claimed, refused_change},
    context::Context,
    error::ReconcileError,
    host::{
        change::Objection,
        digest::{PARTLY, of_wish},
    },
    order::{
        answer::Ordered,
        filing,
        route::{self, Asked, Passed, Route},
        subject::Orderable,
    },
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

/// Has a change decided by a policy or by people: the claim as it is then, and what stands in the way. `asked` is what policies
/// are asked about the wish with this `digest`, `request` what the ledger is asked for where they let it through.
///
/// # Errors
/// When the ledger cannot be asked, or an order cannot be filed.
pub async fn decide<T: Claimed + Orderable>(
    object: &T,
    claim: Arc<Claim>,
    digest: &str,
    asked: Asked<'_>,
    request: impl FnOnce(&Claim, &Passed) -> Result<ClaimRequest, serde_json::Error>,
    context: &Context,
) -> Result<(Arc<Claim>, Option<Objection>), ReconcileError> {
    if let Some(refusal) = refused_change(object, digest) {
        return Ok((claim, Some(Objection::Refused(refusal))));
    }
    let action = OrderAction::Change;
    match route::of(object, digest, action, asked.instead_of(&claim), context) {
        Route::Automatic(passed) => {
            let asked = request(&claim, &passed)?;
            ask(object, claim, asked, &passed, context).await
        }
        Route::Order(order, phase) => Ok((claim, Ordered::by(&order, phase).map(Objection::Ordered))),
        Route::Awaited(order) => Ok((claim, Some(Objection::Ordered(Ordered::awaited(order))))),
        Route::File(name) => {
            let ordered = filing::file(object, name, action, context).await?;
            Ok((claim, Some(Objection::Ordered(ordered))))
        }
    }
}

/// The digest of a claim that was granted a part of another wish, whether it may be deleted: no wish has it, so that the rest
/// is looked at again.
pub fn partly(digest: &str, deletable: bool) -> String {
    let wish = of_wish(digest);
    let whole = wish.split_once(PARTLY).map_or(wish, |(whole, _)| whole);
    format!("{whole}{PARTLY}{}", if deletable { "Disabled" } else { "Enabled" })
}

/// Puts to the ledger what a policy lets through.
async fn ask<T: Claimed>(
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
