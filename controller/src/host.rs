//! Cloud hosts (云主机): dereference, validate, ask the ledger, drive the engines, report.
//!
//! Nothing is made before a claim is granted; nothing is given back before it is gone. The ledger's answer and the
//! claim's approved spec decide; the wish only asks.

pub mod ahead;
pub mod approved;
pub mod change;
pub mod digest;
mod drive;
pub mod ending;
pub mod engine;
pub mod found;
pub mod handed;
pub mod lease;
pub mod pace;
mod parking;
pub mod plan;
pub mod rejection;
pub mod report;
pub mod request;
pub mod resize;
pub mod restart;
mod restore;
mod run;
mod shelf;
pub mod steps;
pub mod timing;
pub mod user_data;
pub mod valid;
mod volumes;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use jiyun_crds::{
    names,
    v1alpha1::{CloudHost, CloudHostStatus, OrderAction, Power as WishedPower, Reason},
};
use jiyun_ledger::{Claim, ClaimStage, Decision, LedgerError, Meter, Refusal, RefusalCode, RequestError};
pub use jiyun_ledger::{label_of, labelled};
use kube::{Api, ResourceExt, runtime::controller::Action};
use tracing::{info, warn};

use self::{
    approved::Approved,
    change::Objection,
    report::{Engines, Parked, Standing},
    valid::Valid,
};
use crate::{
    catalogue::lookup,
    claimed::{ON_ITS_WAY, disputed, is_taken, may_come, standing_refusal, wake_order},
    claims::{leave_line, open_claim, ordered_by},
    content::{
        self,
        anew::Restoring,
        restorable::{self, Settled},
        restoring,
    },
    context::{Context, NOT_LISTED},
    engines::{kubevirt, order::Power},
    error::ReconcileError,
    networks,
    order::{
        self,
        answer::Ordered,
        filing,
        route::{self, Route},
    },
    site::SiteEngines,
};

pub use ending::dismantle;
pub use parking::protection_level;
pub use run::{Triggers, run};

/// When a wish that names something missing, or was not decided, is looked at again.
const UNSETTLED: Duration = Duration::from_secs(20);

/// When a disk that grows is looked at again: nobody tells us how far it is.
const SOON: Duration = Duration::from_secs(5);

/// When a host at work is looked at again whatever happened.
const SETTLED: Duration = Duration::from_mins(10);

/// Brings one host a step on.
///
/// # Errors
/// What did not work; the host is tried again.
pub async fn reconcile(host: &CloudHost, context: &Context) -> Result<Action, ReconcileError> {
    let (host, looked) = (&*context.unseen_hosts.freshest(host), Timestamp::now());
    if host.metadata.deletion_timestamp.is_some() {
        return ending::reconcile(host, context).await;
    }
    let valid = match valid::validate(host, &found::dereference(host, context)) {
        Ok(valid) => ahead::check(host, context).await?.map(|()| valid),
        Err(rejection) => Err(rejection),
    };
    // What is only held is the order's business; the host has nothing yet.
    let granted = |claim: &Arc<Claim>| !matches!(claim.stage(), ClaimStage::Ending | ClaimStage::Held);
    let held = open_claim(host, context).filter(granted);
    if held.is_none()
        && let Some(reason) = handed::over(host, context)
    {
        // Most are through in a moment: nobody reads what is said meanwhile.
        let silent = report::is_young(&host.metadata, looked) && host.status.is_none();
        let patience = Duration::from_secs(report::PATIENCE_SECONDS.unsigned_abs());
        return if silent {
            Ok(Action::requeue(patience))
        } else {
            report(host, &Standing::Undecided(reason), looked, context).await
        };
    }
    let is_engine_missing = engine::is_missing(context);
    if held.is_some() && !context.engines_listed.is_open() && !is_engine_missing {
        // A machine not listed yet would be taken for missing and applied again. Decisions and endings need no list.
        return Ok(Action::requeue(NOT_LISTED));
    }
    if held.is_none() && may_come(host, valid.as_ref().err(), Timestamp::now()) {
        return Ok(Action::requeue(ON_ITS_WAY));
    }
    let own_network = valid.as_ref().is_ok_and(|valid| valid.approved.subnet.is_some());
    if held.is_none() && own_network && !networks::is_known(context) {
        // Who stands in line must not lose the place because subnets are not read yet.
        return Ok(Action::requeue(NOT_LISTED));
    }
    if valid.is_err() && held.is_none() {
        leave_line(host, context).await?;
    }
    if !context.orders_listed.is_open() || !context.policies_listed.is_open() {
        // What decides it, a change of it or the end of its lease may only not be read yet.
        return Ok(Action::requeue(NOT_LISTED));
    }
    let standing = match (valid, held) {
        (Ok(valid), None) => Box::pin(ask(host, valid, context)).await?,
        (Err(rejection), None) => Standing::Rejected(rejection),
        (valid, Some(claim)) => {
            let (claim, objection) = change::settle(host, claim, valid, context).await?;
            if is_engine_missing {
                without_engine(host, claim, objection, context).await?
            } else {
                serve(host, claim, objection, context).await?
            }
        }
    };
    let order = match &standing {
        Standing::Ordered(ordered) => Some(ordered.order.clone()),
        Standing::Admitted { claim, .. } => ordered_by(claim),
        _ => None,
    };
    let action = report(host, &standing, looked, context).await?;
    wake_order(host, order.as_deref(), context);
    Ok(action)
}

/// Puts a valid wish to the ledger, unless this very wish was refused before: a refusal stands until the wish is
/// edited, or GitOps would ask again for ever.
async fn ask(host: &CloudHost, valid: Valid, context: &Context) -> Result<Standing, ReconcileError> {
    let is_held = open_claim(host, context).is_some_and(|claim| claim.stage() == ClaimStage::Held);
    if let Some(claim) = disputed(host, context).filter(|_| !is_held) {
        warn!(
            host.namespace = host.namespace(),
            host.name = host.name_any(),
            claim,
            "object and ledger disagree about a claim; nothing is granted until somebody has looked (ledger adopt)"
        );
        context.metrics.unknown_claim();
        return Ok(Standing::Undecided(Reason::AdoptionNeeded));
    }
    if !is_held && is_taken(host, context) {
        return Ok(Standing::Undecided(Reason::Undecided));
    }
    if let Some(rejection) = handed::name_in_use(host, context) {
        return Ok(Standing::Rejected(rejection));
    }
    if let Some(refusal) = standing_refusal(host, &valid.digest) {
        return Ok(Standing::Refused(refusal));
    }
    if !is_held && engine::is_missing(context) {
        // Nothing is set aside for what nobody can make.
        leave_line(host, context).await?;
        return Ok(Standing::Undecided(Reason::EngineMissing));
    }
    if !is_held && !networks::is_ready(valid.approved.subnet.as_deref(), context) {
        // Nothing is set aside for a machine that cannot be put anywhere.
        leave_line(host, context).await?;
        return Ok(Standing::Undecided(Reason::NetworkNotReady));
    }
    let mut valid = valid;
    let action = OrderAction::Create;
    let route = route::of(host, &valid.digest, action, valid.asked(action), context);
    if !matches!(route, Route::Automatic(_)) {
        // Whoever waits for people does not stand in line: those behind would wait for them too.
        leave_line(host, context).await?;
    }
    let only_within_guaranteed = match route {
        Route::Automatic(_) if is_held => return Ok(Standing::Undecided(Reason::Undecided)),
        Route::Automatic(passed) => {
            valid.approved.policies = passed.policies;
            passed.only_within_guaranteed
        }
        Route::Order(order, phase) => {
            return Ok(Ordered::by(&order, phase).map_or(Standing::Undecided(Reason::Undecided), Standing::Ordered));
        }
        Route::Awaited(order) => {
            return Ok(Standing::Ordered(Ordered::awaited(order)));
        }
        Route::File(name) => {
            return Ok(Standing::Ordered(filing::file(host, name, action, context).await?));
        }
    };
    let asked = request::claim_request(host, &valid)?;
    let decision = if only_within_guaranteed {
        match context.ledger.decide_within_guaranteed(asked).await {
            // Others asked in the same moment: asked again, it is for people.
            Err(LedgerError::Request(RequestError::BeyondGuaranteed { .. })) => {
                leave_line(host, context).await?;
                return Ok(Standing::Undecided(Reason::Undecided));
            }
            decision => decision?,
        }
    } else {
        context.ledger.decide(asked).await?
    };
    match decision {
        Decision::Granted { claim, existing, .. } => {
            if !existing {
                context.metrics.decided("Granted");
                timing::decided(host, &claim, &context.metrics);
                info!(
                    host.namespace = host.namespace(),
                    host.name = host.name_any(),
                    claim = %claim.id,
                    pool = claim.pool_of(Meter::Hosts).map(ToString::to_string),
                    "granted"
                );
            }
            serve(host, claim, None, context).await
        }
        Decision::Refused(refusal) => {
            note_refusal(host, "the wish", &refusal, context);
            Ok(match refusal.code {
                // Not decisions on the wish: the book is being checked, or the department is not booked yet.
                RefusalCode::Quarantined => Standing::Undecided(Reason::Quarantined),
                RefusalCode::UnknownAccount => Standing::Undecided(Reason::Undecided),
                RefusalCode::ExceedsLimit
                | RefusalCode::PoolExhausted
                | RefusalCode::WaitingForCapacity
                | RefusalCode::NoMatchingPool
                | RefusalCode::AccountClosed => Standing::Refused(refusal),
            })
        }
    }
}

/// Counts a refusal, and tells operators of what and why; they alone see which pool refused it.
fn note_refusal(host: &CloudHost, what: &str, refusal: &Refusal, context: &Context) {
    context.metrics.decided(refusal.code.into());
    context.writer.trail().refused(host, what, refusal);
    info!(
        host.namespace = host.namespace(),
        host.name = host.name_any(),
        what,
        code = %refusal.code,
        parameters = ?refusal.parameters,
        report = %serde_json::to_string(&refusal.report).unwrap_or_default(),
        "refused"
    );
}

/// A host with a claim where what makes machines is not installed: its lease goes on, and its engines are not asked.
async fn without_engine(
    host: &CloudHost,
    claim: Arc<Claim>,
    objection: Option<Objection>,
    context: &Context,
) -> Result<Standing, ReconcileError> {
    let approved = Approved::of(&claim)?;
    let (claim, approved) = lease::advance(host, claim, approved, objection.as_ref(), context).await?;
    let power = match restore::power(host, &approved, false) {
        WishedPower::Running => Power::On,
        WishedPower::Stopped => Power::Off,
    };
    Ok(admitted(claim, objection, Engines::unknown(power, Reason::EngineMissing), approved, None, context))
}

/// Drives the engines of a host with a claim, and says how it stands.
async fn serve(
    host: &CloudHost,
    claim: Arc<Claim>,
    objection: Option<Objection>,
    context: &Context,
) -> Result<Standing, ReconcileError> {
    let approved = Approved::of(&claim)?;
    let (claim, approved) = lease::advance(host, claim, approved, objection.as_ref(), context).await?;
    let Settled { claim, approved, restoring } = Box::pin(restorable::settle(host, claim, approved, context)).await?;
    if lease::is_archived(&claim) {
        return shelf::keep(host, claim, approved, objection, restoring, context).await;
    }
    let is_in_doubt = context.quarantined() || restore::is_taken_back(host, &approved);
    let wanted = restore::power(host, &approved, is_in_doubt && is_on(&claim, context));
    let (claim, kept_off) = parking::resume(host, claim, &approved, wanted, context).await?;
    let power = match wanted {
        // A machine that runs is never switched off for what the book says: a restored one may know less than is true.
        WishedPower::Running if kept_off.is_none() || is_on(&claim, context) => Power::On,
        WishedPower::Running | WishedPower::Stopped => Power::Off,
    };
    let mut engines = drive::drive(host, &claim, &approved, power, context).await?;
    engines.restoring = Restoring::of(engines.restoring.take(), restoring);
    let mut claim = claim;
    if engines.is_usable() && claim.stage() == ClaimStage::Reserved && !context.quarantined() {
        // The department pays from the moment it can use the machine, and not a second earlier.
        context.ledger.billable(claim.id).await?;
        claim = open_claim(host, context).unwrap_or(claim);
        timing::usable(&claim, &context.metrics);
        if Approved::of(&claim)? != approved {
            // It was changed while the engines were driven: what follows is worked out from what it is now, at the next look.
            let outdated = RequestError::Outdated { subject: host.name_any(), claim: claim.id };
            return Err(LedgerError::from(outdated).into());
        }
    }
    // What was told to do something just now may only look as if it had.
    if engines.settled() && engines.untouched {
        claim = parking::park(host, claim, &approved, wanted, context).await?;
    }
    let claim = resize::give_back(host, claim, &approved, &engines, context).await?;
    Ok(admitted(claim, objection, engines, approved, kept_off, context))
}

/// How a host with a claim stands.
fn admitted(
    claim: Arc<Claim>,
    objection: Option<Objection>,
    engines: Engines,
    approved: Approved,
    kept_off: Option<Refusal>,
    context: &Context,
) -> Standing {
    let without = parking::given_back(&claim, &approved);
    let lease = lease::standing(&approved, &context.lease_terms, Timestamp::now()).map(Box::new);
    let (parked, objection) = (Parked { without, kept_off }, objection.map(Box::new));
    Standing::Admitted { claim, approved: Box::new(approved), objection, engines: Box::new(engines), parked, lease }
}

/// Whether the machine of a claim is declared to run.
fn is_on(claim: &Claim, context: &Context) -> bool {
    let Some((site, _)) = whereabouts(claim, context) else { return false };
    let machine = site.machine(&request::engine_namespace(claim), request::engine_name(claim));
    machine.is_some_and(|machine| machine.spec.run_strategy.as_deref() == Some(kubevirt::run_strategy(Power::On)))
}

/// Whether the machine or the disk of a claim in use is not where it was. A site that cannot be reached says nothing; the
/// machine of an archived host was taken down by us, and so was the disk of one that is being restored.
pub fn has_vanished(claim: &Claim, context: &Context) -> bool {
    let Some((site, _)) = whereabouts(claim, context) else { return false };
    let (namespace, name) = (request::engine_namespace(claim), request::engine_name(claim));
    let is_missing = !lease::is_archived(claim) && site.machine(&namespace, name).is_none();
    let is_restoring = content::is_restoring(claim);
    is_missing || (!is_restoring && site.disk(&namespace, &names::system_disk_name(name)).is_none())
}

/// How engine objects of this claim are labelled.
pub fn claim_label(claim: &Claim, context: &Context) -> String {
    context.ledger.read(|state| label_of(claim.id, state))
}

/// The site a claim lies at and the storage class of its block storage.
pub fn whereabouts<'a>(claim: &Claim, context: &'a Context) -> Option<(&'a SiteEngines, String)> {
    whereabouts_of(claim, Meter::BlockStorage, context)
}

/// The same of its storage of another type.
pub fn whereabouts_of<'a>(claim: &Claim, meter: Meter, context: &'a Context) -> Option<(&'a SiteEngines, String)> {
    let catalogue = &context.catalogue;
    let pool = lookup(&catalogue.storage_pools, None, claim.pool_of(meter)?.name())?;
    let site = lookup(&catalogue.sites, None, &pool.spec.site_ref.name)?;
    Some((context.sites.engines(&site)?, pool.spec.storage_class_name))
}

/// Writes the status where it is worth it, and says when to look again: what was not due yet when the host was `looked` at is
/// not left lying, though its time may have come since.
async fn report(
    host: &CloudHost,
    standing: &Standing,
    looked: Timestamp,
    context: &Context,
) -> Result<Action, ReconcileError> {
    let now = Timestamp::now();
    let status = report::status(host, Some(digest::of(&host.spec)), standing, now);
    let (namespace, name, at) = (host.namespace().unwrap_or_default(), host.name_any(), Instant::now());
    let usual = match standing {
        // Whoever decides about an order is heard; looking again is for a word that got lost.
        Standing::Rejected(_) | Standing::Undecided(_) | Standing::Ordered(Ordered { refusal: None, .. }) => UNSETTLED,
        Standing::Refused(refusal)
            if matches!(refusal.code, RefusalCode::NoMatchingPool | RefusalCode::WaitingForCapacity) =>
        {
            UNSETTLED
        }
        Standing::Admitted { engines, .. } if engines.sizing.disk_grows && engines.sizing.disk_stuck.is_none() => SOON,
        // Nobody tells of volume claims that go, nor of what is to let go of the disk.
        Standing::Admitted { engines, .. } if engines.is_restored() && engines.problem.is_none() => SOON,
        Standing::Admitted { engines, parked, objection, .. }
            if engines.problem.is_some()
                || engines.sizing.disk_stuck.is_some()
                || engines.awaits_network
                // Secrets are not watched.
                || engines.awaits_mending.is_some()
                || parked.kept_off.is_some()
                || matches!(&engines.restoring, Some(Restoring::Cannot(_)))
                || objection.as_deref().is_some_and(Objection::is_open) =>
        {
            UNSETTLED
        }
        // It gives back what it does without only once it is seen to be off and nothing was asked of it.
        Standing::Admitted { engines, .. } if engines.power == Power::Off && !engines.untouched => UNSETTLED,
        // Nobody tells of the snapshot that its disk is to be made from.
        Standing::Admitted { engines, .. } if engines.awaits_disk() => UNSETTLED,
        // Its node may fall silent or answer again, which nobody tells us.
        Standing::Admitted { engines, .. } if engines.machine.is_some() && !engines.settled() => UNSETTLED,
        Standing::Refused(_)
        | Standing::Ordered(_)
        | Standing::Admitted { .. }
        | Standing::Ending { .. }
        | Standing::Unaccounted { .. } => SETTLED,
    };
    let step = match standing {
        Standing::Admitted { lease, .. } => lease::next_look(lease.as_deref(), now),
        _ => None,
    };
    let restart = restart::next_look(host, looked);
    let restore = restoring::next_look(host.spec.restore.as_ref(), looked);
    let settled = step.into_iter().chain(restart).chain(restore).fold(usual, Duration::min);
    if report::worth_writing(host, &status, approved_at(host, context), now) {
        if report::is_progress(host, &status)
            && let Some(wait) = context.pace.wait(&namespace, &name, report::is_fault_over(host, &status), at)
        {
            return Ok(Action::requeue(settled.min(wait)));
        }
        write_status(host, &status, context).await?;
        if report::is_importing(&status) {
            context.pace.told(&namespace, &name, at);
        }
        return Ok(Action::requeue(settled));
    }
    if report::is_importing(&status) {
        context.pace.as_before(&namespace, &name);
    }
    let silent = host.status.as_ref() != Some(&status);
    let patience = Duration::from_secs(report::PATIENCE_SECONDS.unsigned_abs());
    Ok(Action::requeue(if silent { patience } else { settled }))
}

/// When people agreed to the order that the host's status says it waits for.
fn approved_at(host: &CloudHost, context: &Context) -> Option<Timestamp> {
    let order = &host.status.as_ref()?.order_ref.as_ref()?.name;
    order::approved_at(host.metadata.namespace.as_deref()?, order, context)
}

async fn write_status(host: &CloudHost, status: &CloudHostStatus, context: &Context) -> Result<(), ReconcileError> {
    let api = Api::<CloudHost>::namespaced(context.client.clone(), &host.namespace().unwrap_or_default());
    let written = context.writer.apply_status(&api, &host.name_any(), &serde_json::to_value(status)?).await?;
    context.unseen_hosts.wrote(written);
    Ok(())
}
