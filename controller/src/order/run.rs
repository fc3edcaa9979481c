//! Wires orders to their triggers: their own changes, approvals, and the hosts they are about.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt, stream, stream::BoxStream};
use jiyun_approvals::Calendar;
use jiyun_crds::v1alpha1::{
    Approval, ApprovalPolicy, CloudBucket, CloudDatabase, CloudHost, CloudSnapshot, CloudVolume, NetworkFlow, Order,
    OrderedKind,
};
use kube::{
    ResourceExt,
    runtime::{
        Controller, WatchStreamExt,
        controller::{Action, Config},
        predicates,
        reflector::{ObjectRef, Store},
        utils::PredicateConfig,
        watcher,
    },
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Ballots;
use crate::{
    context::{Context, NOT_LISTED, openings},
    driver::{Driver, drain, failed},
    error::ReconcileError,
    unseen::Unseen,
    watch::{Guarded, Kind},
};

/// Orders reconciled at the same time.
const CONCURRENCY: u16 = 16;

/// What is known of orders and of who decides them; cheap to clone.
#[derive(Clone)]
pub struct Orders {
    /// Orders of all departments.
    pub store: Store<Guarded<Order>>,
    /// Decisions about them.
    pub approvals: Ballots,
    /// Who has to agree.
    pub policies: Store<Guarded<ApprovalPolicy>>,
    /// Hosts of all departments.
    pub hosts: Store<Guarded<CloudHost>>,
    /// Flows of all departments.
    pub flows: Store<Guarded<NetworkFlow>>,
    /// Databases of all departments.
    pub databases: Store<Guarded<CloudDatabase>>,
    /// Volumes of all departments.
    pub volumes: Store<Guarded<CloudVolume>>,
    /// Buckets of all departments.
    pub buckets: Store<Guarded<CloudBucket>>,
    /// Snapshots of all departments.
    pub snapshots: Store<Guarded<CloudSnapshot>>,
    /// Orders written a moment ago.
    pub unseen: Unseen<Order>,
    /// Working days.
    pub calendar: Arc<Calendar>,
    /// Tells orders and what they are about of each other.
    pub wakes: Wakes,
}

/// Brings orders and their items to each other's notice. Cheap to clone.
#[derive(Clone)]
pub struct Wakes {
    hosts: mpsc::UnboundedSender<ObjectRef<Guarded<CloudHost>>>,
    flows: mpsc::UnboundedSender<ObjectRef<Guarded<NetworkFlow>>>,
    databases: mpsc::UnboundedSender<ObjectRef<Guarded<CloudDatabase>>>,
    volumes: mpsc::UnboundedSender<ObjectRef<Guarded<CloudVolume>>>,
    buckets: mpsc::UnboundedSender<ObjectRef<Guarded<CloudBucket>>>,
    snapshots: mpsc::UnboundedSender<ObjectRef<Guarded<CloudSnapshot>>>,
    orders: mpsc::UnboundedSender<ObjectRef<Guarded<Order>>>,
    ends: Arc<Mutex<Option<Ends>>>,
}

/// Objects of a kind that somebody wants looked at.
pub type Told<K> = BoxStream<'static, ObjectRef<Guarded<K>>>;

/// Where what was told is heard.
struct Ends {
    hosts: mpsc::UnboundedReceiver<ObjectRef<Guarded<CloudHost>>>,
    flows: mpsc::UnboundedReceiver<ObjectRef<Guarded<NetworkFlow>>>,
    databases: mpsc::UnboundedReceiver<ObjectRef<Guarded<CloudDatabase>>>,
    volumes: mpsc::UnboundedReceiver<ObjectRef<Guarded<CloudVolume>>>,
    buckets: mpsc::UnboundedReceiver<ObjectRef<Guarded<CloudBucket>>>,
    snapshots: mpsc::UnboundedReceiver<ObjectRef<Guarded<CloudSnapshot>>>,
    orders: mpsc::UnboundedReceiver<ObjectRef<Guarded<Order>>>,
}

impl Default for Wakes {
    fn default() -> Self {
        // Unbounded, and yet bounded: each is told by a reconciliation, of which so many run, and told again only by
        // another one.
        let (hosts, hears_hosts) = mpsc::unbounded_channel();
        let (flows, hears_flows) = mpsc::unbounded_channel();
        let (databases, hears_databases) = mpsc::unbounded_channel();
        let (volumes, hears_volumes) = mpsc::unbounded_channel();
        let (buckets, hears_buckets) = mpsc::unbounded_channel();
        let (snapshots, hears_snapshots) = mpsc::unbounded_channel();
        let (orders, hears_orders) = mpsc::unbounded_channel();
        let ends = Ends {
            hosts: hears_hosts,
            flows: hears_flows,
            databases: hears_databases,
            volumes: hears_volumes,
            buckets: hears_buckets,
            snapshots: hears_snapshots,
            orders: hears_orders,
        };
        let ends = Arc::new(Mutex::new(Some(ends)));
        Self { hosts, flows, databases, volumes, buckets, snapshots, orders, ends }
    }
}

impl Wakes {
    /// Has what an item is about looked at again.
    pub fn item(&self, kind: OrderedKind, namespace: &str, name: &str) {
        // Nobody hears when the process ends.
        match kind {
            OrderedKind::CloudHost => drop(self.hosts.send(ObjectRef::new(name).within(namespace))),
            OrderedKind::NetworkFlow => drop(self.flows.send(ObjectRef::new(name).within(namespace))),
            OrderedKind::CloudDatabase => drop(self.databases.send(ObjectRef::new(name).within(namespace))),
            OrderedKind::CloudVolume => drop(self.volumes.send(ObjectRef::new(name).within(namespace))),
            OrderedKind::CloudBucket => drop(self.buckets.send(ObjectRef::new(name).within(namespace))),
            OrderedKind::CloudSnapshot => drop(self.snapshots.send(ObjectRef::new(name).within(namespace))),
        }
    }

    /// Has an order looked at again.
    pub fn order(&self, namespace: &str, name: &str) {
        let _ = self.orders.send(ObjectRef::new(name).within(namespace));
    }

    /// The streams of what is told. Whoever asks second hears nothing.
    pub fn heard(&self) -> Heard {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ends = ends.map(|Ends { hosts, flows, databases, volumes, buckets, snapshots, orders }| {
            let stored = (Some(volumes), Some(buckets), Some(snapshots));
            (Some(hosts), Some(flows), Some(databases), stored, Some(orders))
        });
        let (hosts, flows, databases, (volumes, buckets, snapshots), orders) = ends.unwrap_or_default();
        Heard {
            hosts: heard(hosts).boxed(),
            flows: heard(flows).boxed(),
            databases: heard(databases).boxed(),
            volumes: heard(volumes).boxed(),
            buckets: heard(buckets).boxed(),
            snapshots: heard(snapshots).boxed(),
            orders: heard(orders).boxed(),
        }
    }
}

/// The streams of what is told.
pub struct Heard {
    /// Hosts.
    pub hosts: Told<CloudHost>,
    /// Flows.
    pub flows: Told<NetworkFlow>,
    /// Databases.
    pub databases: Told<CloudDatabase>,
    /// Volumes.
    pub volumes: Told<CloudVolume>,
    /// Buckets.
    pub buckets: Told<CloudBucket>,
    /// Snapshots.
    pub snapshots: Told<CloudSnapshot>,
    /// Orders.
    pub orders: Told<Order>,
}

fn heard<T: Send + 'static>(end: Option<mpsc::UnboundedReceiver<T>>) -> impl Stream<Item = T> + Send {
    stream::unfold(end, |end| async {
        match end {
            Some(mut end) => end.recv().await.map(|told| (told, Some(end))),
            None => std::future::pending().await,
        }
    })
}

/// Reconciles orders until `stop`.
pub async fn run(
    orders: Kind<Order, impl Stream<Item = Result<Guarded<Order>, watcher::Error>> + Send + 'static>,
    approvals: impl Stream<Item = Result<Guarded<Approval>, watcher::Error>> + Send + 'static,
    told: impl Stream<Item = ObjectRef<Guarded<Order>>> + Send + 'static,
    context: Context,
    stop: CancellationToken,
) {
    let ballots = context.orders.approvals.watching(approvals);
    // Our own status writes change no generation: they call nobody.
    let stream = context
        .orders
        .unseen
        .watching(orders.stream)
        .predicate_filter(predicates::generation, PredicateConfig::default());
    let outcomes = Controller::for_stream(stream, orders.store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .watches_stream(ballots, |approval| order_of(&approval))
        .reconcile_on(told)
        .reconcile_all_on(context.writer.trail().reopenings())
        .reconcile_all_on(openings([&context.orders_listed]))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, failed, Driver::new(context));
    drain(outcomes).await;
}

fn order_of(approval: &Guarded<Approval>) -> Option<ObjectRef<Guarded<Order>>> {
    let namespace = approval.namespace()?;
    let named = approval.0.as_ref().ok()?;
    Some(ObjectRef::new(&named.spec.order_ref.name).within(&namespace))
}

async fn reconcile(order: Arc<Guarded<Order>>, driver: Arc<Driver<Order>>) -> Result<Action, ReconcileError> {
    let Ok(readable) = &order.0 else { return Ok(Action::await_change()) };
    let context = &driver.context;
    if !context.orders_listed.is_open() {
        // A host or an approval not listed yet would be taken for missing.
        return Ok(Action::requeue(NOT_LISTED));
    }
    driver.counted(&order, Box::pin(super::reconcile(readable, context))).await
}
