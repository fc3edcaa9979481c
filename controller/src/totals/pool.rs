//! What of a pool is used, and who waits for it (a number, no names).

use std::fmt::Debug;

use jiyun_crds::v1alpha1::UsageSummary;
use jiyun_ledger::{Meter, PoolId, PoolKind, State};
use kube::{Api, Resource, core::ClusterResourceScope};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::words::share;
use crate::{context::Context, error::ReconcileError};

/// The summary of a pool; none if it is not booked.
fn summary(state: &State, id: &PoolId) -> Option<UsageSummary> {
    let pool = state.pool(id)?;
    let of = |meter: Meter| pool.usable(meter).map(|usable| share(meter, state.pool_use(id, meter), Some(usable)));
    let bounded = |meter: Meter| pool.capacity.contains_key(&meter).then(|| of(meter)).flatten();
    let lies_here =
        |claim: &&std::sync::Arc<jiyun_ledger::Claim>| claim.is_open() && claim.taken().any(|line| line.pool == *id);
    let waiting = state.waiting().filter(|waiting| waiting.competes_for(state, pool)).count();
    Some(UsageSummary {
        vcpu: bounded(Meter::Vcpu),
        memory: bounded(Meter::Memory),
        block_storage: bounded(Meter::BlockStorage),
        object_storage: bounded(Meter::ObjectStorage),
        claims: state.claims().filter(lies_here).count() as u64,
        waiting: Some(waiting as u64),
        revision: state.seq(),
    })
}

/// Whether the two differ in more than the entry they were read at.
pub fn differs(before: Option<&UsageSummary>, after: &UsageSummary) -> bool {
    before.is_none_or(|before| UsageSummary { revision: after.revision, ..before.clone() } != *after)
}

/// Writes the summary where it differs.
///
/// # Errors
/// When Kubernetes does not take it.
pub async fn write<K>(
    name: &str,
    kind: PoolKind,
    before: Option<&UsageSummary>,
    state: &State,
    context: &Context,
) -> Result<(), ReconcileError>
where
    K: Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + Debug + DeserializeOwned,
{
    let Some(after) = summary(state, &PoolId::of(kind, name)).filter(|after| differs(before, after)) else {
        return Ok(());
    };
    let api = Api::<K>::all(context.client.clone());
    context.writer.apply_status_as(super::FIELD_MANAGER, &api, name, &json!({"summary": after})).await?;
    Ok(())
}
