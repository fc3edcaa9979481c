//! What a host says of a restore of its disk.

use super::*;
use crate::content::{anew::Progress, tests::restoration};

/// What is told of a host that is off.
fn restored(restoring: Restoring, machine: MachineState, disk: Option<DiskState>) -> CloudHostStatus {
    let standing = with_engines(|engines| {
        (engines.power, engines.machine, engines.disk) = (Power::Off, Some(machine), disk);
        engines.restoring = Some(restoring);
    });
    status(&host(), None, &standing, at(1001))
}

#[test]
fn a_host_whose_disk_is_made_anew_says_so_whatever_its_engines_make_of_the_missing_disk() {
    let what = "PersistentVolumeClaim web-system".to_owned();
    let progress = Progress { snapshot: "web-1".into(), what, disk: None, instead: None };
    let failed = || MachineState::Failed(Fault::other("ErrorPvcNotFound"));
    for machine in [MachineState::Stopped, MachineState::Changing("Provisioning".into()), failed()] {
        let told = restored(Restoring::UnderWay(progress.clone()), machine.clone(), None);
        for kind in [ConditionType::Provisioned, ConditionType::Ready] {
            let told = find(&told.conditions, kind).unwrap();
            assert_eq!((told.status.as_str(), told.reason.as_str()), ("False", "Restoring"), "{machine:?}");
            assert!(told.message.contains("web-1") && told.message.contains("存储卷 web-system"), "{}", told.message);
        }
        assert!(
            is_true(&told.conditions, ConditionType::Admitted) && is_true(&told.conditions, ConditionType::Accepted)
        );
    }
    let fault = DiskState::Failed(Fault::other("CloneScheduled Error"));
    let with_fault = Progress { disk: Some(fault.clone()), ..progress };
    let told = restored(Restoring::UnderWay(with_fault.clone()), MachineState::Stopped, Some(fault.clone()));
    let ready = find(&told.conditions, ConditionType::Ready).unwrap();
    assert_eq!(ready.reason, "EngineError");
    assert!(ready.message.contains("CloneScheduled Error"), "{}", ready.message);
    assert!(is_true(&told.conditions, ConditionType::Accepted));
    let later = Rejection::unknown_reference("spec.restore.snapshotRef.name", "CloudSnapshot", "web-9");
    let instead = Restoring::of(Some(Restoring::UnderWay(with_fault)), Some(Restoring::objected(later))).unwrap();
    let told = restored(instead, MachineState::Stopped, Some(fault));
    let accepted = find(&told.conditions, ConditionType::Accepted).unwrap();
    assert_eq!((accepted.status.as_str(), accepted.reason.as_str()), ("False", "UnknownReference"));
}

#[test]
fn a_host_whose_disk_waits_for_its_snapshot_is_being_made_and_one_whose_snapshot_is_gone_has_a_fault() {
    let says = |disk: DiskState| {
        let standing = with_engines(|engines| (engines.machine, engines.disk) = (None, Some(disk)));
        let Standing::Admitted { engines, .. } = &standing else { unreachable!() };
        assert!(engines.awaits_disk() && !engines.settled(), "{engines:?}");
        let told = status(&host(), None, &standing, at(1001));
        let found = find(&told.conditions, ConditionType::Provisioned).unwrap();
        (found.reason.clone(), found.message.clone())
    };
    let (reason, message) = says(DiskState::Filling("VolumeSnapshot web-1-snapshot".into()));
    assert_eq!(reason, "Provisioning");
    assert!(message.contains("VolumeSnapshot web-1-snapshot"), "{message}");
    let (reason, message) = says(DiskState::Failed(Fault::other("VolumeSnapshot web-1-snapshot is gone")));
    assert_eq!(reason, "EngineError");
    assert!(message.contains("web-1-snapshot is gone"), "{message}");
}

#[test]
fn a_host_that_is_restored_is_not_taken_for_one_that_does_what_was_asked() {
    let settled = |restoring: Option<Restoring>| {
        let standing = with_engines(|engines| {
            (engines.power, engines.machine) = (Power::Off, Some(MachineState::Stopped));
            engines.restoring = restoring;
        });
        let Standing::Admitted { engines, .. } = standing else { unreachable!() };
        (engines.settled(), engines.is_restored())
    };
    let progress = Progress { snapshot: "s".into(), what: "w".into(), disk: None, instead: None };
    assert_eq!(settled(None), (true, false));
    assert_eq!(settled(Some(Restoring::UnderWay(progress))), (false, true), "nothing is given back meanwhile");
    assert_eq!(settled(Some(Restoring::Awaits("VirtualMachine web".into()))), (true, true));
    assert_eq!(settled(Some(Restoring::AwaitsSnapshot("CloudSnapshot web-2".into()))), (true, true));
    assert_eq!(settled(Some(Restoring::postponed(Reason::Undecided))), (true, false));
}

#[test]
fn a_restore_that_waits_is_told_in_ready_and_one_that_cannot_begin_in_accepted() {
    let waits = Restoring::Awaits("VirtualMachineInstance web".into());
    let told = restored(waits, MachineState::Changing("Stopping".into()), Some(DiskState::Filled));
    let ready = find(&told.conditions, ConditionType::Ready).unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "Restoring"));
    assert!(ready.message.contains("虚拟机实例 web"), "{}", ready.message);
    assert!(is_true(&told.conditions, ConditionType::Provisioned), "the former disk is there");

    let unknown = Rejection::unknown_reference("spec.restore.snapshotRef.name", "CloudSnapshot", "web-9");
    let told = restored(Restoring::objected(unknown), MachineState::Stopped, Some(DiskState::Filled));
    let accepted = find(&told.conditions, ConditionType::Accepted).unwrap();
    assert_eq!((accepted.status.as_str(), accepted.reason.as_str()), ("False", "UnknownReference"));
    assert!(is_true(&told.conditions, ConditionType::Ready), "it is off, as asked");
}

#[test]
fn the_last_restore_is_told_from_what_was_approved_and_kept_while_that_is_not_known() {
    let mut host = host();
    let asked = json!({"snapshotRef": {"name": "web-1"}, "requestedAt": "1970-01-01T08:16:40+08:00"});
    host.spec.restore = Some(serde_json::from_value(asked).unwrap());
    let Standing::Admitted { claim, objection, engines, parked, lease, .. } =
        admitted(Power::Off, Some(MachineState::Stopped))
    else {
        unreachable!()
    };
    let mut approved = approved();
    approved.restored = Some(restoration(at(1000), true));
    let standing = Standing::Admitted { claim, approved, objection, engines, parked, lease };
    let after = status(&host, None, &standing, at(2000));
    let told = after.restored.clone().unwrap();
    assert_eq!((told.snapshot.as_str(), told.requested_at.as_str()), ("web-1", "1970-01-01T08:16:40+08:00"));
    assert_eq!(told.completed_at, Some(DateTime::from(at(1001))));
    host.status = Some(after.clone());
    let unknown = status(&host, None, &Standing::Undecided(Reason::AdoptionNeeded), at(3000));
    assert_eq!(unknown.restored, after.restored);
    let lost = status(&host, None, &admitted(Power::Off, Some(MachineState::Stopped)), at(3000));
    assert_eq!(lost.restored, None, "nothing is made of it: what is approved says so");
}
