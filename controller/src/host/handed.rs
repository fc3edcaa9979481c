//! Handed over (移交): a host on its way from one department to another, or gone there, asks for nothing here.

use jiyun_crds::{
    names::{ANNOTATION_HANDOVER, LABEL_CLAIM, department_of_namespace, engine_namespace, system_disk_name},
    v1alpha1::{CloudHost, Reason},
};
use jiyun_ledger::{Claim, ClaimId, State};
use jiyun_messages::parameters;
use kube::{Resource, ResourceExt};

use super::rejection::Rejection;
use crate::context::Context;

/// Why a host without a claim of its own asks for none: its claim went to another department, or is about to come to it.
pub fn over(host: &CloudHost, context: &Context) -> Option<Reason> {
    if is_over(host, context) {
        return Some(Reason::HandedOver);
    }
    host.annotations().contains_key(ANNOTATION_HANDOVER).then_some(Reason::HandingOver)
}

/// Whether the claim that a host's status names was this host's, and is another department's now.
pub fn is_over(host: &CloudHost, context: &Context) -> bool {
    context.ledger.read(|state| went_to(host, state).is_some())
}

/// The claim that went from `host` to another object: the one its status names, which only the platform writes, and which
/// the ledger says was handed over by the department under this very name.
pub fn went_to<'a>(host: &CloudHost, state: &'a State) -> Option<&'a Claim> {
    let claim: ClaimId = host.status.as_ref()?.claim_id.as_deref()?.parse().ok()?;
    let claim = state.claim(claim)?;
    let (namespace, name) = (host.metadata.namespace.as_deref()?, host.metadata.name.as_deref()?);
    let department = department_of_namespace(namespace)?;
    let elsewhere = (claim.subject.namespace.as_str(), claim.subject.name.as_str()) != (namespace, name);
    (elsewhere && claim.was_handed_over_by(department, name)).then_some(claim)
}

/// The objection to a new host whose name a machine still has here that was handed over: machines keep name and place.
pub fn name_in_use(host: &CloudHost, context: &Context) -> Option<Rejection> {
    let (namespace, name) = (host.metadata.namespace.as_deref()?, host.metadata.name.as_deref()?);
    let engines = engine_namespace(department_of_namespace(namespace)?);
    let is_taken = context.sites.all().any(|site| {
        let (machine, disk) = (site.machine(&engines, name), site.disk(&engines, &system_disk_name(name)));
        let labels = [machine.as_ref().and_then(claim_label), disk.as_ref().and_then(claim_label)];
        labels.into_iter().flatten().any(|label| belongs_elsewhere(label, (namespace, name), context))
    });
    is_taken.then(|| Rejection::misconfigured("NameInUse", parameters([("field", "metadata.name"), ("name", name)])))
}

fn claim_label(object: &impl Resource) -> Option<&str> {
    object.meta().labels.as_ref()?.get(LABEL_CLAIM).map(String::as_str)
}

fn belongs_elsewhere(label: &str, object: (&str, &str), context: &Context) -> bool {
    let named = |claim: &Claim| (claim.subject.namespace.as_str(), claim.subject.name.as_str()) == object;
    let is_theirs = |claim: &Claim| claim.is_open() && !named(claim);
    context.ledger.read(|state| super::labelled(label, state).is_some_and(|claim| is_theirs(claim)))
}
