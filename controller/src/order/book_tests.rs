//! What is set aside for an order is granted as long as the names in it stand for the same things.

use std::sync::Arc;

use jiyun_crds::v1alpha1::OrderItem;
use jiyun_ledger::PoolId;
use serde_json::json;

use super::*;
use crate::{host, host::rejection::Rejection, snapshot};

const DIGEST: &str = "sha256:wish";

/// So many MiB, of the disk of the claim `source`, made from the snapshot of the claim `made_from`.
fn approved(mebibytes: u64, source: Option<u64>, made_from: Option<u64>) -> Approved {
    let mut approved = json!({"tier": "standard", "mebibytes": mebibytes});
    if let Some(claim) = source {
        approved["source"] = json!({
            "kind": "CloudVolume", "name": "files", "claim": claim,
            "namespace": "engine-finance", "disk": "files-volume",
        });
    }
    if let Some(claim) = made_from {
        approved["content"] = content(claim);
    }
    serde_json::from_value(approved).unwrap()
}

fn content(claim: u64) -> Value {
    json!({
        "snapshot": "files-1", "claim": claim, "site": "main",
        "namespace": "engine-finance", "object": "files-1-snapshot",
    })
}

fn of_host(made_from: Option<u64>) -> host::approved::Approved {
    let mut approved = json!({
        "class": "c", "image": "i", "imageSource": {"http": "https://x/i"}, "vcpu": 2, "memoryMebibytes": 4096,
        "architecture": "amd64", "diskTier": "standard", "diskMebibytes": 40960, "sshAuthorizedKeys": [],
    });
    if let Some(claim) = made_from {
        approved["content"] = content(claim);
    }
    serde_json::from_value(approved).unwrap()
}

fn stored(approved: Approved) -> snapshot::valid::Valid {
    snapshot::valid::Valid {
        department: "finance".into(),
        system: "budget".into(),
        zone: "extranet".into(),
        protection_level: 3,
        pool: PoolId::new("storage/ceph"),
        approved,
        digest: DIGEST.into(),
    }
}

fn asks(approved: Approved) -> Wish {
    Wish::Snapshot(Box::new(stored(approved)))
}

/// An item that asks for `wish` now, and for which `set_aside` is held.
fn item(action: OrderAction, wish: Result<Wish, Rejection>, set_aside: &Value) -> FoundItem {
    let hold = json!({
        "until": "2026-03-02T00:00:00Z", "item": "i", "lines": [], "specDigest": DIGEST, "approvedSpec": set_aside,
    });
    let claim: Claim = serde_json::from_value(json!({
        "id": 12, "account": "finance", "system": "budget",
        "subject": {"kind": "CloudSnapshot", "namespace": "dept-finance", "name": "files-1", "uid": "u-1"},
        "item": "standard", "specDigest": DIGEST, "approvedSpec": set_aside, "reservedAt": "2026-03-01T00:00:00Z",
        "lines": [], "hold": hold,
    }))
    .unwrap();
    FoundItem {
        item: OrderItem { kind: OrderedKind::CloudSnapshot, name: "files-1".into(), action },
        subject: None,
        wish: Some(wish),
        claim: Some(Arc::new(claim)),
    }
}

fn is_held_now(item: &FoundItem) -> bool {
    let (name, uid) = ("files-1".to_owned(), "u-1".to_owned());
    let accepted = AcceptedItem { name, uid, spec_digest: DIGEST.into(), summary: Vec::new() };
    is_held(item, &accepted, "2026-03-01T12:00:00Z".parse().unwrap())
}

#[test]
fn a_snapshot_is_held_anew_when_its_source_is_a_namesake_or_has_grown() {
    let set_aside = serde_json::to_value(approved(10_240, Some(7), None)).unwrap();
    for (what, asked, expected) in [
        ("the same", approved(10_240, Some(7), None), true),
        ("a namesake", approved(10_240, Some(8), None), false),
        ("the same, grown", approved(20_480, Some(7), None), false),
    ] {
        let found = item(OrderAction::Create, Ok(asks(asked)), &set_aside);
        assert_eq!(is_held_now(&found), expected, "{what}");
    }
}

#[test]
fn more_than_was_held_is_not_held_anew_for_whoever_agreed_to_less() {
    let set_aside = serde_json::to_value(approved(10_240, Some(7), None)).unwrap();
    let found = item(OrderAction::Create, Ok(asks(approved(10_240, Some(7), None))), &set_aside);
    let hold = found.claim.as_ref().unwrap().hold.clone().unwrap();
    for (mebibytes, expected) in [(10_240, false), (10_239, false), (10_241, true)] {
        assert_eq!(has_grown(&hold, &asks(approved(mebibytes, Some(8), None))), expected, "{mebibytes}");
    }
}

#[test]
fn what_is_made_from_a_snapshot_is_held_anew_when_that_is_a_namesake() {
    for (what, before, now, expected) in [
        ("the same", Some(9), Some(9), true),
        ("a namesake", Some(9), Some(10), false),
        ("none", None, None, true),
        ("none was held", None, Some(9), false),
    ] {
        let set_aside = serde_json::to_value(approved(10_240, None, before)).unwrap();
        let found = item(OrderAction::Create, Ok(asks(approved(10_240, None, now))), &set_aside);
        assert_eq!(is_held_now(&found), expected, "{what}");
        let wish = Wish::Host(Box::new(host::valid::Valid {
            department: "finance".into(),
            system: "budget".into(),
            zone: "extranet".into(),
            protection_level: 3,
            approved: of_host(now),
            digest: DIGEST.into(),
        }));
        let set_aside = serde_json::to_value(of_host(before)).unwrap();
        assert_eq!(is_held_now(&item(OrderAction::Create, Ok(wish), &set_aside)), expected, "a host: {what}");
    }
}

#[test]
fn what_cannot_be_told_now_or_is_asked_for_otherwise_leaves_a_hold_as_it_is() {
    let set_aside = serde_json::to_value(approved(10_240, Some(7), None)).unwrap();
    let gone = Rejection::unknown_reference("spec.source.name", "CloudVolume", "files");
    assert!(is_held_now(&item(OrderAction::Create, Err(gone), &set_aside)), "its source is not there at the moment");
    let another = approved(20_480, Some(8), None);
    let growth = item(OrderAction::Change, Ok(asks(another.clone())), &set_aside);
    assert!(is_held_now(&growth), "what grows is the same still");
    let edited = snapshot::valid::Valid { digest: "sha256:another".into(), ..stored(another) };
    let edited = item(OrderAction::Create, Ok(Wish::Snapshot(Box::new(edited))), &set_aside);
    assert!(is_held_now(&edited), "it was edited since: what was agreed to is granted");
}
