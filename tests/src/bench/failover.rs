//! `failover_first_write`: how long the book stands still when the leading controller is killed.

use std::time::{Duration, Instant};

use etcd_client::{EventType, GetOptions, WatchOptions};
use jiyun_lab::{ControllerOptions, Guest, LedgerUser, wait_for};
use jiyun_ledger::{Entry, Event, leader::TTL, store::etcd::DEFAULT_PREFIX};

use super::{
    BenchError, Figure, Name, Options,
    figure::{Better, Comparison, Goal, Judged},
    progress::say,
    statistics::{median, range},
    town::Town,
};
use crate::{Order, world::PATIENCE};

/// A lease that runs out, and half of one to find out, load the book and see the order.
const GOAL: Goal = Goal { value: 1.5, better: Better::Lower, judged: Judged::Ratio };

/// Hosts in the book before anybody is killed.
const HOSTS: usize = 20;

/// Seconds after the kill.
#[derive(Clone, Copy, Debug)]
struct Gap {
    /// The first entry of another leader.
    any: f64,
    /// The entry that grants the order.
    granted: f64,
}

/// Measures it.
///
/// # Errors
/// See [`BenchError`].
pub async fn measure(options: &Options) -> Result<Figure, BenchError> {
    let town = Town::start("failover", false).await?;
    let standby = ControllerOptions { name: "standby".into(), ..ControllerOptions::default() };
    let standby = town.world.lab.spawn_controller(standby).await?;
    standby.wait_until_healthy("/readyz", PATIENCE).await?;
    let observer = super::observer::Observer::start(town.world.lab.client().await?).await;
    super::callers::bring_up(&town, &observer, "before", HOSTS, HOSTS).await?;

    let mut gaps = Vec::new();
    for run in 0..options.runs {
        let guests = [&town.world.controller, &standby];
        let leader = leader(&town, guests).await?;
        let gap = kill(&town, leader, &format!("failover-{run:03}")).await?;
        say(&format!("failover: granted {:.1} s after the kill", gap.granted));
        gaps.push(gap);
        leader.restart().await?;
        leader.wait_until_healthy("/readyz", PATIENCE).await?;
    }
    drop(standby);
    town.close().await?;

    let of = |read: fn(&Gap) -> f64| gaps.iter().map(read).collect::<Vec<f64>>();
    let (least, most) = range(&of(|gap| gap.granted)).unwrap_or_default();
    let comparison = Comparison {
        ours: median(&of(|gap| gap.granted)).ok_or(BenchError::Nothing("nobody was killed"))?,
        reference: TTL.as_secs_f64(),
        what_reference_is:
            "the lease of leadership: so long the dead leader may still be thought to lead; it was renewed \
                            up to a fifth of that before the kill"
                .into(),
        unit: "s".into(),
        runs: gaps.len(),
        notes: vec![
            format!("from SIGKILL to the entry that grants an order placed just after it: {least:.1} to {most:.1} s"),
            format!(
                "the other leader's first entry of any kind: {:.1} s",
                median(&of(|gap| gap.any)).unwrap_or_default()
            ),
            "a leader that is stopped instead hands over at once".into(),
        ],
    };
    Ok(Figure::new(Name::FailoverFirstWrite, comparison, GOAL))
}

/// The one of two controllers that leads.
async fn leader<'a>(town: &Town, guests: [&'a Guest; 2]) -> Result<&'a Guest, BenchError> {
    let found = wait_for("one of the controllers to lead", PATIENCE, || async {
        for guest in guests {
            let text = town.world.metrics_of(guest).await.map_err(|error| error.to_string())?;
            if text.lines().any(|line| line == "jiyun_leader 1") {
                return Ok(guest);
            }
        }
        Err("both stand by".to_owned())
    });
    Ok(found.await?)
}

/// Kills the leader, orders a host, and waits for its grant.
async fn kill(town: &Town, leader: &Guest, host: &str) -> Result<Gap, BenchError> {
    let events = format!("{DEFAULT_PREFIX}events/");
    let client = town.world.lab.ledger_client(LedgerUser::Controller).await?;
    let options = WatchOptions::new().with_prefix();
    let watch = client.watch_client().watch(events.as_str(), Some(options)).await;
    let mut watch = watch.map_err(BenchError::ledger("a watch"))?;
    let killed = Instant::now();
    leader.kill().await;
    let epoch = last_epoch(&client, &events).await?;

    let (department, caller) = town.department(0)?;
    let path = format!("/v1/departments/{department}/hosts");
    let answer = caller.post(&path, &Order::new(host, "portal").body(), 0).await?;
    if !answer.status.is_success() {
        let (host, status) = (host.to_owned(), answer.status.as_u16());
        return Err(BenchError::Refused { host, status, text: answer.text });
    }
    let mut any = None;
    let granted = async {
        while let Some(answer) = watch.message().await.map_err(BenchError::ledger("a watch"))? {
            let now = killed.elapsed().as_secs_f64();
            for event in answer.events().iter().filter(|event| event.event_type() == EventType::Put) {
                let Some(key) = event.kv() else { continue };
                let entry: Entry = serde_json::from_slice(key.value())?;
                if entry.epoch == epoch {
                    continue;
                }
                let any = *any.get_or_insert(now);
                if grants(&entry, host) {
                    return Ok(Gap { any, granted: now });
                }
            }
        }
        Err(BenchError::Nothing("the watch on the book ended"))
    };
    let within = Duration::from_mins(2);
    tokio::time::timeout(within, granted).await.unwrap_or(Err(BenchError::Nothing("nobody took over")))
}

/// Under which leadership the last entry was written.
async fn last_epoch(client: &etcd_client::Client, events: &str) -> Result<i64, BenchError> {
    let last = GetOptions::new()
        .with_prefix()
        .with_sort(etcd_client::SortTarget::Key, etcd_client::SortOrder::Descend)
        .with_limit(1);
    let found = client.kv_client().get(events, Some(last)).await.map_err(BenchError::ledger("a read"))?;
    let last = found.kvs().first().ok_or(BenchError::Nothing("the book is empty"))?;
    let entry: Entry = serde_json::from_slice(last.value())?;
    Ok(entry.epoch)
}

fn grants(entry: &Entry, host: &str) -> bool {
    entry.events.iter().any(|event| matches!(event, Event::ClaimGranted { claim } if claim.subject.name == host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_grant_of_the_very_host_ends_the_gap() {
        let claim = serde_json::json!({
            "id": 1, "account": "a", "system": "s", "item": "i", "lines": [], "specDigest": "d", "approvedSpec": null,
            "subject": {"kind": "CloudHost", "namespace": "n", "name": "web", "uid": "u"},
            "reservedAt": "2027-01-01T00:00:00Z",
        });
        let event = serde_json::json!({"type": "ClaimGranted", "claim": claim});
        let entry = serde_json::json!({"seq": 1, "at": "2027-01-01T00:00:00Z", "epoch": 1, "events": [event]});
        let entry: Entry = serde_json::from_value(entry).unwrap();
        assert!(grants(&entry, "web") && !grants(&entry, "we"));
    }
}
