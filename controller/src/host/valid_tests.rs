//! What is wrong with a wish is told by field, in the order a form is filled in.

use jiyun_crds::v1alpha1::Reason;
use serde_json::{Value, json};

use super::*;
use crate::content::{Named, tests::taken};

fn host(change: impl FnOnce(&mut Value)) -> CloudHost {
    let mut host = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost",
        "metadata": {"name": "web", "namespace": "dept-finance", "uid": "u1", "generation": 1},
        "spec": {
            "systemRef": {"name": "budget"}, "classRef": {"name": "c4m8"}, "imageRef": {"name": "openeuler"},
            "zoneRef": {"name": "extranet"}, "architecture": "amd64",
            "systemDisk": {"tier": "standard", "size": "100Gi"},
        },
    });
    change(&mut host);
    serde_json::from_value(host).unwrap()
}

fn found() -> Found {
    let object = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "jiyun.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let department = json!({"displayName": "财政局", "code": "105", "billingAccount": "105", "zones": ["extranet"]});
    let system =
        json!({"displayName": "预算", "protectionLevel": 3, "zoneRef": {"name": "extranet"}, "owner": {"name": "李"}});
    let class =
        json!({"displayName": "4C8G", "series": "Basic", "vcpu": 4, "memory": "8Gi", "architectures": ["amd64"]});
    let image = json!({"displayName": "openEuler", "operatingSystem": "openEuler 24.03", "architecture": "amd64",
                       "minDisk": "40Gi", "source": {"http": {"url": "https://images.example.gov/a.qcow2"}}});
    let zone = json!({"displayName": "外网公共区", "kind": "GovExtranetPublic"});
    Found {
        department: serde_json::from_value(object("Department", "finance", department)).unwrap(),
        system: serde_json::from_value(object("InformationSystem", "budget", system)).unwrap(),
        class: serde_json::from_value(object("HostClass", "c4m8", class)).unwrap(),
        image: serde_json::from_value(object("HostImage", "openeuler", image)).unwrap(),
        zone: serde_json::from_value(object("NetworkZone", "extranet", zone)).unwrap(),
        content: Named::Nothing,
        lease: None,
    }
}

#[test]
fn a_good_wish_is_resolved_to_quantities() {
    let valid = validate(&host(|_| {}), &found()).unwrap();
    assert_eq!(
        (valid.approved.vcpu, valid.approved.memory_mebibytes, valid.approved.disk_mebibytes),
        (4, 8192, 102_400)
    );
    assert_eq!((valid.department.as_str(), valid.protection_level), ("finance", 3));
}

#[test]
fn each_missing_reference_is_named_by_its_field() {
    type Without = fn(&mut Found);
    let cases: [(&str, Without); 5] = [
        ("metadata.namespace", |found| found.department = None),
        ("spec.systemRef.name", |found| found.system = None),
        ("spec.zoneRef.name", |found| found.zone = None),
        ("spec.classRef.name", |found| found.class = None),
        ("spec.imageRef.name", |found| found.image = None),
    ];
    for (field, without) in cases {
        let mut found = found();
        without(&mut found);
        let rejection = validate(&host(|_| {}), &found).unwrap_err();
        assert_eq!(rejection.reason, Reason::UnknownReference, "{field}");
        assert_eq!(rejection.parameters["field"], field);
    }
}

#[test]
fn a_host_outside_any_departments_namespace_is_told_so() {
    let stray = host(|host| host["metadata"]["namespace"] = "default".into());
    let rejection = validate(&stray, &Found { department: None, ..found() }).unwrap_err();
    assert_eq!(rejection.code, "NotInDepartmentNamespace");
}

#[test]
fn a_zone_the_department_may_not_use_is_refused() {
    let mut found = found();
    found.department.as_mut().unwrap().spec.zones = vec!["internet".into()];
    assert_eq!(validate(&host(|_| {}), &found).unwrap_err().reason, Reason::ZoneNotAllowed);
}

#[test]
fn contradictions_name_both_sides() {
    let mut other_zone = found();
    other_zone.system.as_mut().unwrap().spec.zone_ref.name = "internet".into();
    assert_eq!(validate(&host(|_| {}), &other_zone).unwrap_err().code, "SystemInOtherZone");

    let arm = host(|host| host["spec"]["architecture"] = "arm64".into());
    let rejection = validate(&arm, &found()).unwrap_err();
    assert_eq!((rejection.code, rejection.parameters["offered"].as_str()), ("ArchitectureNotOffered", "amd64"));

    let small = host(|host| host["spec"]["systemDisk"]["size"] = "20Gi".into());
    let rejection = validate(&small, &found()).unwrap_err();
    assert_eq!((rejection.code, rejection.parameters["minimum"].as_str()), ("DiskSmallerThanImage", "40Gi"));
}

#[test]
fn power_and_display_name_ask_for_nothing_and_everything_else_does() {
    let digest = |host: &CloudHost| validate(host, &found()).unwrap().digest;
    let plain = digest(&host(|_| {}));
    assert_eq!(plain, digest(&host(|host| host["spec"]["power"] = "Stopped".into())));
    assert_eq!(plain, digest(&host(|host| host["spec"]["displayName"] = "门户".into())));
    assert_ne!(plain, digest(&host(|host| host["spec"]["systemDisk"]["size"] = "200Gi".into())));
    assert_ne!(plain, digest(&host(|host| host["spec"]["sshAuthorizedKeys"] = json!(["ssh-ed25519 AAAA"]))));
}

#[test]
fn a_host_from_a_snapshot_is_of_the_same_system_image_and_at_least_as_large() {
    let from = host(|host| host["spec"]["snapshotRef"] = json!({"name": "web-1"}));
    let code = |host: &CloudHost, content: Named| {
        let found = Found { content, ..found() };
        validate(host, &found).map_err(|rejection| (rejection.code, rejection.parameters["field"].clone()))
    };
    let of = |system: &str, image: Option<&str>, gibibytes: u64| {
        Named::Taken(Box::new(taken(system, image, gibibytes * 1024)))
    };
    let valid = code(&from, of("budget", Some("openeuler"), 100)).unwrap();
    let content = valid.approved.content.clone().unwrap();
    assert_eq!((content.snapshot.as_str(), content.site.as_str()), ("web-1", "hub"));
    assert_eq!(code(&from, Named::Granted(content)), Ok(valid.clone()), "whatever has become of the snapshot since");
    assert_ne!(valid.digest, validate(&host(|_| {}), &found()).unwrap().digest);
    let snapshot = "spec.snapshotRef.name";
    for (content, expected, field) in [
        (Named::Missing, "UnknownReference", snapshot),
        (Named::NotTaken, "SnapshotNotTaken", snapshot),
        (of("archive", Some("openeuler"), 100), "SnapshotInOtherSystem", snapshot),
        (of("budget", None, 100), "SnapshotOfVolume", snapshot),
        (of("budget", Some("kylin"), 100), "SnapshotOfOtherImage", "spec.imageRef.name"),
        (of("budget", Some("openeuler"), 101), "DiskSmallerThanSnapshot", "spec.systemDisk.size"),
    ] {
        assert_eq!(code(&from, content), Err((expected, field.to_owned())));
    }
    let placed = super::super::request::claim_request(&from, &valid).unwrap();
    assert!(placed.placements.iter().all(|placement| placement.site.as_deref() == Some("hub")), "made where it lies");
}
