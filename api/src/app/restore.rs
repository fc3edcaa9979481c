//! Restoring in place (恢复): the disk of a host or a volume is made anew from a snapshot that was taken of it.

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{
    CloudHost, CloudSnapshot, CloudVolume, DateTime, LeaseStage, Power, Restore, Restored, SnapshotSourceKind,
};
use serde_json::json;

use super::{
    App,
    host::there,
    idle::Idle,
    moment::just_after,
    noun::{Noun, called},
};
use crate::{
    extract::{ObjectPath, Version},
    model::RestoreOrder,
    problem::{Code, Fault, Problem},
    store::{Caller, Run},
};

/// A kind with a disk that can be brought back.
pub trait Restorable: Noun {
    /// What snapshots of it name as the kind of their source.
    const SOURCE: SnapshotSourceKind;

    /// The problem of one whose disk is to be in use.
    const IN_USE: Code;

    /// Whether its disk is to be in use: then the API server takes no wish to restore it.
    fn is_in_use(&self) -> bool;

    /// The claim it was granted.
    fn claim(&self) -> Option<&str>;

    /// Whether its lease has come so far that nothing is done for it.
    fn is_archived(&self) -> bool;

    /// The restore that was asked for last.
    fn asked(&self) -> Option<&Restore>;

    /// The restore that was begun last.
    fn begun(&self) -> Option<&Restored>;
}

impl Restorable for CloudHost {
    const SOURCE: SnapshotSourceKind = SnapshotSourceKind::CloudHost;
    const IN_USE: Code = Code::HostIsRunning;

    fn is_in_use(&self) -> bool {
        self.spec.power == Power::Running
    }

    fn claim(&self) -> Option<&str> {
        self.status.as_ref()?.claim_id.as_deref()
    }

    fn is_archived(&self) -> bool {
        let lease = self.status.as_ref().and_then(|status| status.lease.as_ref());
        lease.is_some_and(|lease| matches!(lease.stage, LeaseStage::Archived | LeaseStage::Released))
    }

    fn asked(&self) -> Option<&Restore> {
        self.spec.restore.as_ref()
    }

    fn begun(&self) -> Option<&Restored> {
        self.status.as_ref()?.restored.as_ref()
    }
}

impl Restorable for CloudVolume {
    const SOURCE: SnapshotSourceKind = SnapshotSourceKind::CloudVolume;
    const IN_USE: Code = Code::VolumeHasHost;

    fn is_in_use(&self) -> bool {
        self.spec.host_ref.is_some()
    }

    fn claim(&self) -> Option<&str> {
        self.status.as_ref()?.claim_id.as_deref()
    }

    fn is_archived(&self) -> bool {
        false
    }

    fn asked(&self) -> Option<&Restore> {
        self.spec.restore.as_ref()
    }

    fn begun(&self) -> Option<&Restored> {
        self.status.as_ref()?.restored.as_ref()
    }
}

impl App {
    /// Asks for the restore of one object, as [`App::change`] does; with `version`, only while it is of that version.
    ///
    /// # Errors
    /// What the API server refuses; [`Restorable::IN_USE`] of one whose disk is to be in use;
    /// [`Code::NothingToRestore`] of one that would not be restored as it stands; a fault of the snapshot where it is
    /// not to be seen, or is of something else.
    pub async fn restore<K: Restorable>(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        order: &RestoreOrder,
        version: Option<&Version>,
        run: Run,
    ) -> Result<K, Problem> {
        order.validate()?;
        let ObjectPath { department, name } = path;
        let found = self.look::<K>(caller, path).await?;
        let what = || called::<K>(department, name.as_str());
        let archived = found.is_archived().then_some(Idle::Archived);
        if let Some(why) = Idle::of(found.meta().deletion_timestamp.is_some(), found.claim().is_some()).or(archived) {
            return Err(why.problem(Code::NothingToRestore, what()));
        }
        let in_use = || Problem::new(K::IN_USE, [("what", what())]);
        if found.is_in_use() {
            return Err(in_use());
        }
        let snapshot = caller.find::<CloudSnapshot>(Some(&department.namespace()), &order.snapshot).await;
        let mut faults = Vec::new();
        let snapshot = there("snapshot", "CloudSnapshot", &order.snapshot, snapshot, &mut faults)?;
        faults.extend(snapshot.and_then(|snapshot| of_other::<K>(&snapshot, name.as_str(), &order.snapshot)));
        if let Some(problem) = Problem::of_body(faults) {
            return Err(problem);
        }
        // Not bound to what was read: the API server refuses the wish where the disk is to be in use by then.
        let moment = moment(&found, &order.snapshot, Timestamp::now());
        let restore = json!({"snapshotRef": {"name": order.snapshot}, "requestedAt": moment});
        let spec = [("restore".to_owned(), restore)].into_iter().collect();
        self.change::<K>(caller, path, spec, version, run).await.map_err(|problem| {
            let is_of_the_wish = problem.is(Code::InvalidField) && problem.fault.field.as_deref() == Some("restore");
            if is_of_the_wish { in_use() } else { problem }
        })
    }
}

/// That the snapshot called `named` was taken of something else than the object called `name`.
fn of_other<K: Restorable>(snapshot: &CloudSnapshot, name: &str, named: &str) -> Option<Fault> {
    let source = &snapshot.spec.source;
    (source.kind != K::SOURCE || source.name != name).then(|| Fault {
        field: Some("snapshot".to_owned()),
        code: "SnapshotOfOther".into(),
        parameters: jiyun_messages::parameters([
            ("field", "snapshot".to_owned()),
            ("snapshot", named.to_owned()),
            ("what", format!("{} {}", source.kind.as_str(), source.name)),
        ]),
    })
}

/// The moment that is written: after the restore that was begun last and after the creation, both of which may have
/// happened by a clock that is ahead of ours; and another one than that of a wish for another `snapshot`, which may
/// have been begun already.
fn moment(object: &impl Restorable, snapshot: &str, now: Timestamp) -> DateTime {
    let begun = object.begun().and_then(|restored| restored.requested_at.timestamp().ok());
    let created = object.meta().creation_timestamp.as_ref().map(|at| at.0);
    let moment = just_after([begun, created].into_iter().flatten().fold(now, Timestamp::max));
    let is_taken = object.asked().is_some_and(|asked| {
        let same = asked.requested_at.timestamp().ok().zip(moment.timestamp().ok());
        asked.snapshot_ref.name != snapshot && same.is_some_and(|(asked, moment)| asked == moment)
    });
    let next = moment.timestamp().ok().filter(|_| is_taken).map(just_after);
    next.unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// A volume made at one o'clock, with this wish and this last restore.
    fn volume(asked: &Value, begun: &Value) -> CloudVolume {
        serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudVolume",
            "metadata": {"name": "data-1", "creationTimestamp": "2026-11-20T01:00:00Z"},
            "spec": {"systemRef": {"name": "s"}, "zoneRef": {"name": "z"}, "tier": "standard", "size": "1Gi", "restore": asked},
            "status": {"claimId": "claim-1", "restored": begun},
        }))
        .unwrap()
    }

    #[test]
    fn the_moment_is_the_next_second_and_always_after_the_last_restore_and_the_creation() {
        let asked = |snapshot: &str, at: &str| json!({"snapshotRef": {"name": snapshot}, "requestedAt": at});
        let begun = |at: &str| json!({"snapshot": "old", "requestedAt": at});
        for (wish, last, now, expected) in [
            (Value::Null, Value::Null, "2026-11-20T02:00:00.9Z", "2026-11-20T02:00:01Z"),
            (Value::Null, Value::Null, "2026-11-20T00:59:59Z", "2026-11-20T01:00:01Z"),
            (Value::Null, begun("2026-11-20T10:00:07+08:00"), "2026-11-20T02:00:00Z", "2026-11-20T02:00:08Z"),
            (Value::Null, begun("2026-11-20T01:30:00Z"), "2026-11-20T02:00:00Z", "2026-11-20T02:00:01Z"),
            // Asked for twice within a second: once, unless it is to another snapshot.
            (asked("daily", "2026-11-20T02:00:01Z"), Value::Null, "2026-11-20T02:00:00.9Z", "2026-11-20T02:00:01Z"),
            (
                asked("other", "2026-11-20T10:00:01+08:00"),
                Value::Null,
                "2026-11-20T02:00:00.9Z",
                "2026-11-20T02:00:02Z",
            ),
            // A wish for a time to come gives way.
            (asked("other", "2027-01-01T00:00:00Z"), Value::Null, "2026-11-20T02:00:00Z", "2026-11-20T02:00:01Z"),
        ] {
            let now = now.parse().unwrap();
            assert_eq!(moment(&volume(&wish, &last), "daily", now).as_str(), expected, "{wish} {last}");
        }
    }
}
