//! Every state of a lease and what follows from it; what may be asked for; and what people are told.

use jiyun_crds::v1alpha1::{ConditionStatus, ConditionType, Reason};
use serde_json::json;

use super::{terms::defaults, *};
use crate::{engines::kubevirt::MachineState, order::answer::Ordered};

/// The end of the lease.
const END: &str = "2026-12-31T16:00:00Z";

fn at(moment: &str) -> Timestamp {
    moment.parse().unwrap()
}

fn days_after(moment: &str, days: i64) -> Timestamp {
    at(moment) + SignedDuration::from_hours(24 * days)
}

fn host(ends_at: &str) -> CloudHost {
    serde_json::from_value(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost",
        "metadata": {"name": "web", "namespace": "dept-finance", "uid": "u1"},
        "spec": {
            "systemRef": {"name": "budget"}, "classRef": {"name": "c4m8"}, "imageRef": {"name": "openeuler"},
            "zoneRef": {"name": "extranet"}, "architecture": "amd64",
            "systemDisk": {"tier": "standard", "size": "100Gi"}, "lease": {"endsAt": ends_at},
        },
    }))
    .unwrap()
}

fn running() -> Lease {
    Lease::until(at(END))
}

/// Recorded at the end itself.
fn ended(protected: bool) -> Lease {
    running().after(Due::End, &defaults(), protected, at(END))
}

/// Recorded a week after.
fn archived(protected: bool) -> Lease {
    ended(protected).after(Due::Archive, &defaults(), protected, days_after(END, 7))
}

#[test]
fn every_state_leads_where_the_table_says() {
    let (free, kept) = (false, true);
    for (name, lease, now, protected, asked, due) in [
        ("far off", running(), days_after(END, -40), kept, false, None),
        ("a moment before", running(), at("2026-12-31T15:59:59Z"), free, false, None),
        ("its end", running(), at(END), free, false, Some(Due::End)),
        ("its end, protected: it is off all the same", running(), at(END), kept, false, Some(Due::End)),
        ("its end, and more time is asked for", running(), at(END), free, true, Some(Due::End)),
        ("we were away for a year: nothing is left out", running(), days_after(END, 365), free, false, Some(Due::End)),
        ("ended a moment ago", ended(free), at(END), free, false, None),
        ("the grace is over", ended(free), days_after(END, 7), free, false, Some(Due::Archive)),
        ("the grace is over, protected", ended(kept), days_after(END, 7), kept, false, Some(Due::Archive)),
        ("archived", archived(free), days_after(END, 36), free, false, None),
        ("kept long enough", archived(free), days_after(END, 37), free, false, Some(Due::Release)),
        ("kept long enough, and more time is asked for", archived(free), days_after(END, 37), free, true, None),
        ("protected after it was archived", archived(free), days_after(END, 8), kept, false, Some(Due::Keep)),
        ("protected in the last moment", archived(free), days_after(END, 99), kept, false, Some(Due::Keep)),
        ("archived and protected", archived(kept), days_after(END, 999), kept, false, None),
        ("protected no more", archived(kept), days_after(END, 999), free, false, Some(Due::Announce)),
    ] {
        assert_eq!(lease.due(Facts { now, protected, asked }), due, "{name}");
    }
}

#[test]
fn whoever_comes_late_to_a_lease_gives_it_all_the_time_it_was_to_have() {
    let late = days_after(END, 365);
    let ended = running().after(Due::End, &defaults(), false, late);
    assert_eq!(ended.due(Facts { now: late, protected: false, asked: false }), None);
    let shown = ended.status(&defaults(), false, late);
    assert_eq!(shown.archive_at.unwrap().timestamp().unwrap(), late + SignedDuration::from_hours(24 * 7));
}

#[test]
fn times_that_were_promised_are_kept_though_periods_are_shorter_since() {
    let shorter = Terms { grace: SignedDuration::from_secs(1), kept: SignedDuration::from_secs(1), ..defaults() };
    let now = days_after(END, 1);
    assert_eq!(ended(false).due(Facts { now, protected: false, asked: false }), None);
    assert_eq!(ended(false).next(&shorter, false, now), Some(days_after(END, 7)));
    assert_eq!(archived(false).next(&shorter, false, now), Some(days_after(END, 37)));
}

#[test]
fn a_host_that_is_protected_no_more_is_kept_as_long_as_any_other_from_then_on() {
    let now = days_after(END, 999);
    let announced = archived(true).after(Due::Announce, &defaults(), false, now);
    assert_eq!(announced.archived.unwrap().at, days_after(END, 7), "since when it is archived stays");
    assert_eq!(announced.due(Facts { now, protected: false, asked: false }), None);
    let later = now + SignedDuration::from_hours(24 * 30);
    assert_eq!(announced.due(Facts { now: later, protected: false, asked: false }), Some(Due::Release));
    let kept = announced.after(Due::Keep, &defaults(), true, later);
    assert_eq!(kept, archived(true));
}

#[test]
fn each_stage_is_shown_with_its_times_and_looked_at_again_when_the_next_one_comes() {
    let terms = defaults();
    let shown = |lease: &Lease, protected, now| {
        let LeaseStatus { stage, ended_at, archive_at, archived_at, release_at, .. } =
            lease.status(&terms, protected, now);
        let told = [ended_at, archive_at, archived_at, release_at].map(|at| at.map(|at| at.timestamp().unwrap()));
        (stage, told, lease.next(&terms, protected, now))
    };
    let [end, archive, release] = [0, 7, 37].map(|days| days_after(END, days));
    let far = days_after(END, -31);
    for (lease, protected, now, expected) in [
        (
            running(),
            false,
            far,
            (LeaseStage::Running, [None, Some(archive), None, Some(release)], Some(days_after(END, -30))),
        ),
        (running(), true, far, (LeaseStage::Running, [None, Some(archive), None, None], Some(days_after(END, -30)))),
        (
            running(),
            false,
            days_after(END, -30),
            (LeaseStage::Warned, [None, Some(archive), None, Some(release)], Some(end)),
        ),
        (ended(false), false, end, (LeaseStage::Ended, [Some(end), Some(archive), None, Some(release)], Some(archive))),
        (
            archived(false),
            false,
            archive,
            (LeaseStage::Archived, [Some(end), None, Some(archive), Some(release)], Some(release)),
        ),
        (archived(true), true, archive, (LeaseStage::Archived, [Some(end), None, Some(archive), None], None)),
    ] {
        assert_eq!(shown(&lease, protected, now), expected, "{lease:?} {now}");
    }
}

#[test]
fn a_step_that_has_come_and_waits_for_people_is_not_looked_at_again_and_again() {
    let standing = |next| Standing { status: running().status(&defaults(), false, at(END)), next };
    assert_eq!(next_look(Some(&standing(Some(at(END)))), at(END)), None);
    let soon = next_look(Some(&standing(Some(at(END)))), days_after(END, -1)).unwrap();
    assert!(soon > Duration::from_hours(24) && soon < Duration::from_hours(25), "{soon:?}");
    assert_eq!(next_look(Some(&standing(None)), at(END)), None);
    assert_eq!(next_look(None, at(END)), None);
}

#[test]
fn a_later_end_and_none_are_more_and_an_earlier_end_and_a_first_lease_are_not() {
    let lease = |moment: &str| Lease::until(at(moment));
    let (early, late) = (lease("2027-01-01T00:00:00Z"), lease("2027-01-02T00:00:00Z"));
    assert!(is_more(Some(&early), Some(&late)) && is_more(Some(&early), None));
    assert!(!is_more(Some(&late), Some(&early)) && !is_more(None, Some(&early)) && !is_more(None, None));
    assert!(!is_more(Some(&early), Some(&early)));
}

#[test]
fn what_is_asked_for_holds_until_somebody_has_decided_against_it() {
    let approved = Approved {
        class: "c4m8".into(),
        image: "openeuler".into(),
        image_source: crate::engines::order::ImageSource::Http("https://images.example/a".into()),
        vcpu: 4,
        memory_mebibytes: 8192,
        architecture: "amd64".into(),
        disk_tier: "standard".into(),
        disk_mebibytes: 102_400,
        apart: None,
        ssh_authorized_keys: Vec::new(),
        user_data: None,
        subnet: None,
        deletable: true,
        lease: Some(archived(false)),
        content: None,
        restored: None,
        order: None,
        policies: Vec::new(),
    };
    let objection = |reason| match reason {
        Reason::Misconfigured => Objection::Invalid(Rejection::misconfigured("x", parameters([("field", "f")]))),
        reason => Objection::Ordered(Ordered { order: "o".into(), reason, refusal: None }),
    };
    let host = |ends_at: &str, protection: &str| {
        let mut object = serde_json::to_value(host(ends_at)).unwrap();
        object["spec"]["deletionProtection"] = json!(protection);
        serde_json::from_value::<CloudHost>(object).unwrap()
    };
    let later = "2027-12-31T16:00:00Z";
    for (name, host, said, expected) in [
        ("as it was granted", host(END, "Disabled"), None, false),
        ("the same moment", host("2027-01-01T00:00:00+08:00", "Disabled"), None, false),
        ("people are asked", host(later, "Disabled"), Some(Reason::AwaitingApproval), true),
        ("they agreed a moment ago", host(later, "Disabled"), None, true),
        ("somebody said no", host(later, "Disabled"), Some(Reason::OrderRefused), false),
        ("nobody said anything", host(later, "Disabled"), Some(Reason::OrderExpired), false),
        ("it makes no sense", host("2001-01-01T00:00:00Z", "Disabled"), Some(Reason::Misconfigured), false),
        ("it waits for an order that may never come", host(later, "Disabled"), Some(Reason::AwaitingOrder), false),
        ("it is to be protected", host(END, "Enabled"), None, true),
    ] {
        assert_eq!(is_asked(&host, &approved, said.map(objection).as_ref()), expected, "{name}");
    }
}

#[test]
fn a_new_end_begins_anew_and_the_same_end_keeps_what_has_become_of_it() {
    let granted = archived(false);
    assert_eq!(changed(Some(granted.clone()), Some(running())), Some(granted.clone()));
    let later = Lease::until(days_after(END, 400));
    assert_eq!(changed(Some(granted.clone()), Some(later.clone())), Some(later));
    assert_eq!(changed(Some(granted), None), None);
}

#[test]
fn a_moment_that_has_passed_or_is_too_far_is_refused_unless_it_was_granted() {
    let check = |now: &str, granted: Option<&str>| Some(Check { now: at(now), granted: granted.map(at) });
    let code = |ends_at: &str, check| wished(&host(ends_at), check).map(|_| ()).map_err(|rejection| rejection.code);
    let now = "2026-11-26T00:00:00Z";
    assert_eq!(code("2026-11-26T08:00:01+08:00", check(now, None)), Ok(()));
    assert_eq!(code("2026-11-26T08:00:00+08:00", check(now, None)), Err("LeaseInPast"));
    assert_eq!(code("2026-11-26T08:00:00+08:00", check(now, Some(now))), Ok(()));
    assert_eq!(code("2026-11-25T08:00:00+08:00", check(now, Some(now))), Err("LeaseInPast"));
    assert_eq!(code("2036-11-26T00:00:00Z", check(now, None)), Ok(()));
    assert_eq!(code("2036-12-26T00:00:00Z", check(now, None)), Err("LeaseTooLong"));
    assert_eq!(code("2001-01-01T00:00:00Z", None), Ok(()), "what is read again is not judged");
    assert_eq!(code("2026-02-31T00:00:00Z", check(now, None)), Err("InvalidDate"));
    let rejection = wished(&host("2001-01-01T00:00:00Z"), check(now, None)).unwrap_err();
    assert_eq!(rejection.parameters["field"], "spec.lease.endsAt");
}

#[test]
fn what_was_recorded_is_read_again_as_it_was() {
    for lease in [running(), ended(false), archived(false), archived(true)] {
        let text = serde_json::to_string(&lease).unwrap();
        assert_eq!(serde_json::from_str::<Lease>(&text).unwrap(), lease, "{text}");
    }
    let marks = [running(), ended(false), archived(false), archived(true)].map(|lease| lease.mark());
    let distinct: std::collections::BTreeSet<_> = marks.iter().collect();
    assert_eq!(distinct.len(), marks.len(), "the ledger takes one for another: {marks:?}");
    assert!(marks.iter().flatten().all(|mark| !mark.contains('+')));
}

#[test]
fn a_host_that_is_off_for_its_lease_says_so_and_one_still_stopping_says_that() {
    let now = days_after(END, 8);
    let standing = |lease: &Lease, protected| Standing {
        status: lease.status(&defaults(), protected, now),
        next: lease.next(&defaults(), protected, now),
    };
    let usual = || {
        [(ConditionType::Provisioned, Reason::Provisioned), (ConditionType::Ready, Reason::Stopping)]
            .map(|(kind, reason)| crate::conditions::plain(kind, ConditionStatus::True, reason))
    };
    let said = |lease: &Standing, machine: Option<&MachineState>| {
        let mut found = usual();
        findings(lease, machine, &mut found);
        found.map(|finding| (finding.reason.as_str(), finding.message))
    };
    let over = standing(&ended(false), false);
    let [provisioned, ready] = said(&over, Some(&MachineState::Stopped));
    assert_eq!((provisioned.0, ready.0), ("Provisioned", "LeaseEnded"));
    assert!(ready.1.contains("2027-01-07T16:00:00Z") && !ready.1.contains('?'), "{}", ready.1);
    let [_, stopping] = said(&over, Some(&MachineState::Running));
    assert_eq!(stopping.0, "Stopping");
    let [provisioned, ready] = said(&standing(&archived(false), false), None);
    assert_eq!((provisioned.0, ready.0), ("LeaseEnded", "LeaseEnded"));
    assert!(ready.1.contains("2027-02-06T16:00:00Z"), "{}", ready.1);
    let [_, ready] = said(&standing(&archived(true), true), None);
    assert!(ready.1.contains("protected from deletion") && !ready.1.contains('?'), "{}", ready.1);
}

#[test]
fn a_fault_of_a_host_that_is_off_for_its_lease_is_told_until_its_machine_is_taken_down() {
    let now = days_after(END, 8);
    let standing = |lease: &Lease| Standing { status: lease.status(&defaults(), false, now), next: None };
    let said = |lease: &Lease, reason: Reason| {
        let mut found = [ConditionType::Provisioned, ConditionType::Ready]
            .map(|kind| crate::conditions::plain(kind, ConditionStatus::False, reason));
        findings(&standing(lease), None, &mut found);
        found.map(|finding| finding.reason)
    };
    for fault in [Reason::SiteUnreachable, Reason::EngineError, Reason::EngineMissing] {
        assert_eq!(said(&ended(false), fault), [fault; 2]);
        assert_eq!(said(&archived(false), fault), [fault, Reason::LeaseEnded]);
    }
    for lease in [ended(false), archived(false)] {
        assert_eq!(said(&lease, Reason::Restoring), [Reason::Restoring; 2], "there is nothing to go on with before");
    }
}
