//! A wish is checked against what it names; what was granted is read again as it was granted.

use jiyun_crds::v1alpha1::SnapshotSourceKind;
use jiyun_ledger::{ClaimId, PoolKind};
use serde_json::{Value, json};

use super::*;
use crate::snapshot::found::Disk;

pub fn snapshot(change: impl Fn(&mut Value)) -> CloudSnapshot {
    let mut object = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudSnapshot",
        "metadata": {"name": "files-1", "namespace": "dept-finance", "uid": "u-1", "generation": 1},
        "spec": {"systemRef": {"name": "budget"}, "source": {"kind": "CloudVolume", "name": "files"}},
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn disk() -> Disk {
    Disk { name: "files-volume".into(), tier: "standard".into(), mebibytes: 102_400, image: None, is_restored: false }
}

fn place() -> Place {
    Place {
        claim: ClaimId(7),
        zone: "extranet".into(),
        pool: PoolId::of(PoolKind::Storage, "ceph"),
        is_offered: true,
        namespace: "engine-finance".into(),
        is_used: true,
        disk: disk(),
    }
}

fn found(place: Option<Place>) -> Found {
    let read = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "jiyun.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let department = json!({"displayName": "财政局", "code": "105", "billingAccount": "105", "zones": ["extranet"]});
    let system = json!({
        "displayName": "预算系统", "protectionLevel": 3, "zoneRef": {"name": "extranet"}, "owner": {"name": "周文"},
    });
    Found {
        department: Some(serde_json::from_value(read("Department", "finance", department)).unwrap()),
        system: Some(serde_json::from_value(read("InformationSystem", "budget", system)).unwrap()),
        granted: None,
        source: Some(Named { system: "budget".into(), is_leaving: false, place }),
    }
}

fn told(found: &Found) -> (Reason, &'static str) {
    let Rejection { reason, code, .. } = validate(&snapshot(|_| {}), found).unwrap_err();
    (reason, code)
}

#[test]
fn what_is_approved_is_what_its_source_was_granted_in_the_same_pool() {
    let valid = validate(&snapshot(|_| {}), &found(Some(place()))).unwrap();
    assert_eq!((valid.zone.as_str(), valid.pool.name(), valid.protection_level), ("extranet", "ceph", 3));
    assert_eq!((valid.approved.tier.as_str(), valid.approved.mebibytes), ("standard", 102_400));
    assert!(!valid.approved.deletable);
    let source = valid.approved.source.clone().unwrap();
    assert_eq!((source.kind, source.name.as_str()), (SnapshotSourceKind::CloudVolume, "files"));
    assert_eq!((source.claim, source.namespace.as_str()), (ClaimId(7), "engine-finance"));
    assert_eq!((source.disk.as_str(), source.image), ("files-volume", None));
    let size = valid.asked(OrderAction::Create).size;
    assert_eq!((size.storage_mebibytes, size.object_mebibytes, size.vcpu), (102_400, 0, 0));
    let told: Vec<_> = valid.approved.summary(crate::snapshot::STORAGE).into_iter().map(|row| row.name).collect();
    assert_eq!(told, ["tier", "blockStorage", "source"]);
}

#[test]
fn of_a_host_the_image_is_kept_for_those_made_from_its_snapshot() {
    let of_host = |object: &mut Value| object["spec"]["source"] = json!({"kind": "CloudHost", "name": "web"});
    let disk = Disk { name: "web-system".into(), image: Some("kylin".into()), ..disk() };
    let valid = validate(&snapshot(of_host), &found(Some(Place { disk, ..place() }))).unwrap();
    let source = valid.approved.source.unwrap();
    assert_eq!((source.kind, source.image.as_deref()), (SnapshotSourceKind::CloudHost, Some("kylin")));
}

#[test]
fn what_is_wrong_with_a_source_is_told_with_what_to_do() {
    let elsewhere = |mut found: Found| {
        found.source.as_mut().unwrap().system = "payroll".into();
        found
    };
    let leaving = |mut found: Found| {
        found.source.as_mut().unwrap().is_leaving = true;
        found
    };
    let with = |change: fn(&mut Place)| {
        let mut place = place();
        change(&mut place);
        found(Some(place))
    };
    let not_ready = (Reason::AwaitingSource, "SnapshotSourceNotReady");
    let is_told = |what: &str, found: &Found, expected| assert_eq!(told(found), expected, "{what}");
    is_told("no such thing", &Found { source: None, ..found(None) }, (Reason::UnknownReference, "UnknownReference"));
    let wrong = |code| (Reason::Misconfigured, code);
    is_told("another system's", &elsewhere(with(|_| {})), wrong("SnapshotSourceInOtherSystem"));
    is_told("on its way to another department", &leaving(with(|_| {})), not_ready);
    is_told("not granted", &found(None), not_ready);
    let handed_over = with(|place| place.namespace = "engine-tax".into());
    is_told("handed over", &handed_over, wrong("SnapshotSourceMadeElsewhere"));
    let without = with(|place| place.is_offered = false);
    is_told("a pool without snapshots", &without, wrong("SnapshotsNotOffered"));
    is_told("not made yet", &with(|place| place.is_used = false), not_ready);
    is_told("being restored", &with(|place| place.disk.is_restored = true), not_ready);
}

#[test]
fn a_tier_without_snapshots_is_named_and_its_pool_is_not() {
    let found = found(Some(Place { is_offered: false, ..place() }));
    let Rejection { parameters, .. } = validate(&snapshot(|_| {}), &found).unwrap_err();
    assert_eq!(parameters["tier"], "standard");
    assert!(parameters.values().all(|value| !value.contains("ceph")), "{parameters:?}");
}

#[test]
fn what_was_granted_stays_valid_whatever_becomes_of_its_source() {
    let before = validate(&snapshot(|_| {}), &found(Some(place()))).unwrap();
    let granted = Granted { approved: before.approved.clone(), zone: before.zone.clone(), pool: before.pool.clone() };
    let gone = Found { source: None, granted: Some(granted.clone()), ..found(None) };
    assert_eq!(validate(&snapshot(|_| {}), &gone), Ok(before));
    let larger = Place { disk: Disk { mebibytes: 204_800, ..disk() }, ..place() };
    let grown = Found { granted: Some(granted), ..found(Some(larger)) };
    let unprotected = |object: &mut Value| object["spec"]["deletionProtection"] = json!("Disabled");
    let valid = validate(&snapshot(unprotected), &grown).unwrap();
    assert_eq!((valid.approved.mebibytes, valid.approved.deletable), (102_400, true));
}
