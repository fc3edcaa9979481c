//! The end of a snapshot: an intent in the ledger, then whatever is still being made from it, then it goes at its engine, and
//! only then the claim.
//!
//! Every call that destroys follows the committed intent and carries the UID and version of what was read just before.
//! What is gone is asked of the API server, never of a cache.

use std::{sync::Arc, time::Duration};

use jiyun_crds::v1alpha1::CloudSnapshot;
use jiyun_ledger::Claim;
use kube::{Api, ResourceExt, runtime::controller::Action};

use super::{
    engine,
    report::{Standing, Waiting},
    request,
    usage::in_use,
};
use crate::{
    context::Context,
    deleting::SITE,
    ended::{Ended, end},
    engines::snapshot::SnapshotView,
    error::ReconcileError,
    host::{claim_label, ending::remove, request::engine_namespace, whereabouts},
};

/// How soon to look again at what should have disappeared, should its watch event be lost.
const SOON: Duration = Duration::from_secs(5);

/// Brings a snapshot that is being deleted a step on.
///
/// # Errors
/// What did not work; the snapshot is tried again.
pub async fn reconcile(snapshot: &CloudSnapshot, context: &Context) -> Result<Action, ReconcileError> {
    let namespace = snapshot.namespace().unwrap_or_default();
    let api = Api::<CloudSnapshot>::namespaced(context.client.clone(), &namespace);
    let dismantled = |claim: Arc<Claim>| async move { dismantle(&claim, context).await };
    let standing = match end(snapshot, dismantled, &api, context).await? {
        Ended::Over => return Ok(Action::await_change()),
        Ended::Paused(None) => return Ok(Action::requeue(SOON)),
        Ended::Paused(Some(claim)) => Standing::Ending { claim, waiting: Waiting::Paused },
        Ended::Waiting(claim, remaining) => {
            let user = context.ledger.read(|state| in_use(&claim, state));
            // A user goes on by itself; anything else has to disappear.
            let is_user = user.as_ref() == Some(&remaining);
            let waiting = if is_user { Waiting::User(remaining) } else { Waiting::For(remaining) };
            Standing::Ending { claim, waiting }
        }
        Ended::Unaccounted(claim) => Standing::Unaccounted { claim },
    };
    super::report(snapshot, &standing, context).await?;
    Ok(Action::requeue(SOON))
}

/// Deletes what a claim's snapshot is at its engine, once nothing is made from it any more. `None` once nothing is left;
/// otherwise what is still there.
///
/// # Errors
/// When a request fails. An answer that cannot be had is never taken for "gone".
pub async fn dismantle(claim: &Claim, context: &Context) -> Result<Option<String>, ReconcileError> {
    // From under a disk that is being filled it would go with nothing to replace it: the former content may be gone already.
    if let Some(user) = context.ledger.read(|state| in_use(claim, state)) {
        return Ok(Some(user));
    }
    let Some((site, _)) = whereabouts(claim, context) else {
        return Ok(Some(SITE.to_owned()));
    };
    // Of a kind that is not served nothing can be seen, and what was made may be there. Whether it is served is asked here
    // and now: nobody may have looked since this leader began.
    if request::is_established(claim) && engine::is_served(site.client.clone()).await != Some(true) {
        return Ok(Some("VolumeSnapshot".to_owned()));
    }
    let (namespace, name) = (engine_namespace(claim), request::object_name(claim));
    // The engine keeps it until its content has gone from the storage: capacity is free then.
    remove::<SnapshotView>(&site.client, &namespace, &name, &claim_label(claim, context), context).await
}
