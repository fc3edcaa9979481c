//! Network zones (网络区域): ready once they exist; where a zone asks for it, each department that may use it has a network of
//! its own there, made before anybody orders and gone after everybody left.

mod allot;
mod book;
mod ranges;
mod router;
mod subnets;
mod users;

use futures::future::BoxFuture;
use jiyun_crds::{
    names::FINALIZER_NETWORK,
    v1alpha1::{ConditionStatus, ConditionType, KubeOvnIsolation, NetworkZone, Reason, condition::Finding},
};
use jiyun_messages::{Parameters, parameters};
use kube::{Api, ResourceExt};
use tracing::error;

use self::{
    allot::Allotted,
    book::AddressBook,
    ranges::{Overlap, Ranges},
    subnets::{Present, Work},
};
use super::{Outcome, SOON, Settled};
use crate::{
    catalogue::readable,
    conditions::{finding, plain},
    context::Context,
    error::ReconcileError,
};

pub use book::UnreadableEntry;
pub use router::is_there as has_router;

impl Settled for NetworkZone {
    super::reported!(cluster);

    fn settle<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        Box::pin(async move {
            match &self.spec.isolation {
                None => Ok(Outcome::found(vec![plain(ConditionType::Ready, ConditionStatus::True, Reason::Valid)])),
                Some(isolation) if self.metadata.deletion_timestamp.is_none() => {
                    look_after(self, &isolation.kube_ovn, context).await
                }
                Some(_) => close(self, context).await,
            }
        })
    }
}

/// Gives every department its network, and takes back those that nobody uses any more.
async fn look_after(zone: &NetworkZone, wish: &KubeOvnIsolation, context: &Context) -> Result<Outcome, ReconcileError> {
    let _turn = context.networks.turn().await;
    let name = zone.name_any();
    let Some(present) = Present::read(context).await? else {
        return Ok(Outcome::found(vec![not_ready(Reason::EngineMissing, "EngineMissing", &Parameters::new())]));
    };
    let ranges = match Ranges::of(wish) {
        Ok(ranges) => ranges,
        Err(problem) => {
            let about = parameters([("field", "spec.isolation.kubeOvn.cidrs"), ("problem", &problem.to_string())]);
            return Ok(Outcome::found(vec![not_ready(Reason::Misconfigured, "InvalidField", &about)]));
        }
    };
    let overlap = ranges::overlapping(zone, &ranges, &readable(&context.catalogue.zones));
    let users = users::of_zone(&name, context);
    let mut book = AddressBook::read(context).await?;
    let before = book.clone();
    let nothing_new = overlap.is_some() || context.quarantined();
    let allotted = allot::allot(&name, &ranges, &users, &present.networks(), nothing_new, &mut book);
    if book != before {
        // Written before anything is made of it: what two leaders would give twice is refused to the second.
        book.write(context).await?;
    }
    let work = subnets::put_right(&name, &users, &present, book, context).await?;
    Ok(told(overlap.as_ref(), allotted, &work))
}

/// How a zone stands; the first thing in the way is told. Departments are not named: everybody may read this.
fn told(overlap: Option<&Overlap>, allotted: Allotted, work: &Work) -> Outcome {
    let found = if let Some(Overlap { own, other, zone }) = overlap {
        let about = parameters([("cidr", own.to_string()), ("other", other.to_string()), ("zone", zone.clone())]);
        not_ready(Reason::Misconfigured, "RangesOverlap", &about)
    } else if let Some(problem) = &work.problem {
        not_ready(Reason::EngineError, "EngineError", &parameters([("problem", problem.as_str())]))
    } else if allotted.exhausted {
        not_ready(Reason::AddressesExhausted, "AddressesExhausted", &Parameters::new())
    } else if work.on_its_way {
        not_ready(Reason::NetworkNotReady, "NetworksNotReady", &Parameters::new())
    } else {
        plain(ConditionType::Ready, ConditionStatus::True, Reason::Valid)
    };
    let outcome = Outcome::found(vec![found]);
    let unfinished = work.on_its_way || work.going || work.problem.is_some();
    if unfinished { Outcome { again: SOON, ..outcome } } else { outcome }
}

/// Ends a zone: once no machine lies in it, its subnets go, then the routers that nothing is behind any more, then itself.
async fn close(zone: &NetworkZone, context: &Context) -> Result<Outcome, ReconcileError> {
    if !zone.finalizers().iter().any(|finalizer| finalizer == FINALIZER_NETWORK) {
        return Ok(Outcome::gone());
    }
    if context.quarantined() {
        return Ok(Outcome::paused());
    }
    let _turn = context.networks.turn().await;
    let name = zone.name_any();
    let machines = users::machines_in(&name, context);
    if !machines.is_empty() {
        return Ok(Outcome::waiting(Reason::Deleting, "ZoneHoldsMachines", &Parameters::new()));
    }
    let book = AddressBook::read(context).await?;
    // Without the engine's kinds there is nothing of theirs.
    let present = Present::read(context).await?.unwrap_or_default();
    let work = subnets::put_right(&name, &machines, &present, book, context).await?;
    if work.going || work.problem.is_some() {
        if let Some(problem) = &work.problem {
            error!(zone = name, problem, "networks of a zone cannot be taken down");
        }
        return Ok(Outcome::waiting(Reason::Deleting, "NetworksGoing", &Parameters::new()));
    }
    context.writer.remove_finalizer(&Api::all(context.client.clone()), zone, FINALIZER_NETWORK).await?;
    Ok(Outcome::gone())
}

fn not_ready(reason: Reason, code: &str, about: &Parameters) -> Finding {
    finding(ConditionType::Ready, ConditionStatus::False, reason, code, about)
}
