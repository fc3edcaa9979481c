//! The end of a database: an intent in the ledger, then its credentials, its instances and their storage, and only then the
//! claim.
//!
//! Every call that destroys follows the committed intent and carries the UID and version of what was read just before.
//! What is gone is asked of the API server, never of a cache.

use std::{sync::Arc, time::Duration};

use jiyun_crds::{
    names::{FINALIZER_CLAIM, credentials_name},
    v1alpha1::CloudDatabase,
};
use jiyun_ledger::{Claim, ClaimStage};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::{Api, ResourceExt, api::ListParams, runtime::controller::Action};
use tracing::{error, info};

use super::report::Standing;
use crate::{
    claimed::{unaccounted, wake_order},
    claims::{leave_line, open_claim},
    context::Context,
    deleting::SITE,
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
    if !database.finalizers().iter().any(|finalizer| finalizer == FINALIZER_CLAIM) {
        return Ok(Action::await_change());
    }
    let claim = open_claim(database, context);
    if context.quarantined() {
        // Without a claim the book may have lost it: nothing is let go.
        if let Some(claim) = claim {
            wait(database, claim, None, context).await?;
        }
        return Ok(Action::requeue(SOON));
    }
    if let Some(claim) = claim {
        leave_line(database, context).await?;
        context.ledger.end_for(claim.id, claim.subject.uid.as_str()).await?;
        // Of what was only held nothing was made, and the hold is free with its end.
        if claim.stage() != ClaimStage::Held {
            if let Some(remaining) = dismantle(&claim, context).await? {
                let again = if remaining.starts_with("PersistentVolumeClaim") { STORAGE } else { SOON };
                wait(database, claim, Some(remaining), context).await?;
                return Ok(Action::requeue(again));
            }
            context.ledger.release(claim.id).await?;
            info!(
                database.namespace = database.namespace(),
                database.name = database.name_any(),
                claim = %claim.id,
                "released"
            );
        }
    } else if let Some(claim) = unaccounted(database, context) {
        return keep(database, claim, context).await;
    } else {
        leave_line(database, context).await?;
    }
    let api = Api::<CloudDatabase>::namespaced(context.client.clone(), &database.namespace().unwrap_or_default());
    context.writer.remove_finalizer(&api, database, FINALIZER_CLAIM).await?;
    wake_order(database, None, context);
    Ok(Action::await_change())
}

/// Keeps a database until somebody has looked, and says so to its owner, to the log and to whoever watches the figures.
async fn keep(database: &CloudDatabase, claim: &str, context: &Context) -> Result<Action, ReconcileError> {
    context.metrics.unknown_claim();
    error!(
        database.namespace = database.namespace(),
        database.name = database.name_any(),
        claim,
        "the ledger does not know the claim of this database; it is kept until somebody has looked"
    );
    super::report(database, &Standing::Unaccounted { claim: claim.to_owned() }, context).await?;
    Ok(Action::requeue(SOON))
}

async fn wait(
    database: &CloudDatabase,
    claim: Arc<Claim>,
    waiting_for: Option<String>,
    context: &Context,
) -> Result<(), ReconcileError> {
    super::report(database, &Standing::Ending { claim, waiting_for }, context).await
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
