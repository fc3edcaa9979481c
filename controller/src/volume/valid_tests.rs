//! A wish is checked against what it names, its host among it.

use jiyun_crds::v1alpha1::Reason;
use serde_json::{Value, json};

use super::*;
use crate::volume::found::Host;

pub fn volume(change: impl Fn(&mut Value)) -> CloudVolume {
    let mut object = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudVolume",
        "metadata": {"name": "data", "namespace": "dept-finance", "uid": "u-1", "generation": 1},
        "spec": {
            "systemRef": {"name": "budget"}, "zoneRef": {"name": "extranet"}, "tier": "standard", "size": "100Gi",
        },
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn found(host: Named) -> Found {
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
        content: content::Named::Nothing,
        host,
    }
}

fn at(site: &str) -> Place {
    Place {
        site: site.into(),
        namespace: jiyun_crds::names::engine_namespace("finance"),
        machine: "web".into(),
        is_granted: true,
        is_archived: false,
    }
}

fn web(system: &str, place: Option<Place>) -> Named {
    Named::There(Host { system: system.into(), place })
}

fn on_web(object: &mut Value) {
    object["spec"]["hostRef"] = json!({"name": "web"});
}

#[test]
fn a_volume_lies_where_its_host_is_and_anywhere_without_one() {
    let alone = validate(&volume(|_| {}), &found(Named::Nobody)).unwrap();
    assert_eq!((alone.site, alone.awaits_host), (None, false));
    assert_eq!(
        (alone.approved.tier.as_str(), alone.approved.mebibytes, alone.protection_level),
        ("standard", 102_400, 3)
    );
    let attached = validate(&volume(on_web), &found(web("budget", Some(at("east"))))).unwrap();
    assert_eq!((attached.site.as_deref(), attached.awaits_host), (Some("east"), false));
    let early = validate(&volume(on_web), &found(web("budget", None))).unwrap();
    assert_eq!((early.site, early.awaits_host), (None, true));
}

#[test]
fn a_host_that_is_not_there_or_of_another_system_is_named_with_its_field() {
    let missing = validate(&volume(on_web), &found(Named::Missing)).unwrap_err();
    assert_eq!((missing.reason, missing.code), (Reason::UnknownReference, "UnknownReference"));
    assert_eq!(missing.parameters["field"], "spec.hostRef.name");
    let other = validate(&volume(on_web), &found(web("archive", None))).unwrap_err();
    assert_eq!(other.code, "HostInOtherSystem");
    assert_eq!((other.parameters["system"].as_str(), other.parameters["expected"].as_str()), ("archive", "budget"));
}

#[test]
fn a_host_at_another_site_or_made_in_another_department_cannot_have_it() {
    let own = jiyun_crds::names::engine_namespace("finance");
    assert_eq!(reachable("web", &at("east"), "east", &own), Ok(()));
    let code = |site: &str, namespace: &str| reachable("web", &at("east"), site, namespace).unwrap_err().code;
    assert_eq!(code("west", &own), "VolumeAtOtherSite");
    assert_eq!(code("east", "engine-tax"), "HostMadeElsewhere");
    let elsewhere = web("budget", Some(Place { namespace: "engine-tax".into(), ..at("east") }));
    let told = validate(&volume(on_web), &found(elsewhere)).unwrap_err();
    assert_eq!(told.code, "HostMadeElsewhere", "before anything is made");
}

#[test]
fn a_volume_from_a_snapshot_is_of_the_same_system_at_least_as_large_and_made_where_that_lies() {
    use crate::content::{Named as Snapshot, tests::taken};

    let from = |change: fn(&mut Value)| {
        volume(|object| {
            object["spec"]["snapshotRef"] = json!({"name": "web-1"});
            change(object);
        })
    };
    let alone = from(|_| {});
    let of = |system: &str, gibibytes: u64| Snapshot::Taken(Box::new(taken(system, None, gibibytes * 1024)));
    let told = |volume: &CloudVolume, content: Snapshot, host: Named| {
        let found = Found { content, ..found(host) };
        validate(volume, &found).map_err(|rejection| (rejection.code, rejection.parameters["field"].clone()))
    };
    let valid = told(&alone, of("budget", 100), Named::Nobody).unwrap();
    assert_eq!((valid.site.as_deref(), valid.approved.content.is_some()), (Some("hub"), true));
    let granted = Snapshot::Granted(valid.approved.content.clone().unwrap());
    assert_eq!(told(&alone, granted, Named::Nobody), Ok(valid.clone()), "whatever has become of the snapshot since");
    let snapshot = "spec.snapshotRef.name";
    for (content, expected, field) in [
        (Snapshot::Missing, "UnknownReference", snapshot),
        (Snapshot::NotTaken, "SnapshotNotTaken", snapshot),
        (of("archive", 100), "SnapshotInOtherSystem", snapshot),
        (of("budget", 101), "DiskSmallerThanSnapshot", "spec.size"),
    ] {
        assert_eq!(told(&alone, content, Named::Nobody), Err((expected, field.to_owned())));
    }
    let attached = from(on_web);
    let elsewhere = told(&attached, of("budget", 100), web("budget", Some(at("east"))));
    assert_eq!(elsewhere, Err(("VolumeAtOtherSite", "spec.hostRef.name".to_owned())));
    let there = told(&attached, of("budget", 100), web("budget", Some(at("hub")))).unwrap();
    assert_eq!(there.site.as_deref(), Some("hub"));
    let placed = super::super::request::claim_request(&alone, &valid).unwrap();
    assert!(placed.placements.iter().all(|placement| placement.site.as_deref() == Some("hub")));
    // A system disk can be looked at as a volume.
    assert!(told(&alone, Snapshot::Taken(Box::new(taken("budget", Some("openeuler"), 1024))), Named::Nobody).is_ok());
}
