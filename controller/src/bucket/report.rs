//! Status: what a bucket's conditions say, computed from decisions and observations; written only where it differs.

use std::sync::Arc;

use jiff::Timestamp;
use jiyun_crds::{
    date_time::DateTime,
    v1alpha1::{
        BucketConnection, CloudBucket, CloudBucketStatus, ConditionStatus, ConditionType, DeletionProtection, LocalRef,
        Quantity, Reason, condition::Finding,
    },
};
use jiyun_ledger::{Claim, Meter, Refusal, RefusalCode};
use jiyun_messages::{Parameters, parameters};
use kube::core::ObjectMeta;

use super::{digest, plan::Awaited, request::is_established};
use crate::{
    conditions::{finding, merged, plain},
    deleting::SITE,
    host::{
        change::Objection,
        rejection::Rejection,
        report::{decided_against, granted, in_parts, objected_to, recorded, refused, rejected},
        restart,
    },
    order::answer::Ordered,
    stored::approved::Approved,
};

/// Seconds that the end of a bucket may take once it is recorded: the engine takes what is in it away first, one after another,
/// which takes hours where there are millions.
const END_SECONDS: i64 = 86_400;

/// How a bucket stands.
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
        /// What stands in the way of the wish as it is now; the bucket stays as approved.
        objection: Option<Box<Objection>>,
        /// The engine's side.
        engine: Box<Engine>,
    },
    /// The bucket is being deleted.
    Ending {
        /// The claim, until it is released.
        claim: Arc<Claim>,
        /// What still has to disappear; nothing is deleted at the moment where that is `None`.
        waiting_for: Option<String>,
    },
    /// The bucket is being deleted, and the ledger does not know the claim that its status names.
    Unaccounted {
        /// What the status names.
        claim: String,
    },
}

/// What the engine says.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    /// Whether the department has the key pair that the bucket is to have, and with it the bucket.
    pub handed_over: bool,
    /// The moment of that key pair, in Unix seconds; 0: it is made with the bucket.
    pub moment: u64,
    /// That key pair, once it was handed over.
    pub pair: Option<Pair>,
    /// Where clients find the bucket, once it was handed over.
    pub connection: Option<BucketConnection>,
    /// Whether the bucket was not seen to have its size yet.
    pub grows: bool,
    /// What is waited for.
    pub awaited: Option<Awaited>,
    /// What is wrong.
    pub trouble: Option<Trouble>,
}

/// The key pair in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The moment it was asked for, in Unix seconds; 0: it was made with the bucket.
    pub moment: u64,
    /// When it was made.
    pub made: Option<Timestamp>,
}

/// What is wrong with the engine's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The engine is not installed.
    Missing,
    /// The site cannot be reached.
    Unreachable,
    /// The bucket is gone, with what was in it.
    Lost,
    /// No bucket can be made of the pool's storage class.
    Class {
        /// Code of the sentence that says why.
        code: &'static str,
        /// Its name.
        class: String,
    },
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
                let is_open = objection.as_deref().is_some_and(Objection::is_open);
                let is_done = engine.handed_over && !engine.grows && engine.awaited.is_none();
                !is_open && is_done && engine.trouble.is_none()
            }
            Self::Refused(refusal) => {
                !matches!(refusal.code, RefusalCode::NoMatchingPool | RefusalCode::WaitingForCapacity)
            }
            Self::Ordered(ordered) => ordered.refusal.is_some(),
            Self::Rejected(_) | Self::Undecided(_) | Self::Ending { .. } | Self::Unaccounted { .. } => false,
        }
    }

    /// What is under way that nobody tells us of: to the key pair of this moment, and to a size in MiB.
    pub fn way(&self) -> Option<(u64, u64)> {
        let Self::Admitted { engine, approved, .. } = self else { return None };
        let is_moving = engine.awaited == Some(Awaited::Change) && engine.trouble.is_none();
        is_moving.then_some((engine.moment, approved.mebibytes))
    }
}

/// The status of `bucket` given its standing.
pub fn status(bucket: &CloudBucket, standing: &Standing, now: Timestamp) -> CloudBucketStatus {
    let before = bucket.status.clone().unwrap_or_default();
    let generation = bucket.metadata.generation;
    // What was told before is evidence of who held what: a ledger that lost a claim is no reason to wipe it. It goes with
    // the object, after the claim was released. Where the bucket was found last, and with which key pair, is still so while
    // the engine cannot be asked.
    let mut status = CloudBucketStatus {
        observed_generation: generation,
        spec_digest: Some(digest::of(&bucket.spec)),
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
            let code = if *reason == Reason::EngineMissing { "BucketEngineMissing" } else { reason.as_str() };
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
            place(&mut status, claim);
            status.granted_size = Some(Quantity::from_mebibytes(approved.mebibytes));
            status.deletion_protection = approved.deletable.then_some(DeletionProtection::Disabled);
            status.refusal = objection.as_deref().and_then(decided_against);
            status.order_ref = objection.as_deref().and_then(Objection::order).map(LocalRef::new);
            if let Some(connection) = &engine.connection {
                status.connection = Some(connection.clone());
            }
            if let Some(pair) = &engine.pair {
                status.credentials_issued_at = pair.made.map(DateTime::from);
                status.credentials_issued_for = issued_for(bucket, pair.moment);
            }
            let is_established = is_established(claim);
            vec![
                objected_to(objection.as_deref()),
                granted(claim),
                provisioned(engine, is_established),
                readiness(engine, is_established),
            ]
        }
        Standing::Ending { claim, waiting_for } => {
            place(&mut status, claim);
            let told = match waiting_for {
                Some(what) => waits(&bucket.metadata, claim.billable_until, what, now),
                None => finding(ready, no, Reason::Quarantined, "BucketDeletionPaused", &Parameters::new()),
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

fn place(status: &mut CloudBucketStatus, claim: &Claim) {
    status.claim_id = Some(claim.id.to_string());
    status.storage_pool_ref = claim.pool_of(Meter::ObjectStorage).map(|pool| LocalRef::new(pool.name()));
}

/// The moment a key pair was asked for: as it is written in the wish, where it still is that one.
fn issued_for(bucket: &CloudBucket, moment: u64) -> Option<DateTime> {
    let moment = Timestamp::from_second(i64::try_from(moment).ok().filter(|moment| *moment > 0)?).ok()?;
    let written = bucket.spec.credentials_requested_at.as_ref();
    let is_still_that = restart::moment(written) == Some(moment);
    Some(written.filter(|_| is_still_that).cloned().unwrap_or_else(|| DateTime::from(moment)))
}

fn provisioned(engine: &Engine, is_established: bool) -> Finding {
    let (kind, no) = (ConditionType::Provisioned, ConditionStatus::False);
    match &engine.trouble {
        Some(Trouble::Unreachable) => unreachable(kind, ConditionStatus::Unknown),
        Some(trouble) => troubled(kind, trouble),
        None if !engine.handed_over && !is_established => provisioning(kind, engine),
        None if engine.grows => finding(kind, no, Reason::Resizing, "BucketResizing", &Parameters::new()),
        None => finding(kind, ConditionStatus::True, Reason::Provisioned, "BucketProvisioned", &Parameters::new()),
    }
}

fn readiness(engine: &Engine, is_established: bool) -> Finding {
    let (kind, yes, no) = (ConditionType::Ready, ConditionStatus::True, ConditionStatus::False);
    if engine.handed_over {
        return finding(kind, yes, Reason::Available, "BucketAvailable", &Parameters::new());
    }
    match &engine.trouble {
        Some(trouble) => troubled(kind, trouble),
        None if is_established => finding(kind, no, Reason::Rotating, "BucketRotating", &Parameters::new()),
        None => provisioning(kind, engine),
    }
}

fn provisioning(kind: ConditionType, engine: &Engine) -> Finding {
    let what = engine.awaited.map_or("-", Awaited::word);
    finding(kind, ConditionStatus::False, Reason::Provisioning, "BucketProvisioning", &parameters([("what", what)]))
}

/// What is said of a bucket that is being deleted, whose end was `recorded`, and that waits for `what` (kind and name, or
/// [`SITE`]) to go. As of other objects ([`crate::deleting::waits`]), but a bucket has longer until something is thought to keep
/// it.
fn waits(meta: &ObjectMeta, recorded: Option<Timestamp>, what: &str, now: Timestamp) -> Finding {
    let asked = meta.deletion_timestamp.as_ref().map(|asked| asked.0);
    let since = asked.zip(recorded).map(|(asked, recorded)| asked.max(recorded));
    let is_late = since.is_some_and(|since| now.duration_since(since).as_secs() >= END_SECONDS);
    let (reason, sentence) = match (is_late, what == SITE) {
        (true, true) => (Reason::DeletionStuck, "DeletionAwaitsSite"),
        (true, false) => (Reason::DeletionStuck, "BucketDeletionStuck"),
        (false, true) => (Reason::Deleting, "DeletionAwaitsSite"),
        (false, false) => (Reason::Deleting, "BucketDeleting"),
    };
    finding(ConditionType::Ready, ConditionStatus::False, reason, sentence, &parameters([("what", what)]))
}

fn unreachable(kind: ConditionType, status: ConditionStatus) -> Finding {
    finding(kind, status, Reason::SiteUnreachable, "BucketSiteUnreachable", &Parameters::new())
}

fn troubled(kind: ConditionType, trouble: &Trouble) -> Finding {
    let (no, nothing) = (ConditionStatus::False, Parameters::new());
    match trouble {
        Trouble::Missing => finding(kind, no, Reason::EngineMissing, "BucketEngineMissing", &nothing),
        Trouble::Unreachable => unreachable(kind, no),
        Trouble::Lost => finding(kind, no, Reason::EngineError, "BucketLost", &nothing),
        Trouble::Class { code, class } => {
            finding(kind, no, Reason::EngineError, code, &parameters([("class", class.as_str())]))
        }
        Trouble::Fault(problem) => {
            finding(kind, no, Reason::EngineError, "EngineError", &parameters([("problem", problem.as_str())]))
        }
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
