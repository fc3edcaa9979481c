//! What every reconciler is given: clients, the ledger, the catalogue, figures.

use std::{sync::Arc, time::Duration};

use futures::{Stream, stream::FuturesUnordered};
use jiyun_crds::v1alpha1::{
    CloudBucket, CloudDatabase, CloudHost, CloudSnapshot, CloudVolume, NetworkFlow, VolumeAttachment,
};
use jiyun_ledger::Ledger;
use kube::Client;
use tokio::sync::watch;

use crate::{
    catalogue::Catalogue,
    database::sightings::Sightings,
    host::{lease, pace::Pace},
    metrics::Metrics,
    networks::Networks,
    order::Orders,
    presence::Presence,
    site::Sites,
    unseen::Unseen,
    volume::{attachments::Attachments, patience::Patience},
    write::Writer,
};

/// Shared by all reconcilers; cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The hub.
    pub client: Client,
    /// Changing requests.
    pub writer: Writer,
    /// The account book.
    pub ledger: Ledger,
    /// What may be referred to.
    pub catalogue: Catalogue,
    /// Where engines are.
    pub sites: Arc<Sites>,
    /// Orders, and who decides them.
    pub orders: Orders,
    /// Hosts reported on a moment ago.
    pub unseen_hosts: Unseen<CloudHost>,
    /// How often hosts are reported on whose image is fetched.
    pub pace: Pace,
    /// Flows reported on a moment ago.
    pub unseen_flows: Unseen<NetworkFlow>,
    /// Databases reported on a moment ago.
    pub unseen_databases: Unseen<CloudDatabase>,
    /// Volumes reported on a moment ago.
    pub unseen_volumes: Unseen<CloudVolume>,
    /// Which host may have which volume.
    pub attachments: Attachments,
    /// How soon volumes on their way are looked at again.
    pub patience: Patience<VolumeAttachment>,
    /// Buckets reported on a moment ago.
    pub unseen_buckets: Unseen<CloudBucket>,
    /// Since when changed clusters of databases are known.
    pub declared_clusters: Sightings,
    /// How soon buckets on their way are looked at again, by the moment of the key pair and the size in MiB they are to have.
    pub bucket_patience: Patience<(u64, u64)>,
    /// Snapshots reported on a moment ago.
    pub unseen_snapshots: Unseen<CloudSnapshot>,
    /// Whether what makes machines and disks is installed, as a look at a site has it; `host::engine` says what follows.
    pub machine_engine: Presence,
    /// Whether what makes databases is installed.
    pub database_engine: Presence,
    /// Whether what makes buckets is installed.
    pub bucket_engine: Presence,
    /// Whether what takes snapshots is installed.
    pub snapshot_engine: Presence,
    /// Departments' own networks.
    pub networks: Networks,
    /// How long each step of a lease takes.
    pub lease_terms: Arc<lease::Terms>,
    /// Figures.
    pub metrics: Metrics,
    /// Open once everything others refer to was listed.
    pub catalogue_listed: Gate,
    /// Open once orders, approvals, policies, hosts, flows, databases, volumes, buckets and snapshots were listed.
    pub orders_listed: Gate,
    /// Open once the engines' machines and disks were listed; never before what makes them is installed.
    pub engines_listed: Gate,
    /// Open once departments' own subnets and routers were listed; never where nothing asks for them.
    pub networks_listed: Gate,
    /// Open once clusters of databases were listed; never where no database asks for them, or their engine is not installed.
    pub clusters_listed: Gate,
    /// Open once claims of buckets and their users were listed; never where no bucket asks for them, or their engine is not
    /// installed.
    pub buckets_listed: Gate,
    /// Open once snapshots were listed as their engine has them; never where none is asked for, or that is not installed.
    pub snapshots_listed: Gate,
    /// Open once the walls opened for flows and databases were listed.
    pub policies_listed: Gate,
}

impl Context {
    /// Whether nothing may be granted, billed, released or destroyed until an operator has looked.
    pub fn quarantined(&self) -> bool {
        self.ledger.read(|state| state.quarantine().is_some())
    }
}

/// When to look again at what waits for a [`Gate`]. Its opening wakes all who wait (see [`openings`]); this look is for those
/// who learn meanwhile that what they wait for will not come. Not sooner: before fifty thousand hosts are listed, or where a
/// kind cannot be, every one of them comes back at this pace.
pub const NOT_LISTED: Duration = Duration::from_secs(5);

/// One event for each of these gates, as it opens.
pub fn openings<const N: usize>(gates: [&Gate; N]) -> impl Stream<Item = ()> + Send + use<N> {
    let opening = |gate: Gate| async move { gate.open().await };
    gates.into_iter().cloned().map(opening).collect::<FuturesUnordered<_>>()
}

/// Opens when all kinds it names were listed once. Until then a missing object may only be one not read yet.
#[derive(Clone, Debug)]
pub struct Gate(Vec<watch::Receiver<bool>>);

impl Gate {
    /// For these kinds.
    pub fn new(kinds: impl IntoIterator<Item = watch::Receiver<bool>>) -> Self {
        Self(kinds.into_iter().collect())
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.0.iter().all(|listed| *listed.borrow())
    }

    /// Waits until it is open; for ever, if a watch ends before that (its controller is ending, and the process with it).
    pub async fn open(&self) {
        for kind in &self.0 {
            if kind.clone().wait_for(|listed| *listed).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    #[tokio::test]
    async fn each_gate_wakes_once_when_all_its_kinds_were_listed() {
        let [hosts, disks] = [false; 2].map(|listed| watch::channel(listed).0);
        let orders = Gate::new([hosts.subscribe()]);
        let engines = Gate::new([hosts.subscribe(), disks.subscribe()]);
        let mut woken = Box::pin(openings([&orders, &engines]));
        assert_eq!(woken.next().now_or_never(), None);
        hosts.send_replace(true);
        assert_eq!(woken.next().now_or_never(), Some(Some(())));
        assert_eq!(woken.next().now_or_never(), None, "disks were not listed");
        disks.send_replace(true);
        assert_eq!(woken.next().now_or_never(), Some(Some(())));
        assert_eq!(woken.next().now_or_never(), Some(None));
    }
}
