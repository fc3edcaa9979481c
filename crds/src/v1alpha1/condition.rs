//! Condition types and reasons: the whole vocabulary of "how is my object doing, and why?".

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use schemars::{Schema, SchemaGenerator, json_schema};

/// What a condition is about.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::IntoStaticStr,
    strum::EnumIter,
    strum::EnumString,
)]
pub enum ConditionType {
    /// The object makes sense: what it refers to exists and fits. Says nothing about capacity or quota.
    Accepted,
    /// The account book holds a claim for it; everything it asks for is reserved.
    Admitted,
    /// The engine objects (disk, virtual machine) exist.
    Provisioned,
    /// It does what its spec asks for. For a switched-off host: it is off.
    Ready,
    /// Every engine of the site that has to be there is, and none is older than the platform supports.
    EnginesSupported,
    /// This price list is the one prices are taken from now.
    InForce,
    /// More is used than a limit allows: growth is refused, nothing is stopped.
    OverLimit,
    /// Everything that is to be handed over has gone over.
    Completed,
    /// Quota and capacity of an order are set aside until it is decided.
    Held,
    /// Everybody who has to agree to an order has agreed.
    Approved,
    /// Everything an order asked for is done.
    Fulfilled,
}

/// Why a condition has its status.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::IntoStaticStr,
    strum::EnumIter,
    strum::EnumString,
)]
pub enum Reason {
    /// Accepted, Ready: what the object says was checked and is in effect.
    Valid,
    /// Accepted: the class, image, zone, system or parent it names does not exist. Provisioned, Ready: what its machine is to be
    /// made with does not any more.
    UnknownReference,
    /// Accepted: the department may not use the zone it asks for.
    ZoneNotAllowed,
    /// Accepted, Ready, `InForce`: fields contradict each other or another object; the message names them. Provisioned, Ready: what
    /// its machine is to be made with was spoilt.
    Misconfigured,
    /// Admitted: the claim is granted.
    Granted,
    /// Admitted: a limit (quota) of the department or of a unit above it leaves too little.
    ExceedsLimit,
    /// Admitted: pools match, none has room.
    PoolExhausted,
    /// Admitted: pools match, none has room yet; the request stands in line.
    WaitingForCapacity,
    /// Admitted: no pool fits zone, protection level, architecture or tier.
    NoMatchingPool,
    /// Admitted: the account book knows no account of this department.
    UnknownAccount,
    /// Admitted: the department's account is closed to new requests.
    AccountClosed,
    /// Admitted: not decided yet; it is tried again.
    Undecided,
    /// Admitted: the object and the account book do not agree whose claim this is; operators must look (`ledger adopt`).
    AdoptionNeeded,
    /// Admitted: the account book is being checked; nothing is granted or deleted meanwhile.
    Quarantined,
    /// Provisioned: disk and machine, the database, the volume or the bucket, are being created.
    Provisioning,
    /// Provisioned: disk and machine, the database, the volume or the bucket, exist.
    Provisioned,
    /// Provisioned: they exist; the machine runs with the size it had before, and takes on the one granted at its next start.
    RestartPending,
    /// Provisioned, Ready: the disk is being made anew from a snapshot, as asked; what was on it is gone.
    Restoring,
    /// Provisioned: they exist; the disk, the volume or the bucket is being grown to the size granted.
    Resizing,
    /// Provisioned, Ready: the engine reports a fault with no reason of its own, quoted in the message.
    EngineError,
    /// Provisioned, Ready: no physical machine takes the host's machine.
    Unschedulable,
    /// Provisioned, Ready: an image that the host, or the engine for it, needs cannot be fetched; the message says which.
    ImageUnavailable,
    /// Provisioned, Ready: the machine ends right after each of its starts.
    CrashLoop,
    /// Provisioned, Ready: the physical machine that the host runs on does not answer.
    NodeLost,
    /// Ready: the host runs, as asked.
    Running,
    /// Ready: the host is off, as asked.
    Stopped,
    /// Ready: the volume is there, and attached to no host, as asked; or the bucket is there, and its key pair handed over;
    /// or the snapshot was taken.
    Available,
    /// Ready: the volume is attached to its host, as asked.
    Attached,
    /// Ready: the volume is on its way to its host; the message says what it waits for.
    Attaching,
    /// Ready: the volume is on its way off a host; the message says what it waits for.
    Detaching,
    /// Ready: a new key pair of the bucket is on its way; the former one holds until it is handed over, or does not any more.
    Rotating,
    /// Admitted: the volume is made where its host is, which was not granted yet.
    AwaitingHost,
    /// Accepted: what a snapshot is to be taken of, or the snapshot that a disk is to be made from, is not there yet.
    AwaitingSource,
    /// Ready: what the flow was granted is let through on every side of the department.
    Open,
    /// Ready: this department's end is open; what passes is up to the other one as well, which is not told.
    OpenAtThisEnd,
    /// Ready: the host is on its way to running.
    Starting,
    /// Ready: the host is on its way to off.
    Stopping,
    /// Provisioned, Ready: the host's lease has ended: it is off, and later taken down, unless it is extended.
    LeaseEnded,
    /// Ready: the object is being deleted.
    Deleting,
    /// Ready: the object is being deleted for longer than that ever takes; the message says what it waits for.
    DeletionStuck,
    /// Ready: the host is being deleted, and the account book does not know the claim its status names; it is kept.
    UnknownClaim,
    /// Provisioned, Ready: nothing was created, since the request was not granted.
    NotAdmitted,
    /// Provisioned, Ready: the data centre cannot be reached; what is shown may be old.
    SiteUnreachable,
    /// Ready: no node of the site carries the pool's labels; the capacity read last, if any, is kept.
    NoNodes,
    /// Admitted, Provisioned, Ready, `EnginesSupported`: what is asked for needs an engine that is not installed.
    EngineMissing,
    /// `EnginesSupported`: an engine is of a version older than the platform supports.
    EngineTooOld,
    /// `EnginesSupported`: the version of an engine that is installed cannot be told.
    EngineUnknown,
    /// `EnginesSupported`: every engine that is there, and has to be, is of a version that is supported.
    EnginesSupported,
    /// Ready: the zone has no addresses left for another department.
    AddressesExhausted,
    /// Admitted, Provisioned, Ready: the department's network in the zone is not there yet.
    NetworkNotReady,
    /// Ready: the flow is let through, and nothing leads from one end to the other.
    NotConnected,
    /// `InForce`: prices are taken from this list.
    InForce,
    /// `InForce`: the list's time has not come yet.
    NotYetInForce,
    /// `InForce`: a later list has taken over.
    Superseded,
    /// `OverLimit`: everything used is within its limit.
    WithinLimits,
    /// `OverLimit`: a limit was lowered below use, or something was handed over; there is time to give back.
    AboveLimit,
    /// `OverLimit`: the time to give back is over.
    GraceEnded,
    /// Ready: the department is closed: nothing new is granted, what runs goes on.
    Closed,
    /// Completed, Admitted: it is being handed over to another department; it runs on.
    HandingOver,
    /// Completed, Admitted: it was handed over to another department.
    HandedOver,
    /// Completed: some hosts cannot go over as they are; the status names them.
    NotAllHandedOver,
    /// Held: quota and capacity are set aside.
    Held,
    /// Held: nothing is set aside: it was granted, given up, or nothing has to be.
    NotHeld,
    /// Approved, Admitted: people have to agree first; the message says who and until when.
    AwaitingApproval,
    /// Admitted: the object names an order that does not list it yet.
    AwaitingOrder,
    /// Approved: everybody who has to agree has agreed.
    Approved,
    /// Approved: a policy lets orders of this size through.
    Automatic,
    /// Approved, Admitted: somebody who has to agree did not; the message says who and why.
    OrderRefused,
    /// Approved, Admitted: nobody decided in time.
    OrderExpired,
    /// Approved, Admitted: whoever asked does not ask any more.
    OrderWithdrawn,
    /// Approved: an item was changed, or made anew, after the order was accepted.
    OrderSuperseded,
    /// Accepted: an order lacks a number it has to carry.
    EvidenceMissing,
    /// Accepted, Ready: a level names groups or roles behind which nobody is.
    NobodyToApprove,
    /// Accepted: the working days of a year are not known to the platform.
    CalendarMissing,
    /// Fulfilled: everything is done.
    Fulfilled,
    /// Fulfilled: it is being done.
    Fulfilling,
    /// Fulfilled: some of it is done, and some of it cannot be; the message names it.
    PartlyFailed,
    /// Fulfilled: nothing is done, since the order was not approved.
    NotApproved,
}

/// The status of a condition.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, strum::Display, strum::IntoStaticStr, strum::EnumIter, strum::EnumString,
)]
pub enum ConditionStatus {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// It is not known yet, or not any more.
    Unknown,
}

impl ConditionType {
    /// The word used in objects.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Reason {
    /// The word used in objects.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl ConditionStatus {
    /// The word used in objects.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The condition of this type, if it has been set.
pub fn find(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == kind.as_str())
}

/// Whether the condition of this type is `True`. Not set is not true.
pub fn is_true(conditions: &[Condition], kind: ConditionType) -> bool {
    find(conditions, kind).is_some_and(|condition| condition.status == ConditionStatus::True.as_str())
}

/// What a controller found out about one aspect of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which aspect.
    pub kind: ConditionType,
    /// How it stands.
    pub status: ConditionStatus,
    /// Why.
    pub reason: Reason,
    /// The same for people: what happened, which field, what to do. At most 32768 characters.
    pub message: String,
}

impl Finding {
    /// The condition to write for an object of this generation. `lastTransitionTime` is `now` only if the status is
    /// not the one in `previous`, the conditions the object carries already.
    pub fn into_condition(self, previous: &[Condition], generation: Option<i64>, now: Timestamp) -> Condition {
        let unchanged = find(previous, self.kind).filter(|condition| condition.status == self.status.as_str());
        Condition {
            last_transition_time: unchanged
                .map_or_else(|| Time(now), |condition| condition.last_transition_time.clone()),
            message: self.message,
            observed_generation: generation,
            reason: self.reason.as_str().to_owned(),
            status: self.status.as_str().to_owned(),
            type_: self.kind.as_str().to_owned(),
        }
    }
}

/// Schema of `status.conditions`: as in Kubernetes, but bounded, and a map by type so that several writers can each
/// own theirs. The limits of `message`, `reason` and `type` are those of Kubernetes' own type.
pub fn conditions_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "description": "What the platform found out about the object, one entry a type.",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One aspect of the object's state.",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "lastTransitionTime": {
                    "type": "string", "format": "date-time",
                    "description": "When the status last changed. Does not move when only the message changes."
                },
                "message": {
                    "type": "string", "maxLength": 32768,
                    "description": "For people: what happened, which field, what to do."
                },
                "observedGeneration": {
                    "type": "integer", "format": "int64",
                    "description": "The metadata.generation this was found out about; older than the object's means outdated."
                },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "description": "Why, in one word for programs."
                },
                "status": {
                    "type": "string", "enum": ["True", "False", "Unknown"],
                    "description": "Whether it is so. `True`: it is; `False`: it is not; `Unknown`: not known yet, or not any more."
                },
                "type": {
                    "type": "string", "minLength": 1, "maxLength": 316,
                    "description": "Which aspect."
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(status: ConditionStatus, message: &str) -> Finding {
        Finding { kind: ConditionType::Ready, status, reason: Reason::Running, message: message.to_owned() }
    }

    #[test]
    fn the_transition_time_moves_with_the_status_only() {
        let (first, later) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(60).unwrap());
        let previous = vec![ready(ConditionStatus::True, "runs").into_condition(&[], Some(1), first)];
        let reworded = ready(ConditionStatus::True, "runs well").into_condition(&previous, Some(2), later);
        assert_eq!(reworded.last_transition_time, Time(first));
        assert_eq!(reworded.observed_generation, Some(2));
        let turned = ready(ConditionStatus::False, "stopped").into_condition(&previous, Some(2), later);
        assert_eq!(turned.last_transition_time, Time(later));
    }

    #[test]
    fn a_condition_that_is_not_set_is_not_true() {
        assert!(!is_true(&[], ConditionType::Admitted));
        let set = vec![ready(ConditionStatus::True, "").into_condition(&[], None, Timestamp::UNIX_EPOCH)];
        assert!(is_true(&set, ConditionType::Ready));
        assert!(!is_true(&set, ConditionType::Admitted));
    }
}
