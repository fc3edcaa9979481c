//! What a bucket's conditions say follows from decisions and from the engine, and nothing of a key is among it.

use jiyun_crds::v1alpha1::condition;
use serde_json::json;

use super::*;
use crate::bucket::valid::tests::bucket;

const ASKED: &str = "2026-03-01T16:00:00+08:00";

fn claim(established: bool) -> Arc<Claim> {
    let claim: Claim = serde_json::from_value(json!({
        "id": 7, "account": "finance", "system": "budget",
        "subject": {"kind": "CloudBucket", "namespace": "dept-finance", "name": "scans", "uid": "u-1"},
        "item": "standard", "specDigest": "d", "approvedSpec": {}, "reservedAt": "2026-02-01T00:00:00Z",
        "billableFrom": if established { json!("2026-02-01T00:01:00Z") } else { json!(null) },
        "lines": [{"meter": "ObjectStorage", "pool": "Storage/objects", "dimensions": {}, "quantity": 102_400}],
    }))
    .unwrap();
    Arc::new(claim)
}

fn handed_over(moment: u64) -> Engine {
    let connection = BucketConnection {
        host: "s3.city".into(),
        port: 80,
        bucket: "scans-1".into(),
        credentials_secret_ref: LocalRef::new("scans-bucket"),
    };
    let made = Some("2026-03-01T08:00:05Z".parse().unwrap());
    Engine {
        handed_over: true,
        moment,
        pair: Some(Pair { moment, made }),
        connection: Some(connection),
        ..Engine::default()
    }
}

fn awaiting(awaited: Awaited) -> Engine {
    Engine { awaited: Some(awaited), ..Engine::default() }
}

fn admitted(established: bool, engine: Engine) -> Standing {
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
    let (approved, engine) = (Box::new(approved), Box::new(engine));
    Standing::Admitted { claim: claim(established), approved, objection: None, engine }
}

fn told(standing: &Standing) -> CloudBucketStatus {
    status(&bucket(|_| {}), standing, Timestamp::UNIX_EPOCH)
}

fn reason(status: &CloudBucketStatus, kind: ConditionType) -> (String, String) {
    let found = condition::find(&status.conditions, kind).unwrap();
    (found.status.clone(), found.reason.clone())
}

#[test]
fn each_state_of_the_engine_has_its_reasons() {
    let grows = Engine { grows: true, awaited: Some(Awaited::Change), ..handed_over(0) };
    let lost = Engine::troubled(Trouble::Lost);
    let kept = Trouble::Class { code: "StorageClassKeepsBuckets", class: "objects".into() };
    for (established, engine, provisioned, ready) in [
        (false, awaiting(Awaited::User), ("False", "Provisioning"), ("False", "Provisioning")),
        (false, awaiting(Awaited::Change), ("False", "Provisioning"), ("False", "Provisioning")),
        (false, handed_over(0), ("True", "Provisioned"), ("True", "Available")),
        (true, handed_over(0), ("True", "Provisioned"), ("True", "Available")),
        (true, grows, ("False", "Resizing"), ("True", "Available")),
        (true, awaiting(Awaited::User), ("True", "Provisioned"), ("False", "Rotating")),
        (true, awaiting(Awaited::Change), ("True", "Provisioned"), ("False", "Rotating")),
        (true, lost, ("False", "EngineError"), ("False", "EngineError")),
        (false, Engine::troubled(kept.clone()), ("False", "EngineError"), ("False", "EngineError")),
        (true, Engine { trouble: Some(kept), ..handed_over(0) }, ("False", "EngineError"), ("True", "Available")),
        (true, Engine::troubled(Trouble::Missing), ("False", "EngineMissing"), ("False", "EngineMissing")),
        (true, Engine::troubled(Trouble::Unreachable), ("Unknown", "SiteUnreachable"), ("False", "SiteUnreachable")),
    ] {
        let standing = admitted(established, engine);
        let status = told(&standing);
        for (kind, expected) in [(ConditionType::Provisioned, provisioned), (ConditionType::Ready, ready)] {
            let (status, reason) = reason(&status, kind);
            assert_eq!((status.as_str(), reason.as_str()), expected, "{kind:?} {standing:?}");
        }
    }
}

#[test]
fn what_is_granted_and_where_it_is_found_is_told() {
    let status = told(&admitted(true, handed_over(0)));
    assert_eq!(status.claim_id.as_deref(), Some("claim-7"));
    assert_eq!(status.storage_pool_ref, Some(LocalRef::new("objects")));
    assert_eq!(status.granted_size.unwrap().as_str(), "100Gi");
    assert_eq!(status.connection.unwrap().credentials_secret_ref, LocalRef::new("scans-bucket"));
    assert_eq!(status.credentials_issued_at, Some("2026-03-01T08:00:05Z".into()));
    assert_eq!(status.credentials_issued_for, None, "it was made with the bucket");
}

#[test]
fn a_key_pair_names_the_moment_it_was_made_for_and_stays_told_until_another_is_handed_over() {
    let moment = u64::try_from(ASKED.parse::<Timestamp>().unwrap().as_second()).unwrap();
    let asked = |object: &mut serde_json::Value| object["spec"]["credentialsRequestedAt"] = json!(ASKED);
    let mut rotated = bucket(asked);
    let after = status(&rotated, &admitted(true, handed_over(moment)), Timestamp::UNIX_EPOCH);
    assert_eq!(after.credentials_issued_for, Some(ASKED.into()), "as it is written");
    rotated.spec.credentials_requested_at = None;
    rotated.status = Some(after.clone());
    let later = status(&rotated, &admitted(true, handed_over(moment)), Timestamp::UNIX_EPOCH);
    assert_eq!(later.credentials_issued_for, Some("2026-03-01T08:00:00Z".into()));
    let rotating = status(&rotated, &admitted(true, awaiting(Awaited::User)), Timestamp::UNIX_EPOCH);
    assert_eq!(rotating.connection, after.connection);
    assert_eq!(rotating.credentials_issued_at, after.credentials_issued_at);
}

#[test]
fn only_what_is_as_asked_is_left_alone_and_only_a_silent_change_is_looked_at_often() {
    let of = |engine| {
        let standing = admitted(true, engine);
        (standing.is_settled(), standing.way())
    };
    assert_eq!(of(handed_over(7)), (true, None));
    assert_eq!(of(awaiting(Awaited::User)), (false, None));
    assert_eq!(of(awaiting(Awaited::Claim)), (false, None));
    assert_eq!(of(Engine { moment: 7, ..awaiting(Awaited::Change) }), (false, Some((7, 102_400))));
    let refused = Engine { trouble: Some(Trouble::Fault("ObjectBucketClaim 403".into())), ..handed_over(7) };
    assert_eq!(of(refused), (false, None));
    assert!(!Standing::Undecided(Reason::EngineMissing).is_settled());
}

#[test]
fn a_large_bucket_has_a_day_to_be_emptied_until_its_end_is_stuck() {
    let asked = "2026-03-01T08:00:00Z";
    let recorded: Timestamp = "2026-03-01T08:00:10Z".parse().unwrap();
    let going = bucket(|object| object["metadata"]["deletionTimestamp"] = json!(asked));
    let mut ending = claim(true);
    Arc::make_mut(&mut ending).billable_until = Some(recorded);
    let told = |what: &str, seconds: i64| {
        let standing = Standing::Ending { claim: ending.clone(), waiting_for: Some(what.to_owned()) };
        let now = Timestamp::from_second(recorded.as_second() + seconds).unwrap();
        let status = status(&going, &standing, now);
        let ready = condition::find(&status.conditions, ConditionType::Ready).unwrap();
        (ready.reason.clone(), ready.message.clone())
    };
    for (seconds, expected) in [(0, "Deleting"), (86_399, "Deleting"), (86_400, "DeletionStuck")] {
        let (reason, message) = told("ObjectBucketClaim scans-bucket", seconds);
        assert_eq!(reason, expected, "after {seconds} s");
        for part in ["ObjectBucketClaim scans-bucket", "finalizer", "hours", "终结器"] {
            assert!(message.contains(part) && !message.contains('?'), "{part} in {message}");
        }
    }
    let (reason, message) = told(SITE, 60);
    assert!(reason == "Deleting" && message.contains("cannot be reached"), "{message}");
}

#[test]
fn what_is_not_known_now_takes_nothing_out_of_the_status() {
    let mut known = bucket(|_| {});
    known.status = Some(told(&admitted(true, handed_over(0))));
    for standing in [
        Standing::Undecided(Reason::AdoptionNeeded),
        Standing::Unaccounted { claim: "claim-7".into() },
        admitted(true, Engine::troubled(Trouble::Unreachable)),
    ] {
        let after = status(&known, &standing, Timestamp::UNIX_EPOCH);
        assert_eq!(after.connection.unwrap().bucket, "scans-1", "{standing:?}");
        assert_eq!(after.claim_id.as_deref(), Some("claim-7"));
        assert_eq!(after.granted_size.unwrap().as_str(), "100Gi");
    }
}

#[test]
fn a_class_that_cannot_be_used_is_named_with_what_to_mend() {
    let class = Trouble::Class { code: "StorageClassKeepsBuckets", class: "objects".into() };
    let status = told(&admitted(false, Engine::troubled(class)));
    let ready = condition::find(&status.conditions, ConditionType::Ready).unwrap();
    assert!(ready.message.contains("objects") && ready.message.contains("Retain"), "{}", ready.message);
    for code in ["StorageClassUnknown", "StorageClassNotForBuckets"] {
        let told = told(&admitted(true, Engine::troubled(Trouble::Class { code, class: "objects".into() })));
        let ready = condition::find(&told.conditions, ConditionType::Ready).unwrap();
        assert!(ready.message.contains("keeps the class") && !ready.message.contains('?'), "{}", ready.message);
    }
    let missing = told(&Standing::Undecided(Reason::EngineMissing));
    assert!(missing.conditions[1].message.contains("Rook"), "{:?}", missing.conditions);
}
