//! The ledger's own reading of the same entries beside the audit's: where the two differ, one of them is wrong (I6).

use std::collections::BTreeMap;

use jiyun_audit::{Finding, Report, Rule};
use jiyun_ledger::{Dimensions, Entry, Meter, State};

/// What the ledger's own replay contradicts; nothing where both agree.
pub fn compare(lines: &[String], report: &Report) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut differ = |seq: u64, subject: &str, expected: String, is: String| {
        found.push(Finding {
            rule: Rule::Replay,
            invariant: Rule::Replay.invariant(),
            seq,
            subject: subject.to_owned(),
            expected,
            found: is,
        });
    };
    let mut states = [State::default(), State::default()];
    for (number, line) in lines.iter().enumerate() {
        let number = u64::try_from(number).unwrap_or(u64::MAX).saturating_add(1);
        for state in &mut states {
            let applied = serde_json::from_str::<Entry>(line)
                .map_err(|error| error.to_string())
                .and_then(|entry| state.apply(&entry).map_err(|error| crate::error::chain(&error)));
            if let Err(error) = applied {
                differ(number, "ledger", "an entry that the ledger can apply".to_owned(), error);
                return found;
            }
        }
    }
    let [state, again] = &states;
    let seq = state.seq();
    match (state.digest(), again.digest()) {
        (Ok(one), Ok(other)) if one == other => {}
        (one, other) => differ(seq, "ledger", format!("{one:?} after a second reading"), format!("{other:?}")),
    }
    for counter in state.verify() {
        differ(seq, counter.what, "counters that the claims add up to".to_owned(), counter.detail);
    }
    for (subject, audited, kept) in sums(state, report) {
        if audited != kept {
            differ(seq, &subject, format!("{audited}, counted by the audit"), format!("{kept}, counted by the ledger"));
        }
    }
    found
}

/// Every sum that either of both has, as (whose, the audit's, the ledger's).
fn sums(state: &State, report: &Report) -> Vec<(String, u128, u128)> {
    let mut sums: BTreeMap<String, (u128, u128)> = BTreeMap::new();
    for sum in &report.accounts {
        sums.entry(format!("{}, {} held", sum.account, sum.meter)).or_default().0 = sum.held;
        sums.entry(format!("{}, {} used", sum.account, sum.meter)).or_default().0 = sum.used;
    }
    for account in state.accounts() {
        let mut meters: Vec<Meter> = state.tree_use(&account.id).into_iter().map(|row| row.meter).collect();
        meters.dedup();
        for meter in meters {
            let amount = state.tree_total(&account.id, meter, &Dimensions::default());
            sums.entry(format!("{}, {meter} held", account.id)).or_default().1 = amount.held.into();
            sums.entry(format!("{}, {meter} used", account.id)).or_default().1 = amount.used.into();
        }
    }
    for sum in &report.pools {
        sums.entry(format!("{}, {}", sum.pool, sum.meter)).or_default().0 = sum.taken;
    }
    for record in state.pools() {
        let pool = &record.pool.id;
        let meters = report.pools.iter().filter(|sum| sum.pool == pool.as_str()).map(|sum| sum.meter);
        for meter in meters.chain(record.pool.capacity.keys().map(|meter| <&'static str>::from(*meter))) {
            let Ok(known) = meter.parse::<Meter>() else { continue };
            sums.entry(format!("{pool}, {meter}")).or_default().1 = state.pool_use(pool, known).into();
        }
    }
    sums.into_iter().map(|(subject, (audited, kept))| (subject, audited, kept)).collect()
}
