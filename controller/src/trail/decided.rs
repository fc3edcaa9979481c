//! Orders: who agreed to what, who did not, and what it came to; once each, when the order's status says so.

use jiff::Timestamp;
use jiyun_crds::{
    names::department_of_namespace,
    v1alpha1::{ApprovalDecision, CountedDecision, Order, OrderStatus},
};
use jiyun_trail::core::{
    action::Action, actor::Actor, content::Content, object::Object, outcome::Outcome, record::Record,
};
use kube::ResourceExt;
use serde_json::json;

use super::recorder::{Recorder, controller};
use crate::order::phase::{self, Phase};

impl Recorder {
    /// Records what `after` says of an order and `before` did not.
    pub fn decided(&self, before: &Order, after: &Order) {
        for record in records(before, after, Timestamp::now()) {
            self.note(record);
        }
    }
}

fn records(before: &Order, after: &Order, at: Timestamp) -> Vec<Record> {
    let told = |order: &Order| order.status.clone().unwrap_or_default();
    let (was, is) = (told(before), told(after));
    let news = |decision: &&CountedDecision| was.decisions.iter().all(|known| known.approval != decision.approval);
    let mut records: Vec<_> = is.decisions.iter().filter(news).map(|decision| by_a_person(after, decision)).collect();
    if phase::of(before) != phase::of(after) {
        records.extend(by_the_platform(after, &is, at));
    }
    records
}

fn by_a_person(order: &Order, decision: &CountedDecision) -> Record {
    let CountedDecision { approval, level, user, decision, at, on_behalf_of } = decision;
    let action = match decision {
        ApprovalDecision::Approve => Action::Approve,
        ApprovalDecision::Refuse => Action::Refuse,
    };
    let at = at.timestamp().unwrap_or(Timestamp::UNIX_EPOCH);
    let acted_for = Some(on_behalf_of.join(", ")).filter(|groups| !groups.is_empty());
    let actor = Actor { on_behalf_of: acted_for, ..Actor::new(user) };
    let mut record = about(order, Record::new(at, actor, action, object(order), Outcome::Succeeded));
    record.role = Some(level.clone());
    record.request = Some(format!("approval-{approval}"));
    record
}

/// What it came to; nothing while people are at it.
fn by_the_platform(order: &Order, status: &OrderStatus, at: Timestamp) -> Option<Record> {
    let (action, outcome) = match phase::of(order) {
        Phase::New | Phase::Open | Phase::Fulfilled => return None,
        Phase::Approved => (Action::Approve, Outcome::Succeeded),
        Phase::Over(reason) => (Action::Refuse, Outcome::refused(reason.as_str())),
    };
    let mut actor = controller();
    actor.on_behalf_of = status.applicants.first().cloned();
    let mut record = about(order, Record::new(at, actor, action, object(order), outcome));
    record.after = Some(Content::of(json!({
        "items": order.spec.items, "digest": status.digest, "policies": status.policies,
        "applicants": status.applicants, "ignored": status.ignored, "refusal": status.refusal,
    })));
    Some(record)
}

fn about(order: &Order, record: Record) -> Record {
    let department = order.metadata.namespace.as_deref().and_then(department_of_namespace).map(str::to_owned);
    Record { department, order: Some(order.name_any()), ..record }
}

fn object(order: &Order) -> Object {
    let object = Object::new("Order", order.name_any()).within(order.namespace().unwrap_or_default());
    object.with_uid(order.uid().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(approved: (&str, &str), decisions: &[(&str, &str)]) -> Order {
        let decisions: Vec<_> = decisions
            .iter()
            .map(|(user, decision)| {
                json!({"approval": format!("a-{user}"), "level": "leader", "user": user, "decision": decision,
                       "at": "2026-11-26T02:00:00Z"})
            })
            .collect();
        serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Order",
            "metadata": {"name": "o", "namespace": "dept-tax", "uid": "u"},
            "spec": {"systemRef": {"name": "s"}, "items": []},
            "status": {"decisions": decisions, "applicants": ["zhang"], "conditions": [
                {"type": "Approved", "status": approved.0, "reason": approved.1, "message": "",
                 "lastTransitionTime": "2026-11-26T00:00:00Z"}]},
        }))
        .unwrap()
    }

    fn told(before: &Order, after: &Order) -> Vec<(Action, String, Outcome)> {
        let records = records(before, after, Timestamp::UNIX_EPOCH);
        assert!(records.iter().all(|record| record.department.as_deref() == Some("tax")));
        assert!(records.iter().all(|record| record.order.as_deref() == Some("o")));
        records.into_iter().map(|record| (record.action, record.actor.name, record.result)).collect()
    }

    #[test]
    fn each_decision_is_recorded_once_under_the_name_of_who_made_it() {
        let open = order(("Unknown", "AwaitingApproval"), &[]);
        let one = order(("Unknown", "AwaitingApproval"), &[("li", "Approve")]);
        assert_eq!(told(&open, &one), [(Action::Approve, "li".to_owned(), Outcome::Succeeded)]);
        assert_eq!(told(&one, &one), []);
    }

    #[test]
    fn whoever_decided_for_others_is_recorded_with_the_group_they_acted_for() {
        let open = order(("Unknown", "AwaitingApproval"), &[]);
        let mut one = order(("Unknown", "AwaitingApproval"), &[("li", "Approve")]);
        let acted_for = |after: &Order| {
            let records = records(&open, after, Timestamp::UNIX_EPOCH);
            records.into_iter().map(|record| record.actor.on_behalf_of).collect::<Vec<_>>()
        };
        assert_eq!(acted_for(&one), [None]);
        one.status.as_mut().unwrap().decisions[0].on_behalf_of = vec!["tax-approvers".to_owned()];
        assert_eq!(acted_for(&one), [Some("tax-approvers".to_owned())]);
    }

    #[test]
    fn what_it_came_to_is_recorded_when_it_comes_to_that() {
        let open = order(("Unknown", "AwaitingApproval"), &[("li", "Approve")]);
        let through = order(("True", "Approved"), &[("li", "Approve")]);
        assert_eq!(told(&open, &through), [(Action::Approve, "jiyun-controller".to_owned(), Outcome::Succeeded)]);
        let refused = order(("False", "OrderRefused"), &[("li", "Approve"), ("wu", "Refuse")]);
        let (by_wu, by_us) = (Outcome::Succeeded, Outcome::refused("OrderRefused"));
        let expected =
            [(Action::Refuse, "wu".to_owned(), by_wu), (Action::Refuse, "jiyun-controller".to_owned(), by_us)];
        assert_eq!(told(&open, &refused), expected);
    }
}
