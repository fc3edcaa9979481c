//! Dereference: everything a cloud bucket names, fetched from memory; no judgement here.

use jiyun_crds::{
    names::department_of_namespace,
    v1alpha1::{CloudBucket, Department, InformationSystem, NetworkZone},
};
use kube::Resource;

use crate::catalogue::{Catalogue, lookup};

/// What a bucket names, as far as it exists.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The department its namespace belongs to.
    pub department: Option<Department>,
    /// The information system it is part of.
    pub system: Option<InformationSystem>,
    /// Its network zone.
    pub zone: Option<NetworkZone>,
}

/// What is being deleted takes nothing new.
fn stays(object: &impl Resource) -> bool {
    object.meta().deletion_timestamp.is_none()
}

/// Looks up what `bucket` names.
pub fn dereference(bucket: &CloudBucket, catalogue: &Catalogue) -> Found {
    let namespace = bucket.metadata.namespace.as_deref();
    let spec = &bucket.spec;
    let is_granted = bucket.status.as_ref().is_some_and(|status| status.claim_id.is_some());
    Found {
        department: namespace
            .and_then(department_of_namespace)
            .and_then(|department| lookup(&catalogue.departments, None, department))
            .filter(stays),
        system: lookup(&catalogue.systems, namespace, &spec.system_ref.name).filter(stays),
        // A zone on its way out takes nothing new; what lies in it goes on.
        zone: lookup(&catalogue.zones, None, &spec.zone_ref.name).filter(|zone| stays(zone) || is_granted),
    }
}
