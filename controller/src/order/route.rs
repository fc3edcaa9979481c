//! How a wish is decided: by a policy at once, by an order that people have to agree to, or by one that has to be filed.

use std::{borrow::Borrow, collections::BTreeSet};

use jiyun_approvals::{About, Approvers, Facts, Requirement, Size, digest::order_name, required};
use jiyun_crds::{
    names::ANNOTATION_ORDER,
    v1alpha1::{
        ApprovalPolicy, ApprovalPolicySpec, Department, DepartmentAccess, Order, OrderAction, PolicyScope, Reason,
    },
};
use jiyun_ledger::{AccountId, Claim, ClaimStage, Meter, beyond_guaranteed};
use kube::ResourceExt;

use super::{
    phase::{self, Phase},
    subject::Orderable,
};
use crate::{
    catalogue::{lookup, readable},
    claims::ordered_by,
    context::Context,
    host::approved::Approved,
};

/// How a wish is decided.
#[derive(Debug)]
pub enum Route {
    /// Policies let it through.
    Automatic(Passed),
    /// This order decides, and stands so.
    Order(Box<Order>, Phase),
    /// It says that an order of this name asks for it, and that one does not, or not yet.
    Awaited(String),
    /// An order of this name has to be filed.
    File(String),
}

/// What went through by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// The policies that looked at it.
    pub policies: Vec<String>,
    /// Whether they would not, beyond what is guaranteed to the department.
    pub only_within_guaranteed: bool,
}

/// How often the same wish can be asked for with others in between.
const MAX_ASKED: u32 = 1000;

/// How the wish of `object` that has this digest and is `asked` for is decided.
pub fn of<T: Orderable>(object: &T, digest: &str, action: OrderAction, asked: Asked<'_>, context: &Context) -> Route {
    let uid = object.meta().uid.as_deref().unwrap_or_default();
    let named = object.annotations().get(ANNOTATION_ORDER);
    if let Some(name) = named {
        match find(object, name, action, digest, context) {
            Ok((order, phase)) => return Route::Order(Box::new(order), phase),
            // The one it was granted for may have been cleared away since.
            Err(Missing::Elsewhere) if is_granted_by(uid, name, context) => {}
            Err(Missing::Elsewhere) => return Route::Awaited(name.clone()),
            // It was about another wish: this one is asked for like any other.
            Err(Missing::Past) => {}
        }
    }
    let base = order_name(&object.name_any(), uid, digest);
    let mut own = base.clone();
    for number in 2..=MAX_ASKED {
        match find(object, &own, action, digest, context) {
            Ok((order, phase)) => return Route::Order(Box::new(order), phase),
            Err(Missing::Elsewhere) => break,
            // The same was asked before, and then something else.
            Err(Missing::Past) => own = format!("{base}-{number}"),
        }
    }
    let Requirement { policies, levels, evidence, only_within_guaranteed } = asked.required(context);
    // A number that has to be there is looked at on an order, where it can be added.
    if levels.is_empty() && evidence.is_empty() {
        Route::Automatic(Passed { policies, only_within_guaranteed })
    } else {
        Route::File(own)
    }
}

/// Whether what an object has was granted for the order of this name.
fn is_granted_by(uid: &str, order: &str, context: &Context) -> bool {
    let claim = context.ledger.read(|state| state.claim_of_subject(uid).cloned());
    claim
        .filter(|claim| claim.stage() != ClaimStage::Held)
        .and_then(|claim| ordered_by(&claim))
        .is_some_and(|by| by == order)
}

/// Why an order does not decide a wish.
enum Missing {
    /// It is not there, or not about this object.
    Elsewhere,
    /// It was about an earlier wish, and is over.
    Past,
}

/// The order called `name`, if it is about this very wish.
fn find<T: Orderable>(
    object: &T,
    name: &str,
    action: OrderAction,
    digest: &str,
    context: &Context,
) -> Result<(Order, Phase), Missing> {
    let namespace = object.meta().namespace.as_deref().unwrap_or_default();
    let cached = lookup(&context.orders.store, Some(namespace), name);
    let order = context.orders.unseen.or_written(namespace, name, cached).ok_or(Missing::Elsewhere)?;
    let own_name = object.meta().name.as_deref().unwrap_or_default();
    let item = order.spec.items.iter().find(|item| item.kind == T::ORDERED && item.name == own_name);
    let item = item.ok_or(Missing::Elsewhere)?;
    if item.action != action {
        // The order it was made by is not the one that changes it.
        return Err(Missing::Past);
    }
    let phase = phase::of(&order);
    if phase == Phase::Over(Reason::OrderSuperseded) || (action != OrderAction::End && phase == Phase::Fulfilled) {
        // Nobody decided against this wish; or it was done and undone since, or what was granted for it is lost: whoever
        // still has it does not ask.
        return Err(Missing::Past);
    }
    let accepted = order.status.iter().flat_map(|status| &status.items).find(|item| item.name == own_name);
    match accepted {
        Some(accepted) if Some(accepted.uid.as_str()) != object.meta().uid.as_deref() => Err(Missing::Past),
        Some(accepted) if accepted.spec_digest != digest => match phase {
            // It is about to find out: until then nothing else is asked for.
            Phase::New | Phase::Open => Ok((order, phase)),
            Phase::Approved | Phase::Fulfilled | Phase::Over(_) => Err(Missing::Past),
        },
        Some(_) | None => Ok((order, phase)),
    }
}

/// What an order or a wish asks for, as policies see it.
pub struct Asked<'a> {
    /// The department.
    pub department: &'a str,
    /// Network zones of the system, and of those at the other end of flows.
    pub zones: BTreeSet<String>,
    /// The highest protection level (等保级别) of them, 1..=4.
    pub protection_level: u8,
    /// What it is about.
    pub about: BTreeSet<About>,
    /// What is to happen.
    pub actions: BTreeSet<OrderAction>,
    /// How much.
    pub size: Size,
    /// How much of it is held for it already, or is what it takes the place of.
    pub held: Size,
}

impl<'a> Asked<'a> {
    /// What a wish for something in one zone asks for, of which nothing is held yet.
    pub fn of_resources(
        department: &'a str,
        zone: &str,
        protection_level: u8,
        size: Size,
        action: OrderAction,
    ) -> Self {
        Self {
            department,
            zones: BTreeSet::from([zone.to_owned()]),
            protection_level,
            about: BTreeSet::from([About::Resources]),
            actions: BTreeSet::from([action]),
            size,
            held: Size::default(),
        }
    }

    /// The same, asked for in place of what `claim` takes already.
    #[must_use]
    pub fn instead_of(self, claim: &Claim) -> Self {
        Self { held: size_of_taken(claim), ..self }
    }

    /// What the policies ask of it.
    pub fn required(self, context: &Context) -> Requirement {
        let people = People::of(self.department, context);
        let path = people.path.iter().map(String::as_str).collect();
        required(&policies(context), &self.facts(path, context), people.approvers())
    }

    /// What policies look at; `path` is the department and the units above it.
    fn facts(self, path: Vec<&'a str>, context: &Context) -> Facts<'a> {
        let Self { department, zones, protection_level, about, actions, size, held } = self;
        let of = |size: Size| {
            [
                (Meter::Vcpu, size.vcpu),
                (Meter::Memory, size.memory_mebibytes),
                (Meter::BlockStorage, size.storage_mebibytes),
                (Meter::ObjectStorage, size.object_mebibytes),
            ]
        };
        let set_aside = |meter| of(held).into_iter().find(|(held, _)| *held == meter).map_or(0, |(_, held)| held);
        let account = AccountId::new(department);
        Facts {
            path,
            about,
            actions,
            zones,
            protection_level,
            size,
            beyond_guaranteed: context.ledger.read(|state| beyond_guaranteed(state, &account, of(size), set_aside)),
        }
    }
}

/// Whom roles of policies stand for in one department.
pub struct People {
    /// The department and the units above it.
    pub path: Vec<String>,
    department: Vec<String>,
    parent: Vec<String>,
}

impl People {
    /// The people of `department`.
    pub fn of(department: &str, context: &Context) -> Self {
        Self::among(department, |name| lookup::<Department>(&context.catalogue.departments, None, name))
    }

    /// The people of `department`, where it and those above it are found by their names with `find`.
    pub fn among<D: Borrow<Department>>(department: &str, find: impl Fn(&str) -> Option<D>) -> Self {
        let own = find(department);
        let mut path = vec![department.to_owned()];
        let mut above = own.as_ref().and_then(parent_of);
        let parent = above.as_deref().and_then(&find);
        // A tree of departments has few levels; the bound keeps a circle from being walked for ever.
        while let Some(name) = above.filter(|name| !path.contains(name) && path.len() < jiyun_ledger::MAX_DEPTH) {
            above = find(&name).as_ref().and_then(parent_of);
            path.push(name);
        }
        let approvers = |unit: Option<&D>| unit.map(|unit| access_of(unit).approvers.clone());
        let department = approvers(own.as_ref()).unwrap_or_default();
        // Above the root there is nobody: its own approvers decide. A parent that is not there is no root.
        let is_root = own.as_ref().is_some_and(|own| parent_of(own).is_none());
        let parent =
            approvers(parent.as_ref()).unwrap_or_else(|| if is_root { department.clone() } else { Vec::new() });
        Self { path, department, parent }
    }

    /// The same for the policies.
    pub fn approvers(&self) -> Approvers<'_> {
        Approvers { department: &self.department, parent: &self.parent }
    }
}

fn parent_of(department: &impl Borrow<Department>) -> Option<String> {
    let department: &Department = department.borrow();
    department.spec.parent_ref.as_ref().map(|parent| parent.name.clone())
}

fn access_of(department: &impl Borrow<Department>) -> &DepartmentAccess {
    let department: &Department = department.borrow();
    &department.spec.access
}

/// How large a wish is.
pub fn size_of(approved: &Approved) -> Size {
    Size {
        vcpu: approved.vcpu,
        memory_mebibytes: approved.memory_mebibytes,
        storage_mebibytes: approved.disk_mebibytes,
        ..Size::default()
    }
}

/// How large a claim is: as it was approved, whatever a stopped host has given back.
pub fn size_of_claim(claim: &Claim) -> Size {
    if let Ok(approved) = Approved::of(claim) {
        return size_of(&approved);
    }
    size_of_taken(claim)
}

/// How much a claim takes now, with what its open hold sets aside.
pub fn size_of_taken(claim: &Claim) -> Size {
    Size {
        vcpu: claim.taken_of(Meter::Vcpu),
        memory_mebibytes: claim.taken_of(Meter::Memory),
        storage_mebibytes: claim.taken_of(Meter::BlockStorage),
        object_mebibytes: claim.taken_of(Meter::ObjectStorage),
    }
}

/// How much the open hold of a claim sets aside.
pub fn size_of_hold(claim: &Claim) -> Size {
    Size {
        vcpu: claim.held_of(Meter::Vcpu),
        memory_mebibytes: claim.held_of(Meter::Memory),
        storage_mebibytes: claim.held_of(Meter::BlockStorage),
        object_mebibytes: claim.held_of(Meter::ObjectStorage),
    }
}

/// All policies. One that cannot be read asks for the department's approvers: what it lets through is not known.
pub fn policies(context: &Context) -> Vec<ApprovalPolicy> {
    let all = context.orders.policies.state();
    let mut policies = readable(&context.orders.policies);
    for unreadable in all.iter().filter(|policy| policy.0.is_err()) {
        let spec = ApprovalPolicySpec {
            display_name: String::new(),
            applies_to: PolicyScope::default(),
            automatic: None,
            levels: Vec::new(),
            evidence: Vec::new(),
        };
        policies.push(ApprovalPolicy::new(&unreadable.name_any(), spec));
    }
    policies
}
