//! Reads off the orders, and the leases of hosts, what has to be told, hands it to the couriers, and forgets what is long over.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use jiyun_approvals::Calendar;
use jiyun_crds::{
    names::department_of_namespace,
    v1alpha1::{CloudHost, Department, Order},
};
use jiyun_ledger::Fence;
use jiyun_notices::{Horizon, Notice, matter_is_over, next_of_host, of_host, of_order};
use kube::runtime::reflector::Store;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    Config,
    marks::Marks,
    source::{Look, Source},
    ways::Ways,
};
use crate::{catalogue::lookup, context::Gate, error::chain, host::lease, metrics::Metrics, watch::Guarded};

/// How long a result is told, and tried again.
const KEEP: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How much longer marks are kept: clocks of two leaders may differ.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);

/// How often it is looked whether a reminder or a deadline has come; they are counted in days.
const LOOK: Duration = Duration::from_secs(30);

/// The shortest time between two looks: a look goes through all orders and hosts there are.
const SETTLE: Duration = Duration::from_millis(200);

/// How often the configuration is read again. A mounted Secret follows its object after a minute or so.
const REREAD: Duration = Duration::from_secs(10);

/// How soon marks are read again after a failure.
const AGAIN: Duration = Duration::from_secs(2);

/// What it takes to tell people.
pub struct Desk {
    /// Where it is written who is told, and how.
    pub source: Source,
    /// What was written there at the start.
    pub config: Config,
    /// The ledger's etcd.
    pub etcd: etcd_client::Client,
    /// Who leads.
    pub fence: Fence,
}

/// What is read.
pub struct Reads {
    /// The orders.
    pub orders: Store<Guarded<Order>>,
    /// The hosts.
    pub hosts: Store<Guarded<CloudHost>>,
    /// Whose they are.
    pub departments: Store<Guarded<Department>>,
    /// Open once orders and hosts were listed.
    pub listed: Gate,
    /// Told when an order has changed, or a host with a lease.
    pub changes: watch::Receiver<()>,
    /// How long before its end people are told of a lease.
    pub leases: Arc<lease::Terms>,
    /// Working days.
    pub calendar: Arc<Calendar>,
}

/// Tells people until `stop`.
pub async fn run(desk: Desk, reads: Reads, metrics: Metrics, stop: CancellationToken) {
    let Desk { mut source, config, etcd, fence } = desk;
    let opening = async {
        reads.listed.open().await;
        loop {
            match Box::pin(Marks::open(etcd.clone(), fence, Timestamp::now())).await {
                Ok(opened) => return opened,
                Err(error) => warn!(error = chain(&error), "nobody is told anything until it is known who was told"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    let Some((marks, begun)) = stop.run_until_cancelled(Box::pin(opening)).await else { return };
    let (tell, notices) = watch::channel(Arc::new(Vec::new()));
    let mut ways = Ways::new(marks.clone(), notices, metrics.clone(), stop.clone());
    // Whoever stood by for a while has read what was written when it began to.
    let config = reread(&mut source, &metrics).unwrap_or(config);
    info!(channels = ways.set(config), since = %begun, "people are told what waits for them");
    tokio::select! {
        () = Box::pin(told(&marks, begun, reads, tell, &stop)) => {}
        () = follow(&mut source, &mut ways, &metrics) => {}
    }
    ways.ended().await;
}

/// Has people told what the configuration says whenever it says something else. Never ends.
async fn follow(source: &mut Source, ways: &mut Ways, metrics: &Metrics) {
    loop {
        tokio::time::sleep(REREAD).await;
        if let Some(config) = reread(source, metrics) {
            info!(channels = ways.set(config), "who is told what was read again");
        }
    }
}

/// The configuration, if it is another one.
fn reread(source: &mut Source, metrics: &Metrics) -> Option<Config> {
    let look = source.look();
    metrics.set_notifications_unusable(source.is_unusable());
    match look {
        Look::Same => None,
        Look::Changed(config) => Some(config),
        Look::Unusable(why) => {
            warn!(why, "--notifications cannot be used; what it said before goes on");
            None
        }
    }
}

/// Tells `tell` what has to be told, until `stop` or the end of the watches.
async fn told(
    marks: &Marks,
    begun: Timestamp,
    reads: Reads,
    tell: watch::Sender<Arc<Vec<Arc<Notice>>>>,
    stop: &CancellationToken,
) {
    let mut stirred = reads.changes.clone();
    loop {
        let now = Timestamp::now();
        let Looked { found, kept, next } = look(&reads, Horizon { now, begun, keep: KEEP });
        // A little after the moment, so that it has come.
        let due = next.map(|next| next.duration_since(now).unsigned_abs() + Duration::from_millis(100));
        tell.send_if_modified(|told| {
            let differs = **told != found;
            if differs {
                *told = Arc::new(found);
            }
            differs
        });
        let next = async {
            match marks.sweep(&kept).await {
                Ok(0) => {}
                Ok(count) => info!(count, "marks of who was told were removed: the matters are long over"),
                Err(error) => warn!(error = chain(&error), "old marks of who was told are not removed now"),
            }
            tokio::time::sleep(SETTLE).await;
            tokio::select! {
                changed = stirred.changed() => changed.is_ok(),
                () = tokio::time::sleep(due.map_or(LOOK, |due| due.min(LOOK))) => true,
            }
        };
        match stop.run_until_cancelled(next).await {
            Some(true) => {}
            Some(false) | None => break,
        }
    }
}

/// What was found by one look.
struct Looked {
    /// What has to be told.
    found: Vec<Arc<Notice>>,
    /// The objects whose marks are kept.
    kept: BTreeSet<String>,
    /// When a warning of a lease is due next.
    next: Option<Timestamp>,
}

fn look(reads: &Reads, horizon: Horizon) -> Looked {
    let (mut found, mut kept) = (Vec::new(), BTreeSet::new());
    for object in reads.orders.state() {
        match &object.0 {
            Ok(order) => {
                if !matter_is_over(order, horizon, MARGIN) {
                    kept.extend(order.metadata.uid.clone());
                }
                found.extend(of_order(order, &reads.calendar, horizon).map(Arc::new));
            }
            // What it says is not known: what was told of it is not forgotten.
            Err(invalid) => kept.extend(invalid.metadata.uid.clone()),
        }
    }
    let (warnings, mut next) = (&reads.leases.warnings, None::<Timestamp>);
    for object in reads.hosts.state() {
        match &object.0 {
            Ok(host) if host.status.as_ref().is_some_and(|status| status.lease.is_some()) => {
                kept.extend(host.metadata.uid.clone());
                let operators = operators(host, &reads.departments);
                found.extend(of_host(host, &operators, warnings, horizon.now).map(Arc::new));
                let due = next_of_host(host, warnings, horizon.now);
                next = next.into_iter().chain(due).min();
            }
            Ok(_) => {}
            Err(invalid) => kept.extend(invalid.metadata.uid.clone()),
        }
    }
    // A store has no order, and the same found again is nothing new.
    found.sort_by(|one, other| one.id.cmp(&other.id));
    Looked { found, kept, next }
}

/// The groups that order and end what a host's department has.
fn operators(host: &CloudHost, departments: &Store<Guarded<Department>>) -> Vec<String> {
    let department = host.metadata.namespace.as_deref().and_then(department_of_namespace);
    let department = department.and_then(|name| lookup(departments, None, name));
    department.map(|department| department.spec.access.operators).unwrap_or_default()
}
