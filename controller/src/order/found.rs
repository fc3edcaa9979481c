//! Dereference: the objects an order names, who may decide about it and what they said; no judgement here.

use jiff::Timestamp;
use jiyun_approvals::{About, Requirement, Size, Vote};
use jiyun_crds::{
    names::{ANNOTATION_REQUESTED_BY, ANNOTATION_REQUESTED_BY_GROUPS},
    v1alpha1::{Approval, Department, InformationSystem, Order, OrderAction, OrderItem},
};
use jiyun_ledger::{Claim, ClaimStage};
use kube::ResourceExt;

use super::{
    book::is_held_by,
    delegation, route,
    subject::{Granted, Subject, Wish},
};
use crate::{
    catalogue::lookup,
    context::Context,
    error::ReconcileError,
    host::{ahead, rejection::Rejection},
};

/// One item with what is known of it.
pub struct FoundItem {
    /// What the order says.
    pub item: OrderItem,
    /// The object, if it is there.
    pub subject: Option<Subject>,
    /// Its wish in resolved terms, or what is wrong with it.
    pub wish: Option<Result<Wish, Rejection>>,
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
    /// Its department and those above it, which may have said that somebody acts for others.
    pub units: Vec<Department>,
}

/// Looks up what `order` names.
///
/// # Errors
/// When the API server cannot be asked for what is not in memory.
pub async fn dereference(order: &Order, context: &Context) -> Result<Found, ReconcileError> {
    let namespace = order.metadata.namespace.as_deref();
    let mut items = items(order, context);
    for item in &mut items {
        item.look_ahead(context).await?;
    }
    let system = lookup(&context.catalogue.systems, namespace, &order.spec.system_ref.name)
        .filter(|system| system.metadata.deletion_timestamp.is_none());
    let requirement = requirement(order, &items, system.as_ref(), context);
    let units = units(order, context);
    Ok(Found { items, system, requirement, votes: votes(order, &units, context), units })
}

/// Looks up its items alone: once it is approved, nobody else is asked.
pub fn items(order: &Order, context: &Context) -> Vec<FoundItem> {
    let namespace = order.metadata.namespace.as_deref();
    order.spec.items.iter().map(|item| found_item(item, namespace, context)).collect()
}

fn found_item(item: &OrderItem, namespace: Option<&str>, context: &Context) -> FoundItem {
    let subject = Subject::find(item, namespace, context);
    let wish = subject.as_ref().map(|subject| subject.wish(context));
    let uid = subject.as_ref().and_then(|subject| subject.meta().uid.clone());
    let claim = uid.and_then(|uid| context.ledger.read(|state| state.claim_of_subject(&uid).cloned()));
    FoundItem { item: item.clone(), subject, wish, claim: claim.filter(|claim| claim.is_open()) }
}

fn requirement(
    order: &Order,
    items: &[FoundItem],
    system: Option<&InformationSystem>,
    context: &Context,
) -> Requirement {
    let department = department_of(order);
    let size = items.iter().map(FoundItem::size).fold(Size::default(), std::ops::Add::add);
    let held = items.iter().filter_map(|item| {
        let claim = item.claim.as_deref()?;
        match item.item.action {
            OrderAction::Change => Some(route::size_of_taken(claim)),
            OrderAction::Create | OrderAction::End => is_held_by(claim, order).then(|| route::size_of_hold(claim)),
        }
    });
    let held = held.fold(Size::default(), std::ops::Add::add);
    let about = items.iter().filter_map(FoundItem::about).collect();
    let actions = items.iter().map(|found| found.item.action).collect();
    let wishes = || items.iter().filter_map(FoundItem::asked);
    let zones = system.map(|system| system.spec.zone_ref.name.clone());
    let zones = zones.into_iter().chain(wishes().flat_map(Wish::zones)).collect();
    // A system that is not there is taken for the most protected one.
    let own = system.map_or(4, |system| system.spec.protection_level);
    let protection_level = wishes().map(Wish::protection_level).fold(own, u8::max);
    route::Asked { department, zones, protection_level, about, actions, size, held }.required(context)
}

impl FoundItem {
    /// Whether what a host names can be used for a new one, as long as nobody has agreed to it.
    async fn look_ahead(&mut self, context: &Context) -> Result<(), ReconcileError> {
        if let (Some(Subject::Host(host)), Some(Ok(_))) = (&self.subject, &self.wish)
            && let Err(rejection) = ahead::check(host, context).await?
        {
            self.wish = Some(Err(rejection));
        }
        Ok(())
    }

    fn granted(&self) -> Option<Granted> {
        Some(Granted::of(self.claim.as_deref()?))
    }

    fn asked(&self) -> Option<&Wish> {
        self.wish.as_ref()?.as_ref().ok()
    }

    fn changed(&self) -> Option<Size> {
        Some(self.asked()?.size_instead_of(self.claim.as_deref()?))
    }

    fn size(&self) -> Size {
        let asked = || Some(self.asked()?.size());
        let granted = || Some(self.granted()?.size);
        let size = match self.item.action {
            OrderAction::End => granted().or_else(asked),
            // However it grows, step by step: what it comes to is what policies look at.
            OrderAction::Change => self.changed().or_else(asked).or_else(granted),
            OrderAction::Create => asked().or_else(granted),
        };
        size.unwrap_or_default()
    }

    /// What it is about: what is there where it is to end, else what is asked for.
    fn about(&self) -> Option<About> {
        match self.item.action {
            OrderAction::End => self.granted().map(|granted| granted.about),
            OrderAction::Create | OrderAction::Change => self.asked().map(Wish::about),
        }
    }
}

fn department_of(order: &Order) -> &str {
    order.metadata.namespace.as_deref().and_then(jiyun_crds::names::department_of_namespace).unwrap_or_default()
}

/// Every approval that names an order of this name: which of them count is judged elsewhere.
fn votes(order: &Order, units: &[Department], context: &Context) -> Vec<Vote> {
    let named =
        (order.metadata.namespace.as_deref().unwrap_or_default(), order.metadata.name.as_deref().unwrap_or_default());
    let approvals = context.orders.approvals.about(named.0, named.1);
    approvals.iter().filter_map(|approval| approval.0.as_ref().ok()).map(|approval| vote(approval, units)).collect()
}

/// The department of `order` and those above it.
fn units(order: &Order, context: &Context) -> Vec<Department> {
    let path = route::People::of(department_of(order), context).path;
    path.iter().filter_map(|unit| lookup(&context.catalogue.departments, None, unit)).collect()
}

/// `units` are those of [`Found::units`].
fn vote(approval: &Approval, units: &[Department]) -> Vote {
    let stamp = |name: &str| approval.annotations().get(name).cloned().unwrap_or_default();
    let spec = &approval.spec;
    let at = approval.metadata.creation_timestamp.as_ref().map_or(Timestamp::MAX, |created| created.0);
    // One a line, and only so: a group called `x,leaders` is no member of `leaders`.
    let groups = stamp(ANNOTATION_REQUESTED_BY_GROUPS);
    let user = stamp(ANNOTATION_REQUESTED_BY);
    let delegated = delegation::groups_of(&user, at, units).map(str::to_owned).collect();
    let groups = groups.split('\n').map(str::to_owned).collect();
    Vote {
        approval: approval.name_any(),
        user,
        groups,
        delegated,
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

/// How far `order` has come: an item is done when its object is ready, or gone where it was to end.
pub fn progress(order: &Order, items: &[FoundItem]) -> Progress {
    let accepted = order.status.as_ref().map(|status| status.items.as_slice()).unwrap_or_default();
    let mut progress = Progress::default();
    for found in items {
        let accepted = accepted.iter().find(|item| item.name == found.item.name);
        let uid = accepted.map(|item| item.uid.as_str());
        let subject = found.subject.as_ref().filter(|subject| subject.meta().uid.as_deref() == uid);
        let leaves = subject.is_none_or(|subject| !subject.stays());
        let claim = found.claim.as_ref().filter(|_| subject.is_some());
        let is_claimed = claim.zip(accepted).is_some_and(|(claim, accepted)| super::book::is_claimed(claim, accepted));
        let handed_over = claim.is_some_and(|claim| claim.stage() == ClaimStage::Billable);
        // It asks for something else since.
        let is_past = subject
            .zip(accepted)
            .is_some_and(|(subject, accepted)| !is_claimed && subject.digest() != accepted.spec_digest);
        let list = match found.item.action {
            OrderAction::End if subject.is_none() => &mut progress.done,
            OrderAction::Create | OrderAction::Change if leaves => &mut progress.failed,
            OrderAction::Create if is_past && claim.is_none() => &mut progress.failed,
            OrderAction::Change if is_past => &mut progress.failed,
            // Its machine need not do anything for it.
            OrderAction::Change if is_claimed => &mut progress.done,
            OrderAction::Create if handed_over || subject.is_some_and(Subject::is_ready) => &mut progress.done,
            OrderAction::End | OrderAction::Create | OrderAction::Change => &mut progress.under_way,
        };
        list.push(found.item.name.clone());
    }
    progress
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
