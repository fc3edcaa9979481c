//! The other leg of `overcommit_units`: departments at the edge of their quotas order through the API server, while three
//! controllers fight and their leaders are killed and frozen.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiyun_crds::names::department_namespace;
use jiyun_lab::{ControllerOptions, Guest, LabOptions, LedgerUser};
use jiyun_ledger::{
    Store as _,
    store::etcd::{DEFAULT_PREFIX, EtcdStore},
};
use serde_json::json;
use tokio::task::JoinSet;

use self::caller::{Caller, Tally};
use super::{
    BenchError, Options,
    ledger::{Random, Recount},
    progress::{Counted, say},
};
use crate::{
    World, WorldOptions,
    faults::{
        lead::{leader, take_lead},
        settle,
    },
    world::PATIENCE,
};

mod caller;

/// Departments, each with one who orders, and cores of each.
const DEPARTMENTS: usize = 40;
const CORES: u64 = 16;
/// The department above them has 99 % of what they have together, and the pool 99 % of that.
const ABOVE: u64 = DEPARTMENTS as u64 * CORES * 99 / 100;
const POOL: u64 = ABOVE * 99 / 100;
/// Terms of leadership; each ends by a kill or a freeze.
const TERMS: u64 = 12;
/// The catalogue of the city, without its pools.
const FILES: [&str; 6] =
    ["00-zones.yaml", "10-site.yaml", "30-classes.yaml", "40-images.yaml", "50-prices.yaml", "55-approvals.yaml"];

/// What came of it.
#[derive(Debug)]
pub struct Edge {
    /// The most units above ceilings and capacities at any revision.
    pub over: u64,
    /// The first revision with any.
    pub first_over: Option<u64>,
    /// Units the refused orders asked for.
    pub refused_units: u64,
    tally: Tally,
    fates: [u64; 3],
    seconds: f64,
    entries: u64,
}

impl Edge {
    /// What a reader should know.
    pub fn note(&self) -> String {
        let Self { tally, fates: [killed, expired, frozen], seconds, entries, .. } = self;
        format!(
            "through the API server: {} orders in {seconds:.0} s, {entries} entries; {} granted, {} refused, {} sent to stand \
             in line, {} ended; 3 controllers, leaders killed {killed}, killed and left to run out {expired}, frozen past \
             their lease {frozen}; afterwards `ledger verify` clean, every claim with its object",
            tally.orders, tally.granted, tally.refused, tally.waited, tally.ended
        )
    }
}

/// Orders, and counts every revision afterwards.
///
/// # Errors
/// See [`BenchError`]; also when the system is not sound afterwards.
pub async fn measure(options: &Options) -> Result<Edge, BenchError> {
    say(&format!("edge: {} orders through the API server, seed {}", options.orders, options.seed));
    let world = city().await?;
    let mut others = Vec::new();
    for name in ["second", "third"] {
        let options = ControllerOptions { name: name.into(), ..ControllerOptions::default() };
        let guest = world.lab.spawn_controller(options).await?;
        guest.wait_until_healthy("/readyz", PATIENCE).await?;
        others.push(guest);
    }
    let left = Arc::new(AtomicU64::new(options.orders));
    let (started, mut callers) = (Instant::now(), JoinSet::new());
    for number in 0..DEPARTMENTS {
        let hosts = world.hosts_with(world.lab.client().await?, &department(number));
        callers.spawn(Caller::new(hosts, Random::part(options.seed, number), Arc::clone(&left)).run());
    }
    let guests: Vec<&Guest> = others.iter().chain([&world.controller]).collect();
    let fates = strike(&world, &guests, &left, options).await?;
    let mut tally = Tally::default();
    while let Some(told) = callers.join_next().await {
        tally.add(told??);
    }
    let seconds = started.elapsed().as_secs_f64();
    let state = settle(&world).await?;
    let (over, first_over) = recount(&world).await?;
    drop(others);
    let World { lab, controller, api, .. } = world;
    drop((controller, api));
    lab.stop().await?;
    let refused_units = tally.refused_units;
    Ok(Edge { over, first_over, refused_units, tally, fates, seconds, entries: state.seq() })
}

fn department(number: usize) -> String {
    format!("edge-{number:02}")
}

async fn city() -> Result<World, BenchError> {
    let options =
        WorldOptions { lab: LabOptions::default().own_cluster(), files: FILES.to_vec(), controller_arguments: vec![] };
    let world = World::start(options).await?;
    for pool in [
        json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "ComputePool", "metadata": {"name": "edge-compute"}, "spec": {
            "siteRef": {"name": "hengshan-main"}, "zones": ["extranet-public"], "architecture": "amd64",
            "processor": "simulated", "provider": "bench", "maxProtectionLevel": 3,
            "capacity": {"vcpu": POOL, "memory": "4Pi"}}}),
        json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "StoragePool", "metadata": {"name": "edge-storage"}, "spec": {
            "siteRef": {"name": "hengshan-main"}, "zones": ["extranet-public"], "tier": "standard",
            "storageClassName": "standard", "provider": "bench", "maxProtectionLevel": 3, "capacity": "20Pi"}}),
    ] {
        world.take("a pool", &pool.to_string()).await?;
    }
    raise(&world, "edge", None, ABOVE).await?;
    for number in 0..DEPARTMENTS {
        let name = department(number);
        raise(&world, &name, Some("edge"), CORES).await?;
        let system = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem",
            "metadata": {"name": "portal", "namespace": department_namespace(&name)},
            "spec": {"displayName": "门户网站", "protectionLevel": 2, "zoneRef": {"name": "extranet-public"},
                     "owner": {"name": "张三"}},
        });
        world.lab.apply_text(&system.to_string()).await?;
    }
    Ok(world)
}

async fn raise(world: &World, name: &str, above: Option<&str>, cores: u64) -> Result<(), BenchError> {
    let mut department = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Department", "metadata": {"name": name},
        "spec": {
            "displayName": format!("单位 {name}"), "code": name.to_uppercase(), "billingAccount": name,
            "zones": ["extranet-public"], "access": {"readers": ["r"], "operators": ["o"], "approvers": ["a"]},
            "quota": [{"meter": "Vcpu", "limit": cores.to_string()}],
        },
    });
    if let (Some(above), Some(spec)) = (above, department["spec"].as_object_mut()) {
        spec.insert("parentRef".into(), json!({"name": above}));
    }
    world.take(&format!("department {name}"), &department.to_string()).await?;
    Ok(world.department_ready(name).await?)
}

/// Ends one term after the other, evenly over the orders: killed, killed and left to run out, frozen.
async fn strike(world: &World, guests: &[&Guest], left: &AtomicU64, options: &Options) -> Result<[u64; 3], BenchError> {
    let mut progress = Counted::new("edge: orders", usize::try_from(options.orders).unwrap_or(usize::MAX));
    let (mut fates, mut random) = ([0; 3], Random::part(options.seed, usize::MAX));
    for term in 1..TERMS {
        let until = options.orders - options.orders * term / TERMS;
        while left.load(Ordering::SeqCst) > until {
            tokio::time::sleep(Duration::from_millis(5)).await;
            progress.at(usize::try_from(options.orders - left.load(Ordering::SeqCst)).unwrap_or_default());
        }
        let fallen = leader(world, guests).await?;
        let fate = if term < 4 { term - 1 } else { random.below(3) };
        if let Some(count) = usize::try_from(fate).ok().and_then(|fate| fates.get_mut(fate)) {
            *count += 1;
        }
        if fate == 2 {
            fallen.pause();
        } else {
            fallen.kill().await;
        }
        if fate == 0 {
            take_lead(&world.lab).await?;
        }
        let pid = fallen.process().pid();
        let living: Vec<&Guest> = guests.iter().copied().filter(|guest| guest.process().pid() != pid).collect();
        leader(world, &living).await?;
        if fate == 2 {
            fallen.resume();
            let ended = tokio::time::timeout(PATIENCE, fallen.process().wait()).await;
            ended.map_err(|_| BenchError::Nothing("a frozen leader did not notice that it was deposed"))?;
        }
        fallen.restart().await?;
        fallen.wait_until_healthy("/readyz", PATIENCE).await?;
    }
    Ok(fates)
}

/// The most units above what there was, over all revisions, and the first of these.
async fn recount(world: &World) -> Result<(u64, Option<u64>), BenchError> {
    let store = EtcdStore::new(world.lab.ledger_client(LedgerUser::Root).await?, DEFAULT_PREFIX);
    let (mut recount, mut most, mut first, mut from) = (Recount::default(), 0, None, 1);
    loop {
        let page = store.page(from).await.map_err(BenchError::ledger("a read of its entries"))?;
        for entry in &page.entries {
            for event in &entry.events {
                recount.apply(event).map_err(BenchError::ledger("a recount"))?;
            }
            let over = recount.over();
            most = most.max(over);
            first = first.or_else(|| (over > 0).then_some(entry.seq));
            from = entry.seq + 1;
        }
        if !page.more {
            return if recount.adds_up() {
                Ok((most, first))
            } else {
                Err(BenchError::Nothing("the recount's own sums do not add up"))
            };
        }
    }
}
