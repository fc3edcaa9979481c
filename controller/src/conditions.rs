//! From decisions to conditions: the sentence comes from the catalogue, the time moves only where a status flips.

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{ConditionStatus, ConditionType, Reason, condition::Finding};
use jiyun_messages::{Parameters, bilingual};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// Longest message: far below what the schema takes (32768), far above what anybody reads.
const LONGEST: usize = 4096;

/// A finding that says the catalogue's sentence for `code`.
pub fn finding(
    kind: ConditionType,
    status: ConditionStatus,
    reason: Reason,
    code: &str,
    about: &Parameters,
) -> Finding {
    let message = bilingual(code, about).chars().take(LONGEST).collect();
    Finding { kind, status, reason, message }
}

/// A finding whose sentence has the name of its reason and no parameters.
pub fn plain(kind: ConditionType, status: ConditionStatus, reason: Reason) -> Finding {
    finding(kind, status, reason, reason.as_str(), &Parameters::new())
}

/// `findings` as the conditions of an object at `generation`; what nobody finds any more is dropped.
pub fn merged(before: &[Condition], findings: Vec<Finding>, generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    let now = whole_seconds(now);
    findings.into_iter().map(|finding| finding.into_condition(before, generation, now)).collect()
}

/// Kubernetes keeps times of conditions in whole seconds; a finer one would differ from what is read back, for ever.
pub fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_the_same_findings_again_changes_nothing() {
        let findings = || {
            vec![
                plain(ConditionType::Accepted, ConditionStatus::True, Reason::Valid),
                plain(ConditionType::Ready, ConditionStatus::True, Reason::Running),
            ]
        };
        let once = merged(&[], findings(), Some(3), Timestamp::from_millisecond(100_900).unwrap());
        let again = merged(&once, findings(), Some(3), Timestamp::from_second(999).unwrap());
        assert_eq!(again, once);
        assert_eq!(once[0].last_transition_time.0, Timestamp::from_second(100).unwrap());
    }

    #[test]
    fn every_message_a_condition_gives_by_its_reason_is_in_the_catalogue() {
        for reason in [
            Reason::Valid,
            Reason::Provisioned,
            Reason::Running,
            Reason::Stopped,
            Reason::NotAdmitted,
            Reason::Undecided,
            Reason::Quarantined,
            Reason::EnginesSupported,
            Reason::EngineError,
            Reason::Unschedulable,
            Reason::ImageUnavailable,
            Reason::CrashLoop,
            Reason::NodeLost,
            Reason::Deleting,
            Reason::DeletionStuck,
        ] {
            assert!(jiyun_messages::codes().any(|code| code == reason.as_str()), "{reason:?}");
        }
    }
}
