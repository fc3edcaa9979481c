//! A wish is checked against what it names; what is approved counts every instance.

use jiyun_crds::v1alpha1::Reason;
use serde_json::{Value, json};

use super::*;

pub fn database(change: impl Fn(&mut Value)) -> CloudDatabase {
    let mut object = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudDatabase",
        "metadata": {"name": "pg", "namespace": "dept-finance", "uid": "u-1", "generation": 1},
        "spec": {
            "systemRef": {"name": "budget"}, "classRef": {"name": "database-2c8g"}, "zoneRef": {"name": "extranet"},
            "architecture": "amd64", "engine": {"kind": "Postgresql", "version": "17"}, "topology": "Three",
            "storage": {"tier": "standard", "size": "20Gi"},
        },
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

pub fn found() -> Found {
    let read = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "jiyun.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let of = |value: Value| serde_json::from_value(value).unwrap();
    let department = json!({"displayName": "财政局", "code": "105", "billingAccount": "105", "zones": ["extranet"]});
    let system = json!({
        "displayName": "预算系统", "protectionLevel": 3, "zoneRef": {"name": "extranet"}, "owner": {"name": "周文"},
    });
    let class = json!({
        "displayName": "2核8G", "engine": "Postgresql", "vcpu": 2, "memory": "8Gi", "architectures": ["amd64"],
        "versions": [{"version": "17", "image": "registry.example/postgresql:17.6"}],
    });
    Found {
        department: Some(of(read("Department", "finance", department))),
        system: Some(serde_json::from_value(read("InformationSystem", "budget", system)).unwrap()),
        class: Some(serde_json::from_value(read("DatabaseClass", "database-2c8g", class)).unwrap()),
        zone: Some(
            serde_json::from_value(read(
                "NetworkZone",
                "extranet",
                json!({"displayName": "外网公共区", "kind": "GovExtranetPublic"}),
            ))
            .unwrap(),
        ),
    }
}

fn rejected(change: impl Fn(&mut Value), found: &Found) -> Rejection {
    validate(&database(change), found).unwrap_err()
}

#[test]
fn what_is_approved_is_resolved_and_policies_see_every_instance() {
    let valid = validate(&database(|_| {}), &found()).unwrap();
    let Approved { instances, vcpu, memory_mebibytes, storage_mebibytes, ref image, .. } = valid.approved;
    assert_eq!((instances, vcpu, memory_mebibytes, storage_mebibytes), (3, 2, 8192, 20_480));
    assert_eq!(image, "registry.example/postgresql:17.6");
    let size = valid.asked(OrderAction::Create).size;
    assert_eq!((size.vcpu, size.memory_mebibytes, size.storage_mebibytes), (6, 24_576, 61_440));
    let told: Vec<_> = valid.approved.summary().into_iter().map(|row| format!("{}={}", row.name, row.value)).collect();
    assert_eq!(
        told,
        [
            "class=database-2c8g",
            "engine=Postgresql 17",
            "instances=3",
            "vcpu=6",
            "memory=24576 MiB",
            "tier=standard",
            "blockStorage=61440 MiB"
        ]
    );
}

#[test]
fn the_field_that_is_wrong_is_named() {
    let field = |rejection: Rejection| (rejection.code, rejection.parameters["field"].clone());
    let version = rejected(|object| object["spec"]["engine"]["version"] = json!("15"), &found());
    assert_eq!(field(version), ("VersionNotOffered", "spec.engine.version".into()));
    let architecture = rejected(|object| object["spec"]["architecture"] = json!("arm64"), &found());
    assert_eq!(field(architecture), ("ArchitectureNotOffered", "spec.architecture".into()));
    let without_class = Found { class: None, ..found() };
    let class = rejected(|_| {}, &without_class);
    assert_eq!(class.reason, Reason::UnknownReference);
    assert_eq!(field(class), ("UnknownReference", "spec.classRef.name".into()));
    let elsewhere = rejected(|object| object["spec"]["zoneRef"]["name"] = json!("internet"), &found());
    assert_eq!(elsewhere.reason, Reason::ZoneNotAllowed);
}

#[test]
fn where_departments_have_networks_of_their_own_no_database_is_made() {
    let mut found = found();
    let isolation = json!({"kubeOvn": {"cidrs": ["10.64.0.0/16"], "subnetPrefixLength": 26}});
    found.zone.as_mut().unwrap().spec.isolation = serde_json::from_value(isolation).unwrap();
    assert_eq!(rejected(|_| {}, &found).code, "DatabaseInOwnNetwork");
}

#[test]
fn what_applies_at_once_is_no_other_wish_and_what_is_decided_is() {
    let digest = |change: &dyn Fn(&mut Value)| validate(&database(change), &found()).unwrap().digest;
    let before = digest(&|_| {});
    assert_eq!(digest(&|object| object["spec"]["power"] = json!("Stopped")), before);
    assert_eq!(digest(&|object| object["spec"]["displayName"] = json!("预算库")), before);
    for (pointer, value) in [
        ("topology", json!("Single")),
        ("deletionProtection", json!("Disabled")),
        ("storage", json!({"tier": "standard", "size": "40Gi"})),
    ] {
        assert_ne!(digest(&|object| object["spec"][pointer] = value.clone()), before, "{pointer}");
    }
}
