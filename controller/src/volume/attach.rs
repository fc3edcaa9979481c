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
    found::{HOST, Named, Place, named},
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

/// What a machine says of when something was taken off it: the version it had then. A write that was on its way since
/// before finds another version, and is refused.
const ANNOTATION_DETACHED: &str = "jiyun.io/detached-at";

/// Where a volume stands between hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// What the status says.
    pub attachment: Option<VolumeAttachment>,
    /// The host its wish names.
    pub asked: Option<String>,
    /// The host it is brought to: the one asked for, or the one that has it while that cannot have it.
    pub wished: Option<String>,
    /// The host asked for, where that cannot have it yet.
    pub awaited: Option<String>,
    /// Whether the machine of the host asked for is taken down until its lease is extended.
    pub archived: bool,
    /// Whether nothing is given or taken while the book is being checked.
    pub paused: bool,
    /// Why it cannot be brought where it is wished.
    pub objection: Option<Rejection>,
}

impl Attached {
    /// Whether it is where its wish says.
    pub fn is_settled(&self) -> bool {
        match &self.attachment {
            None => self.asked.is_none(),
            Some(attachment) => {
                attachment.state == AttachmentState::Attached && self.asked.as_ref() == Some(&attachment.host)
            }
        }
    }

    /// Whether it is on its way, and nothing but an engine is waited for.
    pub fn is_moving(&self) -> bool {
        let state = self.attachment.as_ref().map(|attachment| attachment.state);
        match state {
            _ if self.paused => false,
            None => self.wished.is_some(),
            Some(AttachmentState::Attaching) => !self.archived,
            Some(AttachmentState::Detaching) => true,
            Some(_) => false,
        }
    }
}

/// Where `volume` is to be, as far as that is known and can be done; `has` is who has it. Until it can, that host keeps it: a
/// host loses its disk because another one is to have it or nobody, or because it goes, and for no mistake or gap.
fn wish(volume: &CloudVolume, has: Option<&str>, host: &Named, claim: &Claim, context: &Context) -> Attached {
    let Some(asked) = volume.spec.host_ref.as_ref().map(|host| host.name.clone()) else { return Attached::default() };
    let home = claim.subject.namespace.as_str();
    let stays = has.filter(|has| may_keep(volume, has, &named(home, has, context), claim, context));
    let kept = Attached { asked: Some(asked.clone()), wished: stays.map(str::to_owned), ..Attached::default() };
    match host {
        Named::There(host) if host.system == volume.spec.system_ref.name => match &host.place {
            Some(place) if place.is_granted => match reachable(&asked, place, claim, context) {
                Ok(()) => Attached { wished: Some(asked), archived: place.is_archived, ..kept },
                Err(objection) => Attached { objection: Some(objection), ..kept },
            },
            // Its own host has it, whatever the book or a pool says at the moment.
            _ if has == Some(asked.as_str()) => kept,
            _ => Attached { awaited: Some(asked), ..kept },
        },
        _ => kept,
    }
}

/// Whether the host that has `volume` may keep it. One of another system, or where the volume is not, is a namesake made
/// since: neither changes.
fn may_keep(volume: &CloudVolume, name: &str, host: &Named, claim: &Claim, context: &Context) -> bool {
    match host {
        Named::Unreadable => true,
        Named::There(host) => {
            let is_reachable = |place: &Place| reachable(name, place, claim, context).is_ok();
            host.system == volume.spec.system_ref.name && host.place.as_ref().is_none_or(is_reachable)
        }
        Named::Nobody | Named::Missing | Named::Leaving => false,
    }
}

fn reachable(host: &str, place: &Place, claim: &Claim, context: &Context) -> Result<(), Rejection> {
    let pool = claim.pool_of(jiyun_ledger::Meter::BlockStorage).map(|pool| pool.name().to_owned()).unwrap_or_default();
    let pool = lookup(&context.catalogue.storage_pools, None, &pool);
    // A pool that cannot be read is no reason to take the volume off.
    let site = pool.map_or_else(|| place.site.clone(), |pool| pool.spec.site_ref.name);
    valid::reachable(host, place, &site, &engine_namespace(claim))
}

/// Where the volume of `claim` stands between hosts; `is_made` where it has a disk that can be attached, `is_kept`
/// where it is given to nobody, since that disk is being made anew, or is about to be.
///
/// # Errors
/// When machines cannot be looked at.
pub async fn settle(
    volume: &CloudVolume,
    host: &Named,
    claim: &Claim,
    is_made: bool,
    is_kept: bool,
    context: &Context,
) -> Result<Attached, ReconcileError> {
    let mut before = known(volume, claim, context);
    if before.is_none() && is_lost(volume, claim) {
        // Whoever has it keeps it by the same rules. A status that says less would pass for all that is known.
        let (site, _) = whereabouts(claim, context).ok_or(ReconcileError::Holder)?;
        before = holder(claim, site).await?.map(|host| VolumeAttachment { host, state: AttachmentState::Attaching });
    }
    let has = before.as_ref().map(|before| before.host.as_str());
    let wish = if is_kept {
        let asked = volume.spec.host_ref.as_ref().map(|host| host.name.clone());
        Attached { asked, ..Attached::default() }
    } else {
        wish(volume, has, host, claim, context)
    };
    // What is attached already stays so, whatever is known of its disk now.
    let may_have = is_made || before.is_some();
    let attachment = bring(claim, wish.wished.as_deref().filter(|_| may_have), before, context).await?;
    Ok(Attached { attachment, paused: context.quarantined(), ..wish })
}

/// Where the volume of `claim` stands while no machine can be looked at, since what makes them is not installed: whoever has it
/// keeps it, and nobody is given it.
///
/// # Errors
/// When nobody knows who has it: a status that says less would pass for all that is known.
pub fn stay(volume: &CloudVolume, host: &Named, claim: &Claim, context: &Context) -> Result<Attached, ReconcileError> {
    let attachment = known(volume, claim, context);
    if attachment.is_none() && is_lost(volume, claim) {
        return Err(ReconcileError::Holder);
    }
    let has = attachment.as_ref().map(|attachment| attachment.host.as_str());
    let wish = wish(volume, has, host, claim, context);
    Ok(Attached { attachment, ..wish })
}

/// Who has the volume, as far as we know without asking. Its status may be older than what we did since.
pub fn known(volume: &CloudVolume, claim: &Claim, context: &Context) -> Option<VolumeAttachment> {
    let told = volume.status.as_ref().and_then(|status| status.attachment.clone());
    match context.attachments.owner(&claim.subject.namespace, &disk_name(claim)) {
        Some(host) if told.as_ref().is_none_or(|told| told.host != host) => {
            Some(VolumeAttachment { host, state: AttachmentState::Attaching })
        }
        _ => told,
    }
}

/// Whether the status of a volume that was in use was lost, as with an object that was restored: it says of nobody that it has
/// it.
fn is_lost(volume: &CloudVolume, claim: &Claim) -> bool {
    let is_told = volume.status.as_ref().is_some_and(|status| status.claim_id.is_some());
    !is_told && (claim.billable_from.is_some() || claim.adopted)
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
    if context.quarantined() {
        // The book may know less than is true: nothing is given, and nothing taken.
        return Ok(before);
    }
    let Some((site, _)) = whereabouts(claim, context) else { return Ok(before) };
    let (home, disk) = (claim.subject.namespace.as_str(), disk_name(claim));
    let mut locked = before.map(|attachment| attachment.host);
    if locked.is_none() && wished.is_some() {
        locked = holder(claim, site).await?;
    }
    let detaching = |host: &str| Some(VolumeAttachment { host: host.to_owned(), state: AttachmentState::Detaching });
    if let Some(locked) = locked.as_deref().filter(|locked| Some(*locked) != wished)
        && !take(claim, locked, context)
    {
        return Ok(detaching(locked));
    }
    let (seen, machine) = match &locked {
        Some(locked) => see(home, locked, &disk, wished == Some(locked), site, context).await?,
        None => (Seen::default(), None),
    };
    Ok(match next(wished, locked.as_deref(), seen) {
        Next::Nothing => None,
        Next::Lock(host) => Some(VolumeAttachment { host, state: AttachmentState::Attaching }),
        Next::Keep(state) => locked.map(|host| VolumeAttachment { host, state }),
        Next::Unlock => match (holder(claim, site).await?, locked) {
            // One that nobody knew of has it; the one that was known has not.
            (Some(host), _) => {
                context.attachments.free(home, &disk);
                take(claim, &host, context);
                detaching(&host)
            }
            (None, Some(locked)) if !touch(machine.as_ref(), site, context).await? => detaching(&locked),
            // Whoever is to have it next is told at the next look.
            (None, _) => {
                context.attachments.free(home, &disk);
                None
            }
        },
    })
}

/// Takes the volume of `claim` from `host`; whether nobody builds its machine from what held before.
pub fn take(claim: &Claim, host: &str, context: &Context) -> bool {
    let home = claim.subject.namespace.as_str();
    let taken = context.attachments.take(home, host, &disk_name(claim));
    if taken.is_new {
        wake(home, host, context);
    }
    taken.is_quiet
}

/// Has every write fail that was sent to `machine` before and has not arrived: of ours that ran out of time, or of whoever led
/// before us. Whether it is as it was read; it is looked at again otherwise.
async fn touch(machine: Option<&MachineView>, site: &SiteEngines, context: &Context) -> Result<bool, ReconcileError> {
    let Some(machine) = machine else { return Ok(true) };
    let api = Api::<MachineView>::namespaced(site.client.clone(), &machine.namespace().unwrap_or_default());
    let version = machine.metadata.resource_version.as_deref();
    match context.writer.annotate(&api, machine, ANNOTATION_DETACHED, version).await {
        Ok(touched) => {
            site.unseen_machines.wrote(touched);
            Ok(true)
        }
        Err(error) if matches!(error.status(), Some(404 | 409)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Lets the host have what its volume's status says, once that was written.
pub fn give(claim: &Claim, attached: &Attached, context: &Context) {
    let Some(attachment) = &attached.attachment else { return };
    if attached.wished.as_deref() != Some(attachment.host.as_str()) || context.quarantined() {
        return;
    }
    let home = claim.subject.namespace.as_str();
    let is_new = context.attachments.give(home, &attachment.host, &disk_name(claim));
    if is_new && attachment.state != AttachmentState::Attached {
        wake(home, &attachment.host, context);
    }
}

fn wake(namespace: &str, host: &str, context: &Context) {
    context.orders.wakes.item(OrderedKind::CloudHost, namespace, host);
}

/// What the machine of `host` was seen with, and the machine: from memory where that says that all is well, by the API
/// server's own word otherwise.
async fn see(
    home: &str,
    host: &str,
    disk: &str,
    is_wished: bool,
    site: &SiteEngines,
    context: &Context,
) -> Result<(Seen, Option<MachineView>), ReconcileError> {
    let claim = context.ledger.read(|state| state.claim_of_object(HOST, home, host).cloned());
    // Without a claim there is no machine: it is released after that is gone.
    let Some(claim) = claim else { return Ok((Seen::default(), None)) };
    let (namespace, name) = (engine_namespace(&claim), engine_name(&claim));
    let machine = site.machine(&namespace, name);
    let cached = seen(disk, machine.as_ref(), site.instance(&namespace, name).as_ref());
    if is_wished && cached.instance.is_some() && cached.is_attached() {
        return Ok((cached, machine));
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
    Ok((seen(disk, machine.as_ref(), instance.as_ref()), machine))
}

fn seen(disk: &str, machine: Option<&MachineView>, instance: Option<&InstanceView>) -> Seen {
    let among = |all: &[String]| all.iter().any(|each| each == disk);
    Seen {
        machine: Machine {
            exists: machine.is_some(),
            declared: machine.is_some_and(|machine| among(&machine.spec.attached.disks)),
            looked_at: machine.is_some_and(|machine| kubevirt::is_looked_at(machine, instance)),
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
/// When machines cannot be listed.
pub async fn holder(claim: &Claim, site: &SiteEngines) -> Result<Option<String>, ReconcileError> {
    let (namespace, disk) = (engine_namespace(claim), disk_name(claim));
    let (machines, instances) = (
        Api::<MachineView>::namespaced(site.client.clone(), &namespace),
        Api::<InstanceView>::namespaced(site.client.clone(), &namespace),
    );
    let all = ListParams::default();
    // In this order, as in `see`.
    let machines = machines.list(&all).await.map_err(|source| ReconcileError::read("machines", source))?;
    let instances = instances.list(&all).await.map_err(|source| ReconcileError::read("instances", source))?;
    let declared = machines.items.iter().find(|machine| machine.spec.attached.disks.contains(&disk));
    let has = |instance: &&InstanceView| {
        instance.spec.attached.contains(&disk) || instance.status.plugs.named.contains(&disk)
    };
    let runs = || instances.items.iter().find(has).map(host_of);
    Ok(declared.map(host_of).or_else(runs))
}

/// The host of a machine: as it is labelled, or as it is called.
fn host_of(machine: &impl ResourceExt) -> String {
    machine.labels().get(LABEL_CLOUDHOST).cloned().unwrap_or_else(|| machine.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_settled_where_its_wish_is_followed_and_nowhere_else() {
        let at = |host: &str, state| Some(VolumeAttachment { host: host.into(), state });
        let asked =
            |name: &str| Attached { asked: Some(name.into()), wished: Some(name.into()), ..Attached::default() };
        assert!(Attached::default().is_settled());
        assert!(!asked("web").is_settled());
        let there = Attached { attachment: at("web", AttachmentState::Attached), ..asked("web") };
        assert!(there.is_settled() && !there.is_moving());
        let misspelt = Attached { asked: Some("wbe".into()), ..there.clone() };
        assert!(!misspelt.is_settled() && !misspelt.is_moving(), "looked at again, and not at once");
        let waits = Attached { attachment: at("web", AttachmentState::AttachedAtRestart), ..asked("web") };
        assert!(!waits.is_settled() && !waits.is_moving());
        let comes = Attached { attachment: at("web", AttachmentState::Attaching), ..asked("web") };
        assert!(comes.is_moving());
        assert!(!Attached { archived: true, ..comes }.is_moving(), "its machine comes with its lease");
    }
}
