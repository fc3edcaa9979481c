//! What all controllers share around a reconciliation: time, outcome, delay after failures, one log line a failure.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt};
use kube::{
    ResourceExt,
    runtime::{
        controller::{self, Action},
        reflector::ObjectRef,
        watcher,
    },
};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::{
    context::Context,
    error::{ReconcileError, chain},
    retry::Backoff,
    watch::{Guarded, Watched},
};

/// Reads have no deadline of their own; a connection that died unseen would keep its object waiting for ever. Ending a
/// reconciliation anywhere is safe: it must survive a crash between any two steps.
const DEADLINE: Duration = Duration::from_mins(2);

/// One controller's companion.
pub struct Driver<K: Watched> {
    /// What reconcilers are given.
    pub context: Context,
    backoff: Backoff<ObjectRef<Guarded<K>>>,
    kind: String,
}

impl<K: Watched> Driver<K> {
    /// For the controller of kind `K`.
    pub fn new(context: Context) -> Arc<Self> {
        Arc::new(Self { context, backoff: Backoff::default(), kind: K::kind(&()).into_owned() })
    }

    /// Awaits one reconciliation of `object` and counts how it went.
    ///
    /// # Errors
    /// The reconciliation's own.
    pub async fn counted(
        &self,
        object: &Guarded<K>,
        reconciliation: impl Future<Output = Result<Action, ReconcileError>>,
    ) -> Result<Action, ReconcileError> {
        let started = Instant::now();
        // Nothing is decided, applied or ended that could not be recorded.
        let outcome = match self.context.writer.trail().check() {
            Ok(()) => timeout(DEADLINE, reconciliation).await.unwrap_or(Err(ReconcileError::Timeout)),
            Err(unwritable) => Err(unwritable.into()),
        };
        let word = if outcome.is_ok() { "ok" } else { "error" };
        self.context.metrics.reconciled(&self.kind, word, started.elapsed());
        if outcome.is_ok() {
            self.backoff.succeeded(&ObjectRef::from_obj(object));
        }
        outcome
    }
}

/// Counts and tells a failure, and says when to try again.
#[allow(clippy::needless_pass_by_value, reason = "the signature kube calls")]
pub fn failed<K: Watched>(object: Arc<Guarded<K>>, error: &ReconcileError, driver: Arc<Driver<K>>) -> Action {
    let delay = driver.backoff.failed(ObjectRef::from_obj(object.as_ref()));
    driver.context.metrics.failed(&driver.kind, error.reason());
    warn!(
        kind = driver.kind,
        namespace = object.namespace(),
        name = object.name_any(),
        error = chain(error),
        retry_ms = delay.as_millis(),
        "not reconciled; it is tried again"
    );
    Action::requeue(delay)
}

/// Runs a controller's stream to its end. Failures were counted and logged where they happened; what is left says that
/// an object went while it waited in the queue.
pub async fn drain<K: Watched>(
    outcomes: impl Stream<Item = Result<(ObjectRef<Guarded<K>>, Action), controller::Error<ReconcileError, watcher::Error>>>,
) {
    outcomes
        .for_each(|outcome| async move {
            if let Err(error) = outcome {
                debug!(error = %error, "queue");
            }
        })
        .await;
}
