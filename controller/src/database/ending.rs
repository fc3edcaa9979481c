//! The end of a database: an intent in the ledger, then its credentials, its instances and their storage, and only then the
//! claim.
//!
//! Every call that destroys follows the committed intent and carries the UID and version of what was read just before.
//! What is gone is asked of the API server, never of a cache.

use std::{sync::Arc, time::Duration};

use jiyun_crds::{names::credentials_name, v1alpha1::CloudDatabase};
use jiyun_ledger::Claim;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::{Api, ResourceExt, api::ListParams, runtime::controller::Action};

use super::report::Standing;
use crate::{
    context::Context,
    deleting::SITE,
    ended::{Ended, end},
    engines::{
        cnpg::{self, ClusterView},
        network::PolicyView,
    },
    error::ReconcileError,
    host::{
        claim_label,
        ending::{made_for, remove},
        request::{engine_name, engine_namespace},
        whereabouts,
    },
};

/// How soon to look again at what should have disappeared, should its watch event be lost.
const SOON: Duration = Duration::from_secs(5);

/// How soon to look for storage, which nobody watches, after its cluster has gone.
const STORAGE: Duration = Duration::from_secs(1);

/// Brings a database that is being deleted a step on.
///
/// # Errors
/// What did not work; the database is tried again.
pub async fn reconcile(database: &CloudDatabase, context: &Context) -> Result<Action, ReconcileError> {
    let api = Api::<CloudDatabase>::namespaced(context.client.clone(), &database.namespace().unwrap_or_default());
    let dismantled = |claim: Arc<Claim>| async move { dismantle(&claim, context).await };
    let (again, standing) = match end(database, dismantled, &api, context).await? {
        Ended::Over => return Ok(Action::await_change()),
        Ended::Paused(None) => return Ok(Action::requeue(SOON)),
        Ended::Paused(Some(claim)) => (SOON, Standing::Ending { claim, waiting_for: None }),
        Ended::Waiting(claim, remaining) => {
            let again = if remaining.starts_with("PersistentVolumeClaim") { STORAGE } else { SOON };
            (again, Standing::Ending { claim, waiting_for: Some(remaining) })
        }
        Ended::Unaccounted(claim) => (SOON, Standing::Unaccounted { claim }),
    };
    super::report(database, &standing, context).await?;
    Ok(Action::requeue(again))
}

/// Deletes what a claim's database has. `None` once nothing is left; otherwise what is still there.
///
/// # Errors
/// When a request fails. An answer that cannot be had is never taken for "gone".
pub async fn dismantle(claim: &Claim, context: &Context) -> Result<Option<String>, ReconcileError> {
    let Some((site, _)) = whereabouts(claim, context) else {
        return Ok(Some(SITE.to_owned()));
    };
    let namespace = engine_namespace(claim);
    let (name, label) = (engine_name(claim), &claim_label(claim, context));
    let (home, copy) = (&claim.subject.namespace, credentials_name(&claim.subject.name));
    if let Some(left) = remove::<Secret>(&context.client, home, &copy, label, context).await? {
        return Ok(Some(left));
    }
    if let Some(left) = remove::<ClusterView>(&site.client, &namespace, name, label, context).await? {
        return Ok(Some(left));
    }
    // Capacity is free when the volumes are gone: they go after the instances that use them.
    let volumes = Api::<PersistentVolumeClaim>::namespaced(site.client.clone(), &namespace);
    let of_cluster = ListParams::default().labels(&format!("{}={name}", cnpg::CLUSTER));
    let volumes = volumes.list(&of_cluster).await;
    let volumes = volumes.map_err(|source| ReconcileError::read("PersistentVolumeClaim", source))?;
    if let Some(volume) = volumes.items.iter().find(|volume| made_for(*volume, label)) {
        return Ok(Some(format!("PersistentVolumeClaim {}", volume.name_any())));
    }
    remove::<PolicyView>(&site.client, &namespace, &cnpg::gate_name(name), label, context).await
}
