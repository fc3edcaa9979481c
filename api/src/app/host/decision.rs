//! Relaying the controller's decision to whoever asked to wait for it. The API decides nothing.

use std::time::Duration;

use crate::{
    app::{
        App,
        noun::Decidable,
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
    /// Waits up to `wait` for the decision on an object, as it was created. What an earlier request has created may have been
    /// decided on already: that is told without waiting.
    pub async fn await_decision<K: Decidable>(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        created: Created<K>,
        wait: Option<Duration>,
    ) -> Result<Ordered<K>, Problem> {
        let Created { object, replayed } = created;
        if replayed && let Some(ordered) = decided(&object) {
            return Ok(ordered);
        }
        let Some(wait) = wait else { return Ok(Ordered::Open { object: Box::new(object), waited: false }) };
        let is_decided = |object: &K| decided(object).is_some();
        let Waited { object, waited } = self.wait_until(caller, department, object, wait, is_decided).await?;
        Ok(decided(&object).unwrap_or_else(|| Ordered::Open { object: Box::new(object), waited }))
    }
}

/// What was decided on `object`; nothing if that is open.
fn decided<K: Decidable>(object: &K) -> Option<Ordered<K>> {
    match verdict(object) {
        Verdict::Granted => Some(Ordered::Granted(Box::new(object.clone()))),
        Verdict::Refused(condition) => {
            let problem = Problem::refused(object.refusal(), condition, K::STORAGE);
            Some(Ordered::Refused(Box::new(problem)))
        }
        Verdict::Open => None,
    }
}
