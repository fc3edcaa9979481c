//! Status: what a volume's conditions say, computed from decisions and observations; written only where it differs.

use std::sync::Arc;

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{
    AttachmentState, CloudVolume, CloudVolumeStatus, ConditionStatus, ConditionType, DeletionProtection, LocalRef,
    Quantity, Reason, VolumeAttachment, condition::Finding,
};
use jiyun_ledger::{Claim, Meter, Refusal, RefusalCode};
use jiyun_messages::{Parameters, parameters};

use super::{attach::Attached, digest};
use crate::{
    conditions::{finding, merged, plain},
    content::{
        anew::Restoring,
        told::{self, Codes},
    },
    deleting,
    engines::cdi::DiskState,
    host::{
        change::Objection,
        rejection::Rejection,
        report::{decided_against, granted, in_parts, recorded, refused, rejected, sentence},
    },
    order::answer::Ordered,
    stored::approved::Approved,
};

/// How a volume stands.
#[derive(Clone, Debug)]
pub enum Standing {
    /// The wish is not valid, and nothing was ever granted.
    Rejected(Rejection),
    /// The ledger said no.
    Refused(Refusal),
    /// Nobody has said anything yet.
    Undecided(Reason),
    /// It is made where its host is, and that has no place yet.
    AwaitsHost(String),
    /// People have to agree, or did not.
    Ordered(Ordered),
    /// The ledger holds a claim.
    Admitted {
        /// The claim.
        claim: Arc<Claim>,
        /// What it was granted for.
        approved: Box<Approved>,
        /// What stands in the way of the wish as it is now; the volume stays as approved.
        objection: Option<Box<Objection>>,
        /// The engine's side.
        engine: Engine,
        /// Where it stands between hosts.
        attached: Box<Attached>,
    },
    /// The volume is being deleted.
    Ending {
        /// The claim, until it is released.
        claim: Arc<Claim>,
        /// What is waited for.
        waiting: Waiting,
        /// The host that still has it.
        attachment: Option<VolumeAttachment>,
    },
    /// The volume is being deleted, and the ledger does not know the claim that its status names.
    Unaccounted {
        /// What the status names.
        claim: String,
    },
}

/// What the end of a volume waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Nothing is deleted at the moment.
    Paused,
    /// What makes machines and disks is not installed.
    Engine,
    /// This host has to let go of it.
    Host(String),
    /// This has to disappear.
    For(String),
}

/// What the engine says.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    /// The disk; `None` before it exists.
    pub state: Option<DiskState>,
    /// Whether the disk was not seen to have its size yet.
    pub grows: bool,
    /// Why the engine could not be asked for what is wanted.
    pub problem: Option<String>,
    /// Whether the disk is gone, with what was on it.
    pub lost: bool,
    /// How far a restore is that is due.
    pub restoring: Option<Restoring>,
    /// Why the engine cannot be asked: its site cannot be reached, or it is not installed, or what the machines need is not.
    pub unasked: Option<Reason>,
}

impl Engine {
    /// Whether there is a disk that can be used.
    pub fn is_made(&self) -> bool {
        self.state == Some(DiskState::Filled) && !self.is_restored()
    }

    /// Whether it is being made anew.
    fn is_restored(&self) -> bool {
        self.restoring.as_ref().is_some_and(Restoring::is_under_way)
    }
}

impl Standing {
    /// Whether there is nothing to wait for but what calls by itself.
    pub fn is_settled(&self) -> bool {
        match self {
            Self::Admitted { objection, engine, attached, .. } => {
                let is_open = objection.as_deref().is_some_and(Objection::is_open);
                let is_restored = engine.restoring.as_ref().is_none_or(Restoring::is_over);
                let is_done = engine.is_made() && !engine.grows && is_restored;
                !is_open && is_done && engine.problem.is_none() && attached.is_settled()
            }
            Self::Refused(refusal) => {
                !matches!(refusal.code, RefusalCode::NoMatchingPool | RefusalCode::WaitingForCapacity)
            }
            Self::Ordered(ordered) => ordered.refusal.is_some(),
            Self::Rejected(_)
            | Self::Undecided(_)
            | Self::AwaitsHost(_)
            | Self::Ending { .. }
            | Self::Unaccounted { .. } => false,
        }
    }

    /// Whether something is under way that nobody tells us of.
    pub fn is_moving(&self) -> bool {
        match self {
            Self::Admitted { engine, attached, .. } => {
                let grows = engine.grows && engine.problem.is_none();
                let moves = engine.is_made() && (grows || (!attached.is_settled() && attached.is_moving()));
                // Nobody tells of volume claims that go, nor of hosts that let go of the disk.
                let begins = engine.restoring.as_ref().is_some_and(Restoring::awaits);
                moves || ((begins || engine.is_restored()) && engine.problem.is_none())
            }
            _ => false,
        }
    }
}

/// The status of `volume` given its standing.
pub fn status(volume: &CloudVolume, standing: &Standing, now: Timestamp) -> CloudVolumeStatus {
    let before = volume.status.clone().unwrap_or_default();
    let generation = volume.metadata.generation;
    // What was told before is evidence of who held what: a ledger that lost a claim is no reason to wipe it. It goes with
    // the object, after the claim was released. Nor does a host lose its volume for what is not known now.
    let mut status = CloudVolumeStatus {
        observed_generation: generation,
        spec_digest: Some(digest::of(&volume.spec)),
        claim_id: before.claim_id,
        storage_pool_ref: before.storage_pool_ref,
        attachment: before.attachment,
        serial: before.serial,
        granted_size: before.granted_size,
        restored: before.restored,
        deletion_protection: before.deletion_protection,
        ..CloudVolumeStatus::default()
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
        Standing::Undecided(reason) => undecided(*reason, &Parameters::new()),
        Standing::AwaitsHost(host) => undecided(Reason::AwaitingHost, &parameters([("host", host.as_str())])),
        Standing::Ordered(ordered) => {
            status.order_ref = Some(LocalRef::new(&ordered.order));
            status.refusal.clone_from(&ordered.refusal);
            vec![
                plain(ConditionType::Accepted, ConditionStatus::True, Reason::Valid),
                ordered.admitted(),
                plain(ready, no, Reason::NotAdmitted),
            ]
        }
        Standing::Admitted { claim, approved, objection, engine, attached } => {
            place(&mut status, claim);
            status.granted_size = Some(Quantity::from_mebibytes(approved.mebibytes));
            status.deletion_protection = approved.deletable.then_some(DeletionProtection::Disabled);
            status.restored = approved.restored.as_ref().map(|restored| restored.told(volume.spec.restore.as_ref()));
            status.refusal = objection.as_deref().and_then(decided_against);
            status.order_ref = objection.as_deref().and_then(Objection::order).map(LocalRef::new);
            status.attachment.clone_from(&attached.attachment);
            // The wish before where it is brought: what is wrong with it is the first thing to mend.
            let unreachable = attached.objection.clone().map(Objection::Invalid);
            let objection = objection.as_deref().or(unreachable.as_ref());
            let accepted = told::accepted(objection, engine.restoring.as_ref());
            vec![accepted, granted(claim), provisioned(engine), readiness(engine, attached)]
        }
        Standing::Ending { claim, waiting, attachment } => {
            place(&mut status, claim);
            status.attachment.clone_from(attachment);
            let told = match waiting {
                Waiting::Paused => finding(ready, no, Reason::Quarantined, "VolumeDeletionPaused", &Parameters::new()),
                Waiting::Engine => unasked(ready, Reason::EngineMissing),
                Waiting::Host(host) => {
                    let reason = deleting::reason(&volume.metadata, claim.billable_until, now);
                    finding(ready, no, reason, "VolumeInUse", &parameters([("host", host.as_str())]))
                }
                Waiting::For(what) => deleting::waits(&volume.metadata, claim.billable_until, what, now),
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

fn undecided(reason: Reason, about: &Parameters) -> Vec<Finding> {
    vec![
        plain(ConditionType::Accepted, ConditionStatus::True, Reason::Valid),
        finding(ConditionType::Admitted, ConditionStatus::Unknown, reason, sentence(reason), about),
        plain(ConditionType::Ready, ConditionStatus::False, Reason::NotAdmitted),
    ]
}

fn place(status: &mut CloudVolumeStatus, claim: &Claim) {
    status.claim_id = Some(claim.id.to_string());
    // The guest may know it by this one, whatever claim it is booked under since.
    status.serial = status.serial.take().or_else(|| Some(claim.id.to_string()));
    status.storage_pool_ref = claim.pool_of(Meter::BlockStorage).map(|pool| LocalRef::new(pool.name()));
}

fn provisioned(engine: &Engine) -> Finding {
    let (kind, no) = (ConditionType::Provisioned, ConditionStatus::False);
    if let Some(why) = engine.unasked {
        return unasked(kind, why);
    }
    if let Some(told) = fault(engine, kind).or_else(|| restored(engine, kind)) {
        return told;
    }
    if !engine.is_made() {
        let about = parameters([("state", word(engine))]);
        return finding(kind, no, Reason::Provisioning, "VolumeProvisioning", &about);
    }
    if engine.grows {
        return finding(kind, no, Reason::Resizing, "VolumeResizing", &Parameters::new());
    }
    finding(kind, ConditionStatus::True, Reason::Provisioned, "VolumeProvisioned", &Parameters::new())
}

fn readiness(engine: &Engine, attached: &Attached) -> Finding {
    let (kind, yes, no) = (ConditionType::Ready, ConditionStatus::True, ConditionStatus::False);
    if let Some(why) = engine.unasked {
        return unasked(kind, why);
    }
    if !engine.is_made() {
        if let Some(told) = fault(engine, kind).or_else(|| restored(engine, kind)) {
            return told;
        }
        return finding(kind, no, Reason::Provisioning, "VolumeProvisioning", &parameters([("state", word(engine))]));
    }
    if let Some(told) = restored(engine, kind) {
        return told;
    }
    if attached.paused && !attached.is_settled() {
        return finding(kind, no, Reason::Quarantined, "VolumeMovesPaused", &Parameters::new());
    }
    let Some(VolumeAttachment { host, state }) = &attached.attachment else {
        return match (&attached.wished, &attached.awaited) {
            (None, None) => finding(kind, yes, Reason::Available, "VolumeAvailable", &Parameters::new()),
            (Some(host), _) => {
                finding(kind, no, Reason::Attaching, "VolumeAttaching", &parameters([("host", host.as_str())]))
            }
            (None, Some(host)) => {
                finding(kind, no, Reason::Attaching, "VolumeAwaitsHost", &parameters([("host", host.as_str())]))
            }
        };
    };
    if let Some(wished) = attached.awaited.as_deref() {
        let about = parameters([("host", host.as_str()), ("wished", wished)]);
        return finding(kind, no, Reason::Attaching, "VolumeStays", &about);
    }
    let about = parameters([("host", host.as_str())]);
    match state {
        AttachmentState::Attaching if attached.archived => {
            finding(kind, no, Reason::Attaching, "VolumeOfArchivedHost", &about)
        }
        AttachmentState::Attached => finding(kind, yes, Reason::Attached, "VolumeAttached", &about),
        AttachmentState::Attaching => finding(kind, no, Reason::Attaching, "VolumeAttaching", &about),
        AttachmentState::AttachedAtRestart => finding(kind, no, Reason::Attaching, "VolumeAttachedAtRestart", &about),
        AttachmentState::Detaching => finding(kind, no, Reason::Detaching, "VolumeDetaching", &about),
        AttachmentState::DetachedAtRestart => finding(kind, no, Reason::Detaching, "VolumeDetachedAtRestart", &about),
    }
}

/// Of an engine that cannot be asked.
fn unasked(kind: ConditionType, why: Reason) -> Finding {
    let (status, code) = match (why, kind) {
        // Whether there is a disk is not known now.
        (Reason::SiteUnreachable, ConditionType::Provisioned) => (ConditionStatus::Unknown, "VolumeSiteUnreachable"),
        (Reason::SiteUnreachable, _) => (ConditionStatus::False, "VolumeSiteUnreachable"),
        (why, _) => (ConditionStatus::False, sentence(why)),
    };
    finding(kind, status, why, code, &Parameters::new())
}

/// What is said of a restore.
fn restored(engine: &Engine, kind: ConditionType) -> Option<Finding> {
    let codes = Codes { awaits: "VolumeRestoreAwaits", under_way: "VolumeRestoring" };
    told::found(kind, engine.restoring.as_ref(), codes)
}

/// The engine's fault, if it has one.
fn fault(engine: &Engine, kind: ConditionType) -> Option<Finding> {
    let no = ConditionStatus::False;
    if engine.lost {
        return Some(finding(kind, no, Reason::EngineError, "VolumeLost", &Parameters::new()));
    }
    let failed = match &engine.state {
        // No image is fetched for it: whatever it comes to for a host, here it is the engine's word.
        Some(DiskState::Failed(fault)) => Some(&fault.word),
        _ => None,
    };
    let problem = engine.problem.as_ref().or(failed)?;
    Some(finding(kind, no, Reason::EngineError, "EngineError", &parameters([("problem", problem.as_str())])))
}

fn word(engine: &Engine) -> String {
    match &engine.state {
        Some(DiskState::Filling(word)) => word.clone(),
        Some(DiskState::Failed(fault)) => fault.word.clone(),
        Some(DiskState::Filled) | None => "-".to_owned(),
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
