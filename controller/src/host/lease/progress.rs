//! The states of a lease and what leads from one to the next: a function of what is recorded, the periods and the time.

use jiff::{SignedDuration, Timestamp};
use jiyun_crds::v1alpha1::{DateTime, LeaseStage, LeaseStatus};
use serde::{Deserialize, Serialize};

use super::Terms;

/// A lease as it was granted, and what has become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lease {
    /// When it ends, not included.
    pub ends_at: Timestamp,
    /// The host was switched off for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// Its machine is taken down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<Archived>,
}

/// It has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ended {
    /// When that was recorded.
    pub at: Timestamp,
    /// When its machine is taken down, as people were told.
    pub archive_at: Timestamp,
}

/// Its machine is to go, and its disk stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Archived {
    /// When that was recorded.
    pub at: Timestamp,
    /// When the host goes, as people were told; none while it is protected from deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_at: Option<Timestamp>,
}

/// What a step depends on beside the lease.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Now.
    pub now: Timestamp,
    /// Whether the host is protected from deletion, as that was decided.
    pub protected: bool,
    /// Whether people are asked to agree to a change of the host, such as a later end.
    pub asked: bool,
}

/// A step that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
pub enum Due {
    /// Switch the host off.
    End,
    /// Take its machine down.
    Archive,
    /// Say when it goes: it is protected no more.
    Announce,
    /// Take that back: it is protected again.
    Keep,
    /// Take the host down.
    Release,
}

impl Due {
    /// The word for logs.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

impl Lease {
    /// One that ends at that moment, and has not.
    pub const fn until(ends_at: Timestamp) -> Self {
        Self { ends_at, ended: None, archived: None }
    }

    /// Whether its end was recorded. That it has passed is not enough: a book that was restored to an earlier state may not
    /// know of a later end, and switches nothing off while it is being checked.
    pub const fn is_over(&self) -> bool {
        self.ended.is_some() || self.archived.is_some()
    }

    /// The step that is due.
    pub fn due(&self, Facts { now, protected, asked }: Facts) -> Option<Due> {
        match (self.ended, self.archived) {
            (_, Some(Archived { release_at: Some(_), .. })) if protected => Some(Due::Keep),
            // Whoever asked for more time in time is answered first.
            (_, Some(Archived { release_at: Some(at), .. })) => (now >= at && !asked).then_some(Due::Release),
            (_, Some(Archived { release_at: None, .. })) => (!protected).then_some(Due::Announce),
            (Some(Ended { archive_at, .. }), None) => (now >= archive_at).then_some(Due::Archive),
            (None, None) => (now >= self.ends_at).then_some(Due::End),
        }
    }

    /// The lease once `due` was done at `now`. A release leaves none.
    #[must_use]
    pub fn after(&self, due: Due, terms: &Terms, protected: bool, now: Timestamp) -> Self {
        let release_at = (!protected).then(|| later(now, terms.kept));
        let archived = |at| Some(Archived { at, release_at });
        match due {
            Due::End => Self { ended: Some(Ended { at: now, archive_at: later(now, terms.grace) }), ..self.clone() },
            Due::Archive => Self { archived: archived(now), ..self.clone() },
            Due::Announce | Due::Keep => {
                Self { archived: archived(self.archived.map_or(now, |archived| archived.at)), ..self.clone() }
            }
            Due::Release => self.clone(),
        }
    }

    /// How far it has come.
    pub fn stage(&self, terms: &Terms, now: Timestamp) -> LeaseStage {
        match (self.ended, self.archived) {
            (_, Some(_)) => LeaseStage::Archived,
            (Some(_), None) => LeaseStage::Ended,
            (None, None) if now >= earlier(self.ends_at, terms.first_warning()) => LeaseStage::Warned,
            (None, None) => LeaseStage::Running,
        }
    }

    /// When something is due next, or its stage changes; none if nothing will by itself.
    pub fn next(&self, terms: &Terms, protected: bool, now: Timestamp) -> Option<Timestamp> {
        match (self.ended, self.archived) {
            (_, Some(_)) if protected => None,
            (_, Some(Archived { release_at, .. })) => Some(release_at.unwrap_or(now)),
            (Some(Ended { archive_at, .. }), None) => Some(archive_at),
            (None, None) => {
                let warned_at = earlier(self.ends_at, terms.first_warning());
                Some(if now < warned_at { warned_at } else { self.ends_at })
            }
        }
    }

    /// The same for people, each step with its time.
    pub fn status(&self, terms: &Terms, protected: bool, now: Timestamp) -> LeaseStatus {
        let archive_at = self.ended.map_or_else(|| later(self.ends_at, terms.grace), |ended| ended.archive_at);
        let release_at = match self.archived {
            Some(archived) => archived.release_at,
            None => Some(later(archive_at, terms.kept)),
        };
        LeaseStatus {
            stage: self.stage(terms, now),
            ends_at: DateTime::from(self.ends_at),
            ended_at: self.ended.map(|ended| DateTime::from(ended.at)),
            archive_at: self.archived.is_none().then(|| DateTime::from(archive_at)),
            archived_at: self.archived.map(|archived| DateTime::from(archived.at)),
            release_at: release_at.filter(|_| !protected).map(DateTime::from),
        }
    }

    /// What tells one state of it from another, for the digest of a claim; nothing while it has not ended.
    pub fn mark(&self) -> Option<String> {
        match (self.ended, self.archived) {
            (_, Some(Archived { release_at: Some(at), .. })) => Some(format!("Archived,{}", at.as_second())),
            (_, Some(Archived { release_at: None, .. })) => Some("Archived".to_owned()),
            (Some(Ended { archive_at, .. }), None) => Some(format!("Ended,{}", archive_at.as_second())),
            (None, None) => None,
        }
    }
}

fn later(moment: Timestamp, period: SignedDuration) -> Timestamp {
    moment.checked_add(period).unwrap_or(Timestamp::MAX)
}

fn earlier(moment: Timestamp, period: SignedDuration) -> Timestamp {
    moment.checked_sub(period).unwrap_or(Timestamp::MIN)
}
