//! Status: what a snapshot's conditions say, computed from decisions and observations; written only where it differs.

use std::sync::Arc;

use jiff::Timestamp;
use jiyun_crds::{
    date_time::DateTime,
    v1alpha1::{
        CloudSnapshot, CloudSnapshotStatus, ConditionStatus, ConditionType, DeletionProtection, LocalRef, Quantity,
        Reason, SnapshotSourceKind, condition::Finding,
    },
};
use jiyun_ledger::{Claim, Meter, Refusal, RefusalCode};
use jiyun_messages::{Parameters, parameters};

use super::{digest, plan::Awaited, valid::SOURCE};
use crate::{
    conditions::{finding, merged, plain},
    deleting,
    host::{
        change::Objection,
        rejection::Rejection,
        report::{decided_against, granted, in_parts, objected_to, recorded, refused, rejected},
    },
    order::answer::Ordered,
    stored::approved::Approved,
};

/// How a snapshot stands.
#[derive(Clone, Debug)]
pub enum Standing {
    /// The wish is not valid, and nothing was ever granted.
    Rejected(Rejection),
    /// The ledger said no.
    Refused(Refusal),
    /// Nobody has said anything yet.
    Undecided(Reason),
    /// People have to agree, or did not.
    Ordered(Ordered),
    /// The ledger holds a claim.
    Admitted {
        /// The claim.
        claim: Arc<Claim>,
        /// What it was granted for.
        approved: Box<Approved>,
        /// What stands in the way of the wish as it is now; the snapshot stays as approved.
        objection: Option<Box<Objection>>,
        /// The engine's side.
        engine: Box<Engine>,
    },
    /// The snapshot is being deleted.
    Ending {
        /// The claim, until it is released.
        claim: Arc<Claim>,
        /// What is waited for.
        waiting: Waiting,
    },
    /// The snapshot is being deleted, and the ledger does not know the claim that its status names.
    Unaccounted {
        /// What the status names.
        claim: String,
    },
}

/// What the end of a snapshot waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Nothing is deleted at the moment.
    Paused,
    /// This is still being made from it.
    User(String),
    /// This has to disappear.
    For(String),
}

/// What the engine says.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    /// Whether it was taken, and something can be made from it.
    pub taken: bool,
    /// The moment whose content it holds, where its driver tells.
    pub taken_at: Option<Timestamp>,
    /// What is waited for.
    pub awaited: Option<Awaited>,
    /// What is wrong.
    pub trouble: Option<Trouble>,
}

/// Kind and name of what a snapshot is of.
type Named = (SnapshotSourceKind, String);

/// What is wrong with the engine's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The engine is not installed.
    Missing,
    /// The site cannot be reached.
    Unreachable,
    /// The snapshot is gone, with what it held.
    Lost,
    /// The pool of this tier does not take snapshots any more.
    NotOffered(String),
    /// None can be taken by the pool's snapshot class.
    Class {
        /// Code of the sentence that says why.
        code: &'static str,
        /// Its name.
        class: String,
    },
    /// What it was to be taken of has ended before.
    SourceGone(Named),
    /// What it was to be taken of has grown beyond this many MiB, which were set aside for it.
    SourceGrew(Named, u64),
    /// Why the engine could not be asked for what is wanted, or does not do it.
    Fault(String),
}

impl Engine {
    /// Something is wrong, and no more is known.
    pub fn troubled(trouble: Trouble) -> Self {
        Self { trouble: Some(trouble), ..Self::default() }
    }
}

impl Standing {
    /// Whether there is nothing to wait for but what calls by itself.
    pub fn is_settled(&self) -> bool {
        match self {
            Self::Admitted { objection, engine, .. } => {
                !objection.as_deref().is_some_and(Objection::is_open) && engine.taken
            }
            Self::Refused(refusal) => {
                !matches!(refusal.code, RefusalCode::NoMatchingPool | RefusalCode::WaitingForCapacity)
            }
            Self::Ordered(ordered) => ordered.refusal.is_some(),
            Self::Rejected(_) | Self::Undecided(_) | Self::Ending { .. } | Self::Unaccounted { .. } => false,
        }
    }
}

/// The status of `snapshot` given its standing.
pub fn status(snapshot: &CloudSnapshot, standing: &Standing, now: Timestamp) -> CloudSnapshotStatus {
    let before = snapshot.status.clone().unwrap_or_default();
    let generation = snapshot.metadata.generation;
    // What was told before is evidence of who held what: a ledger that lost a claim is no reason to wipe it. It goes with
    // the object, after the claim was released. When it was taken is still so while the engine cannot be asked.
    let mut status = CloudSnapshotStatus {
        observed_generation: generation,
        spec_digest: Some(digest::of(&snapshot.spec)),
        conditions: Vec::new(),
        refusal: None,
        order_ref: None,
        ..before.clone()
    };
    let (ready, no) = (ConditionType::Ready, ConditionStatus::False);
    let findings = match standing {
        Standing::Rejected(rejection) => {
            status.refusal = Some(in_parts(rejection.code.to_owned(), &rejection.parameters));
            rejected(rejection)
        }
        Standing::Refused(refusal) => {
            status.refusal = Some(recorded(refusal));
            refused(refusal)
        }
        Standing::Undecided(reason) => {
            let code = if *reason == Reason::EngineMissing { "SnapshotEngineMissing" } else { reason.as_str() };
            vec![
                plain(ConditionType::Accepted, ConditionStatus::True, Reason::Valid),
                finding(ConditionType::Admitted, ConditionStatus::Unknown, *reason, code, &Parameters::new()),
                plain(ready, no, Reason::NotAdmitted),
            ]
        }
        Standing::Ordered(ordered) => {
            status.order_ref = Some(LocalRef::new(&ordered.order));
            status.refusal.clone_from(&ordered.refusal);
            vec![
                plain(ConditionType::Accepted, ConditionStatus::True, Reason::Valid),
                ordered.admitted(),
                plain(ready, no, Reason::NotAdmitted),
            ]
        }
        Standing::Admitted { claim, approved, objection, engine } => {
            if status.claim_id != Some(claim.id.to_string()) {
                // What was taken for another claim is not this one's.
                status.taken_at = None;
            }
            place(&mut status, claim);
            status.tier = Some(approved.tier.clone());
            status.granted_size = Some(Quantity::from_mebibytes(approved.mebibytes));
            status.image = approved.source.as_ref().and_then(|source| source.image.clone());
            status.deletion_protection = approved.deletable.then_some(DeletionProtection::Disabled);
            status.refusal = objection.as_deref().and_then(decided_against);
            status.order_ref = objection.as_deref().and_then(Objection::order).map(LocalRef::new);
            if let Some(taken_at) = engine.taken_at {
                status.taken_at = Some(DateTime::from(taken_at));
            }
            vec![objected_to(objection.as_deref()), granted(claim), provisioned(engine), readiness(engine)]
        }
        Standing::Ending { claim, waiting } => {
            place(&mut status, claim);
            let told = match waiting {
                Waiting::Paused => {
                    finding(ready, no, Reason::Quarantined, "SnapshotDeletionPaused", &Parameters::new())
                }
                Waiting::User(user) => {
                    let reason = deleting::reason(&snapshot.metadata, claim.billable_until, now);
                    finding(ready, no, reason, "SnapshotInUse", &parameters([("what", user.as_str())]))
                }
                Waiting::For(what) => deleting::waits(&snapshot.metadata, claim.billable_until, what, now),
            };
            vec![granted(claim), told]
        }
        Standing::Unaccounted { claim } => {
            let about = parameters([("claim", claim.as_str())]);
            vec![finding(ready, no, Reason::UnknownClaim, Reason::UnknownClaim.as_str(), &about)]
        }
    };
    status.conditions = merged(&before.conditions, findings, generation, now);
    status
}

fn place(status: &mut CloudSnapshotStatus, claim: &Claim) {
    status.claim_id = Some(claim.id.to_string());
    status.storage_pool_ref = claim.pool_of(Meter::BlockStorage).map(|pool| LocalRef::new(pool.name()));
}

fn provisioned(engine: &Engine) -> Finding {
    let kind = ConditionType::Provisioned;
    match &engine.trouble {
        // Whether there is a snapshot is not known now.
        Some(Trouble::Unreachable) => unreachable(kind, ConditionStatus::Unknown),
        Some(trouble) => troubled(kind, trouble),
        None if engine.taken => {
            finding(kind, ConditionStatus::True, Reason::Provisioned, "SnapshotProvisioned", &Parameters::new())
        }
        None => provisioning(kind, engine),
    }
}

fn readiness(engine: &Engine) -> Finding {
    let kind = ConditionType::Ready;
    match &engine.trouble {
        Some(trouble) => troubled(kind, trouble),
        None if engine.taken => {
            finding(kind, ConditionStatus::True, Reason::Available, "SnapshotAvailable", &Parameters::new())
        }
        None => provisioning(kind, engine),
    }
}

fn provisioning(kind: ConditionType, engine: &Engine) -> Finding {
    let what = engine.awaited.map_or("-", Awaited::word);
    finding(kind, ConditionStatus::False, Reason::Provisioning, "SnapshotProvisioning", &parameters([("what", what)]))
}

fn unreachable(kind: ConditionType, status: ConditionStatus) -> Finding {
    finding(kind, status, Reason::SiteUnreachable, "SnapshotSiteUnreachable", &Parameters::new())
}

fn troubled(kind: ConditionType, trouble: &Trouble) -> Finding {
    let (no, nothing) = (ConditionStatus::False, Parameters::new());
    let fault = |code: &str, about: &[(&str, &str)]| {
        finding(kind, no, Reason::EngineError, code, &parameters(about.iter().copied()))
    };
    match trouble {
        Trouble::Missing => finding(kind, no, Reason::EngineMissing, "SnapshotEngineMissing", &nothing),
        Trouble::Unreachable => unreachable(kind, no),
        Trouble::Lost => fault("SnapshotLost", &[]),
        Trouble::NotOffered(tier) => fault("SnapshotsNotOffered", &[("field", SOURCE), ("tier", tier.as_str())]),
        Trouble::Class { code, class } => fault(code, &[("class", class.as_str())]),
        Trouble::SourceGone((kind, name)) => {
            fault("SnapshotSourceGone", &[("kind", kind.as_str()), ("name", name.as_str())])
        }
        Trouble::SourceGrew((kind, name), booked) => {
            let booked = Quantity::from_mebibytes(*booked);
            let about = [("kind", kind.as_str()), ("name", name.as_str()), ("booked", booked.as_str())];
            fault("SnapshotSourceGrew", &about)
        }
        Trouble::Fault(problem) => fault("EngineError", &[("problem", problem.as_str())]),
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
