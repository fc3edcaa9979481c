//! How key pairs follow each other, from what is there alone.

use jiyun_crds::names::LABEL_CLAIM;
use serde_json::json;

use super::*;
use crate::engines::{order::BucketOrder, rook::Store};

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
    let owner = rook::user_name(CLAIM, moment);
    Desired {
        claim: CLAIM.into(),
        user: rook::user(&order, &store, &owner),
        bucket: rook::claim(&order, &owner),
        established: false,
        paused: false,
    }
}

fn user(moment: u64, phase: &str) -> UserView {
    let mut user = desired(moment, 1024).user;
    user["status"] = json!({"phase": phase});
    serde_json::from_value(user).unwrap()
}

fn claim(of: &Desired, phase: &str) -> ClaimView {
    let mut claim = of.bucket.clone();
    claim["status"] = json!({"phase": phase});
    serde_json::from_value(claim).unwrap()
}

fn bucket(of: &Desired) -> BucketView {
    let config = &of.bucket["spec"]["additionalConfig"];
    serde_json::from_value(json!({"metadata": {"name": "obc"}, "spec": {"endpoint": {"additionalConfig": config}}}))
        .unwrap()
}

/// Everything as `of` says, and handed over.
fn done(of: &Desired, moment: u64) -> Observed {
    Observed {
        users: vec![user(moment, "Ready")],
        claim: Some(claim(of, "Bound")),
        bucket: Some(bucket(of)),
        issued: true,
        copied: true,
    }
}

#[test]
fn a_bucket_is_made_after_its_user_and_handed_over_once_all_of_it_is_there() {
    let desired = desired(0, 1024);
    let mut there = Observed::default();
    let step = |there: &Observed| plan(&desired, there).unwrap();
    assert_eq!(step(&there), Step::ApplyUser(Why::Missing));
    there.users = vec![user(0, "")];
    assert_eq!(step(&there), Step::Await(Awaited::User));
    there.users = vec![user(0, "Ready")];
    assert_eq!(step(&there), Step::ApplyClaim(Why::Missing));
    there.claim = Some(claim(&desired, "Pending"));
    assert_eq!(step(&there), Step::Await(Awaited::Claim));
    there.claim = Some(claim(&desired, "Bound"));
    assert_eq!(step(&there), Step::Await(Awaited::Change));
    there.bucket = Some(bucket(&desired));
    assert_eq!(step(&there), Step::Await(Awaited::Change), "the claim's Secret has no key pair, or another one");
    there.issued = true;
    assert_eq!(step(&there), Step::HandOver);
    there.copied = true;
    assert_eq!(step(&there), Step::Nothing);
}

#[test]
fn a_new_key_pair_is_made_given_to_the_bucket_handed_over_and_only_then_the_former_goes() {
    let (before, after) = (desired(0, 1024), Desired { established: true, ..desired(7, 1024) });
    let step = |there: &Observed| plan(&after, there).unwrap();
    let mut there = Observed { issued: false, copied: false, ..done(&before, 0) };
    assert_eq!(step(&there), Step::ApplyUser(Why::Missing));
    there.users.push(user(7, ""));
    assert_eq!(step(&there), Step::Await(Awaited::User));
    there.users = vec![user(0, "Ready"), user(7, "Ready")];
    assert_eq!(step(&there), Step::ApplyClaim(Why::Changed));
    there.claim = Some(claim(&after, "Bound"));
    assert_eq!(step(&there), Step::Await(Awaited::Change), "it was made as it was asked for before");
    there.bucket = Some(bucket(&after));
    there.issued = true;
    assert_eq!(step(&there), Step::HandOver);
    there.copied = true;
    assert_eq!(step(&there), Step::DeleteUser("claim-1.book-0".into()));
    let paused = Desired { paused: true, ..after.clone() };
    assert_eq!(plan(&paused, &there).unwrap(), Step::Nothing, "nothing is taken away while the book is being checked");
    there.users[0] = serde_json::from_value(json!({
        "metadata": {
            "name": "claim-1.book-0", "labels": {LABEL_CLAIM: CLAIM}, "deletionTimestamp": "2026-03-01T08:00:00Z",
        },
    }))
    .unwrap();
    assert_eq!(step(&there), Step::Nothing, "it is on its way");
    there.users.remove(0);
    assert_eq!(step(&there), Step::Nothing);
}

#[test]
fn which_key_pair_is_wanted_follows_from_what_is_asked_for_and_what_is_there() {
    for (what, asked, owner, there, expected) in [
        ("the first", None, None, vec![], 0),
        ("the first, and a moment has come already", Some(7), None, vec![], 7),
        ("begun, and nothing is named yet", None, None, vec![0], 0),
        ("a moment came after the first was begun", Some(7), None, vec![0], 7),
        ("it was taken back before anything was named", None, None, vec![0, 7], 7),
        ("in use", None, Some(0), vec![0], 0),
        ("a moment has come", Some(7), Some(0), vec![0], 7),
        ("its user is there", Some(7), Some(0), vec![0, 7], 7),
        ("named", Some(7), Some(7), vec![0, 7], 7),
        ("done", Some(7), Some(7), vec![7], 7),
        ("taken back before it was named", None, Some(0), vec![0, 7], 0),
        ("taken back afterwards: the former pair is gone", None, Some(7), vec![7], 7),
        ("an earlier moment", Some(3), Some(7), vec![7], 7),
        ("a later one", Some(9), Some(7), vec![7], 9),
        ("the user in use was taken away past us", None, Some(7), vec![], 7),
    ] {
        assert_eq!(wanted(asked, owner, there.into_iter()), expected, "{what}");
    }
}

#[test]
fn nothing_is_sent_where_nothing_changed_and_growth_is_told_to_user_and_claim() {
    let before = desired(7, 1024);
    assert_eq!(plan(&before, &done(&before, 7)).unwrap(), Step::Nothing);
    let larger = Desired { established: true, ..desired(7, 2048) };
    let mut there = done(&before, 7);
    assert_eq!(plan(&larger, &there).unwrap(), Step::ApplyUser(Why::Changed));
    let mut grown = larger.user.clone();
    grown["status"] = json!({"phase": "Ready"});
    there.users = vec![serde_json::from_value(grown).unwrap()];
    assert_eq!(plan(&larger, &there).unwrap(), Step::ApplyClaim(Why::Changed));
    there.claim = Some(claim(&larger, "Bound"));
    assert_eq!(plan(&larger, &there).unwrap(), Step::Await(Awaited::Change));
    there.bucket = Some(bucket(&larger));
    assert_eq!(plan(&larger, &there).unwrap(), Step::Nothing);
}

#[test]
fn what_somebody_changed_past_us_is_put_right() {
    let desired = desired(0, 1024);
    let mut there = done(&desired, 0);
    there.claim.as_mut().unwrap().spec.additional_config["bucketMaxSize"] = json!("9Ti");
    assert_eq!(plan(&desired, &there).unwrap(), Step::ApplyClaim(Why::Drifted));
    let without_copy = Observed { copied: false, ..done(&desired, 0) };
    assert_eq!(plan(&desired, &without_copy).unwrap(), Step::HandOver);
}

#[test]
fn a_lost_bucket_is_told_and_not_replaced_by_an_empty_one() {
    let desired = Desired { established: true, ..desired(0, 1024) };
    let lost = Obstacle::Lost { kind: "ObjectBucketClaim", name: "scans-bucket".into() };
    assert_eq!(plan(&desired, &Observed { claim: None, ..done(&desired, 0) }), Err(lost.clone()));
    assert_eq!(plan(&desired, &Observed::default()), Err(lost), "and no user is made for it");
}

#[test]
fn what_belongs_to_a_namesake_or_is_on_its_way_out_is_not_taken_over() {
    let desired = desired(0, 1024);
    let mut there = done(&desired, 0);
    let labels = there.claim.as_mut().unwrap().metadata.labels.as_mut().unwrap();
    labels.insert(LABEL_CLAIM.into(), "claim-2.book".into());
    let foreign = Obstacle::Foreign { kind: "ObjectBucketClaim", name: "scans-bucket".into() };
    assert_eq!(plan(&desired, &there), Err(foreign));
    let mut there = done(&desired, 0);
    let going = serde_json::from_value(json!({
        "metadata": {
            "name": "claim-1.book-0", "labels": {LABEL_CLAIM: CLAIM}, "deletionTimestamp": "2026-03-01T08:00:00Z",
        },
        "status": {"phase": "Ready"},
    }));
    there.users = vec![going.unwrap()];
    let foreign = Obstacle::Foreign { kind: "CephObjectStoreUser", name: "claim-1.book-0".into() };
    assert_eq!(plan(&desired, &there), Err(foreign));
}
