//! People who order hosts over the REST API, each the next one when the last is ready: a closed loop.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use jiyun_crds::names::department_namespace;

use super::{BenchError, observer::Observer, progress::Counted, statistics::number, town::Town};
use crate::Order;

/// How long a host may take before the run is given up.
const PATIENCE: Duration = Duration::from_mins(2);

/// Hosts ordered before anything is measured: connections are opened, caches filled.
pub const WARM_UP: usize = 20;

/// What came of a bring-up.
#[derive(Clone, Debug)]
pub struct BroughtUp {
    /// Hosts a second, from the first order to the last host ready.
    pub rate: f64,
    /// Seconds from order to ready, host by host.
    pub latencies: Vec<f64>,
}

/// Name of a host of a series: as long for the first as for the last, so that no name is part of another.
pub fn host_name(series: &str, number: usize) -> String {
    format!("{series}-{number:05}")
}

/// Orders `count` hosts of `series`, with `concurrency` under way at the same time, until all are ready.
///
/// # Errors
/// When an order is refused or a host does not become ready.
pub async fn bring_up(
    town: &Town,
    observer: &Observer,
    series: &str,
    count: usize,
    concurrency: usize,
) -> Result<BroughtUp, BenchError> {
    let started = Instant::now();
    let mut progress = Counted::new(format!("{series}: hosts ready"), count);
    let ready: Vec<(Instant, Duration)> = stream::iter(0..count)
        .map(|number| order(town, observer, series, number))
        .buffer_unordered(concurrency)
        .enumerate()
        .map(|(done, outcome)| {
            progress.at(done);
            outcome
        })
        .try_collect()
        .await?;
    let last = ready.iter().map(|(at, _)| *at).max().ok_or(BenchError::Nothing("no hosts were ordered"))?;
    let rate = number(count) / last.duration_since(started).as_secs_f64();
    let latencies = ready.iter().map(|(_, took)| took.as_secs_f64()).collect();
    Ok(BroughtUp { rate, latencies })
}

async fn order(
    town: &Town,
    observer: &Observer,
    series: &str,
    number: usize,
) -> Result<(Instant, Duration), BenchError> {
    let host = host_name(series, number);
    let (department, caller) = town.department(number)?;
    let ready = observer.expect(&department_namespace(department), &host);
    let started = Instant::now();
    let path = format!("/v1/departments/{department}/hosts");
    let answer = caller.post(&path, &Order::new(&host, "portal").body(), 0).await?;
    if !answer.status.is_success() {
        return Err(BenchError::Refused { host, status: answer.status.as_u16(), text: answer.text });
    }
    if let Ok(Ok(at)) = tokio::time::timeout(PATIENCE, ready).await {
        return Ok((at, at.duration_since(started)));
    }
    let found = town.world.hosts(department).await?.get_opt(&host).await?;
    let seen = format!("{:?}", found.map(|found| found.status));
    Err(BenchError::NeverReady { host, seconds: PATIENCE.as_secs(), seen })
}
