//! Approval policies (审批策略): in force as they are; what cannot be meant as written is told.

use futures::future::BoxFuture;
use jiyun_crds::v1alpha1::{ApprovalPolicy, ConditionStatus, ConditionType, Reason};
use jiyun_messages::parameters;

use super::{Outcome, Settled};
use crate::{
    catalogue::lookup,
    conditions::{finding, plain},
    context::Context,
    error::ReconcileError,
};

impl Settled for ApprovalPolicy {
    super::reported!(cluster);

    fn settle<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        Box::pin(async move {
            let known = |name: &str| lookup(&context.catalogue.departments, None, name).is_some();
            let missing = self.spec.applies_to.departments.iter().find(|name| !known(name));
            let unknown_zone = |name: &&String| lookup(&context.catalogue.zones, None, name).is_none();
            let missing_zone = self.spec.applies_to.zones.iter().find(unknown_zone);
            let named = missing
                .map(|name| ("spec.appliesTo.departments", "Department", name))
                .or_else(|| missing_zone.map(|name| ("spec.appliesTo.zones", "NetworkZone", name)));
            let found = match named {
                None => plain(ConditionType::Ready, ConditionStatus::True, Reason::Valid),
                // A policy for a unit that is not there applies to nobody: whoever wrote it means somebody.
                Some((field, kind, name)) => {
                    let about = parameters([("field", field), ("kind", kind), ("name", name.as_str())]);
                    let (ready, no) = (ConditionType::Ready, ConditionStatus::False);
                    finding(ready, no, Reason::UnknownReference, "UnknownReference", &about)
                }
            };
            Ok(Outcome::found(vec![found]))
        })
    }
}
