//! What belongs to no flow: permissions whose object is gone although nobody ended them, and policies whose claim the book
//! does not know. Both are closed, a few at a time, each after the API server was asked about that very object: a wall
//! closed by mistake is declared again, one left open is noticed by nobody.

use std::{collections::HashSet, time::Duration};

use jiyun_crds::{names::LABEL_CLAIM, v1alpha1::NetworkFlow};
use jiyun_ledger::{Claim, ClaimId, ClaimStage, Command};
use kube::{Api, Resource, ResourceExt, runtime::reflector::Store};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{KIND, digest, ending};
use crate::{
    context::Context,
    database,
    error::{ReconcileError, chain},
    host::labelled,
    orphans::names_object,
    watch::Guarded,
};

/// How many are closed in one look: whoever watches has time to see that something is wrong.
const AT_ONCE: usize = 5;

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
        let (now_missing, now_strays) = (without_object(&flows, &context), without_claim(&context));
        for claim in now_missing.intersection(&missing).take(AT_ONCE) {
            if let Err(problem) = settle(*claim, &context).await {
                warn!(%claim, error = chain(&problem), "a permission without an object was not released yet");
            }
        }
        for label in now_strays.intersection(&strays).take(AT_ONCE) {
            warn!(label, "policies whose claim the book does not know are closed");
            if let Err(problem) = ending::close_labelled(label, &context).await {
                warn!(label, error = chain(&problem), "not closed yet");
            }
        }
        (missing, strays) = (now_missing, now_strays);
    }
}

/// Open permissions without an object.
fn without_object(flows: &Store<Guarded<NetworkFlow>>, context: &Context) -> HashSet<ClaimId> {
    let present: HashSet<String> = flows.state().iter().filter_map(|flow| flow.meta().uid.clone()).collect();
    context.ledger.read(|state| {
        let open = state.claims().filter(|claim| claim.is_open() && claim.subject.kind == KIND);
        open.filter(|claim| !present.contains(&claim.subject.uid)).map(|claim| claim.id).collect()
    })
}

/// Labels of policies that no open permission, and no database, of this book stands behind.
fn without_claim(context: &Context) -> HashSet<String> {
    let stay = |policy: &crate::engines::network::PolicyView| policy.metadata.deletion_timestamp.is_none();
    let policies = context.sites.all().flat_map(crate::site::SiteEngines::policies).filter(stay);
    let labels: HashSet<String> = policies.filter_map(|policy| policy.labels().get(LABEL_CLAIM).cloned()).collect();
    context.ledger.read(|state| {
        let opens = |claim: &Claim| [KIND, database::KIND].contains(&claim.subject.kind.as_str());
        let stands = |label: &String| labelled(label, state).is_some_and(|claim| claim.is_open() && opens(claim));
        labels.into_iter().filter(|label| !stands(label)).collect()
    })
}

/// Ends a permission whose object the API server itself says is gone. An object of its name that asks for the very same, made
/// anew by a restore, takes it over: that is what was decided about.
async fn settle(id: ClaimId, context: &Context) -> Result<(), ReconcileError> {
    let claim = context.ledger.read(|state| state.claim(id).map(|claim| Claim::clone(claim)));
    let Some(claim) = claim.filter(Claim::is_open) else { return Ok(()) };
    let (namespace, name) = (&claim.subject.namespace, &claim.subject.name);
    let api = Api::<Guarded<NetworkFlow>>::namespaced(context.client.clone(), namespace);
    match api.get(name).await {
        Ok(found) => {
            let uid = found.meta().uid.clone().unwrap_or_default();
            if uid == claim.subject.uid {
                return Ok(());
            }
            let granted = matches!(claim.stage(), ClaimStage::Reserved | ClaimStage::Billable);
            let same = |flow: &NetworkFlow| {
                flow.metadata.deletion_timestamp.is_none() && digest::of(&flow.spec) == claim.spec_digest
            };
            if granted && found.0.as_ref().is_ok_and(same) {
                context.ledger.record(Command::Rebind(id, uid)).await?;
                warn!(claim = %id, flow.namespace = namespace, flow.name = name, "bound to its object made anew");
                return Ok(());
            }
        }
        // A missing definition answers 404 as well, but says nothing about the object.
        Err(kube::Error::Api(status)) if names_object(&status, name) => {}
        Err(source) => return Err(ReconcileError::read(format!("{KIND} {name}"), source)),
    }
    let held = claim.stage() == ClaimStage::Held;
    context.ledger.end_for(id, claim.subject.uid.as_str()).await?;
    if !held && ending::close(&claim, context).await?.is_none() {
        context.ledger.release(id).await?;
        warn!(claim = %id, flow.namespace = namespace, flow.name = name, "released: its object had vanished");
    }
    Ok(())
}
