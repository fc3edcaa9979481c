//! Orders (申请单): set aside what is asked for, wait for those who have to agree, grant all of it or nothing.
//!
//! Pure parts: `phase` (where an order stands), `valid` (whether it can be decided at all), `report` (its status); the
//! verdict itself is `jiyun_approvals`. The ledger's hold is what keeps the promise made to approvers: what they agree to
//! is there.

pub mod answer;
mod ballots;
mod book;
mod delegation;
pub mod filing;
pub mod found;
pub mod mark;
pub mod phase;
mod report;
pub mod route;
mod run;
pub mod subject;
mod valid;

use std::{collections::BTreeSet, time::Duration};

use jiff::{Timestamp, ToSpan};
use jiyun_approvals::{Case, Outcome, Turn, Weighed, weigh};
use jiyun_crds::{
    names::{ANNOTATION_ORDER, department_namespace},
    v1alpha1::{Department, Order, OrderState},
};
use jiyun_messages::parameters;
use kube::{Api, Resource, ResourceExt, core::ObjectMeta, runtime::controller::Action};
use tracing::info;

use self::{
    book::Held,
    found::Found,
    phase::Phase,
    report::{Conclusion, Standing},
    valid::{Accepted, Unfit},
};
use crate::{catalogue::lookup, context::Context, error::ReconcileError, host::rejection::Rejection};

pub use ballots::Ballots;
pub use run::{Orders, Wakes, run};

/// When an order that cannot be decided yet is looked at again.
const UNSETTLED: Duration = Duration::from_secs(20);

/// When an open order is looked at again whatever happened.
const SETTLED: Duration = Duration::from_mins(10);

/// How soon to look again at what is being done, should an event be lost.
const SOON: Duration = Duration::from_secs(5);

/// How long a hold outlives the time to decide, in seconds: an approval given in the last moment is booked after it.
const MARGIN_SECONDS: i64 = 3600;

/// How long after the end an order is looked at for what was said before it, in seconds.
const LATE_SECONDS: i64 = 60;

/// Brings one order a step on.
///
/// # Errors
/// What did not work; the order is tried again.
pub async fn reconcile(order: &Order, context: &Context) -> Result<Action, ReconcileError> {
    let order = &*context.orders.unseen.freshest(order);
    if order.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    match phase::of(order) {
        Phase::Fulfilled => Ok(Action::await_change()),
        // A hold may have outlived the words: we died in between.
        Phase::Over(_) => {
            book::give_up(order, context).await?;
            Ok(Action::await_change())
        }
        Phase::Approved => fulfil(order, context).await,
        Phase::New | Phase::Open => decide(order, context).await,
    }
}

/// Accepts the order, holds what it asks for, counts the votes.
async fn decide(order: &Order, context: &Context) -> Result<Action, ReconcileError> {
    if order.spec.state == OrderState::Withdrawn {
        return conclude(order, None, &Conclusion::Withdrawn, context).await;
    }
    let now = Timestamp::now();
    let found = found::dereference(order, context).await?;
    let accepted = match valid::validate(order, &found, now) {
        Ok(accepted) => accepted,
        Err(Unfit::Rejected(rejection)) => return reject(order, rejection, context).await,
        Err(Unfit::Gone) => return conclude(order, None, &Conclusion::Withdrawn, context).await,
        Err(Unfit::Changed) => return conclude(order, None, &Conclusion::Superseded, context).await,
    };
    let weighed = match weighed(order, &accepted, &found, now, context) {
        Ok(weighed) => weighed,
        Err(rejection) => return reject(order, rejection, context).await,
    };
    let ends = match &weighed.outcome {
        Outcome::Open(turn) => turn.window.end,
        // Granted in a moment: long enough for that.
        Outcome::Approved { .. } => now,
        Outcome::Refused { user, level, reason } => {
            let about = parameters([("user", user.as_str()), ("level", level), ("reason", reason)]);
            return conclude(order, Some((&accepted, &weighed)), &Conclusion::Refused(about), context).await;
        }
        // What was said in the last second may still be on its way to us.
        Outcome::Expired { at, .. } if now.duration_since(*at).as_secs() < LATE_SECONDS => {
            return Ok(Action::requeue(Duration::from_secs(LATE_SECONDS.unsigned_abs())));
        }
        Outcome::Expired { level, at } => {
            let about = parameters([("level", level.clone()), ("at", at.to_string())]);
            return conclude(order, Some((&accepted, &weighed)), &Conclusion::Expired(about), context).await;
        }
    };
    let until = ends.checked_add(MARGIN_SECONDS.seconds()).unwrap_or(ends);
    match book::hold(&accepted, &found.items, order, until, context).await? {
        Held::All => {}
        Held::Void => return conclude(order, None, &Conclusion::Superseded, context).await,
        Held::BeyondGuaranteed => {
            // Nothing is written: who has to agree is found out anew.
            book::give_up(order, context).await?;
            return Ok(Action::requeue(SOON));
        }
        Held::Later(reason) => {
            let standing = Standing::Undecided { accepted: &accepted, weighed: &weighed, reason };
            report(order, &standing, now, context).await?;
            return Ok(Action::requeue(UNSETTLED));
        }
        Held::Refused(refusal) => {
            book::give_up(order, context).await?;
            let conclusion = Conclusion::NotHeld(refusal);
            return conclude(order, Some((&accepted, &weighed)), &conclusion, context).await;
        }
    }
    if let Outcome::Open(turn) = &weighed.outcome {
        let standing = Standing::Open { accepted: &accepted, weighed: &weighed, turn, units: &found.units };
        report(order, &standing, now, context).await?;
        return Ok(Action::requeue(next_look(turn, &found.units, now)));
    }
    // The word first: whoever comes after us knows that all of it is to be granted.
    let standing = Standing::Approved { accepted: &accepted, weighed: &weighed };
    let approved = report(order, &standing, now, context).await?;
    info!(order.namespace = order.namespace(), order.name = order.name_any(), "approved");
    Box::pin(fulfil(&approved, context)).await
}

fn next_look(turn: &Turn, units: &[Department], now: Timestamp) -> Duration {
    let next = turn.next(now).into_iter().chain(delegation::next_change(now, units)).min();
    let until = next.map(|moment| moment.duration_since(now).unsigned_abs());
    // A little after the moment, so that it has come.
    until.map_or(SETTLED, |until| (until + Duration::from_millis(100)).min(SETTLED))
}

/// What the votes come to; what stands in the way of counting them.
fn weighed(
    order: &Order,
    accepted: &Accepted,
    found: &Found,
    now: Timestamp,
    context: &Context,
) -> Result<Weighed, Rejection> {
    let applicants: BTreeSet<String> = accepted.applicants.iter().cloned().collect();
    let case = Case {
        order_uid: order.metadata.uid.as_deref().unwrap_or_default(),
        digest: &accepted.digest,
        levels: &accepted.requirement.levels,
        applicants: &applicants,
        since: accepted.at,
    };
    weigh(&case, &found.votes, &context.orders.calendar, now).map_err(|error| valid::no_calendar(&error))
}

/// Grants everything, has it made, and says so once it is.
async fn fulfil(order: &Order, context: &Context) -> Result<Action, ReconcileError> {
    let now = Timestamp::now();
    let items = found::items(order, context);
    match book::confirm(order, &items, now, context).await? {
        Held::All => {}
        Held::Later(_) | Held::BeyondGuaranteed => return Ok(Action::requeue(UNSETTLED)),
        Held::Void => return conclude(order, None, &Conclusion::Superseded, context).await,
        // What was held is gone, and somebody else has the room: nothing of it was granted.
        Held::Refused(refusal) => {
            book::give_up(order, context).await?;
            return conclude(order, None, &Conclusion::NotHeld(refusal), context).await;
        }
    }
    book::change(order, &items, context).await?;
    book::end(order, &items, context).await?;
    let after = found::items(order, context);
    if book::granted(order, &after) > book::granted(order, &items) {
        wake_items(order, context);
    }
    let progress = found::progress(order, &after);
    if progress.is_over() {
        // What was set aside for a change that is not asked for any more.
        book::give_up(order, context).await?;
    }
    report(order, &Standing::Fulfilling(&progress), now, context).await?;
    Ok(if progress.is_over() { Action::await_change() } else { Action::requeue(SOON) })
}

/// Says that an order cannot be decided as it is, and why.
async fn reject(order: &Order, rejection: Rejection, context: &Context) -> Result<Action, ReconcileError> {
    report(order, &Standing::Rejected(&rejection), Timestamp::now(), context).await?;
    Ok(Action::requeue(UNSETTLED))
}

/// Ends an order that is not granted: what was held is free again, and those who wait for it are told.
async fn conclude(
    order: &Order,
    decided: Option<(&Accepted, &Weighed)>,
    conclusion: &Conclusion,
    context: &Context,
) -> Result<Action, ReconcileError> {
    let concluded = Standing::Concluded { decided, conclusion };
    // The word first: a hold that is given up without it would be placed again.
    report(order, &concluded, Timestamp::now(), context).await?;
    book::give_up(order, context).await?;
    info!(
        order.namespace = order.namespace(),
        order.name = order.name_any(),
        reason = conclusion.reason().as_str(),
        "not granted"
    );
    Ok(Action::await_change())
}

/// Writes the status where it differs; gives the order as it is then.
async fn report(
    order: &Order,
    standing: &Standing<'_>,
    now: Timestamp,
    context: &Context,
) -> Result<Order, ReconcileError> {
    let status = report::status(order, standing, now);
    if !report::worth_writing(order, &status, now) {
        return Ok(order.clone());
    }
    let api = Api::<Order>::namespaced(context.client.clone(), &order.namespace().unwrap_or_default());
    // Of this very version: what another leader has written meanwhile is not written over.
    let written = context.writer.apply_status_at(&api, order, &serde_json::to_value(&status)?).await?;
    context.orders.unseen.wrote(Order::clone(&written));
    context.writer.trail().decided(order, &written);
    // Only then: objects and orders that called each other without a word would never stop.
    wake_items(&written, context);
    Ok(written)
}

/// When everybody had agreed to the order called `name`, as far as they have.
pub fn approved_at(namespace: &str, name: &str, context: &Context) -> Option<Timestamp> {
    let cached = lookup(&context.orders.store, Some(namespace), name);
    phase::approved_at(&context.orders.unseen.or_written(namespace, name, cached)?)
}

/// Has the open orders of the department called `name` looked at again: somebody may act for those who decide.
pub fn wake_open_orders(name: &str, context: &Context) {
    let namespace = department_namespace(name);
    for order in context.orders.store.state() {
        let is_here = order.meta().namespace.as_ref() == Some(&namespace);
        if is_here && order.0.as_ref().is_ok_and(|order| phase::of(order) == Phase::Open) {
            context.orders.wakes.order(&namespace, &order.name_any());
        }
    }
}

fn wake_items(order: &Order, context: &Context) {
    let namespace = order.namespace().unwrap_or_default();
    for item in &order.spec.items {
        context.orders.wakes.item(item.kind, &namespace, &item.name);
    }
}

/// Has the open orders looked at that wait for an object: the one that decides it, the one it was about before (`told`),
/// and the one it names.
pub fn wake_orders(object: &ObjectMeta, told: [Option<&str>; 2], context: &Context) {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let marked = object.annotations.as_ref().and_then(|all| all.get(ANNOTATION_ORDER)).map(String::as_str);
    let orders: BTreeSet<&str> = told.into_iter().chain([marked]).flatten().collect();
    let open = |name: &&str| {
        let order = lookup(&context.orders.store, Some(namespace), name);
        order.is_some_and(|order| !matches!(phase::of(&order), Phase::Fulfilled | Phase::Over(_)))
    };
    for name in orders.into_iter().filter(open) {
        context.orders.wakes.order(namespace, name);
    }
}
