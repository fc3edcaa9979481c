//! Who is told what of a lease, by the status of its host and the time.

use serde_json::{Value, json};

use super::*;

const END: &str = "2026-12-31T16:00:00Z";
const ARCHIVE: &str = "2027-01-07T16:00:00Z";
const RELEASE: &str = "2027-02-06T16:00:00Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn warnings() -> Vec<SignedDuration> {
    [30, 7, 1].map(|days| SignedDuration::from_hours(24 * days)).into()
}

fn host(lease: &Value) -> CloudHost {
    let mut whole = json!({"endsAt": END, "archiveAt": ARCHIVE, "releaseAt": RELEASE});
    whole.as_object_mut().unwrap().extend(lease.as_object().unwrap().clone());
    whole.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    serde_json::from_value(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost",
        "metadata": {"name": "web", "namespace": "dept-tax", "uid": "u-1", "annotations": {
            (ANNOTATION_CREATED_BY): "zhang", (ANNOTATION_REQUESTED_BY): "system:serviceaccount:gitops:flux",
        }},
        "spec": {
            "systemRef": {"name": "portal"}, "classRef": {"name": "c"}, "imageRef": {"name": "i"},
            "zoneRef": {"name": "z"}, "architecture": "amd64", "systemDisk": {"tier": "standard", "size": "40Gi"},
        },
        "status": {"lease": whole},
    }))
    .unwrap()
}

fn told(host: &CloudHost, now: &str) -> Option<Notice> {
    of_host(host, &["operators".to_owned()], &warnings(), at(now))
}

fn ended() -> Value {
    json!({"stage": "Ended", "endedAt": END})
}

fn archived(release_at: Option<&str>) -> Value {
    json!({"stage": "Archived", "endedAt": END, "archiveAt": null, "archivedAt": ARCHIVE, "releaseAt": release_at})
}

#[test]
fn people_are_told_before_the_end_at_it_and_before_the_disk_goes() {
    let running = json!({"stage": "Warned"});
    let end = at(END).as_second();
    let release = at(RELEASE).as_second();
    for (lease, now, expected) in [
        (&running, "2026-12-01T15:59:59Z", None),
        (&running, "2026-12-01T16:00:00Z", Some(("lease.ending", format!("ending-{}", 30 * 86400), END))),
        (&running, "2026-12-24T15:59:59Z", Some(("lease.ending", format!("ending-{}", 30 * 86400), END))),
        (&running, "2026-12-24T16:00:00Z", Some(("lease.ending", format!("ending-{}", 7 * 86400), END))),
        (&running, "2026-12-30T16:00:00Z", Some(("lease.ending", format!("ending-{}", 86400), END))),
        // It is about to be recorded as ended.
        (&running, END, None),
        (&ended(), END, Some(("lease.ended", "ended".to_owned(), ARCHIVE))),
        (&ended(), "2027-01-09T00:00:00Z", Some(("lease.ended", "ended".to_owned(), ARCHIVE))),
        (&archived(Some(RELEASE)), ARCHIVE, Some(("lease.archived", format!("archived-{release}"), RELEASE))),
        (
            &archived(Some(RELEASE)),
            "2027-01-30T16:00:00Z",
            Some(("lease.releasing", format!("releasing-{release}-{}", 7 * 86400), RELEASE)),
        ),
        (
            &archived(Some(RELEASE)),
            "2027-02-09T00:00:00Z",
            Some(("lease.releasing", format!("releasing-{release}-86400"), RELEASE)),
        ),
        (&json!({"stage": "Released", "archivedAt": ARCHIVE}), RELEASE, None),
    ] {
        let notice = told(&host(lease), now);
        let found = notice.as_ref().map(|notice| (notice.event.word(), notice.id.clone(), notice.deadline));
        let expected = expected.map(|(event, word, until)| (event, format!("u-1-lease-{end}-{word}"), Some(at(until))));
        assert_eq!(found, expected, "{now}");
        if let Some(notice) = notice {
            assert!(notice.id.len() <= 74 && notice.at <= at(now), "{notice:?}");
            assert!(notice.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{notice:?}");
            assert_eq!(notice.to.groups, BTreeSet::from(["operators".to_owned()]));
            assert_eq!(notice.to.users, BTreeSet::from(["zhang".to_owned()]), "programs are nobody to write to");
        }
    }
}

#[test]
fn a_lease_that_was_extended_is_told_of_anew() {
    let (before, now) = (host(&json!({"stage": "Warned"})), "2026-12-30T16:00:00Z");
    let after = host(&json!({"stage": "Warned", "endsAt": "2027-01-01T00:00:00Z"}));
    assert_ne!(told(&before, now).unwrap().id, told(&after, now).unwrap().id);
}

#[test]
fn what_is_protected_stays_and_people_are_told_so_and_told_again_once_it_is_to_go() {
    let kept = told(&host(&archived(None)), "2029-01-01T00:00:00Z").unwrap();
    assert_eq!((kept.event, kept.deadline), (Event::LeaseArchived, None));
    let mail = crate::words::bilingual(&kept, None);
    assert!(mail.contains("删除保护") && mail.contains("protected from deletion") && !mail.contains('?'), "{mail}");
    let goes = told(&host(&archived(Some(RELEASE))), ARCHIVE).unwrap();
    assert_ne!(kept.id, goes.id);
    let mail = crate::words::bilingual(&goes, Some("https://cloud.example/web"));
    assert!(mail.contains(RELEASE) && !mail.contains('?') && !mail.contains("serviceaccount"), "{mail}");
}

#[test]
fn it_is_looked_again_when_the_next_warning_comes_and_not_for_what_is_written_anyhow() {
    let next = |lease: &Value, now: &str| next_of_host(&host(lease), &warnings(), at(now));
    let running = json!({"stage": "Running"});
    assert_eq!(next(&running, "2026-11-01T00:00:00Z"), Some(at("2026-12-01T16:00:00Z")));
    assert_eq!(next(&running, "2026-12-01T16:00:00Z"), Some(at("2026-12-24T16:00:00Z")));
    assert_eq!(next(&running, "2026-12-30T16:00:00Z"), None);
    assert_eq!(next(&ended(), END), None);
    assert_eq!(next(&archived(None), ARCHIVE), None);
    assert_eq!(next(&archived(Some(RELEASE)), "2027-01-09T00:00:00Z"), Some(at("2027-01-30T16:00:00Z")));
}

#[test]
fn nothing_is_told_of_a_host_without_a_lease_or_on_its_way_out() {
    let mut none = host(&ended());
    none.status.as_mut().unwrap().lease = None;
    assert_eq!(told(&none, END), None);
    let mut leaving = serde_json::to_value(host(&ended())).unwrap();
    leaving["metadata"]["deletionTimestamp"] = json!(END);
    assert_eq!(told(&serde_json::from_value(leaving).unwrap(), END), None);
}
