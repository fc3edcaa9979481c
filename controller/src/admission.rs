//! How a valid wish is decided, whatever its kind: by the refusal that stands, by policies, by people, by the account book.

use std::{ops::ControlFlow, sync::Arc};

use jiyun_crds::v1alpha1::{OrderAction, Reason};
use jiyun_ledger::{Claim, ClaimRequest, ClaimStage, Decision, LedgerError, Refusal, RefusalCode, RequestError};
use kube::ResourceExt;
use tracing::{info, warn};

use crate::{
    claimed::{Claimed, disputed, is_taken, standing_refusal},
    claims::{leave_line, open_claim},
    context::Context,
    error::ReconcileError,
    order::{
        answer::Ordered,
        filing,
        route::{self, Asked, Passed, Route},
        subject::Orderable,
    },
};

/// What became of a wish.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The ledger holds a claim.
    Granted(Arc<Claim>),
    /// The ledger said no.
    Refused(Refusal),
    /// Nobody has said anything yet.
    Undecided(Reason),
    /// People have to agree, or did not.
    Ordered(Ordered),
}

/// Has a valid wish with this `digest` looked at before it is put to the ledger: goes on where policies let it through, unless
/// this very wish was refused before. A refusal stands until the wish is edited, or GitOps would ask again for ever. With a
/// `hindrance` nothing new is set aside.
///
/// # Errors
/// When the ledger cannot be asked, or an order cannot be filed.
pub async fn pass<T: Claimed + Orderable>(
    object: &T,
    digest: &str,
    asked: Asked<'_>,
    hindrance: Option<Reason>,
    context: &Context,
) -> Result<ControlFlow<Answer, Passed>, ReconcileError> {
    let undecided = |reason| Ok(ControlFlow::Break(Answer::Undecided(reason)));
    let is_held = open_claim(object, context).is_some_and(|claim| claim.stage() == ClaimStage::Held);
    if let Some(claim) = disputed(object, context).filter(|_| !is_held) {
        warn!(
            object.kind = %T::kind(&()),
            object.namespace = object.namespace(),
            object.name = object.name_any(),
            claim,
            "object and ledger disagree about a claim; nothing is granted until somebody has looked (ledger adopt)"
        );
        context.metrics.unknown_claim();
        return undecided(Reason::AdoptionNeeded);
    }
    if !is_held && is_taken(object, context) {
        return undecided(Reason::Undecided);
    }
    if let Some(refusal) = standing_refusal(object, digest) {
        return Ok(ControlFlow::Break(Answer::Refused(refusal)));
    }
    if let Some(reason) = hindrance.filter(|_| !is_held) {
        leave_line(object, context).await?;
        return undecided(reason);
    }
    let action = OrderAction::Create;
    let route = route::of(object, digest, action, asked, context);
    if !matches!(route, Route::Automatic(_)) {
        // Whoever waits for people does not stand in line: those behind would wait for them too.
        leave_line(object, context).await?;
    }
    let ordered = match route {
        // What an order holds is for it to grant or to give up.
        Route::Automatic(_) if is_held => return undecided(Reason::Undecided),
        Route::Automatic(passed) => return Ok(ControlFlow::Continue(passed)),
        Route::Order(order, phase) => Ordered::by(&order, phase),
        Route::Awaited(order) => Some(Ordered::awaited(order)),
        Route::File(name) => Some(filing::file(object, name, action, context).await?),
    };
    Ok(ControlFlow::Break(ordered.map_or(Answer::Undecided(Reason::Undecided), Answer::Ordered)))
}

/// Puts to the ledger what policies let through.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn decide<T: Claimed + Orderable>(
    object: &T,
    asked: ClaimRequest,
    only_within_guaranteed: bool,
    context: &Context,
) -> Result<Answer, ReconcileError> {
    let decided = if only_within_guaranteed {
        context.ledger.decide_within_guaranteed(asked).await
    } else {
        context.ledger.decide(asked).await
    };
    if let Err(LedgerError::Request(RequestError::BeyondGuaranteed { .. })) = decided {
        // Others asked in the same moment: asked again, it is for people.
        leave_line(object, context).await?;
        return Ok(Answer::Undecided(Reason::Undecided));
    }
    Ok(match decided? {
        Decision::Granted { claim, existing, .. } => {
            if !existing {
                context.metrics.decided("Granted");
                info!(
                    object.kind = %T::kind(&()),
                    object.namespace = object.namespace(),
                    object.name = object.name_any(),
                    claim = %claim.id,
                    "granted"
                );
            }
            Answer::Granted(claim)
        }
        Decision::Refused(refusal) => {
            note_refusal(object, "the wish", &refusal, context);
            match refusal.code {
                RefusalCode::Quarantined => Answer::Undecided(Reason::Quarantined),
                RefusalCode::UnknownAccount => Answer::Undecided(Reason::Undecided),
                _ => Answer::Refused(refusal),
            }
        }
    })
}

/// Counts a refusal, and tells operators of what and why; they alone see which pool refused it.
pub fn note_refusal<T: Claimed>(object: &T, what: &str, refusal: &Refusal, context: &Context) {
    context.metrics.decided(refusal.code.into());
    context.writer.trail().refused(object, what, refusal);
    info!(
        object.kind = %T::kind(&()),
        object.namespace = object.namespace(),
        object.name = object.name_any(),
        what,
        code = %refusal.code,
        parameters = ?refusal.parameters,
        report = %serde_json::to_string(&refusal.report).unwrap_or_default(),
        "refused"
    );
}
