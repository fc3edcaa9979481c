//! What conditions say of a restore (恢复): why it cannot begin, what it waits for, how far it is.

use jiyun_crds::v1alpha1::{ConditionStatus, ConditionType, Reason, condition::Finding};
use jiyun_messages::parameters;

use super::anew::{Progress, Restoring};
use crate::{
    conditions::finding,
    engines::cdi::DiskState,
    host::{change::Objection, report::objected_to},
};

/// Codes of the sentences of one kind of object.
#[derive(Clone, Copy, Debug)]
pub struct Codes {
    /// That it begins once something does not use the disk any more.
    pub awaits: &'static str,
    /// That it is under way.
    pub under_way: &'static str,
}

/// Condition `Accepted` of what was granted, where something stands in the way of a changed wish, of a restore, or of
/// both.
pub fn accepted(objection: Option<&Objection>, restoring: Option<&Restoring>) -> Finding {
    let Some(why) = restoring.and_then(Restoring::objection) else { return objected_to(objection) };
    let told = objected_to(Some(why));
    match objection {
        None => told,
        Some(objection) => {
            let first = objected_to(Some(objection));
            Finding { message: format!("{} / {}", first.message, told.message), ..first }
        }
    }
}

/// What is said in `Provisioned` or `Ready` of a restore, if anything. One that waits says so in `Ready` alone: the
/// former disk is there.
pub fn found(kind: ConditionType, restoring: Option<&Restoring>, codes: Codes) -> Option<Finding> {
    let (code, about) = match restoring? {
        Restoring::Awaits(what) if kind == ConditionType::Ready => (codes.awaits, parameters([("what", what.clone())])),
        Restoring::AwaitsSnapshot(what) if kind == ConditionType::Ready => {
            ("RestoreAwaitsSnapshot", parameters([("what", what.clone())]))
        }
        Restoring::Cannot(_) | Restoring::Lapsed(_) | Restoring::Awaits(_) | Restoring::AwaitsSnapshot(_) => {
            return None;
        }
        Restoring::UnderWay(progress) => {
            let Progress { snapshot, what, .. } = progress.clone();
            (codes.under_way, parameters([("snapshot", snapshot), ("what", what), ("state", state(progress))]))
        }
    };
    Some(finding(kind, ConditionStatus::False, Reason::Restoring, code, &about))
}

/// The engine's word for how far the new disk is.
fn state(progress: &Progress) -> String {
    match &progress.disk {
        None => "-".to_owned(),
        Some(DiskState::Filled) => "Succeeded".to_owned(),
        Some(DiskState::Filling(how)) => how.clone(),
        Some(DiskState::Failed(fault)) => fault.word.clone(),
    }
}

#[cfg(test)]
mod tests {
    use jiyun_messages::Parameters;

    use super::*;
    use crate::host::rejection::Rejection;

    const CODES: [Codes; 2] = [
        Codes { awaits: "RestoreAwaitsStop", under_way: "Restoring" },
        Codes { awaits: "VolumeRestoreAwaits", under_way: "VolumeRestoring" },
    ];

    #[test]
    fn a_restore_names_what_it_waits_for_and_takes_nothing_back_before_it_has_begun() {
        for codes in CODES {
            let told = |kind, restoring: &Restoring| found(kind, Some(restoring), codes);
            let waits = Restoring::Awaits("CloudHost web".into());
            assert_eq!(told(ConditionType::Provisioned, &waits), None);
            let ready = told(ConditionType::Ready, &waits).unwrap();
            assert_eq!((ready.status, ready.reason), (ConditionStatus::False, Reason::Restoring));
            assert!(ready.message.contains("云主机 web") && !ready.message.contains('?'), "{}", ready.message);
            let waits = Restoring::AwaitsSnapshot("CloudSnapshot files-2".into());
            assert_eq!(told(ConditionType::Provisioned, &waits), None);
            let ready = told(ConditionType::Ready, &waits).unwrap();
            assert_eq!((ready.status, ready.reason), (ConditionStatus::False, Reason::Restoring));
            for part in ["云快照 files-2", "spec.restore"] {
                assert!(ready.message.contains(part) && !ready.message.contains('?'), "{part}: {}", ready.message);
            }
            let disk = Some(DiskState::Filling("CloneInProgress 25%".into()));
            let what = "DataVolume files-volume".into();
            let progress = Progress { snapshot: "files-1".into(), what, disk, instead: None };
            for kind in [ConditionType::Provisioned, ConditionType::Ready] {
                let told = told(kind, &Restoring::UnderWay(progress.clone())).unwrap();
                assert_eq!((told.status, told.reason), (ConditionStatus::False, Reason::Restoring));
                for part in ["files-1", "数据卷 files-volume", "CloneInProgress 25%"] {
                    assert!(told.message.contains(part) && !told.message.contains('?'), "{part}: {}", told.message);
                }
            }
        }
    }

    #[test]
    fn what_stands_in_the_way_of_a_restore_is_told_beside_what_stands_in_the_way_of_a_change() {
        let wish = Objection::Invalid(Rejection::misconfigured("TheWish", Parameters::new()));
        let cannot = Restoring::objected(Rejection::misconfigured("TheRestore", Parameters::new()));
        for (objection, restoring, parts) in [
            (None, None, vec![]),
            (Some(&wish), None, vec!["TheWish"]),
            (None, Some(&cannot), vec!["TheRestore"]),
            (Some(&wish), Some(&cannot), vec!["TheWish", "TheRestore"]),
        ] {
            let told = accepted(objection, restoring);
            assert_eq!(told.status == ConditionStatus::True, parts.is_empty(), "{told:?}");
            for part in ["TheWish", "TheRestore"] {
                assert_eq!(told.message.contains(part), parts.contains(&part), "{part}: {}", told.message);
            }
        }
        let begun = Restoring::Awaits("CloudHost web".into());
        assert_eq!(accepted(None, Some(&begun)).status, ConditionStatus::True, "it is asked for as it can be");
        let progress = Progress { snapshot: "s".into(), what: "w".into(), disk: None, instead: None };
        let stuck = Restoring::of(Some(Restoring::UnderWay(progress)), Some(cannot)).unwrap();
        let told = accepted(None, Some(&stuck));
        assert_eq!(told.status, ConditionStatus::False);
        assert!(told.message.contains("TheRestore"), "of the one that could take its place: {}", told.message);
    }
}
