//! Restoring in place (恢复), as far as it is the same for hosts and volumes: whether a restore that is asked for begins, and
//! how one that is under way goes on.
//!
//! The intent is recorded first, with what was approved; every step after it follows from that and from what is there,
//! and the end is recorded when the new disk has all of its content.

use std::{fmt::Debug, sync::Arc};

use jiff::Timestamp;
use jiyun_crds::v1alpha1::Restore;
use jiyun_ledger::{Claim, LedgerError, RequestError};
use kube::{Api, Resource, ResourceExt, core::NamespaceResourceScope};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::info;

use super::{
    Content, RESTORED_FROM, Restoration,
    anew::{self, Anew, Came, Door, Guard, Progress, Restoring},
    restoring::{self, Step},
};
use crate::{
    conditions::whole_seconds,
    context::Context,
    engines::cdi,
    error::ReconcileError,
    host::{claim_label, request::engine_namespace, whereabouts},
    site::SiteEngines,
};

/// An object whose disk can be brought back to a snapshot that was taken of it.
pub trait Restorable:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + Sync
{
    /// What was approved of one.
    type Approved: Send + Sync;

    /// The restore that is asked for.
    fn asked(&self) -> Option<&Restore>;

    /// Whether `other`, of the same UID, wishes the same, as far as a restore depends on it.
    fn wishes_as(&self, other: &Self) -> bool;

    /// Whether it stays, and with its department.
    fn stays(&self) -> bool;

    /// The restore that was begun last.
    fn restored(approved: &Self::Approved) -> Option<&Restoration>;

    /// What the disk of a claim is called.
    fn disk_name(claim: &Claim) -> String;

    /// What keeps a restore that is due, and whose snapshot is there, from beginning.
    fn hindered(
        &self,
        claim: &Claim,
        approved: &Self::Approved,
        site: &SiteEngines,
        context: &Context,
    ) -> impl Future<Output = Result<Option<Restoring>, ReconcileError>> + Send;

    /// What uses the disk of a claim, or may begin to, by the API server's own word: kind and name.
    fn in_use(claim: &Claim, site: &SiteEngines)
    -> impl Future<Output = Result<Option<String>, ReconcileError>> + Send;

    /// Records how far its restores are; nobody is asked. While the book is being checked nothing is recorded, and what
    /// comes back says so.
    fn record(
        claim: &Arc<Claim>,
        approved: &Self::Approved,
        restored: Option<Restoration>,
        context: &Context,
    ) -> impl Future<Output = Result<(Arc<Claim>, Self::Approved), ReconcileError>> + Send;
}

/// How an object stands with the restore that is asked for.
pub struct Settled<T: Restorable> {
    /// Its claim.
    pub claim: Arc<Claim>,
    /// What was approved of it.
    pub approved: T::Approved,
    /// Why a restore that is due does not begin. Of one that has begun `drive` says how far it is.
    pub restoring: Option<Restoring>,
}

impl<T: Restorable> Settled<T> {
    /// Whether its disk is given to nobody meanwhile.
    pub fn is_kept(&self) -> bool {
        under_way::<T>(&self.approved).is_some() || self.restoring.as_ref().is_some_and(Restoring::awaits)
    }
}

/// What comes of a restore that is due.
enum Due {
    /// It begins, from this.
    Begins(Content),
    /// It does not, for this.
    Stays(Restoring),
    /// It does not; or that is told otherwise, or it is looked at again anyway.
    Nothing,
}

/// The restore that is under way.
pub fn under_way<T: Restorable>(approved: &T::Approved) -> Option<&Restoration> {
    T::restored(approved).filter(|restored| restored.is_under_way())
}

/// Records that a restore begins, where one is due and may, and that one is done, where its disk is whole. One that is
/// under way and has come to nothing gives way to a later one.
///
/// # Errors
/// When the ledger or the engines cannot be asked.
pub async fn settle<T: Restorable>(
    object: &T,
    claim: Arc<Claim>,
    approved: T::Approved,
    context: &Context,
) -> Result<Settled<T>, ReconcileError> {
    let is_done = |restoration: &&Restoration| is_whole::<T>(&claim, restoration, context);
    if let Some(restoration) = under_way::<T>(&approved).filter(is_done) {
        let done = restoration.done(whole_seconds(Timestamp::now()));
        told(&claim, &done, "restored");
        let (claim, approved) = T::record(&claim, &approved, Some(done), context).await?;
        return Ok(Settled { claim, approved, restoring: None });
    }
    let Some((asked, requested_at)) = due(object, &claim, &approved, context) else {
        return Ok(Settled { claim, approved, restoring: None });
    };
    Ok(match Box::pin(weigh(object, asked, requested_at, &claim, &approved, context)).await? {
        Due::Nothing => Settled { claim, approved, restoring: None },
        Due::Stays(why) => Settled { claim, approved, restoring: Some(why) },
        Due::Begins(from) => {
            let begun = Restoration::begun(from, requested_at, T::restored(&approved));
            let (claim, approved) = T::record(&claim, &approved, Some(begun.clone()), context).await?;
            told(&claim, &begun, "a restore begins, as its object asks");
            Settled { claim, approved, restoring: None }
        }
    })
}

/// Tells operators how far a restore is.
fn told(claim: &Claim, restoration: &Restoration, what: &str) {
    info!(
        object.kind = claim.subject.kind,
        object.namespace = claim.subject.namespace,
        object.name = claim.subject.name,
        claim = %claim.id,
        snapshot = restoration.content.snapshot,
        requested_at = %restoration.requested_at,
        "{what}"
    );
}

/// The restore that is due, and its moment.
fn due<'a, T: Restorable>(
    object: &'a T,
    claim: &Claim,
    approved: &T::Approved,
    context: &Context,
) -> Option<(&'a Restore, Timestamp)> {
    let asked = object.asked()?;
    let made = object.meta().creation_timestamp.as_ref().map(|created| created.0);
    let recorded = T::restored(approved).map(|restored| restored.requested_at);
    // The book may have lost that it was done; the disk has not.
    let seen = whereabouts(claim, context)
        .and_then(|(site, _)| cdi::restored_at(&site.disk(&engine_namespace(claim), &T::disk_name(claim))?));
    Some((asked, restoring::due(Some(asked), made, recorded.max(seen), Timestamp::now())?))
}

/// Whether a restore that is due begins.
async fn weigh<T: Restorable>(
    object: &T,
    asked: &Restore,
    moment: Timestamp,
    claim: &Claim,
    approved: &T::Approved,
    context: &Context,
) -> Result<Due, ReconcileError> {
    if restoring::has_lapsed(moment, Timestamp::now()) {
        return Ok(Due::Stays(Restoring::lapsed(asked)));
    }
    // That its site cannot be reached is told already.
    let Some((site, _)) = whereabouts(claim, context) else { return Ok(Due::Nothing) };
    let disk = T::disk_name(claim);
    if let Some(former) = under_way::<T>(approved)
        && !anew::may_be_replaced(former, &disk, &claim_label(claim, context), site, context).await?
    {
        return Ok(Due::Nothing);
    }
    let name = &asked.snapshot_ref.name;
    let found = super::find(&claim.subject.namespace, name, context).restored_from(name, claim.id);
    let from = match found {
        Ok(from) => from,
        Err(rejection) => return Ok(Due::Stays(Restoring::objected(rejection))),
    };
    if let Some(why) = object.hindered(claim, approved, site, context).await? {
        return Ok(Due::Stays(why));
    }
    let door = anew::door(&from, &disk, moment, site, context).await?;
    if door == Door::Shut {
        return Ok(Due::Stays(Restoring::objected(super::awaited("SnapshotUnusable", RESTORED_FROM, name))));
    }
    let begins = door == Door::Open && is_still_asked(object, claim, context).await?;
    Ok(if begins { Due::Begins(from) } else { Due::Nothing })
}

/// Whether the object still wishes it, by the API server's own word: a watch may be late with a wish that was taken back.
async fn is_still_asked<T: Restorable>(object: &T, claim: &Claim, context: &Context) -> Result<bool, ReconcileError> {
    let is_same = |found: &T| found.meta().uid == object.meta().uid && object.wishes_as(found);
    Ok(read::<T>(claim, context).await?.is_some_and(|found| is_same(&found) && found.stays()))
}

/// What the object and whoever uses its disk say of the former disk of a restore that was recorded, by the API server's
/// own word: days may lie between the two, in which it was taken back, or the disk was taken into use past us.
async fn guard<T: Restorable>(
    claim: &Claim,
    restoration: &Restoration,
    site: &SiteEngines,
    context: &Context,
) -> Result<Guard, ReconcileError> {
    let is_its = |object: &T| object.uid().as_deref() == Some(claim.subject.uid.as_str()) && object.stays();
    let is_asked = |object: T| is_its(&object) && restoration.is_asked(object.asked());
    if !read::<T>(claim, context).await?.is_some_and(is_asked) {
        return Ok(Guard::TakenBack);
    }
    Ok(T::in_use(claim, site).await?.map_or(Guard::Free, Guard::Used))
}

/// The object of a claim, by the API server's own word.
async fn read<T: Restorable>(claim: &Claim, context: &Context) -> Result<Option<T>, ReconcileError> {
    let name = &claim.subject.name;
    let found = Api::<T>::namespaced(context.client.clone(), &claim.subject.namespace).get_opt(name).await;
    found.map_err(|source| ReconcileError::read(format!("{} {name}", T::kind(&())), source))
}

/// Whether the disk of a restore that is under way has all of its content, and that can be recorded.
fn is_whole<T: Restorable>(claim: &Claim, restoration: &Restoration, context: &Context) -> bool {
    let Some((site, _)) = whereabouts(claim, context) else { return false };
    let there = site.disk(&engine_namespace(claim), &T::disk_name(claim));
    let seen = restoring::disk(there.as_ref(), &claim_label(claim, context), restoration.requested_at);
    restoring::next(&seen, context.quarantined()) == Step::Complete
}

/// Takes the next step of a restore that is under way, towards `disk`, and says how far it is.
///
/// # Errors
/// When the engine cannot be asked, does not take it, or something of the name is somebody else's; and where nothing is
/// made of it after all, since it was taken back or its snapshot goes: that is recorded, and the object looked at again.
pub async fn proceed<T: Restorable>(
    claim: &Arc<Claim>,
    approved: &T::Approved,
    restoration: &Restoration,
    disk: &Value,
    site: &SiteEngines,
    context: &Context,
) -> Result<Progress, ReconcileError> {
    let label = claim_label(claim, context);
    let anew = Anew { claim, label: &label, disk, restoration };
    match Box::pin(anew::proceed(anew, guard::<T>(claim, restoration, site, context), site, context)).await? {
        Came::To(progress) => Ok(progress),
        Came::Nothing => {
            told(claim, restoration, "nothing is made of a restore that was to begin; the disk stays as it is");
            T::record(claim, approved, restoration.given_up(), context).await?;
            let outdated = RequestError::Outdated { subject: claim.subject.name.clone(), claim: claim.id };
            Err(LedgerError::from(outdated).into())
        }
    }
}
