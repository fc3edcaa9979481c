//! Conditions follow from decisions; what is not worth a write is not written.

use jiyun_crds::v1alpha1::condition::{find, is_true};
use jiyun_ledger::{ClaimId, Dimensions, Line, PlacementReport, PoolId, PoolKind, Subject};
use serde_json::json;

use super::*;

#[path = "report/restored_tests.rs"]
mod restored;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A host created at second 1000.
fn host() -> CloudHost {
    serde_json::from_value(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost",
        "metadata": {"name": "web", "namespace": "dept-finance", "generation": 4, "creationTimestamp": at(1000)},
        "spec": {
            "systemRef": {"name": "budget"}, "classRef": {"name": "c4m8"}, "imageRef": {"name": "openeuler"},
            "zoneRef": {"name": "extranet"}, "architecture": "amd64",
            "systemDisk": {"tier": "standard", "size": "100Gi"},
        },
    }))
    .unwrap()
}

fn claim() -> Arc<Claim> {
    Arc::new(Claim {
        id: ClaimId(7),
        account: "finance".into(),
        system: "budget".into(),
        subject: Subject {
            kind: "CloudHost".into(),
            namespace: "dept-finance".into(),
            name: "web".into(),
            uid: "u1".into(),
        },
        item: "c4m8".into(),
        engine_namespace: None,
        held: vec![],
        hold: None,
        lines: vec![Line {
            meter: Meter::Vcpu,
            pool: PoolId::of(PoolKind::Compute, "x86"),
            dimensions: Dimensions::default().into(),
            quantity: 4,
        }],
        spec_digest: "d".into(),
        approved_spec: json!({}).into(),
        adopted: false,
        reserved_at: at(1000),
        billable_from: None,
        billable_until: None,
        released_at: None,
        history: vec![],
    })
}

fn approved() -> Box<Approved> {
    let approved = json!({
        "class": "c4m8", "image": "openeuler", "imageSource": {"http": "https://x/i"}, "vcpu": 4, "memoryMebibytes": 8192,
        "architecture": "amd64", "diskTier": "standard", "diskMebibytes": 102_400, "sshAuthorizedKeys": [],
    });
    Box::new(serde_json::from_value(approved).unwrap())
}

fn admitted(power: Power, machine: Option<MachineState>) -> Standing {
    let engines = Engines {
        disk: Some(DiskState::Filled),
        machine,
        power,
        addresses: vec!["10.0.0.9".into()],
        started_at: Some(at(900)),
        restarted: false,
        restoring: None,
        problem: None,
        awaits_network: false,
        awaits_mending: None,
        untouched: true,
        sizing: Sizing::default(),
    };
    let (claim, approved, parked) = (claim(), approved(), Parked::default());
    Standing::Admitted { claim, approved, objection: None, engines: Box::new(engines), parked, lease: None }
}

/// As [`admitted`], with something in the way of a changed wish, or engines that are not through with one that was granted.
fn changing(objection: Option<Objection>, sizing: Sizing) -> CloudHostStatus {
    let Standing::Admitted { claim, approved, engines, parked, .. } = admitted(Power::On, Some(MachineState::Running))
    else {
        unreachable!()
    };
    let (engines, objection) = (Box::new(Engines { sizing, ..*engines }), objection.map(Box::new));
    status(
        &host(),
        Some("d".into()),
        &Standing::Admitted { claim, approved, objection, engines, parked, lease: None },
        at(1001),
    )
}

#[test]
fn a_change_that_is_not_granted_is_told_beside_what_the_host_has_and_does() {
    let refusal = Refusal {
        code: RefusalCode::ExceedsLimit,
        parameters: jiyun_messages::parameters([
            ("meter", "Vcpu"),
            ("limit", "16"),
            ("used", "12"),
            ("held", "0"),
            ("available", "4"),
            ("requested", "8"),
            ("missing", "4"),
        ]),
        report: PlacementReport::default(),
    };
    let told = changing(Some(Objection::Refused(refusal)), Sizing::default());
    let accepted = find(&told.conditions, ConditionType::Accepted).unwrap();
    assert_eq!((accepted.status.as_str(), accepted.reason.as_str()), ("False", "ExceedsLimit"));
    assert!(accepted.message.contains("missing 4"), "{}", accepted.message);
    assert_eq!(told.refusal.unwrap().code, "ExceedsLimit");
    assert!(is_true(&told.conditions, ConditionType::Admitted) && is_true(&told.conditions, ConditionType::Ready));
    let granted = told.granted.unwrap();
    assert_eq!((granted.class.as_str(), granted.system_disk_size.as_str()), ("c4m8", "100Gi"));

    let waits = Ordered { order: "web-1".into(), reason: Reason::AwaitingApproval, refusal: None };
    let told = changing(Some(Objection::Ordered(waits)), Sizing::default());
    let accepted = find(&told.conditions, ConditionType::Accepted).unwrap();
    assert_eq!((accepted.status.as_str(), accepted.reason.as_str()), ("False", "AwaitingApproval"));
    assert_eq!((told.order_ref.unwrap().name.as_str(), told.refusal), ("web-1", None));
    assert!(is_true(&told.conditions, ConditionType::Ready));
}

#[test]
fn a_host_whose_engines_are_not_through_with_a_change_runs_and_says_what_is_to_come() {
    let of = |sizing| {
        let told = changing(None, sizing);
        assert!(is_true(&told.conditions, ConditionType::Ready));
        let provisioned = find(&told.conditions, ConditionType::Provisioned).unwrap().clone();
        assert_eq!(provisioned.status, "True");
        (provisioned.reason, provisioned.message)
    };
    let (reason, message) = of(Sizing { restart_pending: true, ..Sizing::default() });
    assert_eq!(reason, "RestartPending");
    assert!(message.contains("c4m8") && message.contains("下次开机"), "{message}");
    let (reason, message) = of(Sizing { disk_grows: true, ..Sizing::default() });
    assert_eq!(reason, "Resizing");
    assert!(message.contains("100Gi"), "{message}");
    assert_eq!(of(Sizing::default()).0, "Provisioned");
}

#[test]
fn a_running_host_is_ready_and_a_stopped_one_too_when_that_was_asked() {
    for (power, machine, reason) in
        [(Power::On, MachineState::Running, "Running"), (Power::Off, MachineState::Stopped, "Stopped")]
    {
        let status = status(&host(), None, &admitted(power, Some(machine)), at(1001));
        let ready = find(&status.conditions, ConditionType::Ready).unwrap();
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", reason));
        assert_eq!(status.observed_generation, Some(4));
        assert_eq!(status.claim_id.as_deref(), Some("claim-7"));
    }
    let wrong_way = status(&host(), None, &admitted(Power::Off, Some(MachineState::Running)), at(1001));
    let ready = find(&wrong_way.conditions, ConditionType::Ready).unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "Stopping"));
}

#[test]
fn a_host_without_its_network_says_so_and_is_no_fault_of_its_disk() {
    let Standing::Admitted { claim, approved, objection, engines, parked, .. } = admitted(Power::On, None) else {
        unreachable!()
    };
    let engines = Box::new(Engines { awaits_network: true, ..*engines });
    let waits = Standing::Admitted { claim, approved, objection, engines, parked, lease: None };
    let status = status(&host(), None, &waits, at(1001));
    for kind in [ConditionType::Provisioned, ConditionType::Ready] {
        let told = find(&status.conditions, kind).unwrap();
        assert_eq!((told.status.as_str(), told.reason.as_str()), ("False", "NetworkNotReady"));
    }
}

#[test]
fn a_stopped_host_says_what_it_gave_back_and_one_that_may_not_start_says_why() {
    let parked = |power, machine, kept_off| {
        let Standing::Admitted { claim, approved, objection, engines, .. } = admitted(power, Some(machine)) else {
            unreachable!()
        };
        let without = BTreeSet::from([Meter::Vcpu, Meter::Memory]);
        Standing::Admitted { claim, approved, objection, engines, parked: Parked { without, kept_off }, lease: None }
    };
    let off = |kept_off| parked(Power::Off, MachineState::Stopped, kept_off);
    let stopped = status(&host(), None, &off(None), at(1001));
    let ready = find(&stopped.conditions, ConditionType::Ready).unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "Stopped"));
    assert!(ready.message.contains("vCPU"), "{}", ready.message);

    let refusal = Refusal {
        code: RefusalCode::WaitingForCapacity,
        parameters: parameters([("meter", "Vcpu"), ("requested", "4"), ("ahead", "2")]),
        report: PlacementReport::default(),
    };
    // A book that was restored to an earlier state knows less than is true, and switches nothing off.
    let unbooked = parked(Power::On, MachineState::Running, Some(refusal.clone()));
    let running = status(&host(), None, &unbooked, at(1001));
    let ready = find(&running.conditions, ConditionType::Ready).unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "Running"));
    assert!(ready.message.contains("does not have its vCPU"), "{}", ready.message);
    assert_eq!(running.refusal, None, "nothing is refused to whoever reads it: the machine runs");

    let waiting = status(&host(), None, &off(Some(refusal)), at(1001));
    let ready = find(&waiting.conditions, ConditionType::Ready).unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "WaitingForCapacity"));
    assert!(ready.message.contains("2 requests are ahead"), "{}", ready.message);
    assert_eq!(waiting.refusal.unwrap().code, "WaitingForCapacity");
    assert!(is_true(&waiting.conditions, ConditionType::Admitted), "what it has it keeps");
}

#[test]
fn a_refusal_is_told_in_words_and_kept_in_parts() {
    let parameters = jiyun_messages::parameters([
        ("meter", "Vcpu"),
        ("limit", "16"),
        ("used", "12"),
        ("held", "0"),
        ("available", "4"),
        ("requested", "8"),
        ("missing", "4"),
    ]);
    let refusal = Refusal { code: RefusalCode::ExceedsLimit, parameters, report: PlacementReport::default() };
    let status = status(&host(), Some("d".into()), &Standing::Refused(refusal), at(1001));
    let admitted = find(&status.conditions, ConditionType::Admitted).unwrap();
    assert_eq!((admitted.status.as_str(), admitted.reason.as_str()), ("False", "ExceedsLimit"));
    assert!(admitted.message.contains("missing 4") && admitted.message.contains("还差 4 核"), "{}", admitted.message);
    assert!(!admitted.message.contains('?'), "{}", admitted.message);
    assert_eq!(status.refusal.unwrap().code, "ExceedsLimit");
}

/// As [`admitted`], with other engines.
fn with_engines(change: impl FnOnce(&mut Engines)) -> Standing {
    let Standing::Admitted { claim, approved, objection, mut engines, parked, lease } =
        admitted(Power::On, Some(MachineState::Running))
    else {
        unreachable!()
    };
    change(&mut engines);
    Standing::Admitted { claim, approved, objection, engines, parked, lease }
}

#[test]
fn each_fault_is_told_by_its_reason_with_the_next_step_and_does_not_take_the_claim_away() {
    for reason in
        [Reason::Unschedulable, Reason::ImageUnavailable, Reason::CrashLoop, Reason::NodeLost, Reason::EngineError]
    {
        let failed = MachineState::Failed(Fault::new(reason, "ItsWord"));
        let status = status(&host(), None, &admitted(Power::On, Some(failed)), at(1001));
        assert!(is_true(&status.conditions, ConditionType::Admitted));
        for kind in [ConditionType::Provisioned, ConditionType::Ready] {
            let told = find(&status.conditions, kind).unwrap();
            assert_eq!((told.status.as_str(), told.reason.as_str()), ("False", reason.as_str()));
            for part in ["ItsWord", "operators", "平台运营人员"] {
                assert!(told.message.contains(part), "{part}: {}", told.message);
            }
            assert!(!told.message.contains('?'), "{}", told.message);
        }
    }
}

#[test]
fn a_disk_that_cannot_be_filled_is_told_before_the_machine_that_waits_for_it() {
    let standing = with_engines(|engines| {
        engines.disk = Some(DiskState::Failed(Fault::new(Reason::ImageUnavailable, "ImportInProgress Error")));
        engines.machine = Some(MachineState::Failed(Fault::other("DataVolumeError")));
    });
    let status = status(&host(), None, &standing, at(1001));
    for kind in [ConditionType::Provisioned, ConditionType::Ready] {
        let told = find(&status.conditions, kind).unwrap();
        assert_eq!(told.reason, "ImageUnavailable");
        assert!(told.message.contains("ImportInProgress Error"), "{}", told.message);
    }
}

#[test]
fn a_host_is_not_ready_while_what_was_granted_last_cannot_be_applied_or_its_site_not_be_reached() {
    let told = |fault: Fault| {
        let status = status(&host(), None, &with_engines(|engines| engines.problem = Some(fault)), at(1001));
        [ConditionType::Provisioned, ConditionType::Ready].map(|kind| {
            let told = find(&status.conditions, kind).unwrap();
            assert!(!told.message.contains('?'), "{}", told.message);
            (told.status.clone(), told.reason.clone())
        })
    };
    let both = |provisioned: &str, ready: &str, reason: &str| {
        [provisioned, ready].map(|status| (status.to_owned(), reason.to_owned()))
    };
    assert_eq!(told(Fault::other("VirtualMachine 422")), both("False", "False", "EngineError"));
    let away = Fault::new(Reason::SiteUnreachable, "SiteUnreachable");
    assert_eq!(told(away), both("Unknown", "False", "SiteUnreachable"));
}

#[test]
fn an_import_is_told_of_once_in_ten_seconds_however_often_it_gets_on() {
    use std::time::{Duration, Instant};

    let (pace, begin, mut host) = (crate::host::pace::Pace::default(), Instant::now(), host());
    let failed = || DiskState::Failed(Fault::new(Reason::ImageUnavailable, "ImportInProgress Error"));
    let mut written = Vec::new();
    for second in 0..30_i64 {
        // It gets on every second, and fails now and then.
        let filling = DiskState::Filling(format!("ImportInProgress step {second}"));
        let disk = if second % 4 == 3 { failed() } else { filling };
        let standing = with_engines(|engines| (engines.disk, engines.machine) = (Some(disk), None));
        let moment = at(2000 + second);
        let after = status(&host, None, &standing, moment);
        let at = begin + Duration::from_secs(second.unsigned_abs());
        let is_over = is_fault_over(&host, &after);
        let waits = is_progress(&host, &after) && pace.wait("dept-finance", "web", is_over, at).is_some();
        if worth_writing(&host, &after, None, moment) && !waits {
            assert!(is_importing(&after));
            pace.told("dept-finance", "web", at);
            host.status = Some(after);
            written.push(second);
        }
    }
    assert_eq!(written, [0, 10, 20]);
    // Anything else is told at once.
    let ready = status(&host, None, &admitted(Power::On, Some(MachineState::Running)), at(2030));
    assert!(!is_progress(&host, &ready));
    host.metadata.generation = Some(5);
    let edited = with_engines(|engines| (engines.disk, engines.machine) = (Some(failed()), None));
    assert!(!is_progress(&host, &status(&host, None, &edited, at(2030))), "it was edited");
}

#[test]
fn an_import_that_fails_at_each_try_is_told_of_once_and_that_it_goes_on_once_it_does() {
    use std::time::{Duration, Instant};

    let (pace, begin, mut host) = (crate::host::pace::Pace::default(), Instant::now(), host());
    let mut written = Vec::new();
    for second in 0..60_i64 {
        // It is tried again every eight seconds, and fails three seconds later each time; from second 40 on it goes well.
        let fails = second < 40 && !(1..4).contains(&(second % 8));
        let disk = if fails {
            DiskState::Failed(Fault::new(Reason::ImageUnavailable, "ImportInProgress Error"))
        } else {
            DiskState::Filling("ImportInProgress 0%".into())
        };
        let standing = with_engines(|engines| (engines.disk, engines.machine) = (Some(disk), None));
        let (moment, now) = (at(2000 + second), begin + Duration::from_secs(second.unsigned_abs()));
        let after = status(&host, None, &standing, moment);
        if !worth_writing(&host, &after, None, moment) {
            pace.as_before("dept-finance", "web");
        } else if !is_progress(&host, &after)
            || pace.wait("dept-finance", "web", is_fault_over(&host, &after), now).is_none()
        {
            pace.told("dept-finance", "web", now);
            host.status = Some(after);
            written.push(second);
        }
    }
    assert_eq!(written, [0, 50]);
}

#[test]
fn where_its_engine_is_not_installed_a_host_says_so_and_keeps_what_it_was_granted() {
    let undecided = status(&host(), None, &Standing::Undecided(Reason::EngineMissing), at(1001));
    let told = find(&undecided.conditions, ConditionType::Admitted).unwrap();
    assert_eq!((told.status.as_str(), told.reason.as_str()), ("Unknown", "EngineMissing"));
    assert!(told.message.contains("KubeVirt") && !told.message.contains("Kube-OVN"), "{}", told.message);

    let missing = with_engines(|engines| *engines = Engines::unknown(Power::On, Reason::EngineMissing));
    let granted = status(&host(), None, &missing, at(2000));
    assert!(is_true(&granted.conditions, ConditionType::Admitted));
    assert_eq!(granted.claim_id.as_deref(), Some("claim-7"));
    for kind in [ConditionType::Provisioned, ConditionType::Ready] {
        let told = find(&granted.conditions, kind).unwrap();
        assert_eq!((told.status.as_str(), told.reason.as_str()), ("False", "EngineMissing"));
        for part in ["KubeVirt", "operators", "平台运营人员"] {
            assert!(told.message.contains(part), "{part}: {}", told.message);
        }
        assert!(!told.message.contains('?'), "{}", told.message);
    }
}

#[test]
fn whose_machine_lacks_an_image_of_the_engines_own_is_not_told_to_delete_it() {
    let failed = |word: &str| Fault::new(Reason::ImageUnavailable, word);
    let of_engine = admitted(Power::On, Some(MachineState::Failed(failed("ImagePullBackOff"))));
    let of_disk = with_engines(|engines| {
        (engines.disk, engines.machine) = (Some(DiskState::Failed(failed("ImportInProgress Error"))), None);
    });
    for (standing, is_deleted) in [(of_engine, false), (of_disk, true)] {
        let status = status(&host(), None, &standing, at(1001));
        for kind in [ConditionType::Provisioned, ConditionType::Ready] {
            let told = find(&status.conditions, kind).unwrap();
            assert_eq!(told.reason, "ImageUnavailable");
            assert_eq!(told.message.contains("do not delete the host"), !is_deleted, "{}", told.message);
            assert_eq!(told.message.contains("delete this host"), is_deleted, "{}", told.message);
        }
    }
}

#[test]
fn a_department_begins_to_pay_once_the_machine_runs_and_nothing_was_refused() {
    let usable = |change: fn(&mut Engines)| {
        let Standing::Admitted { engines, .. } = with_engines(change) else { unreachable!() };
        engines.is_usable()
    };
    assert!(usable(|_| ()));
    assert!(usable(|engines| engines.sizing.disk_grows = true));
    assert!(!usable(|engines| engines.problem = Some(Fault::other("VirtualMachine 422"))));
    assert!(!usable(|engines| engines.machine = Some(MachineState::Changing("Starting".into()))));
}

#[test]
fn of_a_claim_that_was_booked_again_the_earlier_times_are_kept() {
    let before = CloudHostStatus {
        granted_at: Some(at(100).into()),
        ready_at: Some(at(160).into()),
        ..CloudHostStatus::default()
    };
    let of = |before: Option<&CloudHostStatus>, adopted: bool| {
        let Standing::Admitted { claim, approved, objection, engines, parked, lease } =
            admitted(Power::On, Some(MachineState::Running))
        else {
            unreachable!()
        };
        let claim = Arc::new(Claim { adopted, billable_from: Some(at(1060)), ..Arc::unwrap_or_clone(claim) });
        let mut host = host();
        host.status = before.cloned();
        let standing = Standing::Admitted { claim, approved, objection, engines, parked, lease };
        let told = status(&host, None, &standing, at(5000));
        (told.granted_at, told.ready_at)
    };
    let of_ledger = (Some(DateTime::from(at(1000))), Some(DateTime::from(at(1060))));
    assert_eq!(of(Some(&before), true), (before.granted_at.clone(), before.ready_at.clone()));
    assert_eq!(of(Some(&before), false), of_ledger, "the ledger's word, where it never lost the claim");
    assert_eq!(of(None, true), of_ledger, "nothing earlier is known");
}

#[test]
fn when_a_host_was_granted_and_first_usable_comes_from_the_ledger_and_is_said_again_when_a_status_is_lost() {
    let of = |before: Option<CloudHostStatus>, billable_from: Option<Timestamp>| {
        let Standing::Admitted { claim, approved, objection, engines, parked, lease } =
            admitted(Power::On, Some(MachineState::Running))
        else {
            unreachable!()
        };
        let claim = Arc::new(Claim { billable_from, ..Arc::unwrap_or_clone(claim) });
        let mut host = host();
        host.status = before;
        let told =
            status(&host, None, &Standing::Admitted { claim, approved, objection, engines, parked, lease }, at(5000));
        (told.granted_at.as_ref().map(DateTime::to_string), told.ready_at.as_ref().map(DateTime::to_string), told)
    };
    let (granted, ready, before) = of(None, None);
    assert_eq!((granted.as_deref(), ready), (Some("1970-01-01T00:16:40Z"), None));
    let (granted, ready, after) = of(Some(before), Some(at(1060)));
    assert_eq!(granted.as_deref(), Some("1970-01-01T00:16:40Z"));
    assert_eq!(ready.as_deref(), Some("1970-01-01T00:17:40Z"));
    assert_eq!(of(None, Some(at(1060))).2.ready_at, after.ready_at, "nothing of it was kept in the status alone");
    let mut host = host();
    host.status = Some(after.clone());
    let unknown = status(&host, None, &Standing::Undecided(Reason::AdoptionNeeded), at(6000));
    assert_eq!(unknown.ready_at, after.ready_at, "what was told is evidence");
}

#[test]
fn a_host_that_does_not_go_says_so_after_ten_minutes() {
    let mut host = host();
    host.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(2000)));
    // Its end was recorded a minute later: the book was being checked.
    let claim = Arc::new(Claim { billable_until: Some(at(2060)), ..Arc::unwrap_or_clone(claim()) });
    let waits = Standing::Ending { claim, waiting_for: Some("VirtualMachine web".into()) };
    for (second, reason) in [(2659, "Deleting"), (2660, "DeletionStuck")] {
        let told = status(&host, None, &waits, at(second));
        let ready = find(&told.conditions, ConditionType::Ready).unwrap();
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", reason));
        assert!(ready.message.contains("VirtualMachine web"), "{}", ready.message);
    }
}

#[test]
fn a_restart_is_noted_with_the_moment_it_was_asked_for_and_that_stays() {
    let asked = "2026-03-01T08:00:00+08:00";
    let mut host = host();
    host.spec.restart_requested_at = Some(asked.into());
    let told = |host: &CloudHost, restarted: bool| {
        let Standing::Admitted { claim, approved, objection, engines, parked, lease } =
            admitted(Power::On, Some(MachineState::Running))
        else {
            unreachable!()
        };
        let engines = Box::new(Engines { restarted, ..*engines });
        status(host, None, &Standing::Admitted { claim, approved, objection, engines, parked, lease }, at(1001))
    };
    assert_eq!(told(&host, false).restarted_for, None);
    assert_eq!(told(&host, false).started_at, Some("1970-01-01T00:15:00Z".into()));
    host.status = Some(told(&host, true));
    assert_eq!(told(&host, false).restarted_for, Some(asked.into()));
}

#[test]
fn a_machine_that_waits_for_its_disk_is_no_fault() {
    let engines = Engines {
        disk: Some(DiskState::Filling("ImportInProgress 25%".into())),
        machine: Some(MachineState::Failed(Fault::new(Reason::Unschedulable, "ErrorUnschedulable"))),
        power: Power::On,
        addresses: vec![],
        started_at: None,
        restarted: false,
        restoring: None,
        problem: None,
        awaits_network: false,
        awaits_mending: None,
        untouched: true,
        sizing: Sizing::default(),
    };
    let (claim, approved, parked) = (claim(), approved(), Parked::default());
    let standing =
        Standing::Admitted { claim, approved, objection: None, engines: Box::new(engines), parked, lease: None };
    let status = status(&host(), None, &standing, at(1001));
    let provisioned = find(&status.conditions, ConditionType::Provisioned).unwrap();
    assert_eq!(provisioned.reason, "Provisioning");
    assert!(provisioned.message.contains("ImportInProgress 25%"), "{}", provisioned.message);
}

#[test]
fn a_young_host_on_its_way_is_not_reported_on_until_it_is_ready_or_slow() {
    let on_its_way = status(&host(), None, &admitted(Power::On, None), at(1001));
    assert!(!worth_writing(&host(), &on_its_way, None, at(1001)));
    assert!(worth_writing(&host(), &on_its_way, None, at(1000 + PATIENCE_SECONDS)));
    let ready = status(&host(), None, &admitted(Power::On, Some(MachineState::Running)), at(1001));
    assert!(worth_writing(&host(), &ready, None, at(1001)));
}

#[test]
fn a_host_that_people_have_just_agreed_to_is_not_reported_on_until_it_is_ready_or_slow() {
    let waits = Ordered { order: "web-1".into(), reason: Reason::AwaitingApproval, refusal: None };
    let mut host = host();
    host.status = Some(status(&host, None, &Standing::Ordered(waits), at(2000)));
    let approved = Some(at(9000));
    let decided = status(&host, None, &Standing::Undecided(Reason::Undecided), at(9001));
    let on_its_way = status(&host, None, &admitted(Power::On, None), at(9001));
    for after in [&decided, &on_its_way] {
        assert!(!worth_writing(&host, after, approved, at(9001)));
        assert!(worth_writing(&host, after, approved, at(9000 + PATIENCE_SECONDS)));
        assert!(worth_writing(&host, after, None, at(9001)), "nobody agreed to anything");
    }
    let ready = status(&host, None, &admitted(Power::On, Some(MachineState::Running)), at(9001));
    assert!(worth_writing(&host, &ready, approved, at(9001)));
    host.status = Some(ready);
    assert!(worth_writing(&host, &on_its_way, approved, at(9001)), "that a host is down again is told at once");
}

#[test]
fn a_decision_against_a_host_is_told_at_once() {
    let refusal =
        Refusal { code: RefusalCode::PoolExhausted, parameters: Parameters::new(), report: PlacementReport::default() };
    let refused = status(&host(), None, &Standing::Refused(refusal), at(1000));
    assert!(worth_writing(&host(), &refused, None, at(1000)));
}

#[test]
fn an_unchanged_status_is_never_written_again() {
    let ready = admitted(Power::On, Some(MachineState::Running));
    let mut host = host();
    host.status = Some(status(&host, Some("d".into()), &ready, at(1001)));
    let later = status(&host, Some("d".into()), &ready, at(9000));
    assert!(!worth_writing(&host, &later, None, at(9000)));
}

#[test]
fn a_host_with_a_claim_nobody_knows_says_so_and_keeps_the_evidence() {
    let mut before = host();
    before.status = Some(CloudHostStatus { claim_id: Some("claim-8".into()), ..Default::default() });
    let status = status(&before, None, &Standing::Unaccounted { claim: "claim-8".into() }, at(1001));
    let ready = find(&status.conditions, ConditionType::Ready).unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "UnknownClaim"));
    assert!(ready.message.contains("claim-8") && ready.message.contains("账本"), "{}", ready.message);
    assert_eq!(status.claim_id.as_deref(), Some("claim-8"));
}
