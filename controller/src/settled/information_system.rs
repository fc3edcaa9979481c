//! Information systems (信息系统): ready when the zone they belong to exists and is open to their department.

use futures::future::BoxFuture;
use jiyun_crds::{
    names::{FINALIZER_SYSTEM, department_of_namespace},
    v1alpha1::{ConditionStatus, ConditionType, InformationSystem, Reason, condition::Finding},
};
use jiyun_ledger::Claim;
use jiyun_messages::parameters;
use kube::ResourceExt;

use super::{Outcome, Settled};
use crate::{
    catalogue::lookup,
    conditions::{finding, plain},
    context::Context,
    error::ReconcileError,
    flow,
};

impl Settled for InformationSystem {
    super::reported!(namespaced);

    fn settle<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        Box::pin(settle(self, context))
    }
}

async fn settle(system: &InformationSystem, context: &Context) -> Result<Outcome, ReconcileError> {
    if system.metadata.deletion_timestamp.is_none() {
        return Ok(Outcome::found(vec![judged(system, context)]));
    }
    if !system.finalizers().iter().any(|finalizer| finalizer == FINALIZER_SYSTEM) {
        return Ok(Outcome::gone());
    }
    if context.quarantined() {
        return Ok(Outcome::paused());
    }
    let (namespace, name) = (system.namespace().unwrap_or_default(), system.name_any());
    let names_it = |claim: &Claim| {
        claim.is_open()
            && claim.subject.namespace == namespace
            && (claim.system == name || flow::approved::is_to(claim, &name))
    };
    let held = context.ledger.read(|state| state.claims().filter(|claim| names_it(claim)).count());
    if held > 0 {
        let about = parameters([("count", held.to_string())]);
        return Ok(Outcome::waiting(Reason::Deleting, "SystemHoldsResources", &about));
    }
    context.writer.remove_finalizer(&system.home(context.client.clone()), system, FINALIZER_SYSTEM).await?;
    Ok(Outcome::gone())
}

fn judged(system: &InformationSystem, context: &Context) -> Finding {
    let (ready, no) = (ConditionType::Ready, ConditionStatus::False);
    let namespace = system.metadata.namespace.as_deref().unwrap_or_default();
    let catalogue = &context.catalogue;
    let department =
        department_of_namespace(namespace).and_then(|department| lookup(&catalogue.departments, None, department));
    let Some(department) = department else {
        let about = parameters([("namespace", namespace)]);
        return finding(ready, no, Reason::Misconfigured, "NotInDepartmentNamespace", &about);
    };
    let (field, zone) = ("spec.zoneRef.name", &system.spec.zone_ref.name);
    if lookup(&catalogue.zones, None, zone).is_none() {
        let about = parameters([("field", field), ("name", zone)]);
        return finding(ready, no, Reason::UnknownReference, "ZoneIsMissing", &about);
    }
    if !department.spec.zones.contains(zone) {
        let department = department.metadata.name.unwrap_or_default();
        let about = parameters([("field", field), ("department", &department), ("zone", zone)]);
        return finding(ready, no, Reason::ZoneNotAllowed, "ZoneNotAllowed", &about);
    }
    plain(ready, ConditionStatus::True, Reason::Valid)
}
