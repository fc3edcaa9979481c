//! The audit and the ledger, each with its own arithmetic, count the same: time, sums, and what each department bore.

use std::collections::BTreeMap;

use jiyun_audit::{Report, Share};
use jiyun_ledger::{FiscalMonth, Meter, Payer, Period, State, UsageFilter, tie, usage};
use proptest::prelude::*;

use crate::{
    city::{Book, at, audited, host},
    steps::{ACCOUNTS, Dice, city, step},
};

fn meter(name: &str) -> Meter {
    name.parse().unwrap()
}

fn period(book: &Book, month: &str) -> Period {
    let month: FiscalMonth = month.parse().unwrap();
    let (from, to) = (book.entries[0].at, book.state.at());
    month.period().clip(from, to).unwrap_or(Period { from, to: from })
}

fn check_ties(book: &Book, report: &Report) {
    for month in ["2026-10", "2026-11", "2026-12"] {
        let period = period(book, month);
        for own in tie(&book.state, period) {
            let audited = report
                .ties
                .iter()
                .find(|tie| tie.month == month && tie.pool == own.pool.as_str() && meter(tie.meter) == own.meter);
            let Some(audited) = audited else {
                assert_eq!(own.capacity, 0, "{own:?}");
                continue;
            };
            let theirs = [own.capacity, own.departments, own.platform, own.idle, own.over].map(i128::unsigned_abs);
            let ours = [audited.capacity, audited.departments, audited.platform, audited.idle, audited.over];
            assert_eq!(ours, theirs, "{month} {own:?}");
        }
    }
}

fn check_sums(state: &State, report: &Report) {
    for name in ACCOUNTS {
        let mut own: BTreeMap<Meter, (u128, u128)> = BTreeMap::new();
        for row in state.tree_use(&name.into()) {
            let sum = own.entry(row.meter).or_default();
            sum.0 += u128::from(row.amount.held);
            sum.1 += u128::from(row.amount.used);
        }
        let audited: BTreeMap<Meter, (u128, u128)> = report
            .accounts
            .iter()
            .filter(|sum| sum.account == name)
            .map(|sum| (meter(sum.meter), (sum.held, sum.used)))
            .collect();
        assert_eq!(audited, own, "{name}");
    }
    for record in state.pools() {
        for sum in report.pools.iter().filter(|sum| sum.pool == record.pool.id.as_str()) {
            assert_eq!(sum.taken, u128::from(state.pool_use(&record.pool.id, meter(sum.meter))), "{sum:?}");
        }
    }
}

fn check_shares(book: &Book, report: &Report) {
    for month in ["2026-10", "2026-11"] {
        for name in ACCOUNTS {
            let sum = |payer| {
                let filter = UsageFilter { account: Some(name.into()), payer: Some(payer) };
                let mut sums: BTreeMap<Meter, u128> = BTreeMap::new();
                for row in usage(&book.state, period(book, month), &filter) {
                    *sums.entry(row.meter).or_default() += row.unit_seconds.unsigned_abs();
                }
                sums
            };
            let of = |take: fn(&Share) -> u128| -> BTreeMap<Meter, u128> {
                let own = report.shares.iter().filter(|share| share.month == month && share.account == name);
                own.map(|share| (meter(share.meter), take(share))).filter(|(_, much)| *much > 0).collect()
            };
            assert_eq!(of(|share| share.department), sum(Payer::Department), "{month} {name}");
            assert_eq!(of(|share| share.platform), sum(Payer::Platform), "{month} {name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn both_measure_the_same_time_and_the_same_sums(seed in any::<u64>(), length in 1..300_usize) {
        let (mut book, mut dice) = (city(), Dice(seed));
        for _ in 0..length {
            step(&mut book, &mut dice);
        }
        let report = audited(&book.lines());
        check_ties(&book, &report);
        check_sums(&book.state, &report);
        check_shares(&book, &report);
    }
}

#[test]
fn each_holder_bears_its_own_time_of_a_claim_that_was_handed_over() {
    use jiyun_ledger::{Command, Transfer};
    let mut book = city();
    let id = book.grant(&host("tax", "a", 4, 0));
    book.set(&Command::Billable(id));
    book.now = at("2026-10-20T10:00:00Z");
    let subject = book.state.claim(id).unwrap().subject.clone();
    book.set(&Command::Transfer(Box::new(Transfer {
        claim: id,
        account: "court".into(),
        system: "court-system".to_owned(),
        subject,
        engine_namespace: "engine-tax".to_owned(),
    })));
    book.now = at("2026-10-20T13:00:00Z");
    book.grant(&host("school", "b", 1, 0));
    let report = audited(&book.lines());
    let of = |name: &str| -> u128 {
        let own = report.shares.iter().filter(|share| share.account == name && share.meter == "Vcpu");
        own.map(|share| share.department).sum()
    };
    assert_eq!((of("tax"), of("court")), (4 * 10 * 3600, 4 * 3 * 3600));
}
