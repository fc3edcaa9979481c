//! What is said of an object that is being deleted: what it waits for, and once that takes too long, who has to look.

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{ConditionStatus, ConditionType, Reason, condition::Finding};
use jiyun_messages::parameters;
use kube::core::ObjectMeta;

use crate::conditions::finding;

/// Seconds that the end of an object may take once it is recorded. A guest is given 30 to shut down, and then a pod, a disk and
/// its volume go, each within seconds: after ten minutes something keeps them.
pub const BOUND_SECONDS: i64 = 600;

/// What is waited for while nothing can be asked of the place where an object lies.
pub const SITE: &str = "Site";

/// The reason of an object that is being deleted, by when that was asked for and when its end was `recorded`
/// ([`Claim::billable_until`](jiyun_ledger::Claim)): nothing is taken down before both, and a quarantine may lie between them.
/// Where the end is not known to be recorded yet, nothing is late.
pub fn reason(meta: &ObjectMeta, recorded: Option<Timestamp>, now: Timestamp) -> Reason {
    let asked = meta.deletion_timestamp.as_ref().map(|asked| asked.0);
    let since = asked.zip(recorded).map(|(asked, recorded)| asked.max(recorded));
    let is_late = since.is_some_and(|since| now.duration_since(since).as_secs() >= BOUND_SECONDS);
    if is_late { Reason::DeletionStuck } else { Reason::Deleting }
}

/// What is said of an object that is being deleted, whose end was `recorded`, and that waits for `what` (kind and name, or
/// [`SITE`]) to go.
pub fn waits(meta: &ObjectMeta, recorded: Option<Timestamp>, what: &str, now: Timestamp) -> Finding {
    let reason = reason(meta, recorded, now);
    let sentence = if what == SITE { "DeletionAwaitsSite" } else { reason.as_str() };
    finding(ConditionType::Ready, ConditionStatus::False, reason, sentence, &parameters([("what", what)]))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_deletion_is_stuck_after_its_bound_and_names_what_it_waits_for_all_the_while() {
        let meta = ObjectMeta { deletion_timestamp: Some(Time(at(1000))), ..ObjectMeta::default() };
        for (second, expected) in
            [(999, "Deleting"), (1599, "Deleting"), (1600, "DeletionStuck"), (90_000, "DeletionStuck")]
        {
            let told = waits(&meta, Some(at(1000)), "VirtualMachine web", at(second));
            assert_eq!((told.reason.as_str(), told.status), (expected, ConditionStatus::False), "at {second}");
            assert!(told.message.contains("VirtualMachine web"), "{}", told.message);
            assert!(told.message.contains("虚拟机 web") && !told.message.contains('?'), "{}", told.message);
        }
    }

    #[test]
    fn what_was_kept_while_the_book_was_checked_has_its_ten_minutes_from_then_on() {
        let meta = ObjectMeta { deletion_timestamp: Some(Time(at(1000))), ..ObjectMeta::default() };
        for (recorded, second, expected) in [
            (Some(90_000), 90_599, Reason::Deleting),
            (Some(90_000), 90_600, Reason::DeletionStuck),
            (Some(10), 1599, Reason::Deleting),
            (Some(10), 1600, Reason::DeletionStuck),
            (None, 90_000, Reason::Deleting),
        ] {
            assert_eq!(reason(&meta, recorded.map(at), at(second)), expected, "{recorded:?} {second}");
        }
        assert_eq!(reason(&ObjectMeta::default(), Some(at(10)), at(90_000)), Reason::Deleting, "nobody asked for it");
    }

    #[test]
    fn a_site_that_cannot_be_asked_is_not_waited_for_as_if_it_had_to_go() {
        let told = waits(&ObjectMeta::default(), None, SITE, at(1000));
        assert_eq!(told.reason, Reason::Deleting);
        assert!(told.message.contains("cannot be reached") && !told.message.contains("Site"), "{}", told.message);
    }
}
