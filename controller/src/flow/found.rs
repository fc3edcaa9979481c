//! Dereference: everything a flow names in its own department, fetched from memory; no judgement here.
//!
//! What it names in another department is not looked up: nothing of it is told.

use jiyun_crds::{
    names::department_of_namespace,
    v1alpha1::{Department, DepartmentState, InformationSystem, NetworkFlow},
};
use kube::Resource;

use crate::catalogue::{Catalogue, lookup};

/// What a flow names, as far as it exists.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The department its namespace belongs to.
    pub department: Option<Department>,
    /// The information system at this end.
    pub system: Option<InformationSystem>,
    /// The system at the other end, where it is one of the same department.
    pub peer: Option<InformationSystem>,
    /// Whether the department or a unit above it is closed.
    pub closed: bool,
}

/// What is being deleted takes nothing new.
fn stays(object: &impl Resource) -> bool {
    object.meta().deletion_timestamp.is_none()
}

/// Looks up what `flow` names.
pub fn dereference(flow: &NetworkFlow, catalogue: &Catalogue) -> Found {
    let namespace = flow.metadata.namespace.as_deref();
    let own = namespace.and_then(department_of_namespace);
    let system = |name: &str| lookup(&catalogue.systems, namespace, name).filter(stays);
    Found {
        department: own.and_then(|department| lookup(&catalogue.departments, None, department)).filter(stays),
        system: system(&flow.spec.system_ref.name),
        peer: flow.spec.peer.system.as_ref().and_then(|peer| system(&peer.name)),
        closed: own.is_some_and(|department| is_closed(department, catalogue)),
    }
}

/// Whether a department or a unit above it takes nothing new.
fn is_closed(department: &str, catalogue: &Catalogue) -> bool {
    let find = |name: &str| lookup::<Department>(&catalogue.departments, None, name);
    let mut unit = find(department);
    // The bound keeps a circle from being walked for ever.
    for _ in 0..jiyun_ledger::MAX_DEPTH {
        let Some(department) = unit else { return false };
        if department.spec.state == DepartmentState::Closed {
            return true;
        }
        unit = department.spec.parent_ref.as_ref().and_then(|parent| find(&parent.name));
    }
    false
}
