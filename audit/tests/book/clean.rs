//! What the ledger writes has no finding, whatever happens.

use std::{sync::Arc, sync::atomic::AtomicI64, sync::atomic::Ordering, time::Instant};

use jiff::Timestamp;
use jiyun_audit::{Expected, Rule, audit};
use jiyun_ledger::{ClaimRequest, Command, Ledger, Lineage, OpenOptions, Placement, store::memory::MemoryStore};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::{
    city::{Book, account, assert_clean, audited, compute, cores, host, lines, storage},
    steps::{Dice, city, step},
};

#[test]
fn a_history_of_many_thousand_steps_has_no_finding() {
    let (mut book, mut dice) = (city(), Dice(2026));
    for _ in 0..20_000 {
        step(&mut book, &mut dice);
    }
    let report = audited(&book.lines());
    assert!(report.looked.entries > 3_000 && report.looked.claims > 300, "{:?}", report.looked);
    assert_clean(&book.lines());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_history_has_a_finding(seed in any::<u64>(), length in 1..400_usize) {
        let (mut book, mut dice) = (city(), Dice(seed));
        for _ in 0..length {
            step(&mut book, &mut dice);
        }
        let told: Vec<_> = audited(&book.lines()).findings.iter().map(ToString::to_string).collect();
        prop_assert!(told.is_empty(), "seed {seed}, length {length}: {told:#?}");
    }
}

/// It lies in one pool and waits for room there: what others take elsewhere passes nobody.
#[test]
fn a_claim_that_waits_where_it_lies_is_passed_nowhere_else() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.set(&Command::SetPool(compute("c1", "east", 20)));
    book.set(&Command::SetAccount(cores("tax", None, None, 0)));
    book.ask(&host("tax", "a", 8, 0));
    book.ask(&host("tax", "b", 12, 0));
    book.set(&Command::SetPool(compute("c2", "west", 20)));
    let mut wish = host("tax", "a", 13, 0);
    wish.wait = true;
    book.ask(&wish);
    assert_eq!(book.state.waiting().count(), 1);
    book.ask(&host("tax", "c", 9, 0));
    assert_eq!(book.state.claims().count(), 3);
    assert_clean(&book.lines());
}

/// As a snapshot does: what others take of another pool than the one it names passes nobody, and of that one it does.
#[test]
fn what_names_its_pool_is_passed_there_and_nowhere_else() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    for pool in ["s1", "s2"] {
        book.set(&Command::SetPool(storage(pool, "east", 1000)));
    }
    book.set(&Command::SetAccount(account("tax", None, Vec::new())));
    let named = |uid: &str, size: u64, pool: &str| ClaimRequest {
        placements: Placement::snapshot("standard".to_owned(), size, pool.into()).into(),
        spec_digest: format!("{size}"),
        wait: true,
        ..host("tax", uid, 1, 0)
    };
    book.grant(&named("a", 900, "s1"));
    book.grant(&named("b", 600, "s2"));
    assert_eq!(book.ask(&named("waits", 500, "s1")), None);
    let overtaken = |book: &Book| book.state.waiting_of("waits").unwrap().overtaken;
    book.grant(&named("c", 100, "s2"));
    assert_eq!(overtaken(&book), 0);
    assert_clean(&book.lines());
    book.grant(&named("d", 50, "s1"));
    assert_eq!(overtaken(&book), 1);
    assert_clean(&book.lines());

    let mut silent = book.lines();
    let mut last: serde_json::Value = serde_json::from_str(&silent.pop().unwrap()).unwrap();
    last["events"].as_array_mut().unwrap().retain(|event| event["type"] != "RequestsOvertaken");
    silent.push(last.to_string());
    let rules: Vec<_> = audited(&silent).findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, [Rule::Queue], "that it was passed is to be recorded");
}

/// Through the writer itself: many callers at once, several events an entry.
#[tokio::test]
async fn what_the_writer_gathers_into_entries_has_no_finding() {
    let store = MemoryStore::default();
    let fence = store.elect(3);
    let clock = Arc::new(AtomicI64::new(1_790_000_000));
    let tick = Arc::clone(&clock);
    let options = OpenOptions::new(Lineage::new("book"), Lineage::new("hub"))
        .with_clock(Arc::new(move || Timestamp::from_second(tick.fetch_add(1, Ordering::SeqCst)).unwrap()));
    let (ledger, _) = Ledger::open(store.clone(), fence, CancellationToken::new(), options).await.unwrap();
    ledger.record(Command::SetPool(compute("c1", "east", 200))).await.unwrap();
    for (name, parent, most, floor) in
        [("city", None, Some(150), 40), ("tax", Some("city"), Some(80), 30), ("court", Some("city"), None, 10)]
    {
        ledger.record(Command::SetAccount(cores(name, parent, most, floor))).await.unwrap();
    }
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..200_u64 {
        let ledger = ledger.clone();
        let account = if number.is_multiple_of(3) { "tax" } else { "court" };
        let mut wish = host(account, &format!("u{number}"), 1 + number % 5, 0);
        wish.wait = number.is_multiple_of(2);
        asked.spawn(async move { ledger.decide(wish).await.unwrap() });
    }
    while let Some(answer) = asked.join_next().await {
        answer.unwrap();
    }
    ledger.shutdown().await;
    let entries = store.entries();
    assert!(entries.iter().any(|entry| entry.events.len() > 4), "the writer gathered nothing");
    assert_clean(&lines(&entries));
}

#[test]
fn a_fingerprint_kept_earlier_tells_whether_an_entry_was_changed_since() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.set(&Command::SetAccount(cores("tax", None, None, 0)));
    let kept = audited(&book.lines());
    let expected = Some(Expected { seq: 2, fingerprint: kept.fingerprint });
    book.set(&Command::SetAccount(cores("court", None, None, 0)));
    let mut lines = book.lines();
    assert_eq!(audit(lines.iter().map(String::as_str), expected.clone()).findings, []);
    lines[1] = lines[1].replace("F-tax", "F-other");
    let findings = audit(lines.iter().map(String::as_str), expected.clone()).findings;
    assert_eq!(findings.iter().map(|finding| finding.rule).collect::<Vec<_>>(), [Rule::Replay]);
    let findings = audit(lines[..1].iter().map(String::as_str), expected).findings;
    assert_eq!(findings.iter().map(|finding| finding.rule).collect::<Vec<_>>(), [Rule::Replay], "cut off");
}

#[test]
fn an_empty_stream_is_no_book() {
    assert_eq!(audited(&[]).findings[0].rule, Rule::Opening);
}

/// A figure, not a bound: `cargo test --release -p jiyun-audit --test book -- --ignored --nocapture figure`.
#[test]
#[ignore = "a measurement"]
fn figure_a_hundred_thousand_entries() {
    let mut book = Book::open("2026-10-01T00:00:00Z");
    book.set(&Command::SetPool(compute("c1", "east", 900_000)));
    book.set(&Command::SetAccount(cores("city", None, Some(800_000), 50_000)));
    for number in 0..300 {
        let name = format!("bureau-{number}");
        book.set(&Command::SetAccount(cores(&name, Some("city"), Some(5_000), number % 5 * 10)));
    }
    let mut dice = Dice(7);
    while book.entries.len() < 100_000 {
        let (account, number) = (dice.below(300), dice.below(30_000));
        book.now += jiff::SignedDuration::from_secs(1);
        let id = book.ask(&host(&format!("bureau-{account}"), &format!("o{account}-{number}"), 1 + dice.below(8), 0));
        let Some(id) = id else { continue };
        drop(book.record(&Command::Billable(id)));
        if dice.below(3) == 0 {
            drop(book.record(&Command::End(id)));
            drop(book.record(&Command::Release(id)));
        }
    }
    let lines = book.lines();
    let started = Instant::now();
    let report = audited(&lines);
    let took = started.elapsed();
    assert_eq!(report.findings, []);
    println!("{:?} in {took:?}, read twice", report.looked);
}
