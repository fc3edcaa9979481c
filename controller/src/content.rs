//! What a disk begins with when that is neither an image nor nothing: the content of a snapshot, as it was approved;
//! and how snapshots are found that something names.

pub mod anew;
pub mod at_engine;
pub mod restorable;
pub mod restoring;
pub mod told;

use jiff::Timestamp;
use jiyun_crds::{
    names::volume_snapshot_name,
    v1alpha1::{
        CloudSnapshot, DateTime, LocalRef, Quantity, Reason, Restore, Restored, SnapshotSourceKind,
        misfit::{Kept, Misfit},
    },
};
use jiyun_ledger::{Claim, ClaimId, ClaimStage, Meter};
use jiyun_messages::parameters;
use kube::{Resource, runtime::reflector::ObjectRef};
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::lookup,
    claims::open_claim,
    context::Context,
    engines::order::FromSnapshot,
    host::{rejection::Rejection, request::engine_name, restart},
    snapshot::KIND as SNAPSHOT,
    stored::approved::Approved,
    watch::Guarded,
};

/// The field that names the snapshot something is made from.
const MADE_FROM: &str = "spec.snapshotRef.name";

/// The field that names the snapshot something is brought back to.
pub const RESTORED_FROM: &str = "spec.restore.snapshotRef.name";

/// The field that says which wish to bring something back it is.
pub const REQUESTED_AT: &str = "spec.restore.requestedAt";

/// What a snapshot was granted to be taken of, as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// Kind of the object.
    pub kind: SnapshotSourceKind,
    /// Its name.
    pub name: String,
    /// Its claim: a namesake made later is another one.
    pub claim: ClaimId,
    /// The namespace its disk lies in, and the snapshot of it too.
    pub namespace: String,
    /// Name of its disk.
    pub disk: String,
    /// Of a host: the image that one was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// A snapshot that a disk is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Content {
    /// Name of the `CloudSnapshot`.
    pub snapshot: String,
    /// Its claim: a namesake made later is another one.
    pub claim: ClaimId,
    /// The site it lies at; what is made from it is made there.
    pub site: String,
    /// The namespace it lies in at its engine.
    pub namespace: String,
    /// Its name at its engine.
    pub object: String,
}

/// A disk that is made anew in its place: the intent, recorded before the former one goes, and the end, from which on a disk
/// that is missing is a lost one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Restoration {
    /// What it is made from.
    pub content: Content,
    /// The moment it was asked for with.
    pub requested_at: Timestamp,
    /// When the disk was seen to have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// The one before it, kept until this one is done: it is put back where nothing is made of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<Self>>,
}

impl Restoration {
    /// One that begins after the `last` one, or in the place of that where it is under way itself.
    pub fn begun(content: Content, requested_at: Timestamp, last: Option<&Self>) -> Self {
        // Of one that is replaced only the last one that was done is kept: whatever it replaced itself has left no
        // disk.
        let before = last.map(|last| {
            let done = last.before.as_deref().and_then(Self::last_done);
            Box::new(Self { before: done.cloned().map(Box::new), ..last.clone() })
        });
        Self { content, requested_at, completed_at: None, before }
    }

    /// The same, with its disk seen to be whole.
    pub fn done(&self, completed_at: Timestamp) -> Self {
        Self { completed_at: Some(completed_at), before: None, ..self.clone() }
    }

    /// What is recorded in its place where nothing is made of it.
    pub fn given_up(&self) -> Option<Self> {
        self.before.as_deref().cloned()
    }

    /// This one, or the last before it, that was done.
    fn last_done(&self) -> Option<&Self> {
        if self.is_under_way() { self.before.as_deref().and_then(Self::last_done) } else { Some(self) }
    }

    /// Whether this one is what is `asked` for still.
    pub fn is_asked(&self, asked: Option<&Restore>) -> bool {
        asked.is_some_and(|asked| {
            let is_then = restart::moment(Some(&asked.requested_at)) == Some(self.requested_at);
            is_then && asked.snapshot_ref.name == self.content.snapshot
        })
    }

    /// Whether the disk does not have it yet.
    pub const fn is_under_way(&self) -> bool {
        self.completed_at.is_none()
    }

    /// What tells one restore, and how far it is, from another in the digest of a claim.
    pub fn mark(&self) -> String {
        let moment = self.requested_at.as_second();
        if self.is_under_way() { moment.to_string() } else { format!("{moment}=done") }
    }

    /// As a status says it: with the moment as the wish has it written, where it still is that one.
    pub fn told(&self, asked: Option<&Restore>) -> Restored {
        let written = asked.map(|asked| &asked.requested_at);
        let is_still_that = restart::moment(written) == Some(self.requested_at);
        let as_written = written.filter(|_| is_still_that).cloned();
        Restored {
            snapshot: self.content.snapshot.clone(),
            requested_at: as_written.unwrap_or_else(|| DateTime::from(self.requested_at)),
            completed_at: self.completed_at.map(DateTime::from),
        }
    }
}

/// Whether the disk of a claim is being made anew, read alone: of every claim at every look.
pub fn is_restoring(claim: &Claim) -> bool {
    claim.approved_spec.pointer("/restored").is_some_and(|restored| restored.get("completedAt").is_none())
}

/// The snapshot that the disk of an object is filled from, if it is from one: the one it was brought back to last, or
/// was made from.
pub fn source_of<'a>(content: Option<&'a Content>, restored: Option<&'a Restoration>) -> Option<&'a Content> {
    restored.map(|restored| &restored.content).or(content)
}

/// The same as its engine is told it.
pub fn filled_from(content: Option<&Content>, restored: Option<&Restoration>) -> Option<FromSnapshot> {
    let Content { namespace, object, .. } = source_of(content, restored)?.clone();
    Some(FromSnapshot { namespace, name: object, restored_at: restored.map(|restored| restored.requested_at) })
}

/// A snapshot that something can be made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// As what is made from it is approved with it.
    pub content: Content,
    /// What it was taken of.
    pub source: Source,
    /// Its information system.
    pub system: String,
    /// The least a disk made from it has, in MiB.
    pub mebibytes: u64,
}

/// The snapshot that an object is made from, or is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Named {
    /// None.
    #[default]
    Nothing,
    /// What it was granted with: whatever has become of the snapshot since.
    Granted(Content),
    /// One that is not there, or is on its way out.
    Missing,
    /// One that was not taken yet.
    NotTaken,
    /// This one.
    Taken(Box<Taken>),
}

impl Named {
    /// The snapshot that `object` names as what it is made from (`asked`).
    pub fn of(object: &impl Resource, asked: Option<&LocalRef>, context: &Context) -> Self {
        let Some(asked) = asked else { return Self::Nothing };
        // What is only held for people to decide about may still be made from something else.
        let granted =
            open_claim(object, context).filter(|claim| !matches!(claim.stage(), ClaimStage::Held | ClaimStage::Ending));
        match granted {
            // One that the book had lost may not know any more what it was made from: its disk is there all the same.
            Some(claim) => made_from(&claim).map_or(Self::Nothing, Self::Granted),
            None => find(object.meta().namespace.as_deref().unwrap_or_default(), &asked.name, context),
        }
    }

    /// What an object begins with that names this snapshot as `asked`; `misfit` says what of it does not go together
    /// with the object.
    ///
    /// # Errors
    /// The field that is wrong and what to do.
    pub fn made_from(
        &self,
        asked: Option<&LocalRef>,
        misfit: impl FnOnce(Kept<'_>) -> Option<Misfit>,
    ) -> Result<Option<Content>, Rejection> {
        let name = asked.map(|asked| asked.name.as_str()).unwrap_or_default();
        let taken = match self {
            Self::Nothing => return Ok(None),
            Self::Granted(content) => return Ok(Some(content.clone())),
            Self::Missing => return Err(Rejection::unknown_reference(MADE_FROM, SNAPSHOT, name)),
            Self::NotTaken => return Err(awaited("SnapshotNotTaken", MADE_FROM, name)),
            Self::Taken(taken) => taken,
        };
        let size = Quantity::from_mebibytes(taken.mebibytes);
        let kept = Kept { name, system: &taken.system, size: &size, image: taken.source.image.as_deref() };
        misfit(kept).map_or_else(|| Ok(Some(taken.content.clone())), |misfit| Err(Rejection::misfit(misfit)))
    }

    /// What the disk of `claim` is brought back to with this snapshot, called `name`: one that was taken of this very
    /// disk.
    ///
    /// # Errors
    /// The field that is wrong and what to do.
    pub fn restored_from(self, name: &str, claim: ClaimId) -> Result<Content, Rejection> {
        match self {
            Self::Taken(taken) if taken.source.claim == claim => Ok(taken.content),
            Self::Taken(taken) => {
                let of = format!("{} {}", taken.source.kind.as_str(), taken.source.name);
                let about = parameters([("field", RESTORED_FROM), ("snapshot", name), ("what", &of)]);
                Err(Rejection::misconfigured("SnapshotOfOther", about))
            }
            Self::NotTaken => Err(awaited("SnapshotNotTaken", RESTORED_FROM, name)),
            Self::Nothing | Self::Granted(_) | Self::Missing => {
                Err(Rejection::unknown_reference(RESTORED_FROM, SNAPSHOT, name))
            }
        }
    }
}

/// A snapshot called `name` that something may become of by itself.
pub fn awaited(code: &'static str, field: &str, name: &str) -> Rejection {
    let parameters = parameters([("field", field), ("snapshot", name)]);
    Rejection { reason: Reason::AwaitingSource, code, parameters }
}

/// The content a claim was granted with.
fn made_from(claim: &Claim) -> Option<Content> {
    Content::deserialize(claim.approved_spec.pointer("/content")?).ok()
}

/// The snapshot called `name` in the namespace of a department.
pub fn find(namespace: &str, name: &str, context: &Context) -> Named {
    let reference = ObjectRef::<Guarded<CloudSnapshot>>::new(name).within(namespace);
    let object = context.orders.snapshots.get(&reference);
    if object.as_ref().is_some_and(|object| object.meta().deletion_timestamp.is_some()) {
        return Named::Missing;
    }
    let claim = context.ledger.read(|state| state.claim_of_object(SNAPSHOT, namespace, name).cloned());
    match claim {
        None if object.is_none() => Named::Missing,
        None => Named::NotTaken,
        Some(claim) => {
            of_claim(&claim, |pool| Some(lookup(&context.catalogue.storage_pools, None, pool)?.spec.site_ref.name))
        }
    }
}

/// The snapshot of a claim; `site_of` is asked where the pool it lies in is.
fn of_claim(claim: &Claim, site_of: impl FnOnce(&str) -> Option<String>) -> Named {
    match claim.stage() {
        ClaimStage::Held | ClaimStage::Reserved => return Named::NotTaken,
        ClaimStage::Ending | ClaimStage::Released => return Named::Missing,
        ClaimStage::Billable => {}
    }
    let approved = Approved::of(claim).ok();
    let Some((source, mebibytes)) = approved.and_then(|approved| Some((approved.source?, approved.mebibytes))) else {
        return Named::Missing;
    };
    // A pool that cannot be looked up now may be again.
    let Some(site) = claim.pool_of(Meter::BlockStorage).and_then(|pool| site_of(pool.name())) else {
        return Named::NotTaken;
    };
    let content = Content {
        snapshot: claim.subject.name.clone(),
        claim: claim.id,
        site,
        namespace: source.namespace.clone(),
        object: volume_snapshot_name(engine_name(claim)),
    };
    Named::Taken(Box::new(Taken { content, source, system: claim.system.clone(), mebibytes }))
}

#[cfg(test)]
#[path = "content/tests.rs"]
pub mod tests;
