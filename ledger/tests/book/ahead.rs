//! The writer decides the next batch while one is on its way to the store: what comes of it when that arrives or not.

use std::{sync::Arc, time::Duration};

use futures::stream::BoxStream;
use jiff::Timestamp;
use jiyun_ledger::{
    Decision, Entry, Event, Fence, Ledger, LedgerError, Lineage, Meter, OpenOptions, RefusalCode, State, Store,
    StoreError,
    store::{
        AppendError, Change, Edit, EditError, Page, Sealed,
        memory::{Fault, MemoryStore},
    },
};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::city::{account, compute, host};

/// A store whose appends wait at a gate.
#[derive(Clone, Debug)]
struct Gated {
    store: MemoryStore,
    gate: Arc<Semaphore>,
    /// Appends that came to the gate.
    arrived: watch::Sender<u64>,
}

impl Gated {
    fn open() -> Self {
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { store: MemoryStore::default(), gate, arrived: watch::Sender::new(0) }
    }

    fn close(&self) {
        self.gate.forget_permits(usize::MAX);
    }

    /// Waits until one more append than `before` has come.
    async fn arrival(&self, before: u64) {
        let mut arrived = self.arrived.subscribe();
        let came = arrived.wait_for(|arrived| *arrived > before);
        tokio::time::timeout(Duration::from_secs(10), came).await.expect("an append comes").unwrap();
    }

    fn arrived(&self) -> u64 {
        *self.arrived.borrow()
    }

    fn granted(&self) -> Vec<String> {
        let entries = self.store.entries();
        let granted = entries.iter().flat_map(|entry| &entry.events).filter_map(|event| match event {
            Event::ClaimGranted { claim } => Some(claim.subject.uid.clone()),
            _ => None,
        });
        granted.collect()
    }
}

impl Store for Gated {
    async fn page(&self, from: u64) -> Result<Page, StoreError> {
        self.store.page(from).await
    }

    async fn read(&self, seq: u64) -> Result<Option<Entry>, StoreError> {
        self.store.read(seq).await
    }

    async fn leads(&self, fence: Fence) -> Result<bool, StoreError> {
        self.store.leads(fence).await
    }

    async fn append(&self, entry: &Sealed, fence: Fence) -> Result<(), AppendError> {
        self.arrived.send_modify(|arrived| *arrived += 1);
        self.gate.acquire().await.unwrap().forget();
        self.store.append(entry, fence).await
    }

    async fn notes(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.store.notes(folder).await
    }

    async fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.note(name).await
    }

    async fn edit(&self, edits: &[Edit], fence: Option<Fence>) -> Result<(), EditError> {
        self.store.edit(edits, fence).await
    }

    async fn watch(&self, revision: i64) -> Result<BoxStream<'static, Result<Change, StoreError>>, StoreError> {
        self.store.watch(revision).await
    }
}

/// A book in which an account may have 50 cores, its store's gate closed behind that.
async fn city(seconds: &watch::Sender<i64>) -> (Gated, Ledger) {
    let store = Gated::open();
    let clock = {
        let seconds = seconds.subscribe();
        Arc::new(move || Timestamp::from_second(*seconds.borrow()).unwrap())
    };
    let options = OpenOptions::new(Lineage::new("book"), Lineage::new("hub")).with_clock(clock);
    let fence = store.store.elect(1);
    let (ledger, _) = Ledger::open(store.clone(), fence, CancellationToken::new(), options).await.unwrap();
    ledger.set_pool(compute("c1", "east", 1000, 1_000_000)).await.unwrap();
    ledger.set_account(account("tax", None, &[(Meter::Vcpu, 50)])).await.unwrap();
    store.close();
    (store, ledger)
}

fn clock() -> watch::Sender<i64> {
    watch::Sender::new(1_800_000_000)
}

fn ask(ledger: &Ledger, uid: &str, vcpu: u64) -> JoinHandle<Result<Decision, LedgerError>> {
    let (ledger, request) = (ledger.clone(), host("tax", uid, vcpu, 1024));
    tokio::spawn(async move { ledger.decide(request).await })
}

/// Asks for `first`, whose entry then waits at the gate, and for `second`, which is decided on top of it.
async fn one_on_top_of_the_other(
    store: &Gated,
    ledger: &Ledger,
    first: u64,
    second: u64,
) -> [JoinHandle<Result<Decision, LedgerError>>; 2] {
    let before = store.arrived();
    let a = ask(ledger, "a", first);
    store.arrival(before).await;
    let b = ask(ledger, "b", second);
    // The writer and the askers share this thread: each has its turn many times over.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!a.is_finished() && !b.is_finished(), "nobody is answered before the entry is written");
    [a, b]
}

fn is_granted(answer: Result<Decision, LedgerError>) -> bool {
    match answer.unwrap() {
        Decision::Granted { .. } => true,
        Decision::Refused(refusal) => {
            assert_eq!(refusal.code, RefusalCode::ExceedsLimit);
            false
        }
    }
}

#[tokio::test]
async fn what_is_decided_on_top_of_an_entry_under_way_sees_it_and_waits_for_it() {
    let (store, ledger) = city(&clock()).await;
    let [a, b] = one_on_top_of_the_other(&store, &ledger, 30, 30).await;
    assert_eq!(ledger.read(|state| state.claims().count()), 0, "readers see nothing of it");
    store.gate.add_permits(1);
    assert!(is_granted(a.await.unwrap()) && !is_granted(b.await.unwrap()));
    assert_eq!(store.granted(), ["a"]);
}

#[tokio::test]
async fn what_was_decided_on_top_of_a_refused_entry_is_decided_anew() {
    let (store, ledger) = city(&clock()).await;
    let [a, b] = one_on_top_of_the_other(&store, &ledger, 30, 30).await;
    store.store.fail_next(Fault::Rejected);
    store.gate.add_permits(2);
    let error = a.await.unwrap().unwrap_err();
    assert!(matches!(error, LedgerError::Store(_)), "{error}");
    assert!(is_granted(b.await.unwrap()), "the room it was refused for is free");
    assert_eq!(store.granted(), ["b"]);
    assert_eq!(ledger.read(State::verify), []);
}

#[tokio::test]
async fn nothing_is_offered_before_the_entry_ahead_is_known_to_be_written() {
    for fault in [Fault::LostBeforeWrite, Fault::LostAfterWrite, Fault::Late] {
        let (store, ledger) = city(&clock()).await;
        store.store.fail_next(fault);
        let [a, b] = one_on_top_of_the_other(&store, &ledger, 20, 20).await;
        store.gate.add_permits(3);
        assert!(is_granted(a.await.unwrap()) && is_granted(b.await.unwrap()), "{fault:?}");
        assert_eq!(store.granted(), ["a", "b"], "{fault:?}: each once, in order");
    }
}

#[tokio::test]
async fn an_entry_is_dated_when_it_is_offered_not_when_its_batch_was_begun() {
    let seconds = clock();
    let (store, ledger) = city(&seconds).await;
    let [a, b] = one_on_top_of_the_other(&store, &ledger, 20, 20).await;
    seconds.send_modify(|seconds| *seconds += 60);
    store.gate.add_permits(2);
    assert!(is_granted(a.await.unwrap()) && is_granted(b.await.unwrap()));
    let entries = store.store.entries();
    let dates: Vec<i64> = entries.iter().rev().take(2).map(|entry| entry.at.as_second()).collect();
    assert_eq!(dates, [1_800_000_060, 1_800_000_000]);
}

#[tokio::test]
async fn a_deposed_leader_refuses_nobody() {
    let (store, ledger) = city(&clock()).await;
    store.store.elect(2);
    let error = ledger.decide(host("tax", "a", 51, 1024)).await.unwrap_err();
    assert!(matches!(error, LedgerError::Fenced), "its book may be old: {error}");
    ledger.stopped().cancelled().await;
}

#[tokio::test]
async fn a_refusal_waits_until_the_store_says_who_leads() {
    let (store, ledger) = city(&clock()).await;
    store.store.set_unreadable(true);
    let asking = ask(&ledger, "a", 51);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!asking.is_finished());
    store.store.set_unreadable(false);
    assert!(!is_granted(asking.await.unwrap()));
}

#[tokio::test]
async fn a_leader_deposed_while_it_writes_answers_nobody_from_what_it_decided_on_top() {
    let (store, ledger) = city(&clock()).await;
    let [a, b] = one_on_top_of_the_other(&store, &ledger, 30, 30).await;
    store.store.elect(2);
    store.gate.add_permits(1);
    for answer in [a, b] {
        assert!(matches!(answer.await.unwrap(), Err(LedgerError::Fenced)));
    }
    assert_eq!(store.granted(), Vec::<String>::new());
}
