//! Wires buckets to their triggers: their own changes, those of what their engine has of them, their orders, and room that
//! comes.

use std::sync::Arc;

use futures::{Stream, StreamExt, future::ready, stream};
use jiyun_crds::v1alpha1::CloudBucket;
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
    engines::rook::{ClaimView, UserView},
    error::ReconcileError,
    watch::{Guarded, Kind},
};

/// Buckets reconciled at the same time.
const CONCURRENCY: u16 = 8;

/// Reconciles buckets until `stop`. What happens to them at their engine is told like what becomes of their orders.
pub async fn run(
    buckets: Kind<CloudBucket, impl Stream<Item = Result<Guarded<CloudBucket>, watcher::Error>> + Send + 'static>,
    told: impl Stream<Item = ObjectRef<Guarded<CloudBucket>>> + Send + 'static,
    context: Context,
    stop: CancellationToken,
) {
    // Our own status writes change neither generation nor finalizers, so they do not call us again.
    let wishes = context.unseen_buckets.watching(buckets.stream).predicate_filter(
        predicates::generation.combine(predicates::finalizers).combine(predicates::annotations),
        PredicateConfig::default(),
    );
    let line = in_line(context.ledger.clone(), KIND);
    let outcomes = Controller::for_stream(wishes, buckets.store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(stream::select(line, told))
        .reconcile_all_on(context.writer.trail().reopenings())
        .reconcile_all_on(openings([&context.orders_listed, &context.buckets_listed]))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, failed, Driver::new(context));
    drain(outcomes).await;
}

/// The buckets whose claims or users at the engine have changed.
pub fn of_engine(
    claims: impl Stream<Item = Result<Guarded<ClaimView>, watcher::Error>> + Send,
    users: impl Stream<Item = Result<Guarded<UserView>, watcher::Error>> + Send,
    ledger: Ledger,
) -> impl Stream<Item = ObjectRef<Guarded<CloudBucket>>> + Send {
    let of_users = ledger.clone();
    let claims = claims.filter_map(move |event| ready(event.ok().and_then(|claim| made_for(&claim, KIND, &ledger))));
    let users = users.filter_map(move |event| ready(event.ok().and_then(|user| made_for(&user, KIND, &of_users))));
    stream::select(claims, users)
}

async fn reconcile(
    bucket: Arc<Guarded<CloudBucket>>,
    driver: Arc<Driver<CloudBucket>>,
) -> Result<Action, ReconcileError> {
    let Ok(readable) = &bucket.0 else { return Ok(Action::await_change()) };
    driver.counted(&bucket, Box::pin(super::reconcile(readable, &driver.context))).await
}
