//! How long hosts take: to be decided, and to be usable first. Both by times that the ledger records, told once by the leader
//! that had them recorded.

use std::time::Duration;

use jiff::Timestamp;
use jiyun_crds::v1alpha1::CloudHost;
use jiyun_ledger::Claim;

use crate::metrics::Metrics;

/// The claim of `host` was granted a moment ago.
pub fn decided(host: &CloudHost, claim: &Claim, metrics: &Metrics) {
    let asked = host.metadata.creation_timestamp.as_ref().map(|created| created.0);
    if let (Some(asked), Some(granted)) = (asked, claim.granted_at()) {
        metrics.staged("decision", between(asked, granted));
    }
}

/// The machine of a claim did what was asked for the first time a moment ago.
pub fn usable(claim: &Claim, metrics: &Metrics) {
    // One that the book had lost was in use before, whatever the book says since when.
    if let (Some(granted), Some(usable), false) = (claim.granted_at(), claim.billable_from, claim.adopted) {
        metrics.staged("provision", between(granted, usable));
    }
}

/// Two clocks may differ: nothing takes less than no time.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_make_no_time_less_than_none() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(between(at(10), at(75)), Duration::from_secs(65));
        assert_eq!(between(at(10), at(9)), Duration::ZERO);
    }
}
