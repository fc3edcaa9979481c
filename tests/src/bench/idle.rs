//! `idle_writes`: changing requests of ours in a minute in which nobody wants anything.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    BenchError, Figure, Name, Options,
    audit::{Actor, by_resource},
    callers::bring_up,
    figure::{Better, Comparison, Goal, Judged},
    observer::Observer,
    progress::say,
    statistics::number,
    town::Town,
    writes::Counted,
};

/// Nothing happens, so nothing is written.
const GOAL: Goal = Goal { value: 0.0, better: Better::Lower, judged: Judged::Ours };

/// The minute.
const MINUTE: Duration = Duration::from_mins(1);

/// Hosts under way at the same time while they are brought up.
const CONCURRENCY: usize = 64;

/// Two rounds of the ledger's mark: after this the bring-up is over for everybody.
const SETTLING: Duration = Duration::from_secs(25);

/// Measures it.
///
/// # Errors
/// See [`BenchError`].
pub async fn measure(options: &Options) -> Result<Figure, BenchError> {
    let hosts = usize::try_from(options.hosts_idle).unwrap_or(usize::MAX);
    let town = Town::start("idle", true).await?;
    let observer = Observer::start(town.world.lab.client().await?).await;
    bring_up(&town, &observer, "idle", hosts, CONCURRENCY).await?;
    say("idle: settling");
    tokio::time::sleep(SETTLING).await;

    say("idle: the minute begins");
    let (before, started) = (town.requests().await?, Timestamp::now());
    tokio::time::sleep(MINUTE).await;
    let after = town.requests().await?;
    let writes = town.writes(started)?;
    town.close().await?;

    let (ours, others): (Vec<_>, Vec<_>) = writes.iter().partition(|write| write.actor == Actor::Ours);
    let counted = Counted::new(&writes, &before, &after);
    let told = |writes: Vec<_>| {
        let counts: Vec<String> = by_resource(writes).iter().map(|(what, count)| format!("{what} {count}")).collect();
        if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") }
    };
    let reference = number(others.len());
    let mut notes = vec![format!("{hosts} ready hosts; ours: {}; everybody else: {}", told(ours), told(others))];
    notes.extend(counted.contradiction());
    let comparison = Comparison {
        ours: number(counted.ours()),
        reference,
        what_reference_is: "changing requests of everybody else (Kubernetes, simulators) in the same minute".into(),
        unit: "writes/min".into(),
        runs: 1,
        notes,
    };
    Ok(Figure::new(Name::IdleWrites, comparison, GOAL))
}
