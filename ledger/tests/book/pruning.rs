//! Pruning: what is closed, exported and in two snapshots may go, and nobody loses anything by it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use jiyun_ledger::{
    Follower, Horizon, Ledger, Lineage, OpenError, OpenOptions, PruneError, Receipt, SnapshotOptions, Store,
    StoreError, export, note_exported, store::memory::MemoryStore,
};
use tokio_util::sync::CancellationToken;

use crate::city::{account, at};

const SOON: Duration = Duration::from_secs(20);

/// A book whose clock the test sets.
struct City {
    store: MemoryStore,
    seconds: Arc<AtomicI64>,
    ledger: Ledger,
}

impl City {
    /// Entries 1..=10 of September, a snapshot; 11..=20 of October, a snapshot; now it is the 1st of November in Shanghai.
    async fn new() -> Self {
        let store = MemoryStore::default();
        let seconds = Arc::new(AtomicI64::new(at("2026-09-10T00:00:00Z").as_second()));
        let ledger = open(&store, &seconds).await;
        let city = Self { store, seconds, ledger };
        city.accounts(2, 10).await;
        city.ledger.take_snapshot().await.unwrap().unwrap();
        city.now("2026-10-10T00:00:00Z").accounts(11, 20).await;
        city.ledger.take_snapshot().await.unwrap().unwrap();
        city.now("2026-10-31T16:00:00Z").accounts(21, 22).await;
        city
    }

    fn now(&self, text: &str) -> &Self {
        self.seconds.store(at(text).as_second(), Ordering::SeqCst);
        self
    }

    /// One account an entry, so that these are their numbers.
    async fn accounts(&self, from: u64, to: u64) {
        for n in from..=to {
            let commit = self.ledger.set_account(account(&format!("a{n}"), None, &[])).await.unwrap();
            assert_eq!(commit.revision, n);
        }
    }

    async fn exported(&self, first: u64, last: u64) -> Receipt {
        let receipt = export(&self.store, Some(first), Some(last), Vec::new()).await.unwrap();
        note_exported(&self.store, &receipt).await.unwrap();
        receipt
    }

    fn digest(&self) -> String {
        self.ledger.snapshot().digest().unwrap()
    }
}

async fn open(store: &MemoryStore, seconds: &Arc<AtomicI64>) -> Ledger {
    let seconds = Arc::clone(seconds);
    let clock = Arc::new(move || Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap());
    let options = OpenOptions::new(Lineage::new("book"), Lineage::new("hub"))
        .with_clock(clock)
        .with_snapshots(SnapshotOptions { entries: u64::MAX, ..SnapshotOptions::default() });
    Ledger::open(store.clone(), store.elect(1), CancellationToken::new(), options).await.unwrap().0
}

fn follow(store: &MemoryStore) -> Follower {
    Follower::start(store.clone(), Arc::new(Timestamp::now))
}

#[tokio::test]
async fn closed_and_exported_entries_in_both_snapshots_go_and_the_book_stays() {
    let city = City::new().await;
    city.exported(1, 15).await;
    assert_eq!(city.ledger.prune(10).await.unwrap(), 10);
    assert_eq!(city.store.entries().first().unwrap().seq, 11);
    assert_eq!(city.ledger.prune(10).await.unwrap(), 0, "once is enough");
    let horizon = Horizon::read(&city.store).await.unwrap().unwrap();
    assert_eq!((horizon.seq, horizon.lineage), (10, Lineage::new("book")));
    let error = city.store.page(5).await.unwrap_err();
    assert!(matches!(error, StoreError::Pruned { from: 5, first: 11 }), "{error}");

    let digest = city.digest();
    city.ledger.shutdown().await;
    let again = open(&city.store, &city.seconds).await;
    assert_eq!(again.snapshot().digest().unwrap(), digest);
    again.set_account(account("later", None, &[])).await.unwrap();
}

#[tokio::test]
async fn nothing_goes_that_is_not_exported() {
    let city = City::new().await;
    let error = city.ledger.prune(10).await.unwrap_err();
    assert!(matches!(error, PruneError::NotExported { from: 1, up_to: 10 }), "{error}");
    city.exported(1, 9).await;
    let error = city.ledger.prune(10).await.unwrap_err();
    assert!(matches!(error, PruneError::NotExported { from: 1, up_to: 10 }), "{error}");
    city.exported(10, 12).await;
    assert_eq!(city.ledger.prune(10).await.unwrap(), 10, "two archives, one after the other");
}

#[tokio::test]
async fn nothing_goes_of_this_fiscal_month_and_the_one_before() {
    let city = City::new().await;
    city.exported(1, 22).await;
    // A moment before the month turns in Shanghai, September is the month before.
    city.now("2026-10-31T15:59:59Z");
    let error = city.ledger.prune(10).await.unwrap_err();
    assert!(
        matches!(error, PruneError::NotClosed { up_to: 10, keep_from, .. } if keep_from == at("2026-08-31T16:00:00Z"))
    );
    city.now("2026-10-31T16:00:00Z");
    let error = city.ledger.prune(11).await.unwrap_err();
    assert!(
        matches!(error, PruneError::NotClosed { up_to: 11, keep_from, .. } if keep_from == at("2026-09-30T16:00:00Z"))
    );
    city.ledger.prune(10).await.unwrap();
}

#[tokio::test]
async fn nothing_goes_that_the_older_of_two_whole_snapshots_does_not_hold() {
    let city = City::new().await;
    city.exported(1, 22).await;
    city.now("2027-01-10T00:00:00Z");
    let error = city.ledger.prune(11).await.unwrap_err();
    assert!(matches!(error, PruneError::NotCovered { up_to: 11, covered: 10 }), "{error}");
    for name in city.store.all_notes().keys().filter(|name| name.contains("20/000000")) {
        city.store.set_note(name, Some(b"rust".to_vec()));
    }
    let error = city.ledger.prune(5).await.unwrap_err();
    assert!(matches!(error, PruneError::Snapshots { whole: 1 }), "{error}");
    assert_eq!(city.store.entries().len(), 22);
}

#[tokio::test]
async fn a_receipt_that_does_not_fit_the_entries_is_not_believed() {
    let city = City::new().await;
    let mut receipt = export(&city.store, None, Some(15), Vec::new()).await.unwrap();
    receipt.chain = receipt.previous;
    note_exported(&city.store, &receipt).await.unwrap();
    let error = city.ledger.prune(10).await.unwrap_err();
    assert!(matches!(error, PruneError::ExportDiffers), "{error}");
    receipt.lineage = Lineage::new("another");
    note_exported(&city.store, &receipt).await.unwrap_err();
}

#[tokio::test]
async fn a_crash_between_ranges_is_made_up_for_by_the_next_run() {
    let store = MemoryStore::default();
    let seconds = Arc::new(AtomicI64::new(at("2026-01-10T00:00:00Z").as_second()));
    let ledger = open(&store, &seconds).await;
    let city = City { store, seconds, ledger };
    city.accounts(2, 2500).await;
    city.ledger.take_snapshot().await.unwrap().unwrap();
    city.accounts(2501, 2502).await;
    city.ledger.take_snapshot().await.unwrap().unwrap();
    city.exported(1, 2502).await;
    city.now("2026-06-10T00:00:00Z");
    for writes in 0..3 {
        city.store.fail_edits_after(Some(1));
        let last = city.ledger.prune(2500).await;
        assert_eq!(last.is_ok(), writes == 2, "{last:?}");
        let gone = (writes + 1) * 1000;
        assert_eq!(city.store.entries().first().unwrap().seq, gone.min(2500) + 1);
        assert_eq!(Horizon::read(&city.store).await.unwrap().unwrap().seq, gone.min(2500));
    }
    city.store.fail_edits_after(None);
    // The chain goes on over what was pruned: the rest exported now fits what was exported before.
    let rest = export(&city.store, None, None, Vec::new()).await.unwrap();
    assert_eq!((rest.first, rest.last), (2501, 2502));
    note_exported(&city.store, &rest).await.unwrap();
}

#[tokio::test]
async fn a_follower_beyond_what_is_pruned_goes_on_undisturbed() {
    let city = City::new().await;
    city.exported(1, 22).await;
    let follower = follow(&city.store);
    follower.reached(22, SOON).await.unwrap();
    let mut revisions = follower.revisions();
    revisions.mark_unchanged();
    city.ledger.prune(10).await.unwrap();
    city.accounts(23, 23).await;
    // A fresh load would be told as another change of the revision.
    tokio::time::timeout(SOON, revisions.changed()).await.unwrap().unwrap();
    assert_eq!(*revisions.borrow_and_update(), 23);
    assert_eq!(follower.snapshot().digest().unwrap(), city.digest());
}

#[tokio::test]
async fn a_follower_of_a_pruned_store_begins_with_the_snapshot() {
    let city = City::new().await;
    city.exported(1, 22).await;
    city.store.set_unreadable(true);
    city.ledger.prune(10).await.unwrap_err();
    city.store.set_unreadable(false);
    city.ledger.prune(10).await.unwrap();
    let follower = follow(&city.store);
    follower.reached(22, SOON).await.unwrap();
    assert_eq!(follower.snapshot().digest().unwrap(), city.digest());
}

#[tokio::test]
async fn a_pruned_store_without_a_whole_snapshot_is_not_opened_as_an_empty_one() {
    let city = City::new().await;
    city.exported(1, 22).await;
    city.ledger.prune(10).await.unwrap();
    city.ledger.shutdown().await;
    for name in city.store.all_notes().keys().filter(|name| name.ends_with("/manifest")) {
        city.store.set_note(name, None);
    }
    let options = OpenOptions::new(Lineage::new("book"), Lineage::new("hub"));
    let fence = city.store.elect(2);
    let error = Ledger::open(city.store, fence, CancellationToken::new(), options).await.unwrap_err();
    assert!(matches!(error, OpenError::Store(StoreError::Pruned { from: 1, first: 11 })), "{error}");
}
