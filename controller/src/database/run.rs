//! Wires databases to their triggers: their own changes, those of their clusters, their orders, and room that comes.

use std::sync::Arc;

use futures::{Stream, stream};
use jiyun_crds::v1alpha1::CloudDatabase;
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
    engines::cnpg::ClusterView,
    error::ReconcileError,
    watch::{Guarded, Kind},
};

/// Databases reconciled at the same time.
const CONCURRENCY: u16 = 8;

/// Reconciles databases until `stop`.
pub async fn run(
    databases: Kind<CloudDatabase, impl Stream<Item = Result<Guarded<CloudDatabase>, watcher::Error>> + Send + 'static>,
    clusters: impl Stream<Item = Result<Guarded<ClusterView>, watcher::Error>> + Send + 'static,
    told: impl Stream<Item = ObjectRef<Guarded<CloudDatabase>>> + Send + 'static,
    context: Context,
    stop: CancellationToken,
) {
    // Our own status writes change neither generation nor finalizers, so they do not call us again.
    let wishes = context.unseen_databases.watching(databases.stream).predicate_filter(
        predicates::generation.combine(predicates::finalizers).combine(predicates::annotations),
        PredicateConfig::default(),
    );
    let ledger = context.ledger.clone();
    let line = in_line(context.ledger.clone(), KIND);
    let outcomes = Controller::for_stream(wishes, databases.store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .watches_stream(clusters, move |cluster| made_for(&cluster, KIND, &ledger))
        .reconcile_on(stream::select(line, told))
        .reconcile_all_on(context.writer.trail().reopenings())
        .reconcile_all_on(openings([&context.orders_listed, &context.clusters_listed, &context.policies_listed]))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, failed, Driver::new(context));
    drain(outcomes).await;
}

async fn reconcile(
    database: Arc<Guarded<CloudDatabase>>,
    driver: Arc<Driver<CloudDatabase>>,
) -> Result<Action, ReconcileError> {
    let Ok(readable) = &database.0 else { return Ok(Action::await_change()) };
    driver.counted(&database, Box::pin(super::reconcile(readable, &driver.context))).await
}
