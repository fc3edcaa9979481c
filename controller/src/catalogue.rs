//! What everybody may refer to, in memory: departments, systems, zones, classes, images, pools and sites.

use jiyun_crds::v1alpha1::{
    ComputePool, DatabaseClass, Department, HostClass, HostImage, InformationSystem, NetworkZone, Site, StoragePool,
};
use kube::runtime::reflector::{ObjectRef, Store};

use crate::watch::{Guarded, Watched};

/// Readers of the watched kinds; cheap to clone.
#[derive(Clone)]
pub struct Catalogue {
    /// Departments.
    pub departments: Store<Guarded<Department>>,
    /// Information systems of all departments.
    pub systems: Store<Guarded<InformationSystem>>,
    /// Network zones.
    pub zones: Store<Guarded<NetworkZone>>,
    /// Host classes.
    pub classes: Store<Guarded<HostClass>>,
    /// Database classes.
    pub database_classes: Store<Guarded<DatabaseClass>>,
    /// Host images.
    pub images: Store<Guarded<HostImage>>,
    /// Compute pools.
    pub compute_pools: Store<Guarded<ComputePool>>,
    /// Storage pools.
    pub storage_pools: Store<Guarded<StoragePool>>,
    /// Sites.
    pub sites: Store<Guarded<Site>>,
}

/// The readable object called `name` (in `namespace`, for namespaced kinds).
pub fn lookup<K: Watched>(store: &Store<Guarded<K>>, namespace: Option<&str>, name: &str) -> Option<K> {
    let reference = ObjectRef::<Guarded<K>>::new(name);
    let reference = match namespace {
        Some(namespace) => reference.within(namespace),
        None => reference,
    };
    store.get(&reference).and_then(|object| object.0.as_ref().ok().cloned())
}

/// All readable objects.
pub fn readable<K: Watched>(store: &Store<Guarded<K>>) -> Vec<K> {
    store.state().iter().filter_map(|object| object.0.as_ref().ok().cloned()).collect()
}
