//! Resizing a granted host (变配): what of a changed wish is decided first, and what a claim holds until the machine has
//! followed.
//!
//! What grows is in the book before the engines are told; what shrinks stays in the book until the machine was seen with
//! less. So a machine never runs on what its claim does not hold, whenever we die in between.

use std::{collections::BTreeMap, sync::Arc};

use jiyun_crds::v1alpha1::CloudHost;
use jiyun_ledger::{Claim, ClaimRequest, Decision, Meter};
use jiyun_messages::parameters;
use kube::{Api, ResourceExt};
use tracing::{info, warn};

use super::{
    approved::Approved,
    digest, lease,
    parking::{given_back, protection_level},
    rejection::Rejection,
    report::Engines,
    request, whereabouts,
};
use crate::{
    change,
    context::Context,
    engines::{
        kubevirt::{InstanceView, fits_within},
        order::Power,
    },
    error::ReconcileError,
};

/// What a changed wish comes to.
pub type Change = change::Change<Approved>;

/// What changing `claim`, which was granted as `approved`, to what is `asked` for comes to. Grown is what takes more than
/// the claim was granted or still holds: a host that goes back to its old size before its machine has followed asks for
/// nothing.
///
/// # Errors
/// The field that cannot be changed so, whoever agrees.
pub fn change(claim: &Claim, approved: &Approved, asked: &Approved) -> Result<Change, Rejection> {
    if asked.disk_mebibytes < approved.disk_mebibytes {
        let gib = |mebibytes: u64| format!("{} GiB", mebibytes / 1024);
        let (from, to) = (gib(approved.disk_mebibytes), gib(asked.disk_mebibytes));
        let about = parameters([("field", "spec.systemDisk.size"), ("from", &from), ("to", &to)]);
        return Err(Rejection::misconfigured("DiskCannotShrink", about));
    }
    let after = merged(approved, asked);
    let is_same = (&after.class, after.disk_mebibytes, after.deletable)
        == (&approved.class, approved.disk_mebibytes, approved.deletable)
        && lease::same(approved.lease.as_ref(), asked.lease.as_ref());
    if is_same {
        return Ok(Change::None);
    }
    let is_guarded = after.deletable && !approved.deletable;
    let is_longer = lease::is_more(approved.lease.as_ref(), asked.lease.as_ref());
    let is_decided = is_guarded || is_longer || grows(claim, approved, &after);
    Ok(if is_decided { Change::Decided(after) } else { Change::AtOnce(after) })
}

/// What of a wish applies at once though the rest of it has to be decided, or cannot be had: protection, and an end of the
/// lease that comes earlier, or comes at all. Nothing where all of the wish applies at once anyway.
pub fn at_once(claim: &Claim, approved: &Approved, asked: &Approved) -> Option<Approved> {
    if matches!(change(claim, approved, asked), Ok(Change::None | Change::AtOnce(_))) {
        return None;
    }
    let (granted, wished) = (approved.lease.as_ref(), asked.lease.as_ref());
    let ends_earlier = !lease::same(granted, wished) && !lease::is_more(granted, wished);
    let lease = if ends_earlier { wished } else { granted }.cloned();
    let part = Approved { deletable: approved.deletable && asked.deletable, lease, ..approved.clone() };
    (part != *approved).then_some(part)
}

/// Whether `after` takes more of anything than `claim`, granted as `approved`, was granted or holds.
pub fn grows(claim: &Claim, approved: &Approved, after: &Approved) -> bool {
    let has = quantities(approved);
    let has = |meter: Meter| claim.has_of(meter).max(has.get(&meter).copied().unwrap_or_default());
    quantities(after).into_iter().any(|(meter, quantity)| quantity > has(meter))
}

/// What was approved, with what may change as it is asked for. The rest stays: later edits of the catalogue do not reach a
/// host that exists, and a class made anew under its old name is not the one it was granted.
fn merged(approved: &Approved, asked: &Approved) -> Approved {
    let sized = if approved.class == asked.class { approved } else { asked };
    Approved {
        class: sized.class.clone(),
        vcpu: sized.vcpu,
        memory_mebibytes: sized.memory_mebibytes,
        disk_mebibytes: asked.disk_mebibytes,
        deletable: asked.deletable,
        lease: lease::changed(approved.lease.clone(), asked.lease.clone()),
        ..approved.clone()
    }
}

fn quantities(approved: &Approved) -> BTreeMap<Meter, u64> {
    request::placements(approved).into_iter().flat_map(|placement| placement.quantities).collect()
}

/// What `claim` holds beyond `approved`: its machine may still run with it.
pub fn kept(claim: &Claim, approved: &Approved) -> BTreeMap<Meter, u64> {
    let held = quantities(approved).into_iter().map(|(meter, quantity)| (meter, claim.has_of(meter), quantity));
    held.filter(|(_, has, quantity)| has > quantity).map(|(meter, has, _)| (meter, has)).collect()
}

/// What `claim` asks for to become `after`: what that takes, and what the machine may have until it has followed, but for
/// what a stopped host has given back.
///
/// # Errors
/// When the approved spec cannot be written as JSON, which its types exclude.
pub fn request(
    claim: &Claim,
    after: &Approved,
    digest: &str,
    protection_level: u8,
) -> Result<ClaimRequest, serde_json::Error> {
    let (without, kept) = (given_back(claim, after), kept(claim, after));
    let mut asked = request::of_claim(claim, protection_level, after, &without);
    for placement in &mut asked.placements {
        for (meter, quantity) in &mut placement.quantities {
            *quantity = kept.get(meter).copied().unwrap_or(*quantity);
        }
    }
    Ok(ClaimRequest {
        item: after.class.clone(),
        spec_digest: digest::of_claim(digest, after, &without, &kept),
        approved_spec: serde_json::to_value(after)?.into(),
        // A stopped host that gave something back has one place in line: that of its start.
        wait: without.is_empty(),
        ..asked
    })
}

/// Gives back what the claim of a host that was made smaller has held for its machine, once that was seen with less: it was
/// started since, or is off.
///
/// # Errors
/// When the ledger or the engines cannot be asked.
pub async fn give_back(
    host: &CloudHost,
    claim: Arc<Claim>,
    approved: &Approved,
    engines: &Engines,
    context: &Context,
) -> Result<Arc<Claim>, ReconcileError> {
    let is_seen = engines.settled() && engines.untouched && !context.quarantined();
    let kept = kept(&claim, approved);
    if !is_seen || kept.is_empty() || !has_followed(&claim, approved, engines, context).await? {
        return Ok(claim);
    }
    let rest = request::of_claim(&claim, protection_level(&claim, context), approved, &given_back(&claim, approved));
    match context.ledger.decide_change(&claim, rest).await? {
        Decision::Granted { claim, .. } => {
            info!(
                host.namespace = host.namespace(),
                host.name = host.name_any(),
                claim = %claim.id,
                ?kept,
                "gave back what a host that became smaller had"
            );
            Ok(claim)
        }
        Decision::Refused(refusal) => {
            warn!(host.namespace = host.namespace(), host.name = host.name_any(), code = %refusal.code, "cannot shrink");
            Ok(claim)
        }
    }
}

/// Whether no machine runs with more than was approved, by the API server's own word: the instance was made of what is
/// declared now and is no larger, or there is none.
async fn has_followed(
    claim: &Claim,
    approved: &Approved,
    engines: &Engines,
    context: &Context,
) -> Result<bool, ReconcileError> {
    let Some((site, _)) = whereabouts(claim, context) else { return Ok(false) };
    let api = Api::<InstanceView>::namespaced(site.client.clone(), &request::engine_namespace(claim));
    let name = request::engine_name(claim);
    let found = api.get_opt(name).await.map_err(|source| ReconcileError::read(format!("instance {name}"), source))?;
    Ok(match (engines.power, found) {
        (Power::Off, found) => found.is_none(),
        (Power::On, None) => engines.sizing.as_declared,
        (Power::On, Some(instance)) => {
            engines.sizing.as_declared && fits_within(&instance.spec, approved.vcpu, approved.memory_mebibytes)
        }
    })
}

#[cfg(test)]
#[path = "resize_tests.rs"]
mod tests;
