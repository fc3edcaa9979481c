//! Profile `scale`: no process of any engine; simulators move the engines' objects themselves.

use std::sync::Arc;

use kube::Client;

use crate::lab::Site;
use crate::options::{Snapshots, Volumes};
use crate::parts::Part;
use crate::simulate::{self, Simulation};

/// Definitions nothing here reads or writes. They are the largest, and each half megabyte costs the API server seconds.
const UNUSED: [&str; 17] = [
    "cdiconfigs.cdi.kubevirt.io",
    "dataimportcrons.cdi.kubevirt.io",
    "kubevirts.kubevirt.io",
    "objecttransfers.cdi.kubevirt.io",
    "openstackvolumepopulators.forklift.cdi.kubevirt.io",
    "ovirtvolumepopulators.forklift.cdi.kubevirt.io",
    "virtualmachineclones.clone.kubevirt.io",
    "virtualmachineclusterpreferences.instancetype.kubevirt.io",
    "virtualmachineexports.export.kubevirt.io",
    "virtualmachineinstancepresets.kubevirt.io",
    "virtualmachineinstancereplicasets.kubevirt.io",
    "virtualmachinepools.pool.kubevirt.io",
    "virtualmachinepreferences.instancetype.kubevirt.io",
    "virtualmachinesnapshotcontents.snapshot.kubevirt.io",
    "volumegroupsnapshotclasses.groupsnapshot.storage.k8s.io",
    "volumegroupsnapshotcontents.groupsnapshot.storage.k8s.io",
    "volumegroupsnapshots.groupsnapshot.storage.k8s.io",
];

/// Whether a definition is installed.
pub(super) fn uses(definition: &str) -> bool {
    !UNUSED.contains(&definition)
}

/// Starts the simulators on the current runtime.
pub(super) fn start(site: &Site, client: &Client) {
    let simulation = Simulation { client: client.clone(), pace: site.options.pace, faults: Arc::clone(&site.faults) };
    // Where CDI itself runs, it does this.
    if !site.options.parts.contains(&Part::Cdi) {
        tokio::spawn(simulate::data_volume::run(simulation.clone()));
    }
    if site.options.volumes == Volumes::Simulated {
        tokio::spawn(simulate::disk::run(simulation.clone()));
    }
    // Where a driver that takes snapshots runs, Kubernetes' own controller of them does, too.
    if site.options.snapshots == Snapshots::Csi && !site.options.parts.contains(&Part::Csi) {
        tokio::spawn(simulate::snapshot::run(simulation.clone()));
    }
    tokio::spawn(simulate::virtual_machine::run(simulation, site.options.instances));
}
