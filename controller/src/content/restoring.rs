//! Restoring in place (恢复), the deciding part: whether a restore is due, and, of one that is under way, the next step;
//! from what is asked, what was recorded and what is there. No client, no clock.
//!
//! A disk carries the moment it was made anew for ([`cdi::RESTORED_AT`]): that tells it from the one before it, whoever
//! leads and whatever anybody remembers.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jiyun_crds::v1alpha1::Restore;

use crate::{
    engines::cdi::{self, DiskState, DiskView},
    host::{plan::ours, restart},
};

/// So long after its moment a restore may begin. A wish that could not be followed is forgotten by whoever wrote it;
/// what was written to the disk since would go with it, weeks later, because a host is stopped for something else.
const LAPSES_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The moment of the restore that is `asked` for, where that is due `now`: it has come, it is later than that of every
/// one before (`done`), and not before its object was `made`.
pub fn due(
    asked: Option<&Restore>,
    made: Option<Timestamp>,
    done: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let moment = restart::moment(asked.map(|asked| &asked.requested_at))?;
    let is_later = done.is_none_or(|done| moment > done) && made.is_none_or(|made| moment >= made);
    (moment <= now && is_later).then_some(moment)
}

/// Whether a restore that is due is not begun any more, since its `moment` is too long ago.
pub fn has_lapsed(moment: Timestamp, now: Timestamp) -> bool {
    now.duration_since(moment) > LAPSES_AFTER
}

/// How long until a restore that is asked for later has to be looked at.
pub fn next_look(asked: Option<&Restore>, now: Timestamp) -> Option<Duration> {
    restart::until(restart::moment(asked.map(|asked| &asked.requested_at))?, now)
}

/// What is there of a disk that is made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disk {
    /// Nothing.
    Gone,
    /// The one before.
    Former,
    /// One that is on its way out.
    Leaving,
    /// The one that is made.
    Made(DiskState),
    /// One that was made for a later restore: the book has lost that, and that this one was done.
    Later(DiskState),
    /// Somebody else's.
    Foreign,
}

/// Tells what is `there` of a disk labelled with `claim` that is made anew for `moment`.
pub fn disk(there: Option<&DiskView>, claim: &str, moment: Timestamp) -> Disk {
    let Some(disk) = there else { return Disk::Gone };
    let mut own = disk.metadata.clone();
    let is_leaving = own.deletion_timestamp.take().is_some();
    if ours(&own, claim, "DataVolume").is_err() {
        return Disk::Foreign;
    }
    match cdi::restored_at(disk) {
        _ if is_leaving => Disk::Leaving,
        Some(made_for) if made_for > moment => Disk::Later(cdi::state(disk)),
        Some(made_for) if made_for == moment => Disk::Made(cdi::state(disk)),
        Some(_) | None => Disk::Former,
    }
}

impl Disk {
    /// How the disk stands that is there once a restore is done.
    pub fn made(&self) -> Option<&DiskState> {
        match self {
            Self::Made(state) | Self::Later(state) => Some(state),
            Self::Gone | Self::Former | Self::Leaving | Self::Foreign => None,
        }
    }
}

/// Whether nothing comes of a restore that is under way as it is: the former disk is gone, and the new one is not
/// there, or has a fault, or its snapshot is not `usable` any more. A later one may take its place then.
pub fn is_stuck(there: &Disk, usable: bool) -> bool {
    match there {
        Disk::Gone => true,
        Disk::Former | Disk::Leaving | Disk::Foreign => false,
        Disk::Made(state) | Disk::Later(state) => match state {
            DiskState::Failed(_) => true,
            DiskState::Filling(_) => !usable,
            DiskState::Filled => false,
        },
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The former disk goes.
    Remove,
    /// The disk is made, once nothing is left of the former one.
    Make,
    /// It is waited for what is on its way.
    Await,
    /// It is there, and has all of its content: that is recorded.
    Complete,
    /// Nothing may be done: the name is taken.
    Stop,
}

/// The next step of a restore that is under way. While the book is being checked nothing is removed, for it may know
/// less than is true, and nothing is put in the place of what is gone.
pub fn next(there: &Disk, is_quarantined: bool) -> Step {
    match there {
        Disk::Foreign => Step::Stop,
        _ if is_quarantined => Step::Await,
        Disk::Gone => Step::Make,
        Disk::Former => Step::Remove,
        Disk::Made(DiskState::Filled) | Disk::Later(DiskState::Filled) => Step::Complete,
        Disk::Leaving | Disk::Made(_) | Disk::Later(_) => Step::Await,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const MOMENT: &str = "2026-03-01T08:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn asked(moment: &str) -> Restore {
        serde_json::from_value(json!({"snapshotRef": {"name": "files-1"}, "requestedAt": moment})).unwrap()
    }

    #[test]
    fn a_restore_is_due_once_its_moment_has_come_and_once_for_each_later_moment() {
        let (before, after) = ("2026-03-01T07:00:00Z", "2026-03-01T09:00:00Z");
        for (what, made, done, now, expected) in [
            ("its moment", Some(before), None, MOMENT, true),
            ("much later", Some(before), None, "2027-01-01T00:00:00Z", true),
            ("not yet", Some(before), None, "2026-03-01T07:59:59Z", false),
            ("after an earlier one", Some(before), Some("2026-03-01T07:59:59Z"), after, true),
            ("done already", Some(before), Some(MOMENT), after, false),
            ("a later one was done", Some(before), Some("2026-03-01T08:00:01Z"), after, false),
            ("the second it was made in", Some(MOMENT), None, after, true),
            ("made since: a namesake's wish", Some("2026-03-01T08:00:01Z"), None, after, false),
        ] {
            let due = due(Some(&asked(MOMENT)), made.map(at), done.map(at), at(now));
            assert_eq!(due, expected.then(|| at(MOMENT)), "{what}");
        }
        assert_eq!(due(None, None, None, at(after)), None);
        let elsewhere = due(Some(&asked("2026-03-01T16:00:00+08:00")), None, Some(at(MOMENT)), at(after));
        assert_eq!(elsewhere, None, "the same moment, written otherwise");
    }

    #[test]
    fn a_wish_that_could_not_be_followed_for_a_day_lapses() {
        let has_lapsed = |now: &str| has_lapsed(at(MOMENT), at(now));
        assert!(!has_lapsed(MOMENT));
        assert!(!has_lapsed("2026-03-02T08:00:00Z"));
        assert!(has_lapsed("2026-03-02T08:00:01Z"));
        assert!(has_lapsed("2026-05-01T08:00:00Z"));
        assert!(!has_lapsed("2026-02-01T08:00:00Z"), "it is to come");
    }

    #[test]
    fn a_moment_to_come_is_looked_at_when_it_comes() {
        let next = |now: &str| next_look(Some(&asked(MOMENT)), at(now));
        assert_eq!(next("2026-03-01T07:59:00Z"), Some(Duration::from_mins(1)));
        assert_eq!((next(MOMENT), next_look(None, at(MOMENT))), (None, None));
    }

    fn there(claim: &str, restored_at: Option<&str>, leaving: bool, phase: &str) -> DiskView {
        let mut disk = json!({
            "metadata": {"name": "files-volume", "labels": {"jiyun.io/claim": claim}, "annotations": {}},
            "spec": {"source": {"snapshot": {"name": "files-1-snapshot"}}}, "status": {"phase": phase},
        });
        if let Some(moment) = restored_at {
            disk["metadata"]["annotations"][cdi::RESTORED_AT] = json!(moment);
        }
        if leaving {
            disk["metadata"]["deletionTimestamp"] = Value::from(MOMENT);
        }
        serde_json::from_value(disk).unwrap()
    }

    #[test]
    fn every_disk_that_can_be_there_leads_where_the_table_says() {
        let (ours, theirs) = ("claim-1.book", "claim-2.book");
        let (earlier, later) = (Some("2026-02-01T00:00:00Z"), Some("2026-04-01T00:00:00Z"));
        let (filling, done) = ("CloneInProgress", "Succeeded");
        let made = Some(MOMENT);
        for (what, disk, step, in_quarantine) in [
            ("nothing", None, Step::Make, Step::Await),
            ("the first disk", Some(there(ours, None, false, done)), Step::Remove, Step::Await),
            ("of an earlier restore", Some(there(ours, earlier, false, done)), Step::Remove, Step::Await),
            ("one whose mark is no moment", Some(there(ours, Some("?"), false, done)), Step::Remove, Step::Await),
            ("it goes", Some(there(ours, None, true, done)), Step::Await, Step::Await),
            ("the new one is filled", Some(there(ours, made, false, filling)), Step::Await, Step::Await),
            ("the new one is whole", Some(there(ours, made, false, done)), Step::Complete, Step::Await),
            ("somebody took the new one away", Some(there(ours, made, true, done)), Step::Await, Step::Await),
            ("of a later restore", Some(there(ours, later, false, done)), Step::Complete, Step::Await),
            ("of a later one, being filled", Some(there(ours, later, false, filling)), Step::Await, Step::Await),
            ("of a later one, on its way out", Some(there(ours, later, true, done)), Step::Await, Step::Await),
            ("somebody else's, of a later one", Some(there(theirs, later, false, done)), Step::Stop, Step::Stop),
            ("somebody else's", Some(there(theirs, None, false, done)), Step::Stop, Step::Stop),
            ("somebody else's, with our mark", Some(there(theirs, made, false, done)), Step::Stop, Step::Stop),
        ] {
            let there = super::disk(disk.as_ref(), ours, at(MOMENT));
            assert_eq!(next(&there, false), step, "{what}");
            assert_eq!(next(&there, true), in_quarantine, "{what}, while the book is being checked");
        }
    }

    #[test]
    fn what_cannot_be_filled_is_seen_with_its_fault() {
        let mut failed = there("claim-1.book", Some(MOMENT), false, "CloneScheduled");
        failed.status.conditions = serde_json::from_value(json!([
            {"type": "Running", "status": "False", "reason": "Error"},
        ]))
        .unwrap();
        let seen = super::disk(Some(&failed), "claim-1.book", at(MOMENT));
        assert!(matches!(seen, Disk::Made(DiskState::Failed(_))), "{seen:?}");
        assert_eq!(next(&seen, false), Step::Await, "it is tried again by itself");
    }
    #[test]
    fn a_later_restore_takes_the_place_of_one_that_left_no_disk_and_of_no_other() {
        let ours = "claim-1.book";
        let (made, later, earlier) = (Some(MOMENT), Some("2026-04-01T00:00:00Z"), Some("2026-02-01T00:00:00Z"));
        let (filling, done, failed) = ("CloneInProgress", "Succeeded", "Failed");
        for (what, disk, with_snapshot, without) in [
            ("there is none", None, true, true),
            ("it failed", Some(there(ours, made, false, failed)), true, true),
            ("a later one failed", Some(there(ours, later, false, failed)), true, true),
            ("it is filled", Some(there(ours, made, false, filling)), false, true),
            ("it is whole", Some(there(ours, made, false, done)), false, false),
            ("the first disk is there", Some(there(ours, None, false, done)), false, false),
            ("that of an earlier one is, and has failed", Some(there(ours, earlier, false, failed)), false, false),
            ("it goes", Some(there(ours, made, true, failed)), false, false),
            ("somebody else's", Some(there("claim-2.book", made, false, failed)), false, false),
        ] {
            let there = super::disk(disk.as_ref(), ours, at(MOMENT));
            assert_eq!((is_stuck(&there, true), is_stuck(&there, false)), (with_snapshot, without), "{what}");
        }
    }
}
