//! Orders (申请单): how one stands, read off its conditions.

mod change;
mod decision;
mod file;
mod hosts;

use jiyun_crds::v1alpha1::{
    ConditionStatus, ConditionType, Order, OrderStatus,
    condition::{Reason, find},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::noun::Noun;
use crate::model::OrderState;

pub(super) use change::not_open;

impl Noun for Order {
    const LETTER: char = 'o';

    fn state_word(&self) -> &'static str {
        order_state(self).into()
    }
}

/// How far `order` has come, in one word.
pub fn order_state(order: &Order) -> OrderState {
    let Some(approved) = condition(order, ConditionType::Approved) else { return OrderState::Filed };
    if is(approved, ConditionStatus::False) {
        return match approved.reason.parse() {
            Ok(Reason::OrderExpired) => OrderState::Expired,
            Ok(Reason::OrderWithdrawn) => OrderState::Withdrawn,
            Ok(Reason::OrderSuperseded) => OrderState::Superseded,
            _ => OrderState::Refused,
        };
    }
    if is(approved, ConditionStatus::True) {
        return match condition(order, ConditionType::Fulfilled) {
            Some(fulfilled) if is(fulfilled, ConditionStatus::True) => OrderState::Fulfilled,
            Some(fulfilled) if fulfilled.reason == Reason::PartlyFailed.as_str() => OrderState::PartlyFailed,
            _ => OrderState::Approved,
        };
    }
    // A number may be taken away again while people look: then nobody's decision counts until it is back.
    let awaits = approved.reason == Reason::AwaitingApproval.as_str() && misfit(order).is_none();
    if awaits { OrderState::AwaitingApproval } else { OrderState::Filed }
}

/// What the platform says about an order that cannot be decided as it is.
fn misfit(order: &Order) -> Option<&Condition> {
    condition(order, ConditionType::Accepted).filter(|accepted| is(accepted, ConditionStatus::False))
}

fn condition(order: &Order, kind: ConditionType) -> Option<&Condition> {
    find(order.status.as_ref().map(|OrderStatus { conditions, .. }| conditions.as_slice()).unwrap_or_default(), kind)
}

fn is(condition: &Condition, status: ConditionStatus) -> bool {
    condition.status == status.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(conditions: &[(&str, &str, &str)]) -> OrderState {
        let shown = |(kind, status, reason): &(&str, &str, &str)| {
            json!({"type": kind, "status": status, "reason": reason, "message": "",
                "lastTransitionTime": "2026-11-26T00:00:00Z"})
        };
        let conditions: Vec<_> = conditions.iter().map(shown).collect();
        let order = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "Order", "metadata": {"name": "o"},
            "spec": {"systemRef": {"name": "s"}, "items": []}, "status": {"conditions": conditions}});
        order_state(&serde_json::from_value(order).unwrap())
    }

    #[test]
    fn every_combination_of_conditions_is_one_word() {
        let approved = ("Approved", "True", "Approved");
        for (conditions, expected) in [
            (&[][..], OrderState::Filed),
            (&[("Accepted", "False", "EvidenceMissing")], OrderState::Filed),
            (&[("Approved", "Unknown", "Undecided")], OrderState::Filed),
            (&[("Approved", "Unknown", "AwaitingApproval")], OrderState::AwaitingApproval),
            (
                &[("Accepted", "False", "EvidenceMissing"), ("Approved", "Unknown", "AwaitingApproval")],
                OrderState::Filed,
            ),
            (&[("Approved", "False", "OrderRefused")], OrderState::Refused),
            (&[("Approved", "False", "ExceedsLimit")], OrderState::Refused),
            (&[("Approved", "False", "OrderExpired")], OrderState::Expired),
            (&[("Approved", "False", "OrderWithdrawn")], OrderState::Withdrawn),
            (&[("Approved", "False", "OrderSuperseded")], OrderState::Superseded),
            (&[approved, ("Fulfilled", "False", "Fulfilling")], OrderState::Approved),
            (&[approved, ("Fulfilled", "True", "Fulfilled")], OrderState::Fulfilled),
            (&[approved, ("Fulfilled", "False", "PartlyFailed")], OrderState::PartlyFailed),
        ] {
            assert_eq!(state(conditions), expected, "{conditions:?}");
        }
    }
}
