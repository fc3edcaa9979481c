//! `admissions_per_second`: orders over the REST API until the book has granted them, against the API server's own ceiling
//! for the writes that took.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use etcd_client::{EventType, WatchOptions};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use jiyun_lab::LedgerUser;
use jiyun_ledger::{Entry, Event, store::etcd::DEFAULT_PREFIX};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{
    BenchError, Figure, Name, Options,
    bringup::best_of_replay,
    callers::{WARM_UP, host_name},
    figure::{Better, Comparison, Goal, Judged},
    machine::Seconds,
    plan::Plan,
    progress::{Counted, say},
    replay::{Player, Wire},
    statistics::{median, number, percentile, range},
    town::Town,
};
use crate::Order;

/// As much of what the API server could do as with whole hosts.
const GOAL: Goal = Goal { value: 0.85, better: Better::Higher, judged: Judged::Ratio };
const MEASURED: &str = "run";
const WARMING: &str = "warm";
/// How long a grant may take before the run is given up.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(2);

/// Measures it, as [`super::bringup`] does: each side's best concurrency first, then runs in the order ours, replay,
/// replay, ours.
///
/// # Errors
/// See [`BenchError`].
pub async fn measure(options: &Options) -> Result<Figure, BenchError> {
    let hosts = usize::try_from(options.hosts).unwrap_or(usize::MAX);
    let (at_best, pilot) = best_of_ours(options, hosts.div_ceil(2)).await?;
    let (wire, replay_at_best) = best_of_replay(options, hosts.div_ceil(2), &pilot).await?;
    let (mut ours, mut replays): (Vec<Ours>, Vec<f64>) = (Vec::new(), Vec::new());
    for run in 0..options.runs {
        if run % 2 == 1
            && let Some(recorded) = ours.last()
        {
            replays.push(replay_once(recorded, wire, replay_at_best, run).await?);
            ours.push(ours_once(hosts, at_best, run).await?);
        } else {
            let recorded = ours_once(hosts, at_best, run).await?;
            replays.push(replay_once(&recorded, wire, replay_at_best, run).await?);
            ours.push(recorded);
        }
    }
    let rates: Vec<f64> = ours.iter().map(|run| run.rate).collect();
    let nothing = BenchError::Nothing("no runs were asked for");
    let (Some(rate), Some(reference)) = (median(&rates), median(&replays)) else { return Err(nothing) };
    let spread = |rates: &[f64]| range(rates).map_or_else(String::new, |(low, high)| format!("{low:.1} to {high:.1}"));
    let waits: Vec<f64> = ours.iter().flat_map(|run| run.waits.clone()).collect();
    let milliseconds = |percent| percentile(&waits, percent).unwrap_or_default() * 1000.0;
    let requests: usize = ours.iter().map(|run| run.plan.requests()).sum();
    let own = ours.iter().map(|run| run.own).sum::<f64>() / number(ours.len().max(1));
    let comparison = Comparison {
        ours: rate,
        reference,
        what_reference_is: format!(
            "our changing requests until the last grant, replayed without API and controller against a fresh lab, \
             {replay_at_best} hosts at a time over {wire}"
        ),
        unit: "admissions/s".into(),
        runs: ours.len(),
        notes: vec![
            format!(
                "{hosts} orders a run, {at_best} at a time: {} admissions/s; replay {}",
                spread(&rates),
                spread(&replays)
            ),
            format!("from order to grant: median {:.0} ms, 99 % within {:.0} ms", milliseconds(50), milliseconds(99)),
            format!(
                "the engines are at work meanwhile: {:.2} changing requests of ours a host until the last grant, of which \
                 one is the order",
                number(requests) / number(hosts * ours.len().max(1))
            ),
            format!("processor time of API and controller together: {own:.1} ms an admission"),
        ],
    };
    Ok(Figure::new(Name::AdmissionsPerSecond, comparison, GOAL))
}

/// A measured run of ours.
struct Ours {
    rate: f64,
    /// Seconds from order to grant.
    waits: Vec<f64>,
    /// Our writes about the hosts measured until the last was granted, and those about the hosts before.
    plan: Plan,
    warm_up: Plan,
    /// Milliseconds of processor time an admission.
    own: f64,
}

async fn ours_once(hosts: usize, concurrency: usize, run: u32) -> Result<Ours, BenchError> {
    let town = Town::start(&format!("run {}, ours", run + 1), true).await?;
    let grants = Grants::start(&town).await?;
    admit(&town, &grants, WARMING, WARM_UP, concurrency).await?;
    let seconds = Seconds::of(&town.world.lab.processes());
    let (rate, waits) = admit(&town, &grants, MEASURED, hosts, concurrency).await?;
    let until = Timestamp::now();
    let cost = Seconds::of(&town.world.lab.processes()).each_since(&seconds, hosts);
    let own = ["jiyun-api", "jiyun-controller"].iter().filter_map(|name| cost.get(*name)).sum();
    say(&format!("run {}, ours: {rate:.1} admissions/s", run + 1));
    let mut writes = town.writes(Timestamp::UNIX_EPOCH)?;
    let warm_up = Plan::of(&writes, |host| host.name.starts_with(WARMING));
    writes.retain(|write| write.at <= until);
    let plan = Plan::of(&writes, |host| host.name.starts_with(MEASURED));
    town.close().await?;
    Ok(Ours { rate, waits, plan, warm_up, own })
}

async fn replay_once(recorded: &Ours, wire: Wire, concurrency: usize, run: u32) -> Result<f64, BenchError> {
    let town = Town::start(&format!("run {}, replay", run + 1), true).await?;
    town.silence().await;
    let player = Player::new(&town, wire).await?;
    player.play(WARMING, &recorded.warm_up, concurrency).await?;
    let rate = player.play(MEASURED, &recorded.plan, concurrency).await?;
    say(&format!("run {}, replay: {rate:.1} hosts/s", run + 1));
    town.close().await?;
    Ok(rate)
}

/// Tries each concurrency on one lab; returns the best and what was written meanwhile.
async fn best_of_ours(options: &Options, hosts: usize) -> Result<(usize, Plan), BenchError> {
    let town = Town::start("concurrency, ours", true).await?;
    let grants = Grants::start(&town).await?;
    admit(&town, &grants, WARMING, WARM_UP, WARM_UP).await?;
    let mut best = None;
    for concurrency in options.concurrency.iter().copied().map(usize::from) {
        let (rate, _) = admit(&town, &grants, &format!("try{concurrency}"), hosts, concurrency).await?;
        say(&format!("concurrency, ours: {concurrency} orders at a time, {rate:.1} admissions/s"));
        if best.is_none_or(|(_, known)| rate > known) {
            best = Some((concurrency, rate));
        }
    }
    let plan = Plan::of(&town.writes(Timestamp::UNIX_EPOCH)?, |host| host.name.starts_with("try"));
    town.close().await?;
    let (concurrency, _) = best.ok_or(BenchError::Nothing("no concurrency was given"))?;
    Ok((concurrency, plan))
}

/// Orders hosts, so many under way at a time; admissions a second, and how long each waited.
async fn admit(
    town: &Town,
    grants: &Grants,
    series: &str,
    count: usize,
    concurrency: usize,
) -> Result<(f64, Vec<f64>), BenchError> {
    let started = Instant::now();
    let mut progress = Counted::new(format!("{series}: orders granted"), count);
    let granted: Vec<(Instant, f64)> = stream::iter(0..count)
        .map(|number| order(town, grants, series, number))
        .buffer_unordered(concurrency)
        .enumerate()
        .map(|(done, outcome)| {
            progress.at(done);
            outcome
        })
        .try_collect()
        .await?;
    let last = granted.iter().map(|(at, _)| *at).max().ok_or(BenchError::Nothing("no hosts were ordered"))?;
    let rate = number(count) / last.duration_since(started).as_secs_f64();
    Ok((rate, granted.into_iter().map(|(_, waited)| waited).collect()))
}

async fn order(town: &Town, grants: &Grants, series: &str, number: usize) -> Result<(Instant, f64), BenchError> {
    let host = host_name(series, number);
    let (department, caller) = town.department(number)?;
    let granted = grants.expect(&host);
    let started = Instant::now();
    let path = format!("/v1/departments/{department}/hosts");
    let answer = caller.post(&path, &Order::new(&host, "portal").body(), 0).await?;
    if !answer.status.is_success() {
        return Err(BenchError::Refused { host, status: answer.status.as_u16(), text: answer.text });
    }
    match tokio::time::timeout(PATIENCE, granted).await {
        Ok(Ok(at)) => Ok((at, at.duration_since(started).as_secs_f64())),
        _ => Err(BenchError::Nothing("an order was not granted in time")),
    }
}

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Instant>>>>;

/// A watch on the book that tells of each grant; it ends with this.
struct Grants {
    waiting: Waiting,
    task: JoinHandle<()>,
}

impl Grants {
    async fn start(town: &Town) -> Result<Self, BenchError> {
        let client = town.world.lab.ledger_client(LedgerUser::Controller).await?;
        let events = format!("{DEFAULT_PREFIX}events/");
        let watch = client.watch_client().watch(events, Some(WatchOptions::new().with_prefix())).await;
        let mut watch = watch.map_err(BenchError::ledger("a watch"))?;
        let waiting = Waiting::default();
        let told = Arc::clone(&waiting);
        let task = tokio::spawn(async move {
            while let Ok(Some(answer)) = watch.message().await {
                let now = Instant::now();
                for event in answer.events().iter().filter(|event| event.event_type() == EventType::Put) {
                    let entry = event.kv().and_then(|kv| serde_json::from_slice::<Entry>(kv.value()).ok());
                    for name in entry.iter().flat_map(granted) {
                        let waiting = told.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
                        // Nobody waits any more: then it was given up.
                        let _ = waiting.map(|waiting| waiting.send(now));
                    }
                }
            }
        });
        Ok(Self { waiting, task })
    }

    /// Tells when the host of this name, which no other has, is granted.
    fn expect(&self, host: &str) -> oneshot::Receiver<Instant> {
        let (tell, told) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), tell);
        told
    }
}

impl Drop for Grants {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The hosts that an entry grants.
fn granted(entry: &Entry) -> impl Iterator<Item = &str> {
    entry.events.iter().filter_map(|event| match event {
        Event::ClaimGranted { claim } => Some(claim.subject.name.as_str()),
        _ => None,
    })
}
