//! What all simulators share: watching one kind, taking one step at a time, writing only when something changes.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt as _};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Object, Patch, PatchParams, PostParams};
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::follow::unless_overtaken;
use super::{Fault, Simulation};

/// Objects of one kind worked on at the same time. Two cores and one etcd are busy with far fewer than this.
const CONCURRENCY: u16 = 32;

/// An engine's object as a simulator reads it: only the fields it needs, all of them optional.
pub(super) type View<P, U> = Object<P, U>;

/// What a simulator wants to happen next to an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Nothing, until the object or something it depends on changes.
    Rest,
    /// After the engine's usual time `takes` (stretched by pace and faults) write this status.
    Status {
        /// How long an engine takes.
        takes: Duration,
        /// Merged into the object's status.
        status: Value,
    },
    /// As `Status`, but after exactly this time, whatever the pace.
    StatusAfter {
        /// How long.
        wait: Duration,
        /// Merged into the object's status.
        status: Value,
    },
    /// Create an object the engine would create, in the same namespace.
    Create(ApiResource, Value),
    /// Read the object whole, and create what its engine derives from it.
    Derive,
    /// Merge this into the object of another kind that has the same name.
    Change(ApiResource, Value),
    /// After the engine's usual time `takes` delete the object of another kind that has the same name.
    Delete {
        /// How long an engine takes.
        takes: Duration,
        /// The kind.
        resource: ApiResource,
    },
}

/// One engine's behaviour: a function from what is seen to the next step.
pub(super) trait Engine: Send + Sync + 'static {
    /// The spec as read.
    type Spec: DeserializeOwned + Clone + Debug + Send + Sync + 'static;
    /// The status as read.
    type Status: DeserializeOwned + Clone + Debug + Send + Sync + 'static;

    /// The kind.
    fn resource() -> ApiResource;

    /// The next step for one object.
    fn step(&self, object: &View<Self::Spec, Self::Status>, simulation: &Simulation) -> Step;

    /// What is created of an object for [`Step::Derive`], in the same namespace.
    fn derived(_whole: &DynamicObject) -> Option<(ApiResource, Value)> {
        None
    }
}

type Guarded<E> = DeserializeGuard<View<<E as Engine>::Spec, <E as Engine>::Status>>;

struct Context<E> {
    engine: E,
    simulation: Simulation,
    memory: Mutex<HashMap<String, Memory>>,
}

/// What is remembered of one object, by its uid.
#[derive(Default)]
struct Memory {
    /// The resource version of our own last write; older copies of the object are yesterday's news.
    written: u64,
    /// A step that waits for its time: what it writes, and when.
    waiting: Option<(Value, Instant)>,
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct StepError(#[from] kube::Error);

/// Runs a simulator for ever. `others` names objects to look at again because something else changed.
pub(super) async fn run<E: Engine>(
    engine: E,
    simulation: Simulation,
    others: impl Stream<Item = ObjectRef<Guarded<E>>> + Send + 'static,
) where
    Guarded<E>: Clone + Debug + DeserializeOwned + Send + Sync,
{
    let resource = E::resource();
    let api: Api<Guarded<E>> = Api::all_with(simulation.client.clone(), &resource);
    let writer = reflector::store::Writer::new(resource.clone());
    let reader = writer.as_reader();
    let stream = observe(&resource.kind, api).reflect(writer).applied_objects();
    let changes = simulation.faults.changes();
    let context = Arc::new(Context { engine, simulation, memory: Mutex::default() });
    Controller::for_stream_with(isolated(&resource.kind, stream), reader, resource)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_all_on(changes)
        .reconcile_on(others)
        .run(step::<E>, |_, _, _| Action::requeue(Duration::from_millis(500)), context)
        .for_each(|outcome| {
            if let Err(error) = outcome {
                tracing::debug!(%error, "a simulator's step failed and is tried again");
            }
            ready(())
        })
        .await;
}

/// Watches a kind with a backoff of its own, without the part of the metadata nobody reads.
pub(super) fn observe<K>(
    kind: &str,
    api: Api<K>,
) -> impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + use<K>
where
    K: kube::Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    tracing::debug!(kind, "watching");
    let config = watcher::Config::default().timeout(120);
    watcher(api, config).default_backoff().modify(|object| object.meta_mut().managed_fields = None)
}

/// Keeps errors of a watch away from the controller, whose one backoff would hold back all its other watches.
fn isolated<T: Send + 'static>(
    kind: &str,
    stream: impl Stream<Item = watcher::Result<T>> + Send + 'static,
) -> impl Stream<Item = watcher::Result<T>> + Send + 'static {
    let kind = kind.to_owned();
    stream.filter_map(move |event| {
        if let Err(error) = &event {
            tracing::debug!(kind, %error, "a simulator's watch failed and is tried again");
        }
        ready(event.ok().map(Ok))
    })
}

async fn step<E: Engine>(object: Arc<Guarded<E>>, context: Arc<Context<E>>) -> Result<Action, StepError> {
    let object = match &object.0 {
        Ok(object) => object,
        Err(invalid) => {
            tracing::warn!(name = invalid.metadata.name, error = %invalid.error, "a simulator cannot read this object");
            return Ok(Action::await_change());
        }
    };
    let key = object.uid().unwrap_or_default();
    if object.metadata.deletion_timestamp.is_some() {
        context.forget(&key);
        return Ok(Action::await_change());
    }
    if context.is_outdated(&key, version(object.resource_version())) {
        return Ok(Action::await_change());
    }
    let simulation = &context.simulation;
    let stretched = |takes| {
        let slow = simulation.faults.befalls(Fault::Slow, &object.name_any());
        if slow { simulation.pace.slow(takes) } else { simulation.pace.of(takes) }
    };
    let (wait, status) = match context.engine.step(object, simulation) {
        Step::Rest => {
            context.rest(&key);
            return Ok(Action::await_change());
        }
        Step::Create(resource, body) => {
            create(&simulation.client, &resource, &object.namespace().unwrap_or_default(), body).await?;
            return Ok(Action::await_change());
        }
        Step::Derive => {
            let whole = beside(object, &E::resource(), simulation).get_opt(&object.name_any()).await?;
            if let Some((resource, body)) = whole.as_ref().and_then(E::derived) {
                create(&simulation.client, &resource, &object.namespace().unwrap_or_default(), body).await?;
            }
            return Ok(Action::await_change());
        }
        Step::Change(resource, body) => {
            let api = beside(object, &resource, simulation);
            let changed = api.patch(&object.name_any(), &PatchParams::default(), &Patch::Merge(body)).await;
            unless_overtaken(changed)?;
            return Ok(Action::await_change());
        }
        Step::Delete { takes, resource } => {
            if let Some(left) = context.time_left(&key, stretched(takes), &json!({"deleted": resource.kind})) {
                return Ok(Action::requeue(left));
            }
            let api = beside(object, &resource, simulation);
            unless_overtaken(api.delete(&object.name_any(), &DeleteParams::default()).await)?;
            context.rest(&key);
            return Ok(Action::await_change());
        }
        Step::Status { takes, status } => (stretched(takes), status),
        Step::StatusAfter { wait, status } => (wait, status),
    };
    if let Some(left) = context.time_left(&key, wait, &status) {
        return Ok(Action::requeue(left));
    }
    let api = beside(object, &E::resource(), simulation);
    let patch = Patch::Merge(json!({"status": status}));
    match api.patch_status(&object.name_any(), &PatchParams::default(), &patch).await {
        Ok(written) => context.wrote(&key, version(written.resource_version())),
        Err(kube::Error::Api(refusal)) if refusal.code == 404 => context.forget(&key),
        Err(error) => return Err(error.into()),
    }
    // Our own write comes back as an event and asks for the next step.
    Ok(Action::await_change())
}

/// Objects of a kind where `object` is.
fn beside<P: Clone, U: Clone>(
    object: &View<P, U>,
    resource: &ApiResource,
    simulation: &Simulation,
) -> Api<DynamicObject> {
    let client = simulation.client.clone();
    match &object.metadata.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, resource),
        None => Api::all_with(client, resource),
    }
}

async fn create(client: &Client, resource: &ApiResource, namespace: &str, body: Value) -> Result<(), kube::Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
    let object = serde_json::from_value(body).map_err(kube::Error::SerdeError)?;
    match api.create(&PostParams::default(), &object).await {
        Err(kube::Error::Api(refusal)) if refusal.code == 409 => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// Resource versions may be compared as numbers (KEP-5504, Kubernetes 1.35).
fn version(version: Option<String>) -> u64 {
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

impl<E> Context<E> {
    fn with<T>(&self, key: &str, act: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        act(memory.entry(key.to_owned()).or_default())
    }

    fn is_outdated(&self, key: &str, seen: u64) -> bool {
        self.with(key, |memory| seen < memory.written)
    }

    /// Time until the step is due; nothing if it is due now. A step other than the one remembered begins anew.
    fn time_left(&self, key: &str, wait: Duration, status: &Value) -> Option<Duration> {
        let now = Instant::now();
        self.with(key, |memory| {
            let due = match &memory.waiting {
                Some((waiting, due)) if same_step(waiting, status) => *due,
                _ => now + wait,
            };
            memory.waiting = Some((status.clone(), due));
            let left = due.saturating_duration_since(now);
            (!left.is_zero()).then_some(left)
        })
    }

    fn wrote(&self, key: &str, version: u64) {
        self.with(key, |memory| *memory = Memory { written: version, waiting: None });
    }

    fn rest(&self, key: &str) {
        self.with(key, |memory| memory.waiting = None);
    }

    fn forget(&self, key: &str) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Whether two steps are the same apart from the times in their conditions.
fn same_step(one: &Value, other: &Value) -> bool {
    let plain = |status: &Value| {
        let mut status = status.clone();
        for condition in status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(condition) = condition.as_object_mut() {
                condition.retain(|field, _| !field.starts_with("last"));
            }
        }
        status
    };
    plain(one) == plain(other)
}

/// A condition as engines write them, with its times set to now.
pub(super) fn condition(kind: &str, status: bool, reason: &str, message: &str, times: &[&str]) -> Value {
    let mut condition = json!({
        "type": kind,
        "status": if status { "True" } else { "False" },
        "reason": reason,
        "message": message,
    });
    if let Some(fields) = condition.as_object_mut() {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        fields.extend(times.iter().map(|time| ((*time).to_owned(), Value::from(now.clone()))));
    }
    condition
}
