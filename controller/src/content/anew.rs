//! Makes a disk anew from a snapshot, in the place of the former one: takes the step that is next of a restore that was
//! recorded.
//!
//! What destroys follows the recorded intent, is told by the API server's own word that it is wished still, that
//! nothing uses the disk and that the snapshot is there, and carries UID and version of the disk that was read. Where
//! the former disk stays after all, it is touched before that is recorded: what was sent before to delete it has no
//! effect then.

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{Reason, Restore};
use jiyun_ledger::{Claim, ClaimStage, State};
use jiyun_messages::parameters;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use serde_json::Value;
use tracing::info;

use super::{
    Content, REQUESTED_AT, Restoration,
    at_engine::{self, AtEngine},
    restoring::{Step, disk, is_stuck, next},
};
use crate::{
    context::Context,
    engines::cdi::{self, DiskState, DiskView},
    error::ReconcileError,
    host::{
        change::Objection, ending::present, plan::Obstacle, rejection::Rejection, request::engine_namespace,
        steps::there,
    },
    order::mark::OrderMark,
    site::SiteEngines,
    snapshot::usage::being_taken,
};

/// How far the restore of an object is that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restoring {
    /// It cannot begin, for this.
    Cannot(Box<Objection>),
    /// It could not begin for so long that it does not any more, as this says.
    Lapsed(Box<Objection>),
    /// It begins once this does not use the disk any more: kind and name.
    Awaits(String),
    /// It begins once this snapshot of the disk was taken: kind and name.
    AwaitsSnapshot(String),
    /// It has begun.
    UnderWay(Progress),
}

/// How far a restore is that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The snapshot it is made from.
    pub snapshot: String,
    /// What is waited for: kind and name.
    pub what: String,
    /// How the new disk stands, once that can be told.
    pub disk: Option<DiskState>,
    /// Why the later restore that is asked for by now does not take its place, though nothing comes of it.
    pub instead: Option<Box<Objection>>,
}

impl Restoring {
    /// It cannot begin with what is asked for.
    pub fn objected(rejection: Rejection) -> Self {
        Self::Cannot(Box::new(Objection::Invalid(rejection)))
    }

    /// It cannot begin now, and nobody has to do anything about that.
    pub fn postponed(why: Reason) -> Self {
        Self::Cannot(Box::new(Objection::Undecided(why)))
    }

    /// It could not begin for so long that it does not any more.
    pub fn lapsed(asked: &Restore) -> Self {
        let about = parameters([("field", REQUESTED_AT), ("at", asked.requested_at.as_str())]);
        Self::Lapsed(Box::new(Objection::Invalid(Rejection::misconfigured("RestoreLapsed", about))))
    }

    /// It cannot begin while something is set aside for the object of this claim to become larger: whoever records a
    /// restore gives that up, and people decide about it.
    pub fn held_back(claim: &Claim) -> Option<Self> {
        let hold = claim.hold.as_ref()?;
        let order = OrderMark::of(&hold.approved_spec).map_or_else(|| "-".to_owned(), |mark| mark.name);
        let parameters = parameters([("field", REQUESTED_AT), ("order", order.as_str())]);
        let (reason, code) = (Reason::AwaitingApproval, "RestoreAwaitsOrder");
        Some(Self::objected(Rejection { reason, code, parameters }))
    }

    /// Whether it has begun.
    pub const fn is_under_way(&self) -> bool {
        matches!(self, Self::UnderWay(_))
    }

    /// Whether it begins by itself once something else has come to its end.
    pub const fn awaits(&self) -> bool {
        matches!(self, Self::Awaits(_) | Self::AwaitsSnapshot(_))
    }

    /// Whether nothing becomes of it as long as its wish stays as it is.
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Lapsed(_))
    }

    /// Why it does not begin, or nothing comes of a later one.
    pub fn objection(&self) -> Option<&Objection> {
        match self {
            Self::Cannot(why) | Self::Lapsed(why) => Some(why),
            Self::UnderWay(progress) => progress.instead.as_deref(),
            Self::Awaits(_) | Self::AwaitsSnapshot(_) => None,
        }
    }

    /// It waits for a snapshot of the disk to be taken: why it does not take the place of another.
    fn awaits_snapshot(what: String) -> Objection {
        let (reason, code) = (Reason::Restoring, "RestoreAwaitsSnapshot");
        Objection::Invalid(Rejection { reason, code, parameters: parameters([("what", what)]) })
    }

    /// What is told: how far the restore is that is `under_way`, if one is, with what is in the way of the one that is
    /// `due`; or of that alone.
    pub fn of(under_way: Option<Self>, due: Option<Self>) -> Option<Self> {
        match (under_way, due) {
            (Some(Self::UnderWay(progress)), Some(Self::Cannot(why) | Self::Lapsed(why))) => {
                Some(Self::UnderWay(Progress { instead: Some(why), ..progress }))
            }
            (Some(Self::UnderWay(progress)), Some(Self::AwaitsSnapshot(what))) => {
                Some(Self::UnderWay(Progress { instead: Some(Box::new(Self::awaits_snapshot(what))), ..progress }))
            }
            (under_way, due) => under_way.or(due),
        }
    }
}

/// A disk that is made anew.
#[derive(Clone, Copy, Debug)]
pub struct Anew<'a> {
    /// The claim it is for.
    pub claim: &'a Claim,
    /// How engine objects are labelled with that.
    pub label: &'a str,
    /// The disk as it is to be.
    pub disk: &'a Value,
    /// The restore.
    pub restoration: &'a Restoration,
}

/// What is said of a disk that is to be removed, by the API server's own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// It is wished still, and nothing uses it.
    Free,
    /// This uses it: kind and name.
    Used(String),
    /// It is not wished any more.
    TakenBack,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// It is so far.
    To(Progress),
    /// The former disk is as it was, and stays: nothing is made of the restore.
    Nothing,
}

/// Takes the next step of a restore. The `guard` is asked before anything is removed.
///
/// # Errors
/// When the engine cannot be asked, does not take it, or something of the name is somebody else's.
pub async fn proceed(
    anew: Anew<'_>,
    guard: impl Future<Output = Result<Guard, ReconcileError>> + Send,
    site: &SiteEngines,
    context: &Context,
) -> Result<Came, ReconcileError> {
    let Anew { claim, label, restoration, .. } = anew;
    let (namespace, name) = (engine_namespace(claim), name_of(anew.disk));
    let (from, moment) = (&restoration.content, restoration.requested_at);
    let to = |what: String, disk: Option<DiskState>| {
        Came::To(Progress { snapshot: from.snapshot.clone(), what, disk, instead: None })
    };
    let disks = Api::<DiskView>::namespaced(site.client.clone(), &namespace);
    let described = || format!("DataVolume {name}");
    if let Some(state) = disk(site.disk(&namespace, name).as_ref(), label, moment).made() {
        return Ok(to(described(), Some(state.clone())));
    }
    // The cache may be slower than we are, or than whoever led before us.
    let found = disks.get_opt(name).await.map_err(|source| ReconcileError::read(described(), source))?;
    let seen = disk(found.as_ref(), label, moment);
    Ok(match (next(&seen, context.quarantined()), found) {
        (Step::Remove, Some(former)) => {
            let guard = if stands_back(anew, site, context).await? { Guard::TakenBack } else { guard.await? };
            match guard {
                Guard::Free => {}
                Guard::Used(user) => return Ok(to(user, None)),
                Guard::TakenBack if leave(&disks, &former, site, context).await? => return Ok(Came::Nothing),
                // It has changed since it was read, or is gone: it is looked at again.
                Guard::TakenBack => return Ok(to(described(), None)),
            }
            info!(
                object.kind = claim.subject.kind,
                object.namespace = claim.subject.namespace,
                object.name = claim.subject.name,
                claim = %claim.id,
                snapshot = from.snapshot,
                "the disk goes, to be made anew from the snapshot"
            );
            match context.writer.delete(&disks, &former).await {
                // It has changed since it was read: it is looked at again.
                Err(error) if error.status() == Some(409) => {}
                deleted => deleted?,
            }
            to(described(), None)
        }
        (Step::Make, _) => {
            // Its volume claim goes after it; a disk that is made before that would take over what is on it.
            if let Some(left) = present::<PersistentVolumeClaim>(&site.client, &namespace, name, label).await? {
                return Ok(to(left, None));
            }
            let least = match at_engine::look(from, site, context).await?.least(from) {
                Ok(least) => least,
                Err(state) => return Ok(to(at_engine::described(from), Some(state))),
            };
            let wanted = cdi::at_least(anew.disk.clone(), least);
            let made = match there(&disks, &wanted, true, label).await? {
                Some(made) => made,
                None => context.writer.apply(&disks, name, &wanted).await?,
            };
            site.unseen_disks.wrote(made.clone());
            to(described(), Some(cdi::state(&made)))
        }
        (Step::Stop, _) => return Err(Obstacle::Foreign { kind: "DataVolume", name: name.to_owned() }.into()),
        (Step::Remove | Step::Await | Step::Complete, _) => to(described(), seen.made().cloned()),
    })
}

/// Whether a restore stands back whose former disk is there: its snapshot goes, is gone, or cannot be used; or another
/// one of the disk was granted since, which is not taken while a restore is under way, and would wait for ever.
///
/// # Errors
/// When the snapshot cannot be read.
async fn stands_back(anew: Anew<'_>, site: &SiteEngines, context: &Context) -> Result<bool, ReconcileError> {
    if being_taken(anew.claim, site, context).is_some() {
        return Ok(true);
    }
    Ok(!is_kept(&anew.restoration.content, site, context).await?)
}

/// Leaves the former disk as it is: of what was sent before to delete it, by us or by whoever led before us, nothing
/// has an effect any more. Whether it was as it was read.
///
/// # Errors
/// When Kubernetes does not take it.
async fn leave(
    disks: &Api<DiskView>,
    former: &DiskView,
    site: &SiteEngines,
    context: &Context,
) -> Result<bool, ReconcileError> {
    let version = former.metadata.resource_version.as_deref();
    match context.writer.annotate(disks, former, cdi::KEPT_AT, version).await {
        Ok(touched) => {
            site.unseen_disks.wrote(touched);
            Ok(true)
        }
        Err(error) if matches!(error.status(), Some(404 | 409)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether a later restore may take the place of one that is under way, by the API server's own word: nothing comes of
/// that, and what was on the disk before is gone anyway.
///
/// # Errors
/// When the engine cannot be asked.
pub async fn may_be_replaced(
    restoration: &Restoration,
    name: &str,
    label: &str,
    site: &SiteEngines,
    context: &Context,
) -> Result<bool, ReconcileError> {
    let from = &restoration.content;
    let found = read(from, name, site).await?;
    let is_usable = matches!(at_engine::look(from, site, context).await?, AtEngine::Usable(_));
    Ok(is_stuck(&disk(found.as_ref(), label, restoration.requested_at), is_usable))
}

/// The disk called `name` beside a snapshot, by the API server's own word.
///
/// # Errors
/// When it cannot be read.
async fn read(from: &Content, name: &str, site: &SiteEngines) -> Result<Option<DiskView>, ReconcileError> {
    let api = Api::<DiskView>::namespaced(site.client.clone(), &from.namespace);
    api.get_opt(name).await.map_err(|source| ReconcileError::read(format!("DataVolume {name}"), source))
}

/// Whether a restore can begin whose snapshot was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// It can.
    Open,
    /// The disk was made anew for this moment or a later one: the book has lost that.
    Done,
    /// The snapshot cannot be used.
    Shut,
}

/// Whether the disk called `name` can be made anew for `moment`, by the API server's own word.
///
/// # Errors
/// When that cannot be asked.
pub async fn door(
    from: &Content,
    name: &str,
    moment: Timestamp,
    site: &SiteEngines,
    context: &Context,
) -> Result<Door, ReconcileError> {
    let found = read(from, name, site).await?;
    Ok(if found.as_ref().and_then(cdi::restored_at) >= Some(moment) {
        Door::Done
    } else if is_kept(from, site, context).await? {
        Door::Open
    } else {
        Door::Shut
    })
}

/// Whether a disk can be made from this snapshot, and it stays until that is done: its claim has not ended, as the book
/// has it, and it can be used, as the API server has it.
///
/// Asked after the intent was recorded. Whoever ends a snapshot records that first, and then looks for who needs it: so
/// either is seen by the other.
///
/// # Errors
/// When it cannot be read.
async fn is_kept(of: &Content, site: &SiteEngines, context: &Context) -> Result<bool, ReconcileError> {
    let is_used = |state: &State| state.claim(of.claim).is_some_and(|claim| claim.stage() == ClaimStage::Billable);
    if !context.ledger.read(is_used) {
        return Ok(false);
    }
    Ok(matches!(at_engine::look(of, site, context).await?, AtEngine::Usable(_)))
}

fn name_of(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn progress() -> Progress {
        Progress { snapshot: "web-1".into(), what: "DataVolume web-system".into(), disk: None, instead: None }
    }

    fn code(restoring: &Restoring) -> Option<&'static str> {
        match restoring.objection()? {
            Objection::Invalid(rejection) => Some(rejection.code),
            Objection::Undecided(reason) => Some(reason.as_str()),
            other => panic!("{other:?}"),
        }
    }

    fn asked() -> Restore {
        let asked = json!({"snapshotRef": {"name": "web-2"}, "requestedAt": "2026-03-01T08:00:00+08:00"});
        serde_json::from_value(asked).unwrap()
    }

    #[test]
    fn of_a_later_restore_only_what_stands_in_its_way_is_told_beside_one_that_is_under_way() {
        let cannot = || Restoring::postponed(Reason::Undecided);
        for (what, due, told) in [
            ("none", None, None),
            ("it cannot begin", Some(cannot()), Some("Undecided")),
            ("it has lapsed", Some(Restoring::lapsed(&asked())), Some("RestoreLapsed")),
            ("it waits", Some(Restoring::Awaits("VirtualMachine web".into())), None),
            (
                "it waits for a snapshot",
                Some(Restoring::AwaitsSnapshot("CloudSnapshot web-3".into())),
                Some("RestoreAwaitsSnapshot"),
            ),
        ] {
            let found = Restoring::of(Some(Restoring::UnderWay(progress())), due.clone()).unwrap();
            assert!(found.is_under_way() && !found.awaits(), "{what}");
            assert_eq!(code(&found), told, "{what}");
            assert_eq!(Restoring::of(None, due.clone()), due, "{what}");
        }
    }

    #[test]
    fn a_wish_that_has_lapsed_names_its_moment_and_what_to_do() {
        let lapsed = Restoring::lapsed(&asked());
        let Some(Objection::Invalid(Rejection { code, parameters, .. })) = lapsed.objection() else {
            panic!("{lapsed:?}")
        };
        let told = jiyun_messages::bilingual(code, parameters);
        for part in ["spec.restore.requestedAt", "2026-03-01T08:00:00+08:00", "24"] {
            assert!(told.contains(part) && !told.contains('?'), "{part}: {told}");
        }
        assert!(lapsed.is_over() && !lapsed.awaits() && !lapsed.is_under_way());
        assert!(!Restoring::postponed(Reason::Undecided).is_over(), "it may begin yet");
    }

    #[test]
    fn nothing_that_people_decide_about_is_given_up_for_a_restore() {
        let mut claim = json!({
            "id": 7, "account": "finance", "system": "budget", "item": "standard", "specDigest": "d", "approvedSpec": {},
            "subject": {"kind": "CloudVolume", "namespace": "dept-finance", "name": "data", "uid": "u-1"}, "lines": [],
            "reservedAt": "2026-01-01T00:00:00Z", "billableFrom": "2026-01-01T00:01:00Z",
        });
        let read = |claim: &Value| serde_json::from_value::<Claim>(claim.clone()).unwrap();
        assert_eq!(Restoring::held_back(&read(&claim)), None);
        claim["hold"] = json!({
            "until": "2026-02-01T00:00:00Z", "item": "standard", "lines": [], "specDigest": "e",
            "approvedSpec": {"order": {"name": "larger", "uid": "o-1"}},
        });
        let held_back = Restoring::held_back(&read(&claim)).unwrap();
        let Some(Objection::Invalid(Rejection { reason, code, parameters })) = held_back.objection() else {
            panic!("{held_back:?}")
        };
        assert_eq!((*reason, *code), (Reason::AwaitingApproval, "RestoreAwaitsOrder"));
        let told = jiyun_messages::bilingual(code, parameters);
        assert!(told.contains("larger") && !told.contains('?'), "{told}");
    }
}
