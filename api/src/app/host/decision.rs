//! Relaying the controller's decision to whoever asked to wait for it. The API decides nothing.

use std::time::Duration;

use jiyun_crds::v1alpha1::CloudHost;

use crate::{
    app::{
        App,
        once::Created,
        verdict::{Verdict, verdict},
        waiting::Waited,
    },
    extract::DepartmentName,
    problem::Problem,
    store::Caller,
};

/// What became of what somebody asked for.
#[derive(Debug)]
pub enum Ordered<K> {
    /// Granted: the object as it is.
    Granted(Box<K>),
    /// Not decided within the time asked for: the object as it was last seen.
    Open {
        /// The object.
        object: Box<K>,
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
    ) -> Result<Ordered<CloudHost>, Problem> {
        let Created { object: host, replayed } = created;
        if replayed && let Some(ordered) = decided(&host) {
            return Ok(ordered);
        }
        let Some(wait) = wait else { return Ok(Ordered::Open { object: Box::new(host), waited: false }) };
        let is_decided = |host: &CloudHost| decided(host).is_some();
        let Waited { object, waited } = self.wait_until(caller, department, host, wait, is_decided).await?;
        Ok(decided(&object).unwrap_or_else(|| Ordered::Open { object: Box::new(object), waited }))
    }
}

/// What was decided on `host`; nothing if that is open.
fn decided(host: &CloudHost) -> Option<Ordered<CloudHost>> {
    match verdict(host) {
        Verdict::Granted => Some(Ordered::Granted(Box::new(host.clone()))),
        Verdict::Refused(condition) => {
            let refusal = host.status.as_ref().and_then(|status| status.refusal.as_ref());
            Some(Ordered::Refused(Box::new(Problem::refused(refusal, condition))))
        }
        Verdict::Open => None,
    }
}
