//! Archived hosts (归档): the lease is over, the machine is taken down, and its disk is kept for whoever extends it.
//!
//! A restore that was begun goes on here: the former disk is gone by then, and what was promised is that a disk is
//! kept. It needs no machine, so that one goes in time all the same. None begins here.

use std::sync::Arc;

use jiyun_crds::{
    names,
    v1alpha1::{CloudHost, Reason},
};
use jiyun_ledger::Claim;

use super::{
    admitted,
    approved::Approved,
    change::Objection,
    claim_label, drive, ending, leave_line, parking,
    plan::Obstacle,
    report::{Engines, Sizing, Standing},
    request::{engine_name, engine_namespace, machine_order},
    restore, volumes, whereabouts,
};
use crate::{
    content::{anew::Restoring, restorable},
    context::Context,
    engines::{cdi, fault::Fault, kubevirt::MachineState, order::Power},
    error::ReconcileError,
};

/// Takes down the machine of a claim that is archived, and gives back what it took once it is gone. That it is archived was
/// recorded before: the intent.
///
/// # Errors
/// When a request fails.
pub(super) async fn keep(
    host: &CloudHost,
    claim: Arc<Claim>,
    approved: Approved,
    objection: Option<Objection>,
    mut restoring: Option<Restoring>,
    context: &Context,
) -> Result<Standing, ReconcileError> {
    leave_line(host, context).await?;
    let Some((site, storage_class)) = whereabouts(&claim, context) else {
        let engines = Engines::unknown(Power::Off, Reason::SiteUnreachable);
        return Ok(admitted(claim, objection, engines, approved, None, context));
    };
    let (namespace, name) = (engine_namespace(&claim), engine_name(&claim).to_owned());
    // Asked of the API server until it has given back what it took; after that the watch tells of what somebody makes.
    let is_seen = site.machine(&namespace, &name).is_some() || site.instance(&namespace, &name).is_some();
    let is_gone = parking::is_clear(&claim, &approved) && !is_seen;
    let left = if is_gone { None } else { ending::dismantle_machine(&claim, context).await? };
    if !is_gone {
        volumes::wake(host, context);
    }
    let claim = if left.is_none() { parking::clear(host, claim, &approved, context).await? } else { claim };
    let (disk, problem) = if let Some(restoration) = restore::under_way(&approved) {
        let label = claim_label(&claim, context);
        let order = machine_order(Power::Off, &claim, &label, &approved, &storage_class, Vec::new());
        match restorable::proceed::<CloudHost>(&claim, &approved, restoration, &cdi::build(&order), site, context).await
        {
            Ok(progress) => {
                let disk = progress.disk.clone();
                restoring = Restoring::of(Some(Restoring::UnderWay(progress)), restoring);
                (disk, None)
            }
            Err(error) => (None, Some(drive::told(host, "DataVolume", error)?)),
        }
    } else {
        let disk = site.disk(&namespace, &names::system_disk_name(&name)).as_ref().map(cdi::state);
        let was_there = claim.billable_from.is_some() || claim.adopted;
        let lost = Obstacle::Lost { kind: "DataVolume", name: names::system_disk_name(&name) };
        let problem = (disk.is_none() && was_there).then(|| Fault::other(lost.to_string()));
        (disk, problem)
    };
    let engines = Engines {
        disk,
        untouched: left.is_none(),
        machine: left.map(|_| MachineState::Changing("Terminating".to_owned())),
        power: Power::Off,
        addresses: Vec::new(),
        started_at: None,
        restarted: false,
        restoring,
        problem,
        awaits_network: false,
        awaits_mending: None,
        sizing: Sizing::default(),
    };
    Ok(admitted(claim, objection, engines, approved, None, context))
}
