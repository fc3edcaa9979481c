//! What the REST API costs: orders over it, beside a client that creates the same objects without it.

mod abuse;
mod lane;
mod pace;
mod path;

use std::collections::BTreeMap;

use self::{
    lane::{Lane, Way},
    pace::{Paced, paced},
};
use super::{
    BenchError, Figure, Name, Options,
    figure::{Better, Comparison, Goal, Judged},
    machine::Seconds,
    progress::say,
    statistics::{median, number, percentile, range},
    town::Town,
};

pub use abuse::measure as abuse;
pub use path::measure as writes_per_order;

/// Requests of ours a second, of those a raw client makes.
const RAW: Goal = Goal { value: 0.70, better: Better::Higher, judged: Judged::Ratio };
/// Where both write the same objects.
const EQUAL: Goal = Goal { value: 0.90, better: Better::Higher, judged: Judged::Ratio };
/// The slowest of a hundred, beside the slowest of a hundred.
const TAIL: Goal = Goal { value: 1.5, better: Better::Lower, judged: Judged::Ratio };
/// Our own: half of what the API server takes for one create.
const PROCESSOR: Goal = Goal { value: 0.5, better: Better::Lower, judged: Judged::Ratio };

/// Requests under way at the same time where their time is compared: both sides keep two cores busy, and neither waits long
/// for the other's.
const SIDE_BY_SIDE: usize = 8;

/// What one run saw of one side.
struct Side {
    paced: Paced,
    /// Milliseconds of processor time a request, by process.
    cost: BTreeMap<String, f64>,
}

/// Hosts ordered over REST and hosts created without: three figures are told of it.
pub struct Rest {
    concurrency: [usize; 2],
    /// As fast as each goes.
    fastest: [Vec<Side>; 2],
    /// With as many under way on both sides.
    alike: [Vec<Side>; 2],
    requests: usize,
}

impl Rest {
    /// `rest_vs_raw_create`.
    ///
    /// # Errors
    /// When nothing was measured.
    pub fn throughput(&self) -> Result<Figure, BenchError> {
        let [ours, raw] = &self.fastest;
        let [our_concurrency, raw_concurrency] = self.concurrency;
        let comparison = Comparison {
            ours: rate(ours)?,
            reference: rate(raw)?,
            what_reference_is: format!(
                "the same hosts created at the API server by a client of the same people, {raw_concurrency} at a time"
            ),
            unit: "requests/s".into(),
            runs: ours.len(),
            notes: vec![
                format!(
                    "{} orders a run, {our_concurrency} at a time: {}; created: {}",
                    self.requests,
                    spread(ours),
                    spread(raw)
                ),
                "the controller is stopped on both sides: what an order sets going is not measured here".into(),
            ],
        };
        Ok(Figure::new(Name::RestVsRawCreate, comparison, RAW))
    }

    /// `rest_p99_vs_raw`.
    ///
    /// # Errors
    /// When nothing was measured.
    pub fn tail(&self) -> Result<Figure, BenchError> {
        let [ours, raw] = &self.alike;
        let at = |side: &[Side], percent| {
            let all: Vec<f64> = side.iter().flat_map(|side| side.paced.waits.clone()).collect();
            percentile(&all, percent)
                .map(|seconds| seconds * 1000.0)
                .ok_or(BenchError::Nothing("no requests were made"))
        };
        let comparison = Comparison {
            ours: at(ours, 99)?,
            reference: at(raw, 99)?,
            what_reference_is: format!("one create at the API server, {SIDE_BY_SIDE} at a time on both sides"),
            unit: "ms".into(),
            runs: ours.len(),
            notes: vec![format!("medians: {:.1} and {:.1} ms", at(ours, 50)?, at(raw, 50)?)],
        };
        Ok(Figure::new(Name::RestP99VsRaw, comparison, TAIL))
    }

    /// `rest_cpu_ms`.
    ///
    /// # Errors
    /// When nothing was measured.
    pub fn processor(&self) -> Result<Figure, BenchError> {
        let [ours, raw] = &self.alike;
        let of = |side: &[Side], process: &str| {
            let all: Vec<f64> = side.iter().filter_map(|side| side.cost.get(process).copied()).collect();
            median(&all).ok_or(BenchError::Nothing("a process took no time"))
        };
        let comparison = Comparison {
            ours: of(ours, "jiyun-api")?,
            reference: of(raw, "kube-apiserver")?,
            what_reference_is: "processor time of the API server for one create without us".into(),
            unit: "ms/request".into(),
            runs: ours.len(),
            notes: vec![format!(
                "the API server takes {:.2} ms for an order over REST: looking up what it names is part of it",
                of(ours, "kube-apiserver")?
            )],
        };
        Ok(Figure::new(Name::RestCpuMs, comparison, PROCESSOR))
    }
}

/// Measures orders of one host.
///
/// # Errors
/// See [`BenchError`].
pub async fn measure(options: &Options) -> Result<Rest, BenchError> {
    let requests = usize::try_from(options.requests).unwrap_or(usize::MAX);
    let town = quiet("rest").await?;
    let lane = Lane::new(&town, 0).await?;
    let mut concurrency = [SIDE_BY_SIDE; 2];
    for (way, best) in Way::BOTH.into_iter().zip(&mut concurrency) {
        lane.run(way, "warm", SIDE_BY_SIDE * 8, SIDE_BY_SIDE).await?;
        *best = best_of(&lane, way, requests.div_ceil(4), options).await?;
    }
    let mut rest = Rest { concurrency, fastest: [vec![], vec![]], alike: [vec![], vec![]], requests };
    for run in 0..options.runs {
        for way in Way::alternating(run) {
            let at = usize::from(way == Way::Raw);
            let best = concurrency[at];
            rest.fastest[at].push(side(&town, &lane, way, &format!("f{run}"), requests, best).await?);
            rest.alike[at].push(side(&town, &lane, way, &format!("a{run}"), requests, SIDE_BY_SIDE).await?);
        }
    }
    town.close().await?;
    Ok(rest)
}

/// `rest_vs_equal_writes`: an order of two hosts is three objects; a raw client writes the same three.
///
/// # Errors
/// See [`BenchError`].
pub async fn equal_writes(options: &Options) -> Result<Figure, BenchError> {
    let requests = usize::try_from(options.requests).unwrap_or(usize::MAX).div_ceil(3);
    let town = quiet("rest, several hosts").await?;
    let lane = Lane::new(&town, 2).await?;
    let (mut best, mut sides) = ([SIDE_BY_SIDE; 2], [vec![], vec![]]);
    for (way, best) in Way::BOTH.into_iter().zip(&mut best) {
        lane.run(way, "warm", SIDE_BY_SIDE * 4, SIDE_BY_SIDE).await?;
        *best = best_of(&lane, way, requests.div_ceil(4), options).await?;
    }
    for run in 0..options.runs {
        for way in Way::alternating(run) {
            let at = usize::from(way == Way::Raw);
            sides[at].push(side(&town, &lane, way, &format!("e{run}"), requests, best[at]).await?);
        }
    }
    town.close().await?;
    let [ours, raw] = &sides;
    let comparison = Comparison {
        ours: rate(ours)?,
        reference: rate(raw)?,
        what_reference_is: format!(
            "the same two hosts and their order, created one after the other at the API server, {} at a time",
            best[1]
        ),
        unit: "orders/s".into(),
        runs: ours.len(),
        notes: vec![
            format!("{requests} orders a run, {} at a time: {}; created: {}", best[0], spread(ours), spread(raw)),
            "ours also looks up what the hosts name, at most once in five seconds a caller, and whether there is an order of that name".into(),
        ],
    };
    Ok(Figure::new(Name::RestVsEqualWrites, comparison, EQUAL))
}

/// A town whose controller is stopped: nothing competes with requests for the processor.
async fn quiet(what: &str) -> Result<Town, BenchError> {
    let town = Town::start(what, false).await?;
    town.world.controller.stop().await;
    Ok(town)
}

async fn side(
    town: &Town,
    lane: &Lane<'_>,
    way: Way,
    series: &str,
    requests: usize,
    concurrency: usize,
) -> Result<Side, BenchError> {
    let before = Seconds::of(&town.world.lab.processes());
    let paced = lane.run(way, series, requests, concurrency).await?;
    let cost = Seconds::of(&town.world.lab.processes()).each_since(&before, requests);
    say(&format!("{series}, {way}: {:.1} a second, {concurrency} at a time", paced.rate));
    Ok(Side { paced, cost })
}

async fn best_of(lane: &Lane<'_>, way: Way, requests: usize, options: &Options) -> Result<usize, BenchError> {
    let mut best: Option<(usize, f64)> = None;
    for concurrency in options.concurrency.iter().copied().map(usize::from) {
        let rate = lane.run(way, &format!("t{concurrency}"), requests, concurrency).await?.rate;
        say(&format!("{way}: {concurrency} at a time, {rate:.1} a second"));
        if best.is_none_or(|(_, known)| rate > known) {
            best = Some((concurrency, rate));
        }
    }
    best.map(|(concurrency, _)| concurrency).ok_or(BenchError::Nothing("no concurrency was given"))
}

fn rate(sides: &[Side]) -> Result<f64, BenchError> {
    let rates: Vec<f64> = sides.iter().map(|side| side.paced.rate).collect();
    median(&rates).ok_or(BenchError::Nothing("no runs were asked for"))
}

fn spread(sides: &[Side]) -> String {
    let rates: Vec<f64> = sides.iter().map(|side| side.paced.rate).collect();
    range(&rates).map_or_else(String::new, |(low, high)| format!("{low:.1} to {high:.1} a second"))
}
