//! `overcommit_units` and `false_refusals`: many departments at the edge of their quotas, leaders that crash, are deposed
//! and resign, and a count of every revision afterwards.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiyun_lab::{Lab, LabOptions, LedgerUser};
use jiyun_ledger::{Entry, Store, store::etcd::EtcdStore};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::{
    caller::Caller,
    replica::{Fate, Replica, Term},
    tally::Tally,
    verdict::Verdict,
};
use super::{
    city::{City, Shape},
    random::Random,
    reach,
};
use crate::bench::{
    BenchError, Options,
    progress::{Counted, say},
};

mod caller;
mod figures;
mod replica;
mod tally;
mod verdict;

/// A department's quota is 100 cores, so that 99 % and 101 % of it are whole numbers. Bureaus, the city and the pools
/// have less than those below them together: every kind of bound is met.
const CITY: Shape = Shape { departments: 200, cores: 100, above: 99 };
/// Candidates for leadership.
const REPLICAS: usize = 3;
/// Terms of leadership; each ends by crash, deposition or resignation.
const TERMS: u64 = 24;
/// How long a next leader may take: a lease that runs out, and loading the book.
const PATIENCE: Duration = Duration::from_mins(2);
/// Where the book of the storm lies.
const PREFIX: &str = "/jiyun/bench/storm/";

/// What came of it.
#[derive(Debug)]
pub struct Storm {
    verdict: Verdict,
    tally: Tally,
    fates: [u64; 4],
    seconds: f64,
    entries: usize,
    seed: u64,
}

/// Lets it rage, and counts.
///
/// # Errors
/// See [`BenchError`].
pub async fn rage(options: &Options) -> Result<Storm, BenchError> {
    let lab = Lab::start(LabOptions::bare()).await?;
    let (seed, attempts) = (options.seed, options.attempts);
    say(&format!("storm: {attempts} attempts, seed {seed}"));
    let city = Arc::new(City::new(CITY));
    let (leaders, current) = watch::channel(None);
    let stopping = CancellationToken::new();
    let mut replicas = JoinSet::new();
    for number in 0..REPLICAS {
        let replica = Replica { number, leaders: leaders.clone(), stopping: stopping.clone() };
        let etcd = reach::config(&lab, LedgerUser::Controller)?;
        replicas.spawn(replica.run(etcd));
    }
    let first = next_term(&current, 0).await?;
    for command in city.commands() {
        first.ledger.record(command).await.map_err(BenchError::ledger("the city"))?;
    }

    let left = Arc::new(AtomicU64::new(attempts));
    let started = Instant::now();
    let mut callers = JoinSet::new();
    for number in 0..city.departments() {
        let caller = Caller::new(number, Arc::clone(&city), seed, current.clone(), Arc::clone(&left));
        callers.spawn(caller.run());
    }
    let fates = strike(&lab, &current, &left, attempts, seed).await?;
    let mut tally = Tally::default();
    while let Some(told) = callers.join_next().await {
        tally.add(told??);
    }
    let seconds = started.elapsed().as_secs_f64();
    stopping.cancel();
    while let Some(ended) = replicas.join_next().await {
        ended??;
    }

    let store = EtcdStore::new(reach::connect(&lab).await?, PREFIX);
    let entries = load(&store).await?;
    say(&format!("storm: {} entries and {} refusals are recounted", entries.len(), tally.refused.len()));
    let (count, refused, standing) =
        (entries.len(), std::mem::take(&mut tally.refused), std::mem::take(&mut tally.standing));
    let judged = tokio::task::spawn_blocking(move || verdict::judge(&city, &entries, refused, &standing));
    let verdict = judged.await??;
    lab.stop().await?;
    Ok(Storm { verdict, tally, fates, seconds, entries: count, seed })
}

/// Waits for a leader other than that of `epoch`.
async fn next_term(current: &watch::Receiver<Option<Term>>, epoch: i64) -> Result<Term, BenchError> {
    let mut current = current.clone();
    let other = current.wait_for(|term| term.as_ref().is_some_and(|term| term.epoch != epoch));
    let found = tokio::time::timeout(PATIENCE, other).await;
    let found = found.ok().and_then(Result::ok).and_then(|term| term.clone());
    found.ok_or(BenchError::Nothing("nobody came to lead the book"))
}

/// Ends one term after the other, evenly over the attempts.
async fn strike(
    lab: &Lab,
    current: &watch::Receiver<Option<Term>>,
    left: &AtomicU64,
    attempts: u64,
    seed: u64,
) -> Result<[u64; 4], BenchError> {
    let root = lab.ledger_client(LedgerUser::Root).await?;
    let mut random = Random::part(seed, usize::MAX);
    let mut progress = Counted::new("storm: attempts", usize::try_from(attempts).unwrap_or(usize::MAX));
    let (mut fates, mut epoch) = ([0; 4], 0);
    for number in 1..TERMS {
        let until = attempts - attempts * number / TERMS;
        let term = next_term(current, epoch).await?;
        while left.load(Ordering::SeqCst) > until && !term.ledger.stopped().is_cancelled() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            progress.at(usize::try_from(attempts - left.load(Ordering::SeqCst)).unwrap_or_default());
        }
        epoch = term.epoch;
        let fate = Fate::drawn(number, &mut random);
        if let Some(count) = fates.get_mut(fate as usize) {
            *count += 1;
        }
        // A replica whose term is over already takes no more orders.
        let _ = term.fate.send(fate).await;
        if fate.takes_lease() {
            take_lease(&root, epoch).await?;
        }
    }
    Ok(fates)
}

/// Revokes the leader's lease as if it had run out: the leader is not asked.
async fn take_lease(root: &etcd_client::Client, epoch: i64) -> Result<(), BenchError> {
    let found = root.kv_client().get(format!("{PREFIX}leader"), None).await;
    let found = found.map_err(BenchError::ledger("a look at the leader"))?;
    let lease = found.kvs().first().filter(|key| key.create_revision() == epoch).map(etcd_client::KeyValue::lease);
    if let Some(lease) = lease {
        // It may have run out this very moment.
        let _ = root.lease_client().revoke(lease).await;
    }
    Ok(())
}

async fn load(store: &EtcdStore) -> Result<Vec<Entry>, BenchError> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let from = entries.last().map_or(1, |last| last.seq + 1);
        let page = store.page(from).await.map_err(BenchError::ledger("a read of its entries"))?;
        entries.extend(page.entries);
        if !page.more {
            return Ok(entries);
        }
    }
}
