//! The end of an object with a claim, as far as it is the same for every kind: an intent in the ledger, then what was made is
//! taken down, then the claim is released, and only then the object goes.

use std::{fmt::Debug, sync::Arc};

use jiyun_crds::names::FINALIZER_CLAIM;
use jiyun_ledger::{Claim, ClaimStage};
use kube::{Api, ResourceExt};
use serde::de::DeserializeOwned;
use tracing::{error, info};

use crate::{
    claimed::{Claimed, unaccounted, wake_order},
    claims::{leave_line, open_claim},
    context::Context,
    error::ReconcileError,
};

/// How far the end of an object is.
#[derive(Clone, Debug)]
pub enum Ended {
    /// Nothing keeps it any more.
    Over,
    /// Nothing is let go while the book is being checked; without a claim the book may have lost it.
    Paused(Option<Arc<Claim>>),
    /// This has to disappear first.
    Waiting(Arc<Claim>, String),
    /// The ledger does not know the claim that its status names: it is kept until somebody has looked.
    Unaccounted(String),
}

/// Brings the end of `object`, which is being deleted, a step on. `dismantle` takes down what was made for a claim and says
/// what is left of it.
///
/// # Errors
/// What did not work; the object is tried again.
pub async fn end<T, F>(
    object: &T,
    dismantle: impl FnOnce(Arc<Claim>) -> F + Send,
    api: &Api<T>,
    context: &Context,
) -> Result<Ended, ReconcileError>
where
    T: Claimed + Clone + Debug + DeserializeOwned + Sync,
    F: Future<Output = Result<Option<String>, ReconcileError>> + Send,
{
    if !object.finalizers().iter().any(|finalizer| finalizer == FINALIZER_CLAIM) {
        return Ok(Ended::Over);
    }
    let claim = open_claim(object, context);
    if context.quarantined() {
        return Ok(Ended::Paused(claim));
    }
    if let Some(claim) = claim {
        leave_line(object, context).await?;
        context.ledger.end_for(claim.id, claim.subject.uid.as_str()).await?;
        // Of what was only held nothing was made, and the hold is free with its end.
        if claim.stage() != ClaimStage::Held {
            if let Some(remaining) = dismantle(Arc::clone(&claim)).await? {
                return Ok(Ended::Waiting(claim, remaining));
            }
            context.ledger.release(claim.id).await?;
            info!(
                object.kind = %T::kind(&()),
                object.namespace = object.namespace(),
                object.name = object.name_any(),
                claim = %claim.id,
                "released"
            );
        }
    } else if let Some(claim) = unaccounted(object, context) {
        // Said to its owner by the caller, and here to the log and to whoever watches the figures.
        context.metrics.unknown_claim();
        error!(
            object.kind = %T::kind(&()),
            object.namespace = object.namespace(),
            object.name = object.name_any(),
            claim,
            "the ledger does not know the claim of this object; it is kept until somebody has looked"
        );
        return Ok(Ended::Unaccounted(claim.to_owned()));
    } else {
        leave_line(object, context).await?;
    }
    context.writer.remove_finalizer(api, object, FINALIZER_CLAIM).await?;
    wake_order(object, None, context);
    Ok(Ended::Over)
}
