//! What is looked at before a host is granted, and not any more after that: what becomes of it then is of no matter to a host that
//! is there.

use jiyun_crds::v1alpha1::{CloudHost, misfit::retired};
use jiyun_ledger::ClaimStage;

use super::{rejection::Rejection, user_data};
use crate::{catalogue::lookup, claimed::disputed, claims::open_claim, context::Context, error::ReconcileError};

/// Whether `host`, otherwise valid, may be granted: its image was not retired, and its user data can be used.
///
/// # Errors
/// When the API server cannot be asked for what is not in memory; within, what is wrong.
pub async fn check(host: &CloudHost, context: &Context) -> Result<Result<(), Rejection>, ReconcileError> {
    if was_granted(host, context) {
        return Ok(Ok(()));
    }
    let image = lookup(&context.catalogue.images, None, &host.spec.image_ref.name);
    if let Some(misfit) = image.and_then(|image| retired(&host.spec, &image)) {
        return Ok(Err(Rejection::misfit(misfit)));
    }
    user_data::check(host, context).await
}

/// Or was, as far as it says itself or somebody of its name holds a claim: that it and the book do not agree is what has to be
/// told then, and no advice to order anew.
fn was_granted(host: &CloudHost, context: &Context) -> bool {
    let says_so = host.status.as_ref().is_some_and(|status| status.claim_id.is_some());
    match open_claim(host, context).map(|claim| claim.stage()) {
        Some(stage) => says_so || !matches!(stage, ClaimStage::Held | ClaimStage::Ending),
        None => says_so || disputed(host, context).is_some(),
    }
}
