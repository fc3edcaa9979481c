//! Departments' own networks, as everybody sees them who is not their zone: whether one is there, and who looks after them
//! next. Nothing is watched before a zone asks for them: the engine may not be installed.

use std::{
    collections::HashMap,
    future::ready,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{Stream, StreamExt, future::join};
use jiyun_crds::{
    names::{LABEL_DEPARTMENT, LABEL_ZONE, department_namespace},
    v1alpha1::{Department, NetworkZone, OrderedKind},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::ListParams,
    runtime::{WatchStreamExt, reflector::Store, utils::PredicateConfig, watcher},
};
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;

use crate::{
    catalogue::readable,
    context::Context,
    engines::{
        kube_ovn::{self, SubnetView, VpcView},
        view::{EngineKind, View},
    },
    watch::{Guarded, Kind, Watched},
};

/// How often an engine that is asked for and not there is looked for.
const ENGINE_EVERY: Duration = Duration::from_secs(10);

/// What zones share that give departments networks; cheap to clone.
#[derive(Clone, Debug)]
pub struct Networks {
    /// The platform's own namespace: which addresses are given to whom is kept there.
    pub namespace: String,
    turn: Arc<Mutex<()>>,
    looks: watch::Sender<()>,
    missing: Arc<AtomicBool>,
}

impl Networks {
    /// For a platform in this namespace.
    pub fn new(namespace: String) -> Self {
        Self { namespace, turn: Arc::default(), looks: watch::channel(()).0, missing: Arc::default() }
    }

    /// One zone at a time: a department's router is shared by all of its zones.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Has every zone look after its networks.
    pub fn look(&self) {
        self.looks.send_replace(());
    }

    /// When zones are to look.
    pub fn looks(&self) -> impl Stream<Item = ()> + Send + use<> {
        WatchStream::from_changes(self.looks.subscribe())
    }
}

/// Whether what is not there is not there, and not only on its way to us.
pub fn is_known(context: &Context) -> bool {
    context.networks.missing.load(Ordering::Relaxed) || context.networks_listed.is_open()
}

/// Whether a machine can be put where it was approved for: into no subnet of its own, or into one that is ready.
pub fn is_ready(subnet: Option<&str>, context: &Context) -> bool {
    let found =
        |name: &str| context.sites.all().any(|site| site.subnet(name).is_some_and(|it| kube_ovn::is_ready(&it)));
    subnet.is_none_or(found)
}

/// Passes departments on and has zones look where one may use another zone, comes or goes.
pub fn following_zones(
    kind: Kind<Department, impl Stream<Item = Result<Guarded<Department>, watcher::Error>> + Send + 'static>,
    networks: Networks,
) -> Kind<Department, impl Stream<Item = Result<Guarded<Department>, watcher::Error>> + Send + 'static> {
    let mut known: HashMap<String, (Vec<String>, bool)> = HashMap::new();
    let stream = kind.stream.inspect(move |event| {
        let Some(department) = event.as_ref().ok().and_then(|object| object.0.as_ref().ok()) else { return };
        let now = (department.spec.zones.clone(), department.metadata.deletion_timestamp.is_some());
        if known.insert(department.name_any(), now.clone()).as_ref() != Some(&now) {
            networks.look();
        }
    });
    Kind { store: kind.store, stream, listed: kind.listed }
}

/// Follows routers and subnets from the moment a zone asks for them until `stop`: their zones look after them, and hosts
/// that wait for a subnet are told that it is there.
pub async fn follow(
    subnets: impl Stream<Item = Result<Guarded<SubnetView>, watcher::Error>> + Send + 'static,
    routers: impl Stream<Item = Result<Guarded<VpcView>, watcher::Error>> + Send + 'static,
    zones: Store<Guarded<NetworkZone>>,
    mut zones_changed: watch::Receiver<()>,
    context: Context,
    stop: CancellationToken,
) {
    let asked_for = async {
        while !readable(&zones).iter().any(|zone| zone.spec.isolation.is_some()) {
            if zones_changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        loop {
            let served = [is_served::<SubnetView>(&context.client).await, is_served::<VpcView>(&context.client).await];
            if served == [Some(true); 2] {
                break;
            }
            // A request that failed says nothing: whoever stands in line must not lose the place for it.
            context.networks.missing.store(served.contains(&Some(false)), Ordering::Relaxed);
            tokio::time::sleep(if served.contains(&Some(false)) { ENGINE_EVERY } else { AGAIN }).await;
        }
        context.networks.missing.store(false, Ordering::Relaxed);
    };
    if stop.run_until_cancelled(asked_for).await.is_none() {
        return;
    }
    let subnets =
        subnets.predicate_filter(|it: &Guarded<SubnetView>| Some(seen_of_subnet(it)), PredicateConfig::default());
    let of_subnets = subnets.for_each(|found| {
        context.networks.look();
        if let Some(subnet) = found.ok().and_then(|found| found.0.ok()).filter(kube_ovn::is_ready) {
            wake_hosts(&subnet, &context);
        }
        ready(())
    });
    let routers = routers.predicate_filter(|it: &Guarded<VpcView>| Some(seen_of(it)), PredicateConfig::default());
    let of_routers = routers.for_each(|found| {
        context.networks.look();
        if let Some(router) = found.ok().and_then(|found| found.0.ok()) {
            wake_flows(&router, &context);
        }
        ready(())
    });
    stop.run_until_cancelled(join(of_subnets, of_routers)).await;
}

/// How soon it is asked again whether an engine is there, where that could not be told.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether objects of a kind can be listed; nothing where the request failed for another reason. A watch of a kind that is not
/// installed fails again and again.
pub async fn is_served<K: Watched>(client: &Client) -> Option<bool> {
    match Api::<K>::all(client.clone()).list_metadata(&ListParams::default().limit(1)).await {
        Ok(_) => Some(true),
        Err(kube::Error::Api(status)) if status.code == 404 => Some(false),
        Err(_) => None,
    }
}

/// Hosts of the department and the zone that a subnet is for.
fn wake_hosts(subnet: &SubnetView, context: &Context) {
    let (Some(department), Some(zone)) = (subnet.labels().get(LABEL_DEPARTMENT), subnet.labels().get(LABEL_ZONE))
    else {
        return;
    };
    let namespace = department_namespace(department);
    for host in context.orders.hosts.state() {
        let Ok(host) = &host.0 else { continue };
        if host.spec.zone_ref.name == *zone && host.namespace().as_deref() == Some(&namespace) {
            context.orders.wakes.item(OrderedKind::CloudHost, &namespace, &host.name_any());
        }
    }
}

/// Flows of the department that a router is of: what it is connected to decides where they lead.
fn wake_flows(router: &VpcView, context: &Context) {
    let Some(department) = router.labels().get(LABEL_DEPARTMENT) else { return };
    let namespace = department_namespace(department);
    for flow in context.orders.flows.state() {
        if flow.namespace().as_deref() == Some(&namespace) {
            context.orders.wakes.item(OrderedKind::NetworkFlow, &namespace, &flow.name_any());
        }
    }
}

/// What a subnet is looked at for: addresses come and go with every machine.
fn seen_of_subnet(subnet: &Guarded<SubnetView>) -> u64 {
    let readable = subnet.0.as_ref().ok();
    let mut hash = DefaultHasher::new();
    (seen_of(subnet), readable.map(kube_ovn::is_ready), readable.map(|it| kube_ovn::is_in_use(&it.status)))
        .hash(&mut hash);
    hash.finish()
}

fn seen_of<E: EngineKind>(object: &Guarded<View<E>>) -> u64 {
    let meta = object.meta();
    let mut hash = DefaultHasher::new();
    (&meta.uid, meta.generation, meta.deletion_timestamp.is_some(), &meta.finalizers, &meta.labels).hash(&mut hash);
    hash.finish()
}
