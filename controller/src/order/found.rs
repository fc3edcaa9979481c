//! Dereference: the objects an order names, who may decide about it and what they said; no judgement here.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiyun_approvals::{Requirement, Vote};
use jiyun_crds::{
    names::{ANNOTATION_REQUESTED_BY, ANNOTATION_REQUESTED_BY_GROUPS},
    v1alpha1::{
        Approval, CloudHost, ConditionType, Department, InformationSystem, Order, OrderAction, OrderItem, condition,
    },
};
use jiyun_ledger::{Claim, ClaimStage};
use kube::ResourceExt;

use super::{delegation, route};
use crate::{
    catalogue::lookup,
    context::Context,
    host::{self, rejection::Rejection, valid::Valid},
};

/// One item with what is known of it.
pub struct FoundItem {
    /// What the order says.
    pub item: OrderItem,
    /// The host, if it is there.
    pub host: Option<CloudHost>,
    /// Its wish in resolved terms, or what is wrong with it.
    pub wish: Option<Result<Valid, Rejection>>,
    /// Its open claim.
    pub claim: Option<std::sync::Arc<Claim>>,
}

/// What an order names, as far as it exists.
pub struct Found {
    /// Its items, in its order.
    pub items: Vec<FoundItem>,
    /// Its system.
    pub system: Option<InformationSystem>,
    /// What policies ask of it as it is now.
    pub requirement: Requirement,
    /// Decisions about an order of this name.
    pub votes: Vec<Vote>,
}

/// Looks up what `order` names.
pub fn dereference(order: &Order, context: &Context) -> Found {
    let namespace = order.metadata.namespace.as_deref();
    let items = items(order, context);
    let system = lookup(&context.catalogue.systems, namespace, &order.spec.system_ref.name)
        .filter(|system| system.metadata.deletion_timestamp.is_none());
    let requirement = requirement(order, &items, system.as_ref(), context);
    Found { items, system, requirement, votes: votes(order, context) }
}

/// Looks up its items alone: once it is approved, nobody else is asked.
pub fn items(order: &Order, context: &Context) -> Vec<FoundItem> {
    let namespace = order.metadata.namespace.as_deref();
    order.spec.items.iter().map(|item| found_item(item, namespace, context)).collect()
}

fn found_item(item: &OrderItem, namespace: Option<&str>, context: &Context) -> FoundItem {
    let host = lookup(&context.orders.hosts, namespace, &item.name);
    let wish =
        host.as_ref().map(|host| host::valid::validate(host, &host::found::dereference(host, &context.catalogue)));
    let uid = host.as_ref().and_then(|host| host.metadata.uid.clone());
    let claim = uid.and_then(|uid| context.ledger.read(|state| state.claim_of_subject(&uid).cloned()));
    FoundItem { item: item.clone(), host, wish, claim: claim.filter(|claim| claim.is_open()) }
}

fn requirement(
    order: &Order,
    items: &[FoundItem],
    system: Option<&InformationSystem>,
    context: &Context,
) -> Requirement {
    let department = department_of(order);
    let sizes = items.iter().map(|found| match (&found.claim, &found.wish, found.item.action) {
        (Some(claim), _, OrderAction::End | OrderAction::Change) => route::size_of_claim(claim),
        (_, Some(Ok(valid)), _) => route::size_of(&valid.approved),
        _ => jiyun_approvals::Size::default(),
    });
    let size = sizes.fold(jiyun_approvals::Size::default(), std::ops::Add::add);
    let actions = items.iter().map(|found| found.item.action).collect();
    route::Asked { department, system, actions, size }.required(context)
}

fn department_of(order: &Order) -> &str {
    order.metadata.namespace.as_deref().and_then(jiyun_crds::names::department_of_namespace).unwrap_or_default()
}

/// Every approval that names an order of this name: which of them count is judged elsewhere.
fn votes(order: &Order, context: &Context) -> Vec<Vote> {
    let path = route::People::of(department_of(order), context).path;
    let units: Vec<Department> =
        path.iter().filter_map(|unit| lookup(&context.catalogue.departments, None, unit)).collect();
    let name = order.metadata.name.as_deref().unwrap_or_default();
    let about = |approval: &Approval| approval.spec.order_ref.name == name && approval.namespace() == order.namespace();
    let approvals = context.orders.approvals.state();
    let readable = approvals.iter().filter_map(|approval| approval.0.as_ref().ok());
    readable.filter(|approval| about(approval)).map(|approval| vote(approval, &units)).collect()
}

/// `units` are the order's department and those above it, which may have said that somebody acts for others.
fn vote(approval: &Approval, units: &[Department]) -> Vote {
    let stamp = |name: &str| approval.annotations().get(name).cloned().unwrap_or_default();
    let spec = &approval.spec;
    let at = approval.metadata.creation_timestamp.as_ref().map_or(Timestamp::MAX, |created| created.0);
    // One a line, and only so: a group called `x,leaders` is no member of `leaders`.
    let groups = stamp(ANNOTATION_REQUESTED_BY_GROUPS);
    let user = stamp(ANNOTATION_REQUESTED_BY);
    let acted_for = delegation::groups_of(&user, at, units);
    let groups: BTreeSet<String> = groups.split('\n').chain(acted_for).map(str::to_owned).collect();
    Vote {
        approval: approval.name_any(),
        user,
        groups,
        order_uid: spec.order_uid.clone(),
        digest: spec.digest.clone(),
        level: spec.level.clone(),
        decision: spec.decision,
        reason: spec.reason.clone(),
        at,
    }
}

/// How far an approved order has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Items that are done.
    pub done: Vec<String>,
    /// Items on their way.
    pub under_way: Vec<String>,
    /// Items that went before they were done.
    pub failed: Vec<String>,
}

impl Progress {
    /// Whether nothing is on its way any more.
    pub fn is_over(&self) -> bool {
        self.under_way.is_empty()
    }
}

/// How far `order` has come: an item is done when its host is ready, or gone where it was to end.
pub fn progress(order: &Order, items: &[FoundItem]) -> Progress {
    let accepted = order.status.as_ref().map(|status| status.items.as_slice()).unwrap_or_default();
    let mut progress = Progress::default();
    for found in items {
        let accepted = accepted.iter().find(|item| item.name == found.item.name);
        let uid = accepted.map(|item| item.uid.as_str());
        let host = found.host.as_ref().filter(|host| host.metadata.uid.as_deref() == uid);
        let leaves = host.is_none_or(|host| host.metadata.deletion_timestamp.is_some());
        let claim = found.claim.as_ref().filter(|_| host.is_some());
        let is_claimed = claim.zip(accepted).is_some_and(|(claim, accepted)| super::book::is_claimed(claim, accepted));
        let handed_over = claim.is_some_and(|claim| claim.stage() == ClaimStage::Billable);
        // It asks for something else since.
        let is_past = host
            .zip(accepted)
            .is_some_and(|(host, accepted)| !is_claimed && host::digest::of(&host.spec) != accepted.spec_digest);
        let list = match found.item.action {
            OrderAction::End if host.is_none() => &mut progress.done,
            OrderAction::Create | OrderAction::Change if leaves => &mut progress.failed,
            OrderAction::Create if is_past && claim.is_none() => &mut progress.failed,
            OrderAction::Change if is_past => &mut progress.failed,
            // Its machine need not do anything for it.
            OrderAction::Change if is_claimed => &mut progress.done,
            OrderAction::Create if handed_over || host.is_some_and(is_ready) => &mut progress.done,
            OrderAction::End | OrderAction::Create | OrderAction::Change => &mut progress.under_way,
        };
        list.push(found.item.name.clone());
    }
    progress
}

fn is_ready(host: &CloudHost) -> bool {
    host.status.as_ref().is_some_and(|status| condition::is_true(&status.conditions, ConditionType::Ready))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_group_with_a_comma_in_its_name_stands_for_none_but_itself() {
        let approval: Approval = serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Approval",
            "metadata": {"name": "a", "annotations": {
                (ANNOTATION_REQUESTED_BY): "mallory", (ANNOTATION_REQUESTED_BY_GROUPS): "x,leaders\nclerks",
            }},
            "spec": {"orderRef": {"name": "o"}, "orderUid": "u", "digest": "d", "level": "l", "decision": "Approve"},
        }))
        .unwrap();
        assert_eq!(vote(&approval, &[]).groups, BTreeSet::from(["x,leaders".to_owned(), "clerks".to_owned()]));
    }
}
