//! Archived hosts (归档): the lease is over, the machine is taken down, and its disk is kept for whoever extends it.

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
    ending, leave_line, parking,
    plan::Obstacle,
    report::{Engines, Sizing, Standing},
    request::{engine_name, engine_namespace},
    volumes, whereabouts,
};
use crate::{
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
    context: &Context,
) -> Result<Standing, ReconcileError> {
    leave_line(host, context).await?;
    let Some((site, _)) = whereabouts(&claim, context) else {
        let engines = Engines::unknown(Power::Off, Reason::SiteUnreachable);
        return Ok(admitted(claim, objection, engines, approved, None, context));
    };
    let (namespace, name) = (engine_namespace(&claim), engine_name(&claim).to_owned());
    let disk = site.disk(&namespace, &names::system_disk_name(&name)).map(|disk| cdi::state(&disk.status));
    let was_there = claim.billable_from.is_some() || claim.adopted;
    let lost = Obstacle::Lost { kind: "DataVolume", name: names::system_disk_name(&name) };
    let problem = (disk.is_none() && was_there).then(|| Fault::other(lost.to_string()));
    // Asked of the API server until it has given back what it took; after that the watch tells of what somebody makes.
    let is_seen = site.machine(&namespace, &name).is_some() || site.instance(&namespace, &name).is_some();
    let is_gone = parking::is_clear(&claim, &approved) && !is_seen;
    let left = if is_gone { None } else { ending::dismantle_machine(&claim, context).await? };
    if !is_gone {
        volumes::wake(host, context);
    }
    let claim = if left.is_none() { parking::clear(host, claim, &approved, context).await? } else { claim };
    let engines = Engines {
        disk,
        untouched: left.is_none(),
        machine: left.map(|_| MachineState::Changing("Terminating".to_owned())),
        power: Power::Off,
        addresses: Vec::new(),
        started_at: None,
        restarted: false,
        problem,
        awaits_network: false,
        sizing: Sizing::default(),
    };
    Ok(admitted(claim, objection, engines, approved, None, context))
}
