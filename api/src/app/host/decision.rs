//! Relaying the controller's decision to whoever asked to wait for it. The API decides nothing.

use std::time::Duration;

use futures::StreamExt;
use jiyun_crds::v1alpha1::CloudHost;
use kube::ResourceExt;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    app::{
        App,
        noun::called,
        once::Created,
        verdict::{Verdict, verdict},
    },
    extract::DepartmentName,
    problem::Problem,
    store::{Caller, KubernetesError, kubernetes::Change},
};

/// How long to pause before looking again after a watch has ended or was not allowed.
const PAUSE: Duration = Duration::from_millis(500);

/// What became of an order.
#[derive(Debug)]
pub enum Ordered {
    /// Granted: the host as it is.
    Granted(Box<CloudHost>),
    /// Not decided within the time asked for: the host as it was last seen.
    Open {
        /// The host.
        host: Box<CloudHost>,
        /// Whether it was waited for.
        waited: bool,
    },
    /// Decided against.
    Refused(Box<Problem>),
}

impl App {
    /// Waits up to `wait` for the decision on a host, as it was created. What an earlier request has created may have been
    /// decided on already: that is told without waiting.
    pub async fn await_decision(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        created: Created<CloudHost>,
        wait: Option<Duration>,
    ) -> Result<Ordered, Problem> {
        let Created { object: host, replayed } = created;
        if replayed && let Some(ordered) = decided(&host) {
            return Ok(ordered);
        }
        let Some(wait) = wait else { return Ok(Ordered::Open { host: Box::new(host), waited: false }) };
        let Ok(_place) = self.waiting.try_acquire() else {
            return Ok(Ordered::Open { host: Box::new(host), waited: false });
        };
        let deadline = Instant::now() + wait;
        let mut last = host;
        loop {
            if let Some(ordered) = decided(&last) {
                return Ok(ordered);
            }
            let next = async {
                tokio::select! {
                    next = next_version(caller, &last, deadline) => next,
                    () = self.stopping.cancelled() => Next::Nothing,
                }
            };
            match timeout_at(deadline, next).await.unwrap_or(Next::Nothing) {
                Next::Host(host) => last = *host,
                Next::Gone => return Err(Problem::not_found(called::<CloudHost>(department, &last.name_any()))),
                Next::Nothing | Next::Hidden => return Ok(Ordered::Open { host: Box::new(last), waited: true }),
            }
        }
    }
}

/// What was decided on `host`; nothing if that is open.
fn decided(host: &CloudHost) -> Option<Ordered> {
    match verdict(host) {
        Verdict::Granted => Some(Ordered::Granted(Box::new(host.clone()))),
        Verdict::Refused(condition) => {
            let refusal = host.status.as_ref().and_then(|status| status.refusal.as_ref());
            Some(Ordered::Refused(Box::new(Problem::refused(refusal, condition))))
        }
        Verdict::Open => None,
    }
}

/// What came next.
enum Next {
    /// The host has changed, or was looked at again.
    Host(Box<CloudHost>),
    /// It is gone.
    Gone,
    /// The time is over.
    Nothing,
    /// The caller may order but not look.
    Hidden,
}

/// The next version of `last`: by a watch, or by looking again where the watch ended.
async fn next_version(caller: &Caller, last: &CloudHost, deadline: Instant) -> Next {
    let (namespace, name) = (last.namespace(), last.name_any());
    let left = deadline.saturating_duration_since(Instant::now());
    let version = last.resource_version().unwrap_or_default();
    match caller.watch::<CloudHost>(namespace.as_deref(), &name, &version, left).await {
        Ok(changes) => {
            futures::pin_mut!(changes);
            match changes.next().await {
                Some(Ok(Change::Now(host))) => return Next::Host(host),
                Some(Ok(Change::Gone)) => return Next::Gone,
                Some(Err(error)) => tracing::debug!(%error, "the watch on a host is interrupted"),
                None => {}
            }
        }
        Err(error) => tracing::debug!(%error, "a host cannot be watched"),
    }
    loop {
        sleep(PAUSE).await;
        match caller.get::<CloudHost>(namespace.as_deref(), &name).await {
            Ok(host) if host.uid() == last.uid() => return Next::Host(Box::new(host)),
            Ok(_) | Err(KubernetesError::NotFound(_)) => return Next::Gone,
            Err(KubernetesError::Forbidden(_) | KubernetesError::Unauthenticated) => return Next::Hidden,
            Err(error) => tracing::debug!(%error, "a host cannot be looked at"),
        }
    }
}
