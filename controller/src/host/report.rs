//! Status: what a host's conditions say, computed from decisions and observations; written only where it differs.

mod worth;

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use jiyun_crds::{
    date_time::DateTime,
    v1alpha1::{
        CloudHost, CloudHostStatus, ConditionStatus, ConditionType, DeletionProtection, HostGrant, HostRefusal,
        LocalRef, Quantity, Reason, RefusalParameter, condition::Finding,
    },
};
use jiyun_ledger::{Claim, Meter, Refusal, RefusalCode};
use jiyun_messages::{Parameters, parameters};

use super::{approved::Approved, change::Objection, lease, rejection::Rejection};
use crate::{
    conditions::{finding, merged, plain},
    content::{
        anew::Restoring,
        told::{self, Codes},
    },
    deleting,
    engines::{cdi::DiskState, fault::Fault, kubevirt::MachineState, order::Power},
    order::answer::Ordered,
};

pub use worth::{PATIENCE_SECONDS, is_fault_over, is_importing, is_progress, is_recent, is_young, worth_writing};

/// How a host stands with the ledger.
#[derive(Clone, Debug)]
pub enum Standing {
    /// The wish is not valid, and nothing was ever granted.
    Rejected(Rejection),
    /// The ledger said no.
    Refused(Refusal),
    /// The ledger has not said anything yet.
    Undecided(Reason),
    /// People have to agree, or did not.
    Ordered(Ordered),
    /// The ledger holds a claim.
    Admitted {
        /// The claim.
        claim: Arc<Claim>,
        /// What it was granted for.
        approved: Box<Approved>,
        /// What stands in the way of the wish as it is now; the machine stays as approved.
        objection: Option<Box<Objection>>,
        /// The engines' side.
        engines: Box<Engines>,
        /// What it does without while it is stopped.
        parked: Parked,
        /// How its lease stands, if it has one.
        lease: Option<Box<lease::Standing>>,
    },
    /// The host is being deleted.
    Ending {
        /// The claim, until it is released.
        claim: Arc<Claim>,
        /// What still has to disappear; nothing is deleted at the moment where that is `None`.
        waiting_for: Option<String>,
    },
    /// The host is being deleted, and the ledger does not know the claim that its status names.
    Unaccounted {
        /// What the status names.
        claim: String,
    },
}

/// What a stopped host has given back.
#[derive(Clone, Debug, Default)]
pub struct Parked {
    /// What its claim was granted and does not hold.
    pub without: BTreeSet<Meter>,
    /// Why it may not have that back, though it is to run.
    pub kept_off: Option<Refusal>,
}

impl Parked {
    /// What the claim is without, for a message.
    fn meters(&self) -> Parameters {
        let meters: Vec<String> = self.without.iter().map(ToString::to_string).collect();
        parameters([("meters", meters.join(", "))])
    }
}

/// What the engines say.
#[derive(Clone, Debug)]
pub struct Engines {
    /// The system disk; `None` before it exists.
    pub disk: Option<DiskState>,
    /// The machine; `None` before it exists.
    pub machine: Option<MachineState>,
    /// Whether it is to run.
    pub power: Power,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// When what runs was started.
    pub started_at: Option<Timestamp>,
    /// Whether it was restarted just now.
    pub restarted: bool,
    /// How far a restore of its disk is that is due.
    pub restoring: Option<Restoring>,
    /// Why the engines could not be asked for what is wanted.
    pub problem: Option<Fault>,
    /// Whether the machine is not made because the network it is to lie in is not ready.
    pub awaits_network: bool,
    /// What the department has to mend before the machine can be made.
    pub awaits_mending: Option<Box<Rejection>>,
    /// Whether nothing had to be done: what is seen is not from before our own request.
    pub untouched: bool,
    /// How far they are with the size that was granted.
    pub sizing: Sizing,
}

/// How far engines are with the size that was granted.
#[derive(Clone, Debug, Default)]
pub struct Sizing {
    /// Whether the machine was started as it is declared now.
    pub as_declared: bool,
    /// Whether the machine runs with another size until it is started anew.
    pub restart_pending: bool,
    /// Whether the disk was not seen to have its size yet.
    pub disk_grows: bool,
    /// Why its volume cannot grow, if an engine refused it.
    pub disk_stuck: Option<Box<str>>,
}

impl Engines {
    /// Engines that cannot be asked, for this reason.
    pub fn unknown(power: Power, why: Reason) -> Self {
        Self {
            disk: None,
            machine: None,
            power,
            addresses: Vec::new(),
            started_at: None,
            restarted: false,
            restoring: None,
            problem: Some(Fault::new(why, why.as_str())),
            awaits_network: false,
            awaits_mending: None,
            untouched: true,
            sizing: Sizing::default(),
        }
    }

    /// Whether the machine does what was asked, and nothing that was asked of its engines was refused: with that its
    /// department begins to pay, and not for what it reads is faulty.
    pub fn is_usable(&self) -> bool {
        self.settled() && self.problem.is_none()
    }

    /// Whether its disk is being made anew, or about to be.
    pub fn is_restored(&self) -> bool {
        self.restoring.as_ref().is_some_and(|restoring| restoring.awaits() || restoring.is_under_way())
    }

    /// Whether there is no machine since its disk cannot be made, or fails.
    pub fn awaits_disk(&self) -> bool {
        self.machine.is_none() && matches!(self.disk, Some(DiskState::Filling(_) | DiskState::Failed(_)))
    }

    /// Whether the machine does what was asked.
    pub fn settled(&self) -> bool {
        let is_under_way = self.restoring.as_ref().is_some_and(Restoring::is_under_way);
        self.disk == Some(DiskState::Filled)
            && !is_under_way
            && matches!(
                (self.power, &self.machine),
                (Power::On, Some(MachineState::Running)) | (Power::Off, Some(MachineState::Stopped))
            )
    }
}

/// The status of `host` given its standing.
pub fn status(host: &CloudHost, digest: Option<String>, standing: &Standing, now: Timestamp) -> CloudHostStatus {
    let before = host.status.clone().unwrap_or_default();
    let generation = host.metadata.generation;
    let mut status = CloudHostStatus { observed_generation: generation, spec_digest: digest, ..Default::default() };
    // What was told before is evidence of who held what: a ledger that lost a claim is no reason to wipe it. It goes with
    // the object, after the claim was released.
    status.claim_id = before.claim_id;
    status.pool_ref = before.pool_ref;
    status.storage_pool_ref = before.storage_pool_ref;
    status.granted = before.granted;
    status.granted_at = before.granted_at;
    status.ready_at = before.ready_at;
    status.restarted_for = before.restarted_for;
    status.restored = before.restored;
    status.deletion_protection = before.deletion_protection;
    let findings = match standing {
        Standing::Rejected(rejection) => {
            status.refusal = Some(objected(rejection));
            rejected(rejection)
        }
        Standing::Refused(refusal) => {
            status.refusal = Some(recorded(refusal));
            refused(refusal)
        }
        Standing::Undecided(reason) => {
            status.addresses = before.addresses;
            status.started_at = before.started_at;
            let (admitted, nothing) = (ConditionType::Admitted, Parameters::new());
            vec![
                plain(ConditionType::Accepted, ConditionStatus::True, Reason::Valid),
                finding(admitted, ConditionStatus::Unknown, *reason, sentence(*reason), &nothing),
                plain(ConditionType::Ready, ConditionStatus::False, Reason::NotAdmitted),
            ]
        }
        Standing::Ordered(ordered) => {
            status.order_ref = Some(LocalRef::new(&ordered.order));
            status.refusal.clone_from(&ordered.refusal);
            asked_for(ordered)
        }
        Standing::Admitted { claim, approved, objection, engines, parked, lease } => {
            place(&mut status, claim);
            status.addresses.clone_from(&engines.addresses);
            status.started_at = engines.started_at.map(DateTime::from);
            if engines.restarted {
                status.restarted_for.clone_from(&host.spec.restart_requested_at);
            }
            status.restored = approved.restored.as_ref().map(|restored| restored.told(host.spec.restore.as_ref()));
            status.granted = Some(grant(approved));
            status.deletion_protection = approved.deletable.then_some(DeletionProtection::Disabled);
            let kept_off = || parked.kept_off.as_ref().filter(|_| engines.power == Power::Off).map(recorded);
            status.refusal = objection.as_deref().and_then(decided_against).or_else(kept_off);
            status.order_ref = objection.as_deref().and_then(Objection::order).map(LocalRef::new);
            status.lease = lease.as_ref().map(|lease| lease.status.clone());
            let accepted = told::accepted(objection.as_deref(), engines.restoring.as_ref());
            let mut found = vec![accepted, granted(claim), provisioned(engines, approved), ready(engines, parked)];
            if let Some(over) = lease.as_deref().filter(|lease| lease.is_over()) {
                lease::findings(over, engines.machine.as_ref(), &mut found);
            }
            found
        }
        Standing::Ending { claim, waiting_for } => {
            place(&mut status, claim);
            status.lease = before.lease.map(lease::released);
            let (ready, no) = (ConditionType::Ready, ConditionStatus::False);
            let told = match waiting_for {
                Some(what) => deleting::waits(&host.metadata, claim.billable_until, what, now),
                None => finding(ready, no, Reason::Quarantined, "DeletionPaused", &Parameters::new()),
            };
            vec![granted(claim), told]
        }
        Standing::Unaccounted { claim } => {
            let about = parameters([("claim", claim.as_str())]);
            let (ready, no) = (ConditionType::Ready, ConditionStatus::False);
            vec![finding(ready, no, Reason::UnknownClaim, Reason::UnknownClaim.as_str(), &about)]
        }
    };
    status.conditions = merged(&before.conditions, findings, generation, now);
    status
}

/// What is told of a wish that is not valid.
pub fn rejected(rejection: &Rejection) -> Vec<Finding> {
    vec![
        accepted(Some(rejection)),
        plain(ConditionType::Admitted, ConditionStatus::False, Reason::Undecided),
        plain(ConditionType::Ready, ConditionStatus::False, Reason::NotAdmitted),
    ]
}

/// Whether a wish makes sense as it is now.
pub fn accepted(objection: Option<&Rejection>) -> Finding {
    match objection {
        None => plain(ConditionType::Accepted, ConditionStatus::True, Reason::Valid),
        Some(Rejection { reason, code, parameters }) => {
            finding(ConditionType::Accepted, ConditionStatus::False, *reason, code, parameters)
        }
    }
}

/// Condition `Accepted` of what was granted and is to be changed.
pub fn objected_to(objection: Option<&Objection>) -> Finding {
    let (kind, no) = (ConditionType::Accepted, ConditionStatus::False);
    match objection {
        None => accepted(None),
        Some(Objection::Invalid(rejection)) => accepted(Some(rejection)),
        Some(Objection::Ordered(ordered)) => ordered.accepted(),
        Some(Objection::Refused(refusal)) => {
            let HostRefusal { code, .. } = recorded(refusal);
            let sentence = jiyun_messages::refusal_code(&code, &refusal.parameters);
            // Whoever stands in line is not decided against.
            let decided = match refusal.code {
                RefusalCode::WaitingForCapacity => ConditionStatus::Unknown,
                _ => no,
            };
            finding(kind, decided, reason(refusal.code), sentence, &refusal.parameters)
        }
        Some(Objection::Undecided(reason)) => plain(kind, ConditionStatus::Unknown, *reason),
    }
}

/// Why a change is not granted, for programs.
pub fn decided_against(objection: &Objection) -> Option<HostRefusal> {
    match objection {
        Objection::Refused(refusal) => Some(recorded(refusal)),
        Objection::Ordered(ordered) => ordered.refusal.clone(),
        Objection::Invalid(_) | Objection::Undecided(_) => None,
    }
}

/// What was granted, as the object tells it.
fn grant(approved: &Approved) -> HostGrant {
    HostGrant { class: approved.class.clone(), system_disk_size: Quantity::from_mebibytes(approved.disk_mebibytes) }
}

/// What is told of a wish that the ledger refused.
pub fn refused(refusal: &Refusal) -> Vec<Finding> {
    let HostRefusal { code, .. } = recorded(refusal);
    let sentence = jiyun_messages::refusal_code(&code, &refusal.parameters);
    // Whoever stands in line is not decided against.
    let decided = match refusal.code {
        RefusalCode::WaitingForCapacity => ConditionStatus::Unknown,
        _ => ConditionStatus::False,
    };
    vec![
        plain(ConditionType::Accepted, ConditionStatus::True, Reason::Valid),
        finding(ConditionType::Admitted, decided, reason(refusal.code), sentence, &refusal.parameters),
        plain(ConditionType::Ready, ConditionStatus::False, Reason::NotAdmitted),
    ]
}

/// A host that people decide about, or decided against.
fn asked_for(ordered: &Ordered) -> Vec<Finding> {
    vec![
        plain(ConditionType::Accepted, ConditionStatus::True, Reason::Valid),
        ordered.admitted(),
        plain(ConditionType::Ready, ConditionStatus::False, Reason::NotAdmitted),
    ]
}

/// The condition's reason for a refusal: the same word.
pub fn reason(code: RefusalCode) -> Reason {
    match code {
        RefusalCode::ExceedsLimit => Reason::ExceedsLimit,
        RefusalCode::PoolExhausted => Reason::PoolExhausted,
        RefusalCode::WaitingForCapacity => Reason::WaitingForCapacity,
        RefusalCode::NoMatchingPool => Reason::NoMatchingPool,
        RefusalCode::UnknownAccount => Reason::UnknownAccount,
        RefusalCode::Quarantined => Reason::Quarantined,
        RefusalCode::AccountClosed => Reason::AccountClosed,
    }
}

/// A refusal as objects keep it.
pub fn recorded(refusal: &Refusal) -> HostRefusal {
    in_parts(refusal.code.to_string(), &refusal.parameters)
}

fn objected(rejection: &Rejection) -> HostRefusal {
    in_parts(rejection.code.to_owned(), &rejection.parameters)
}

/// The code with its parameters, so that whoever reads it can say it in another language.
pub fn in_parts(code: String, parameters: &Parameters) -> HostRefusal {
    let part = |(name, value): (&String, &String)| RefusalParameter {
        name: name.clone(),
        // The schema's bound: a longer value would keep the whole status from being written.
        value: value.chars().take(1024).collect(),
    };
    HostRefusal { code, parameters: parameters.iter().map(part).collect() }
}

fn place(status: &mut CloudHostStatus, claim: &Claim) {
    let pool = |meter| claim.pool_of(meter).map(|pool| LocalRef::new(pool.name()));
    status.claim_id = Some(claim.id.to_string());
    status.pool_ref = pool(Meter::Hosts);
    status.storage_pool_ref = pool(Meter::BlockStorage);
    // The ledger's times: a status that is made again says the same. Of a claim that it had lost it knows only since when it
    // was booked again, and what was told before is older.
    let told = |before: Option<DateTime>| before.filter(|_| claim.adopted);
    status.granted_at = told(status.granted_at.take()).or_else(|| claim.granted_at().map(DateTime::from));
    status.ready_at = told(status.ready_at.take()).or_else(|| claim.billable_from.map(DateTime::from));
}

/// What is told of a wish that was granted.
pub fn granted(claim: &Claim) -> Finding {
    let about = parameters([("claim", claim.id.to_string())]);
    finding(ConditionType::Admitted, ConditionStatus::True, Reason::Granted, "Granted", &about)
}

fn provisioned(engines: &Engines, approved: &Approved) -> Finding {
    let kind = ConditionType::Provisioned;
    if let Some(fault) = fault(engines) {
        return faulty(kind, fault, engines);
    }
    if let Some(told) = restored(engines, kind) {
        return told;
    }
    if engines.awaits_network {
        return plain(kind, ConditionStatus::False, Reason::NetworkNotReady);
    }
    if let Some(Rejection { reason, code, parameters }) = engines.awaits_mending.as_deref() {
        return finding(kind, ConditionStatus::False, *reason, code, parameters);
    }
    if let Some(problem) = &engines.sizing.disk_stuck {
        // The machine runs on with the disk it has.
        let about = parameters([("problem", &**problem)]);
        return finding(kind, ConditionStatus::False, Reason::EngineError, "EngineError", &about);
    }
    match (&engines.disk, &engines.machine) {
        (Some(DiskState::Filled), Some(_)) if engines.sizing.disk_grows => {
            let size = Quantity::from_mebibytes(approved.disk_mebibytes);
            let about = parameters([("size", size.as_str())]);
            finding(kind, ConditionStatus::True, Reason::Resizing, Reason::Resizing.as_str(), &about)
        }
        (Some(DiskState::Filled), Some(_)) if engines.sizing.restart_pending => {
            let about = parameters([("class", approved.class.as_str())]);
            finding(kind, ConditionStatus::True, Reason::RestartPending, Reason::RestartPending.as_str(), &about)
        }
        (Some(DiskState::Filled), Some(_)) => plain(kind, ConditionStatus::True, Reason::Provisioned),
        (disk, machine) => {
            let disk = match disk {
                None => "-".to_owned(),
                Some(DiskState::Filled) => "Succeeded".to_owned(),
                Some(DiskState::Filling(how)) => how.clone(),
                Some(DiskState::Failed(fault)) => fault.word.clone(),
            };
            let about = parameters([("disk", disk), ("machine", word(machine.as_ref()))]);
            finding(kind, ConditionStatus::False, Reason::Provisioning, "Provisioning", &about)
        }
    }
}

/// What is said of a restore.
fn restored(engines: &Engines, kind: ConditionType) -> Option<Finding> {
    let codes = Codes { awaits: "RestoreAwaitsStop", under_way: Reason::Restoring.as_str() };
    told::found(kind, engines.restoring.as_ref(), codes)
}

fn fault(engines: &Engines) -> Option<&Fault> {
    match (&engines.problem, &engines.disk, &engines.machine) {
        (Some(fault), _, _)
        | (None, Some(DiskState::Failed(fault)), _)
        // While its disk is still being filled, KubeVirt calls a machine unschedulable or its volume missing: it waits.
        | (None, Some(DiskState::Filled), Some(MachineState::Failed(fault))) => Some(fault),
        _ => None,
    }
}

/// What is said of a fault: its reason, what that means, and who can do what about it.
fn faulty(kind: ConditionType, fault: &Fault, engines: &Engines) -> Finding {
    let about = parameters([("problem", fault.word.as_str())]);
    let (status, sentence) = match (fault.reason, kind) {
        // Whether anything of it exists is not known now.
        (Reason::SiteUnreachable, ConditionType::Provisioned) => (ConditionStatus::Unknown, "HostSiteUnreachable"),
        (Reason::SiteUnreachable, _) => (ConditionStatus::False, "HostSiteUnreachable"),
        // An image of the engine's own: the host has its disk, and whoever deletes it loses that for nothing.
        (Reason::ImageUnavailable, _) if engines.disk == Some(DiskState::Filled) => {
            (ConditionStatus::False, "EngineImageUnavailable")
        }
        (reason, _) => (ConditionStatus::False, self::sentence(reason)),
    };
    finding(kind, status, fault.reason, sentence, &about)
}

/// The code of the sentence that says this reason of a host or a volume.
pub fn sentence(reason: Reason) -> &'static str {
    match reason {
        Reason::EngineMissing => "MachineEngineMissing",
        reason => reason.as_str(),
    }
}

fn ready(engines: &Engines, parked: &Parked) -> Finding {
    let kind = ConditionType::Ready;
    if let Some(refusal) = parked.kept_off.as_ref().filter(|_| engines.power == Power::Off) {
        let code = refusal.code.to_string();
        let sentence = jiyun_messages::refusal_code(&code, &refusal.parameters);
        return finding(kind, ConditionStatus::False, reason(refusal.code), sentence, &refusal.parameters);
    }
    // A machine that runs while what was granted last could not be applied to it does not do what was asked.
    if let Some(fault) = fault(engines) {
        return faulty(kind, fault, engines);
    }
    if let Some(told) = restored(engines, kind) {
        return told;
    }
    if engines.awaits_network {
        return plain(kind, ConditionStatus::False, Reason::NetworkNotReady);
    }
    if let Some(Rejection { reason, code, parameters }) = engines.awaits_mending.as_deref() {
        return finding(kind, ConditionStatus::False, *reason, code, parameters);
    }
    match (engines.power, &engines.machine) {
        (Power::Off, Some(MachineState::Stopped)) if !parked.without.is_empty() => {
            finding(kind, ConditionStatus::True, Reason::Stopped, "StoppedReleased", &parked.meters())
        }
        (Power::On, Some(MachineState::Running)) if parked.kept_off.is_some() => {
            finding(kind, ConditionStatus::True, Reason::Running, "RunningUnbooked", &parked.meters())
        }
        (Power::On, Some(MachineState::Running)) => plain(kind, ConditionStatus::True, Reason::Running),
        (Power::Off, Some(MachineState::Stopped)) => plain(kind, ConditionStatus::True, Reason::Stopped),
        (power, machine) => {
            let about: Parameters = parameters([("machine", word(machine.as_ref()))]);
            let reason = match power {
                Power::On => Reason::Starting,
                Power::Off => Reason::Stopping,
            };
            finding(kind, ConditionStatus::False, reason, reason.as_str(), &about)
        }
    }
}

fn word(machine: Option<&MachineState>) -> String {
    match machine {
        None => "-".to_owned(),
        Some(MachineState::Running) => "Running".to_owned(),
        Some(MachineState::Stopped) => "Stopped".to_owned(),
        Some(MachineState::Changing(word)) => word.clone(),
        Some(MachineState::Failed(fault)) => fault.word.clone(),
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
