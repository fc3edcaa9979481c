//! What of a changed size is decided first, and what a claim holds until its machine has followed.

use jiyun_ledger::{ClaimId, Dimensions, Line, PoolId, PoolKind, Subject};
use serde_json::json;

use super::*;

fn approved(class: &str, vcpu: u64, gibibytes: u64, disk_gibibytes: u64) -> Approved {
    serde_json::from_value(json!({
        "class": class, "image": "openeuler", "imageSource": {"http": "https://x/i"}, "vcpu": vcpu,
        "memoryMebibytes": gibibytes * 1024, "architecture": "amd64", "diskTier": "standard",
        "diskMebibytes": disk_gibibytes * 1024, "sshAuthorizedKeys": [],
    }))
    .unwrap()
}

fn medium() -> Approved {
    approved("c4m8", 4, 8, 100)
}

/// A claim that holds this many cores and this much memory, whatever it was granted for.
fn holding(vcpu: u64, gibibytes: u64, approved: &Approved) -> Claim {
    let line = |meter, kind, pool, quantity| Line {
        meter,
        pool: PoolId::of(kind, pool),
        dimensions: Dimensions { zone: Some("extranet".into()), ..Dimensions::default() }.into(),
        quantity,
    };
    let lines = [
        line(Meter::Vcpu, PoolKind::Compute, "x86", vcpu),
        line(Meter::Memory, PoolKind::Compute, "x86", gibibytes * 1024),
        line(Meter::Hosts, PoolKind::Compute, "x86", 1),
        line(Meter::BlockStorage, PoolKind::Storage, "standard", approved.disk_mebibytes),
    ];
    Claim {
        id: ClaimId(7),
        account: "finance".into(),
        system: "budget".into(),
        engine_namespace: None,
        subject: Subject {
            kind: "CloudHost".into(),
            namespace: "dept-finance".into(),
            name: "web".into(),
            uid: "u1".into(),
        },
        item: approved.class.clone(),
        lines: lines.into_iter().filter(|line| line.quantity > 0).collect(),
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

#[test]
fn what_takes_more_is_decided_and_what_takes_no_more_is_not() {
    let (was, claim) = (medium(), holding(4, 8, &medium()));
    let free = |approved: Approved| Approved { deletable: true, ..approved };
    let table = [
        ("the same", medium(), None),
        ("more cores", approved("c8m8", 8, 8, 100), Some(true)),
        ("more memory", approved("c4m16", 4, 16, 100), Some(true)),
        ("more cores, less memory", approved("c8m4", 8, 4, 100), Some(true)),
        ("less of both", approved("c2m4", 2, 4, 100), Some(false)),
        ("as much under another name", approved("other", 4, 8, 100), Some(false)),
        ("a larger disk", approved("c4m8", 4, 8, 200), Some(true)),
        ("less of both and a larger disk", approved("c2m4", 2, 4, 200), Some(true)),
        ("no protection", free(medium()), Some(true)),
        ("less of both and no protection", free(approved("c2m4", 2, 4, 100)), Some(true)),
    ];
    for (what, wish, expected) in table {
        let decided = match change(&claim, &was, &wish).unwrap() {
            Change::None => None,
            Change::AtOnce(after) | Change::Decided(after) if after != wish => panic!("{what}: {after:?}"),
            Change::AtOnce(_) => Some(false),
            Change::Decided(_) => Some(true),
        };
        assert_eq!(decided, expected, "{what}");
    }
    let protects = change(&claim, &free(medium()), &medium()).unwrap();
    assert_eq!(protects, Change::AtOnce(medium()), "what protects more is asked of nobody");
}

#[test]
fn a_disk_never_shrinks_whatever_else_is_asked_for() {
    let rejection = change(&holding(4, 8, &medium()), &medium(), &approved("c8m16", 8, 16, 99)).unwrap_err();
    assert_eq!((rejection.code, rejection.parameters["field"].as_str()), ("DiskCannotShrink", "spec.systemDisk.size"));
    assert_eq!((rejection.parameters["from"].as_str(), rejection.parameters["to"].as_str()), ("100 GiB", "99 GiB"));
}

#[test]
fn a_class_made_anew_under_its_old_name_does_not_reach_a_host_that_grows_its_disk() {
    let changed = change(&holding(4, 8, &medium()), &medium(), &approved("c4m8", 64, 256, 200)).unwrap();
    assert_eq!(changed, Change::Decided(approved("c4m8", 4, 8, 200)));
}

#[test]
fn growth_asks_for_all_of_it_at_once() {
    let after = approved("c8m16", 8, 16, 200);
    let request = request(&holding(4, 8, &medium()), &after, "sha256:new", 3).unwrap();
    let amounts = [(Meter::Vcpu, 8), (Meter::Memory, 16_384), (Meter::Hosts, 1), (Meter::BlockStorage, 204_800)];
    assert_eq!(asked(&request), BTreeMap::from(amounts));
    assert_eq!((request.item.as_str(), request.spec_digest.as_str()), ("c8m16", "sha256:new"));
    assert!(request.wait && request.hold_until.is_none());
    assert_eq!(*request.approved_spec, serde_json::to_value(&after).unwrap());
}

#[test]
fn what_shrinks_is_held_until_the_machine_was_seen_with_less() {
    let (after, claim) = (approved("c8m4", 8, 4, 100), holding(4, 8, &medium()));
    let request = request(&claim, &after, "sha256:new", 3).unwrap();
    assert_eq!(asked(&request)[&Meter::Vcpu], 8, "what grows is there at once");
    assert_eq!(asked(&request)[&Meter::Memory], 8192, "what shrinks is kept");
    assert_eq!(digest::of_wish(&request.spec_digest), "sha256:new");
    assert_ne!(request.spec_digest, "sha256:new", "it is not through");
    assert_eq!(kept(&holding(8, 8, &after), &after), BTreeMap::from([(Meter::Memory, 8192)]));
    assert_eq!(kept(&holding(8, 4, &after), &after), BTreeMap::new());
}

#[test]
fn going_back_before_the_machine_has_followed_asks_nobody() {
    let (small, claim) = (approved("c2m4", 2, 4, 100), holding(4, 8, &approved("c2m4", 2, 4, 100)));
    assert_eq!(change(&claim, &small, &medium()).unwrap(), Change::AtOnce(medium()));
    assert!(matches!(change(&claim, &small, &approved("c8m8", 8, 8, 100)).unwrap(), Change::Decided(_)));
    let followed = holding(2, 4, &small);
    assert!(matches!(change(&followed, &small, &medium()).unwrap(), Change::Decided(_)));
}

#[test]
fn a_stopped_host_that_gave_back_its_cores_is_changed_without_asking_for_them() {
    let parked = holding(0, 0, &medium());
    let grown = request(&parked, &approved("c8m16", 8, 16, 200), "sha256:new", 3).unwrap();
    assert_eq!(asked(&grown), BTreeMap::from([(Meter::Hosts, 1), (Meter::BlockStorage, 204_800)]));
    assert_eq!(digest::of_wish(&grown.spec_digest), "sha256:new");
    assert!(!grown.wait, "its place in line is that of its start");
    // It was granted four cores, and has none for now: eight are more.
    assert!(matches!(change(&parked, &medium(), &approved("c8m8", 8, 8, 100)).unwrap(), Change::Decided(_)));
    assert!(matches!(change(&parked, &medium(), &approved("c2m4", 2, 4, 100)).unwrap(), Change::AtOnce(_)));
}

#[test]
fn protection_and_an_earlier_end_do_not_wait_for_the_rest_of_a_wish() {
    let until = |at: &str| Some(lease::Lease::until(at.parse().unwrap()));
    let free = Approved { deletable: true, lease: until("2027-06-01T00:00:00Z"), ..medium() };
    let claim = holding(4, 8, &free);
    let wish = |deletable, lease, size| Approved { deletable, lease, ..size };
    let larger = || approved("c8m16", 8, 16, 100);
    let (sooner, later) = (until("2027-05-01T00:00:00Z"), until("2027-07-01T00:00:00Z"));
    let part = |asked: &Approved| at_once(&claim, &free, asked).map(|part| (part.class, part.deletable, part.lease));
    let same = free.lease.clone();
    for (name, asked, expected) in [
        ("protected, and grown", wish(false, same.clone(), larger()), Some((false, same.clone()))),
        ("an earlier end, and grown", wish(true, sooner.clone(), larger()), Some((true, sooner.clone()))),
        (
            "both, and a smaller disk",
            wish(false, sooner.clone(), approved("c4m8", 4, 8, 50)),
            Some((false, sooner.clone())),
        ),
        ("protected, and a later end", wish(false, later.clone(), medium()), Some((false, same.clone()))),
        ("only grown", wish(true, same.clone(), larger()), None),
        ("only a later end", wish(true, later, medium()), None),
        ("all of it at once", wish(false, sooner, medium()), None),
        ("nothing", free.clone(), None),
    ] {
        let expected = expected.map(|(deletable, lease)| ("c4m8".to_owned(), deletable, lease));
        assert_eq!(part(&asked), expected, "{name}");
    }
    let protected = Approved { deletable: false, ..free.clone() };
    let digest = digest::partly("sha256:old+without:Vcpu", &protected);
    assert_eq!(digest::of_wish(&digest), digest, "what becomes of the claim is told behind it");
    assert_ne!(digest, digest::partly("sha256:old", &free));
    assert_eq!(digest::partly(&digest, &protected), digest);
}
