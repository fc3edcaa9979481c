//! The end of a bucket: an intent in the ledger, then its credentials, the bucket with what is in it, the user it belonged to,
//! the key pairs, and only then the claim.
//!
//! Every call that destroys follows the committed intent and carries the UID and version of what was read just before.
//! What is gone is asked of the API server, never of a cache.

use std::{sync::Arc, time::Duration};

use jiyun_crds::{names::bucket_secret_name, v1alpha1::CloudBucket};
use jiyun_ledger::{Claim, Meter};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt, runtime::controller::Action};

use super::{engine, keys, report::Standing, request};
use crate::{
    context::Context,
    deleting::SITE,
    ended::{Ended, end},
    engines::rook::{ClaimView, UserView, user_name},
    error::ReconcileError,
    host::{claim_label, ending::remove, request::engine_namespace, whereabouts_of},
};

/// How soon to look again at what should have disappeared, should its watch event be lost.
const SOON: Duration = Duration::from_secs(5);

/// Brings a bucket that is being deleted a step on.
///
/// # Errors
/// What did not work; the bucket is tried again.
pub async fn reconcile(bucket: &CloudBucket, context: &Context) -> Result<Action, ReconcileError> {
    let namespace = bucket.namespace().unwrap_or_default();
    let api = Api::<CloudBucket>::namespaced(context.client.clone(), &namespace);
    let dismantled = |claim: Arc<Claim>| async move { dismantle(&claim, context).await };
    let standing = match end(bucket, dismantled, &api, context).await? {
        Ended::Over => {
            context.bucket_patience.forget(&namespace, &bucket.name_any());
            return Ok(Action::await_change());
        }
        Ended::Paused(None) => return Ok(Action::requeue(SOON)),
        Ended::Paused(Some(claim)) => Standing::Ending { claim, waiting_for: None },
        Ended::Waiting(claim, remaining) => Standing::Ending { claim, waiting_for: Some(remaining) },
        Ended::Unaccounted(claim) => Standing::Unaccounted { claim },
    };
    super::report(bucket, &standing, context).await?;
    Ok(Action::requeue(SOON))
}

/// Deletes what a claim's bucket has. `None` once nothing is left; otherwise what is still there.
///
/// # Errors
/// When a request fails. An answer that cannot be had is never taken for "gone".
pub async fn dismantle(claim: &Claim, context: &Context) -> Result<Option<String>, ReconcileError> {
    let Some((site, _)) = whereabouts_of(claim, Meter::ObjectStorage, context) else {
        return Ok(Some(SITE.to_owned()));
    };
    // Of a kind that is not served nothing can be seen, and what was made may be there. Whether it is served is asked here
    // and now: nobody may have looked since this leader began.
    if request::is_established(claim) && engine::is_served(site.client.clone()).await != Some(true) {
        return Ok(Some("ObjectBucketClaim".to_owned()));
    }
    let namespace = engine_namespace(claim);
    let (name, label) = (request::claim_name(claim), &claim_label(claim, context));
    let (home, copy) = (&claim.subject.namespace, bucket_secret_name(&claim.subject.name));
    if let Some(left) = remove::<Secret>(&context.client, home, &copy, label, context).await? {
        return Ok(Some(left));
    }
    // The engine keeps it until the bucket is purged: capacity is free then.
    if let Some(left) = remove::<ClaimView>(&site.client, &namespace, &name, label, context).await? {
        return Ok(Some(left));
    }
    if let Some(left) = remove::<UserView>(&site.client, &namespace, &user_name(label), label, context).await? {
        return Ok(Some(left));
    }
    // After the user: the engine fails over one that lacks what it is declared with.
    for made in keys::made_for((&namespace, &name), label, site).await? {
        if let Some(left) = remove::<Secret>(&site.client, &namespace, made.name(), label, context).await? {
            return Ok(Some(left));
        }
    }
    Ok(None)
}
