//! Waiting for what becomes of an order. The API decides nothing.

use std::time::Duration;

use jiyun_crds::v1alpha1::{ConditionType, Order, condition::Reason};

use super::{condition, misfit, order_state};
use crate::{
    app::{App, host::Ordered, once::Created, waiting::Waited},
    extract::{DepartmentName, IfNoneMatch, etag},
    model::OrderState,
    problem::Problem,
    store::Caller,
};

impl App {
    /// Waits up to `wait` until an order is more than filed: held and waiting for people, granted, or not granted; or cannot
    /// be decided as it is.
    pub async fn await_order(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        created: Created<Order>,
        wait: Option<Duration>,
    ) -> Result<Ordered<Order>, Problem> {
        let Created { object: order, replayed } = created;
        let Some(wait) = wait else {
            let decided = if replayed { decided(&order) } else { None };
            return Ok(decided.unwrap_or_else(|| Ordered::Open { object: Box::new(order), waited: false }));
        };
        let Waited { object, waited } = self.wait_until(caller, department, order, wait, is_looked_at).await?;
        Ok(decided(&object).unwrap_or_else(|| Ordered::Open { object: Box::new(object), waited }))
    }

    /// Waits up to `wait` for news of an order that is now `seen`: for another version than those the caller has, or, where it
    /// has none, for another state.
    pub async fn await_news(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        seen: Order,
        known: &IfNoneMatch,
        wait: Duration,
    ) -> Result<(Order, bool), Problem> {
        let state = order_state(&seen);
        let is_news = |order: &Order| {
            if known.is_empty() {
                return order_state(order) != state;
            }
            !etag(order.metadata.resource_version.as_deref()).is_some_and(|tag| known.has(&tag))
        };
        let Waited { object, waited } = self.wait_until(caller, department, seen, wait, is_news).await?;
        Ok((object, waited))
    }
}

/// Whether the platform has made up its mind about what happens next. A reference it does not know may be an object made a
/// moment ago, which it has not seen yet.
fn is_looked_at(order: &Order) -> bool {
    let is_certain = |reason: &str| reason != Reason::UnknownReference.as_str();
    order_state(order) != OrderState::Filed || misfit(order).is_some_and(|misfit| is_certain(&misfit.reason))
}

/// What was decided on `order`; nothing if that is open.
fn decided(order: &Order) -> Option<Ordered<Order>> {
    match order_state(order) {
        OrderState::Filed | OrderState::AwaitingApproval => None,
        OrderState::Approved | OrderState::Fulfilled | OrderState::PartlyFailed => {
            Some(Ordered::Granted(Box::new(order.clone())))
        }
        OrderState::Refused | OrderState::Expired | OrderState::Withdrawn | OrderState::Superseded => {
            let condition = condition(order, ConditionType::Approved)?;
            let refusal = order.status.as_ref().and_then(|status| status.refusal.as_ref());
            // Which of the items asks for what ran short, nobody can say: it is the sum.
            let problem = Problem::refused(refusal, condition, "items");
            let problem = if problem.fault.field.is_some() { problem.about("items") } else { problem };
            Some(Ordered::Refused(Box::new(problem)))
        }
    }
}
