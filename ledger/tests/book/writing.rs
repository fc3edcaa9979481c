//! The writer: group commit, unknown outcomes, fences, and what readers see.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{Timestamp, ToSpan};
use jiyun_ledger::{
    ClaimRequest, Decision, Dimensions, Event, Ledger, LedgerError, Lineage, Meter, OpenError, OpenOptions, OpenReport,
    RefusalCode, RequestError, State, Store,
    store::memory::{Fault, MemoryStore},
};
use tokio_util::sync::CancellationToken;

use crate::city::{account, compute, guaranteed, host};

fn options() -> OpenOptions {
    OpenOptions::new(Lineage::new("book"), Lineage::new("hub"))
}

async fn open(store: &MemoryStore, epoch: i64) -> (Ledger, OpenReport) {
    let fence = store.elect(epoch);
    Ledger::open(store.clone(), fence, CancellationToken::new(), options()).await.unwrap()
}

async fn city(store: &MemoryStore) -> Ledger {
    let (ledger, _) = open(store, 1).await;
    ledger.set_pool(compute("c1", "east", 1000, 1_000_000)).await.unwrap();
    ledger.set_account(account("tax", None, &[(Meter::Vcpu, 50)])).await.unwrap();
    ledger
}

fn claim(decision: &Decision) -> jiyun_ledger::ClaimId {
    match decision {
        Decision::Granted { claim, .. } => claim.id,
        Decision::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

fn replay(store: &MemoryStore) -> State {
    let mut state = State::default();
    store.entries().iter().for_each(|entry| state.apply(entry).unwrap());
    state
}

fn events(store: &MemoryStore) -> usize {
    store.entries().iter().map(|entry| entry.events.len()).sum()
}

#[tokio::test]
async fn the_first_opening_records_the_lineage_and_later_ones_report_it() {
    let store = MemoryStore::default();
    let (ledger, report) = open(&store, 1).await;
    assert!(report.fresh);
    assert_eq!((report.lineage, report.head_seq), (Lineage::new("book"), 1));
    ledger.mark_peer(Lineage::new("hub"), 77).await.unwrap();
    ledger.quarantine("drill").await.unwrap();
    ledger.shutdown().await;

    let fence = store.elect(2);
    let other = OpenOptions::new(Lineage::new("other"), Lineage::new("other-hub"));
    let (_, report) = Ledger::open(store.clone(), fence, CancellationToken::new(), other).await.unwrap();
    assert!(!report.fresh);
    assert_eq!((report.lineage, report.head_seq), (Lineage::new("book"), 3));
    let peer = report.peer.unwrap();
    assert_eq!((peer.lineage, peer.high_water), (Lineage::new("hub"), 77));
    assert_eq!(report.quarantine.unwrap().reason, "drill");
}

#[tokio::test]
async fn a_store_restored_from_an_old_backup_is_reported_with_its_lower_head() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let head = ledger.revision();
    ledger.shutdown().await;
    store.truncate(2);
    let (_, report) = open(&store, 2).await;
    assert!(report.head_seq < head);
}

#[tokio::test]
async fn many_requests_share_few_entries_and_never_pass_the_limit() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let before = store.entries().len();
    let asked = futures::future::join_all((0..200).map(|n| {
        let ledger = ledger.clone();
        async move { ledger.decide(host("tax", &format!("o{n}"), 1, 1024)).await.unwrap() }
    }))
    .await;
    let granted = asked.iter().filter(|decision| matches!(decision, Decision::Granted { .. })).count();
    assert_eq!(granted, 50);
    for decision in &asked {
        if let Decision::Refused(refusal) = decision {
            assert_eq!(refusal.code, RefusalCode::ExceedsLimit);
        }
    }
    let written = store.entries().len() - before;
    assert!(written <= 2, "50 grants among 200 requests took {written} entries");
    assert!(store.entries().iter().all(|entry| entry.events.len() <= 128));
    assert_eq!(ledger.read(State::verify), []);
    assert_eq!(replay(&store).canonical().unwrap(), ledger.snapshot().canonical().unwrap());
}

#[tokio::test]
async fn of_many_who_ask_at_once_no_more_than_the_guarantee_goes_through_by_it() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let floors = guaranteed(account("tax", None, &[(Meter::Vcpu, 50)]), Meter::Vcpu, 20);
    ledger.set_account(guaranteed(floors, Meter::Memory, 40 * 1024)).await.unwrap();
    let asked = futures::future::join_all((0..200).map(|n| {
        let ledger = ledger.clone();
        async move { ledger.decide_within_guaranteed(host("tax", &format!("o{n}"), 1, 1024)).await }
    }))
    .await;
    let granted = asked.iter().filter(|decision| matches!(decision, Ok(Decision::Granted { .. }))).count();
    assert_eq!(granted, 20);
    for decision in asked {
        if let Err(error) = decision {
            assert!(matches!(error, LedgerError::Request(RequestError::BeyondGuaranteed { .. })), "{error:?}");
        }
    }
    let again = ledger.decide_within_guaranteed(host("tax", "o0", 1, 1024)).await.unwrap();
    assert!(matches!(again, Decision::Granted { existing: true, .. }), "what it has is not asked for again");
    assert!(matches!(ledger.decide(host("tax", "o199", 1, 1024)).await, Ok(Decision::Granted { .. })));
    assert_eq!(replay(&store).canonical().unwrap(), ledger.snapshot().canonical().unwrap());
}

#[tokio::test]
async fn a_hold_that_is_placed_anew_is_not_counted_twice_against_the_guarantee() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let floors = guaranteed(account("tax", None, &[(Meter::Vcpu, 50)]), Meter::Vcpu, 20);
    ledger.set_account(guaranteed(floors, Meter::Memory, 40 * 1024)).await.unwrap();
    let held = |name: &str, vcpu, days: i64| ClaimRequest {
        hold_until: Some(Timestamp::now() + (days * 24).hours()),
        ..host("tax", name, vcpu, 1024)
    };
    for days in [1, 2] {
        let decided = ledger.decide_within_guaranteed(held("large", 20, days)).await;
        assert!(matches!(decided, Ok(Decision::Granted { .. })), "{days}: {decided:?}");
    }
    let beyond = ledger.decide_within_guaranteed(held("small", 1, 1)).await;
    assert!(matches!(beyond, Err(LedgerError::Request(RequestError::BeyondGuaranteed { .. }))), "{beyond:?}");
}

#[tokio::test]
async fn growth_within_the_guarantee_counts_what_it_grows_by_and_is_for_its_claim_alone() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let floors = guaranteed(account("tax", None, &[(Meter::Vcpu, 50)]), Meter::Vcpu, 20);
    ledger.set_account(guaranteed(floors, Meter::Memory, 40 * 1024)).await.unwrap();
    let Decision::Granted { claim, .. } = ledger.decide(host("tax", "a", 15, 1024)).await.unwrap() else {
        panic!("refused")
    };
    let grown = ledger.decide_change_within_guaranteed(&claim, host("tax", "a", 20, 1024)).await;
    let Ok(Decision::Granted { claim: grown, .. }) = grown else { panic!("five more: {grown:?}") };
    let late = ledger.decide_change(&claim, host("tax", "a", 16, 1024)).await;
    assert!(matches!(late, Err(LedgerError::Request(RequestError::Outdated { .. }))), "worked out before: {late:?}");
    let beyond = ledger.decide_change_within_guaranteed(&grown, host("tax", "a", 21, 1024)).await;
    assert!(matches!(beyond, Err(LedgerError::Request(RequestError::BeyondGuaranteed { .. }))), "{beyond:?}");
    let other = ledger.decide_change_within_guaranteed(&claim, host("tax", "b", 1, 1024)).await;
    assert!(matches!(other, Err(LedgerError::Request(RequestError::NotHolder { .. }))), "{other:?}");
}

#[tokio::test]
async fn a_refusal_and_a_change_to_the_same_write_nothing() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let before = store.entries();
    let refused = ledger.decide(host("tax", "big", 51, 1024)).await.unwrap();
    assert!(matches!(refused, Decision::Refused(_)));
    let commit = ledger.set_account(account("tax", None, &[(Meter::Vcpu, 50)])).await.unwrap();
    assert!(!commit.changed);
    assert_eq!(commit.revision, ledger.revision());
    assert_eq!(store.entries(), before);
}

#[tokio::test]
async fn the_answer_comes_after_the_commit_and_readers_see_it_then() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let mut revisions = ledger.revisions();
    revisions.mark_unchanged();
    let id = claim(&ledger.decide(host("tax", "a", 4, 1024)).await.unwrap());
    assert!(revisions.has_changed().unwrap());
    assert_eq!(*revisions.borrow(), ledger.revision());
    assert!(ledger.read(|state| state.claim(id).is_some()));
    assert_eq!(ledger.revision(), store.entries().len() as u64);
}

#[tokio::test]
async fn readers_keep_their_snapshot_while_the_book_goes_on() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let snapshot = ledger.snapshot();
    let digest = snapshot.digest().unwrap();
    ledger.decide(host("tax", "a", 4, 1024)).await.unwrap();
    assert_eq!(snapshot.digest().unwrap(), digest);
    assert_ne!(ledger.snapshot().digest().unwrap(), digest);
}

#[tokio::test]
async fn an_unknown_outcome_is_resolved_before_anything_else_and_granted_once() {
    for fault in [Fault::LostBeforeWrite, Fault::LostAfterWrite, Fault::Late] {
        let store = MemoryStore::default();
        let ledger = city(&store).await;
        let before = events(&store);
        store.fail_next(fault);
        let (a, b) = tokio::join!(ledger.decide(host("tax", "a", 4, 1024)), async {
            tokio::task::yield_now().await;
            ledger.decide(host("tax", "b", 4, 1024)).await
        });
        assert_ne!(claim(&a.unwrap()), claim(&b.unwrap()), "{fault:?}");
        assert_eq!(events(&store) - before, 2, "{fault:?}: each grant is in the store once");
        let held = ledger.read(|state| state.tree_total(&"tax".into(), Meter::Vcpu, &Dimensions::default()).held);
        assert_eq!(held, 8, "{fault:?}");
        assert_eq!(replay(&store).canonical().unwrap(), ledger.snapshot().canonical().unwrap(), "{fault:?}");
    }
}

#[tokio::test]
async fn readers_do_not_see_what_is_not_yet_known_to_be_written() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let revision = ledger.revision();
    store.set_unreadable(true);
    store.fail_next(Fault::LostAfterWrite);
    let asking = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.decide(host("tax", "a", 4, 1024)).await }
    });
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while store.entries().len() as u64 == revision {
        assert!(std::time::Instant::now() < deadline, "the entry was not written");
        tokio::task::yield_now().await;
    }
    assert_eq!(ledger.revision(), revision);
    assert!(ledger.read(|state| state.claim_of_subject("a").is_none()));
    assert!(!asking.is_finished());

    store.set_unreadable(false);
    claim(&asking.await.unwrap().unwrap());
    assert_eq!(ledger.revision(), revision + 1);
}

#[tokio::test]
async fn a_rejected_entry_leaves_no_trace_and_the_writer_goes_on() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let digest = ledger.snapshot().digest().unwrap();
    store.fail_next(Fault::Rejected);
    let error = ledger.decide(host("tax", "a", 4, 1024)).await.unwrap_err();
    assert!(matches!(error, LedgerError::Store(_)) && !error.is_fatal(), "{error}");
    assert_eq!(ledger.snapshot().digest().unwrap(), digest);
    claim(&ledger.decide(host("tax", "a", 4, 1024)).await.unwrap());
}

#[tokio::test]
async fn a_deposed_writer_is_fenced_and_stops() {
    let store = MemoryStore::default();
    let old = city(&store).await;
    let (new, _) = open(&store, 2).await;
    let error = old.decide(host("tax", "a", 4, 1024)).await.unwrap_err();
    assert!(matches!(error, LedgerError::Fenced) && error.is_fatal(), "{error}");
    tokio::time::timeout(Duration::from_secs(10), old.stopped().cancelled()).await.expect("the old writer stops");
    assert!(old.decide(host("tax", "b", 4, 1024)).await.unwrap_err().is_fatal());
    claim(&new.decide(host("tax", "a", 4, 1024)).await.unwrap());
    let epochs: Vec<_> = store.entries().iter().map(|entry| entry.epoch).collect();
    assert_eq!(epochs, [1, 1, 1, 2]);
}

#[tokio::test]
async fn a_writer_whose_entry_number_was_taken_stops() {
    let store = MemoryStore::default();
    let one = city(&store).await;
    // Two writers under the same fence: what a broken election would do.
    let (two, _) = open(&store, 1).await;
    two.set_account(account("court", None, &[])).await.unwrap();
    let error = one.set_account(account("police", None, &[])).await.unwrap_err();
    assert!(matches!(error, LedgerError::Fenced), "{error}");
    assert_eq!(replay(&store).seq(), two.revision());
}

#[tokio::test]
async fn lost_leadership_ends_a_wait_for_a_store_that_does_not_answer() {
    let store = MemoryStore::default();
    let lost = CancellationToken::new();
    let fence = store.elect(1);
    let (ledger, _) = Ledger::open(store.clone(), fence, lost.clone(), options()).await.unwrap();
    store.set_unreadable(true);
    store.fail_next(Fault::LostBeforeWrite);
    let asking = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.set_account(account("tax", None, &[])).await }
    });
    tokio::task::yield_now().await;
    lost.cancel();
    let error = asking.await.unwrap().unwrap_err();
    assert!(matches!(error, LedgerError::Unknown | LedgerError::Fenced), "{error}");
    ledger.stopped().cancelled().await;
}

#[tokio::test]
async fn opening_under_a_stale_fence_fails() {
    let store = MemoryStore::default();
    let stale = store.elect(1);
    store.elect(2);
    let error = Ledger::open(store, stale, CancellationToken::new(), options()).await.unwrap_err();
    assert!(matches!(error, OpenError::Fenced), "{error}");
}

#[tokio::test]
async fn a_shutdown_answers_what_was_asked_before_it() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let asked: Vec<_> = (0..40)
        .map(|n| {
            let ledger = ledger.clone();
            tokio::spawn(async move { ledger.decide(host("tax", &format!("o{n}"), 1, 1024)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    ledger.shutdown().await;
    let mut granted = 0;
    for answer in asked {
        match answer.await.unwrap() {
            Ok(Decision::Granted { .. }) => granted += 1,
            Ok(Decision::Refused(refusal)) => panic!("{refusal:?}"),
            Err(error) => assert!(matches!(error, LedgerError::Closed), "{error}"),
        }
    }
    let recorded = replay(&store).claims().count();
    assert_eq!(recorded, granted, "what is recorded was answered, and the other way round");
    assert!(matches!(ledger.decide(host("tax", "late", 1, 1024)).await.unwrap_err(), LedgerError::Closed));
}

#[tokio::test]
async fn an_event_too_large_for_the_store_is_refused_alone() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let mut large = host("tax", "large", 1, 1024);
    large.approved_spec = serde_json::Value::String("x".repeat(300_000)).into();
    let (refused, granted) = tokio::join!(ledger.decide(large), ledger.decide(host("tax", "small", 1, 1024)));
    assert!(matches!(refused.unwrap_err(), LedgerError::TooLarge { .. }));
    claim(&granted.unwrap());
}

#[tokio::test]
async fn entries_of_large_events_stay_below_a_mebibyte() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let answers = futures::future::join_all((0..20).map(|n| {
        let mut request = host("tax", &format!("o{n}"), 1, 1024);
        request.approved_spec = serde_json::Value::String("x".repeat(200_000)).into();
        ledger.decide(request)
    }))
    .await;
    for answer in answers {
        claim(&answer.unwrap());
    }
    for entry in store.entries() {
        assert!(serde_json::to_vec(&entry).unwrap().len() <= 1024 * 1024);
    }
    assert!(store.entries().iter().any(|entry| entry.events.len() > 1), "large events are gathered too");
}

#[tokio::test]
async fn the_books_time_never_goes_back_and_is_in_whole_seconds() {
    let store = MemoryStore::default();
    let seconds = Arc::new(AtomicI64::new(1_800_000_000));
    let clock = {
        let seconds = Arc::clone(&seconds);
        Arc::new(move || Timestamp::new(seconds.load(Ordering::SeqCst), 999_999_999).unwrap())
    };
    let fence = store.elect(1);
    let (ledger, _) =
        Ledger::open(store.clone(), fence, CancellationToken::new(), options().with_clock(clock)).await.unwrap();
    seconds.store(1_700_000_000, Ordering::SeqCst);
    let commit = ledger.set_account(account("tax", None, &[])).await.unwrap();
    assert_eq!(commit.at, Timestamp::from_second(1_800_000_000).unwrap());
    assert_eq!(store.read(2).await.unwrap().unwrap().at, commit.at);
}

#[tokio::test]
async fn a_caller_who_went_away_before_the_batch_is_not_decided_for() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let mut gone = Box::pin(ledger.decide(host("tax", "gone", 1, 1024)));
    // Polled once, the request is in the queue; dropped, nobody waits for it.
    assert!(futures::poll!(&mut gone).is_pending());
    drop(gone);
    claim(&ledger.decide(host("tax", "here", 1, 1024)).await.unwrap());
    assert!(ledger.read(|state| state.claim_of_subject("gone").is_none()));
    let granted = |event: &Event| matches!(event, Event::ClaimGranted { .. });
    assert_eq!(store.entries().iter().flat_map(|entry| &entry.events).filter(|event| granted(event)).count(), 1);
}
