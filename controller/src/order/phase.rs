//! Where an order stands, read off its own conditions: the one place that says what may follow what.

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{ConditionStatus, ConditionType, Order, Reason, condition};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was said about it.
    New,
    /// It is held, or waits to be; people have to agree.
    Open,
    /// Everybody agreed; it is being done.
    Approved,
    /// All of it was done, or what could be.
    Fulfilled,
    /// It is not granted and never will be.
    Over(Reason),
}

/// Where `order` stands.
pub fn of(order: &Order) -> Phase {
    let conditions = order.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let Some(approved) = condition::find(conditions, ConditionType::Approved) else { return Phase::New };
    let is = |condition: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition, status: ConditionStatus| {
        condition.status == status.as_str()
    };
    if is(approved, ConditionStatus::False) {
        return Phase::Over(approved.reason.parse().unwrap_or(Reason::OrderRefused));
    }
    if !is(approved, ConditionStatus::True) {
        return Phase::Open;
    }
    let fulfilled = condition::find(conditions, ConditionType::Fulfilled);
    let over = |found: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
        is(found, ConditionStatus::True) || found.reason == Reason::PartlyFailed.as_str()
    };
    if fulfilled.is_some_and(over) { Phase::Fulfilled } else { Phase::Approved }
}

/// When everybody had agreed, as far as they have.
pub fn approved_at(order: &Order) -> Option<Timestamp> {
    let approved = condition::find(&order.status.as_ref()?.conditions, ConditionType::Approved)?;
    (approved.status == ConditionStatus::True.as_str()).then_some(approved.last_transition_time.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn phase(conditions: &[(&str, &str, &str)]) -> Phase {
        let conditions: Vec<_> = conditions
            .iter()
            .map(|(kind, status, reason)| {
                json!({"type": kind, "status": status, "reason": reason, "message": "",
                       "lastTransitionTime": "2026-11-26T00:00:00Z"})
            })
            .collect();
        let order = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Order", "metadata": {"name": "o"},
            "spec": {"systemRef": {"name": "s"}, "items": []}, "status": {"conditions": conditions},
        });
        of(&serde_json::from_value(order).unwrap())
    }

    #[test]
    fn every_combination_of_conditions_is_one_phase() {
        for (conditions, expected) in [
            (&[][..], Phase::New),
            (&[("Accepted", "False", "UnknownReference")], Phase::New),
            (&[("Approved", "Unknown", "AwaitingApproval")], Phase::Open),
            (&[("Approved", "False", "OrderRefused")], Phase::Over(Reason::OrderRefused)),
            (&[("Approved", "False", "OrderExpired")], Phase::Over(Reason::OrderExpired)),
            (&[("Approved", "False", "OrderWithdrawn")], Phase::Over(Reason::OrderWithdrawn)),
            (&[("Approved", "False", "OrderSuperseded")], Phase::Over(Reason::OrderSuperseded)),
            (&[("Approved", "False", "ExceedsLimit")], Phase::Over(Reason::ExceedsLimit)),
            (&[("Approved", "True", "Approved")], Phase::Approved),
            (&[("Approved", "True", "Automatic"), ("Fulfilled", "False", "Fulfilling")], Phase::Approved),
            (&[("Approved", "True", "Approved"), ("Fulfilled", "True", "Fulfilled")], Phase::Fulfilled),
            (&[("Approved", "True", "Approved"), ("Fulfilled", "False", "PartlyFailed")], Phase::Fulfilled),
        ] {
            assert_eq!(phase(conditions), expected, "{conditions:?}");
        }
    }
}
