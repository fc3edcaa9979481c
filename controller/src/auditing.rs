//! Every replica reads the account book along with the audit, which shares no code with its writer, and shows what it finds.
//!
//! So a fault of the writer pages somebody within seconds, not when `ledger verify` is run next. A book whose first
//! entries were pruned cannot be read along: what claims held before is not in it.

use std::{collections::BTreeMap, time::Duration};

use jiyun_audit::{Auditor, Finding};
use jiyun_ledger::{StoreError, store::etcd::EtcdStore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::metrics::Metrics;

/// How often new entries are looked for: one small read.
const EVERY: Duration = Duration::from_secs(5);

/// After so many findings the book is wrong beyond doubt; more would only fill the log.
const MOST: usize = 1_000;

/// What the audit tells from entries alone. The others need sums over time (I5, I6) or Kubernetes (I4), and are shown by
/// `checks.rs` and `orphans.rs`.
const SHOWN: [&str; 4] = ["I1", "I2", "I3", "I7"];

/// Stands for every other rule a stream of entries keeps.
const STREAM: &str = "stream";

/// How far a replica has read.
struct Reading {
    auditor: Auditor,
    next: u64,
}

/// Reads along until `stop`.
pub async fn follow(store: EtcdStore, metrics: Metrics, stop: CancellationToken) {
    let mut reading = Reading { auditor: Auditor::default(), next: 1 };
    let mut told = 0;
    loop {
        match stop.run_until_cancelled(read(&store, reading)).await {
            None => return,
            Some(Ok(Some(read))) => reading = read,
            Some(Ok(None)) => {
                info!("entries were pruned: the book is not read along; use ledger verify with its archives");
                return;
            }
            Some(Err((source, read))) => {
                debug!(error = %source, "the book cannot be read along at the moment");
                reading = read;
            }
        }
        let found = reading.auditor.findings();
        for finding in found.iter().skip(told) {
            error!(%finding, "the account book contradicts itself; run ledger verify");
        }
        told = found.len();
        for (rule, count) in tally(found) {
            metrics.set_broken(rule, count);
        }
        metrics.set_audited(reading.next - 1);
        if told >= MOST {
            warn!(findings = told, "too many findings: the book is not read along any further");
            return;
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}

/// Reads what is new; nothing if what comes next is not there any more.
async fn read(store: &EtcdStore, mut reading: Reading) -> Result<Option<Reading>, (StoreError, Reading)> {
    loop {
        let page = match store.raw_page(reading.next).await {
            Ok(page) => page,
            Err(source) => return Err((source, reading)),
        };
        let Some(first) = page.entries.first() else { return Ok(Some(reading)) };
        if first.key > reading.next && pruned(store, reading.next).await {
            return Ok(None);
        }
        let more = page.more;
        // A page is some tenths of a second of work: not where others wait for their turn.
        let looked = tokio::task::spawn_blocking(move || {
            for entry in page.entries {
                reading.auditor.line(&String::from_utf8_lossy(&entry.bytes));
                reading.next = entry.key.saturating_add(1);
            }
            reading
        });
        match looked.await {
            Ok(looked) => reading = looked,
            Err(_) => return Ok(None),
        }
        if !more {
            return Ok(Some(reading));
        }
    }
}

/// Whether entries before `next` were pruned, rather than one being missing between others.
async fn pruned(store: &EtcdStore, next: u64) -> bool {
    matches!(store.raw_page(1).await, Ok(page) if page.entries.first().is_none_or(|first| first.key > next))
}

/// Findings by the rule they are shown as; rules nothing was found of are 0.
fn tally(findings: &[Finding]) -> BTreeMap<&'static str, usize> {
    let mut counts: BTreeMap<_, usize> = SHOWN.into_iter().chain([STREAM]).map(|rule| (rule, 0)).collect();
    for finding in findings {
        let rule = finding.invariant.filter(|invariant| SHOWN.contains(invariant)).unwrap_or(STREAM);
        *counts.entry(rule).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    const CITY: [&str; 3] = [
        r#"{"type":"Opened","lineage":"book","peerLineage":"hub"}"#,
        r#"{"type":"AccountSet","account":{"id":"tax","displayName":"tax","limits":[{"meter":"Vcpu","limit":4,"guaranteed":0}],"preference":{"domesticFirst":false,"spread":"Pack"},"state":"Open"}}"#,
        r#"{"type":"PoolSet","pool":{"id":"Compute/c1","kind":"Compute","site":"east","zones":["z"],"maxProtectionLevel":3,"domestic":false,"provider":"p","capacity":{"Vcpu":4},"overcommitPercent":{},"reserve":{},"state":"Open"}}"#,
    ];

    fn granted(vcpu: u64) -> String {
        format!(
            r#"{{"type":"ClaimGranted","claim":{{"id":1,"account":"tax","system":"s","subject":{{"kind":"CloudHost","namespace":"dept-tax","name":"web","uid":"u"}},"item":"i","lines":[{{"meter":"Vcpu","pool":"Compute/c1","dimensions":{{"zone":"z"}},"quantity":{vcpu}}}],"specDigest":"d","approvedSpec":{{}},"reservedAt":"2026-11-01T00:00:00Z"}}}}"#
        )
    }

    fn found(events: &[&str]) -> Vec<Finding> {
        let mut auditor = Auditor::default();
        for (index, event) in events.iter().enumerate() {
            let seq = index + 1;
            auditor.line(&format!(r#"{{"seq":{seq},"at":"2026-11-01T00:00:00Z","epoch":1,"events":[{event}]}}"#));
        }
        auditor.findings().to_vec()
    }

    fn after(more: &str) -> Vec<Finding> {
        found(&[CITY[0], CITY[1], CITY[2], more])
    }

    #[test]
    fn what_is_within_its_limits_is_shown_as_zeros() {
        let found = after(&granted(4));
        assert_eq!(found, []);
        assert_eq!(tally(&found), BTreeMap::from([("I1", 0), ("I2", 0), ("I3", 0), ("I7", 0), ("stream", 0)]));
    }

    #[test]
    fn what_was_given_beyond_pool_and_limit_is_shown_under_both() {
        let counts = tally(&after(&granted(5)));
        assert_eq!((counts["I1"], counts["I2"]), (1, 1), "{counts:?}");
    }

    #[test]
    fn a_contradiction_of_the_stream_is_shown_as_such() {
        assert_eq!(tally(&after(CITY[0]))["stream"], 1);
    }
}
