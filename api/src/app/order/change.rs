//! Completing an order, and withdrawing it.

use jiyun_crds::v1alpha1::Order;

use super::order_state;
use crate::{
    app::{App, noun::called},
    extract::{ObjectPath, Version},
    model::{OrderPatch, OrderState},
    problem::{Code, Problem},
    store::{Caller, Run},
};

impl App {
    /// Merges `wish` into an order; with `version`, only while it is of that version. What was decided cannot be withdrawn.
    pub async fn change_order(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        wish: OrderPatch,
        version: Option<&Version>,
        run: Run,
    ) -> Result<Order, Problem> {
        if wish.withdraws() {
            let state = order_state(&self.look::<Order>(caller, path).await?);
            if state.is_over() && state != OrderState::Withdrawn {
                return Err(not_open(path, state));
            }
        }
        self.change::<Order>(caller, path, wish.into_spec(), version, run).await
    }
}

/// 409: nobody can decide about the order, or withdraw it.
pub(in crate::app) fn not_open(path: &ObjectPath, state: OrderState) -> Problem {
    let what = called::<Order>(&path.department, path.name.as_str());
    Problem::new(Code::OrderNotOpen, [("what", what), ("state", <&str>::from(state).to_owned())])
}
