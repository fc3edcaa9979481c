//! Totals: what departments and pools have, use and may still have, written where people look for it.
//!
//! One look at the account book in [`EVERY`] seconds while anything happens there; of what it shows, only what differs
//! is written, under a field manager of its own.

mod department;
mod pool;
mod words;

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{ComputePool, Department, QuotaReport, StoragePool};
use jiyun_ledger::{PoolKind, State};
use kube::{Api, Resource, ResourceExt};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    catalogue::readable,
    context::Context,
    error::{ReconcileError, chain},
};

/// Nothing is written about one object more often than this.
pub const EVERY: Duration = Duration::from_secs(10);

/// With nothing happening in the book, grace periods still end.
const AT_LEAST_EVERY: Duration = Duration::from_mins(5);

/// Our name in `managedFields` for totals: conditions of the same objects are written by others.
pub const FIELD_MANAGER: &str = "jiyun-controller-totals";

/// Keeps totals current until `stop`.
pub async fn keep(context: Context, stop: CancellationToken) {
    let mut revisions = context.ledger.revisions();
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        // Marked as seen before it is read: what is booked meanwhile is looked at in the next round.
        revisions.mark_unchanged();
        let (seen, state) = (generations(&context), context.ledger.snapshot());
        if !write_all(&state, &context).await {
            continue;
        }
        let changed = async {
            let due = tokio::time::sleep(AT_LEAST_EVERY);
            tokio::pin!(due);
            loop {
                tokio::select! {
                    changed = revisions.changed() => return changed.is_ok(),
                    () = &mut due => return true,
                    // Grace and policies are changed without a word to the book.
                    () = tokio::time::sleep(EVERY) => if generations(&context) != seen { return true },
                }
            }
        };
        if !matches!(stop.run_until_cancelled(changed).await, Some(true)) {
            return;
        }
    }
}

/// What departments are asked to be and what policies ask, by UID.
fn generations(context: &Context) -> BTreeMap<Option<String>, Option<i64>> {
    let departments = readable(&context.catalogue.departments).into_iter().map(|department| department.metadata);
    let policies = context.orders.policies.state().into_iter().map(|policy| policy.meta().clone());
    departments.chain(policies).map(|meta| (meta.uid, meta.generation)).collect()
}

/// Writes what differs; whether everything could be written.
async fn write_all(state: &State, context: &Context) -> bool {
    let now = Timestamp::now();
    let mut whole = true;
    let mut note = |kind: &str, name: &str, outcome: Result<(), ReconcileError>| {
        if let Err(error) = outcome {
            warn!(kind, name, error = chain(&error), "totals were not written; they are in the next round");
            whole = false;
        }
    };
    for department in readable(&context.catalogue.departments) {
        let name = department.name_any();
        let outcome = department::write(&department, state, context, now).await;
        note("Department", &name, outcome);
    }
    for pool in readable(&context.catalogue.compute_pools) {
        let before = pool.status.as_ref().and_then(|status| status.summary.as_ref());
        let outcome = pool::write::<ComputePool>(&pool.name_any(), PoolKind::Compute, before, state, context).await;
        note("ComputePool", &pool.name_any(), outcome);
    }
    for pool in readable(&context.catalogue.storage_pools) {
        let before = pool.status.as_ref().and_then(|status| status.summary.as_ref());
        let outcome = pool::write::<StoragePool>(&pool.name_any(), PoolKind::Storage, before, state, context).await;
        note("StoragePool", &pool.name_any(), outcome);
    }
    whole
}

fn departments(context: &Context) -> Api<Department> {
    Api::all(context.client.clone())
}

fn reports(context: &Context, namespace: &str) -> Api<QuotaReport> {
    Api::namespaced(context.client.clone(), namespace)
}
