//! Wires volumes to their triggers: their own changes, those of their disks, their orders, their hosts, and room that comes.

use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use jiyun_crds::{
    names::LABEL_VOLUME,
    v1alpha1::{CloudVolume, OrderedKind},
};
use kube::{
    ResourceExt,
    runtime::{
        Controller, Predicate, WatchStreamExt,
        controller::{Action, Config},
        predicates,
        reflector::ObjectRef,
        utils::PredicateConfig,
        watcher,
    },
};
use tokio_util::sync::CancellationToken;

use super::KIND;
use crate::{
    claims::{claim_behind, in_line},
    context::{Context, openings},
    driver::{Driver, drain, failed},
    engines::cdi::DiskView,
    error::ReconcileError,
    watch::{Guarded, Kind},
};

/// Volumes reconciled at the same time.
const CONCURRENCY: u16 = 16;

/// Reconciles volumes until `stop`. What happens to their disks is told like what becomes of their orders.
pub async fn run(
    volumes: Kind<CloudVolume, impl Stream<Item = Result<Guarded<CloudVolume>, watcher::Error>> + Send + 'static>,
    told: impl Stream<Item = ObjectRef<Guarded<CloudVolume>>> + Send + 'static,
    context: Context,
    stop: CancellationToken,
) {
    // Our own status writes change neither generation nor finalizers, so they do not call us again.
    let wishes = context.unseen_volumes.watching(volumes.stream).predicate_filter(
        predicates::generation.combine(predicates::finalizers).combine(predicates::annotations),
        PredicateConfig::default(),
    );
    let line = in_line(context.ledger.clone(), KIND);
    let outcomes = Controller::for_stream(wishes, volumes.store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(stream::select(line, told))
        .reconcile_all_on(context.writer.trail().reopenings())
        .reconcile_all_on(openings([&context.orders_listed, &context.engines_listed]))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, failed, Driver::new(context));
    drain(outcomes).await;
}

async fn reconcile(
    volume: Arc<Guarded<CloudVolume>>,
    driver: Arc<Driver<CloudVolume>>,
) -> Result<Action, ReconcileError> {
    let Ok(readable) = &volume.0 else { return Ok(Action::await_change()) };
    driver.counted(&volume, Box::pin(super::reconcile(readable, &driver.context))).await
}

/// Passes on the disks, and has those volumes looked at whose disks have changed: one watch serves hosts and volumes.
pub fn telling<S>(disks: S, context: Context) -> impl Stream<Item = S::Item> + Send
where
    S: Stream<Item = Result<Guarded<DiskView>, watcher::Error>> + Send,
{
    disks.inspect(move |event| {
        let Ok(disk) = event else { return };
        if let Some((namespace, name)) = volume_of(disk, &context) {
            context.orders.wakes.item(OrderedKind::CloudVolume, &namespace, &name);
        }
    })
}

/// The volume a disk was made for, by its claim.
fn volume_of(disk: &Guarded<DiskView>, context: &Context) -> Option<(String, String)> {
    // Most disks are hosts': no look at the ledger for them.
    disk.labels().get(LABEL_VOLUME)?;
    let claim = claim_behind(disk, KIND, &context.ledger)?;
    Some((claim.subject.namespace.clone(), claim.subject.name.clone()))
}
