//! What waits for the caller to decide: in one department, in several, or in all of them. Only orders that the caller may
//! list are looked at.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use jiyun_crds::{
    names::department_of_namespace,
    v1alpha1::{Order, OrderStatus},
};
use kube::{ResourceExt, api::ListParams};

use super::{
    App,
    department::{is_missing, named},
    list::too_long,
    order::order_state,
};
use crate::{
    extract::DepartmentName,
    model::OrderState,
    problem::{Code, Problem},
    store::{Caller, KubernetesError, kubernetes::User},
};

/// Orders read at once.
const CHUNK: u32 = 500;

/// The most orders that may be open: of one department, or of all where all are read.
const MOST: usize = 5_000;

/// Departments read at the same time.
const AT_ONCE: usize = 4;

/// Orders that somebody has to decide about; the API server selects them.
const OPEN: &str = "status.level!=";

/// What those are told who may not list the orders of all departments, and named none.
const NAME_THEM: &str = "请列出要查看的单位，如 departments=finance,tax (name the departments to look at, as in \
    departments=finance,tax; only those who may see the orders of all may leave it out)";

impl App {
    /// The orders of `department` whose turn is with one of the caller's groups, the nearest deadline first.
    pub async fn inbox(&self, caller: &Caller, department: &DepartmentName) -> Result<Vec<Order>, Problem> {
        let (user, orders) = tokio::join!(caller.user(), orders_of(caller, department));
        Ok(waiting(orders?, &user?))
    }

    /// The same of several departments, or of all if none are named, which takes the right to list orders everywhere. Each
    /// order comes with its department.
    pub async fn inboxes(
        &self,
        caller: &Caller,
        departments: Option<Vec<DepartmentName>>,
    ) -> Result<Vec<(DepartmentName, Order)>, Problem> {
        let orders = async {
            let Some(departments) = departments else { return orders_everywhere(caller).await };
            let read = stream::iter(departments).map(|department| async move { orders_of(caller, &department).await });
            let read: Vec<Vec<Order>> = read.buffered(AT_ONCE).try_collect().await?;
            Ok(read.into_iter().flatten().collect())
        };
        let (user, orders) = tokio::join!(caller.user(), orders);
        let department = |order: Order| {
            let namespace = order.namespace()?;
            Some((DepartmentName::parse(department_of_namespace(&namespace)?)?, order))
        };
        Ok(waiting(orders?, &user?).into_iter().filter_map(department).collect())
    }
}

/// Those of `orders` that wait for `user`, the nearest deadline first.
fn waiting(orders: Vec<Order>, user: &User) -> Vec<Order> {
    let mut waiting: Vec<Order> = orders.into_iter().filter(|order| waits_for(order, user)).collect();
    waiting.sort_by_cached_key(|order| {
        let deadline = order.status.as_ref().and_then(|status| status.deadline.as_ref()?.timestamp().ok());
        (deadline.is_none(), deadline, order.metadata.namespace.clone(), order.metadata.name.clone())
    });
    waiting
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

/// The open orders of one department; 404 if it is not there, or not for this caller to see.
async fn orders_of(caller: &Caller, department: &DepartmentName) -> Result<Vec<Order>, Problem> {
    let told = |error| Problem::from_kubernetes(error, named(department));
    let orders = open_orders(caller, Some(&department.namespace()), told).await?;
    if orders.is_empty() && is_missing(caller, department).await {
        return Err(Problem::not_found(named(department)));
    }
    Ok(orders)
}

async fn orders_everywhere(caller: &Caller) -> Result<Vec<Order>, Problem> {
    let told = |error| match error {
        error @ KubernetesError::Forbidden(_) => {
            Problem::new(Code::InvalidParameter, [("name", "departments"), ("problem", NAME_THEM)]).because(error)
        }
        error => Problem::from_kubernetes(error, "orders"),
    };
    open_orders(caller, None, told).await
}

async fn open_orders(
    caller: &Caller,
    namespace: Option<&str>,
    told: impl Fn(KubernetesError) -> Problem,
) -> Result<Vec<Order>, Problem> {
    let mut chunk = ListParams::default().limit(CHUNK).fields(OPEN);
    let mut found: Vec<Order> = Vec::new();
    loop {
        let list = caller.list::<Order>(namespace, &chunk).await.map_err(&told)?;
        found.extend(list.items);
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(_) if found.len() >= MOST => return Err(too_long()),
            Some(token) => chunk.continue_token = Some(token),
            None => return Ok(found),
        }
    }
}
