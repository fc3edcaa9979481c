//! A wish is checked against what it names.

use jiyun_crds::v1alpha1::Reason;
use serde_json::{Value, json};

use super::*;

pub fn bucket(change: impl Fn(&mut Value)) -> CloudBucket {
    let mut object = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudBucket",
        "metadata": {"name": "scans", "namespace": "dept-finance", "uid": "u-1", "generation": 1},
        "spec": {
            "systemRef": {"name": "budget"}, "zoneRef": {"name": "extranet"}, "tier": "standard", "size": "100Gi",
        },
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn found() -> Found {
    let read = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "jiyun.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let department = json!({"displayName": "财政局", "code": "105", "billingAccount": "105", "zones": ["extranet"]});
    let system = json!({
        "displayName": "预算系统", "protectionLevel": 3, "zoneRef": {"name": "extranet"}, "owner": {"name": "周文"},
    });
    let zone = json!({"displayName": "外网公共区", "kind": "GovExtranetPublic"});
    Found {
        department: Some(serde_json::from_value(read("Department", "finance", department)).unwrap()),
        system: Some(serde_json::from_value(read("InformationSystem", "budget", system)).unwrap()),
        zone: Some(serde_json::from_value(read("NetworkZone", "extranet", zone)).unwrap()),
    }
}

#[test]
fn what_is_approved_is_resolved_and_policies_see_it_as_object_storage() {
    let valid = validate(&bucket(|_| {}), &found()).unwrap();
    assert_eq!((valid.approved.tier.as_str(), valid.approved.mebibytes), ("standard", 102_400));
    assert!(!valid.approved.deletable);
    let size = valid.asked(OrderAction::Create).size;
    assert_eq!((size.object_mebibytes, size.storage_mebibytes, size.vcpu), (102_400, 0, 0));
    let told: Vec<_> = valid.approved.summary(crate::bucket::STORAGE).into_iter().map(|row| row.name).collect();
    assert_eq!(told, ["tier", "objectStorage"]);
}

#[test]
fn the_field_that_is_wrong_is_named() {
    let told = |change: &dyn Fn(&mut Value), found: &Found| {
        let Rejection { reason, parameters, .. } = validate(&bucket(change), found).unwrap_err();
        (reason, parameters["field"].clone())
    };
    let without_system = Found { system: None, ..found() };
    assert_eq!(told(&|_| {}, &without_system), (Reason::UnknownReference, "spec.systemRef.name".into()));
    let elsewhere = |object: &mut Value| object["spec"]["zoneRef"]["name"] = json!("internet");
    assert_eq!(told(&elsewhere, &found()), (Reason::ZoneNotAllowed, "spec.zoneRef.name".into()));
    let mut moved = found();
    moved.system.as_mut().unwrap().spec.zone_ref.name = "internal".into();
    assert_eq!(told(&|_| {}, &moved), (Reason::Misconfigured, "spec.zoneRef.name".into()));
}
