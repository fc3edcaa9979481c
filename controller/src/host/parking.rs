//! What a stopped host gives back (关机释放), meter by meter as its pool says, and the way back when it is started; and what
//! one whose machine was taken down for the end of its lease gives back, whatever its pool says.
//!
//! Given back is recorded after the machine is off; asked for again before it is started. So a machine never runs on
//! what its claim does not hold, whenever we die in between.

use std::{collections::BTreeSet, sync::Arc};

use jiyun_crds::v1alpha1::{CloudHost, ComputePool, ConditionType, Power, StopRelease, condition};
use jiyun_ledger::{Claim, ClaimStage, Decision, Meter, Pool, PoolState, Refusal};
use kube::{Api, ResourceExt};
use tracing::{info, warn};

use super::{approved::Approved, leave_line, note_refusal, request, whereabouts};
use crate::{catalogue::lookup, context::Context, engines::kubevirt::InstanceView, error::ReconcileError};

/// What a claim was granted and does not hold now.
pub fn given_back(claim: &Claim, approved: &Approved) -> BTreeSet<Meter> {
    let holds = |meter: Meter| claim.lines.iter().any(|line| line.meter == meter);
    let granted = request::placements(approved).into_iter().flat_map(|placement| placement.quantities.into_keys());
    granted.filter(|meter| !holds(*meter)).collect()
}

/// Cores and memory.
fn computing() -> BTreeSet<Meter> {
    BTreeSet::from([Meter::Vcpu, Meter::Memory])
}

/// Whether a claim holds neither cores nor memory any more.
pub fn is_clear(claim: &Claim, approved: &Approved) -> bool {
    given_back(claim, approved).is_superset(&computing())
}

/// What a stopped host of this pool gives back.
fn released_in(pool: &ComputePool) -> BTreeSet<Meter> {
    let meter = |release: &StopRelease| match release {
        StopRelease::Vcpu => Meter::Vcpu,
        StopRelease::Memory => Meter::Memory,
    };
    pool.spec.stop_releases.iter().map(meter).collect()
}

/// What a stopped host is to do without: what its pool says now, and what it gave back before. A pool that has become
/// stricter takes nothing for a machine that is off.
fn to_do_without(policy: &BTreeSet<Meter>, given_back: &BTreeSet<Meter>) -> Option<BTreeSet<Meter>> {
    let all: BTreeSet<Meter> = policy.union(given_back).copied().collect();
    (all != *given_back).then_some(all)
}

/// Before the engines are driven: a host that is to run (`wanted`) asks for what it gave back. The refusal, if it has to stay
/// off.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn resume(
    host: &CloudHost,
    claim: Arc<Claim>,
    approved: &Approved,
    wanted: Power,
    context: &Context,
) -> Result<(Arc<Claim>, Option<Refusal>), ReconcileError> {
    if given_back(&claim, approved).is_empty() {
        return Ok((claim, None));
    }
    if wanted == Power::Stopped {
        leave_line(host, context).await?;
        return Ok((claim, None));
    }
    let whole = request::of_claim(&claim, protection_level(&claim, context), approved, &BTreeSet::new());
    match context.ledger.decide_change(&claim, whole).await? {
        Decision::Granted { claim, .. } => {
            context.metrics.decided("Granted");
            info!(host.namespace = host.namespace(), host.name = host.name_any(), claim = %claim.id, "granted its start");
            Ok((claim, None))
        }
        Decision::Refused(refusal) => {
            let told =
                host.status.as_ref().and_then(|status| condition::find(&status.conditions, ConditionType::Ready));
            // It is asked again every few seconds: told once. `status.refusal` may be that of a change.
            if told.is_none_or(|told| told.reason != refusal.code.to_string()) {
                note_refusal(host, "its start", &refusal, context);
            }
            Ok((claim, Some(refusal)))
        }
    }
}

/// After the machine was seen to be off, as it was `wanted`: gives back what its pool says.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn park(
    host: &CloudHost,
    claim: Arc<Claim>,
    approved: &Approved,
    wanted: Power,
    context: &Context,
) -> Result<Arc<Claim>, ReconcileError> {
    let is_idle = wanted == Power::Stopped && claim.stage() == ClaimStage::Billable && !context.quarantined();
    let pool = claim.pool_of(Meter::Hosts).filter(|_| is_idle);
    let Some(pool) = pool.and_then(|pool| lookup(&context.catalogue.compute_pools, None, pool.name())) else {
        return Ok(claim);
    };
    let Some(without) = to_do_without(&released_in(&pool), &given_back(&claim, approved)) else { return Ok(claim) };
    let level = protection_level(&claim, context);
    if !could_come_back(&claim, level, context) || is_there(&claim, context).await? {
        return Ok(claim);
    }
    give_back(host, claim, approved, &without, context).await
}

/// After the machine was taken down for good, as far as anybody knows: gives back all of its cores and memory. Where it lies,
/// its disk and its place among the department's hosts stay its own.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn clear(
    host: &CloudHost,
    claim: Arc<Claim>,
    approved: &Approved,
    context: &Context,
) -> Result<Arc<Claim>, ReconcileError> {
    match to_do_without(&computing(), &given_back(&claim, approved)).filter(|_| !context.quarantined()) {
        Some(without) => give_back(host, claim, approved, &without, context).await,
        None => Ok(claim),
    }
}

async fn give_back(
    host: &CloudHost,
    claim: Arc<Claim>,
    approved: &Approved,
    without: &BTreeSet<Meter>,
    context: &Context,
) -> Result<Arc<Claim>, ReconcileError> {
    let rest = request::of_claim(&claim, protection_level(&claim, context), approved, without);
    match context.ledger.decide_change(&claim, rest).await? {
        Decision::Granted { claim, .. } => {
            info!(
                host.namespace = host.namespace(),
                host.name = host.name_any(),
                claim = %claim.id,
                meters = ?without,
                "gave back what a host that is off does not keep"
            );
            Ok(claim)
        }
        Decision::Refused(refusal) => {
            warn!(host.namespace = host.namespace(), host.name = host.name_any(), code = %refusal.code, "cannot shrink");
            Ok(claim)
        }
    }
}

/// Whether the pool would take the start: what is drained, or serves the zone or the level no more, would keep the host
/// off for good.
fn could_come_back(claim: &Claim, level: u8, context: &Context) -> bool {
    let zone = claim.lines.iter().find_map(|line| line.dimensions.zone.as_deref()).unwrap_or_default();
    let takes = |pool: &Pool| pool.state == PoolState::Open && pool.zones.contains(zone) && pool.carries(level);
    let pool = claim.pool_of(Meter::Hosts);
    pool.is_some_and(|pool| context.ledger.read(|state| state.pool(pool).is_some_and(takes)))
}

/// Whether an instance of the machine is still there, by the API server's own word: the machine's status may be that of
/// before its last start.
async fn is_there(claim: &Claim, context: &Context) -> Result<bool, ReconcileError> {
    let Some((site, _)) = whereabouts(claim, context) else { return Ok(true) };
    let api = Api::<InstanceView>::namespaced(site.client.clone(), &request::engine_namespace(claim));
    let name = request::engine_name(claim);
    let found = api.get_opt(name).await.map_err(|source| ReconcileError::read(format!("instance {name}"), source))?;
    Ok(found.is_some())
}

/// The level of the claim's system. A system that is gone has none; the highest is asked for then, so that nothing is
/// placed below it.
pub fn protection_level(claim: &Claim, context: &Context) -> u8 {
    let namespace = claim.subject.namespace.as_str();
    lookup(&context.catalogue.systems, Some(namespace), &claim.system).map_or(4, |system| system.spec.protection_level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_keeps_more_takes_nothing_back_while_the_machine_is_off() {
        let both = BTreeSet::from([Meter::Vcpu, Meter::Memory]);
        let cores = BTreeSet::from([Meter::Vcpu]);
        assert_eq!(to_do_without(&both, &BTreeSet::new()), Some(both.clone()));
        assert_eq!(to_do_without(&cores, &both), None);
        assert_eq!(to_do_without(&both, &cores), Some(both.clone()));
        assert_eq!(to_do_without(&BTreeSet::new(), &BTreeSet::new()), None);
    }
}
