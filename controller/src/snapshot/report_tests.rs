//! What a snapshot's conditions say follows from decisions and from the engine.

use jiyun_crds::v1alpha1::condition;
use jiyun_ledger::ClaimId;
use serde_json::json;

use super::*;
use crate::{content::Source, snapshot::valid::tests::snapshot};

const TAKEN: &str = "2026-03-01T08:00:05Z";

fn claim() -> Arc<Claim> {
    let claim: Claim = serde_json::from_value(json!({
        "id": 9, "account": "finance", "system": "budget",
        "subject": {"kind": "CloudSnapshot", "namespace": "dept-finance", "name": "files-1", "uid": "u-1"},
        "item": "standard", "specDigest": "d", "approvedSpec": {}, "reservedAt": "2026-02-01T00:00:00Z",
        "lines": [{"meter": "BlockStorage", "pool": "Storage/ceph", "dimensions": {}, "quantity": 102_400}],
    }))
    .unwrap();
    Arc::new(claim)
}

fn taken() -> Engine {
    Engine { taken: true, taken_at: Some(TAKEN.parse().unwrap()), ..Engine::default() }
}

fn awaiting(awaited: Awaited) -> Engine {
    Engine { awaited: Some(awaited), ..Engine::default() }
}

fn named() -> Named {
    (SnapshotSourceKind::CloudVolume, "files".to_owned())
}

fn admitted(engine: Engine) -> Standing {
    let source = Source {
        kind: SnapshotSourceKind::CloudHost,
        name: "web".into(),
        claim: ClaimId(7),
        namespace: "engine-finance".into(),
        disk: "web-system".into(),
        image: Some("kylin".into()),
    };
    let approved = Approved {
        tier: "standard".into(),
        mebibytes: 102_400,
        deletable: false,
        source: Some(source),
        content: None,
        restored: None,
        order: None,
        policies: Vec::new(),
    };
    let (approved, engine) = (Box::new(approved), Box::new(engine));
    Standing::Admitted { claim: claim(), approved, objection: None, engine }
}

fn told(standing: &Standing) -> CloudSnapshotStatus {
    status(&snapshot(|_| {}), standing, Timestamp::UNIX_EPOCH)
}

/// Status, reason and message of a condition.
fn condition_of(status: &CloudSnapshotStatus, kind: ConditionType) -> (String, String, String) {
    let found = condition::find(&status.conditions, kind).unwrap();
    (found.status.clone(), found.reason.clone(), found.message.clone())
}

#[test]
fn each_state_of_the_engine_has_its_reasons_and_sentences_without_gaps() {
    let class = |code| Trouble::Class { code, class: "rbd".into() };
    let troubled = Engine::troubled;
    for (engine, provisioned, ready) in [
        (awaiting(Awaited::Source), ("False", "Provisioning"), ("False", "Provisioning")),
        (awaiting(Awaited::Snapshot), ("False", "Provisioning"), ("False", "Provisioning")),
        (taken(), ("True", "Provisioned"), ("True", "Available")),
        (troubled(Trouble::Lost), ("False", "EngineError"), ("False", "EngineError")),
        (troubled(class("SnapshotClassUnknown")), ("False", "EngineError"), ("False", "EngineError")),
        (troubled(class("SnapshotClassKeepsSnapshots")), ("False", "EngineError"), ("False", "EngineError")),
        (troubled(Trouble::NotOffered("standard".into())), ("False", "EngineError"), ("False", "EngineError")),
        (troubled(Trouble::SourceGone(named())), ("False", "EngineError"), ("False", "EngineError")),
        (troubled(Trouble::SourceGrew(named(), 102_400)), ("False", "EngineError"), ("False", "EngineError")),
        (troubled(Trouble::Fault("VolumeSnapshot error".into())), ("False", "EngineError"), ("False", "EngineError")),
        (troubled(Trouble::Missing), ("False", "EngineMissing"), ("False", "EngineMissing")),
        (troubled(Trouble::Unreachable), ("Unknown", "SiteUnreachable"), ("False", "SiteUnreachable")),
    ] {
        let standing = admitted(engine);
        let status = told(&standing);
        for (kind, expected) in [(ConditionType::Provisioned, provisioned), (ConditionType::Ready, ready)] {
            let (status, reason, message) = condition_of(&status, kind);
            assert_eq!((status.as_str(), reason.as_str()), expected, "{kind:?} {standing:?}");
            assert!(message.contains(" | ") && !message.contains('?'), "{kind:?} {standing:?}: {message}");
        }
    }
}

#[test]
fn what_is_granted_and_when_it_was_taken_is_told_and_stays_told() {
    let after = told(&admitted(taken()));
    assert_eq!(after.claim_id.as_deref(), Some("claim-9"));
    assert_eq!(after.storage_pool_ref, Some(LocalRef::new("ceph")));
    assert_eq!((after.tier.as_deref(), after.granted_size.as_ref().unwrap().as_str()), (Some("standard"), "100Gi"));
    assert_eq!((after.taken_at.clone(), after.image.as_deref()), (Some(TAKEN.into()), Some("kylin")));
    let mut later = snapshot(|_| {});
    later.status = Some(after);
    let lost = status(&later, &admitted(Engine::troubled(Trouble::Lost)), Timestamp::UNIX_EPOCH);
    assert_eq!(lost.taken_at, Some(TAKEN.into()));
    later.status.as_mut().unwrap().claim_id = Some("claim-8".into());
    let of_another = status(&later, &admitted(awaiting(Awaited::Source)), Timestamp::UNIX_EPOCH);
    assert_eq!(of_another.taken_at, None, "it was another claim's");
    assert_eq!(told(&admitted(awaiting(Awaited::Snapshot))).taken_at, None);
}

#[test]
fn a_source_that_is_gone_or_has_grown_is_named_with_what_to_do() {
    let ready = |trouble| condition_of(&told(&admitted(Engine::troubled(trouble))), ConditionType::Ready).2;
    let gone = ready(Trouble::SourceGone(named()));
    let grew = ready(Trouble::SourceGrew(named(), 102_400));
    for part in ["CloudVolume files", "云硬盘 files", "order another"] {
        assert!(gone.contains(part), "{part} in {gone}");
        assert!(grew.contains(part), "{part} in {grew}");
    }
    assert!(grew.contains("100Gi"), "{grew}");
}

#[test]
fn an_engine_that_is_not_there_is_named_and_nothing_is_set_aside() {
    let status = told(&Standing::Undecided(Reason::EngineMissing));
    let (admitted, reason, message) = condition_of(&status, ConditionType::Admitted);
    assert_eq!((admitted.as_str(), reason.as_str()), ("Unknown", "EngineMissing"));
    assert!(message.contains("snapshot.storage.k8s.io/v1"), "{message}");
    assert_eq!(status.claim_id, None);
}

#[test]
fn only_what_was_taken_is_left_alone() {
    let settled = |engine| admitted(engine).is_settled();
    assert!(settled(taken()));
    assert!(!settled(awaiting(Awaited::Source)) && !settled(awaiting(Awaited::Snapshot)));
    assert!(!settled(Engine::troubled(Trouble::Lost)));
    assert!(!Standing::Undecided(Reason::EngineMissing).is_settled());
}

#[test]
fn an_end_names_who_still_uses_the_snapshot_and_does_not_say_that_it_has_to_go() {
    let recorded: Timestamp = "2026-03-01T08:00:10Z".parse().unwrap();
    let going = snapshot(|object| object["metadata"]["deletionTimestamp"] = json!("2026-03-01T08:00:00Z"));
    let mut ending = claim();
    Arc::make_mut(&mut ending).billable_until = Some(recorded);
    let ready = |waiting: Waiting, seconds: i64| {
        let standing = Standing::Ending { claim: ending.clone(), waiting };
        let now = Timestamp::from_second(recorded.as_second() + seconds).unwrap();
        condition_of(&status(&going, &standing, now), ConditionType::Ready)
    };
    for (seconds, expected) in [(0, "Deleting"), (600, "DeletionStuck")] {
        let (_, reason, message) = ready(Waiting::User("CloudVolume files-2".into()), seconds);
        assert_eq!(reason, expected, "after {seconds} s");
        assert!(message.contains("云硬盘 files-2") && message.contains("CloudVolume files-2"), "{message}");
        assert!(!message.contains('?') && !message.contains("is gone"), "{message}");
        let (_, reason, message) = ready(Waiting::For("VolumeSnapshot files-1-snapshot".into()), seconds);
        assert_eq!(reason, expected, "after {seconds} s");
        assert!(message.contains("卷快照 files-1-snapshot"), "{message}");
    }
    let (_, reason, message) = ready(Waiting::Paused, 0);
    assert!(reason == "Quarantined" && message.contains(" | "), "{message}");
}
