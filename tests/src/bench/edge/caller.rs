//! A department that orders a little more than it may have, through the API server, and ends what it has again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt as _, stream::BoxStream};
use jiyun_crds::v1alpha1::{CloudHost, ConditionType};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, PostParams},
    runtime::{WatchStreamExt as _, watcher},
};

use super::CORES;
use crate::{
    Order,
    bench::{BenchError, ledger::Random},
    world::{has, reason},
};

/// How long a decision may take: a leader falls meanwhile.
const PATIENCE: Duration = Duration::from_mins(2);

/// What was ordered, and what came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Orders.
    pub orders: u64,
    /// Those granted.
    pub granted: u64,
    /// Those refused for a limit.
    pub refused: u64,
    /// Those that no pool had room for.
    pub waited: u64,
    /// Hosts ended again.
    pub ended: u64,
    /// Cores and MiB of what was not granted.
    pub refused_units: u64,
}

impl Tally {
    /// Adds another department's.
    pub const fn add(&mut self, other: Self) {
        self.orders += other.orders;
        self.granted += other.granted;
        self.refused += other.refused;
        self.waited += other.waited;
        self.ended += other.ended;
        self.refused_units += other.refused_units;
    }
}

/// A class, its cores, and the cores and MiB of a host of it with its disk of 40 GiB.
const CLASSES: [(&str, u64, u64); 2] =
    [("basic-2c4g", 2, 2 + 4 * 1024 + 40 * 1024), ("basic-4c8g", 4, 4 + 8 * 1024 + 40 * 1024)];

enum Decision {
    Granted,
    Refused,
    Waits,
}

/// See the module.
pub struct Caller {
    hosts: Api<CloudHost>,
    told: BoxStream<'static, Result<watcher::Event<CloudHost>, watcher::Error>>,
    random: Random,
    left: Arc<AtomicU64>,
    open: Vec<(String, u64)>,
    tally: Tally,
}

impl Caller {
    /// The caller of the department whose hosts these are.
    pub fn new(hosts: Api<CloudHost>, random: Random, left: Arc<AtomicU64>) -> Self {
        let told = watcher(hosts.clone(), watcher::Config::default()).default_backoff().boxed();
        Self { hosts, told, random, left, open: Vec::new(), tally: Tally::default() }
    }

    /// Orders until no orders are left.
    ///
    /// # Errors
    /// When the API server refuses, or an order is not decided.
    pub async fn run(mut self) -> Result<Tally, BenchError> {
        while self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            let used: u64 = self.open.iter().map(|(_, cores)| cores).sum();
            // At the edge room is made now and then, and the next order comes while the old host is still going.
            if used + 4 > CORES && self.random.chance(50) && !self.open.is_empty() {
                let (host, _) = self.open.swap_remove(self.random.index(self.open.len()));
                self.end(&host).await?;
                self.tally.ended += 1;
            }
            self.order().await?;
        }
        Ok(self.tally)
    }

    async fn order(&mut self) -> Result<(), BenchError> {
        self.tally.orders += 1;
        let host = format!("host-{:06}", self.tally.orders);
        let Some((class, cores, units)) = CLASSES.get(self.random.index(CLASSES.len())).copied() else { return Ok(()) };
        let namespace = self.hosts.namespace().unwrap_or_default().to_owned();
        let department = jiyun_crds::names::department_of_namespace(&namespace).unwrap_or_default();
        let object: CloudHost = serde_json::from_value(Order::new(&host, "portal").class(class).object(department))?;
        self.hosts.create(&PostParams::default(), &object).await?;
        let refused = match self.decision(&host).await? {
            Decision::Granted => {
                self.tally.granted += 1;
                self.open.push((host, cores));
                return Ok(());
            }
            Decision::Refused => &mut self.tally.refused,
            Decision::Waits => &mut self.tally.waited,
        };
        *refused += 1;
        self.tally.refused_units += units;
        self.end(&host).await
    }

    async fn end(&mut self, host: &str) -> Result<(), BenchError> {
        self.hosts.delete(host, &DeleteParams::default()).await?;
        Ok(())
    }

    async fn decision(&mut self, host: &str) -> Result<Decision, BenchError> {
        let decided = async {
            while let Some(event) = self.told.next().await {
                // A watch that failed is begun again with a list.
                let Ok(watcher::Event::Apply(seen) | watcher::Event::InitApply(seen)) = event else { continue };
                if seen.name_any() != host {
                    continue;
                }
                match reason(&seen, ConditionType::Admitted) {
                    Some("WaitingForCapacity") => return Ok(Decision::Waits),
                    Some("ExceedsLimit" | "PoolExhausted" | "NoMatchingPool") => return Ok(Decision::Refused),
                    _ if has(&seen, ConditionType::Admitted) => return Ok(Decision::Granted),
                    _ => {}
                }
            }
            Err(BenchError::Nothing("a watch on hosts ended"))
        };
        let late = Err(BenchError::Nothing("an order at the edge was not decided in time"));
        tokio::time::timeout(PATIENCE, decided).await.unwrap_or(late)
    }
}
