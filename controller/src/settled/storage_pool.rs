//! Storage pools (存储资源池): booked with their capacity, by type and tier.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use jiyun_crds::v1alpha1::StoragePool;
use jiyun_ledger::{Pool, PoolId, PoolKind};
use kube::ResourceExt;

use super::{
    Outcome, Settled,
    pool::{Booking, Unusable, mebibytes, plain_ready, settle, state},
    price_list::meter,
};
use crate::{context::Context, error::ReconcileError};

impl Settled for StoragePool {
    super::reported!(cluster);

    fn settle<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        let read = read(self).map(|pool| Booking { pool, ready: plain_ready() });
        Box::pin(settle(self, PoolKind::Storage, read, context))
    }
}

fn read(pool: &StoragePool) -> Result<Pool, Unusable> {
    let spec = &pool.spec;
    let meter = meter(spec.storage_type.meter());
    Ok(Pool {
        id: PoolId::of(PoolKind::Storage, &pool.name_any()),
        kind: PoolKind::Storage,
        site: spec.site_ref.name.clone(),
        zones: spec.zones.iter().cloned().collect(),
        architecture: None,
        tier: Some(spec.tier.clone()),
        provider: spec.provider.clone(),
        max_protection_level: spec.max_protection_level,
        domestic: false,
        capacity: BTreeMap::from([(meter, mebibytes("spec.capacity", &spec.capacity)?)]),
        overcommit_percent: BTreeMap::new(),
        reserve: BTreeMap::from([(meter, mebibytes("spec.reserve", &spec.reserve)?)]),
        state: state(spec.maintenance),
    })
}
