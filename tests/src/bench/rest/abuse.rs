//! `abuse_p99`: what others notice of one caller who asks as fast as a program can.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::StatusCode;
use tokio::{task::JoinSet, time::interval};

use super::{BenchError, Comparison, Figure, Goal, Name, Options, median, number, percentile, quiet, say};
use crate::{
    Caller,
    bench::{
        figure::{Better, Judged},
        machine::Seconds,
    },
};

/// The slowest of a hundred of others, beside the same without the abuser.
const GOAL: Goal = Goal { value: 1.2, better: Better::Lower, judged: Judged::Ratio };

/// Others, each with a token of their own.
const OTHERS: usize = 8;
/// Requests of each of them a second: half of what one may ask for.
const EACH: u32 = 10;
/// How long one leg lasts.
const LEG: Duration = Duration::from_secs(20);
/// Connections of the abuser, each asking again at once.
const CONNECTIONS: usize = 16;

/// Alone, beside the abuser, beside, alone, ...
///
/// # Errors
/// See [`BenchError`].
pub async fn measure(options: &Options) -> Result<Figure, BenchError> {
    let town = quiet("abuse").await?;
    // As it is shipped: with its bounds for each caller. All callers of a lab have one address.
    let api = town.world.another_api("jiyun-api-bounded", &["--address-rate=0", "--address-under-way=0"]).await?;
    let base = api.url().ok_or(BenchError::Nothing("the API has no address"))?;
    let (others, abuser) = callers(&town, &base)?;
    let (mut alone, mut beside, mut sent, mut refused) = (Vec::new(), Vec::new(), 0, 0);
    calm(&others, Duration::from_secs(3)).await?;
    let (mut alone_cost, mut beside_cost) = (Vec::new(), Vec::new());
    for run in 0..options.runs {
        let first_alone = run % 2 == 0;
        for is_alone in [first_alone, !first_alone] {
            let before = Seconds::of(&town.world.lab.processes());
            let attack = Attack::begin((!is_alone).then_some(&abuser));
            let waits = calm(&others, LEG).await?;
            let (tried, turned_away) = attack.end().await?;
            let cost = Seconds::of(&town.world.lab.processes()).each_since(&before, waits.len());
            (sent, refused) = (sent + tried, refused + turned_away);
            let p99 = percentile(&waits, 99).unwrap_or_default() * 1000.0;
            say(&format!("abuse: 99 % of others within {p99:.1} ms {}", if is_alone { "alone" } else { "beside it" }));
            let taken =
                ["jiyun-api", "bench"].map(|name| cost.get(name).copied().unwrap_or_default() * number(waits.len()));
            let share = taken.map(|milliseconds| milliseconds / 1000.0 / LEG.as_secs_f64());
            if is_alone {
                alone.push(p99);
                alone_cost.push(share);
            } else {
                beside.push(p99);
                beside_cost.push(share);
            }
        }
    }
    drop(api);
    town.close().await?;
    let nothing = || BenchError::Nothing("no runs were asked for");
    let mean = |shares: &[[f64; 2]], at: usize| {
        shares.iter().filter_map(|share| share.get(at)).sum::<f64>() / number(shares.len().max(1))
    };
    let comparison = Comparison {
        ours: median(&beside).ok_or_else(nothing)?,
        reference: median(&alone).ok_or_else(nothing)?,
        what_reference_is: "the same callers without the abuser".into(),
        unit: "ms".into(),
        runs: beside.len(),
        notes: vec![
            format!(
                "{OTHERS} callers look at hosts {EACH} times a second each, for {} s a leg; the abuser asks on {CONNECTIONS} \
                 connections without a pause: {sent} requests, of which {refused} were answered 429",
                LEG.as_secs()
            ),
            format!(
                "cores taken: API alone {:.2}, beside the abuser {:.2}; this program with all callers alone {:.2}, beside {:.2}: \
                 the abuser itself runs on the same cores",
                mean(&alone_cost, 0),
                mean(&beside_cost, 0),
                mean(&alone_cost, 1),
                mean(&beside_cost, 1)
            ),
        ],
    };
    Ok(Figure::new(Name::AbuseP99, comparison, GOAL))
}

type Callers = (Vec<(String, Caller)>, (String, Caller));

fn callers(town: &super::Town, base: &str) -> Result<Callers, BenchError> {
    let path = |department: &str| format!("/v1/departments/{department}/hosts?limit=20");
    let mut all = Vec::new();
    for number in 0..=OTHERS {
        let (department, caller) = town.department(number)?;
        all.push((path(department), caller.at(base)));
    }
    let abuser = all.pop().ok_or(BenchError::Nothing("there are no departments"))?;
    Ok((all, abuser))
}

/// What others do: look at their hosts, evenly. Seconds each look took, counted from when it was due.
async fn calm(others: &[(String, Caller)], leg: Duration) -> Result<Vec<f64>, BenchError> {
    let (mut tasks, until) = (JoinSet::new(), Instant::now() + leg);
    for (path, caller) in others {
        let (path, caller) = (path.clone(), caller.clone());
        tasks.spawn(async move {
            let (mut due, mut looks) = (interval(Duration::from_secs(1) / EACH), JoinSet::new());
            while Instant::now() < until {
                let due = due.tick().await;
                let (path, caller) = (path.clone(), caller.clone());
                looks.spawn(async move {
                    let answer = caller.get(&path).await?;
                    if answer.status == StatusCode::OK {
                        return Ok(due.elapsed().as_secs_f64());
                    }
                    Err(BenchError::Refused { host: path, status: answer.status.as_u16(), text: answer.text })
                });
            }
            let mut waits = Vec::new();
            while let Some(look) = looks.join_next().await {
                waits.push(look??);
            }
            Ok::<_, BenchError>(waits)
        });
    }
    let mut waits = Vec::new();
    while let Some(task) = tasks.join_next().await {
        waits.extend(task??);
    }
    Ok(waits)
}

/// The abuser at work.
struct Attack {
    stop: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
    tasks: JoinSet<Result<(), reqwest::Error>>,
}

impl Attack {
    /// Begins, where there is somebody who attacks.
    fn begin(abuser: Option<&(String, Caller)>) -> Self {
        let mut attack =
            Self { stop: Arc::default(), refused: Arc::default(), sent: Arc::default(), tasks: JoinSet::new() };
        let Some((path, caller)) = abuser else { return attack };
        for _ in 0..CONNECTIONS {
            let (path, caller) = (path.clone(), caller.clone());
            let (stop, refused, sent) = (attack.stop.clone(), attack.refused.clone(), attack.sent.clone());
            attack.tasks.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = caller.get(&path).await?;
                    sent.fetch_add(1, Ordering::Relaxed);
                    if answer.status == StatusCode::TOO_MANY_REQUESTS {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Ok(())
            });
        }
        attack
    }

    /// Ends it: requests sent, and those turned away.
    async fn end(mut self) -> Result<(u64, u64), BenchError> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(task) = self.tasks.join_next().await {
            task??;
        }
        Ok((self.sent.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed)))
    }
}
