//! Doing something for every object of a kind, whenever it or something it depends on changes: the loop of the
//! simulators that write more than a status.

use std::fmt::Debug;
use std::future::ready;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use kube::Resource;
use kube::api::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{self, ObjectRef};
use serde::de::DeserializeOwned;

use super::runner::observe;

/// Objects of one kind worked on at the same time.
const CONCURRENCY: u16 = 16;
/// Until a failed attempt is repeated.
const RETRY: Duration = Duration::from_millis(500);

/// What wakes the loop beside the objects themselves.
pub(crate) struct Wakes<A, S> {
    /// One item: look at all objects.
    pub(crate) all: A,
    /// Look at these objects.
    pub(crate) some: S,
}

/// Runs for ever. `act` returns after which time it wants to see the object again even if nothing changes.
pub(crate) async fn follow<K, F, A, S>(
    api: Api<K>,
    resource: K::DynamicType,
    wakes: Wakes<A, S>,
    act: impl Fn(Arc<K>) -> F + Send + Sync + 'static,
) where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Clone + Debug + Eq + Hash + Unpin + Send + Sync + 'static,
    F: Future<Output = Result<Option<Duration>, kube::Error>> + Send + 'static,
    A: Stream<Item = ()> + Send + 'static,
    S: Stream<Item = ObjectRef<K>> + Send + 'static,
{
    let kind = K::kind(&resource).into_owned();
    let writer = reflector::store::Writer::new(resource.clone());
    let reader = writer.as_reader();
    // A failed watch is tried again by itself; seen by the controller it would hold back its other triggers too.
    let stream = observe(&kind, api).reflect(writer).applied_objects().filter_map(|event| ready(event.ok().map(Ok)));
    Controller::for_stream_with(stream, reader, resource)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_all_on(wakes.all)
        .reconcile_on(wakes.some)
        .run(
            |object, act| {
                let work = act(object);
                async move { work.await.map(|again| again.map_or_else(Action::await_change, Action::requeue)) }
            },
            |_, _, _| Action::requeue(RETRY),
            Arc::new(act),
        )
        .for_each(|outcome| {
            if let Err(error) = outcome {
                tracing::debug!(%error, "a simulator's step failed and is tried again");
            }
            ready(())
        })
        .await;
}

/// Takes an answer that means "somebody was faster" (409, 404, 422) for success: the change is on its way here.
pub(crate) fn unless_overtaken<T>(answer: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match answer {
        Err(kube::Error::Api(refusal)) if [404, 409, 422].contains(&refusal.code) => {
            tracing::debug!(%refusal, "a simulator was overtaken");
            Ok(())
        }
        answer => answer.map(drop),
    }
}
