//! Sites (数据中心): the one way to engine objects. Today the hub is the only site whose engines are served.

use jiyun_crds::v1alpha1::Site;
use kube::{
    Client,
    runtime::reflector::{ObjectRef, Store},
};

use crate::{
    engines::{
        cdi::{DataVolume, DiskView},
        kubevirt::{MachineView, VirtualMachine},
        view::View,
    },
    watch::Guarded,
};

/// A site's engines: where to write, and what is there.
#[derive(Clone)]
pub struct SiteEngines {
    /// The site's API server.
    pub client: Client,
    /// Its machines.
    pub machines: Store<Guarded<View<VirtualMachine>>>,
    /// Its disks.
    pub disks: Store<Guarded<View<DataVolume>>>,
}

impl SiteEngines {
    /// The machine of this name.
    pub fn machine(&self, namespace: &str, name: &str) -> Option<MachineView> {
        let reference = ObjectRef::<Guarded<MachineView>>::new(name).within(namespace);
        self.machines.get(&reference).and_then(|view| view.0.as_ref().ok().cloned())
    }

    /// The disk of this name.
    pub fn disk(&self, namespace: &str, name: &str) -> Option<DiskView> {
        let reference = ObjectRef::<Guarded<DiskView>>::new(name).within(namespace);
        self.disks.get(&reference).and_then(|view| view.0.as_ref().ok().cloned())
    }
}

/// All sites.
#[derive(Clone)]
pub struct Sites {
    hub: SiteEngines,
}

impl Sites {
    /// With the hub's own engines.
    pub fn new(hub: SiteEngines) -> Self {
        Self { hub }
    }

    /// The engines of `site`, if they are served.
    pub fn engines(&self, site: &Site) -> Option<&SiteEngines> {
        // The hub is the site without credentials; others are refused until their engines can be served.
        let is_hub = site.spec.access.is_none() && site.metadata.deletion_timestamp.is_none();
        is_hub.then_some(&self.hub)
    }
}

/// For logs.
impl std::fmt::Debug for Sites {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sites").finish_non_exhaustive()
    }
}
