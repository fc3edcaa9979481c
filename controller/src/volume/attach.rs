//! Brings a volume to the host it is wished at, and off the one that has it: looks at machines, and says what the status
//! has to say. What the lock allows is given to the host after the status was written.

use jiyun_crds::{
    names::LABEL_CLOUDHOST,
    v1alpha1::{AttachmentState, CloudVolume, OrderedKind, VolumeAttachment},
};
use jiyun_ledger::Claim;
use kube::{Api, ResourceExt, api::ListParams};

use super::{
    attachment::{Instance, Machine, Next, Seen, next},
    found::{Named, Place},
    request::disk_name,
    valid,
};
use crate::{
    catalogue::lookup,
    context::Context,
    engines::kubevirt::{self, InstanceView, MachineView},
    error::ReconcileError,
    host::{
        rejection::Rejection,
        request::{engine_name, engine_namespace},
        whereabouts,
    },
    site::SiteEngines,
};

/// The host of a department, as claims name it.
const HOST: &str = "CloudHost";

/// Where a volume stands between hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// What the status says.
    pub attachment: Option<VolumeAttachment>,
    /// The host it is wished at and can be brought to.
    pub wished: Option<String>,
    /// The host it is wished at that was not granted yet.
    pub awaited: Option<String>,
    /// Why it cannot be brought where it is wished.
    pub objection: Option<Rejection>,
}

impl Attached {
    /// Whether it is where it is wished.
    pub fn is_settled(&self) -> bool {
        match &self.attachment {
            None => self.wished.is_none() && self.awaited.is_none(),
            Some(attachment) => {
                attachment.state == AttachmentState::Attached && self.wished.as_ref() == Some(&attachment.host)
            }
        }
    }
}

/// The host that `volume` is wished at, if it can have it. One that cannot be read keeps what it has.
fn wished(volume: &CloudVolume, host: &Named, claim: &Claim, context: &Context) -> Attached {
    let nobody = Attached::default;
    let Some(name) = volume.spec.host_ref.as_ref().map(|host| host.name.clone()) else { return nobody() };
    let has = volume.status.as_ref().and_then(|status| status.attachment.as_ref());
    match host {
        Named::Nobody | Named::Missing => nobody(),
        Named::Unreadable => Attached { wished: has.map(|has| has.host.clone()), ..nobody() },
        Named::There(host) if host.system != volume.spec.system_ref.name => nobody(),
        Named::There(host) => match host.place.as_ref().filter(|place| place.is_granted) {
            None => Attached { awaited: Some(name), ..nobody() },
            Some(place) => match reachable(&name, place, claim, context) {
                Ok(()) => Attached { wished: Some(name), ..nobody() },
                Err(objection) => Attached { objection: Some(objection), ..nobody() },
            },
        },
    }
}

fn reachable(host: &str, place: &Place, claim: &Claim, context: &Context) -> Result<(), Rejection> {
    let pool = claim.pool_of(jiyun_ledger::Meter::BlockStorage).map(|pool| pool.name().to_owned()).unwrap_or_default();
    let pool = lookup(&context.catalogue.storage_pools, None, &pool);
    // A pool that cannot be read is no reason to take the volume off.
    let site = pool.map_or_else(|| place.site.clone(), |pool| pool.spec.site_ref.name);
    valid::reachable(host, place, &site, &engine_namespace(claim))
}

/// Where the volume of `claim` stands between hosts; `is_made` where it has a disk that can be attached.
///
/// # Errors
/// When machines cannot be looked at.
pub async fn settle(
    volume: &CloudVolume,
    host: &Named,
    claim: &Claim,
    is_made: bool,
    context: &Context,
) -> Result<Attached, ReconcileError> {
    let wish = wished(volume, host, claim, context);
    let before = volume.status.as_ref().and_then(|status| status.attachment.clone());
    // What is attached already stays so, whatever is known of its disk now.
    let may_have = is_made || before.is_some();
    let attachment = bring(claim, wish.wished.as_deref().filter(|_| may_have), before, context).await?;
    Ok(Attached { attachment, ..wish })
}

/// Brings the volume of `claim` a step on; `before` is who had it.
///
/// # Errors
/// When machines cannot be looked at.
pub async fn bring(
    claim: &Claim,
    wished: Option<&str>,
    before: Option<VolumeAttachment>,
    context: &Context,
) -> Result<Option<VolumeAttachment>, ReconcileError> {
    let Some((site, _)) = whereabouts(claim, context) else { return Ok(before) };
    let (home, disk) = (claim.subject.namespace.as_str(), disk_name(claim));
    let mut locked = before.map(|attachment| attachment.host);
    if locked.is_none() && wished.is_some() {
        // A status that was lost says nothing of who has it.
        locked = holder(claim, site).await?;
    }
    if let Some(locked) = locked.as_deref().filter(|locked| Some(*locked) != wished) {
        let is_quiet = context.attachments.take(home, locked, &disk);
        wake(home, locked, context);
        if !is_quiet {
            let state = AttachmentState::Detaching;
            return Ok(Some(VolumeAttachment { host: locked.to_owned(), state }));
        }
    }
    let seen = match &locked {
        Some(locked) => see(home, locked, &disk, wished == Some(locked), site, context).await?,
        None => Seen::default(),
    };
    Ok(match next(wished, locked.as_deref(), seen) {
        Next::Nothing => None,
        Next::Lock(host) => Some(VolumeAttachment { host, state: AttachmentState::Attaching }),
        Next::Keep(state) => locked.map(|host| VolumeAttachment { host, state }),
        // One that nobody knew of may still have it. Whoever is to have it next is told at the next look.
        Next::Unlock => {
            let holder = holder(claim, site).await?;
            holder.map(|host| VolumeAttachment { host, state: AttachmentState::Detaching })
        }
    })
}

/// Lets the host have what its volume's status says, once that was written.
pub fn give(claim: &Claim, attached: &Attached, context: &Context) {
    let Some(attachment) = &attached.attachment else { return };
    if attached.wished.as_deref() != Some(attachment.host.as_str()) {
        return;
    }
    let home = claim.subject.namespace.as_str();
    context.attachments.give(home, &attachment.host, &disk_name(claim));
    if attachment.state == AttachmentState::Attaching {
        wake(home, &attachment.host, context);
    }
}

fn wake(namespace: &str, host: &str, context: &Context) {
    context.orders.wakes.item(OrderedKind::CloudHost, namespace, host);
}

/// What the machine of `host` was seen with: from memory where that says that all is well, by the API server's own word
/// otherwise.
async fn see(
    home: &str,
    host: &str,
    disk: &str,
    is_wished: bool,
    site: &SiteEngines,
    context: &Context,
) -> Result<Seen, ReconcileError> {
    let claim = context.ledger.read(|state| state.claim_of_object(HOST, home, host).cloned());
    // Without a claim there is no machine: it is released after that is gone.
    let Some(claim) = claim else { return Ok(Seen::default()) };
    let (namespace, name) = (engine_namespace(&claim), engine_name(&claim));
    let cached = seen(disk, site.machine(&namespace, name).as_ref(), site.instance(&namespace, name).as_ref());
    if is_wished && cached.instance.is_some() && cached.is_attached() {
        return Ok(cached);
    }
    let (machines, instances) = (
        Api::<MachineView>::namespaced(site.client.clone(), &namespace),
        Api::<InstanceView>::namespaced(site.client.clone(), &namespace),
    );
    // In this order: the instance is as the engine left it when it had looked at that machine, or later.
    let machine =
        machines.get_opt(name).await.map_err(|source| ReconcileError::read(format!("machine {name}"), source))?;
    let instance =
        instances.get_opt(name).await.map_err(|source| ReconcileError::read(format!("instance {name}"), source))?;
    Ok(seen(disk, machine.as_ref(), instance.as_ref()))
}

fn seen(disk: &str, machine: Option<&MachineView>, instance: Option<&InstanceView>) -> Seen {
    let among = |all: &[String]| all.iter().any(|each| each == disk);
    Seen {
        machine: Machine {
            declared: machine.is_some_and(|machine| among(&machine.spec.attached)),
            looked_at: machine.is_some_and(kubevirt::is_looked_at),
        },
        instance: instance.map(|instance| Instance {
            listed: among(&instance.spec.attached),
            ready: among(&instance.status.plugs.ready),
            named: among(&instance.status.plugs.named),
        }),
    }
}

/// The host whose machine, or what still runs of it, has the volume of `claim`, by the API server's own word.
///
/// # Errors
/// When they cannot be listed.
pub async fn holder(claim: &Claim, site: &SiteEngines) -> Result<Option<String>, ReconcileError> {
    let (namespace, disk) = (engine_namespace(claim), disk_name(claim));
    let (machines, instances) = (
        Api::<MachineView>::namespaced(site.client.clone(), &namespace),
        Api::<InstanceView>::namespaced(site.client.clone(), &namespace),
    );
    let all = ListParams::default();
    let machines = machines.list(&all).await.map_err(|source| ReconcileError::read("machines", source))?;
    let declared = machines.items.iter().find(|machine| machine.spec.attached.contains(&disk));
    if let Some(machine) = declared {
        return Ok(Some(host_of(machine)));
    }
    let instances = instances.list(&all).await.map_err(|source| ReconcileError::read("instances", source))?;
    let has = |instance: &&InstanceView| {
        instance.spec.attached.contains(&disk) || instance.status.plugs.named.contains(&disk)
    };
    Ok(instances.items.iter().find(has).map(host_of))
}

/// The host of a machine: as it is labelled, or as it is called.
fn host_of(machine: &impl ResourceExt) -> String {
    machine.labels().get(LABEL_CLOUDHOST).cloned().unwrap_or_else(|| machine.name_any())
}
