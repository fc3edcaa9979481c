//! What the lease (租期) of a host says somebody has to be told: that it ends, has ended, and when what is left of it goes.
//!
//! There is at most one notice of a host at a time, of how it stands now: whoever could not be reached before its end is told
//! that it has ended.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use jiyun_crds::{
    names::{ANNOTATION_CREATED_BY, ANNOTATION_REQUESTED_BY, department_of_namespace},
    v1alpha1::{CloudHost, DateTime, LeaseStage, LeaseStatus},
};
use jiyun_messages::{Parameters, parameters};

use crate::{Event, Notice, Recipients, Subject, order::PROGRAMS};

/// What somebody has to be told about the lease of `host` now: whoever asked for it, and the groups of its department's
/// `operators`. `warnings` are how long before something happens people are told.
pub fn of_host(host: &CloudHost, operators: &[String], warnings: &[SignedDuration], now: Timestamp) -> Option<Notice> {
    let lease = lease_of(host)?;
    let ends_at = lease.ends_at.timestamp().ok()?;
    let Matter { event, word, at, deadline } = matter(lease, ends_at, warnings, now)?;
    let subject = Subject::of("CloudHost", &host.metadata)?;
    let asked =
        [ANNOTATION_CREATED_BY, ANNOTATION_REQUESTED_BY].map(|stamp| host.metadata.annotations.as_ref()?.get(stamp));
    let users: BTreeSet<String> =
        asked.into_iter().flatten().filter(|name| !name.is_empty() && !name.starts_with(PROGRAMS)).cloned().collect();
    let facts = facts(host, lease, &users);
    let after = if lease.release_at.is_some() { "NoticeLeaseGoes" } else { "NoticeLeaseKept" };
    Some(Notice {
        id: format!("{}-lease-{}-{word}", subject.uid, ends_at.as_second()),
        event,
        at,
        subject,
        level: None,
        deadline,
        to: Recipients { groups: operators.iter().cloned().collect(), users },
        reason: Some((after.to_owned(), facts.clone())),
        facts,
    })
}

/// When somebody may have to be told something else about it, though nothing of it changes; none if never.
pub fn next_of_host(host: &CloudHost, warnings: &[SignedDuration], now: Timestamp) -> Option<Timestamp> {
    let lease = lease_of(host)?;
    let until = match lease.stage {
        LeaseStage::Running | LeaseStage::Warned => lease.ends_at.timestamp().ok()?,
        LeaseStage::Archived => moment(lease.release_at.as_ref())?,
        LeaseStage::Ended | LeaseStage::Released => return None,
    };
    warnings.iter().filter_map(|warning| until.checked_sub(*warning).ok()).filter(|at| *at > now).min()
}

fn lease_of(host: &CloudHost) -> Option<&LeaseStatus> {
    let stays = host.metadata.deletion_timestamp.is_none();
    host.status.as_ref()?.lease.as_ref().filter(|_| stays)
}

/// What there is to tell.
struct Matter {
    event: Event,
    /// What tells it from others of the same lease.
    word: String,
    at: Timestamp,
    deadline: Option<Timestamp>,
}

fn matter(lease: &LeaseStatus, ends_at: Timestamp, warnings: &[SignedDuration], now: Timestamp) -> Option<Matter> {
    match lease.stage {
        LeaseStage::Running | LeaseStage::Warned => {
            let (warning, at) = passed(ends_at, warnings, now).filter(|_| now < ends_at)?;
            let (word, deadline) = (format!("ending-{}", warning.as_secs()), Some(ends_at));
            Some(Matter { event: Event::LeaseEnding, word, at, deadline })
        }
        LeaseStage::Ended => {
            let (word, at) = ("ended".to_owned(), moment(lease.ended_at.as_ref())?);
            Some(Matter { event: Event::LeaseEnded, word, at, deadline: moment(lease.archive_at.as_ref()) })
        }
        LeaseStage::Archived => {
            let archived_at = moment(lease.archived_at.as_ref())?;
            let Some(release_at) = moment(lease.release_at.as_ref()) else {
                let word = "archived".to_owned();
                return Some(Matter { event: Event::LeaseArchived, word, at: archived_at, deadline: None });
            };
            // What is told of it at once need not be told of again at once.
            let shorter: Vec<_> =
                warnings.iter().copied().filter(|warning| *warning < release_at.duration_since(archived_at)).collect();
            let release = release_at.as_second();
            let (event, word, at) = match passed(release_at, &shorter, now) {
                Some((warning, at)) => {
                    (Event::LeaseReleasing, format!("releasing-{release}-{}", warning.as_secs()), at)
                }
                None => (Event::LeaseArchived, format!("archived-{release}"), archived_at),
            };
            Some(Matter { event, word, at, deadline: Some(release_at) })
        }
        LeaseStage::Released => None,
    }
}

/// The shortest of `warnings` that is due before `until`, and since when.
fn passed(until: Timestamp, warnings: &[SignedDuration], now: Timestamp) -> Option<(SignedDuration, Timestamp)> {
    let since = |warning: &SignedDuration| Some((*warning, until.checked_sub(*warning).ok()?));
    warnings.iter().filter_map(since).filter(|(_, at)| now >= *at).min()
}

fn moment(at: Option<&DateTime>) -> Option<Timestamp> {
    at?.timestamp().ok()
}

/// What every sentence about a lease may say.
fn facts(host: &CloudHost, lease: &LeaseStatus, users: &BTreeSet<String>) -> Parameters {
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let told = |at: &Option<DateTime>| at.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let namespace = host.metadata.namespace.as_deref().unwrap_or_default();
    parameters([
        ("host", host.metadata.name.clone().unwrap_or_default()),
        ("displayName", or_dash(host.spec.display_name.clone().unwrap_or_default())),
        ("department", department_of_namespace(namespace).unwrap_or_default().to_owned()),
        ("system", host.spec.system_ref.name.clone()),
        ("applicants", or_dash(users.iter().map(String::as_str).collect::<Vec<_>>().join(", "))),
        ("endsAt", lease.ends_at.to_string()),
        ("archiveAt", told(&lease.archive_at)),
        ("releaseAt", told(&lease.release_at)),
    ])
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
