//! Handovers (移交): systems and their hosts go from one department to another, host by host, and run on meanwhile.
//!
//! Of each host: it is marked, so that nobody changes it; an object of the same spec is made in the other department,
//! marked too, so that nothing is asked for it; the ledger gives the claim to that object, which is the one moment that
//! counts; the new object's mark is taken off; the old object is deleted, and leaves without its claim. After a death
//! anywhere the same look at both departments and the ledger finds the step that is due.

mod build;
mod carry;
mod found;
mod plan;
mod progress;
mod valid;

use std::time::Duration;

use futures::future::BoxFuture;
use jiyun_crds::{
    names::FINALIZER_HANDOVER,
    v1alpha1::{ConditionType, Handover, HandoverStatus, condition},
};
use kube::{Api, ResourceExt};
use serde_json::Value;

use self::{carry::Carrier, progress::Progress};
use super::{Outcome, Settled};
use crate::{context::Context, error::ReconcileError};

/// Hosts carried over in one look: what was reached is shown in between.
const AT_ONCE: usize = 25;

/// When to go on where more is to be done.
const AT_ONCE_AGAIN: Duration = Duration::from_millis(50);

/// When to look again at what is on its way.
const UNDER_WAY: Duration = Duration::from_secs(1);

impl Settled for Handover {
    super::reported!(cluster);

    fn settle<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        Box::pin(settle(self, context))
    }

    fn says(&self, further: &Value) -> bool {
        let said = self.status.clone().unwrap_or_default();
        Progress::of(&said).status() == *further
    }
}

async fn settle(handover: &Handover, context: &Context) -> Result<Outcome, ReconcileError> {
    let before = handover.status.clone().unwrap_or_default();
    let completed = condition::is_true(&before.conditions, ConditionType::Completed);
    if handover.metadata.deletion_timestamp.is_some() {
        return cancel(handover, completed, &before, context).await;
    }
    if completed {
        return Ok(Progress::of(&before).completed());
    }
    if context.quarantined() {
        return Ok(Progress::of(&before).paused());
    }
    let found = found::dereference(handover, context).await?;
    let route = match valid::validate(handover, &found) {
        Ok(route) => route,
        Err(rejection) => return Ok(Progress::of(&before).rejected(&rejection)),
    };
    // By the ledger's own clock, since it is compared with what the ledger records.
    let since = Progress::of(&before).started().unwrap_or_else(|| context.ledger.read(jiyun_ledger::State::at));
    let moved = || context.ledger.read(|state| plan::moved(state, &route, since));
    if !condition::is_true(&before.conditions, ConditionType::Ready) {
        // It is told that it makes sense before anything goes: who finds a system gone later knows where it went.
        let remaining = found.hosts.iter().filter(|host| route.concerns(host)).count();
        return Ok(Progress::begun(since, moved(), remaining));
    }
    let mut carrier = Carrier::new(&route, &found, context);
    let round = carrier.carry(AT_ONCE).await?;
    let again = if round.more { AT_ONCE_AGAIN } else { UNDER_WAY };
    let emptied = round.remaining == 0 && carrier.systems_left().await? == 0;
    let progress = Progress::after(since, moved(), &round);
    Ok(if emptied { progress.ended(jiff::Timestamp::now()).completed() } else { progress.under_way(again) })
}

/// What has gone over stays there, what is halfway is brought to one of its ends, and the object goes.
async fn cancel(
    handover: &Handover,
    completed: bool,
    before: &HandoverStatus,
    context: &Context,
) -> Result<Outcome, ReconcileError> {
    if !handover.finalizers().iter().any(|finalizer| finalizer == FINALIZER_HANDOVER) {
        return Ok(Outcome::gone());
    }
    if !completed {
        if context.quarantined() {
            return Ok(Progress::of(before).paused());
        }
        let found = found::dereference(handover, context).await?;
        let route = valid::withdrawn(handover);
        let round = Carrier::new(&route, &found, context).carry(AT_ONCE).await?;
        if round.more || round.waiting > 0 {
            return Ok(Progress::of(before).withdrawn(UNDER_WAY));
        }
    }
    context.writer.remove_finalizer(&Api::all(context.client.clone()), handover, FINALIZER_HANDOVER).await?;
    Ok(Outcome::gone())
}
