//! What of a changed size is decided first, and what a claim holds until the instances have followed.

use jiyun_ledger::{ClaimId, Dimensions, Line, PoolId, PoolKind, Subject};
use serde_json::json;

use super::*;
use crate::database::approved::Extent;

/// A class of so many cores and so much memory, on so many instances with so much storage each.
fn approved(class: &str, (vcpu, gibibytes): (u64, u64), instances: u64, storage_gibibytes: u64) -> Approved {
    serde_json::from_value(json!({
        "class": class, "engine": "Postgresql", "version": "17", "image": "registry.example/postgresql:17.6",
        "architecture": "amd64", "instances": instances, "vcpu": vcpu, "memoryMebibytes": gibibytes * 1024,
        "storageTier": "standard", "storageMebibytes": storage_gibibytes * 1024,
    }))
    .unwrap()
}

fn medium() -> Approved {
    approved("c4m16", (4, 16), 2, 100)
}

/// A claim that holds what `held` takes, and was granted as `approved`.
fn holding(held: &Approved, approved: &Approved) -> Claim {
    let lines = quantities(held).into_iter().map(|(meter, quantity)| {
        let pool =
            if meter == Meter::BlockStorage { (PoolKind::Storage, "standard") } else { (PoolKind::Compute, "x86") };
        let dimensions = Dimensions { zone: Some("extranet".into()), ..Dimensions::default() }.into();
        Line { meter, pool: PoolId::of(pool.0, pool.1), dimensions, quantity }
    });
    Claim {
        id: ClaimId(7),
        account: "finance".into(),
        system: "budget".into(),
        engine_namespace: None,
        subject: Subject {
            kind: "CloudDatabase".into(),
            namespace: "dept-finance".into(),
            name: "pg".into(),
            uid: "u1".into(),
        },
        item: approved.class.clone(),
        lines: lines.collect(),
        held: vec![],
        hold: None,
        spec_digest: "sha256:old".into(),
        approved_spec: serde_json::to_value(approved).unwrap().into(),
        adopted: false,
        reserved_at: jiff::Timestamp::UNIX_EPOCH,
        billable_from: None,
        billable_until: None,
        released_at: None,
        history: vec![],
    }
}

fn asked(request: &ClaimRequest) -> BTreeMap<Meter, u64> {
    request.placements.iter().flat_map(|placement| placement.quantities.clone()).collect()
}

fn under_way(approved: Approved, instances: u64, (vcpu, gibibytes): (u64, u64), storage_gibibytes: u64) -> Approved {
    let extent =
        Extent { instances, vcpu, memory_mebibytes: gibibytes * 1024, storage_mebibytes: storage_gibibytes * 1024 };
    Approved { under_way: Some(extent), ..approved }
}

#[test]
fn what_grows_or_is_protected_no_more_is_decided_and_what_shrinks_is_not() {
    let (has, claim) = (medium(), holding(&medium(), &medium()));
    let deletable = |of: Approved| Approved { deletable: true, ..of };
    let (smaller, fewer) = (approved("c2m8", (2, 8), 2, 100), approved("c4m16", (4, 16), 1, 100));
    for (what, wish, expected) in [
        ("the same", medium(), Change::None),
        ("a smaller class", smaller.clone(), Change::AtOnce(under_way(smaller, 2, (4, 16), 100))),
        ("fewer instances", fewer.clone(), Change::AtOnce(under_way(fewer, 2, (4, 16), 100))),
    ] {
        assert_eq!(change(&claim, &has, &wish).unwrap(), expected, "{what}");
    }
    for (what, wish) in [
        ("a larger class", approved("c8m32", (8, 32), 2, 100)),
        ("more instances", approved("c4m16", (4, 16), 3, 100)),
        ("larger storage", approved("c4m16", (4, 16), 2, 200)),
        ("one that may be deleted", deletable(medium())),
    ] {
        assert_eq!(change(&claim, &has, &wish).unwrap(), Change::Decided(wish), "{what}");
    }
    assert_eq!(change(&claim, &deletable(medium()), &medium()).unwrap(), Change::AtOnce(medium()));
}

#[test]
fn while_instances_come_go_and_are_replaced_a_claim_holds_the_most_of_the_largest_there_may_be() {
    let (has, claim) = (medium(), holding(&medium(), &medium()));
    // Eight cores before and six after; the third may come while the two still have four each.
    let more_and_smaller = approved("c2m8", (2, 8), 3, 100);
    let Change::Decided(after) = change(&claim, &has, &more_and_smaller).unwrap() else { panic!("not decided") };
    assert_eq!(after, under_way(more_and_smaller, 3, (4, 16), 100));
    let all = asked(&super::request(&claim, &after, "sha256:new", 2).unwrap());
    assert_eq!((all[&Meter::Vcpu], all[&Meter::Memory], all[&Meter::BlockStorage]), (12, 48 * 1024, 300 * 1024));
    // Both volumes may grow before one goes.
    let fewer_and_larger = approved("c4m16", (4, 16), 1, 200);
    let Change::Decided(after) = change(&claim, &has, &fewer_and_larger).unwrap() else { panic!("not decided") };
    assert_eq!(asked(&super::request(&claim, &after, "sha256:new", 2).unwrap())[&Meter::BlockStorage], 400 * 1024);
    // What was under way before still may be.
    let held = holding(&after, &after);
    let Change::AtOnce(later) = change(&held, &after, &approved("c2m8", (2, 8), 1, 200)).unwrap() else {
        panic!("not at once")
    };
    assert_eq!(later.held(), after.held());
}

#[test]
fn storage_never_shrinks_and_says_which_field_to_put_back() {
    let claim = holding(&medium(), &medium());
    let refused = change(&claim, &medium(), &approved("c4m16", (4, 16), 2, 50)).unwrap_err();
    assert_eq!((refused.code, refused.parameters["field"].as_str()), ("DatabaseCannotShrink", "spec.storage.size"));
    assert_eq!((refused.parameters["from"].as_str(), refused.parameters["to"].as_str()), ("100Gi", "50Gi"));
}

#[test]
fn a_class_edited_or_offered_in_another_image_does_not_reach_a_database_that_exists() {
    let claim = holding(&medium(), &medium());
    let edited = Approved { vcpu: 64, image: "registry.example/postgresql:17.9".into(), ..medium() };
    assert_eq!(change(&claim, &medium(), &edited).unwrap(), Change::None);
    let larger = approved("c8m32", (8, 32), 2, 100);
    let wish = Approved { image: "registry.example/postgresql:17.9".into(), ..larger.clone() };
    assert_eq!(change(&claim, &medium(), &wish).unwrap(), Change::Decided(larger), "it keeps its image");
}

#[test]
fn protection_applies_whatever_becomes_of_a_growth() {
    let claim = holding(&medium(), &medium());
    let has = Approved { deletable: true, ..medium() };
    let larger = approved("c8m32", (8, 32), 2, 100);
    assert_eq!(at_once(&claim, &has, &larger), Some(medium()));
    assert_eq!(at_once(&claim, &has, &medium()), None, "the whole wish applies at once");
    assert_eq!(at_once(&claim, &medium(), &Approved { deletable: true, ..larger }), None);
}

#[test]
fn what_a_claim_holds_while_it_is_changed_is_told_behind_its_wish_and_given_back_by_another_digest() {
    let claim = holding(&medium(), &medium());
    let Change::AtOnce(after) = change(&claim, &medium(), &approved("c2m8", (2, 8), 2, 100)).unwrap() else {
        panic!("not at once")
    };
    let begun = super::request(&claim, &after, "sha256:new", 2).unwrap();
    assert_eq!((begun.item.as_str(), begun.zone.as_str()), ("c2m8", "extranet"));
    assert_eq!(begun.spec_digest, "sha256:new+underWay:2x4,16384,102400");
    assert_eq!(of_wish(&begun.spec_digest), "sha256:new");
    assert_eq!(asked(&begun)[&Meter::Vcpu], 8);
    let rest = super::request(&claim, &after.followed(), "sha256:new", 2).unwrap();
    assert_eq!((rest.spec_digest.as_str(), asked(&rest)[&Meter::Vcpu]), ("sha256:new", 4));
}

#[test]
fn going_back_before_the_instances_have_followed_asks_for_nothing() {
    let small = approved("c2m8", (2, 8), 2, 100);
    let shrinking = under_way(small.clone(), 2, (4, 16), 100);
    let claim = holding(&shrinking, &shrinking);
    assert_eq!(change(&claim, &shrinking, &medium()).unwrap(), Change::AtOnce(medium()));
    let followed = holding(&small, &small);
    assert_eq!(change(&followed, &small, &medium()).unwrap(), Change::Decided(medium()));
}
