//! Sites (数据中心): the one way to engine objects. Today the hub is the only site whose engines are served.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use jiyun_crds::{names::LABEL_CLAIM, v1alpha1::Site};
use kube::{
    Client, ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};

use tokio::sync::watch;

use crate::{
    catalogue::{lookup, readable},
    engines::{
        cdi::{DataVolume, DiskView},
        cnpg::ClusterView,
        kube_ovn::{SubnetView, VpcView},
        kubevirt::{InstanceView, MachineView, VirtualMachine, VirtualMachineInstance},
        network::{NetworkPolicy, PolicyView},
        node::{self, Hardware, NodeView},
        rook::{ClaimView, UserView},
        snapshot::SnapshotView,
        view::View,
    },
    unseen::Unseen,
    watch::{Guarded, Watched},
};

/// How long nodes may take to be listed before a pool goes on with what it had.
const NODES_PATIENCE: Duration = Duration::from_secs(10);

/// A site's engines: where to write, and what is there.
#[derive(Clone)]
pub struct SiteEngines {
    /// The site's API server.
    pub client: Client,
    /// Its machines.
    pub machines: Store<Guarded<View<VirtualMachine>>>,
    /// Its machines as they run.
    pub instances: Store<Guarded<View<VirtualMachineInstance>>>,
    /// Its disks.
    pub disks: Store<Guarded<View<DataVolume>>>,
    /// Its clusters of databases.
    pub clusters: Store<Guarded<ClusterView>>,
    /// What its buckets are asked for with.
    pub bucket_claims: Store<Guarded<ClaimView>>,
    /// The users that its buckets belong to.
    pub bucket_users: Store<Guarded<UserView>>,
    /// Snapshots of its disks.
    pub volume_snapshots: Store<Guarded<SnapshotView>>,
    /// Walls opened for flows and databases.
    pub policies: Store<Guarded<View<NetworkPolicy>>>,
    /// Departments' own subnets.
    pub subnets: Store<Guarded<SubnetView>>,
    /// Departments' own routers.
    pub routers: Store<Guarded<VpcView>>,
    /// The nodes they run on.
    pub nodes: Store<Guarded<NodeView>>,
    /// Whether those were listed.
    pub nodes_listed: watch::Receiver<bool>,
    /// Machines applied a moment ago.
    pub unseen_machines: Unseen<MachineView>,
    /// Disks applied a moment ago.
    pub unseen_disks: Unseen<DiskView>,
    /// Clusters of databases applied a moment ago.
    pub unseen_clusters: Unseen<ClusterView>,
    /// Claims of buckets applied a moment ago.
    pub unseen_bucket_claims: Unseen<ClaimView>,
    /// Users of buckets applied a moment ago.
    pub unseen_bucket_users: Unseen<UserView>,
    /// Snapshots applied a moment ago.
    pub unseen_volume_snapshots: Unseen<SnapshotView>,
    /// Policies applied a moment ago.
    pub unseen_policies: Unseen<PolicyView>,
}

impl SiteEngines {
    /// The machine of this name.
    pub fn machine(&self, namespace: &str, name: &str) -> Option<MachineView> {
        self.unseen_machines.or_written(namespace, name, named(&self.machines, namespace, name))
    }

    /// The disk of this name.
    pub fn disk(&self, namespace: &str, name: &str) -> Option<DiskView> {
        self.unseen_disks.or_written(namespace, name, named(&self.disks, namespace, name))
    }

    /// The cluster of databases of this name.
    pub fn cluster(&self, namespace: &str, name: &str) -> Option<ClusterView> {
        self.unseen_clusters.or_written(namespace, name, named(&self.clusters, namespace, name))
    }

    /// The claim of a bucket of this name.
    pub fn bucket_claim(&self, namespace: &str, name: &str) -> Option<ClaimView> {
        self.unseen_bucket_claims.or_written(namespace, name, named(&self.bucket_claims, namespace, name))
    }

    /// The user of this name that a bucket belongs to.
    pub fn bucket_user(&self, namespace: &str, name: &str) -> Option<UserView> {
        self.unseen_bucket_users.or_written(namespace, name, named(&self.bucket_users, namespace, name))
    }

    /// The snapshot of this name.
    pub fn volume_snapshot(&self, namespace: &str, name: &str) -> Option<SnapshotView> {
        self.unseen_volume_snapshots.or_written(namespace, name, named(&self.volume_snapshots, namespace, name))
    }

    /// The subnet of this name.
    pub fn subnet(&self, name: &str) -> Option<SubnetView> {
        lookup(&self.subnets, None, name)
    }

    /// The router of this name.
    pub fn router(&self, name: &str) -> Option<VpcView> {
        lookup(&self.routers, None, name)
    }

    /// The policies made for the claim of this label, as they were last seen or written.
    pub fn policies_of(&self, claim: &str) -> Vec<PolicyView> {
        made_for(&self.policies, &self.unseen_policies, claim)
    }

    /// All policies made for flows and databases.
    pub fn policies(&self) -> Vec<PolicyView> {
        readable(&self.policies)
    }

    /// What the nodes with these labels have; `None` where they cannot be listed.
    pub async fn hardware(&self, selector: &str) -> Option<Hardware> {
        // At a start they are on their way; a pool is not said to have none before that.
        let mut listed = self.nodes_listed.clone();
        let listed = tokio::time::timeout(NODES_PATIENCE, listed.wait_for(|listed| *listed)).await;
        matches!(listed, Ok(Ok(_))).then(|| node::hardware(readable(&self.nodes).iter(), selector))
    }

    /// Whether nothing is heard any more of the node of this name. Of one that is not known, that is not known either.
    pub fn is_silent(&self, node: &str) -> bool {
        lookup(&self.nodes, None, node).is_some_and(|node| node::is_silent(&node.status))
    }

    /// The machine of this name as it runs.
    pub fn instance(&self, namespace: &str, name: &str) -> Option<InstanceView> {
        named(&self.instances, namespace, name)
    }
}

/// Objects made for the claim of this label, as they were last seen or written.
fn made_for<K: Watched>(store: &Store<Guarded<K>>, unseen: &Unseen<K>, claim: &str) -> Vec<K> {
    let is_theirs = |object: &K| object.labels().get(LABEL_CLAIM).is_some_and(|label| label == claim);
    let all = store.state();
    let readable = all.iter().filter_map(|object| object.0.as_ref().ok());
    let mut found: Vec<K> = readable.filter(|object| is_theirs(object)).cloned().collect();
    for object in unseen.all().into_iter().filter(is_theirs) {
        let same = |other: &&mut K| (other.name_any(), other.namespace()) == (object.name_any(), object.namespace());
        match found.iter_mut().find(same) {
            Some(older) => *older = unseen.freshest(older).into_owned(),
            None => found.push(object),
        }
    }
    found
}

fn named<K: Watched>(store: &Store<Guarded<K>>, namespace: &str, name: &str) -> Option<K> {
    let reference = ObjectRef::<Guarded<K>>::new(name).within(namespace);
    store.get(&reference).and_then(|view| view.0.as_ref().ok().cloned())
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

    /// What pools read of all nodes, as one number: the same as long as nothing they read has changed.
    pub fn fingerprint_of_nodes(&self) -> u64 {
        let mut nodes = readable(&self.hub.nodes);
        nodes.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
        let mut hash = DefaultHasher::new();
        for node in nodes {
            let (meta, leaving) = (&node.metadata, node.metadata.deletion_timestamp.is_some());
            (&meta.name, &meta.labels, leaving, &node.spec, &node.status.allocatable).hash(&mut hash);
        }
        hash.finish()
    }

    /// The engines of every site that is served.
    pub fn all(&self) -> impl Iterator<Item = &SiteEngines> {
        std::iter::once(&self.hub)
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
