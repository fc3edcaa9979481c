//! Dereference: everything a cloud host names, fetched from memory; no judgement here.

use jiyun_crds::{
    names::department_of_namespace,
    v1alpha1::{CloudHost, Department, HostClass, HostImage, InformationSystem, NetworkZone},
};

use kube::Resource;

use super::lease;
use crate::{catalogue::lookup, content, context::Context};

/// What a host names, as far as it exists.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The department its namespace belongs to.
    pub department: Option<Department>,
    /// The information system it is part of.
    pub system: Option<InformationSystem>,
    /// Its class.
    pub class: Option<HostClass>,
    /// Its image.
    pub image: Option<HostImage>,
    /// Its network zone.
    pub zone: Option<NetworkZone>,
    /// The snapshot it is made from.
    pub content: content::Named,
    /// What its lease is judged by; none: what was granted once is read again, and not judged.
    pub lease: Option<lease::Check>,
}

/// What is being deleted takes nothing new.
fn stays(object: &impl Resource) -> bool {
    object.meta().deletion_timestamp.is_none()
}

/// Looks up what `host` names.
pub fn dereference(host: &CloudHost, context: &Context) -> Found {
    let catalogue = &context.catalogue;
    let namespace = host.metadata.namespace.as_deref();
    let spec = &host.spec;
    Found {
        department: namespace
            .and_then(department_of_namespace)
            .and_then(|department| lookup(&catalogue.departments, None, department))
            .filter(stays),
        system: lookup(&catalogue.systems, namespace, &spec.system_ref.name).filter(stays),
        class: lookup(&catalogue.classes, None, &spec.class_ref.name),
        image: lookup(&catalogue.images, None, &spec.image_ref.name),
        // A zone on its way out takes nothing new; what lies in it goes on.
        zone: lookup(&catalogue.zones, None, &spec.zone_ref.name)
            .filter(|zone: &NetworkZone| zone.metadata.deletion_timestamp.is_none() || is_granted(host)),
        content: content::Named::of(host, spec.snapshot_ref.as_ref(), context),
        lease: spec.lease.as_ref().map(|_| lease::Check::of(host, context)),
    }
}

fn is_granted(host: &CloudHost) -> bool {
    host.status.as_ref().is_some_and(|status| status.claim_id.is_some())
}
