//! The end of a host: an intent in the ledger, then the machine, then its disk, and only then the claim.
//!
//! Every call that destroys follows the committed intent and carries the UID and version of what was read just before.
//! What is gone is asked of the API server, never of a cache: an empty cache must not free a claim.

use std::{fmt::Debug, sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_crds::{
    names::{FINALIZER_CLAIM, LABEL_CLAIM, system_disk_name},
    v1alpha1::CloudHost,
};
use jiyun_ledger::{Claim, ClaimStage};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Api, Resource, ResourceExt, core::NamespaceResourceScope, runtime::controller::Action};
use serde::de::DeserializeOwned;
use tracing::{error, info};

use super::{
    claim_label, leave_line, open_claim,
    report::Standing,
    request::{engine_name, engine_namespace},
    user_data, volumes, whereabouts,
};
use crate::{
    claimed::{unaccounted, wake_order},
    context::Context,
    deleting::SITE,
    engines::{
        cdi::DiskView,
        kubevirt::{InstanceView, MachineView},
    },
    error::ReconcileError,
    snapshot::usage::not_taken,
};

/// How soon to look again at what should have disappeared, should its watch event be lost.
const SOON: Duration = Duration::from_secs(5);

/// Brings a host that is being deleted a step on.
///
/// # Errors
/// What did not work; the host is tried again.
pub async fn reconcile(host: &CloudHost, context: &Context) -> Result<Action, ReconcileError> {
    if !host.finalizers().iter().any(|finalizer| finalizer == FINALIZER_CLAIM) {
        return Ok(Action::await_change());
    }
    let claim = open_claim(host, context);
    if context.quarantined() {
        return match claim {
            Some(claim) => wait(host, claim, None, context).await,
            // The book may have lost the claim: nothing is let go.
            None => Ok(Action::requeue(SOON)),
        };
    }
    // They outlive it.
    volumes::wake(host, context);
    if let Some(claim) = claim {
        leave_line(host, context).await?;
        // For this very object: it may be handed over in this moment, and then its machine runs on.
        context.ledger.end_for(claim.id, claim.subject.uid.as_str()).await?;
        if claim.stage() == ClaimStage::Held {
            // Nothing was made of it, and the hold is free with its end.
            return let_go(host, context).await;
        }
        if let Some(remaining) = dismantle(&claim, context).await? {
            return wait(host, claim, Some(remaining), context).await;
        }
        context.ledger.release(claim.id).await?;
        info!(host.namespace = host.namespace(), host.name = host.name_any(), claim = %claim.id, "released");
    } else if let Some(claim) = unaccounted(host, context) {
        return keep(host, claim, context).await;
    } else {
        leave_line(host, context).await?;
    }
    let_go(host, context).await
}

/// Takes the finalizer off: nothing is booked for the host any more.
async fn let_go(host: &CloudHost, context: &Context) -> Result<Action, ReconcileError> {
    let api = Api::<CloudHost>::namespaced(context.client.clone(), &host.namespace().unwrap_or_default());
    context.writer.remove_finalizer(&api, host, FINALIZER_CLAIM).await?;
    wake_order(host, None, context);
    Ok(Action::await_change())
}

/// Keeps a host until somebody has looked, and says so to its owner, to the log and to whoever watches the figures.
async fn keep(host: &CloudHost, claim: &str, context: &Context) -> Result<Action, ReconcileError> {
    context.metrics.unknown_claim();
    error!(
        host.namespace = host.namespace(),
        host.name = host.name_any(),
        claim,
        "the ledger does not know the claim of this host; it is kept until somebody has looked"
    );
    super::report(host, &Standing::Unaccounted { claim: claim.to_owned() }, Timestamp::now(), context).await?;
    Ok(Action::requeue(SOON))
}

async fn wait(
    host: &CloudHost,
    claim: Arc<Claim>,
    waiting_for: Option<String>,
    context: &Context,
) -> Result<Action, ReconcileError> {
    let standing = Standing::Ending { claim, waiting_for };
    super::report(host, &standing, Timestamp::now(), context).await?;
    Ok(Action::requeue(SOON))
}

/// Deletes what a claim's host has on the engines. `None` once nothing is left; otherwise what is still there.
///
/// # Errors
/// When a request fails. An answer that cannot be had is never taken for "gone".
pub async fn dismantle(claim: &Claim, context: &Context) -> Result<Option<String>, ReconcileError> {
    if let Some(left) = dismantle_machine(claim, context).await? {
        return Ok(Some(left));
    }
    let Some((site, _)) = whereabouts(claim, context) else {
        return Ok(Some(SITE.to_owned()));
    };
    let namespace = engine_namespace(claim);
    let (name, label) = (engine_name(claim), &claim_label(claim, context));
    if let Some(left) = user_data::discard(claim, label, site, context).await? {
        return Ok(Some(left));
    }
    let disk = system_disk_name(name);
    let client = &site.client;
    if let Some(left) = remove::<DiskView>(client, &namespace, &disk, label, context).await? {
        return Ok(Some(left));
    }
    // Capacity is free when the volume claim is gone, not when its import object is.
    let left = present::<PersistentVolumeClaim>(client, &namespace, &disk, label).await?;
    Ok(left.map(|left| not_taken(claim, context).unwrap_or(left)))
}

/// Deletes a claim's machine; its disk stays. `None` once nothing of it is left; otherwise what is still there.
///
/// # Errors
/// When a request fails. An answer that cannot be had is never taken for "gone".
pub async fn dismantle_machine(claim: &Claim, context: &Context) -> Result<Option<String>, ReconcileError> {
    let Some((site, _)) = whereabouts(claim, context) else {
        return Ok(Some(SITE.to_owned()));
    };
    let namespace = engine_namespace(claim);
    let (name, label) = (engine_name(claim), &claim_label(claim, context));
    if let Some(left) = remove::<MachineView>(&site.client, &namespace, name, label, context).await? {
        return Ok(Some(left));
    }
    // The instance outlives its machine while the guest shuts down; its disk must not go from under it.
    present::<InstanceView>(&site.client, &namespace, name, label).await
}

/// Deletes the object if it is there and carries this claim's label; says so while it is.
///
/// # Errors
/// When a request fails.
pub async fn remove<K>(
    client: &kube::Client,
    namespace: &str,
    name: &str,
    claim: &str,
    context: &Context,
) -> Result<Option<String>, ReconcileError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let api = Api::<K>::namespaced(client.clone(), namespace);
    let Some(object) = read(&api, name).await? else { return Ok(None) };
    // Only what carries this claim's own label is destroyed; a namesake made by somebody else is not even waited for.
    if label(&object) != Some(claim) {
        return Ok(None);
    }
    if object.meta().deletion_timestamp.is_none() {
        if context.quarantined() {
            return Ok(Some(described::<K>(name)));
        }
        context.writer.delete(&api, &object).await?;
        if read(&api, name).await?.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(described::<K>(name)))
}

/// Whether the object is still there.
///
/// # Errors
/// When it cannot be read.
pub async fn present<K>(
    client: &kube::Client,
    namespace: &str,
    name: &str,
    claim: &str,
) -> Result<Option<String>, ReconcileError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let api = Api::<K>::namespaced(client.clone(), namespace);
    let object = read(&api, name).await?;
    Ok(object.filter(|object| made_for(object, claim)).map(|_| described::<K>(name)))
}

async fn read<K>(api: &Api<K>, name: &str) -> Result<Option<K>, ReconcileError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    api.get_opt(name).await.map_err(|source| ReconcileError::read(described::<K>(name), source))
}

/// An object labelled for another claim is not ours to wait for; one without the label was made by an engine for ours (an
/// instance, a volume claim), and is waited for.
pub fn made_for(object: &impl Resource, claim: &str) -> bool {
    label(object).is_none_or(|labelled| labelled == claim)
}

fn label(object: &impl Resource) -> Option<&str> {
    object.meta().labels.as_ref()?.get(LABEL_CLAIM).map(String::as_str)
}

fn described<K: Resource<DynamicType = ()>>(name: &str) -> String {
    format!("{} {name}", K::kind(&()))
}
