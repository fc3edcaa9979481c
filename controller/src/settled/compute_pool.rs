//! Compute pools (计算资源池): booked with their cores and memory. Memory is never over-committed.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use jiyun_crds::v1alpha1::{ComputePool, ProcessorOrigin};
use jiyun_ledger::{Meter, Pool, PoolId, PoolKind};
use kube::ResourceExt;

use super::{
    Outcome, Settled,
    pool::{Unusable, settle, state},
};
use crate::{context::Context, error::ReconcileError};

impl Settled for ComputePool {
    super::reported!(cluster);

    fn settle<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        Box::pin(settle(self, PoolKind::Compute, read(self), context))
    }
}

fn read(pool: &ComputePool) -> Result<Pool, Unusable> {
    let spec = &pool.spec;
    let mebibytes = |field: &str, quantity: &jiyun_crds::v1alpha1::Quantity| {
        quantity.mebibytes().map_err(|problem| Unusable::quantity(field, quantity.as_str(), &problem))
    };
    // What was taken over from server rooms adds to what was bought.
    let (mut vcpu, mut memory) = (spec.capacity.vcpu, mebibytes("spec.capacity.memory", &spec.capacity.memory)?);
    for lot in &spec.taken_over {
        vcpu = vcpu.saturating_add(lot.capacity.vcpu);
        memory = memory.saturating_add(mebibytes("spec.takenOver[].capacity.memory", &lot.capacity.memory)?);
    }
    Ok(Pool {
        id: PoolId::of(PoolKind::Compute, &pool.name_any()),
        kind: PoolKind::Compute,
        site: spec.site_ref.name.clone(),
        zones: spec.zones.iter().cloned().collect(),
        architecture: Some(spec.architecture.as_str().to_owned()),
        tier: None,
        provider: spec.provider.clone(),
        max_protection_level: spec.max_protection_level,
        domestic: spec.processor_origin == ProcessorOrigin::Domestic,
        capacity: BTreeMap::from([(Meter::Vcpu, vcpu), (Meter::Memory, memory)]),
        overcommit_percent: BTreeMap::from([(Meter::Vcpu, spec.vcpu_overcommit_percent)]),
        reserve: BTreeMap::from([
            (Meter::Vcpu, spec.reserve.vcpu),
            (Meter::Memory, mebibytes("spec.reserve.memory", &spec.reserve.memory)?),
        ]),
        state: state(spec.maintenance),
    })
}
