//! Progress: what a handover's status says, from what was reached in a look.

use std::time::Duration;

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{
    ConditionStatus, ConditionType, DateTime, HandoverFailure, HandoverStatus, Reason, condition::Finding,
};
use jiyun_messages::{Parameters, bilingual, parameters};
use serde_json::{Value, json};

use super::super::{AGAIN, Outcome, SOON};
use crate::{
    conditions::{finding, plain},
    host::rejection::Rejection,
};

/// The most failures told one by one.
const TOLD: usize = 32;

/// Why a host cannot go over as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(HandoverFailure);

impl Failure {
    /// Of this host, said with this code.
    pub fn new(host: &str, code: &str, about: &Parameters) -> Self {
        let message = bilingual(code, about).chars().take(1024).collect();
        Self(HandoverFailure { host: host.to_owned(), code: code.to_owned(), message })
    }
}

/// What came of one look at all hosts of the giver.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// Hosts of the giver that are still there.
    pub remaining: usize,
    /// Those of them whose claim has gone over: they are on their way out.
    pub leaving: usize,
    /// Hosts on which something is under way.
    pub waiting: usize,
    /// Hosts that cannot go over.
    pub failures: Vec<Failure>,
    /// Not all were looked at.
    pub more: bool,
}

/// How far a handover has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    total: u64,
    moved: u64,
    failed: u64,
    failures: Vec<HandoverFailure>,
    started_at: Option<DateTime>,
    completed_at: Option<DateTime>,
}

impl Progress {
    /// As a status says.
    pub fn of(status: &HandoverStatus) -> Self {
        Self {
            total: status.total.unwrap_or_default(),
            moved: status.moved.unwrap_or_default(),
            failed: status.failed.unwrap_or_default(),
            failures: status.failures.clone(),
            started_at: status.started_at.clone(),
            completed_at: status.completed_at.clone(),
        }
    }

    /// It makes sense, and nothing has gone yet.
    pub fn begun(since: Timestamp, moved: u64, remaining: usize) -> Outcome {
        let total = moved.saturating_add(remaining as u64);
        let begun = Self { total, moved, started_at: Some(DateTime::from(since)), ..Self::default() };
        begun.under_way(super::AT_ONCE_AGAIN)
    }

    /// After a look.
    pub fn after(since: Timestamp, moved: u64, round: &Round) -> Self {
        let left = round.remaining.saturating_sub(round.leaving) as u64;
        Self {
            total: moved.saturating_add(left),
            moved,
            failed: round.failures.len() as u64,
            failures: round.failures.iter().take(TOLD).map(|Failure(failure)| failure.clone()).collect(),
            started_at: Some(DateTime::from(since)),
            completed_at: None,
        }
    }

    /// Everything had gone at this moment.
    pub fn ended(self, now: Timestamp) -> Self {
        Self { completed_at: Some(DateTime::from(now)), ..self }
    }

    /// Since when hosts go over; none if it has not begun.
    pub fn started(&self) -> Option<Timestamp> {
        self.started_at.as_ref().and_then(|at| at.timestamp().ok())
    }

    /// The fields of the status beside conditions.
    pub fn status(&self) -> Value {
        let mut status = json!({"total": self.total, "moved": self.moved, "failed": self.failed});
        if let Some(status) = status.as_object_mut() {
            if !self.failures.is_empty() {
                status.insert("failures".to_owned(), json!(self.failures));
            }
            if let Some(at) = &self.started_at {
                status.insert("startedAt".to_owned(), json!(at));
            }
            if let Some(at) = &self.completed_at {
                status.insert("completedAt".to_owned(), json!(at));
            }
        }
        status
    }

    fn about(&self) -> Parameters {
        let [total, moved, failed] = [self.total, self.moved, self.failed].map(|count| count.to_string());
        parameters([("total", total), ("moved", moved), ("failed", failed)])
    }

    fn told(&self, ready: Finding, completed: Finding, again: Duration) -> Outcome {
        Outcome { status: self.status(), again, ..Outcome::found(vec![ready, completed]) }
    }

    fn valid(&self, reason: Reason, code: &str, again: Duration) -> Outcome {
        let completed = finding(ConditionType::Completed, ConditionStatus::False, reason, code, &self.about());
        self.told(plain(ConditionType::Ready, ConditionStatus::True, Reason::Valid), completed, again)
    }

    /// More is to go over.
    pub fn under_way(&self, again: Duration) -> Outcome {
        if self.failed > 0 {
            // Somebody has to do something about them first; the others do not wait for that.
            let again = if again > super::AT_ONCE_AGAIN { SOON } else { again };
            return self.valid(Reason::NotAllHandedOver, "HandoverHeldUp", again);
        }
        self.valid(Reason::HandingOver, "HandoverUnderWay", again)
    }

    /// Everything has gone over.
    pub fn completed(&self) -> Outcome {
        let (kind, yes) = (ConditionType::Completed, ConditionStatus::True);
        let completed = finding(kind, yes, Reason::HandedOver, "HandoverCompleted", &self.about());
        self.told(plain(ConditionType::Ready, yes, Reason::Valid), completed, AGAIN)
    }

    /// The book is being checked.
    pub fn paused(&self) -> Outcome {
        self.valid(Reason::Quarantined, "HandoverPaused", SOON)
    }

    /// Withdrawn: what is halfway is brought to an end.
    pub fn withdrawn(&self, again: Duration) -> Outcome {
        self.valid(Reason::Deleting, "HandoverWithdrawn", again)
    }

    /// It does not make sense, or not any more.
    pub fn rejected(&self, rejection: &Rejection) -> Outcome {
        let Rejection { reason, code, parameters } = rejection;
        let said = |kind| finding(kind, ConditionStatus::False, *reason, code, parameters);
        self.told(said(ConditionType::Ready), said(ConditionType::Completed), SOON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_on_their_way_out_count_as_moved_and_not_twice() {
        let round = Round { remaining: 5, leaving: 2, ..Round::default() };
        let progress = Progress::after(Timestamp::UNIX_EPOCH, 2, &round);
        assert_eq!((progress.total, progress.moved), (5, 2));
    }

    #[test]
    fn a_status_says_what_was_written_into_it() {
        let failures =
            (0..40).map(|number| Failure::new(&format!("web-{number}"), "HostNotGranted", &Parameters::new()));
        let round = Round { remaining: 40, failures: failures.collect(), ..Round::default() };
        let progress = Progress::after(Timestamp::UNIX_EPOCH, 1, &round);
        assert_eq!((progress.failed, progress.failures.len()), (40, TOLD));
        let read: HandoverStatus = serde_json::from_value(progress.status()).unwrap();
        assert_eq!(Progress::of(&read), progress);
    }
}
