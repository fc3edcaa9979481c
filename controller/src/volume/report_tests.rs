//! What a volume's conditions say follows from decisions, from the engine and from where it is attached.

use jiyun_crds::v1alpha1::condition;
use serde_json::json;

use super::*;
use crate::volume::valid::tests::volume;

fn claim() -> Arc<Claim> {
    let claim: Claim = serde_json::from_value(json!({
        "id": 7, "account": "finance", "system": "budget",
        "subject": {"kind": "CloudVolume", "namespace": "dept-finance", "name": "data", "uid": "u-1"},
        "item": "standard", "specDigest": "d", "approvedSpec": {}, "reservedAt": "2026-11-01T00:00:00Z",
        "lines": [{"meter": "BlockStorage", "pool": "Storage/standard", "dimensions": {}, "quantity": 102_400}],
    }))
    .unwrap();
    Arc::new(claim)
}

fn made() -> Engine {
    Engine { state: Some(DiskState::Filled), ..Engine::default() }
}

/// An engine that cannot be asked.
fn unasked_for(why: Reason) -> Engine {
    Engine { unasked: Some(why), ..Engine::default() }
}

fn at(host: &str, state: AttachmentState) -> Attached {
    let attachment = Some(VolumeAttachment { host: host.into(), state });
    Attached { attachment, ..wished() }
}

fn wished() -> Attached {
    Attached { asked: Some("web".into()), wished: Some("web".into()), ..Attached::default() }
}

fn admitted(engine: Engine, attached: Attached) -> Standing {
    let approved = Approved {
        tier: "standard".into(),
        mebibytes: 102_400,
        deletable: false,
        source: None,
        content: None,
        restored: None,
        order: None,
        policies: Vec::new(),
    };
    let (approved, attached) = (Box::new(approved), Box::new(attached));
    Standing::Admitted { claim: claim(), approved, objection: None, engine, attached }
}

fn told(standing: &Standing) -> CloudVolumeStatus {
    status(&volume(|_| {}), standing, Timestamp::UNIX_EPOCH)
}

fn reason(status: &CloudVolumeStatus, kind: ConditionType) -> (String, String) {
    let found = condition::find(&status.conditions, kind).unwrap();
    (found.status.clone(), found.reason.clone())
}

#[test]
fn ready_says_where_a_volume_is_and_whether_that_is_as_asked() {
    use AttachmentState::{Attached as Yes, AttachedAtRestart, Attaching, DetachedAtRestart, Detaching};
    let nowhere = Attached::default();
    let early = Attached { wished: None, awaited: Some("web".into()), ..wished() };
    let elsewhere = Attached { awaited: Some("web".into()), wished: Some("db".into()), ..at("db", Yes) };
    for (engine, attached, ready, settled) in [
        (made(), nowhere.clone(), ("True", "Available"), true),
        (made(), wished(), ("False", "Attaching"), false),
        (made(), early, ("False", "Attaching"), false),
        (made(), elsewhere, ("False", "Attaching"), false),
        (made(), at("web", Attaching), ("False", "Attaching"), false),
        (made(), at("web", AttachedAtRestart), ("False", "Attaching"), false),
        (made(), at("web", Yes), ("True", "Attached"), true),
        (made(), at("db", Detaching), ("False", "Detaching"), false),
        (made(), at("db", DetachedAtRestart), ("False", "Detaching"), false),
        (Engine { grows: true, ..made() }, nowhere.clone(), ("True", "Available"), false),
        (Engine::default(), nowhere.clone(), ("False", "Provisioning"), false),
        (unasked_for(Reason::SiteUnreachable), nowhere, ("False", "SiteUnreachable"), false),
    ] {
        let standing = admitted(engine, attached);
        let (status, word) = reason(&told(&standing), ConditionType::Ready);
        assert_eq!((status.as_str(), word.as_str()), ready, "{standing:?}");
        assert_eq!(standing.is_settled(), settled, "{standing:?}");
    }
}

#[test]
fn what_is_granted_and_what_a_guest_finds_it_by_is_told() {
    let status = told(&admitted(made(), at("web", AttachmentState::Attached)));
    assert_eq!(status.serial.as_deref(), Some("claim-7"));
    assert_eq!(status.granted_size.unwrap().as_str(), "100Gi");
    assert_eq!(status.storage_pool_ref.unwrap().name, "standard");
    assert_eq!(status.attachment.unwrap().host, "web");
}

#[test]
fn what_is_not_known_now_takes_a_volume_from_nobody() {
    let mut attached = volume(|_| {});
    attached.status = Some(told(&admitted(made(), at("web", AttachmentState::Attached))));
    for standing in [Standing::Undecided(Reason::AdoptionNeeded), Standing::Unaccounted { claim: "claim-7".into() }] {
        let after = status(&attached, &standing, Timestamp::UNIX_EPOCH);
        assert_eq!(after.attachment.unwrap().host, "web", "{standing:?}");
        assert_eq!(after.claim_id.as_deref(), Some("claim-7"));
    }
}

#[test]
fn the_end_says_whom_it_waits_for() {
    let attachment = Some(VolumeAttachment { host: "web".into(), state: AttachmentState::Detaching });
    let standing = Standing::Ending { claim: claim(), waiting: Waiting::Host("web".into()), attachment };
    let status = told(&standing);
    let ready = condition::find(&status.conditions, ConditionType::Ready).unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "Deleting"));
    assert!(ready.message.contains("web"), "{}", ready.message);
}

#[test]
fn a_volume_that_its_host_does_not_let_go_of_for_ten_minutes_is_stuck_and_says_what_to_do() {
    let mut late = volume(|_| {});
    let asked = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH);
    late.metadata.deletion_timestamp = Some(asked);
    for (waiting, part) in [
        (Waiting::Host("web".into()), "stop the host"),
        (Waiting::For("PersistentVolumeClaim data-volume".into()), "PersistentVolumeClaim data-volume"),
    ] {
        let claim = Arc::new(Claim { billable_until: Some(Timestamp::UNIX_EPOCH), ..Arc::unwrap_or_clone(claim()) });
        let standing = Standing::Ending { claim, waiting, attachment: None };
        for (second, reason) in [(599, "Deleting"), (600, "DeletionStuck")] {
            let told = status(&late, &standing, Timestamp::from_second(second).unwrap());
            let ready = condition::find(&told.conditions, ConditionType::Ready).unwrap();
            assert_eq!(ready.reason, reason, "{standing:?}");
            assert!(ready.message.contains(part), "{}", ready.message);
        }
    }
}

#[test]
fn where_its_engine_is_not_installed_a_volume_says_so_and_stays_with_its_host() {
    let standing = admitted(unasked_for(Reason::EngineMissing), at("web", AttachmentState::Attached));
    assert!(!standing.is_settled() && !standing.is_moving(), "looked at again, and not at once");
    let granted = told(&standing);
    for kind in [ConditionType::Provisioned, ConditionType::Ready] {
        assert_eq!(reason(&granted, kind), ("False".into(), "EngineMissing".into()));
    }
    assert!(condition::is_true(&granted.conditions, ConditionType::Admitted));
    assert_eq!(granted.attachment.as_ref().unwrap().host, "web");
    let undecided = told(&Standing::Undecided(Reason::EngineMissing));
    assert_eq!(reason(&undecided, ConditionType::Admitted), ("Unknown".into(), "EngineMissing".into()));
    let waiting = Waiting::Engine;
    let ending = told(&Standing::Ending { claim: claim(), waiting, attachment: granted.attachment.clone() });
    assert_eq!(reason(&ending, ConditionType::Ready), ("False".into(), "EngineMissing".into()));
    for (status, kind) in [
        (&granted, ConditionType::Provisioned),
        (&granted, ConditionType::Ready),
        (&undecided, ConditionType::Admitted),
        (&ending, ConditionType::Ready),
    ] {
        let message = &condition::find(&status.conditions, kind).unwrap().message;
        assert!(message.contains("KubeVirt") && message.contains("平台运营人员"), "{message}");
    }
}

#[test]
fn no_image_is_blamed_for_a_volume_that_cannot_be_made() {
    let fault = crate::engines::fault::Fault::new(Reason::ImageUnavailable, "ImportInProgress Error");
    let failed = Engine { state: Some(DiskState::Failed(fault)), ..Engine::default() };
    let told = told(&admitted(failed, Attached::default()));
    for kind in [ConditionType::Provisioned, ConditionType::Ready] {
        assert_eq!(reason(&told, kind), ("False".into(), "EngineError".into()));
    }
    assert!(told.conditions.iter().any(|told| told.message.contains("ImportInProgress Error")));
}

#[test]
fn what_is_not_as_asked_is_told_with_whom_it_waits_for() {
    let says = |standing: &Standing| {
        condition::find(&told(standing).conditions, ConditionType::Ready).map(|ready| ready.message.clone()).unwrap()
    };
    let elsewhere = Attached { awaited: Some("next".into()), ..at("web", AttachmentState::Attached) };
    let told = says(&admitted(made(), elsewhere));
    assert!(told.contains("web") && told.contains("next"), "{told}");
    let archived = Attached { archived: true, ..at("web", AttachmentState::Attaching) };
    assert_ne!(says(&admitted(made(), archived)), says(&admitted(made(), at("web", AttachmentState::Attaching))));
    let lost = Engine { lost: true, problem: Some("DataVolume data-volume is gone".into()), ..Engine::default() };
    assert!(!says(&admitted(lost, Attached::default())).contains("DataVolume"), "names of engine objects help nobody");
}

#[test]
fn what_a_guest_finds_it_by_stays_when_it_is_booked_anew() {
    let mut known = volume(|_| {});
    known.status = Some(CloudVolumeStatus { serial: Some("claim-3".into()), ..CloudVolumeStatus::default() });
    let after = status(&known, &admitted(made(), Attached::default()), Timestamp::UNIX_EPOCH);
    assert_eq!((after.serial.as_deref(), after.claim_id.as_deref()), (Some("claim-3"), Some("claim-7")));
}

#[test]
fn a_growth_that_an_engine_refuses_is_not_looked_at_every_moment() {
    let grows = Engine { grows: true, ..made() };
    assert!(admitted(grows.clone(), Attached::default()).is_moving());
    let refused = Engine { problem: Some("PersistentVolumeClaim 403".into()), ..grows };
    assert!(!admitted(refused, Attached::default()).is_moving());
}

#[test]
fn a_volume_that_is_made_anew_says_so_and_is_looked_at_soon_until_it_is_whole() {
    let progress = |disk: Option<DiskState>| crate::content::anew::Progress {
        snapshot: "data-1".into(),
        what: "DataVolume data-volume".into(),
        disk,
        instead: None,
    };
    for disk in [None, Some(DiskState::Filling("CloneInProgress".into())), Some(DiskState::Filled)] {
        let restoring = Some(Restoring::UnderWay(progress(disk.clone())));
        let engine = Engine { state: disk, restoring, ..Engine::default() };
        assert!(!engine.is_made(), "it is given to nobody before that was recorded");
        let standing = admitted(engine, Attached::default());
        assert!(standing.is_moving() && !standing.is_settled(), "{standing:?}");
        let told = told(&standing);
        for kind in [ConditionType::Provisioned, ConditionType::Ready] {
            assert_eq!(reason(&told, kind), ("False".into(), "Restoring".into()), "{standing:?}");
        }
    }
    let fault = DiskState::Failed(crate::engines::fault::Fault::other("CloneScheduled Error"));
    let restoring = Some(Restoring::UnderWay(progress(Some(fault.clone()))));
    let failed = admitted(Engine { state: Some(fault), restoring, ..Engine::default() }, Attached::default());
    assert_eq!(reason(&told(&failed), ConditionType::Ready), ("False".into(), "EngineError".into()));
}

#[test]
fn a_restore_that_waits_for_a_host_is_told_in_ready_and_one_that_cannot_begin_in_accepted() {
    let waits = Engine { restoring: Some(Restoring::Awaits("CloudHost web".into())), ..made() };
    let detaching = Attached { wished: None, asked: None, ..at("web", AttachmentState::Detaching) };
    let standing = admitted(waits, detaching);
    assert!(!standing.is_settled() && standing.is_moving());
    let status = told(&standing);
    assert_eq!(reason(&status, ConditionType::Ready), ("False".into(), "Restoring".into()));
    assert_eq!(reason(&status, ConditionType::Provisioned), ("True".into(), "Provisioned".into()));
    let free = Engine { restoring: Some(Restoring::Awaits("CloudHost web".into())), ..made() };
    assert!(admitted(free, Attached::default()).is_moving(), "it may begin now: its host has let go of it");
    let rejection = Rejection::unknown_reference("spec.restore.snapshotRef.name", "CloudSnapshot", "data-9");
    let standing = admitted(Engine { restoring: Some(Restoring::objected(rejection)), ..made() }, Attached::default());
    assert!(!standing.is_settled() && !standing.is_moving(), "looked at again, and not at once");
    let status = told(&standing);
    assert_eq!(reason(&status, ConditionType::Accepted), ("False".into(), "UnknownReference".into()));
    assert_eq!(reason(&status, ConditionType::Ready), ("True".into(), "Available".into()));
    let snapshot = Engine { restoring: Some(Restoring::AwaitsSnapshot("CloudSnapshot data-2".into())), ..made() };
    let standing = admitted(snapshot, Attached::default());
    assert!(!standing.is_settled() && standing.is_moving());
    let ready = told(&standing).conditions.into_iter().find(|told| told.type_ == "Ready").unwrap();
    assert_eq!(ready.reason, "Restoring");
    assert!(ready.message.contains("云快照 data-2"), "{}", ready.message);
}

#[test]
fn a_restore_that_has_lapsed_is_told_in_accepted_and_nobody_looks_after_it() {
    let asked = json!({"snapshotRef": {"name": "data-1"}, "requestedAt": "2026-03-01T08:00:00Z"});
    let lapsed = Restoring::lapsed(&serde_json::from_value(asked).unwrap());
    let standing = admitted(Engine { restoring: Some(lapsed), ..made() }, Attached::default());
    assert!(standing.is_settled() && !standing.is_moving());
    let status = told(&standing);
    assert_eq!(reason(&status, ConditionType::Accepted), ("False".into(), "Misconfigured".into()));
    assert_eq!(reason(&status, ConditionType::Ready), ("True".into(), "Available".into()));
    assert_eq!(reason(&status, ConditionType::Provisioned), ("True".into(), "Provisioned".into()));
}
