//! `bringup_vs_roofline`: hosts per second from order to ready, against a replay of the very writes that took.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::{
    BenchError, Figure, Name, Options,
    audit::Actor,
    callers::{BroughtUp, WARM_UP, bring_up, host_name},
    figure::{Better, Comparison, Goal, Judged},
    machine::Seconds,
    observer::Observer,
    plan::Plan,
    progress::say,
    replay::{Player, Wire, engines_caught_up},
    statistics::{median, number, percentile, range},
    town::Town,
};

/// At least this share of what the API server could do at all is ours.
const GOAL: Goal = Goal { value: 0.85, better: Better::Higher, judged: Judged::Ratio };

/// Names of the hosts that are measured, and of those ordered before.
const MEASURED: &str = "run";
const WARMING: &str = "warm";

/// Measures it: first each side's best concurrency, then runs in the order ours, replay, replay, ours.
///
/// # Errors
/// See [`BenchError`].
pub async fn measure(options: &Options) -> Result<Figure, BenchError> {
    let hosts = usize::try_from(options.hosts).unwrap_or(usize::MAX);
    let (at_best, pilot) = best_of_ours(options, hosts.div_ceil(2)).await?;
    let (wire, replay_at_best) = best_of_replay(options, hosts.div_ceil(2), &pilot).await?;

    let (mut ours, mut replays): (Vec<Ours>, Vec<Replayed>) = (Vec::new(), Vec::new());
    for run in 0..options.runs {
        // ABBA: whatever drifts during the runs drifts for both.
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
    let rates: Vec<f64> = ours.iter().map(|run| run.brought_up.rate).collect();
    let replayed: Vec<f64> = replays.iter().map(|run| run.rate).collect();
    let nothing = BenchError::Nothing("no runs were asked for");
    let (Some(rate), Some(reference)) = (median(&rates), median(&replayed)) else { return Err(nothing) };
    let comparison = Comparison {
        ours: rate,
        reference,
        what_reference_is: format!(
            "the same writes replayed without API and controller against a fresh lab, {replay_at_best} hosts at a time \
             over {wire}, until the last answer"
        ),
        unit: "hosts/s".into(),
        runs: ours.len(),
        notes: notes(hosts, at_best, &ours, &replays),
    };
    Ok(Figure::new(Name::BringupVsRoofline, comparison, GOAL))
}

/// A measured run of ours.
struct Ours {
    brought_up: BroughtUp,
    /// Our writes about the hosts measured, and those about the hosts before.
    plan: Plan,
    warm_up: Plan,
    refused: usize,
    gets: f64,
    cost: BTreeMap<String, f64>,
}

/// A measured replay.
struct Replayed {
    rate: f64,
    caught_up: Duration,
    cost: BTreeMap<String, f64>,
}

async fn ours_once(hosts: usize, concurrency: usize, run: u32) -> Result<Ours, BenchError> {
    let town = Town::start(&format!("run {}, ours", run + 1), true).await?;
    let observer = Observer::start(town.world.lab.client().await?).await;
    bring_up(&town, &observer, WARMING, WARM_UP, concurrency).await?;
    let (requests, seconds, started) = (town.requests().await?, cost_of(&town), Timestamp::now());
    let brought_up = bring_up(&town, &observer, MEASURED, hosts, concurrency).await?;
    let cost = cost_of(&town).each_since(&seconds, hosts);
    say(&format!("run {}, ours: {:.1} hosts/s", run + 1, brought_up.rate));
    let gets = town.requests().await?.gets_since(&requests);
    let writes = town.writes(Timestamp::UNIX_EPOCH)?;
    let refused =
        writes.iter().filter(|write| write.at >= started && write.actor == Actor::Ours && !write.succeeded()).count();
    let of = |series: &'static str| Plan::of(&writes, move |host| host.name.starts_with(series));
    let (plan, warm_up) = (of(MEASURED), of(WARMING));
    town.close().await?;
    Ok(Ours { brought_up, plan, warm_up, refused, gets: number(gets) / number(hosts), cost })
}

async fn replay_once(recorded: &Ours, wire: Wire, concurrency: usize, run: u32) -> Result<Replayed, BenchError> {
    let town = Town::start(&format!("run {}, replay", run + 1), true).await?;
    town.silence().await;
    // The observer costs the API server what it cost in our run.
    let _observer = Observer::start(town.world.lab.client().await?).await;
    let player = Player::new(&town, wire).await?;
    player.play(WARMING, &recorded.warm_up, concurrency).await?;
    engines_caught_up(&town, recorded.warm_up.chains.len()).await?;
    let seconds = cost_of(&town);
    let rate = player.play(MEASURED, &recorded.plan, concurrency).await?;
    say(&format!("run {}, replay: {:.1} hosts/s", run + 1, rate));
    let caught_up = engines_caught_up(&town, recorded.warm_up.chains.len() + recorded.plan.chains.len()).await?;
    let cost = cost_of(&town).each_since(&seconds, recorded.plan.chains.len());
    town.close().await?;
    Ok(Replayed { rate, caught_up, cost })
}

fn cost_of(town: &Town) -> Seconds {
    Seconds::of(&town.world.lab.processes())
}

/// Tries each concurrency on one lab; returns the best and what was written meanwhile.
async fn best_of_ours(options: &Options, hosts: usize) -> Result<(usize, Plan), BenchError> {
    let town = Town::start("concurrency, ours", true).await?;
    let observer = Observer::start(town.world.lab.client().await?).await;
    bring_up(&town, &observer, WARMING, WARM_UP, WARM_UP).await?;
    let mut tried = Vec::new();
    for concurrency in options.concurrency.iter().copied().map(usize::from) {
        let series = format!("try{concurrency}");
        let rate = bring_up(&town, &observer, &series, hosts, concurrency).await?.rate;
        say(&format!("concurrency, ours: {concurrency} hosts at a time, {rate:.1} hosts/s"));
        tried.push((concurrency, rate));
    }
    let plan = Plan::of(&town.writes(Timestamp::UNIX_EPOCH)?, |host| host.name.starts_with("try"));
    town.close().await?;
    Ok((best(&tried).ok_or(BenchError::Nothing("no concurrency was given"))?, plan))
}

/// Tries each concurrency over each protocol on one lab, with the pilot's requests.
///
/// # Errors
/// When the requests are refused.
pub async fn best_of_replay(options: &Options, hosts: usize, pilot: &Plan) -> Result<(Wire, usize), BenchError> {
    let town = Town::start("concurrency, replay", true).await?;
    town.silence().await;
    let _observer = Observer::start(town.world.lab.client().await?).await;
    let mut tried = Vec::new();
    for wire in [Wire::Http1, Wire::Http2] {
        let player = Player::new(&town, wire).await?;
        let letter = if wire == Wire::Http1 { "a" } else { "b" };
        let named = |series: String| move |number| host_name(&series, number);
        player.play(WARMING, &pilot.renamed(WARM_UP, named(format!("{WARMING}{letter}"))), WARM_UP).await?;
        for concurrency in options.concurrency.iter().copied().map(usize::from) {
            let plan = pilot.renamed(hosts, named(format!("try{letter}{concurrency}")));
            let rate = player.play("concurrency, replay", &plan, concurrency).await?;
            say(&format!("concurrency, replay: {concurrency} hosts at a time over {wire}, {rate:.1} hosts/s"));
            tried.push(((wire, concurrency), rate));
        }
    }
    town.close().await?;
    best(&tried).ok_or(BenchError::Nothing("no concurrency was given"))
}

fn best<T: Copy>(tried: &[(T, f64)]) -> Option<T> {
    tried.iter().max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(what, _)| *what)
}

fn notes(hosts: usize, at_best: usize, ours: &[Ours], replays: &[Replayed]) -> Vec<String> {
    let latencies: Vec<f64> = ours.iter().flat_map(|run| run.brought_up.latencies.clone()).collect();
    let milliseconds = |percent| percentile(&latencies, percent).unwrap_or_default() * 1000.0;
    let spread =
        |rates: Vec<f64>| range(&rates).map_or_else(String::new, |(low, high)| format!("{low:.1} to {high:.1}"));
    let ratios: Vec<f64> = ours.iter().zip(replays).map(|(ours, replay)| ours.brought_up.rate / replay.rate).collect();
    let ratios: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    let requests: usize = ours.iter().map(|run| run.plan.requests()).sum();
    let refused: usize = ours.iter().map(|run| run.refused).sum();
    let gets = median(&ours.iter().map(|run| run.gets).collect::<Vec<_>>()).unwrap_or_default();
    // The engines' work is part of ours by definition and only partly of the replay's.
    let with_engines: Vec<f64> = replays
        .iter()
        .map(|replay| number(hosts) / (number(hosts) / replay.rate + replay.caught_up.as_secs_f64()))
        .collect();
    vec![
        format!(
            "{hosts} hosts a run; ours with {at_best} at a time: {} hosts/s",
            spread(ours.iter().map(|run| run.brought_up.rate).collect())
        ),
        format!(
            "replay: {} hosts/s; ratio run by run: {}",
            spread(replays.iter().map(|run| run.rate).collect()),
            ratios.join(", ")
        ),
        format!("replay until the simulators had caught up too: {} hosts/s", spread(with_engines)),
        format!("from order to ready: median {:.0} ms, 99 % within {:.0} ms", milliseconds(50), milliseconds(99)),
        format!(
            "replayed: {:.2} writes a host; writes of ours that failed and were not replayed: {refused}; reads of single \
             objects in our run: {gets:.2} a host",
            number(requests) / number(hosts * ours.len().max(1))
        ),
        format!("processor time a host, ours: {}", told(&mean(ours.iter().map(|run| &run.cost)))),
        format!("processor time a host, replay: {}", told(&mean(replays.iter().map(|run| &run.cost)))),
    ]
}

fn mean<'a>(costs: impl ExactSizeIterator<Item = &'a BTreeMap<String, f64>>) -> BTreeMap<String, f64> {
    let runs = number(costs.len().max(1));
    let mut sums = BTreeMap::new();
    for (name, milliseconds) in costs.flatten() {
        *sums.entry(name.clone()).or_default() += milliseconds / runs;
    }
    sums
}

fn told(cost: &BTreeMap<String, f64>) -> String {
    let each: Vec<String> = cost.iter().map(|(name, milliseconds)| format!("{name} {milliseconds:.1} ms")).collect();
    format!("{} (together {:.1} ms)", each.join(", "), cost.values().sum::<f64>())
}
