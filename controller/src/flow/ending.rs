//! The end of a flow: an intent in the ledger, then the walls closed, and only then the claim and the object.

use std::time::Duration;

use jiyun_crds::{
    names::{FINALIZER_CLAIM, LABEL_CLAIM},
    v1alpha1::NetworkFlow,
};
use jiyun_ledger::{Claim, ClaimStage};
use kube::{Api, ResourceExt, api::ListParams, runtime::controller::Action};
use tracing::info;

use super::{open_claim, report::Standing, write_status};
use crate::{
    claimed::wake_order, context::Context, engines::network::PolicyView, error::ReconcileError, host::label_of,
};

/// How soon to look again at what should have disappeared.
const SOON: Duration = Duration::from_secs(5);

/// Brings a flow that is being deleted a step on.
///
/// # Errors
/// What did not work; the flow is tried again.
pub async fn reconcile(flow: &NetworkFlow, context: &Context) -> Result<Action, ReconcileError> {
    if !flow.finalizers().iter().any(|finalizer| finalizer == FINALIZER_CLAIM) {
        return Ok(Action::await_change());
    }
    let claim = open_claim(flow, context);
    if context.quarantined() {
        if let Some(claim) = claim {
            wait(flow, claim, None, context).await?;
        }
        return Ok(Action::requeue(SOON));
    }
    if let Some(claim) = claim {
        let held = claim.stage() == ClaimStage::Held;
        context.ledger.end_for(claim.id, claim.subject.uid.as_str()).await?;
        if !held {
            if let Some(remaining) = close(&claim, context).await? {
                wait(flow, claim, Some(remaining), context).await?;
                return Ok(Action::requeue(SOON));
            }
            context.ledger.release(claim.id).await?;
            info!(flow.namespace = flow.namespace(), flow.name = flow.name_any(), claim = %claim.id, "released");
        }
    }
    let api = Api::<NetworkFlow>::namespaced(context.client.clone(), &flow.namespace().unwrap_or_default());
    context.writer.remove_finalizer(&api, flow, FINALIZER_CLAIM).await?;
    wake_order(flow, None, context);
    Ok(Action::await_change())
}

/// Deletes every policy of a claim, as the API server has them and not as a cache does. `None` once nothing is left.
///
/// # Errors
/// When a request fails. An answer that cannot be had is never taken for "gone".
pub async fn close(claim: &Claim, context: &Context) -> Result<Option<String>, ReconcileError> {
    let label = context.ledger.read(|state| label_of(claim.id, state));
    close_labelled(&label, context).await
}

/// [`close`] for the claim that policies are labelled with.
///
/// # Errors
/// As there.
pub async fn close_labelled(label: &str, context: &Context) -> Result<Option<String>, ReconcileError> {
    let selector = ListParams::default().labels(&format!("{LABEL_CLAIM}={label}"));
    let mut left = None;
    for site in context.sites.all() {
        let everywhere = Api::<PolicyView>::all(site.client.clone());
        let list = || async {
            everywhere.list(&selector).await.map_err(|source| ReconcileError::read("NetworkPolicy", source))
        };
        for policy in list().await?.items.iter().filter(|policy| policy.metadata.deletion_timestamp.is_none()) {
            let namespace = policy.metadata.namespace.clone().unwrap_or_default();
            context.writer.delete(&Api::<PolicyView>::namespaced(site.client.clone(), &namespace), policy).await?;
        }
        left = left.or(list().await?.items.first().map(|policy| format!("NetworkPolicy {}", policy.name_any())));
    }
    Ok(left)
}

async fn wait(
    flow: &NetworkFlow,
    claim: std::sync::Arc<Claim>,
    waiting_for: Option<String>,
    context: &Context,
) -> Result<(), ReconcileError> {
    let standing = Standing::Ending { claim, waiting_for };
    let status = super::report::status(flow, None, &standing, jiff::Timestamp::now());
    if flow.status.as_ref() != Some(&status) {
        write_status(flow, &status, context).await?;
    }
    Ok(())
}
