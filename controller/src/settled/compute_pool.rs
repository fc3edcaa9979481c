//! Compute pools (计算资源池): booked with their cores and memory, as entered or as the site's nodes report them. Memory is
//! never over-committed.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use jiyun_crds::v1alpha1::{
    ComputeCapacity, ComputePool, ConditionStatus, ConditionType::Ready as READY, ProcessorOrigin, Quantity, Reason,
    condition::Finding,
};
use jiyun_ledger::{Meter, Pool, PoolId, PoolKind, PoolState};
use jiyun_messages::parameters;
use kube::ResourceExt;

use super::{
    Outcome, Settled,
    pool::{Booking, Unusable, mebibytes, plain_ready, settle, state},
};
use crate::{catalogue::lookup, conditions::finding, context::Context, engines::node::Hardware, error::ReconcileError};

impl Settled for ComputePool {
    super::reported!(cluster);

    fn settle<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        Box::pin(async move {
            let nodes = hardware(self, context).await;
            let booked = context.ledger.read(|state| state.pool(&id(self)).cloned());
            settle(self, PoolKind::Compute, read(self, nodes, booked), context).await
        })
    }
}

fn id(pool: &ComputePool) -> PoolId {
    PoolId::of(PoolKind::Compute, &pool.name_any())
}

/// What the site's nodes have that the pool names; none where that is not known, or not asked for.
async fn hardware(pool: &ComputePool, context: &Context) -> Option<Hardware> {
    let selector = pool.spec.node_selector.as_deref()?;
    let site = lookup(&context.catalogue.sites, None, &pool.spec.site_ref.name)?;
    context.sites.engines(&site)?.hardware(selector).await
}

/// The pool to book: `nodes` is what those it names have, `booked` the pool as the ledger has it.
fn read(pool: &ComputePool, nodes: Option<Hardware>, booked: Option<Pool>) -> Result<Booking, Unusable> {
    let spec = &pool.spec;
    let (capacity, ready) = match (&spec.capacity, &spec.node_selector) {
        (Some(entered), _) => (entered_capacity(pool, entered)?, plain_ready()),
        (None, selector) => read_capacity(selector.as_deref().unwrap_or_default(), nodes, booked)?,
    };
    // All nodes out for repair is maintenance, and no reason to send those who wait away.
    let all_out = nodes.is_some_and(|nodes| nodes.counted == 0 && nodes.left_out > 0);
    let pool = Pool {
        id: id(pool),
        kind: PoolKind::Compute,
        site: spec.site_ref.name.clone(),
        zones: spec.zones.iter().cloned().collect(),
        architecture: Some(spec.architecture.as_str().to_owned()),
        tier: None,
        provider: spec.provider.clone(),
        max_protection_level: spec.max_protection_level,
        domestic: spec.processor_origin == ProcessorOrigin::Domestic,
        capacity,
        overcommit_percent: BTreeMap::from([(Meter::Vcpu, spec.vcpu_overcommit_percent)]),
        reserve: BTreeMap::from([
            (Meter::Vcpu, spec.reserve.vcpu),
            (Meter::Memory, mebibytes("spec.reserve.memory", &spec.reserve.memory)?),
        ]),
        state: if all_out { PoolState::Draining } else { state(spec.maintenance) },
    };
    Ok(Booking { pool, ready })
}

type Capacity = BTreeMap<Meter, u64>;

/// What was entered; what was taken over from server rooms adds to what was bought.
fn entered_capacity(pool: &ComputePool, entered: &ComputeCapacity) -> Result<Capacity, Unusable> {
    let (mut vcpu, mut memory) = (entered.vcpu, mebibytes("spec.capacity.memory", &entered.memory)?);
    for lot in &pool.spec.taken_over {
        vcpu = vcpu.saturating_add(lot.capacity.vcpu);
        memory = memory.saturating_add(mebibytes("spec.takenOver[].capacity.memory", &lot.capacity.memory)?);
    }
    Ok(BTreeMap::from([(Meter::Vcpu, vcpu), (Meter::Memory, memory)]))
}

/// What the nodes have. No node at all is never taken for an empty pool: a site may answer with an empty list, and what
/// was booked last is kept.
fn read_capacity(
    selector: &str,
    nodes: Option<Hardware>,
    booked: Option<Pool>,
) -> Result<(Capacity, Finding), Unusable> {
    let known = nodes.filter(|nodes| nodes.counted + nodes.left_out > 0);
    match (known, booked) {
        (Some(Hardware { counted, left_out, vcpu, mebibytes }), _) => {
            let about = parameters([
                ("nodes", counted.to_string()),
                ("leftOut", left_out.to_string()),
                ("vcpu", vcpu.to_string()),
                ("memory", Quantity::from_mebibytes(mebibytes).as_str().to_owned()),
            ]);
            let told = finding(READY, ConditionStatus::True, Reason::Valid, "CapacityFromNodes", &about);
            Ok((BTreeMap::from([(Meter::Vcpu, vcpu), (Meter::Memory, mebibytes)]), told))
        }
        (None, Some(booked)) => {
            let about = parameters([("selector", selector)]);
            Ok((booked.capacity, finding(READY, ConditionStatus::False, Reason::NoNodes, "NoNodes", &about)))
        }
        (None, None) => Err(Unusable::no_nodes(selector)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pool(capacity: &serde_json::Value) -> ComputePool {
        let mut pool = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "ComputePool", "metadata": {"name": "hygon"},
            "spec": {
                "siteRef": {"name": "main"}, "zones": ["internet"], "architecture": "amd64", "processor": "Hygon",
                "provider": "test", "maxProtectionLevel": 3,
                "takenOver": [{"name": "lot", "department": "tax", "serverRoom": "3", "since": "2026-01-01T00:00:00+08:00",
                               "capacity": {"vcpu": 8, "memory": "16Gi"}}],
            },
        });
        pool["spec"].as_object_mut().unwrap().extend(capacity.as_object().unwrap().clone());
        serde_json::from_value(pool).unwrap()
    }

    fn from_nodes() -> ComputePool {
        pool(&json!({"nodeSelector": "pool=hygon"}))
    }

    fn two() -> Hardware {
        Hardware { counted: 2, left_out: 1, vcpu: 128, mebibytes: 262_144 }
    }

    fn capacity(of: &Booking) -> (u64, u64) {
        (of.pool.capacity[&Meter::Vcpu], of.pool.capacity[&Meter::Memory])
    }

    #[test]
    fn what_was_taken_over_adds_to_what_was_entered_and_not_to_what_nodes_report() {
        let entered = read(&pool(&json!({"capacity": {"vcpu": 64, "memory": "128Gi"}})), None, None).unwrap();
        assert_eq!(capacity(&entered), (72, 144 * 1024));
        let reported = read(&from_nodes(), Some(two()), None).unwrap();
        assert_eq!(capacity(&reported), (128, 262_144));
        assert_eq!(reported.ready.status, ConditionStatus::True);
        assert!(reported.ready.message.contains("128 vCPU"), "{}", reported.ready.message);
    }

    #[test]
    fn without_any_node_the_capacity_last_booked_is_kept_and_said_to_be_old() {
        let booked = read(&from_nodes(), Some(two()), None).unwrap().pool;
        for unknown in [None, Some(Hardware::default())] {
            let kept = read(&from_nodes(), unknown, Some(booked.clone())).unwrap();
            assert_eq!(capacity(&kept), (128, 262_144));
            assert_eq!((kept.ready.status, kept.ready.reason), (ConditionStatus::False, Reason::NoNodes));
            assert!(read(&from_nodes(), unknown, None).is_err(), "nothing is booked out of nothing");
        }
        // All cordoned is something else: operators took them out.
        let cordoned = Hardware { left_out: 3, ..Hardware::default() };
        let out = read(&from_nodes(), Some(cordoned), Some(booked)).unwrap();
        assert_eq!((capacity(&out), out.pool.state), ((0, 0), PoolState::Draining));
    }
}
