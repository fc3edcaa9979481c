//! A handover is checked as a whole before anything goes; the first thing wrong is told by field.

use jiyun_crds::v1alpha1::Reason;
use serde_json::{Value, json};

use super::*;

fn department(name: &str, zones: &[&str]) -> Department {
    serde_json::from_value(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Department", "metadata": {"name": name},
        "spec": {"displayName": name, "code": "T-1", "billingAccount": name, "zones": zones},
        "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Valid", "message": "",
                                   "lastTransitionTime": "2026-11-01T00:00:00Z"}]},
    }))
    .unwrap()
}

fn system(department: &str, name: &str, level: u8, mark: Option<&str>) -> InformationSystem {
    serde_json::from_value(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem",
        "metadata": {
            "name": name, "namespace": format!("dept-{department}"),
            "annotations": mark.map(|mark| json!({"jiyun.io/handover": mark})),
        },
        "spec": {"displayName": name, "protectionLevel": level, "zoneRef": {"name": "extranet"}, "owner": {"name": "李"}},
    }))
    .unwrap()
}

fn handover(from: &Value, to: &Value) -> Handover {
    serde_json::from_value(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Handover", "metadata": {"name": "reform"},
        "spec": {"from": from, "to": to},
    }))
    .unwrap()
}

fn whole() -> Handover {
    handover(&json!({"departmentRef": {"name": "tax"}}), &json!({"departmentRef": {"name": "finance"}}))
}

fn one(there: Option<&str>) -> Handover {
    let mut to = json!({"departmentRef": {"name": "finance"}});
    if let Some(there) = there {
        to["systemRef"] = json!({"name": there});
    }
    handover(&json!({"departmentRef": {"name": "tax"}, "systemRef": {"name": "portal"}}), &to)
}

fn found() -> Found {
    Found {
        from: Some(department("tax", &["extranet"])),
        to: Some(department("finance", &["extranet"])),
        systems: vec![system("tax", "portal", 2, None), system("tax", "levy", 3, None)],
        ..Found::default()
    }
}

fn objection(handover: &Handover, found: &Found) -> (Reason, &'static str) {
    let rejection = validate(handover, found).unwrap_err();
    (rejection.reason, rejection.code)
}

#[test]
fn all_systems_keep_their_names_and_one_may_get_another() {
    let systems = |handover: &Handover| validate(handover, &found()).unwrap().systems.into_iter().collect::<Vec<_>>();
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    assert_eq!(systems(&whole()), [pair("levy", "levy"), pair("portal", "portal")]);
    assert_eq!(systems(&one(Some("tax-portal"))), [pair("portal", "tax-portal")]);
}

#[test]
fn a_department_that_is_missing_leaving_closed_or_not_ready_takes_nothing() {
    let without = Found { to: None, ..found() };
    assert_eq!(objection(&whole(), &without), (Reason::UnknownReference, "UnknownReference"));
    let mut leaving = found();
    leaving.to.as_mut().unwrap().metadata.deletion_timestamp =
        serde_json::from_value(json!("2026-11-01T00:00:00Z")).unwrap();
    assert_eq!(objection(&whole(), &leaving), (Reason::UnknownReference, "UnknownReference"));
    let closed = Found { closed: Some("county".into()), ..found() };
    assert_eq!(objection(&whole(), &closed), (Reason::Misconfigured, "TakerClosed"));
    let mut new = found();
    new.to.as_mut().unwrap().status = None;
    assert_eq!(objection(&whole(), &new), (Reason::Misconfigured, "TakerNotReady"));
}

#[test]
fn a_zone_that_the_taker_may_not_use_keeps_everything_where_it_is() {
    let other = Found { to: Some(department("finance", &["internet"])), ..found() };
    assert_eq!(objection(&whole(), &other), (Reason::ZoneNotAllowed, "ZoneNotAllowed"));
}

#[test]
fn a_system_of_the_same_name_is_joined_only_where_that_was_asked_for() {
    let with = |other: InformationSystem| Found { taker_systems: vec![other], ..found() };
    let theirs = with(system("finance", "portal", 2, None));
    assert_eq!(objection(&whole(), &theirs), (Reason::Misconfigured, "SystemNameTaken"));
    assert_eq!(objection(&one(None), &theirs), (Reason::Misconfigured, "SystemNameTaken"));
    assert!(validate(&one(Some("portal")), &theirs).is_ok());
    let stricter = with(system("finance", "portal", 3, None));
    assert_eq!(objection(&one(Some("portal")), &stricter), (Reason::Misconfigured, "SystemDiffers"));
    let ours = with(system("finance", "portal", 2, Some("reform/portal")));
    assert!(validate(&whole(), &ours).is_ok(), "it was made by this very handover");
}

#[test]
fn a_system_that_is_gone_was_a_mistake_before_the_handover_began_and_is_the_end_of_it_afterwards() {
    let emptied = Found { systems: Vec::new(), ..found() };
    assert_eq!(objection(&one(None), &emptied), (Reason::UnknownReference, "UnknownReference"));
    let mut begun = one(None);
    begun.status = serde_json::from_value(json!({"conditions": [{
        "type": "Ready", "status": "True", "reason": "Valid", "message": "", "lastTransitionTime": "2026-11-01T00:00:00Z",
    }]}))
    .unwrap();
    assert!(validate(&begun, &emptied).unwrap().systems.is_empty());
}

#[test]
fn a_system_with_a_database_stays_and_others_go() {
    let database = serde_json::from_value(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudDatabase", "metadata": {"name": "pg", "namespace": "dept-tax"},
        "spec": {"systemRef": {"name": "levy"}, "classRef": {"name": "c"}, "zoneRef": {"name": "extranet"},
                 "architecture": "amd64", "engine": {"kind": "Postgresql", "version": "17"}, "topology": "Single",
                 "storage": {"tier": "standard", "size": "20Gi"}},
    }))
    .unwrap();
    let found = Found { databases: vec![database], ..found() };
    assert_eq!(objection(&whole(), &found), (Reason::Misconfigured, "DatabasesNotHandedOver"));
    validate(&one(None), &found).unwrap();
}

#[test]
fn a_system_with_a_bucket_stays_and_others_go() {
    let bucket = serde_json::from_value(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudBucket",
        "metadata": {"name": "scans", "namespace": "dept-tax"},
        "spec": {"systemRef": {"name": "levy"}, "zoneRef": {"name": "extranet"}, "tier": "standard", "size": "20Gi"},
    }))
    .unwrap();
    let found = Found { buckets: vec![bucket], ..found() };
    assert_eq!(objection(&whole(), &found), (Reason::Misconfigured, "BucketsNotHandedOver"));
    validate(&one(None), &found).unwrap();
}

#[test]
fn a_system_with_a_snapshot_stays_and_others_go() {
    let snapshot = serde_json::from_value(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudSnapshot",
        "metadata": {"name": "files-1", "namespace": "dept-tax"},
        "spec": {"systemRef": {"name": "levy"}, "source": {"kind": "CloudHost", "name": "web"}},
    }))
    .unwrap();
    let found = Found { snapshots: vec![snapshot], ..found() };
    assert_eq!(objection(&whole(), &found), (Reason::Misconfigured, "SnapshotsNotHandedOver"));
    validate(&one(None), &found).unwrap();
}
