//! Wires flows to their triggers: their own changes, their policies, their orders, and hosts that come and go at their
//! ends.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::{Stream, StreamExt, stream};
use jiyun_crds::v1alpha1::NetworkFlow;
use jiyun_ledger::Ledger;
use kube::{
    Resource,
    runtime::{
        Controller, Predicate, WatchStreamExt,
        controller::{Action, Config},
        predicates,
        reflector::{ObjectRef, Store},
        utils::PredicateConfig,
        watcher,
    },
};
use tokio_util::sync::CancellationToken;

use super::members::Fingerprints;
use crate::{
    claims::made_for,
    context::{Context, openings},
    driver::{Driver, drain, failed},
    engines::network::PolicyView,
    error::ReconcileError,
    watch::{Guarded, Kind},
};

/// Flows reconciled at the same time.
const CONCURRENCY: u16 = 8;

/// How often the ends of flows are looked at, at most: hosts come by the hundred.
const ENDS_EVERY: Duration = Duration::from_secs(1);

/// Reconciles flows until `stop`.
pub async fn run(
    flows: Kind<NetworkFlow, impl Stream<Item = Result<Guarded<NetworkFlow>, watcher::Error>> + Send + 'static>,
    policies: impl Stream<Item = Result<Guarded<PolicyView>, watcher::Error>> + Send + 'static,
    told: impl Stream<Item = ObjectRef<Guarded<NetworkFlow>>> + Send + 'static,
    context: Context,
    stop: CancellationToken,
) {
    // Our own status writes change neither generation nor finalizers, so they do not call us again.
    let wishes = context.unseen_flows.watching(flows.stream).predicate_filter(
        predicates::generation.combine(predicates::finalizers).combine(predicates::annotations),
        PredicateConfig::default(),
    );
    let ledger = context.ledger.clone();
    let ends = at_ends(context.ledger.clone(), flows.store.clone());
    let outcomes = Controller::for_stream(wishes, flows.store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .watches_stream(policies, move |policy| made_for(&policy, super::KIND, &ledger))
        .reconcile_on(stream::select(told, ends))
        .reconcile_all_on(context.writer.trail().reopenings())
        .reconcile_all_on(openings([&context.orders_listed, &context.policies_listed, &context.networks_listed]))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, failed, Driver::new(context));
    drain(outcomes).await;
}

/// Flows at whose ends other machines are than before, whenever the book has changed.
fn at_ends(
    ledger: Ledger,
    flows: Store<Guarded<NetworkFlow>>,
) -> impl Stream<Item = ObjectRef<Guarded<NetworkFlow>>> + Send {
    let begin = (ledger.revisions(), ledger, flows, HashMap::<String, u64>::new());
    let rounds = stream::unfold(begin, |(mut revisions, ledger, flows, before)| async move {
        tokio::time::sleep(ENDS_EVERY).await;
        revisions.changed().await.ok()?;
        let mut now = HashMap::new();
        let changed: Vec<_> = ledger.read(|state| {
            let mut fingerprints = Fingerprints::default();
            let mut changed = Vec::new();
            for flow in flows.state() {
                let meta = flow.meta();
                let Some(uid) = meta.uid.clone() else { continue };
                let Some(claim) = state.claim_of_subject(&uid) else { continue };
                let fingerprint = fingerprints.of(claim, state);
                if before.get(&uid) != Some(&fingerprint) {
                    changed.push(ObjectRef::from_obj(flow.as_ref()));
                }
                now.insert(uid, fingerprint);
            }
            changed
        });
        Some((stream::iter(changed), (revisions, ledger, flows, now)))
    });
    rounds.flatten()
}

async fn reconcile(
    flow: Arc<Guarded<NetworkFlow>>,
    driver: Arc<Driver<NetworkFlow>>,
) -> Result<Action, ReconcileError> {
    let Ok(readable) = &flow.0 else { return Ok(Action::await_change()) };
    driver.counted(&flow, Box::pin(super::reconcile(readable, &driver.context))).await
}
