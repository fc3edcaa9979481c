//! What waits for the caller to decide, in one department. Only orders that the caller may list are looked at.

use std::collections::BTreeSet;

use jiyun_crds::v1alpha1::{Order, OrderStatus};
use kube::api::ListParams;

use super::{
    App,
    department::{is_missing, named},
    list::too_long,
    order::order_state,
};
use crate::{
    extract::DepartmentName,
    model::OrderState,
    problem::Problem,
    store::{Caller, kubernetes::User},
};

/// Orders read at once.
const CHUNK: u32 = 500;

/// The most orders of one department that may be open.
const MOST: usize = 5_000;

/// Orders that somebody has to decide about; the API server selects them.
const OPEN: &str = "status.level!=";

impl App {
    /// The orders of `department` whose turn is with one of the caller's groups, the nearest deadline first.
    pub async fn inbox(&self, caller: &Caller, department: &DepartmentName) -> Result<Vec<Order>, Problem> {
        let (user, orders) = tokio::join!(caller.user(), open_orders(caller, department));
        let (user, orders) = (user?, orders?);
        if orders.is_empty() && is_missing(caller, department).await {
            return Err(Problem::not_found(named(department)));
        }
        let mut waiting: Vec<Order> = orders.into_iter().filter(|order| waits_for(order, &user)).collect();
        waiting.sort_by_cached_key(|order| {
            let deadline = order.status.as_ref().and_then(|status| status.deadline.as_ref()?.timestamp().ok());
            (deadline.is_none(), deadline, order.metadata.name.clone())
        });
        Ok(waiting)
    }
}

/// Whether `user` may decide about `order` now, and has not.
fn waits_for(order: &Order, user: &User) -> bool {
    let Some(OrderStatus { groups, applicants, decisions, .. }) = &order.status else { return false };
    let mine: BTreeSet<&String> = user.groups.iter().collect();
    order_state(order) == OrderState::AwaitingApproval
        && groups.iter().any(|group| mine.contains(group))
        && !applicants.contains(&user.name)
        && !decisions.iter().any(|decision| decision.user == user.name)
}

async fn open_orders(caller: &Caller, department: &DepartmentName) -> Result<Vec<Order>, Problem> {
    let namespace = department.namespace();
    let mut chunk = ListParams::default().limit(CHUNK).fields(OPEN);
    let mut found: Vec<Order> = Vec::new();
    loop {
        let list = caller.list::<Order>(Some(&namespace), &chunk).await;
        let list = list.map_err(|error| Problem::from_kubernetes(error, named(department)))?;
        found.extend(list.items);
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(_) if found.len() >= MOST => return Err(too_long()),
            Some(token) => chunk.continue_token = Some(token),
            None => return Ok(found),
        }
    }
}
