//! Restoring a volume in place (恢复): its disk is made anew from a snapshot that was taken of it, while no host has it. What is
//! the same for hosts is in [`restorable`](crate::content::restorable).

use std::sync::Arc;

use jiyun_crds::v1alpha1::{CloudVolume, Reason, Restore};
use jiyun_ledger::{Claim, ClaimStage};
use jiyun_messages::parameters;

use super::attach;
use crate::{
    content::{Restoration, anew::Restoring, restorable::Restorable},
    context::Context,
    error::ReconcileError,
    host::{digest::of_wish, rejection::Rejection},
    site::SiteEngines,
    snapshot::usage::being_taken,
    stored::{approved::Approved, change},
};

impl Restorable for CloudVolume {
    type Approved = Approved;

    fn asked(&self) -> Option<&Restore> {
        self.spec.restore.as_ref()
    }

    fn wishes_as(&self, other: &Self) -> bool {
        self.spec.restore == other.spec.restore
    }

    fn stays(&self) -> bool {
        self.metadata.deletion_timestamp.is_none()
    }

    fn restored(approved: &Approved) -> Option<&Restoration> {
        approved.restored.as_ref()
    }

    fn disk_name(claim: &Claim) -> String {
        super::request::disk_name(claim)
    }

    async fn hindered(
        &self,
        claim: &Claim,
        _: &Approved,
        site: &SiteEngines,
        context: &Context,
    ) -> Result<Option<Restoring>, ReconcileError> {
        // First what costs nothing: machines are listed at the API server.
        if context.quarantined() {
            return Ok(Some(Restoring::postponed(Reason::Quarantined)));
        }
        if let Some(snapshot) = being_taken(claim, site, context) {
            return Ok(Some(Restoring::AwaitsSnapshot(snapshot)));
        }
        // By its status, by what we did since, and, where a status was lost, by what machines have.
        let has = match attach::known(self, claim, context) {
            Some(attachment) => Some(attachment.host),
            None => attach::holder(claim, site).await?,
        };
        Ok(hindrance(self, has.as_deref(), claim, context.quarantined()))
    }

    async fn in_use(claim: &Claim, site: &SiteEngines) -> Result<Option<String>, ReconcileError> {
        Ok(attach::holder(claim, site).await?.map(|host| format!("CloudHost {host}")))
    }

    async fn record(
        claim: &Arc<Claim>,
        approved: &Approved,
        restored: Option<Restoration>,
        context: &Context,
    ) -> Result<(Arc<Claim>, Approved), ReconcileError> {
        let after = Approved { restored, ..approved.clone() };
        let claim = change::apply::<Self>(claim, &after, of_wish(&claim.spec_digest), context).await?;
        let approved = Approved::of(&claim)?;
        Ok((claim, approved))
    }
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::{content::restorable::Settled, host::change::Objection, volume::valid::tests::volume};

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
            let settled =
                Settled::<CloudVolume> { claim: Arc::new(claim(true)), approved: approved(restored), restoring };
            assert_eq!(settled.is_kept(), expected, "{what}");
        }
    }
}
