//! Status: what an order's conditions say, computed from what was decided; written only where it differs.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiyun_approvals::{Turn, Weighed};
use jiyun_crds::v1alpha1::{
    ConditionStatus, ConditionType, DateTime, Department, HostRefusal, IgnoredApproval, Order, OrderStatus, Reason,
    condition, condition::Finding,
};
use jiyun_ledger::Refusal;
use jiyun_messages::{Parameters, parameters};

use super::{
    delegation,
    found::Progress,
    phase,
    valid::{Accepted, MAX_APPLICANTS},
};
use crate::{
    conditions::{finding, merged, plain},
    host::{
        rejection::Rejection,
        report::{in_parts, is_recent, reason, recorded},
    },
};

/// The most approvals of each kind a status names.
const MAX_NAMED: usize = 64;

/// The most deputies a status names.
const MAX_DEPUTIES: usize = 32;

/// How an order stands.
#[derive(Clone, Copy, Debug)]
pub enum Standing<'a> {
    /// It cannot be decided as it is.
    Rejected(&'a Rejection),
    /// It can, but not now.
    Undecided {
        /// What is decided about.
        accepted: &'a Accepted,
        /// What was said so far.
        weighed: &'a Weighed,
        /// Why not now.
        reason: Reason,
    },
    /// It is held; somebody has to agree.
    Open {
        /// What is decided about.
        accepted: &'a Accepted,
        /// What was said so far.
        weighed: &'a Weighed,
        /// Whose turn it is.
        turn: &'a Turn,
        /// Its department and those above it.
        units: &'a [Department],
    },
    /// Everybody agreed.
    Approved {
        /// What was decided about.
        accepted: &'a Accepted,
        /// What was said.
        weighed: &'a Weighed,
    },
    /// It is being done.
    Fulfilling(&'a Progress),
    /// It is not granted.
    Concluded {
        /// What was decided about and said, if it came to that.
        decided: Option<(&'a Accepted, &'a Weighed)>,
        /// Why.
        conclusion: &'a Conclusion,
    },
}

/// Why an order is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Somebody did not agree: who, at which level, why.
    Refused(Parameters),
    /// Nobody decided in time: which level, when.
    Expired(Parameters),
    /// Whoever asked does not any more, or an item went.
    Withdrawn,
    /// An item was changed.
    Superseded,
    /// The ledger has no room for it.
    NotHeld(Box<Refusal>),
}

impl Conclusion {
    /// The reason of condition `Approved`.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Refused(_) => Reason::OrderRefused,
            Self::Expired(_) => Reason::OrderExpired,
            Self::Withdrawn => Reason::OrderWithdrawn,
            Self::Superseded => Reason::OrderSuperseded,
            Self::NotHeld(refusal) => reason(refusal.code),
        }
    }

    fn about(&self) -> Parameters {
        match self {
            Self::Refused(about) | Self::Expired(about) => about.clone(),
            Self::Withdrawn | Self::Superseded => Parameters::new(),
            Self::NotHeld(refusal) => refusal.parameters.clone(),
        }
    }

    fn recorded(&self) -> HostRefusal {
        match self {
            Self::NotHeld(refusal) => recorded(refusal),
            other => in_parts(other.reason().as_str().to_owned(), &other.about()),
        }
    }

    fn finding(&self) -> Finding {
        let (kind, no) = (ConditionType::Approved, ConditionStatus::False);
        let code = self.recorded().code;
        finding(kind, no, self.reason(), jiyun_messages::refusal_code(&code, &self.about()), &self.about())
    }
}

/// The status of `order` given its standing.
pub fn status(order: &Order, standing: &Standing<'_>, now: Timestamp) -> OrderStatus {
    let before = order.status.clone().unwrap_or_default();
    let mut status = OrderStatus { conditions: Vec::new(), observed_generation: order.metadata.generation, ..before };
    let conditions = order.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let yes = ConditionStatus::True;
    let valid = plain(ConditionType::Accepted, yes, Reason::Valid);
    let held = plain(ConditionType::Held, yes, Reason::Held);
    let findings = match *standing {
        Standing::Rejected(rejection) => {
            let Rejection { reason, code, parameters } = rejection;
            let told = finding(ConditionType::Accepted, ConditionStatus::False, *reason, code, parameters);
            status.refusal = Some(in_parts((*code).to_owned(), parameters));
            // The rest stands as it was found out before.
            let others = conditions.iter().filter(|condition| condition.type_ != ConditionType::Accepted.as_str());
            status.conditions = merged(conditions, vec![told], order.metadata.generation, now);
            status.conditions.extend(others.cloned());
            return status;
        }
        Standing::Undecided { accepted, weighed, reason } => {
            put(&mut status, accepted, weighed);
            vec![
                valid,
                not_held_yet(reason),
                finding(
                    ConditionType::Approved,
                    ConditionStatus::Unknown,
                    Reason::Undecided,
                    "Undecided",
                    &Parameters::new(),
                ),
            ]
        }
        Standing::Open { accepted, weighed, turn, units } => {
            put(&mut status, accepted, weighed);
            status.level = Some(turn.level.clone());
            status.groups = groups(accepted, turn, now);
            status.deputies = deputies(accepted, &status.groups, units, now);
            status.deadline = Some(DateTime::from(deadline(turn, now)));
            vec![valid, held, awaiting(accepted, turn, now)]
        }
        Standing::Approved { accepted, weighed } => {
            put(&mut status, accepted, weighed);
            let reason = if accepted.requirement.is_automatic() { Reason::Automatic } else { Reason::Approved };
            vec![
                valid,
                held,
                plain(ConditionType::Approved, yes, reason),
                plain(ConditionType::Fulfilled, ConditionStatus::False, Reason::Fulfilling),
            ]
        }
        Standing::Fulfilling(progress) => {
            let approved = conditions.iter().find(|condition| condition.type_ == ConditionType::Approved.as_str());
            let reason = approved.and_then(|condition| condition.reason.parse().ok()).unwrap_or(Reason::Approved);
            vec![
                valid,
                plain(ConditionType::Held, ConditionStatus::False, Reason::NotHeld),
                plain(ConditionType::Approved, yes, reason),
                fulfilled(progress),
            ]
        }
        Standing::Concluded { decided, conclusion } => {
            if let Some((accepted, weighed)) = decided {
                put(&mut status, accepted, weighed);
            }
            status.level = None;
            status.groups = Vec::new();
            status.deputies = Vec::new();
            status.deadline = None;
            status.refusal = Some(conclusion.recorded());
            vec![
                valid,
                plain(ConditionType::Held, ConditionStatus::False, Reason::NotHeld),
                conclusion.finding(),
                plain(ConditionType::Fulfilled, ConditionStatus::False, Reason::NotApproved),
            ]
        }
    };
    status.conditions = merged(conditions, findings, order.metadata.generation, now);
    status
}

/// Whether `after` is worth a request to the API server now. What was approved is usually there within moments: that it is
/// granted and on its way is told only once that takes longer.
pub fn worth_writing(order: &Order, after: &OrderStatus, now: Timestamp) -> bool {
    if order.status.as_ref() == Some(after) {
        return false;
    }
    let fulfilled = condition::find(&after.conditions, ConditionType::Fulfilled);
    let on_its_way = fulfilled.is_some_and(|fulfilled| fulfilled.reason == Reason::Fulfilling.as_str());
    !(on_its_way && phase::approved_at(order).is_some_and(|at| is_recent(at, now)))
}

/// That nothing, or not everything, is set aside yet.
fn not_held_yet(reason: Reason) -> Finding {
    let code = match reason {
        // A volume says which host it waits for; an order may have many.
        Reason::AwaitingHost => "OrderAwaitsHost",
        reason => reason.as_str(),
    };
    finding(ConditionType::Held, ConditionStatus::Unknown, reason, code, &Parameters::new())
}

fn put(status: &mut OrderStatus, accepted: &Accepted, weighed: &Weighed) {
    status.digest = Some(accepted.digest.clone());
    status.accepted_at = Some(DateTime::from(accepted.at));
    status.applicants = accepted.applicants.iter().take(MAX_APPLICANTS).cloned().collect();
    status.items.clone_from(&accepted.items);
    status.levels.clone_from(&accepted.requirement.levels);
    status.policies = accepted.requirement.policies.iter().take(MAX_NAMED).cloned().collect();
    status.level = None;
    status.groups = Vec::new();
    status.deputies = Vec::new();
    status.deadline = None;
    status.refusal = None;
    status.decisions = weighed.decisions.iter().take(MAX_NAMED).cloned().collect();
    let ignored = |(approval, why): &(String, jiyun_approvals::Ignored)| {
        let code: &str = why.into();
        IgnoredApproval { approval: approval.clone(), code: code.to_owned() }
    };
    status.ignored = weighed.ignored.iter().take(MAX_NAMED).map(ignored).collect();
}

/// Until when the level has: its own deadline, then that of those who may step in.
fn deadline(turn: &Turn, now: Timestamp) -> Timestamp {
    if now < turn.window.deadline { turn.window.deadline } else { turn.window.end }
}

/// Who may decide now, each group once.
fn groups(accepted: &Accepted, turn: &Turn, now: Timestamp) -> Vec<String> {
    let level = accepted.requirement.levels.iter().find(|level| level.name == turn.level);
    let groups: BTreeSet<&String> = level.map(|level| turn.groups(level, now).collect()).unwrap_or_default();
    groups.into_iter().cloned().collect()
}

/// Who may decide now for one of `groups`. Whoever asks does not, for nobody.
fn deputies(accepted: &Accepted, groups: &[String], units: &[Department], now: Timestamp) -> Vec<String> {
    let acting = delegation::deputies_of(groups, now, units).into_iter();
    acting.filter(|user| !accepted.applicants.contains(user)).take(MAX_DEPUTIES).collect()
}

fn awaiting(accepted: &Accepted, turn: &Turn, now: Timestamp) -> Finding {
    let about = parameters([
        ("level", turn.level.clone()),
        ("groups", groups(accepted, turn, now).join(", ")),
        ("deadline", deadline(turn, now).to_string()),
    ]);
    let (kind, unknown) = (ConditionType::Approved, ConditionStatus::Unknown);
    finding(kind, unknown, Reason::AwaitingApproval, "OrderAwaitsApproval", &about)
}

fn fulfilled(progress: &Progress) -> Finding {
    let kind = ConditionType::Fulfilled;
    let about = parameters([("failed", progress.failed.join(", ")), ("done", progress.done.join(", "))]);
    if !progress.is_over() {
        return plain(kind, ConditionStatus::False, Reason::Fulfilling);
    }
    if progress.failed.is_empty() {
        return plain(kind, ConditionStatus::True, Reason::Fulfilled);
    }
    finding(kind, ConditionStatus::False, Reason::PartlyFailed, "PartlyFailed", &about)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::host::report::PATIENCE_SECONDS;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// An order that everybody agreed to.
    fn agreed_to() -> Order {
        let approved = json!([{"type": "Approved", "status": "True", "reason": "Approved", "message": "",
                               "lastTransitionTime": at(9000).to_string()}]);
        serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Order", "metadata": {"name": "o"},
            "spec": {"systemRef": {"name": "s"}, "items": []}, "status": {"conditions": approved},
        }))
        .unwrap()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn that_an_approved_order_is_on_its_way_is_told_only_once_that_takes_longer() {
        let order = agreed_to();
        let told = |under_way: &[&str]| {
            let progress = Progress { under_way: names(under_way), ..Progress::default() };
            status(&order, &Standing::Fulfilling(&progress), at(9001))
        };
        assert!(!worth_writing(&order, &told(&["web-1"]), at(9001)));
        assert!(worth_writing(&order, &told(&["web-1"]), at(9000 + PATIENCE_SECONDS)));
        assert!(worth_writing(&order, &told(&[]), at(9001)), "what is done is told at once");
    }

    #[test]
    fn an_order_of_which_some_cannot_be_done_ends_once_the_rest_is_and_names_both_in_both_languages() {
        let mut order = agreed_to();
        let told = |under_way: &[&str], done: &[&str]| {
            let progress =
                Progress { under_way: names(under_way), done: names(done), failed: names(&["web-2", "web-3"]) };
            status(&order, &Standing::Fulfilling(&progress), at(9001))
        };
        let reason_and_message = |status: &OrderStatus| {
            let found = condition::find(&status.conditions, ConditionType::Fulfilled).unwrap();
            (found.status.clone(), found.reason.clone(), found.message.clone())
        };
        let (_, reason, _) = reason_and_message(&told(&["web-1"], &[]));
        assert_eq!(reason, "Fulfilling", "the rest is on its way");

        let ended = told(&[], &["web-1"]);
        let (is_fulfilled, reason, message) = reason_and_message(&ended);
        assert_eq!((is_fulfilled.as_str(), reason.as_str()), ("False", "PartlyFailed"));
        assert!(message.contains("部分未能完成：web-2, web-3；已完成：web-1。"), "{message}");
        assert!(message.contains("not done: web-2, web-3; done: web-1."), "{message}");
        let approved = condition::find(&ended.conditions, ConditionType::Approved).unwrap();
        assert_eq!((approved.status.as_str(), approved.reason.as_str()), ("True", "Approved"), "people did agree");
        assert!(worth_writing(&order, &ended, at(9001)));
        order.status = Some(ended);
        assert_eq!(phase::of(&order), phase::Phase::Fulfilled, "nobody waits for it any more");
    }
}
