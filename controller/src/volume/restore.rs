//! Restoring a volume in place (恢复): its disk is made anew from a snapshot that was taken of it, while no host has it.
//!
//! The intent is recorded first, with what was approved; every step after it follows from that and from what is there,
//! and the end is recorded when the new disk has all of its content.

use std::sync::Arc;

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{CloudVolume, Reason, Restore};
use jiyun_ledger::{Claim, ClaimStage, LedgerError, RequestError};
use jiyun_messages::parameters;
use kube::{Api, ResourceExt};
use serde_json::Value;
use tracing::info;

use super::{attach, request::disk_name};
use crate::{
    conditions::whole_seconds,
    content::{
        self, Content, RESTORED_FROM, Restoration,
        anew::{self, Anew, Came, Door, Guard, Progress, Restoring},
        restoring::{self, Step},
    },
    context::Context,
    engines::cdi,
    error::ReconcileError,
    host::{claim_label, digest::of_wish, rejection::Rejection, request::engine_namespace, whereabouts},
    site::SiteEngines,
    snapshot::usage::being_taken,
    stored::{approved::Approved, change},
};

/// How a volume stands with the restore that is asked for.
pub struct Settled {
    /// Its claim.
    pub claim: Arc<Claim>,
    /// What was approved of it.
    pub approved: Approved,
    /// Why a restore that is due does not begin. Of one that has begun `drive` says how far it is.
    pub restoring: Option<Restoring>,
}

impl Settled {
    fn as_it_is(claim: Arc<Claim>, approved: Approved) -> Self {
        Self { claim, approved, restoring: None }
    }

    /// Whether the volume is given to nobody meanwhile.
    pub fn is_kept(&self) -> bool {
        under_way(&self.approved).is_some() || self.restoring.as_ref().is_some_and(Restoring::awaits)
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
pub fn under_way(approved: &Approved) -> Option<&Restoration> {
    approved.restored.as_ref().filter(|restored| restored.is_under_way())
}

/// Records that a restore begins, where one is due and may, and that one is done, where its disk is whole. One that is
/// under way and has come to nothing gives way to a later one.
///
/// # Errors
/// When the ledger or the engines cannot be asked.
pub async fn settle(
    volume: &CloudVolume,
    claim: Arc<Claim>,
    approved: Approved,
    context: &Context,
) -> Result<Settled, ReconcileError> {
    if let Some(restoration) = under_way(&approved).filter(|restoration| is_whole(&claim, restoration, context)) {
        let done = restoration.done(whole_seconds(Timestamp::now()));
        let (namespace, name, snapshot) = (volume.namespace(), volume.name_any(), done.content.snapshot.clone());
        info!(volume.namespace = namespace, volume.name = name, claim = %claim.id, snapshot, "restored");
        let (claim, approved) = record(&claim, &approved, Some(done), context).await?;
        return Ok(Settled::as_it_is(claim, approved));
    }
    let Some((asked, requested_at)) = due(volume, &claim, &approved, context) else {
        return Ok(Settled::as_it_is(claim, approved));
    };
    match Box::pin(weigh(volume, asked, requested_at, &claim, &approved, context)).await? {
        Due::Nothing => Ok(Settled::as_it_is(claim, approved)),
        Due::Stays(why) => Ok(Settled { restoring: Some(why), ..Settled::as_it_is(claim, approved) }),
        Due::Begins(from) => {
            let snapshot = from.snapshot.clone();
            let begun = Restoration::begun(from, requested_at, approved.restored.as_ref());
            let (claim, approved) = record(&claim, &approved, Some(begun), context).await?;
            info!(
                volume.namespace = volume.namespace(),
                volume.name = volume.name_any(),
                claim = %claim.id,
                snapshot,
                %requested_at,
                "a restore begins, as its volume asks"
            );
            Ok(Settled::as_it_is(claim, approved))
        }
    }
}

/// The restore that is due, and its moment.
fn due<'a>(
    volume: &'a CloudVolume,
    claim: &Claim,
    approved: &Approved,
    context: &Context,
) -> Option<(&'a Restore, Timestamp)> {
    let asked = volume.spec.restore.as_ref()?;
    let made = volume.metadata.creation_timestamp.as_ref().map(|created| created.0);
    let recorded = approved.restored.as_ref().map(|restored| restored.requested_at);
    // The book may have lost that it was done; the disk has not.
    let seen = whereabouts(claim, context)
        .and_then(|(site, _)| cdi::restored_at(&site.disk(&engine_namespace(claim), &disk_name(claim))?));
    Some((asked, restoring::due(Some(asked), made, recorded.max(seen), Timestamp::now())?))
}

/// Whether a restore that is due begins.
async fn weigh(
    volume: &CloudVolume,
    asked: &Restore,
    moment: Timestamp,
    claim: &Claim,
    approved: &Approved,
    context: &Context,
) -> Result<Due, ReconcileError> {
    if restoring::has_lapsed(moment, Timestamp::now()) {
        return Ok(Due::Stays(Restoring::lapsed(asked)));
    }
    // That its site cannot be reached is told already.
    let Some((site, _)) = whereabouts(claim, context) else { return Ok(Due::Nothing) };
    let disk = disk_name(claim);
    if let Some(former) = under_way(approved)
        && !anew::may_be_replaced(former, &disk, &claim_label(claim, context), site, context).await?
    {
        return Ok(Due::Nothing);
    }
    let name = &asked.snapshot_ref.name;
    let found = content::find(&claim.subject.namespace, name, context).restored_from(name, claim.id);
    let from = match found {
        Ok(from) => from,
        Err(rejection) => return Ok(Due::Stays(Restoring::objected(rejection))),
    };
    if context.quarantined() {
        return Ok(Due::Stays(Restoring::postponed(Reason::Quarantined)));
    }
    if let Some(snapshot) = being_taken(claim, site, context) {
        return Ok(Due::Stays(Restoring::AwaitsSnapshot(snapshot)));
    }
    // By its status, by what we did since, and, where a status was lost, by what machines have.
    let has = match attach::known(volume, claim, context) {
        Some(attachment) => Some(attachment.host),
        None => attach::holder(claim, site).await?,
    };
    if let Some(why) = hindrance(volume, has.as_deref(), claim, context.quarantined()) {
        return Ok(Due::Stays(why));
    }
    let door = anew::door(&from, &disk, moment, site, context).await?;
    if door == Door::Shut {
        return Ok(Due::Stays(Restoring::objected(content::awaited("SnapshotUnusable", RESTORED_FROM, name))));
    }
    let begins = door == Door::Open && is_still_asked(volume, claim, context).await?;
    Ok(if begins { Due::Begins(from) } else { Due::Nothing })
}

/// What keeps a restore that is due from beginning, as far as the volume and the book say; `has` is the host that has
/// it. A host that its volume names keeps it: nothing is taken from a guest for a restore.
fn hindrance(volume: &CloudVolume, has: Option<&str>, claim: &Claim, is_quarantined: bool) -> Option<Restoring> {
    if is_quarantined {
        return Some(Restoring::postponed(Reason::Quarantined));
    }
    if claim.stage() != ClaimStage::Billable {
        // One that the book had lost is booked again, and was not seen to be usable since.
        return Some(Restoring::postponed(Reason::Undecided));
    }
    let Some(host) = has else { return Restoring::held_back(claim) };
    if volume.spec.host_ref.is_none() {
        return Some(Restoring::Awaits(format!("CloudHost {host}")));
    }
    let about = parameters([("field", "spec.hostRef"), ("host", host)]);
    Some(Restoring::objected(Rejection::misconfigured("RestoreAwaitsDetach", about)))
}

/// Whether the volume still wishes it, by the API server's own word: a watch may be late with a wish that was taken
/// back.
async fn is_still_asked(volume: &CloudVolume, claim: &Claim, context: &Context) -> Result<bool, ReconcileError> {
    let wish = |volume: &CloudVolume| (volume.uid(), volume.spec.restore.clone());
    Ok(read(claim, context).await?.is_some_and(|found| wish(&found) == wish(volume) && stays(&found)))
}

/// What the volume and the machines say of the former disk of a restore that was recorded, by the API server's own
/// word: days may lie between the two, in which it was taken back, or a machine was given the disk past us.
async fn guard(
    claim: &Claim,
    restoration: &Restoration,
    site: &SiteEngines,
    context: &Context,
) -> Result<Guard, ReconcileError> {
    let is_its = |volume: &CloudVolume| volume.uid().as_deref() == Some(claim.subject.uid.as_str()) && stays(volume);
    let is_asked = |volume: CloudVolume| is_its(&volume) && restoration.is_asked(volume.spec.restore.as_ref());
    if !read(claim, context).await?.is_some_and(is_asked) {
        return Ok(Guard::TakenBack);
    }
    let host = attach::holder(claim, site).await?;
    Ok(host.map_or(Guard::Free, |host| Guard::Used(format!("CloudHost {host}"))))
}

/// The volume of a claim, by the API server's own word.
async fn read(claim: &Claim, context: &Context) -> Result<Option<CloudVolume>, ReconcileError> {
    let name = &claim.subject.name;
    let found = Api::<CloudVolume>::namespaced(context.client.clone(), &claim.subject.namespace).get_opt(name).await;
    found.map_err(|source| ReconcileError::read(format!("CloudVolume {name}"), source))
}

fn stays(volume: &CloudVolume) -> bool {
    volume.metadata.deletion_timestamp.is_none()
}

/// Whether the disk of a restore that is under way has all of its content, and that can be recorded.
fn is_whole(claim: &Claim, restoration: &Restoration, context: &Context) -> bool {
    let Some((site, _)) = whereabouts(claim, context) else { return false };
    let there = site.disk(&engine_namespace(claim), &disk_name(claim));
    let seen = restoring::disk(there.as_ref(), &claim_label(claim, context), restoration.requested_at);
    restoring::next(&seen, context.quarantined()) == Step::Complete
}

/// Records how far the restores of a volume are; nobody is asked. While the book is being checked nothing is recorded,
/// and what comes back says so.
async fn record(
    claim: &Arc<Claim>,
    approved: &Approved,
    restored: Option<Restoration>,
    context: &Context,
) -> Result<(Arc<Claim>, Approved), ReconcileError> {
    let after = Approved { restored, ..approved.clone() };
    let claim = change::apply::<CloudVolume>(claim, &after, of_wish(&claim.spec_digest), context).await?;
    let approved = Approved::of(&claim)?;
    Ok((claim, approved))
}

/// Takes the next step of a restore that is under way, towards `disk`, and says how far it is.
///
/// # Errors
/// When the engine cannot be asked, does not take it, or something of the name is somebody else's; and where nothing is
/// made of it after all, since it was taken back or its snapshot goes: that is recorded, and the volume looked at again.
pub async fn proceed(
    claim: &Arc<Claim>,
    approved: &Approved,
    restoration: &Restoration,
    disk: &Value,
    site: &SiteEngines,
    context: &Context,
) -> Result<Progress, ReconcileError> {
    let label = claim_label(claim, context);
    let anew = Anew { claim, label: &label, disk, restoration };
    match Box::pin(anew::proceed(anew, guard(claim, restoration, site, context), site, context)).await? {
        Came::To(progress) => Ok(progress),
        Came::Nothing => {
            info!(
                volume.namespace = claim.subject.namespace,
                volume.name = claim.subject.name,
                claim = %claim.id,
                snapshot = restoration.content.snapshot,
                "nothing is made of a restore that was to begin; the disk stays as it is"
            );
            record(claim, approved, restoration.given_up(), context).await?;
            let outdated = RequestError::Outdated { subject: claim.subject.name.clone(), claim: claim.id };
            Err(LedgerError::from(outdated).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{host::change::Objection, volume::valid::tests::volume};

    fn claim(billable: bool) -> Claim {
        serde_json::from_value(json!({
            "id": 7, "account": "finance", "system": "budget", "item": "standard", "specDigest": "d", "approvedSpec": {},
            "subject": {"kind": "CloudVolume", "namespace": "dept-finance", "name": "data", "uid": "u-1"}, "lines": [],
            "reservedAt": "2026-01-01T00:00:00Z", "billableFrom": billable.then_some("2026-01-01T00:01:00Z"),
        }))
        .unwrap()
    }

    #[test]
    fn a_volume_is_taken_from_no_host_for_a_restore_and_one_on_its_way_off_is_waited_for() {
        let off = volume(|_| {});
        let on = volume(|volume| volume["spec"]["hostRef"] = json!({"name": "web"}));
        let refused = |code: &'static str| Some((code, false));
        for (what, volume, has, billable, quarantined, expected) in [
            ("by itself", &off, None, true, false, None),
            ("on its way off", &off, Some("web"), true, false, Some(("CloudHost web", true))),
            ("it is to be attached once it is restored", &on, None, true, false, None),
            ("its host has it", &on, Some("web"), true, false, refused("RestoreAwaitsDetach")),
            ("on its way to another host", &on, Some("db"), true, false, refused("RestoreAwaitsDetach")),
            ("it was never usable", &off, None, false, false, refused("Undecided")),
            ("the book is being checked", &off, None, true, true, refused("Quarantined")),
        ] {
            let found = hindrance(volume, has, &claim(billable), quarantined);
            let told = found.map(|found| match found {
                Restoring::Awaits(user) => (user, true),
                Restoring::Cannot(why) => match *why {
                    Objection::Invalid(rejection) => (rejection.code.to_owned(), false),
                    Objection::Undecided(reason) => (reason.as_str().to_owned(), false),
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            });
            assert_eq!(told, expected.map(|(word, waits)| (word.to_owned(), waits)), "{what}");
        }
    }

    #[test]
    fn what_is_set_aside_for_a_larger_volume_is_given_up_for_no_restore() {
        let mut claim = claim(true);
        let hold = json!({
            "until": "2026-04-01T00:00:00Z", "item": "standard", "lines": [], "specDigest": "e",
            "approvedSpec": {"order": {"name": "larger", "uid": "o-1"}},
        });
        claim.hold = Some(serde_json::from_value(hold).unwrap());
        let found = hindrance(&volume(|_| {}), None, &claim, false).unwrap();
        let Some(Objection::Invalid(rejection)) = found.objection() else { panic!("{found:?}") };
        assert_eq!((rejection.reason, rejection.code), (Reason::AwaitingApproval, "RestoreAwaitsOrder"));
    }

    #[test]
    fn a_volume_that_waits_for_its_restore_or_is_being_restored_is_given_to_nobody() {
        let approved = |restored: Option<Restoration>| Approved {
            tier: "standard".into(),
            mebibytes: 1024,
            deletable: false,
            source: None,
            content: None,
            restored,
            order: None,
            policies: Vec::new(),
        };
        let restoration = |done| Some(crate::content::tests::restoration(Timestamp::UNIX_EPOCH, done));
        let cannot = || Some(Restoring::postponed(Reason::Undecided));
        for (what, restored, restoring, expected) in [
            ("nothing is asked for", None, None, false),
            ("it cannot begin: it stays usable", None, cannot(), false),
            ("it waits for a host to let go", None, Some(Restoring::Awaits("CloudHost web".into())), true),
            (
                "it waits for a snapshot of it",
                None,
                Some(Restoring::AwaitsSnapshot("CloudSnapshot data-2".into())),
                true,
            ),
            ("it is under way", restoration(false), None, true),
            ("it is done", restoration(true), None, false),
            ("it is done, and the next one cannot begin", restoration(true), cannot(), false),
        ] {
            let settled = Settled { claim: Arc::new(claim(true)), approved: approved(restored), restoring };
            assert_eq!(settled.is_kept(), expected, "{what}");
        }
    }
}
