//! What an order's status says somebody has to be told: those who have to decide, and then those who asked.
//!
//! There is at most one notice of an order at a time. Whoever could not be reached before a reminder is told with the
//! reminder, and not of what has passed since.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use jiyun_approvals::{Calendar, Turn, Window};
use jiyun_crds::{
    names::department_of_namespace,
    v1alpha1::{
        ConditionStatus, ConditionType, HostRefusal, Order, OrderStatus, Reason, RequiredLevel, condition::find,
    },
};
use jiyun_messages::{Parameters, parameters, refusal_code};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::{Event, Notice, Recipients, Subject};

/// What the API server calls programs: they ask, and nobody writes to them.
pub(crate) const PROGRAMS: &str = "system:";

/// Which results are still told.
#[derive(Clone, Copy, Debug)]
pub struct Horizon {
    /// Now.
    pub now: Timestamp,
    /// When notices were first sent: what was decided before is not told.
    pub begun: Timestamp,
    /// How long after a decision it is told, and tried again.
    pub keep: SignedDuration,
}

/// What somebody has to be told about `order` now.
pub fn of_order(order: &Order, calendar: &Calendar, horizon: Horizon) -> Option<Notice> {
    let status = order.status.as_ref()?;
    let approved = find(&status.conditions, ConditionType::Approved)?;
    if order.metadata.deletion_timestamp.is_some() {
        return None;
    }
    if approved.status == ConditionStatus::Unknown.as_str() {
        let is_unfit = find(&status.conditions, ConditionType::Accepted)
            .is_some_and(|accepted| accepted.status == ConditionStatus::False.as_str());
        return if is_unfit { None } else { waiting(order, status, calendar, horizon.now) };
    }
    let at = approved.last_transition_time.0;
    let is_told = at >= horizon.begun && horizon.now.duration_since(at) < horizon.keep;
    if is_told { result(order, status, approved) } else { None }
}

/// Whether nothing will be told of `order` any more, and for `margin` longer: what is kept of it can go.
pub fn matter_is_over(order: &Order, horizon: Horizon, margin: SignedDuration) -> bool {
    let conditions = order.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    find(conditions, ConditionType::Approved).is_some_and(|approved| {
        let age = horizon.now.duration_since(approved.last_transition_time.0);
        approved.status != ConditionStatus::Unknown.as_str() && age >= horizon.keep.saturating_add(margin)
    })
}

/// Whose turn it is, and how long it has been.
fn waiting(order: &Order, status: &OrderStatus, calendar: &Calendar, now: Timestamp) -> Option<Notice> {
    let name = status.level.as_ref()?;
    let at = status.levels.iter().position(|level| level.name == *name)?;
    let level = status.levels.get(at)?;
    let since = since(status, status.levels.get(..at)?)?;
    let window = Window::of(level, since, calendar).ok()?;
    let turn = Turn { level: name.clone(), since, window };
    let (event, from) = stage(level, &turn, now)?;
    let word = match event {
        Event::OrderReminder => "reminder",
        Event::OrderEscalated => "escalated",
        _ => "waiting",
    };
    let groups: BTreeSet<String> = turn.groups(level, now).cloned().collect();
    let deadline = if now < window.deadline { window.deadline } else { window.end };
    let mut facts = facts(order, status);
    facts.extend(parameters([
        ("level", name.clone()),
        ("groups", groups.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
        ("until", deadline.to_string()),
    ]));
    let subject = Subject::of("Order", &order.metadata)?;
    Some(Notice {
        id: format!("{}-{name}-{word}", subject.uid),
        event,
        at: from,
        subject,
        level: Some(name.clone()),
        deadline: Some(deadline),
        to: Recipients { groups, users: status.deputies.iter().cloned().collect() },
        facts,
        reason: None,
    })
}

/// What those whose turn it is are told, and from when on; nothing once their time is over.
fn stage(level: &RequiredLevel, turn: &Turn, now: Timestamp) -> Option<(Event, Timestamp)> {
    let Window { remind_at, deadline, end } = turn.window;
    if now >= end {
        return None;
    }
    if now >= deadline && !level.escalate_to.is_empty() {
        return Some((Event::OrderEscalated, deadline));
    }
    match remind_at.filter(|moment| now >= *moment) {
        Some(moment) => Some((Event::OrderReminder, moment)),
        None => Some((Event::OrderWaiting, turn.since)),
    }
}

/// When the turn came: the levels before had agreed, the first level's comes when the order is accepted. As
/// `jiyun_approvals::weigh` counts it.
fn since(status: &OrderStatus, before: &[RequiredLevel]) -> Option<Timestamp> {
    let accepted = status.accepted_at.as_ref()?.timestamp().ok()?;
    let earlier = |name: &String| before.iter().any(|level| level.name == *name);
    let decided = status.decisions.iter().filter(|decision| earlier(&decision.level));
    Some(decided.filter_map(|decision| decision.at.timestamp().ok()).fold(accepted, Timestamp::max))
}

/// What it came to. Who withdrew or changed it knows, and what a policy lets through waited for nobody.
fn result(order: &Order, status: &OrderStatus, approved: &Condition) -> Option<Notice> {
    let reason = approved.reason.parse().unwrap_or(Reason::OrderRefused);
    let (event, word) = match reason {
        Reason::Approved => (Event::OrderApproved, "approved"),
        Reason::OrderExpired => (Event::OrderExpired, "expired"),
        Reason::Automatic | Reason::OrderWithdrawn | Reason::OrderSuperseded => return None,
        _ => (Event::OrderRefused, "refused"),
    };
    let subject = Subject::of("Order", &order.metadata)?;
    let asked = status.applicants.iter().filter(|name| !name.starts_with(PROGRAMS));
    let why = status.refusal.as_ref().filter(|_| event != Event::OrderApproved).map(told);
    Some(Notice {
        id: format!("{}-{word}", subject.uid),
        event,
        at: approved.last_transition_time.0,
        subject,
        level: None,
        deadline: None,
        to: Recipients { groups: BTreeSet::new(), users: asked.cloned().collect() },
        facts: facts(order, status),
        reason: why,
    })
}

fn told(refusal: &HostRefusal) -> (String, Parameters) {
    let pairs = refusal.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.value.clone()));
    let about: Parameters = pairs.collect();
    (refusal_code(&refusal.code, &about).to_owned(), about)
}

/// What every sentence about an order may say.
fn facts(order: &Order, status: &OrderStatus) -> Parameters {
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let people: Vec<_> = status.applicants.iter().filter(|name| !name.starts_with(PROGRAMS)).cloned().collect();
    let items: Vec<_> = order.spec.items.iter().map(|item| item.name.clone()).collect();
    let namespace = order.metadata.namespace.as_deref().unwrap_or_default();
    parameters([
        ("order", order.metadata.name.clone().unwrap_or_default()),
        ("department", department_of_namespace(namespace).unwrap_or_default().to_owned()),
        ("system", order.spec.system_ref.name.clone()),
        ("items", or_dash(items.join(", "))),
        ("applicants", or_dash(people.join(", "))),
        ("justification", or_dash(order.spec.justification.clone().unwrap_or_default())),
    ])
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
