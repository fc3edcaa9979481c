//! Kinds that are looked at, booked and reported on, and need nothing on an engine: one driver for all of them.
//!
//! A kind implements [`Settled`]: what is found out about an object (and recorded in the ledger on the way). The driver
//! watches, calls it, writes the conditions where they differ, and tries again after failures.

mod approval_policy;
mod catalogue_kinds;
mod compute_pool;
mod department;
mod handover;
mod information_system;
mod network_zone;
mod pool;
mod price_list;
mod site;
mod storage_pool;

use std::{sync::Arc, time::Duration};

use futures::{Stream, future::BoxFuture};
use jiff::Timestamp;
use jiyun_crds::v1alpha1::{ConditionStatus, ConditionType, Reason, condition::Finding};
use jiyun_messages::Parameters;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api, Client, ResourceExt,
    runtime::{
        Controller,
        controller::{Action, Config},
        watcher,
    },
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    conditions::{finding, merged},
    context::{Context, NOT_LISTED, openings},
    driver::{Driver, drain, failed},
    error::ReconcileError,
    watch::{Guarded, Kind, Watched},
};

pub use department::{book_accounts, following_access, following_people};
pub use network_zone::UnreadableEntry;
pub use site::following_sites;

/// Objects of one kind settled at the same time; they are few, and each costs a request or two.
const CONCURRENCY: u16 = 8;

/// How often an object is looked at again whatever happened: it refers to others that are not watched on its behalf.
/// Nothing is written where nothing changed.
const AGAIN: Duration = Duration::from_mins(1);

/// When to look again at what waits for something that tells nobody: claims being released, a quarantine, a parent made
/// by the same command as its children.
const SOON: Duration = Duration::from_secs(5);

/// The condition that [`crate::totals`] owns.
const OVER_LIMIT: &str = "OverLimit";

/// A kind without engine objects.
pub trait Settled: Watched {
    /// Where this object is written.
    fn home(&self, client: Client) -> Api<Self>;

    /// Finds out how the object stands, and books what is to be booked. Also called for objects being deleted.
    fn settle<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Outcome, ReconcileError>>;

    /// The conditions it carries.
    fn conditions(&self) -> &[Condition];

    /// The generation its status speaks of.
    fn observed_generation(&self) -> Option<i64>;

    /// Whether its status says all of `further`, what is found out beside conditions: asked of kinds where that changes
    /// while no condition does.
    fn says(&self, further: &Value) -> bool {
        let _ = further;
        true
    }
}

/// What came of looking at an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What was found out.
    pub findings: Vec<Finding>,
    /// Status fields beside conditions and generation.
    pub status: Value,
    /// When to look again; [`AGAIN`] where the kind knows nothing better.
    pub again: Duration,
    /// The object is gone, or leaves: no status is written.
    pub gone: bool,
}

impl Outcome {
    /// These findings and nothing else.
    pub fn found(findings: Vec<Finding>) -> Self {
        Self { findings, status: json!({}), again: AGAIN, gone: false }
    }

    /// Not ready, for this reason, said with this code; looked at again soon.
    pub fn waiting(reason: Reason, code: &str, about: &Parameters) -> Self {
        let found = finding(ConditionType::Ready, ConditionStatus::False, reason, code, about);
        Self { again: SOON, ..Self::found(vec![found]) }
    }

    /// Kept until the ledger was checked: the book that says how much is held may be the wrong one.
    pub fn paused() -> Self {
        Self::waiting(Reason::Quarantined, "DeletionPaused", &Parameters::new())
    }

    /// Nothing is left to report on.
    pub fn gone() -> Self {
        Self { gone: true, ..Self::found(Vec::new()) }
    }
}

/// Settles every object of kind `K` until `stop`.
pub async fn run<K: Settled>(
    kind: Kind<K, impl Stream<Item = Result<Guarded<K>, watcher::Error>> + Send + 'static>,
    triggers: impl Stream<Item = ()> + Send + 'static,
    context: Context,
    stop: CancellationToken,
) {
    let outcomes = Controller::for_stream(kind.stream, kind.store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_all_on(triggers)
        .reconcile_all_on(context.writer.trail().reopenings())
        .reconcile_all_on(openings([&context.catalogue_listed]))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(settle::<K>, failed::<K>, Driver::new(context));
    drain(outcomes).await;
}

async fn settle<K: Settled>(object: Arc<Guarded<K>>, driver: Arc<Driver<K>>) -> Result<Action, ReconcileError> {
    let Ok(readable) = &object.0 else { return Ok(Action::await_change()) };
    if !driver.context.catalogue_listed.is_open() {
        return Ok(Action::requeue(NOT_LISTED));
    }
    driver.counted(&object, settle_one(readable, &driver.context)).await
}

async fn settle_one<K: Settled>(object: &K, context: &Context) -> Result<Action, ReconcileError> {
    let outcome = object.settle(context).await?;
    if outcome.gone {
        return Ok(Action::await_change());
    }
    let generation = object.meta().generation;
    // What is over its limit is found out elsewhere, and written under another name.
    let before: Vec<_> =
        object.conditions().iter().filter(|condition| condition.type_ != OVER_LIMIT).cloned().collect();
    let conditions = merged(&before, outcome.findings, generation, Timestamp::now());
    if conditions != before || object.observed_generation() != generation || !object.says(&outcome.status) {
        let mut status = json!({"conditions": conditions, "observedGeneration": generation});
        if let (Some(status), Some(further)) = (status.as_object_mut(), outcome.status.as_object()) {
            status.extend(further.clone());
        }
        context.writer.apply_status(&object.home(context.client.clone()), &object.name_any(), &status).await?;
    }
    Ok(Action::requeue(outcome.again))
}

/// The parts of [`Settled`] that read the same for every kind.
macro_rules! reported {
    (cluster) => {
        fn home(&self, client: kube::Client) -> kube::Api<Self> {
            kube::Api::all(client)
        }
        $crate::settled::reported!();
    };
    (namespaced) => {
        fn home(&self, client: kube::Client) -> kube::Api<Self> {
            kube::Api::namespaced(client, self.metadata.namespace.as_deref().unwrap_or_default())
        }
        $crate::settled::reported!();
    };
    () => {
        fn conditions(&self) -> &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition] {
            self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
        }
        fn observed_generation(&self) -> Option<i64> {
            self.status.as_ref().and_then(|status| status.observed_generation)
        }
    };
}
pub(crate) use reported;
