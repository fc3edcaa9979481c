//! What keeps a restore from beginning, and what keeps it from going on.

use serde_json::{Value, json};

use super::*;
use crate::content;

fn host(change: impl FnOnce(&mut Value)) -> CloudHost {
    let mut host = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost",
        "metadata": {"name": "web", "namespace": "dept-tax", "uid": "u"},
        "spec": {
            "systemRef": {"name": "portal"}, "classRef": {"name": "c"}, "imageRef": {"name": "i"}, "zoneRef": {"name": "z"},
            "architecture": "amd64", "systemDisk": {"tier": "standard", "size": "40Gi"}, "power": "Stopped",
        },
    });
    change(&mut host);
    serde_json::from_value(host).unwrap()
}

fn approved(more: &Value) -> Approved {
    let mut approved = json!({
        "class": "c", "image": "i", "imageSource": {"http": "https://x/i"}, "vcpu": 2, "memoryMebibytes": 4096,
        "architecture": "amd64", "diskTier": "standard", "diskMebibytes": 40_960, "sshAuthorizedKeys": [],
    });
    for (name, value) in more.as_object().unwrap() {
        approved[name] = value.clone();
    }
    serde_json::from_value(approved).unwrap()
}

fn claim(approved: &Approved, billable: bool) -> Claim {
    serde_json::from_value(json!({
        "id": 7, "account": "tax", "system": "portal", "item": "c", "specDigest": "sha256:a", "lines": [],
        "subject": {"kind": "CloudHost", "namespace": "dept-tax", "name": "web", "uid": "u"}, "approvedSpec": approved,
        "reservedAt": "2026-01-01T00:00:00Z", "billableFrom": billable.then_some("2026-01-01T00:01:00Z"),
    }))
    .unwrap()
}

/// Its lease has ended, or its machine was taken down for that.
fn leased(archived: bool) -> Value {
    let mut lease = json!({
        "endsAt": "2026-01-02T00:00:00Z", "ended": {"at": "2026-01-02T00:00:00Z", "archiveAt": "2026-01-09T00:00:00Z"},
    });
    if archived {
        lease["archived"] = json!({"at": "2026-01-09T00:00:00Z"});
    }
    json!({"lease": lease})
}

fn of_restore(completed_at: Option<&str>) -> Value {
    let mut restored = json!({
        "content": {
            "snapshot": "web-1", "claim": 8, "site": "hub", "namespace": "engine-tax", "object": "web-1-snapshot",
        },
        "requestedAt": "2026-03-01T08:00:00Z",
    });
    if let Some(at) = completed_at {
        restored["completedAt"] = json!(at);
    }
    json!({"restored": restored})
}

#[test]
fn a_restore_begins_only_of_a_host_that_is_in_use_and_is_to_be_off() {
    let plain = json!({});
    let run: fn(&mut Value) = |host| host["spec"]["power"] = json!("Running");
    let hand_over: fn(&mut Value) = |host| host["metadata"]["annotations"] = json!({(ANNOTATION_HANDOVER): "h/web"});
    let nothing: fn(&mut Value) = |_| ();
    for (what, change, more, billable, quarantined, expected) in [
        ("off as it is asked for", nothing, &plain, true, false, None),
        ("it is to run", run, &plain, true, false, Some("RestoreAwaitsPower")),
        ("its lease is over: it is off", run, &leased(false), true, false, None),
        ("it is archived", nothing, &leased(true), true, false, Some("RestoreOfArchived")),
        ("it was never usable", nothing, &plain, false, false, Some("Undecided")),
        ("it is handed over", hand_over, &plain, true, false, Some("HandingOver")),
        ("the book is being checked", nothing, &plain, true, true, Some("Quarantined")),
    ] {
        let approved = approved(more);
        let found = hindrance(&host(change), &claim(&approved, billable), &approved, quarantined);
        assert_eq!(found.map(code), expected, "{what}");
    }
}

/// What is in the way of a restore.
fn code(restoring: Restoring) -> &'static str {
    match restoring {
        Restoring::Cannot(why) => match *why {
            change::Objection::Invalid(rejection) => rejection.code,
            change::Objection::Undecided(reason) => reason.as_str(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_set_aside_for_a_larger_host_is_given_up_for_no_restore() {
    let approved = approved(&json!({}));
    let mut claim = claim(&approved, true);
    let hold = json!({
        "until": "2026-04-01T00:00:00Z", "item": "c", "lines": [], "specDigest": "sha256:b",
        "approvedSpec": {"order": {"name": "larger", "uid": "o-1"}},
    });
    claim.hold = Some(serde_json::from_value(hold).unwrap());
    let found = hindrance(&host(|_| ()), &claim, &approved, false);
    assert_eq!(found.map(code), Some("RestoreAwaitsOrder"));
}

#[test]
fn one_that_takes_the_place_of_another_needs_no_host_that_is_wished_off_nor_its_machine() {
    let run = host(|host| host["spec"]["power"] = json!("Running"));
    let with = |lease: &Value| {
        let mut more = of_restore(None);
        more.as_object_mut().unwrap().extend(lease.as_object().unwrap().clone());
        approved(&more)
    };
    for (what, approved, quarantined, expected) in [
        ("it is to run once its disk is there", with(&json!({})), false, None),
        ("it is archived: a disk is kept for it", with(&leased(true)), false, None),
        ("the book is being checked", with(&json!({})), true, Some("Quarantined")),
    ] {
        let found = hindrance(&run, &claim(&approved, true), &approved, quarantined);
        assert_eq!(found.map(code), expected, "{what}");
    }
}

#[test]
fn a_host_is_off_while_its_disk_is_made_anew_whatever_is_asked_for() {
    let running = host(|host| host["spec"]["power"] = json!("Running"));
    for (restored, expected) in [
        (json!({}), Power::Running),
        (of_restore(None), Power::Stopped),
        (of_restore(Some("2026-03-01T08:05:00Z")), Power::Running),
    ] {
        let approved = approved(&restored);
        assert_eq!(power(&running, &approved, false), expected, "{restored}");
        assert_eq!(under_way(&approved).is_some(), expected == Power::Stopped);
        assert_eq!(content::is_restoring(&claim(&approved, true)), expected == Power::Stopped, "{restored}");
    }
    assert_eq!(power(&host(|_| ()), &approved(&json!({})), false), Power::Stopped);
}

#[test]
fn what_runs_while_the_book_is_being_checked_is_not_switched_off_for_a_restore_that_may_be_long_over() {
    let approved = approved(&of_restore(None));
    let running = host(|host| host["spec"]["power"] = json!("Running"));
    assert_eq!(power(&running, &approved, true), Power::Running);
    assert_eq!(power(&host(|_| ()), &approved, true), Power::Stopped, "as it is asked for");
    let mut without = host(|_| ());
    without.spec.restore = None;
    assert!(is_taken_back(&without, &approved), "nobody asks for what the book says is under way");
}

#[test]
fn nothing_runs_on_a_disk_once_its_machine_is_off_and_was_looked_at() {
    let machine = |strategy: &str, status: Value| -> MachineView {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "generation": 3}, "spec": {"runStrategy": strategy}, "status": status,
        }))
        .unwrap()
    };
    let instance: InstanceView = serde_json::from_value(json!({"metadata": {"name": "web"}})).unwrap();
    let off = machine("Halted", json!({"runStrategy": "Halted"}));
    for (what, machine, instance, expected) in [
        ("off", Some(&off), None, None),
        ("there is none", None, None, None),
        ("its guest has not shut down", Some(&off), Some(&instance), Some("VirtualMachineInstance")),
        ("its machine is gone, it is not", None, Some(&instance), Some("VirtualMachineInstance")),
        ("on", Some(&machine("Always", json!({"runStrategy": "Always"}))), None, Some("VirtualMachine")),
        ("started past us", Some(&machine("Always", json!({"runStrategy": "Halted"}))), None, Some("VirtualMachine")),
        ("not looked at", Some(&machine("Halted", json!({"runStrategy": "Always"}))), None, Some("VirtualMachine")),
    ] {
        assert_eq!(user(machine, instance), expected, "{what}");
    }
}
