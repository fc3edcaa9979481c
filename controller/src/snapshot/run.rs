//! Wires snapshots to their triggers: their own changes, those of what their engine has of them, their orders, and room that
//! comes.

use std::sync::Arc;

use futures::{Stream, StreamExt, future::ready, stream};
use jiyun_crds::v1alpha1::CloudSnapshot;
use jiyun_ledger::Ledger;
use kube::runtime::{
    Controller, Predicate, WatchStreamExt,
    controller::{Action, Config},
    predicates,
    reflector::ObjectRef,
    utils::PredicateConfig,
    watcher,
};
use tokio_util::sync::CancellationToken;

use super::KIND;
use crate::{
    claims::{in_line, made_for},
    context::{Context, openings},
    driver::{Driver, drain, failed},
    engines::snapshot::SnapshotView,
    error::ReconcileError,
    watch::{Guarded, Kind},
};

/// Snapshots reconciled at the same time.
const CONCURRENCY: u16 = 8;

/// Reconciles snapshots until `stop`. What happens to them at their engine is told like what becomes of their orders.
pub async fn run(
    snapshots: Kind<CloudSnapshot, impl Stream<Item = Result<Guarded<CloudSnapshot>, watcher::Error>> + Send + 'static>,
    told: impl Stream<Item = ObjectRef<Guarded<CloudSnapshot>>> + Send + 'static,
    context: Context,
    stop: CancellationToken,
) {
    // Our own status writes change neither generation nor finalizers, so they do not call us again.
    let wishes = context.unseen_snapshots.watching(snapshots.stream).predicate_filter(
        predicates::generation.combine(predicates::finalizers).combine(predicates::annotations),
        PredicateConfig::default(),
    );
    let line = in_line(context.ledger.clone(), KIND);
    let outcomes = Controller::for_stream(wishes, snapshots.store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(stream::select(line, told))
        .reconcile_all_on(context.writer.trail().reopenings())
        .reconcile_all_on(openings([&context.orders_listed, &context.snapshots_listed]))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, failed, Driver::new(context));
    drain(outcomes).await;
}

/// The snapshots that have changed at the engine.
pub fn of_engine(
    taken: impl Stream<Item = Result<Guarded<SnapshotView>, watcher::Error>> + Send,
    ledger: Ledger,
) -> impl Stream<Item = ObjectRef<Guarded<CloudSnapshot>>> + Send {
    taken.filter_map(move |event| ready(event.ok().and_then(|taken| made_for(&taken, KIND, &ledger))))
}

async fn reconcile(
    snapshot: Arc<Guarded<CloudSnapshot>>,
    driver: Arc<Driver<CloudSnapshot>>,
) -> Result<Action, ReconcileError> {
    let Ok(readable) = &snapshot.0 else { return Ok(Action::await_change()) };
    driver.counted(&snapshot, Box::pin(super::reconcile(readable, &driver.context))).await
}
