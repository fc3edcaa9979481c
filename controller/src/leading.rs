//! What a leader does: open the book, make sure both stores belong together, then start every controller in order.

use std::{future::ready, sync::Arc, time::Duration};

use futures::{Stream, StreamExt, stream};
use jiyun_approvals::Calendar;
use jiyun_crds::names::{LABEL_CLAIM, LABEL_SNAPSHOT};
use jiyun_crds::v1alpha1::{
    Approval, ApprovalPolicy, CloudBucket, CloudDatabase, CloudHost, CloudSnapshot, CloudVolume, ComputePool,
    DatabaseClass, Department, Handover, HostClass, HostImage, InformationSystem, NetworkFlow, NetworkZone, Order,
    PriceList, Site, StoragePool,
};
use jiyun_ledger::{Ledger, Lineage, OpenReport};
use kube::{Api, Client, runtime::watcher};
use tokio::{sync::watch, task::JoinSet};
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    args::Run,
    bucket,
    catalogue::{Catalogue, readable},
    checks,
    context::{Context, Gate},
    database,
    engines::{
        cdi::DiskView,
        cnpg::ClusterView,
        kube_ovn::{SubnetView, VpcView},
        kubevirt::{InstanceView, MachineView},
        network::PolicyView,
        node::NodeView,
        rook::{ClaimView, UserView},
        snapshot::SnapshotView,
    },
    error::ReconcileError,
    flow, host, lineage,
    metrics::Metrics,
    networks::{self, Networks},
    notices,
    order::{self, Orders, Wakes},
    orphans,
    presence::{Presence, once_served},
    settled,
    site::{SiteEngines, Sites},
    snapshot, totals,
    trail::Recorder,
    unseen::Unseen,
    volume::{self, attachments::Attachments, patience::Patience},
    watch::{Guarded, Kind, Watched, watched, watched_everywhere},
    write::Writer,
};

/// Everything a leader needs to begin.
pub struct Beginning {
    /// The hub.
    pub client: Client,
    /// The opened book.
    pub ledger: Ledger,
    /// What was found when it was opened.
    pub report: OpenReport,
    /// The Kubernetes store beside it.
    pub peer: lineage::Peer,
    /// Figures.
    pub metrics: Metrics,
    /// Working days.
    pub calendar: Arc<Calendar>,
    /// What is done is recorded there.
    pub trail: Recorder,
    /// Who is told what waits for them, where anybody is.
    pub notices: Option<notices::Desk>,
}

/// Runs all controllers until `stop`, then lets them finish what they are at.
///
/// # Errors
/// When the two stores cannot be compared.
pub async fn lead(beginning: Beginning, args: &Run, stop: &CancellationToken) -> Result<(), ReconcileError> {
    let Beginning { client, ledger, report, peer, metrics, calendar, trail, notices: desk } = beginning;
    check_lineage(&client, args, &ledger, &report, &peer).await?;
    let acknowledged = lineage::acknowledged(&client, &args.namespace).await?;

    let writer = Writer::new(metrics.clone(), trail);
    let mut tasks = JoinSet::new();
    let (changes, _) = watch::channel(());

    // Streams fill their stores only while somebody polls them: each is handed to its controller below.
    let departments = watched_everywhere::<Department>(&client, &metrics);
    let systems = watched_everywhere::<InformationSystem>(&client, &metrics);
    let zones = watched_everywhere::<NetworkZone>(&client, &metrics);
    let classes = watched_everywhere::<HostClass>(&client, &metrics);
    let database_classes = watched_everywhere::<DatabaseClass>(&client, &metrics);
    let images = watched_everywhere::<HostImage>(&client, &metrics);
    let compute_pools = watched_everywhere::<ComputePool>(&client, &metrics);
    let storage_pools = watched_everywhere::<StoragePool>(&client, &metrics);
    let sites = watched_everywhere::<Site>(&client, &metrics);
    let prices = watched_everywhere::<PriceList>(&client, &metrics);
    let handovers = watched_everywhere::<Handover>(&client, &metrics);
    let policies = watched_everywhere::<ApprovalPolicy>(&client, &metrics);
    let approvals = watched_everywhere::<Approval>(&client, &metrics);
    let orders = watched_everywhere::<Order>(&client, &metrics);
    let hosts = watched_everywhere::<CloudHost>(&client, &metrics);
    let flows = watched_everywhere::<NetworkFlow>(&client, &metrics);
    let databases = watched_everywhere::<CloudDatabase>(&client, &metrics);
    let volumes = watched_everywhere::<CloudVolume>(&client, &metrics);
    let buckets = watched_everywhere::<CloudBucket>(&client, &metrics);
    let snapshots = watched_everywhere::<CloudSnapshot>(&client, &metrics);
    let engines_only = || {
        watcher::Config::default().labels(&format!(
            "{}={}",
            jiyun_crds::names::LABEL_MANAGED_BY,
            jiyun_crds::names::MANAGED_BY
        ))
    };
    let machines = watched::<MachineView>(Api::all(client.clone()), engines_only(), &metrics);
    let instances = watched::<InstanceView>(Api::all(client.clone()), engines_only(), &metrics);
    let disks = watched::<DiskView>(Api::all(client.clone()), engines_only(), &metrics);
    let clusters = watched::<ClusterView>(Api::all(client.clone()), engines_only(), &metrics);
    let bucket_claims = watched::<ClaimView>(Api::all(client.clone()), engines_only(), &metrics);
    let bucket_users = watched::<UserView>(Api::all(client.clone()), engines_only(), &metrics);
    // Others take snapshots, too: of ours alone, those that carry a snapshot's name.
    let of_snapshots = watcher::Config::default().labels(LABEL_SNAPSHOT);
    let taken = watched::<SnapshotView>(Api::all(client.clone()), of_snapshots, &metrics);
    let subnets = watched::<SubnetView>(Api::all(client.clone()), engines_only(), &metrics);
    let routers = watched::<VpcView>(Api::all(client.clone()), engines_only(), &metrics);

    // Those opened for flows and databases carry a claim; the walls themselves are looked after by their department.
    let claimed = format!("{}={},{}", jiyun_crds::names::LABEL_MANAGED_BY, jiyun_crds::names::MANAGED_BY, LABEL_CLAIM);
    let openings =
        watched::<PolicyView>(Api::all(client.clone()), watcher::Config::default().labels(&claimed), &metrics);

    // Pools may read their capacity there; nobody else looks at them.
    let nodes = watched_everywhere::<NodeView>(&client, &metrics);
    let (node_changes, _) = watch::channel(());

    let catalogue = Catalogue {
        departments: departments.store.clone(),
        systems: systems.store.clone(),
        zones: zones.store.clone(),
        classes: classes.store.clone(),
        database_classes: database_classes.store.clone(),
        images: images.store.clone(),
        compute_pools: compute_pools.store.clone(),
        storage_pools: storage_pools.store.clone(),
        sites: sites.store.clone(),
    };
    let catalogue_listed = Gate::new([
        departments.listed.clone(),
        systems.listed.clone(),
        zones.listed.clone(),
        classes.listed.clone(),
        database_classes.listed.clone(),
        images.listed.clone(),
        compute_pools.listed.clone(),
        storage_pools.listed.clone(),
        sites.listed.clone(),
    ]);
    let engines_listed = Gate::new([machines.listed.clone(), instances.listed.clone(), disks.listed.clone()]);
    let orders_listed = Gate::new([
        policies.listed.clone(),
        approvals.listed.clone(),
        orders.listed.clone(),
        hosts.listed.clone(),
        flows.listed.clone(),
        databases.listed.clone(),
        volumes.listed.clone(),
        buckets.listed.clone(),
        snapshots.listed.clone(),
    ]);
    let engines = SiteEngines {
        client: client.clone(),
        machines: machines.store,
        instances: instances.store,
        disks: disks.store,
        clusters: clusters.store,
        bucket_claims: bucket_claims.store,
        bucket_users: bucket_users.store,
        volume_snapshots: taken.store,
        policies: openings.store,
        subnets: subnets.store,
        routers: routers.store,
        nodes: nodes.store,
        nodes_listed: nodes.listed,
        unseen_machines: Unseen::default(),
        unseen_disks: Unseen::default(),
        unseen_clusters: Unseen::default(),
        unseen_bucket_claims: Unseen::default(),
        unseen_bucket_users: Unseen::default(),
        unseen_volume_snapshots: Unseen::default(),
        unseen_policies: Unseen::default(),
    };
    let machines = engines.unseen_machines.watching(machines.stream);
    let disks = engines.unseen_disks.watching(disks.stream);
    let policies_listed = Gate::new([openings.listed]);
    let clusters_listed = Gate::new([clusters.listed]);
    let clusters = engines.unseen_clusters.watching(clusters.stream);
    let buckets_listed = Gate::new([bucket_claims.listed, bucket_users.listed]);
    let bucket_claims = engines.unseen_bucket_claims.watching(bucket_claims.stream);
    let bucket_users = engines.unseen_bucket_users.watching(bucket_users.stream);
    let snapshots_listed = Gate::new([taken.listed]);
    let taken = engines.unseen_volume_snapshots.watching(taken.stream);
    let networks_listed = Gate::new([subnets.listed, routers.listed]);
    let openings = engines.unseen_policies.watching(openings.stream);
    let context = Context {
        client: client.clone(),
        writer: writer.clone(),
        ledger: ledger.clone(),
        catalogue: catalogue.clone(),
        sites: Arc::new(Sites::new(engines)),
        orders: Orders {
            store: orders.store.clone(),
            approvals: order::Ballots::of(approvals.store),
            policies: policies.store.clone(),
            hosts: hosts.store.clone(),
            flows: flows.store.clone(),
            databases: databases.store.clone(),
            volumes: volumes.store.clone(),
            buckets: buckets.store.clone(),
            snapshots: snapshots.store.clone(),
            unseen: Unseen::default(),
            calendar,
            wakes: Wakes::default(),
        },
        networks: Networks::new(args.namespace.clone()),
        unseen_hosts: Unseen::default(),
        pace: host::pace::Pace::default(),
        unseen_flows: Unseen::default(),
        lease_terms: Arc::new(args.leases.clone()),
        unseen_databases: Unseen::default(),
        unseen_volumes: Unseen::default(),
        attachments: Attachments::default(),
        patience: Patience::default(),
        unseen_buckets: Unseen::default(),
        declared_clusters: database::sightings::Sightings::default(),
        bucket_patience: Patience::default(),
        unseen_snapshots: Unseen::default(),
        machine_engine: Presence::default(),
        database_engine: Presence::default(),
        bucket_engine: Presence::default(),
        snapshot_engine: Presence::default(),
        metrics: metrics.clone(),
        catalogue_listed: catalogue_listed.clone(),
        orders_listed,
        engines_listed,
        networks_listed,
        clusters_listed,
        buckets_listed,
        snapshots_listed,
        policies_listed,
    };

    // Zones and sites are named by others: when one changes, those are looked at again.
    let zones = telling(zones, changes.clone());
    let sites = settled::following_sites(telling(sites, changes.clone()), metrics.clone());
    let (matters, _) = watch::channel(());
    let orders = telling(orders, matters.clone());
    let hosts = telling_of_leases(hosts, matters.clone());
    // Whom a department lets in follows from the units above it, where it is open to them.
    let (access_changes, _) = watch::channel(());
    let departments = settled::following_access(departments, access_changes.clone());
    // Whether somebody is behind a level of a policy follows from them as well.
    let (people_changes, _) = watch::channel(());
    let departments = settled::following_people(departments, people_changes.clone());
    let departments = networks::following_zones(departments, context.networks.clone());
    tasks.spawn(networks::follow(
        subnets.stream,
        routers.stream,
        catalogue.zones.clone(),
        changes.subscribe(),
        context.clone(),
        stop.clone(),
    ));
    let again = || WatchStream::from_changes(changes.subscribe());
    let relations = stream::select(again(), WatchStream::from_changes(access_changes.subscribe()));
    let hardware = stream::select(again(), WatchStream::from_changes(node_changes.subscribe()));
    tasks.spawn(follow_nodes(nodes.stream, context.sites.clone(), node_changes, stop.clone()));
    let people = WatchStream::from_changes(people_changes.subscribe());
    macro_rules! settle {
        ($($kind:ident: $triggers:expr),+ $(,)?) => {$(
            tasks.spawn(settled::run($kind, $triggers, context.clone(), stop.clone()));
        )+};
    }
    settle!(
        zones: context.networks.looks(), sites: stream::pending(), classes: stream::pending(),
        database_classes: stream::pending(), images: stream::pending(),
        prices: stream::pending(), departments: relations, systems: again(), compute_pools: hardware,
        storage_pools: again(), handovers: stream::pending(), policies: people,
    );

    tasks.spawn(lineage::keep(
        client.clone(),
        args.namespace.clone(),
        report.lineage.clone(),
        peer.lineage.clone(),
        ledger.clone(),
        writer,
        stop.clone(),
    ));
    tasks.spawn(totals::keep(context.clone(), stop.clone()));
    tasks.spawn(checks::keep(context.clone(), stop.clone()));
    tasks.spawn(show_state(ledger.clone(), metrics.clone(), stop.clone()));

    let ready = async {
        catalogue_listed.open().await;
        context.writer.trail().open().await;
    };
    if stop.run_until_cancelled(ready).await.is_some() {
        book_what_is_there(&context).await;
        info!("catalogue, accounts and pools are known; cloud hosts follow");
        let plan = orphans::Looks { every: Duration::from_secs(args.look_every), acknowledged };
        let objects = orphans::Objects {
            hosts: hosts.store.clone(),
            databases: databases.store.clone(),
            volumes: volumes.store.clone(),
            buckets: buckets.store.clone(),
            snapshots: snapshots.store.clone(),
        };
        let listed = [&hosts.listed, &databases.listed, &volumes.listed, &buckets.listed, &snapshots.listed];
        let listed = Gate::new(listed.map(watch::Receiver::clone));
        tasks.spawn(orphans::sweep(objects, listed, plan, context.clone(), stop.clone()));
        let disks = volume::telling(disks, context.clone());
        let triggers = host::Triggers { machines, instances: instances.stream, disks };
        if let Some(desk) = desk {
            let sources = notices::Reads {
                orders: context.orders.store.clone(),
                hosts: context.orders.hosts.clone(),
                departments: context.catalogue.departments.clone(),
                listed: context.orders_listed.clone(),
                changes: matters.subscribe(),
                leases: Arc::clone(&context.lease_terms),
                calendar: context.orders.calendar.clone(),
            };
            tasks.spawn(notices::run(desk, sources, metrics.clone(), stop.clone()));
        }
        let told = context.orders.wakes.heard();
        tasks.spawn(flow::sweep(
            flows.store.clone(),
            Duration::from_secs(args.look_every),
            context.clone(),
            stop.clone(),
        ));
        tasks.spawn(flow::run(flows, openings, told.flows, context.clone(), stop.clone()));
        tasks.spawn(order::run(orders, approvals.stream, told.orders, context.clone(), stop.clone()));
        let (database_changes, asked_for) = watch::channel(());
        let databases = telling(databases, database_changes);
        let presence = context.database_engine.clone();
        let hub = client.clone();
        let served = move || database::engine::is_served(hub.clone());
        let clusters = once_served(clusters, databases.store.clone(), asked_for, served, presence);
        tasks.spawn(database::run(databases, clusters, told.databases, context.clone(), stop.clone()));
        let (bucket_changes, asked_for) = watch::channel(());
        let buckets = telling(buckets, bucket_changes);
        let presence = context.bucket_engine.clone();
        let hub = client.clone();
        let served = move || bucket::engine::is_served(hub.clone());
        let engine = bucket::of_engine(bucket_claims, bucket_users, ledger.clone());
        let engine = once_served(engine, buckets.store.clone(), asked_for, served, presence);
        tasks.spawn(bucket::run(buckets, stream::select(engine, told.buckets), context.clone(), stop.clone()));
        let (snapshot_changes, asked_for) = watch::channel(());
        let snapshots = telling(snapshots, snapshot_changes);
        let presence = context.snapshot_engine.clone();
        let served = move || snapshot::engine::is_served(client.clone());
        let engine = snapshot::of_engine(taken, ledger.clone());
        let engine = once_served(engine, snapshots.store.clone(), asked_for, served, presence);
        tasks.spawn(snapshot::run(snapshots, stream::select(engine, told.snapshots), context.clone(), stop.clone()));
        tasks.spawn(volume::run(volumes, told.volumes, context.clone(), stop.clone()));
        tasks.spawn(host::run(hosts, triggers, told.hosts, args.concurrency, context, stop.clone()));
    }
    finish(tasks, stop, &catalogue_listed).await;
    Ok(())
}

/// How long reconciliations under way may take once they are told to stop; what is left is begun anew by the next leader.
/// Shorter than the chart's grace period, with room to shut the book and hand over.
const DRAIN: Duration = Duration::from_secs(30);

/// Waits until every controller has ended: after `stop`, not longer than [`DRAIN`]. A controller whose kind was never
/// listed would not end by itself (kube waits for its store).
async fn finish(mut tasks: JoinSet<()>, stop: &CancellationToken, listed: &Gate) {
    let drained = async {
        while let Some(ended) = tasks.join_next().await {
            // A controller that ends before it was told to has failed: stop the others, the process is restarted.
            if !stop.is_cancelled() {
                error!(panicked = ended.is_err(), "a controller ended by itself; stopping");
                stop.cancel();
            }
        }
    };
    let too_long = async {
        stop.cancelled().await;
        // Nothing was begun before everything was listed: there is nothing to wait for.
        tokio::time::sleep(if listed.is_open() { DRAIN } else { Duration::ZERO }).await;
    };
    tokio::select! {
        () = drained => {}
        () = too_long => warn!("not everything under way ended in time; it is left to the next leader"),
    }
    tasks.shutdown().await;
}

/// Tells `changes` of nodes that changed in what a pool reads of them: a node reports on itself every few minutes.
async fn follow_nodes(
    nodes: impl Stream<Item = Result<Guarded<NodeView>, watcher::Error>> + Send + 'static,
    sites: Arc<Sites>,
    changes: watch::Sender<()>,
    stop: CancellationToken,
) {
    let mut before = None;
    let told = nodes.for_each(|_| {
        let now = Some(sites.fingerprint_of_nodes());
        if before != now {
            before = now;
            changes.send_replace(());
        }
        ready(())
    });
    stop.run_until_cancelled(told).await;
}

/// Passes a kind on and tells `changes` of each object.
fn telling<K: Watched>(
    kind: Kind<K, impl Stream<Item = Result<Guarded<K>, watcher::Error>> + Send + 'static>,
    changes: watch::Sender<()>,
) -> Kind<K, impl Stream<Item = Result<Guarded<K>, watcher::Error>> + Send + 'static> {
    let stream = kind.stream.inspect(move |_| {
        changes.send_replace(());
    });
    Kind { store: kind.store, stream, listed: kind.listed }
}

/// Passes hosts on and tells `changes` of each that has a lease: the others change far more often.
fn telling_of_leases(
    kind: Kind<CloudHost, impl Stream<Item = Result<Guarded<CloudHost>, watcher::Error>> + Send + 'static>,
    changes: watch::Sender<()>,
) -> Kind<CloudHost, impl Stream<Item = Result<Guarded<CloudHost>, watcher::Error>> + Send + 'static> {
    let stream = kind.stream.inspect(move |event| {
        let host = event.as_ref().ok().and_then(|host| host.0.as_ref().ok());
        if host.and_then(|host| host.status.as_ref()).is_some_and(|status| status.lease.is_some()) {
            changes.send_replace(());
        }
    });
    Kind { store: kind.store, stream, listed: kind.listed }
}

async fn check_lineage(
    client: &Client,
    args: &Run,
    ledger: &Ledger,
    report: &OpenReport,
    peer: &lineage::Peer,
) -> Result<(), ReconcileError> {
    if let Some(quarantine) = &report.quarantine {
        error!(reason = quarantine.reason, "the ledger is quarantined: nothing is granted, released or deleted");
        return Ok(());
    }
    let mark = lineage::mark(client, &args.namespace).await?;
    if let Some(reason) = lineage::contradiction(report, mark.as_ref(), peer) {
        error!(reason, "quarantine: nothing is granted, released or deleted until an operator has looked");
        ledger.quarantine(reason).await?;
    }
    Ok(())
}

/// Books the pools and accounts that exist before the first host is decided, so that a restart does not refuse what a
/// pool not yet read has room for. Their controllers do the same and report what is wrong.
async fn book_what_is_there(context: &Context) {
    use settled::Settled;
    for pool in readable(&context.catalogue.compute_pools) {
        let _ = pool.settle(context).await;
    }
    for pool in readable(&context.catalogue.storage_pools) {
        let _ = pool.settle(context).await;
    }
    settled::book_accounts(context).await;
}

/// Shows the ledger's state in the figures.
async fn show_state(ledger: Ledger, metrics: Metrics, stop: CancellationToken) {
    let (mut revisions, mut snapshots) = (ledger.revisions(), ledger.snapshots());
    loop {
        metrics.set_ledger_revision(ledger.revision());
        metrics.set_snapshot(ledger.last_snapshot(), ledger.revision());
        metrics.set_quarantined(ledger.read(|state| state.quarantine().is_some()));
        let changed = async {
            tokio::select! {
                changed = revisions.changed() => changed,
                changed = snapshots.changed() => changed,
            }
        };
        match stop.run_until_cancelled(changed).await {
            Some(Ok(())) => {}
            Some(Err(_)) | None => return,
        }
    }
}

/// A lineage for a new book.
pub fn new_lineage() -> Lineage {
    Lineage::new(uuid::Uuid::new_v4().to_string())
}
