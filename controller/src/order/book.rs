//! What an order does in the ledger: holds, confirmations, and giving up.
//!
//! Each step is safe to repeat, and none leaves a part granted while another can still be refused.

use jiff::{Timestamp, ToSpan};
use jiyun_crds::v1alpha1::{AcceptedItem, Order, OrderAction, OrderedKind, Reason};
use jiyun_ledger::{
    Claim, ClaimId, ClaimStage, Command, Decision, Hold, LedgerError, Refusal, RefusalCode, RequestError,
};
use kube::ResourceExt;
use serde_json::Value;
use tracing::info;

use super::{
    MARGIN_SECONDS,
    found::FoundItem,
    mark::OrderMark,
    subject::{Subject, Wish},
    valid::Accepted,
};
use crate::{
    content::{Content, is_restoring},
    context::Context,
    error::ReconcileError,
    host::{digest::of_wish, timing},
    stored::approved::Approved,
    volume::found::HOST,
};

/// What ends within so many seconds is held anew before it is granted.
const SOON_SECONDS: i64 = 60;

/// What came of holding everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Everything is set aside, or granted.
    All,
    /// Not now, and nobody's fault.
    Later(Reason),
    /// Some of it may not be had.
    Refused(Box<Refusal>),
    /// Some of it is not asked for any more, and nothing was granted.
    Void,
    /// Others asked in the same moment, and now it goes beyond what is guaranteed: policies have to be asked again.
    BeyondGuaranteed,
}

/// Holds until `until` what the order asks for. What is refused leaves what was held before it: the caller gives it up.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn hold(
    accepted: &Accepted,
    items: &[FoundItem],
    order: &Order,
    until: Timestamp,
    context: &Context,
) -> Result<Held, ReconcileError> {
    let open = items.iter().zip(&accepted.items).filter(|(item, wanted)| !is_held(item, wanted, until));
    if awaits_another(open.map(|(item, _)| item), items, context) {
        return Ok(Held::Later(Reason::AwaitingHost));
    }
    for (item, wanted) in in_order(items.iter().zip(&accepted.items)) {
        if item.item.action == OrderAction::End || is_held(item, wanted, until) {
            continue;
        }
        let only_within_guaranteed = accepted.requirement.only_within_guaranteed;
        match hold_one(item, order, until, only_within_guaranteed, context).await? {
            Held::All => {}
            other => return Ok(other),
        }
    }
    Ok(Held::All)
}

/// Volumes after their hosts: they are made where those are.
fn in_order<'a, T>(items: impl Iterator<Item = (&'a FoundItem, T)>) -> impl Iterator<Item = (&'a FoundItem, T)> {
    let (volumes, others): (Vec<_>, Vec<_>) = items.partition(|(item, _)| item.item.kind == OrderedKind::CloudVolume);
    others.into_iter().chain(volumes)
}

/// Whether the host of this volume is only held, and for another order.
fn is_held_elsewhere(subject: &Subject, order: &Order, context: &Context) -> bool {
    let Subject::Volume(volume) = subject else { return false };
    let Some(host) = &volume.spec.host_ref else { return false };
    let namespace = volume.metadata.namespace.as_deref().unwrap_or_default();
    let claim = context.ledger.read(|state| state.claim_of_object(HOST, namespace, &host.name).cloned());
    claim.is_some_and(|claim| claim.stage() == ClaimStage::Held && !is_held_by(&claim, order))
}

/// Whether a volume that is not held yet waits for a host that has no place, and that this order does not bring: nothing is set aside before.
fn awaits_another<'a>(open: impl Iterator<Item = &'a FoundItem>, items: &[FoundItem], context: &Context) -> bool {
    let is_here =
        |name: &str| items.iter().any(|item| item.item.kind == OrderedKind::CloudHost && item.item.name == name);
    open.filter(|item| item.item.action == OrderAction::Create).any(|item| {
        let Some(Subject::Volume(volume)) = &item.subject else { return false };
        let Some(host) = volume.spec.host_ref.as_ref().filter(|host| !is_here(&host.name)) else { return false };
        let namespace = volume.metadata.namespace.as_deref().unwrap_or_default();
        let claim = context.ledger.read(|state| state.claim_of_object(HOST, namespace, &host.name).cloned());
        claim.is_none_or(|claim| claim.stage() == ClaimStage::Held)
    })
}

async fn hold_one(
    item: &FoundItem,
    order: &Order,
    until: Timestamp,
    only_within_guaranteed: bool,
    context: &Context,
) -> Result<Held, ReconcileError> {
    let Some((subject, wish)) = wish(item) else { return Ok(Held::Later(Reason::Undecided)) };
    let mark = OrderMark::new(order);
    let (asked, of) = if item.item.action == OrderAction::Change {
        let Some(claim) = &item.claim else { return Ok(Held::Later(Reason::Undecided)) };
        if is_restoring(claim) {
            // Whoever records that its disk is restored gives up what was set aside for it.
            return Ok(Held::Later(Reason::Undecided));
        }
        let Some(asked) = wish.growth(claim, mark, context)? else { return Ok(Held::All) };
        (asked, Some(claim))
    } else {
        let wish = match wish {
            // Its host may have been set aside a moment ago, for this very order.
            wish if wish.awaits_host() => subject.wish(context).ok(),
            wish => Some(wish.clone()),
        };
        // Set aside anywhere, it might be where its host is not; and so it might beside what another order only holds.
        let has_place = |wish: &Wish| !wish.awaits_host() && !is_held_elsewhere(subject, order, context);
        let Some(wish) = wish.filter(has_place) else { return Ok(Held::Later(Reason::AwaitingHost)) };
        let Some(asked) = wish.request(subject, mark)? else { return Ok(Held::Later(Reason::Undecided)) };
        (asked, None)
    };
    let outdated = item.claim.as_ref().filter(|claim| is_held_by(claim, order)).and_then(|claim| {
        let hold = claim.hold.as_ref().filter(|hold| is_outdated(item, hold))?;
        Some((claim.id, hold))
    });
    if let Some((claim, hold)) = outdated {
        if has_grown(hold, wish) {
            // Whoever agreed, or is asked to, was told of less.
            return Ok(Held::Void);
        }
        if context.quarantined() {
            return Ok(Held::Later(Reason::Quarantined));
        }
        // A hold of this very digest would stand as it is, and what it sets aside may lie where the other thing is not.
        context.ledger.record(Command::WithdrawFor(claim, hold.spec_digest.clone())).await?;
    }
    let asked = jiyun_ledger::ClaimRequest { hold_until: Some(until), wait: false, ..asked };
    let decided = match (of, only_within_guaranteed) {
        (None, false) => context.ledger.decide(asked).await,
        (None, true) => context.ledger.decide_within_guaranteed(asked).await,
        // What is held on top of a claim is for that claim as it was read: it may have ended, been handed over or changed.
        (Some(claim), false) => context.ledger.decide_change(claim, asked).await,
        (Some(claim), true) => context.ledger.decide_change_within_guaranteed(claim, asked).await,
    };
    if let Err(LedgerError::Request(RequestError::BeyondGuaranteed { .. })) = decided {
        return Ok(Held::BeyondGuaranteed);
    }
    Ok(match decided? {
        Decision::Granted { .. } => {
            context.metrics.decided("Held");
            Held::All
        }
        Decision::Refused(refusal) => {
            context.metrics.decided(refusal.code.into());
            info!(
                order.namespace = order.namespace(),
                order.name = order.name_any(),
                item = subject.meta().name,
                code = %refusal.code,
                parameters = ?refusal.parameters,
                report = %serde_json::to_string(&refusal.report).unwrap_or_default(),
                "not held"
            );
            match refusal.code {
                RefusalCode::Quarantined => Held::Later(Reason::Quarantined),
                RefusalCode::UnknownAccount => Held::Later(Reason::UnknownAccount),
                _ => Held::Refused(Box::new(refusal)),
            }
        }
    })
}

/// Grants everything that is held; what is not held any more is held again first, so that nothing is granted while
/// something else may still be refused.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn confirm(
    order: &Order,
    items: &[FoundItem],
    now: Timestamp,
    context: &Context,
) -> Result<Held, ReconcileError> {
    let until = now.checked_add(MARGIN_SECONDS.seconds()).unwrap_or(now);
    let wanted = || accepted(order, items).filter(|(item, _)| item.item.action != OrderAction::End);
    let some_granted = wanted().any(|(item, accepted)| is_granted(item, accepted, order));
    let soon = now.checked_add(SOON_SECONDS.seconds()).unwrap_or(now);
    for (item, accepted) in in_order(wanted()) {
        if is_granted(item, accepted, order) {
            continue;
        }
        let hold = item.claim.as_ref().and_then(|claim| claim.hold.as_ref());
        if hold.is_some_and(|hold| is_from_nothing(item, hold, context)) {
            // Nothing can be made of it any more.
            if some_granted {
                continue;
            }
            return Ok(Held::Void);
        }
        if is_held(item, accepted, soon) {
            continue;
        }
        let is_there = |subject: &Subject| {
            subject.stays()
                && !subject.is_being_handed_over()
                && subject.meta().uid.as_deref() == Some(accepted.uid.as_str())
        };
        let wish = wish(item).filter(|(subject, wish)| is_there(subject) && wish.digest() == accepted.spec_digest);
        if wish.is_none() {
            // A change that is not asked for any more leaves what there is as it is, and the rest to be granted.
            if some_granted || item.item.action == OrderAction::Change {
                continue;
            }
            return Ok(Held::Void);
        }
        match hold_one(item, order, until, false, context).await? {
            Held::All => {}
            Held::Refused(_) if some_granted => return Ok(Held::Later(Reason::Undecided)),
            // It would be more than was agreed to: the rest is granted.
            Held::Void if some_granted => {}
            other => return Ok(other),
        }
    }
    for (item, accepted) in wanted() {
        let claim = context.ledger.read(|state| state.claim_of_subject(&accepted.uid).cloned());
        let Some(claim) = claim else { continue };
        let is_for = |hold: &Hold| {
            of_wish(&hold.spec_digest) == accepted.spec_digest
                && !is_outdated(item, hold)
                && !is_from_nothing(item, hold, context)
        };
        let Some(hold) = claim.hold.as_ref().filter(|hold| is_for(hold)) else { continue };
        context.ledger.record(Command::Confirm(claim.id, hold.spec_digest.clone())).await?;
        context.metrics.decided("Granted");
        if item.item.action == OrderAction::Create
            && let Some(Subject::Host(host)) = &item.subject
            && let Some(granted) = context.ledger.read(|state| state.claim(claim.id).cloned())
        {
            timing::decided(host, &granted, &context.metrics);
        }
        info!(order.namespace = order.namespace(), order.name = order.name_any(), claim = %claim.id, "granted");
    }
    Ok(Held::All)
}

/// Records the changes that an approved order asks for and nothing was set aside for.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn change(order: &Order, items: &[FoundItem], context: &Context) -> Result<(), ReconcileError> {
    for (item, accepted) in accepted(order, items).filter(|(item, _)| item.item.action == OrderAction::Change) {
        let Some((_, wish)) = wish(item).filter(|(_, wish)| wish.digest() == accepted.spec_digest) else { continue };
        // As it is now: a growth was granted a moment ago, and its host may have gone on from there.
        let claim = context.ledger.read(|state| state.claim_of_subject(&accepted.uid).cloned());
        let Some(claim) = claim.filter(|claim| claim.is_open() && !is_claimed(claim, accepted)) else { continue };
        wish.change(&claim, OrderMark::new(order), context).await?;
        info!(order.namespace = order.namespace(), order.name = order.name_any(), claim = %claim.id, "changed");
    }
    Ok(())
}

/// Ends what an approved order says is to end. Its own controller takes it down, intent first. What is on its way to
/// another department is not touched: if it stays after all, it is ended then.
///
/// # Errors
/// When Kubernetes does not take it.
pub async fn end(order: &Order, items: &[FoundItem], context: &Context) -> Result<(), ReconcileError> {
    for (item, accepted) in accepted(order, items).filter(|(item, _)| item.item.action == OrderAction::End) {
        let subject = item.subject.as_ref().filter(|subject| subject.meta().uid.as_deref() == Some(&accepted.uid));
        let stays = |subject: &&Subject| subject.stays() && !subject.is_being_handed_over();
        if let Some(subject) = subject.filter(stays) {
            subject.delete(context).await?;
        }
    }
    Ok(())
}

/// Frees what this order holds and was not granted.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn give_up(order: &Order, context: &Context) -> Result<(), ReconcileError> {
    let namespace = order.namespace().unwrap_or_default();
    for item in order.spec.items.iter().filter(|item| item.action != OrderAction::End) {
        let claim =
            context.ledger.read(|state| state.claim_of_object(item.kind.into(), &namespace, &item.name).cloned());
        let Some(claim) = claim.filter(|claim| is_held_by(claim, order)) else { continue };
        let Some(hold) = &claim.hold else { continue };
        // Another order may place one in this very moment: that is not ours to give up.
        context.ledger.record(Command::WithdrawFor(claim.id, hold.spec_digest.clone())).await?;
    }
    Ok(())
}

fn accepted<'a>(order: &'a Order, items: &'a [FoundItem]) -> impl Iterator<Item = (&'a FoundItem, &'a AcceptedItem)> {
    items.iter().zip(order.status.iter().flat_map(|status| &status.items))
}

fn wish(item: &FoundItem) -> Option<(&Subject, &Wish)> {
    item.subject.as_ref().zip(item.wish.as_ref()?.as_ref().ok())
}

/// Whether what `hold` sets aside for an item that is to be created is for what its names stood for before. A digest has
/// no more than the name of a snapshot, and of what one is taken of: another one may be called so by now, or the same one
/// have grown. What is asked for otherwise, or cannot be told now, is not compared.
fn is_outdated(item: &FoundItem, hold: &Hold) -> bool {
    let wish = item.wish.as_ref().and_then(|wish| wish.as_ref().ok());
    let wish = wish.filter(|wish| wish.digest() == of_wish(&hold.spec_digest));
    item.item.action == OrderAction::Create && wish.is_some_and(|wish| !is_for(hold, wish))
}

/// Whether what `hold` sets aside is what the names in `wish` stand for now.
fn is_for(hold: &Hold, wish: &Wish) -> bool {
    let has = |path: &str| hold.approved_spec.pointer(path).and_then(Value::as_u64);
    let is_from = |content: Option<&Content>| has("/content/claim") == content.map(|content| content.claim.0);
    let is_stored = |approved: &Approved| {
        is_from(approved.content.as_ref())
            && has("/source/claim") == approved.source.as_ref().map(|source| source.claim.0)
            && has("/mebibytes") == Some(approved.mebibytes)
    };
    match wish {
        Wish::Host(valid) => is_from(valid.approved.content.as_ref()),
        Wish::Volume(valid) => is_stored(&valid.approved),
        Wish::Bucket(valid) => is_stored(&valid.approved),
        Wish::Snapshot(valid) => is_stored(&valid.approved),
        Wish::Flow(_) | Wish::Database(_) => true,
    }
}

/// Whether `wish` takes more storage than `hold` sets aside.
fn has_grown(hold: &Hold, wish: &Wish) -> bool {
    let before = hold.approved_spec.pointer("/mebibytes").and_then(Value::as_u64);
    let asked = match wish {
        Wish::Volume(valid) => valid.approved.mebibytes,
        Wish::Bucket(valid) => valid.approved.mebibytes,
        Wish::Snapshot(valid) => valid.approved.mebibytes,
        Wish::Host(_) | Wish::Flow(_) | Wish::Database(_) => return false,
    };
    before.is_none_or(|before| asked > before)
}

/// Whether an item is to be created from a snapshot that has ended since `hold` was placed for it.
fn is_from_nothing(item: &FoundItem, hold: &Hold, context: &Context) -> bool {
    if item.item.action != OrderAction::Create {
        return false;
    }
    let from = hold.approved_spec.pointer("/content/claim").and_then(Value::as_u64);
    from.is_some_and(|from| {
        let ended = |claim: &Claim| matches!(claim.stage(), ClaimStage::Ending | ClaimStage::Released);
        context.ledger.read(|state| state.claim(ClaimId(from)).is_none_or(|claim| ended(claim)))
    })
}

fn is_held(item: &FoundItem, accepted: &AcceptedItem, until: Timestamp) -> bool {
    let held = |claim: &Claim| {
        let is_for = |hold: &Hold| of_wish(&hold.spec_digest) == accepted.spec_digest && !is_outdated(item, hold);
        claim.hold.as_ref().is_some_and(|hold| hold.until >= until && is_for(hold))
    };
    item.claim.as_ref().is_some_and(|claim| held(claim))
}

/// How many of its items have what was approved.
pub fn granted(order: &Order, items: &[FoundItem]) -> usize {
    accepted(order, items).filter(|(item, accepted)| is_granted(item, accepted, order)).count()
}

fn is_granted(item: &FoundItem, accepted: &AcceptedItem, order: &Order) -> bool {
    // What was created may have been edited since it was granted: it was created by this order all the same.
    let is_created_by = |claim: &Claim| {
        item.item.action == OrderAction::Create
            && claim.stage() != ClaimStage::Held
            && claim.subject.uid == accepted.uid
            && OrderMark::of(&claim.approved_spec).is_some_and(|mark| mark.is_of(order))
    };
    item.claim.as_ref().is_some_and(|claim| is_claimed(claim, accepted) || is_created_by(claim))
}

/// Whether a claim was granted for what was accepted.
pub fn is_claimed(claim: &Claim, accepted: &AcceptedItem) -> bool {
    claim.stage() != ClaimStage::Held && of_wish(&claim.spec_digest) == accepted.spec_digest
}

/// Whether a hold was placed by this very order.
pub fn is_held_by(claim: &Claim, order: &Order) -> bool {
    let by = claim.hold.as_ref().and_then(|hold| OrderMark::of(&hold.approved_spec));
    by.is_some_and(|mark| mark.is_of(order))
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
