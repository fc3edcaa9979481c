//! Resizing a granted database (变配): what of a changed wish is decided first, and what a claim holds until the engine has
//! followed.
//!
//! As with hosts, what grows is in the book before the engine is told, and what shrinks stays in the book until the engine
//! was seen to have followed: no instance runs on what its claim does not hold, whenever we die in between. Instances come,
//! go and are replaced one by one, in an order of the engine's own: until then a claim holds the largest number of the
//! largest there may be.

use std::{collections::BTreeMap, sync::Arc};

use jiyun_crds::v1alpha1::{CloudDatabase, Quantity};
use jiyun_ledger::{Claim, ClaimRequest, Decision, Meter};
use jiyun_messages::parameters;
use kube::ResourceExt;
use tracing::{info, warn};

use super::{approved::Approved, digest, report::Engine, request};
use crate::{
    change,
    context::Context,
    error::ReconcileError,
    host::{digest::of_wish, protection_level, rejection::Rejection},
    order::mark::OrderMark,
};

/// What a changed wish comes to.
pub type Change = change::Change<Approved>;

/// What changing `claim`, which was granted as `approved`, to what is `asked` for comes to. Grown is what takes more than
/// the claim was granted or still holds: a database that goes back to its old size before its engine has followed asks for
/// nothing.
///
/// # Errors
/// The field that cannot be changed so, whoever agrees.
pub fn change(claim: &Claim, approved: &Approved, asked: &Approved) -> Result<Change, Rejection> {
    let (from, to) = (approved.storage_mebibytes, asked.storage_mebibytes);
    if to < from {
        let (from, to) = (Quantity::from_mebibytes(from), Quantity::from_mebibytes(to));
        let about = parameters([("field", "spec.storage.size"), ("from", from.as_str()), ("to", to.as_str())]);
        return Err(Rejection::misconfigured("DatabaseCannotShrink", about));
    }
    let after = merged(approved, asked);
    Ok(if after == *approved {
        Change::None
    } else if (after.deletable && !approved.deletable) || grows(claim, approved, &after) {
        Change::Decided(after)
    } else {
        Change::AtOnce(after)
    })
}

/// What of a wish applies at once though the rest of it has to be decided, or cannot be had: its protection.
pub fn at_once(claim: &Claim, approved: &Approved, asked: &Approved) -> Option<Approved> {
    let is_protected = approved.deletable && !asked.deletable;
    let rest_is_decided = !matches!(change(claim, approved, asked), Ok(Change::None | Change::AtOnce(_)));
    (is_protected && rest_is_decided).then(|| Approved { deletable: false, ..approved.clone() })
}

/// What a database becomes that was granted as `approved`, where it becomes what is `asked` for; nothing where it cannot.
pub fn after(claim: &Claim, approved: &Approved, asked: &Approved) -> Option<Approved> {
    Some(change(claim, approved, asked).ok()?.after().unwrap_or_else(|| approved.clone()))
}

/// What a database becomes by an order; nothing where it cannot be done.
pub fn ordered(claim: &Claim, approved: &Approved, asked: &Approved, mark: OrderMark) -> Option<Approved> {
    let after = after(claim, approved, asked)?;
    Some(Approved { order: Some(mark), policies: Vec::new(), ..after })
}

/// Whether `after` takes more of anything than `claim`, granted as `approved`, was granted or holds.
pub fn grows(claim: &Claim, approved: &Approved, after: &Approved) -> bool {
    let has = quantities(approved);
    let has = |meter: Meter| claim.has_of(meter).max(has.get(&meter).copied().unwrap_or_default());
    quantities(after).into_iter().any(|(meter, quantity)| quantity > has(meter))
}

/// What was approved, with what may change as it is asked for. The rest stays: later edits of the catalogue do not reach a
/// database that exists, and neither does a class's other image of its version.
fn merged(approved: &Approved, asked: &Approved) -> Approved {
    let sized = if approved.class == asked.class { approved } else { asked };
    let after = Approved {
        class: sized.class.clone(),
        vcpu: sized.vcpu,
        memory_mebibytes: sized.memory_mebibytes,
        instances: asked.instances,
        storage_mebibytes: asked.storage_mebibytes,
        deletable: asked.deletable,
        ..approved.clone()
    };
    let (declared, may_be) = (after.extent(), approved.held().around(after.extent()));
    Approved { under_way: (may_be != declared).then_some(may_be), ..after }
}

fn quantities(approved: &Approved) -> BTreeMap<Meter, u64> {
    request::placements(approved).into_iter().flat_map(|placement| placement.quantities).collect()
}

/// What `claim` asks for to become `after`.
///
/// # Errors
/// When the approved spec cannot be written as JSON, which its types exclude.
pub fn request(
    claim: &Claim,
    after: &Approved,
    digest: &str,
    protection_level: u8,
) -> Result<ClaimRequest, serde_json::Error> {
    request::of_claim(claim, protection_level, after, digest::of_claim(digest, after))
}

/// Gives back what the claim of a database that was made smaller has held for its instances, once the engine was seen to
/// have followed.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn give_back(
    database: &CloudDatabase,
    claim: Arc<Claim>,
    approved: &Approved,
    engine: &Engine,
    context: &Context,
) -> Result<Arc<Claim>, ReconcileError> {
    // What an order has set aside would be given up with it.
    let may = engine.followed && claim.hold.is_none() && !context.quarantined();
    let Some(had) = approved.under_way.filter(|_| may) else { return Ok(claim) };
    let wish = of_wish(&claim.spec_digest).to_owned();
    let rest = request(&claim, &approved.clone().followed(), &wish, protection_level(&claim, context))?;
    let (namespace, name) = (database.namespace(), database.name_any());
    match context.ledger.decide_change(&claim, rest).await? {
        Decision::Granted { claim, .. } => {
            info!(
                database.namespace = namespace,
                database.name = name,
                claim = %claim.id,
                ?had,
                "gave back what a database had while it was changed"
            );
            Ok(claim)
        }
        Decision::Refused(refusal) => {
            warn!(database.namespace = namespace, database.name = name, code = %refusal.code, "cannot shrink");
            Ok(claim)
        }
    }
}

#[cfg(test)]
#[path = "resize_tests.rs"]
mod tests;
