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

/// Between two pages of what was there before: a replica that catches up leaves the processor to whoever leads.
const PACE: Duration = Duration::from_millis(200);

/// How far a replica has read.
struct Reading {
    auditor: Auditor,
    next: u64,
    /// The last entry read, to tell whether it is still the same book.
    last: Vec<u8>,
    /// Findings told.
    told: usize,
}

/// What came of reading on.
enum Read {
    /// A page, and whether there is more.
    Page(Box<Reading>, bool),
    /// What comes next is not there any more.
    Pruned,
    /// The store does not have what was read: it was restored, or is another one.
    AnotherBook,
    /// The audit itself failed.
    Failed,
}

impl Reading {
    fn begin() -> Box<Self> {
        Box::new(Self { auditor: Auditor::reading_along(), next: 1, last: Vec::new(), told: 0 })
    }

    fn tell(&mut self, metrics: &Metrics) {
        let found = self.auditor.findings();
        for finding in found.iter().skip(self.told) {
            error!(%finding, "the account book contradicts itself; run ledger verify");
        }
        self.told = found.len();
        for (rule, count) in tally(found) {
            metrics.set_broken(rule, count);
        }
        metrics.set_audited(self.next - 1);
    }
}

/// Reads along until `stop`.
pub async fn follow(store: EtcdStore, metrics: Metrics, stop: CancellationToken) {
    let mut reading = Reading::begin();
    loop {
        let (read, pause) = match stop.run_until_cancelled(read(&store, reading)).await {
            None => return,
            Some(Ok(Read::Page(read, more))) => (read, if more { PACE } else { EVERY }),
            Some(Ok(Read::AnotherBook)) => {
                warn!("the book is not the one that was read: it is read again from its beginning");
                (Reading::begin(), PACE)
            }
            Some(Ok(Read::Pruned)) => {
                metrics.set_audited(0);
                info!("entries were pruned: the book is not read along; use ledger verify with its archives");
                return;
            }
            Some(Ok(Read::Failed)) => {
                metrics.set_audited(0);
                error!("the audit failed: the book is not read along until this replica starts anew");
                return;
            }
            Some(Err((source, read))) => {
                debug!(error = %source, "the book cannot be read along at the moment");
                (read, EVERY)
            }
        };
        reading = read;
        reading.tell(&metrics);
        if reading.told >= MOST {
            warn!(findings = reading.told, "too many findings: the book is not read along any further");
            return;
        }
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// Reads a page of what is new.
async fn read(store: &EtcdStore, mut reading: Box<Reading>) -> Result<Read, (StoreError, Box<Reading>)> {
    // From the last entry read on: it tells whether this is still the same book.
    let from = reading.next.saturating_sub(1).max(1);
    let page = match store.raw_page(from).await {
        Ok(page) => page,
        Err(source) => return Err((source, reading)),
    };
    let mut entries = page.entries;
    match entries.first().map(|first| first.key) {
        None if reading.next == 1 => return Ok(Read::Page(reading, false)),
        None => return Ok(Read::AnotherBook),
        Some(first) if first < reading.next => {
            if entries.remove(0).bytes != reading.last {
                return Ok(Read::AnotherBook);
            }
        }
        Some(first) if first > reading.next => match store.raw_page(1).await {
            Ok(page) if page.entries.first().is_none_or(|oldest| oldest.key > reading.next) => return Ok(Read::Pruned),
            // One is missing between others: the audit tells.
            Ok(_) => {}
            Err(source) => return Err((source, reading)),
        },
        // All that was read before was pruned, and nothing else.
        Some(_) => {}
    }
    let more = page.more;
    // A page is some tenths of a second of work: not where others wait for their turn.
    let looked = tokio::task::spawn_blocking(move || {
        for entry in entries {
            reading.auditor.line(&String::from_utf8_lossy(&entry.bytes));
            reading.next = entry.key.saturating_add(1);
            reading.last = entry.bytes;
        }
        reading
    });
    Ok(looked.await.map_or(Read::Failed, |looked| Read::Page(looked, more)))
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
        let mut auditor = Auditor::reading_along();
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
