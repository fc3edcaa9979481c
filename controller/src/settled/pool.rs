//! What compute and storage pools have in common: where they are, and booking them.

use jiyun_crds::{
    names::FINALIZER_POOL,
    v1alpha1::{ConditionStatus, ConditionType, Maintenance, Quantity, Reason, condition::Finding},
};
use jiyun_ledger::{Claim, Pool, PoolId, PoolKind, PoolState};
use jiyun_messages::{Parameters, parameters};
use kube::ResourceExt;

use super::{Outcome, Settled};
use crate::{
    catalogue::lookup,
    conditions::{finding, plain},
    context::Context,
    error::ReconcileError,
};

/// A pool that cannot be booked as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    reason: Reason,
    code: &'static str,
    about: Parameters,
}

impl Unusable {
    /// A quantity nobody can read.
    fn quantity(field: &str, value: &str, problem: &impl ToString) -> Self {
        let about = parameters([("field", field), ("value", value), ("problem", &problem.to_string())]);
        Self { reason: Reason::Misconfigured, code: "InvalidQuantity", about }
    }

    /// No node carries the labels, and none ever did.
    pub fn no_nodes(selector: &str) -> Self {
        Self { reason: Reason::NoNodes, code: "NoNodes", about: parameters([("selector", selector)]) }
    }
}

/// A size in the book's unit.
///
/// # Errors
/// When it is no whole number of MiB.
pub fn mebibytes(field: &str, quantity: &Quantity) -> Result<u64, Unusable> {
    quantity.mebibytes().map_err(|problem| Unusable::quantity(field, quantity.as_str(), &problem))
}

/// A pool to book, and what to say of it once it is booked.
#[derive(Clone, Debug, PartialEq)]
pub struct Booking {
    /// The pool.
    pub pool: Pool,
    /// Its condition `Ready`.
    pub ready: Finding,
}

/// Booked as it was written.
pub fn plain_ready() -> Finding {
    plain(ConditionType::Ready, ConditionStatus::True, Reason::Valid)
}

/// The state that operations asked for.
pub fn state(maintenance: Maintenance) -> PoolState {
    match maintenance {
        Maintenance::None => PoolState::Open,
        Maintenance::Drain => PoolState::Draining,
    }
}

/// Books what was read of a pool and says how it stands; closes one that is being deleted, and lets it go once nothing
/// lies in it: the machines in it are found by it.
///
/// # Errors
/// When the ledger or Kubernetes cannot be asked. What the ledger has against the pool becomes a condition.
pub async fn settle<K: Settled>(
    object: &K,
    kind: PoolKind,
    read: Result<Booking, Unusable>,
    context: &Context,
) -> Result<Outcome, ReconcileError> {
    if object.meta().deletion_timestamp.is_none() {
        return book(read, context).await;
    }
    if !object.finalizers().iter().any(|finalizer| finalizer == FINALIZER_POOL) {
        return Ok(Outcome::gone());
    }
    if context.quarantined() {
        return Ok(Outcome::paused());
    }
    let id = PoolId::of(kind, &object.name_any());
    if let Some(pool) = context.ledger.read(|state| state.pool(&id).cloned()) {
        context.ledger.set_pool(Pool { state: PoolState::Closed, ..pool }).await?;
    }
    let lies_here = |claim: &Claim| claim.is_open() && claim.taken().any(|line| line.pool == id);
    let held = context.ledger.read(|state| state.claims().filter(|claim| lies_here(claim)).count());
    if held > 0 {
        let about = parameters([("count", held.to_string())]);
        return Ok(Outcome::waiting(Reason::Deleting, "PoolHoldsResources", &about));
    }
    context.writer.remove_finalizer(&object.home(context.client.clone()), object, FINALIZER_POOL).await?;
    Ok(Outcome::gone())
}

async fn book(read: Result<Booking, Unusable>, context: &Context) -> Result<Outcome, ReconcileError> {
    let placed = read.and_then(|Booking { pool, ready }| Ok(Booking { pool: placed(pool, context)?, ready }));
    let booked = match placed {
        Ok(Booking { pool, ready }) => match context.ledger.set_pool(pool).await.map_err(ReconcileError::from) {
            Ok(_) => Ok(ready),
            Err(error) => match error.command() {
                Some(command) => Err(Unusable {
                    reason: Reason::Misconfigured,
                    code: "InvalidField",
                    about: parameters([("field", "spec"), ("problem", &command.to_string())]),
                }),
                None => return Err(error),
            },
        },
        Err(unusable) => Err(unusable),
    };
    let ready = booked.unwrap_or_else(|Unusable { reason, code, about }| said(reason, code, &about));
    Ok(Outcome::found(vec![ready]))
}

fn said(reason: Reason, code: &str, about: &Parameters) -> Finding {
    finding(ConditionType::Ready, ConditionStatus::False, reason, code, about)
}

/// Checks that the site and the zones exist: a pool in a zone that is a typing mistake would never be found.
fn placed(pool: Pool, context: &Context) -> Result<Pool, Unusable> {
    let missing = |field: &str, kind: &str, name: &str| Unusable {
        reason: Reason::UnknownReference,
        code: "UnknownReference",
        about: parameters([("field", field), ("kind", kind), ("name", name)]),
    };
    let Some(site) = lookup(&context.catalogue.sites, None, &pool.site) else {
        return Err(missing("spec.siteRef.name", "Site", &pool.site));
    };
    // Claims at a site whose engines are not served would wait for ever.
    let served = context.sites.engines(&site).is_some();
    let pool = Pool { state: if served { pool.state } else { PoolState::Closed }, ..pool };
    match pool.zones.iter().find(|zone| lookup(&context.catalogue.zones, None, zone).is_none()) {
        Some(zone) => Err(missing("spec.zones", "NetworkZone", zone)),
        None => Ok(pool),
    }
}
