//! Waiting until an object is as somebody would like to see it: by a watch in the caller's name, or by looking again.

use std::time::Duration;

use futures::StreamExt;
use kube::ResourceExt;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    App,
    noun::{Noun, called},
};
use crate::{
    extract::DepartmentName,
    problem::Problem,
    store::{Caller, KubernetesError, kubernetes::Change},
};

/// How long to pause before looking again after a watch has ended or was not allowed.
const PAUSE: Duration = Duration::from_millis(500);

/// An object after a wait.
#[derive(Debug)]
pub struct Waited<K> {
    /// As it was last seen.
    pub object: K,
    /// Whether it was waited for: not where too many wait already.
    pub waited: bool,
}

impl App {
    /// Waits up to `wait` until an object, which is now `last`, `holds`; gives it as it was last seen.
    pub(super) async fn wait_until<K: Noun>(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        last: K,
        wait: Duration,
        holds: impl Fn(&K) -> bool,
    ) -> Result<Waited<K>, Problem> {
        let Ok(_place) = self.waiting.try_acquire() else { return Ok(Waited { object: last, waited: false }) };
        let deadline = Instant::now() + wait;
        let mut last = last;
        while !holds(&last) {
            let next = async {
                tokio::select! {
                    next = next_version(caller, &last, deadline) => next,
                    () = self.stopping.cancelled() => Next::Nothing,
                }
            };
            match timeout_at(deadline, next).await.unwrap_or(Next::Nothing) {
                Next::Object(object) => last = *object,
                Next::Gone => return Err(Problem::not_found(called::<K>(department, &last.name_any()))),
                Next::Nothing | Next::Hidden => break,
            }
        }
        Ok(Waited { object: last, waited: true })
    }
}

/// What came next.
enum Next<K> {
    /// The object has changed, or was looked at again.
    Object(Box<K>),
    /// It is gone.
    Gone,
    /// The time is over.
    Nothing,
    /// The caller may order but not look.
    Hidden,
}

/// The next version of `last`: by a watch, or by looking again where the watch ended.
async fn next_version<K: Noun>(caller: &Caller, last: &K, deadline: Instant) -> Next<K> {
    let (namespace, name) = (last.namespace(), last.name_any());
    let left = deadline.saturating_duration_since(Instant::now());
    let version = last.resource_version().unwrap_or_default();
    match caller.watch::<K>(namespace.as_deref(), &name, &version, left).await {
        Ok(changes) => {
            futures::pin_mut!(changes);
            match changes.next().await {
                Some(Ok(Change::Now(object))) => return Next::Object(object),
                Some(Ok(Change::Gone)) => return Next::Gone,
                Some(Err(error)) => tracing::debug!(%error, "a watch is interrupted"),
                None => {}
            }
        }
        Err(error) => tracing::debug!(%error, "an object cannot be watched"),
    }
    loop {
        sleep(PAUSE).await;
        match caller.get::<K>(namespace.as_deref(), &name).await {
            Ok(object) if object.uid() == last.uid() => return Next::Object(Box::new(object)),
            Ok(_) | Err(KubernetesError::NotFound(_)) => return Next::Gone,
            Err(KubernetesError::Forbidden(_) | KubernetesError::Unauthenticated) => return Next::Hidden,
            Err(error) => tracing::debug!(%error, "an object cannot be looked at"),
        }
    }
}
