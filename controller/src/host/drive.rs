//! Drives the engines of a granted host: takes the steps of its plan, and says what came of them.

use std::sync::Arc;

use jiyun_crds::v1alpha1::{CloudHost, Reason};
use jiyun_ledger::Claim;
use kube::ResourceExt;
use tracing::warn;

use super::{
    approved::Approved,
    claim_label,
    plan::{self, Desired, Observed, Step, Why},
    report::{Engines, Sizing},
    request,
    restart::{self, Restarted},
    restore, steps, user_data, volumes, whereabouts,
};
use crate::{
    content::{self, anew::Restoring, at_engine, restorable},
    context::Context,
    engines::{
        cdi::{self, DiskState},
        fault::Fault,
        kubevirt::{self, InstanceView, MachineState, MachineView},
        order::{MachineOrder, Power},
    },
    error::ReconcileError,
    networks,
    site::SiteEngines,
};

/// Makes what was approved of `claim`, its machine switched to `power`, and says what came of it.
///
/// # Errors
/// When the engines cannot be asked.
pub async fn drive(
    host: &CloudHost,
    claim: &Arc<Claim>,
    approved: &Approved,
    power: Power,
    context: &Context,
) -> Result<Engines, ReconcileError> {
    let Some((site, storage_class)) = whereabouts(claim, context) else {
        return Ok(Engines::unknown(power, Reason::SiteUnreachable));
    };
    let label = claim_label(claim, context);
    let machine = site.machine(&request::engine_namespace(claim), request::engine_name(claim));
    // Kept until the machine was written: what is taken from it meanwhile is not free before.
    let look = context.attachments.look(&claim.subject.namespace, &claim.subject.name);
    let attached = volumes::attached(claim, &look, machine.as_ref(), context);
    let order = request::machine_order(power, claim, &label, approved, &storage_class, attached);
    let mut desired = Desired {
        claim: label,
        disk: cdi::build(&order),
        disk_mebibytes: order.disk_mebibytes,
        machine: kubevirt::build(&order),
        bare: (!order.volumes.is_empty())
            .then(|| kubevirt::build(&MachineOrder { power: Power::Off, volumes: Vec::new(), ..order.clone() })),
        power: order.power,
        established: claim.billable_from.is_some() || claim.adopted,
        restoring: restore::under_way(approved).is_some(),
    };
    let mut observed = Observed { disk: site.disk(&order.namespace, &order.disk_name), machine };
    let (mut problem, mut disk_stuck) = (None, None);
    let mut steps = plan::plan(&desired, &observed).unwrap_or_else(|obstacle| {
        // Somebody else's machine, or ours on its way out, is not this host's: it is not shown as running, nor billed.
        warn!(host.namespace = host.namespace(), host.name = host.name_any(), %obstacle, "engines are not free");
        problem = Some(Fault::other(obstacle.to_string()));
        observed = Observed::default();
        Vec::new()
    });
    let mut awaited = None;
    if steps.contains(&Step::ApplyDisk(Why::Missing))
        && let Some(from) = content::source_of(approved.content.as_ref(), approved.restored.as_ref())
    {
        match Box::pin(at_engine::seen(from, site, context)).await?.least(from) {
            Ok(least) => desired.disk = cdi::at_least(desired.disk, least),
            // Without it there is nothing to run.
            Err(state) => (awaited, steps) = (Some(state), Vec::new()),
        }
    }
    // Looking after a volume that grows tells the machine nothing.
    let untouched = steps.iter().all(|step| *step == Step::GrowDisk);
    // A machine that is there goes on: its network may only be looked at anew.
    let homeless = !networks::is_ready(order.subnet.as_deref(), context);
    let awaits_network = homeless && observed.machine.is_none() && problem.is_none();
    let mut awaits_mending = None;
    let instance = site.instance(&order.namespace, &order.name);
    if let Some(secret) = approved.user_data.as_deref().filter(|_| problem.is_none() && !awaits_network)
        && starts(
            &steps,
            power,
            &observed,
            instance.as_ref(),
            restart::may_begin(host, observed.machine.as_ref(), instance.as_ref()),
        )
    {
        let provided =
            Box::pin(user_data::provide(claim, (approved, secret), &desired.claim, desired.established, site, context))
                .await;
        match provided {
            Ok(rejection) => awaits_mending = rejection.map(Box::new),
            Err(error) => problem = Some(told(host, "Secret", error)?),
        }
        if awaits_mending.is_some() || problem.is_some() {
            steps.retain(|step| !matches!(step, Step::ApplyMachine(_)));
        }
    }
    for step in steps {
        if homeless && step == Step::ApplyMachine(Why::Missing) {
            continue;
        }
        match steps::take(step, &desired, (host, &order.namespace), &mut observed, site, context).await {
            Ok(()) => {}
            // Nothing else waits for a volume; it is tried again at the next look.
            Err(error) if step == Step::GrowDisk => {
                let told = match &error {
                    ReconcileError::Write(error) => error.status(),
                    _ => None,
                };
                warn!(
                    host.namespace = host.namespace(),
                    host.name = host.name_any(),
                    error = crate::error::chain(&error),
                    "a volume does not grow"
                );
                let stuck = told.map_or_else(|| step.to_string(), |status| format!("{step} {status}"));
                disk_stuck = Some(stuck.into_boxed_str());
            }
            Err(error) => {
                problem = Some(told(host, &step.to_string(), error)?);
                break;
            }
        }
    }
    drop(look);
    let mut made_anew = None;
    if let Some(restoration) = restore::under_way(approved) {
        match Box::pin(restorable::proceed::<CloudHost>(claim, approved, restoration, &desired.disk, site, context))
            .await
        {
            Ok(progress) => made_anew = Some(progress),
            Err(error) => {
                let fault = told(host, "DataVolume", error)?;
                problem = problem.or(Some(fault));
            }
        }
    }
    let mut restarted = Restarted::No;
    if untouched && problem.is_none() && awaits_mending.is_none() && power == Power::On {
        restarted = restart::settle(host, observed.machine.as_ref(), instance.as_ref(), site, context).await?;
    }
    if let Restarted::Refused(status) = restarted {
        problem = Some(Fault::other(format!("VirtualMachineInstance {status}")));
    }
    let restarted = restarted == Restarted::Yes;
    let is_lost = instance.as_ref().is_some_and(|instance| is_lost(instance, site));
    let state = |machine: &MachineView| {
        let seen = restart::seen(kubevirt::state(&machine.status), instance.as_ref(), restarted);
        if is_lost { kubevirt::without_node(seen, power) } else { seen }
    };
    let machine = observed.machine.as_ref().map(state);
    let running = matches!(machine, Some(MachineState::Running));
    let instance = instance.filter(|_| running);
    let addresses = instance.as_ref().map(|instance| kubevirt::addresses(&instance.status)).unwrap_or_default();
    let started_at = instance.and_then(|instance| Some(instance.metadata.creation_timestamp?.0));
    // No machine runs without its disk: the watch of disks may only be slower to tell than that of machines.
    let filled = |disk: &cdi::DiskView| if running { DiskState::Filled } else { cdi::state(disk) };
    let disk = match &made_anew {
        Some(progress) => progress.disk.clone(),
        None => observed.disk.as_ref().filter(|_| !desired.restoring).map(filled).or(awaited),
    };
    let sizing = Sizing {
        as_declared: observed.machine.as_ref().is_some_and(kubevirt::runs_as_declared),
        restart_pending: running
            && observed.machine.as_ref().is_some_and(|machine| kubevirt::restart_required(&machine.status)),
        disk_grows: disk == Some(DiskState::Filled)
            && observed.disk.as_ref().is_some_and(|disk| cdi::mebibytes(disk) < order.disk_mebibytes),
        disk_stuck,
    };
    Ok(Engines {
        disk,
        machine,
        power: order.power,
        addresses,
        started_at,
        restarted,
        restoring: made_anew.map(Restoring::UnderWay),
        problem,
        awaits_network,
        awaits_mending,
        untouched,
        sizing,
    })
}

/// Whether the machine is about to be made or started: what it reads then has to be there, or it hangs.
fn starts(steps: &[Step], power: Power, observed: &Observed, instance: Option<&InstanceView>, restarts: bool) -> bool {
    if steps.contains(&Step::ApplyMachine(Why::Missing)) {
        return true;
    }
    let is_up = instance.is_some_and(|instance| instance.status.phase.as_deref() == Some("Running"));
    // While its disk is being filled, nothing starts.
    let is_filled = observed.disk.as_ref().is_some_and(|disk| cdi::state(disk) == DiskState::Filled);
    let is_applied = steps.iter().any(|step| matches!(step, Step::ApplyMachine(_)));
    observed.machine.is_some() && power == Power::On && (is_applied || restarts || (is_filled && !is_up))
}

/// What is told of a step that was not taken, where asking again at once is no use.
///
/// # Errors
/// Any other error.
pub fn told(host: &CloudHost, step: &str, error: ReconcileError) -> Result<Fault, ReconcileError> {
    match error {
        ReconcileError::Obstacle(obstacle) => Ok(Fault::other(obstacle.to_string())),
        // The engine's own admission said no: its owner should read why.
        ReconcileError::Write(error) if matches!(error.status(), Some(400 | 403 | 404 | 422)) => {
            warn!(
                host.namespace = host.namespace(),
                host.name = host.name_any(),
                error = crate::error::chain(&error),
                "an engine refused what was approved"
            );
            // The engine's own words may name other tenants' things and are for operators; its owner gets the code.
            Ok(Fault::other(format!("{step} {}", error.status().unwrap_or_default())))
        }
        error => Err(error),
    }
}

/// Whether what a machine runs on does not answer, as far as Kubernetes or `KubeVirt` know.
fn is_lost(instance: &InstanceView, site: &SiteEngines) -> bool {
    let status = &instance.status;
    kubevirt::is_given_up(status) || status.node_name.as_deref().is_some_and(|node| site.is_silent(node))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_machine_reads_at_its_start_is_looked_at_when_it_is_made_or_started_and_not_at_every_look() {
        let made = |phase: &str| -> Observed {
            let disk = json!({"metadata": {"name": "web-system"}, "status": {"phase": phase}});
            Observed {
                disk: serde_json::from_value(disk).unwrap(),
                machine: serde_json::from_value(json!({"metadata": {"name": "web"}})).unwrap(),
            }
        };
        let instance = |phase: &str| -> InstanceView {
            serde_json::from_value(json!({"metadata": {"name": "web"}, "status": {"phase": phase}})).unwrap()
        };
        let (up, pending) = (instance("Running"), instance("Pending"));
        let (missing, changed) = (Step::ApplyMachine(Why::Missing), Step::ApplyMachine(Why::Changed));
        let (filled, filling, nothing) = (made("Succeeded"), made("ImportInProgress"), Observed::default());
        for (what, steps, power, observed, instance, restarts, expected) in [
            ("it is made", &[missing][..], Power::On, &nothing, None, false, true),
            ("it is made, and stays off", &[missing], Power::Off, &nothing, None, false, true),
            ("nothing can be made yet", &[], Power::On, &nothing, None, false, false),
            ("its disk is being filled", &[], Power::On, &filling, None, false, false),
            ("it starts", &[], Power::On, &filled, Some(&pending), false, true),
            ("its instance went", &[], Power::On, &filled, None, false, true),
            ("it runs", &[], Power::On, &filled, Some(&up), false, false),
            ("it runs, and its restart is due", &[], Power::On, &filled, Some(&up), true, true),
            ("it runs, and is changed", &[changed], Power::On, &filled, Some(&up), false, true),
            ("it is switched off", &[changed], Power::Off, &filled, Some(&up), false, false),
            ("it is off", &[], Power::Off, &filled, None, false, false),
        ] {
            assert_eq!(starts(steps, power, observed, instance, restarts), expected, "{what}");
        }
    }
}
