//! `writes_per_host`: changing requests to the API server that it takes us to bring up one host.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;

use super::{
    BenchError, Figure, Name, Options,
    audit::{Actor, Write, by_resource},
    callers::{WARM_UP, bring_up},
    figure::{Better, Comparison, Goal, Judged},
    observer::Observer,
    progress::say,
    requests::Requests,
    statistics::number,
    town::Town,
};

/// The order, the disk, the machine, one report.
const GOAL: Goal = Goal { value: 4.0, better: Better::Lower, judged: Judged::Ours };

/// Hosts under way at the same time: enough to keep the machine busy, so that nobody is waited for.
const CONCURRENCY: usize = 64;

/// The ledger is marked at most every ten seconds: after this the last mark of a run has been written.
const LAST_MARK: Duration = Duration::from_secs(15);

/// Measures it.
///
/// # Errors
/// See [`BenchError`].
pub async fn measure(options: &Options) -> Result<Figure, BenchError> {
    let hosts = usize::try_from(options.hosts).unwrap_or(usize::MAX);
    let town = Town::start("writes", true).await?;
    let observer = Observer::start(town.world.lab.client().await?).await;
    bring_up(&town, &observer, "warm", WARM_UP, WARM_UP).await?;
    say("writes: waiting for the mark of what was prepared");
    tokio::time::sleep(LAST_MARK).await;

    let (before, started) = (town.requests().await?, Timestamp::now());
    bring_up(&town, &observer, "run", hosts, CONCURRENCY).await?;
    say("writes: waiting for the last mark");
    tokio::time::sleep(LAST_MARK).await;
    let after = town.requests().await?;
    let writes = town.writes(started)?;
    town.close().await?;

    let counted = Counted::new(&writes, &before, &after);
    let each = |count: usize| number(count) / number(hosts);
    let ours: Vec<&Write> = writes.iter().filter(|write| write.actor == Actor::Ours).collect();
    let listed: Vec<String> =
        by_resource(ours.iter().copied()).iter().map(|(what, count)| format!("{what} {:.3}", each(*count))).collect();
    let mut notes = vec![
        format!(
            "{hosts} hosts, {CONCURRENCY} at a time, until 15 s after the last was ready; a host: {}",
            listed.join(", ")
        ),
        format!("of these failed: {}", ours.iter().filter(|write| !write.succeeded()).count()),
        format!("written meanwhile by simulators and Kubernetes: {:.2} a host", each(writes.len() - ours.len())),
    ];
    notes.extend(counted.contradiction());
    let comparison = Comparison {
        ours: each(counted.ours()),
        reference: GOAL.value,
        what_reference_is: "the fewest possible with these kinds: the order, the disk, the machine, one report".into(),
        unit: "writes/host".into(),
        runs: 1,
        notes,
    };
    Ok(Figure::new(Name::WritesPerHost, comparison, GOAL))
}

/// Two counts of the same requests: the API server's figures know no users, its audit log does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// By `apiserver_request_total`, of the resources that we write.
    total: usize,
    /// By the audit log, of the same resources: ours.
    audited: usize,
    /// By the audit log, of the same resources: everybody else's.
    others: usize,
}

impl Counted {
    /// Counts the requests to every resource that we wrote to.
    pub fn new(writes: &[Write], before: &Requests, after: &Requests) -> Self {
        let is_ours = |write: &&Write| write.actor == Actor::Ours;
        let resources: BTreeSet<&str> = writes.iter().filter(is_ours).map(|write| write.resource.as_str()).collect();
        let total: u64 = resources.iter().map(|resource| after.since(before, resource)).sum();
        let (ours, others): (Vec<&Write>, Vec<&Write>) =
            writes.iter().filter(|write| resources.contains(write.resource.as_str())).partition(is_ours);
        Self { total: usize::try_from(total).unwrap_or(usize::MAX), audited: ours.len(), others: others.len() }
    }

    /// Ours: all that the API server counted and the audit log does not say to be somebody else's.
    pub fn ours(self) -> usize {
        self.total.saturating_sub(self.others).max(self.audited)
    }

    /// What the two counts disagree about, if they do.
    pub fn contradiction(self) -> Option<String> {
        let Self { total, audited, others } = self;
        (total != audited + others).then(|| {
            format!(
                "apiserver_request_total counts {total} writes to these resources and the audit log {audited} of ours and \
                 {others} of others: what cannot be attributed is counted as ours"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::audit::{parse, tests::life_of};

    fn requests(hosts: u32, machines: u32, status: u32) -> Requests {
        let sample = |resource: &str, sub: &str, verb: &str, count: u32| {
            format!(
                "apiserver_request_total{{resource=\"{resource}\",subresource=\"{sub}\",verb=\"{verb}\"}} {count}\n"
            )
        };
        let text = [
            sample("cloudhosts", "", "POST", hosts),
            sample("cloudhosts", "status", "APPLY", status),
            sample("virtualmachines", "", "APPLY", machines),
            sample("virtualmachines", "status", "PATCH", 77),
        ];
        Requests::parse(&text.concat()).unwrap()
    }

    #[test]
    fn a_resource_only_others_write_is_not_counted() {
        let writes = parse(&life_of("web-1", 0)).unwrap();
        let counted = Counted::new(&writes, &requests(5, 5, 5), &requests(6, 6, 6));
        assert_eq!(counted, Counted { total: 3, audited: 3, others: 0 });
        assert_eq!((counted.ours(), counted.contradiction()), (3, None));
    }

    #[test]
    fn what_the_audit_log_does_not_explain_counts_as_ours_and_is_told() {
        let writes = parse(&life_of("web-1", 0)).unwrap();
        let counted = Counted::new(&writes, &requests(5, 5, 5), &requests(6, 6, 8));
        assert_eq!(counted.ours(), 5);
        assert!(counted.contradiction().is_some_and(|text| text.contains("counts 5") && text.contains("3 of ours")));
    }
}
