//! How key pairs follow each other, from what is there alone.

use jiyun_crds::names::LABEL_CLAIM;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use serde_json::json;

use super::*;
use crate::{
    bucket::keys::secret_name,
    engines::{order::BucketOrder, rook::Store},
};

const CLAIM: &str = "claim-1.book";

fn desired(moment: u64, mebibytes: u64) -> Desired {
    let order = BucketOrder {
        namespace: "engine-tax".into(),
        claim_name: "scans-bucket".into(),
        prefix: "scans".into(),
        title: "dept-tax/scans".into(),
        labels: [(LABEL_CLAIM.to_owned(), CLAIM.to_owned())].into(),
        mebibytes,
        storage_class: "objects".into(),
    };
    let store = Store { name: "city".into(), namespace: "rook-ceph".into() };
    let (owner, keys) = (rook::user_name(CLAIM), secret_name("scans-bucket", moment));
    Desired {
        claim: CLAIM.into(),
        user: rook::user(&order, &store, &owner, &keys, true),
        keys,
        bucket: rook::claim(&order, &owner),
        established: false,
        paused: false,
    }
}

/// The Secret with the key pair of this moment; its UID is that moment.
fn keys(moment: u64) -> KeySecret {
    let metadata = json!({
        "name": secret_name("scans-bucket", moment), "uid": moment.to_string(), "labels": {LABEL_CLAIM: CLAIM},
    });
    let part = |part: &str| (part.to_owned(), ByteString(format!("{part} of {moment}").into_bytes()));
    KeySecret::of(Secret {
        metadata: serde_json::from_value(metadata).unwrap(),
        data: Some([part(rook::ACCESS_KEY), part(rook::SECRET_KEY)].into()),
        ..Secret::default()
    })
}

/// The user as `of` says, of its second generation, which the engine has worked on as far as `observed`, with the key pair of
/// the Secret of this moment.
fn user(of: &Desired, observed: i64, taken: Option<u64>) -> UserView {
    let mut user = of.user.clone();
    user["metadata"]["generation"] = json!(2);
    let taken: Vec<_> = taken.iter().map(|moment| json!({"uid": moment.to_string()})).collect();
    user["status"] = json!({"phase": "Ready", "observedGeneration": observed, "keys": taken});
    serde_json::from_value(user).unwrap()
}

fn claim(of: &Desired, phase: &str) -> ClaimView {
    let mut claim = of.bucket.clone();
    claim["status"] = json!({"phase": phase});
    serde_json::from_value(claim).unwrap()
}

fn bucket(of: &Desired) -> BucketView {
    let endpoint = json!({"bucketName": "scans-1", "additionalConfig": of.bucket["spec"]["additionalConfig"]});
    serde_json::from_value(json!({"metadata": {"name": "obc"}, "spec": {"endpoint": endpoint}})).unwrap()
}

/// Everything as `of` says, and handed over.
fn done(of: &Desired, moment: u64) -> Observed {
    let mut done = Observed {
        keys: vec![keys(moment)],
        user: Some(user(of, 2, Some(moment))),
        claim: Some(claim(of, "Bound")),
        bucket: Some(bucket(of)),
        held: None,
    };
    done.held = done.untold(of);
    done
}

#[test]
fn a_bucket_is_made_after_its_user_and_handed_over_once_all_of_it_is_there() {
    let desired = desired(0, 1024);
    let mut there = Observed::default();
    let step = |there: &Observed| plan(&desired, there).unwrap();
    assert_eq!(step(&there), Step::MakeKeys);
    there.keys = vec![keys(0)];
    assert_eq!(step(&there), Step::ApplyUser(Why::Missing));
    there.user = Some(user(&desired, 1, None));
    assert_eq!(step(&there), Step::Await(Awaited::User), "it was not worked on as it is declared now");
    there.user = Some(user(&desired, 2, None));
    assert_eq!(step(&there), Step::Await(Awaited::User), "it has another key pair, or none");
    there.user = Some(user(&desired, 2, Some(0)));
    assert_eq!(step(&there), Step::ApplyClaim(Why::Missing));
    there.claim = Some(claim(&desired, "Pending"));
    assert_eq!(step(&there), Step::Await(Awaited::Claim));
    there.claim = Some(claim(&desired, "Bound"));
    assert_eq!(step(&there), Step::Await(Awaited::Change));
    there.bucket = Some(bucket(&desired));
    assert_eq!(step(&there), Step::HandOver);
    there.held = there.untold(&desired);
    assert!(there.held.is_some());
    assert_eq!(step(&there), Step::Nothing);
}

#[test]
fn a_new_key_pair_is_made_given_to_the_same_user_handed_over_and_only_then_the_former_goes() {
    let (before, after) = (desired(0, 1024), Desired { established: true, ..desired(7, 1024) });
    assert_eq!(before.user["metadata"]["name"], after.user["metadata"]["name"]);
    assert_eq!(before.bucket, after.bucket, "what was written before belongs to the owner, who stays");
    let step = |there: &Observed| plan(&after, there).unwrap();
    let mut there = done(&before, 0);
    assert_eq!(step(&there), Step::MakeKeys);
    there.keys.push(keys(7));
    assert_eq!(step(&there), Step::ApplyUser(Why::Changed));
    for (observed, taken) in [(1, Some(0)), (2, Some(0))] {
        there.user = Some(user(&after, observed, taken));
        assert_eq!(step(&there), Step::Await(Awaited::User), "{observed} {taken:?}");
    }
    there.user = Some(user(&after, 1, Some(7)));
    assert_eq!(
        step(&there),
        Step::HandOver,
        "the former pair is worth nothing now, whatever the engine has still to do"
    );
    there.held = there.untold(&after);
    assert_eq!(step(&there), Step::Await(Awaited::User));
    there.user = Some(user(&after, 2, Some(7)));
    assert_eq!(step(&there), Step::DeleteKeys("scans-bucket.key-0".into()));
    let paused = Desired { paused: true, ..after.clone() };
    assert_eq!(plan(&paused, &there).unwrap(), Step::Nothing, "nothing is taken away while the book is being checked");
    there.keys[0].metadata = serde_json::from_value(json!({
        "name": "scans-bucket.key-0", "labels": {LABEL_CLAIM: CLAIM}, "deletionTimestamp": "2026-03-01T08:00:00Z",
    }))
    .unwrap();
    assert_eq!(step(&there), Step::Nothing, "it is on its way");
    there.keys.remove(0);
    assert_eq!(step(&there), Step::Nothing);
}

#[test]
fn which_key_pair_is_wanted_follows_from_what_is_asked_for_and_what_is_there() {
    for (what, asked, named, there, expected) in [
        ("the first", None, None, vec![], 0),
        ("the first, and a moment has come already", Some(7), None, vec![], 7),
        ("begun, and no user names it yet", None, None, vec![0], 0),
        ("a moment came after the first was begun", Some(7), None, vec![0], 7),
        ("it was taken back before anything was named", None, None, vec![0, 7], 7),
        ("in use", None, Some(0), vec![0], 0),
        ("a moment has come", Some(7), Some(0), vec![0], 7),
        ("its pair is there", Some(7), Some(0), vec![0, 7], 7),
        ("named", Some(7), Some(7), vec![0, 7], 7),
        ("done", Some(7), Some(7), vec![7], 7),
        ("taken back before it was named", None, Some(0), vec![0, 7], 0),
        ("taken back afterwards: the former pair is gone", None, Some(7), vec![7], 7),
        ("an earlier moment", Some(3), Some(7), vec![7], 7),
        ("a later one", Some(9), Some(7), vec![7], 9),
        ("the pair in use was taken away past us", None, Some(7), vec![], 7),
        ("the same, and another is asked for", Some(9), Some(7), vec![], 9),
        ("what is named went after a later one was made: it does not come back", None, Some(0), vec![7], 7),
        ("the user was taken away past us", None, None, vec![7], 7),
    ] {
        assert_eq!(wanted(asked, named, &there), expected, "{what}");
    }
}

#[test]
fn nothing_is_sent_where_nothing_changed_and_growth_is_told_to_the_user_before_the_claim() {
    let before = desired(7, 1024);
    assert_eq!(plan(&before, &done(&before, 7)).unwrap(), Step::Nothing);
    let larger = Desired { established: true, ..desired(7, 2048) };
    let mut there = done(&before, 7);
    assert_eq!(plan(&larger, &there).unwrap(), Step::ApplyUser(Why::Changed));
    there.user = Some(user(&larger, 1, Some(7)));
    assert_eq!(plan(&larger, &there).unwrap(), Step::Await(Awaited::User));
    there.user = Some(user(&larger, 2, Some(7)));
    assert_eq!(plan(&larger, &there).unwrap(), Step::ApplyClaim(Why::Changed));
    there.claim = Some(claim(&larger, "Bound"));
    assert_eq!(plan(&larger, &there).unwrap(), Step::Await(Awaited::Change));
    there.bucket = Some(bucket(&larger));
    assert_eq!(plan(&larger, &there).unwrap(), Step::Nothing);
}

#[test]
fn a_new_key_pair_does_not_wait_until_a_bucket_has_grown() {
    let (before, after) = (desired(0, 1024), Desired { established: true, ..desired(7, 2048) });
    let mut there = done(&before, 0);
    there.keys.push(keys(7));
    there.user = Some(user(&after, 2, Some(7)));
    assert_eq!(plan(&after, &there).unwrap(), Step::HandOver, "the former one is worth nothing already");
    there.held = there.untold(&after);
    assert_eq!(plan(&after, &there).unwrap(), Step::ApplyClaim(Why::Changed));
}

#[test]
fn what_somebody_changed_past_us_is_put_right() {
    let desired = desired(0, 1024);
    let mut there = done(&desired, 0);
    there.claim.as_mut().unwrap().spec.additional_config["bucketMaxSize"] = json!("9Ti");
    assert_eq!(plan(&desired, &there).unwrap(), Step::ApplyClaim(Why::Drifted));
    let mut there = done(&desired, 0);
    let named = there.user.as_mut().unwrap().spec.keys.as_array_mut().unwrap();
    named.push(json!({"accessKeyRef": {"name": "mine", "key": "a"}, "secretKeyRef": {"name": "mine", "key": "b"}}));
    assert_eq!(plan(&desired, &there).unwrap(), Step::ApplyUser(Why::Drifted));
    let without_secret = Observed { held: None, ..done(&desired, 0) };
    assert_eq!(plan(&desired, &without_secret).unwrap(), Step::HandOver);
}

#[test]
fn a_key_pair_that_was_taken_away_past_us_is_made_anew_and_waited_for() {
    let desired = Desired { established: true, ..desired(0, 1024) };
    let mut there = Observed { keys: Vec::new(), ..done(&desired, 0) };
    assert_eq!(plan(&desired, &there).unwrap(), Step::MakeKeys);
    let mut anew = keys(0);
    anew.metadata.uid = Some("another".into());
    anew.pair = keys(9).pair;
    there.keys = vec![anew];
    assert_eq!(plan(&desired, &there).unwrap(), Step::Await(Awaited::User), "it has the pair of one that is gone");
    there.user.as_mut().unwrap().status.keys = Some(vec![rook::TakenKeys { uid: Some("another".into()) }]);
    assert_eq!(plan(&desired, &there).unwrap(), Step::HandOver);
}

#[test]
fn a_lost_bucket_is_told_and_not_replaced_by_an_empty_one() {
    let desired = Desired { established: true, ..desired(0, 1024) };
    let lost = Obstacle::Lost { kind: "ObjectBucketClaim", name: "scans-bucket".into() };
    assert_eq!(plan(&desired, &Observed { claim: None, ..done(&desired, 0) }), Err(lost.clone()));
    assert_eq!(plan(&desired, &Observed::default()), Err(lost), "and no key pair is made for it");
}

#[test]
fn what_belongs_to_a_namesake_is_on_its_way_out_or_not_whole_is_not_taken_over() {
    let desired = desired(0, 1024);
    let foreign = |kind: &'static str, name: &str| Err(Obstacle::Foreign { kind, name: name.to_owned() });
    let mut there = done(&desired, 0);
    let labels = there.claim.as_mut().unwrap().metadata.labels.as_mut().unwrap();
    labels.insert(LABEL_CLAIM.into(), "claim-2.book".into());
    assert_eq!(plan(&desired, &there), foreign("ObjectBucketClaim", "scans-bucket"));
    let going = json!({
        "name": "scans-bucket.key-0", "labels": {LABEL_CLAIM: CLAIM}, "deletionTimestamp": "2026-03-01T08:00:00Z",
    });
    let mut there = done(&desired, 0);
    there.keys[0].metadata = serde_json::from_value(going.clone()).unwrap();
    assert_eq!(plan(&desired, &there), foreign("Secret", "scans-bucket.key-0"));
    let mut there = done(&desired, 0);
    there.keys[0].pair = None;
    assert_eq!(plan(&desired, &there), foreign("Secret", "scans-bucket.key-0"));
    let mut there = done(&desired, 0);
    let user = there.user.as_mut().unwrap();
    user.metadata.deletion_timestamp = serde_json::from_value(going["deletionTimestamp"].clone()).unwrap();
    assert_eq!(plan(&desired, &there), foreign("CephObjectStoreUser", "claim-1.book"));
}
