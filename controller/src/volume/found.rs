//! Dereference: everything a cloud volume names, fetched from memory; no judgement here.

use jiyun_crds::{
    names::{ANNOTATION_HANDOVER, department_of_namespace},
    v1alpha1::{CloudHost, CloudVolume, Department, InformationSystem, NetworkZone, StoragePool},
};
use jiyun_ledger::{ClaimStage, Meter};
use kube::{Resource, runtime::reflector::ObjectRef};

use crate::{
    catalogue::lookup,
    content,
    context::Context,
    host::{
        lease,
        request::{engine_name, engine_namespace},
    },
    watch::Guarded,
};

/// The host of a department, as claims name it.
pub const HOST: &str = "CloudHost";

/// What a volume names, as far as it exists.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The department its namespace belongs to.
    pub department: Option<Department>,
    /// The information system it is part of.
    pub system: Option<InformationSystem>,
    /// Its network zone.
    pub zone: Option<NetworkZone>,
    /// The snapshot it is made from.
    pub content: content::Named,
    /// The host it names.
    pub host: Named,
}

/// The host that a volume names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Named {
    /// None.
    #[default]
    Nobody,
    /// One that is not there.
    Missing,
    /// One that is on its way out.
    Leaving,
    /// One that cannot be read, or is not there though the book has its claim: nothing is known of it, and nothing is taken
    /// from it.
    Unreadable,
    /// This one.
    There(Host),
}

/// What matters of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its system.
    pub system: String,
    /// Where it is, once something is set aside for it.
    pub place: Option<Place>,
}

/// Where a host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its site.
    pub site: String,
    /// The namespace of its machine.
    pub namespace: String,
    /// The name of its machine.
    pub machine: String,
    /// Whether it was granted, and not only held for an order.
    pub is_granted: bool,
    /// Whether its machine is taken down until its lease is extended.
    pub is_archived: bool,
}

/// What is being deleted takes nothing new.
fn stays(object: &impl Resource) -> bool {
    object.meta().deletion_timestamp.is_none()
}

/// Looks up what `volume` names.
pub fn dereference(volume: &CloudVolume, context: &Context) -> Found {
    let catalogue = &context.catalogue;
    let namespace = volume.metadata.namespace.as_deref();
    let spec = &volume.spec;
    let is_granted = volume.status.as_ref().is_some_and(|status| status.claim_id.is_some());
    Found {
        department: namespace
            .and_then(department_of_namespace)
            .and_then(|department| lookup(&catalogue.departments, None, department))
            .filter(stays),
        system: lookup(&catalogue.systems, namespace, &spec.system_ref.name).filter(stays),
        // A zone on its way out takes nothing new; what lies in it goes on.
        zone: lookup(&catalogue.zones, None, &spec.zone_ref.name).filter(|zone| stays(zone) || is_granted),
        content: content::Named::of(volume, spec.snapshot_ref.as_ref(), context),
        host: spec
            .host_ref
            .as_ref()
            .map_or(Named::Nobody, |host| named(namespace.unwrap_or_default(), &host.name, context)),
    }
}

/// The host of that name.
pub fn named(namespace: &str, name: &str, context: &Context) -> Named {
    let reference = ObjectRef::<Guarded<CloudHost>>::new(name).within(namespace);
    let Some(host) = context.orders.hosts.get(&reference) else {
        let claim = context.ledger.read(|state| state.claim_of_object(HOST, namespace, name).cloned());
        let is_booked = claim.is_some_and(|claim| claim.stage() != ClaimStage::Ending);
        return if is_booked { Named::Unreadable } else { Named::Missing };
    };
    let Ok(host) = &host.0 else { return Named::Unreadable };
    if !stays(host) {
        return Named::Leaving;
    }
    // On its way to another department it is given nothing that could not go along.
    let is_given = host.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(ANNOTATION_HANDOVER));
    let place = if is_given { None } else { place(host, context) };
    Named::There(Host { system: host.spec.system_ref.name.clone(), place })
}

/// Where the claim of `host` has it.
fn place(host: &CloudHost, context: &Context) -> Option<Place> {
    let uid = host.metadata.uid.as_deref()?;
    let claim = context.ledger.read(|state| state.claim_of_subject(uid).cloned())?;
    if !claim.is_open() || claim.stage() == ClaimStage::Ending {
        return None;
    }
    // With what is held: of what an order has only set aside, its volumes want to know as well.
    let pool = claim.taken().find(|line| line.meter == Meter::BlockStorage)?.pool.name().to_owned();
    let pool = lookup::<StoragePool>(&context.catalogue.storage_pools, None, &pool)?;
    Some(Place {
        site: pool.spec.site_ref.name,
        namespace: engine_namespace(&claim),
        machine: engine_name(&claim).to_owned(),
        is_granted: claim.stage() != ClaimStage::Held,
        is_archived: lease::is_archived(&claim),
    })
}
