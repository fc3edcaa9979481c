//! What belongs to no flow: permissions whose object is gone although nobody ended them, and policies whose claim the book
//! does not know. Both are closed one by one; many at once are an alarm, since a store was lost or restored.

use std::{collections::HashSet, time::Duration};

use jiyun_crds::{names::LABEL_CLAIM, v1alpha1::NetworkFlow};
use jiyun_ledger::{Claim, ClaimId, ClaimStage};
use kube::{Api, Resource, ResourceExt, runtime::reflector::Store};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{KIND, ending};
use crate::{
    context::Context,
    error::{ReconcileError, chain},
    host::labelled,
    orphans::{Verdict, judge},
    watch::Guarded,
};

/// Looks every `every` until `stop`; each finding counts only at the second look, so a watch that lags does no harm.
pub async fn sweep(flows: Store<Guarded<NetworkFlow>>, every: Duration, context: Context, stop: CancellationToken) {
    let listed = async {
        context.orders_listed.open().await;
        context.policies_listed.open().await;
    };
    if stop.run_until_cancelled(listed).await.is_none() {
        return;
    }
    let (mut missing, mut strays) = (HashSet::new(), HashSet::new());
    while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        if context.quarantined() || context.writer.trail().check().is_err() {
            continue;
        }
        let (now_missing, open) = without_object(&flows, &context);
        let now_strays = without_claim(&context);
        let confirmed: Vec<ClaimId> = now_missing.intersection(&missing).copied().collect();
        let closing: Vec<String> = now_strays.intersection(&strays).cloned().collect();
        (missing, strays) = (now_missing, now_strays);
        match judge(confirmed, 0, open) {
            Verdict::Release(claims) => {
                for claim in claims {
                    if let Err(problem) = release(claim, &context).await {
                        warn!(%claim, error = chain(&problem), "a permission without an object was not released yet");
                    }
                }
            }
            Verdict::Quarantine { missing, open } => {
                let reason = format!(
                    "{missing} of {open} network flows have no object any more: a store or a namespace was lost or restored"
                );
                error!(reason, "quarantine");
                if let Err(problem) = context.ledger.quarantine(reason).await {
                    warn!(error = chain(&problem), "the quarantine was not recorded yet");
                }
                continue;
            }
        }
        for label in closing {
            warn!(label, "policies whose claim the book does not know are closed");
            if let Err(problem) = ending::close_labelled(&label, &context).await {
                warn!(label, error = chain(&problem), "not closed yet");
            }
        }
    }
}

/// Open permissions without an object, and how many are open.
fn without_object(flows: &Store<Guarded<NetworkFlow>>, context: &Context) -> (HashSet<ClaimId>, usize) {
    let present: HashSet<String> = flows.state().iter().filter_map(|flow| flow.meta().uid.clone()).collect();
    context.ledger.read(|state| {
        let open = || state.claims().filter(|claim| claim.is_open() && claim.subject.kind == KIND);
        let gone = open().filter(|claim| !present.contains(&claim.subject.uid)).map(|claim| claim.id).collect();
        (gone, open().count())
    })
}

/// Labels of policies that no open permission of this book stands behind.
fn without_claim(context: &Context) -> HashSet<String> {
    let labels = context.sites.all().flat_map(|site| site.policies()).filter_map(|policy| {
        policy.labels().get(LABEL_CLAIM).cloned().filter(|_| policy.metadata.deletion_timestamp.is_none())
    });
    let labels: HashSet<String> = labels.collect();
    context.ledger.read(|state| {
        let stands = |label: &String| labelled(label, state).is_some_and(|claim| claim.is_open());
        labels.into_iter().filter(|label| !stands(label)).collect()
    })
}

/// Ends a permission whose object the API server itself says is gone.
async fn release(id: ClaimId, context: &Context) -> Result<(), ReconcileError> {
    let claim = context.ledger.read(|state| state.claim(id).map(|claim| Claim::clone(claim)));
    let Some(claim) = claim.filter(Claim::is_open) else { return Ok(()) };
    let (namespace, name) = (&claim.subject.namespace, &claim.subject.name);
    let api = Api::<Guarded<NetworkFlow>>::namespaced(context.client.clone(), namespace);
    let found = api.get_opt(name).await.map_err(|source| ReconcileError::read(format!("{KIND} {name}"), source))?;
    if found.is_some_and(|flow| flow.meta().uid.as_deref() == Some(claim.subject.uid.as_str())) {
        return Ok(());
    }
    let held = claim.stage() == ClaimStage::Held;
    context.ledger.end_for(id, claim.subject.uid.as_str()).await?;
    if !held && ending::close(&claim, context).await?.is_none() {
        context.ledger.release(id).await?;
        warn!(claim = %id, flow.namespace = namespace, flow.name = name, "released: its object had vanished");
    }
    Ok(())
}
