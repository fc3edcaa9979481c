//! Dereference: everything a flow names in its own department, fetched from memory and from the book; no judgement here.
//!
//! What it names in another department is not looked up: nothing of it is told.

use jiyun_crds::{
    names::department_of_namespace,
    v1alpha1::{Department, InformationSystem, NetworkFlow},
};
use jiyun_ledger::AccountId;
use kube::Resource;

use crate::{catalogue::lookup, context::Context};

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
pub fn dereference(flow: &NetworkFlow, context: &Context) -> Found {
    let catalogue = &context.catalogue;
    let namespace = flow.metadata.namespace.as_deref();
    let own = namespace.and_then(department_of_namespace);
    let system = |name: &str| lookup(&catalogue.systems, namespace, name).filter(stays);
    Found {
        department: own.and_then(|department| lookup(&catalogue.departments, None, department)).filter(stays),
        system: system(&flow.spec.system_ref.name),
        peer: flow.spec.peer.system.as_ref().and_then(|peer| system(&peer.name)),
        closed: own.is_some_and(|department| {
            context.ledger.read(|state| state.closed_on_path(&AccountId::new(department)).is_some())
        }),
    }
}
