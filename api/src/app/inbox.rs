//! What waits for the caller: orders to decide about and leases that end, in one department, in several, or wherever they may
//! look. Only what the caller may list is looked at.

mod leases;
pub(super) mod reach;

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use jiyun_crds::{
    names::department_of_namespace,
    v1alpha1::{CloudHost, Order, OrderStatus},
};
use kube::{ResourceExt, api::ListParams};

use self::leases::Scope;
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

/// The most orders that may be open: of one department that is named, or of all that are read where none is.
const MOST: usize = 5_000;

/// Departments read at the same time.
const AT_ONCE: usize = 4;

/// Orders that somebody has to decide about; the API server selects them.
const OPEN: &str = "status.level!=";

/// What whoever named no department is told where there are too many to ask about each.
const NAME_THEM: &str = "单位太多，请列出要查看的单位，如 departments=finance,tax (there are too many departments: name those to \
    look at, as in departments=finance,tax)";

/// What waits for a caller, each with its department.
pub struct Waiting {
    /// Orders to decide about, the nearest deadline first.
    pub orders: Vec<(DepartmentName, Order)>,
    /// Hosts whose lease ends soon or has ended, the nearest end first.
    pub leases: Vec<(DepartmentName, CloudHost)>,
}

impl App {
    /// The orders of `department` whose turn is with one of the caller's groups or one they act for, and its leases that end.
    pub async fn inbox(&self, caller: &Caller, department: &DepartmentName) -> Result<Waiting, Problem> {
        let (user, orders) = tokio::join!(caller.user(), orders_of(caller, department));
        let user = user?;
        let orders = waiting(orders?, &user).into_iter().map(|order| (department.clone(), order)).collect();
        let leases = self.ending_leases(caller, &user, Scope::Of(vec![department.clone()])).await?;
        Ok(Waiting { orders, leases })
    }

    /// The same of several departments, or, if none are named, of all in which the caller may list orders.
    pub async fn inboxes(&self, caller: &Caller, departments: Option<Vec<DepartmentName>>) -> Result<Waiting, Problem> {
        let named = departments.clone();
        let orders = async {
            let Some(departments) = departments else { return self.orders_in_reach(caller).await };
            let read = stream::iter(departments).map(|department| async move { orders_of(caller, &department).await });
            let read: Vec<Vec<Order>> = read.buffered(AT_ONCE).try_collect().await?;
            Ok(read.into_iter().flatten().collect())
        };
        let (user, orders) = tokio::join!(caller.user(), orders);
        let (user, orders) = (user?, orders?);
        let scope = match named {
            Some(departments) => Scope::Of(departments),
            // Asked for the orders a moment ago, unless those of all could be listed.
            None => self.known_reach(caller).map_or(Scope::All, |reach| Scope::Of(reach.to_vec())),
        };
        let leases = self.ending_leases(caller, &user, scope).await?;
        let placed = |order: Order| Some((department_of(&order)?, order));
        Ok(Waiting { orders: waiting(orders, &user).into_iter().filter_map(placed).collect(), leases })
    }

    /// The open orders of all departments, or of those in which the caller may list them.
    async fn orders_in_reach(&self, caller: &Caller) -> Result<Vec<Order>, Problem> {
        let departments = match self.known_reach(caller) {
            Some(departments) => departments,
            None => match orders_everywhere(caller).await? {
                Some(orders) => return Ok(orders),
                None => self.reach(caller).await?,
            },
        };
        let read = stream::iter(departments.to_vec()).map(|department| async move {
            let _turn = self.turn().await;
            orders_if_visible(caller, &department).await
        });
        let all = read.buffered(AT_ONCE).try_fold(Vec::new(), async |mut all: Vec<Order>, orders| {
            all.extend(orders);
            if all.len() > MOST { Err(too_long()) } else { Ok(all) }
        });
        all.await
    }
}

/// The department that an object is in.
fn department_of(object: &impl ResourceExt) -> Option<DepartmentName> {
    DepartmentName::parse(department_of_namespace(&object.namespace()?)?)
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
    let Some(OrderStatus { groups, deputies, applicants, decisions, .. }) = &order.status else { return false };
    let mine: BTreeSet<&String> = user.groups.iter().collect();
    order_state(order) == OrderState::AwaitingApproval
        && (groups.iter().any(|group| mine.contains(group)) || deputies.contains(&user.name))
        && !applicants.contains(&user.name)
        && !decisions.iter().any(|decision| decision.user == user.name)
}

/// The open orders of one department; 404 if it is not there, or not for this caller to see.
async fn orders_of(caller: &Caller, department: &DepartmentName) -> Result<Vec<Order>, Problem> {
    let read = open_orders(caller, Some(&department.namespace())).await;
    let orders = read.map_err(|trouble| trouble.about(named(department)))?;
    if orders.is_empty() && is_missing(caller, department).await {
        return Err(Problem::not_found(named(department)));
    }
    Ok(orders)
}

/// The open orders of one department that the caller could see a minute ago; none if it is not there, or not theirs to see,
/// by now.
async fn orders_if_visible(caller: &Caller, department: &DepartmentName) -> Result<Vec<Order>, Problem> {
    open_orders(caller, Some(&department.namespace())).await.or_else(|trouble| match trouble {
        Trouble::Refused(error) if error.is_invisible() => Ok(Vec::new()),
        trouble => Err(trouble.about(named(department))),
    })
}

/// The open orders of all departments; none for whoever may not list those of all.
async fn orders_everywhere(caller: &Caller) -> Result<Option<Vec<Order>>, Problem> {
    match open_orders(caller, None).await {
        Ok(orders) => Ok(Some(orders)),
        Err(Trouble::Refused(KubernetesError::Forbidden(_))) => Ok(None),
        Err(trouble) => Err(trouble.about("orders".to_owned())),
    }
}

fn name_them() -> Problem {
    Problem::new(Code::InvalidParameter, [("name", "departments"), ("problem", NAME_THEM)])
}

/// Why orders cannot be read.
enum Trouble {
    Refused(KubernetesError),
    TooMany,
}

impl Trouble {
    fn about(self, what: String) -> Problem {
        match self {
            Self::Refused(error) => Problem::from_kubernetes(error, what),
            Self::TooMany => too_long(),
        }
    }
}

async fn open_orders(caller: &Caller, namespace: Option<&str>) -> Result<Vec<Order>, Trouble> {
    let mut chunk = ListParams::default().limit(CHUNK).fields(OPEN);
    let mut found: Vec<Order> = Vec::new();
    loop {
        let list = caller.list::<Order>(namespace, &chunk).await.map_err(Trouble::Refused)?;
        found.extend(list.items);
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(_) if found.len() >= MOST => return Err(Trouble::TooMany),
            Some(token) => chunk.continue_token = Some(token),
            None => return Ok(found),
        }
    }
}
