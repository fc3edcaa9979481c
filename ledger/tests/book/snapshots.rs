//! Snapshots: taken beside the writer, loaded at a start, and never believed when they are not whole.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_ledger::{
    Follower, Ledger, Lineage, Manifest, Meter, OpenOptions, OpenReport, SnapshotError, SnapshotOptions, State,
    store::memory::MemoryStore,
};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::city::{account, compute, host};

const SOON: Duration = Duration::from_secs(20);
/// Parts so small that a little book has many.
const PART: usize = 300;

/// What an accident does to the notes.
type Damage = fn(&mut BTreeMap<String, Vec<u8>>);

fn options(entries: u64) -> OpenOptions {
    let snapshots = SnapshotOptions { entries, bytes: u64::MAX, part_bytes: PART };
    OpenOptions::new(Lineage::new("book"), Lineage::new("hub")).with_snapshots(snapshots)
}

async fn open(store: &MemoryStore, entries: u64) -> (Ledger, OpenReport) {
    let fence = store.elect(1);
    Ledger::open(store.clone(), fence, CancellationToken::new(), options(entries)).await.unwrap()
}

async fn hosts(ledger: &Ledger, from: u64, to: u64) {
    for n in from..to {
        let mut request = host("tax", &format!("o{n}"), 1, 1024);
        // What does not shrink when it is packed.
        let noise = hex::encode(Sha256::digest(n.to_le_bytes()));
        request.approved_spec = serde_json::json!({ "noise": noise }).into();
        ledger.decide(request).await.unwrap();
    }
}

/// A book with a snapshot of entry 13 and five entries after it.
async fn city(store: &MemoryStore) -> Ledger {
    let (ledger, _) = open(store, u64::MAX).await;
    ledger.set_pool(compute("c1", "east", 1000, 1_000_000)).await.unwrap();
    ledger.set_account(account("tax", None, &[(Meter::Vcpu, 500)])).await.unwrap();
    hosts(&ledger, 0, 10).await;
    taken(&ledger, 13).await;
    hosts(&ledger, 10, 15).await;
    ledger
}

async fn taken(ledger: &Ledger, seq: u64) -> Manifest {
    let manifest = ledger.take_snapshot().await.unwrap().unwrap();
    assert_eq!((manifest.seq, ledger.last_snapshot()), (seq, Some(seq)));
    manifest
}

fn replay(store: &MemoryStore) -> State {
    let mut state = State::default();
    store.entries().iter().for_each(|entry| state.apply(entry).unwrap());
    state
}

fn seqs(store: &MemoryStore) -> Vec<String> {
    let mut seqs: Vec<_> =
        store.all_notes().keys().map(|name| name[10..30].trim_start_matches('0').to_owned()).collect();
    seqs.dedup();
    seqs
}

#[tokio::test]
async fn a_book_opened_from_a_snapshot_is_the_book() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let manifest = ledger.take_snapshot().await.unwrap().unwrap();
    assert!(manifest.parts > 3, "{manifest:?}");
    assert!(ledger.take_snapshot().await.unwrap().is_none(), "nothing happened since");
    hosts(&ledger, 15, 20).await;
    let digest = ledger.snapshot().digest().unwrap();
    ledger.shutdown().await;

    let (again, report) = open(&store, u64::MAX).await;
    assert_eq!((report.snapshot, report.head_seq, report.fresh), (Some(18), 23, false));
    assert_eq!(again.snapshot().digest().unwrap(), digest);
    assert_eq!(again.snapshot().verify(), []);
    hosts(&again, 20, 25).await;
    assert_eq!(replay(&store).canonical().unwrap(), again.snapshot().canonical().unwrap());
}

#[tokio::test]
async fn every_so_many_entries_a_snapshot_is_taken_and_the_last_two_are_kept() {
    let store = MemoryStore::default();
    let (ledger, _) = open(&store, 10).await;
    ledger.set_pool(compute("c1", "east", 1000, 1_000_000)).await.unwrap();
    ledger.set_account(account("tax", None, &[])).await.unwrap();
    let mut snapshots = ledger.snapshots();
    for n in 0..5 {
        hosts(&ledger, n * 10, n * 10 + 10).await;
        let due = ledger.revision() / 10 * 10;
        let taken = snapshots.wait_for(|last| last.is_some_and(|last| last >= due));
        tokio::time::timeout(SOON, taken).await.unwrap().unwrap();
    }
    let kept = seqs(&store);
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(kept[1], ledger.last_snapshot().unwrap().to_string());
    assert!(store.all_notes().keys().all(|name| name.len() == 37 || name.ends_with("manifest")), "{kept:?}");
}

#[tokio::test]
async fn so_many_bytes_are_a_reason_too() {
    let store = MemoryStore::default();
    let fence = store.elect(1);
    let snapshots = SnapshotOptions { entries: u64::MAX, bytes: 10_000, part_bytes: PART };
    let options = options(1).with_snapshots(snapshots);
    let (ledger, _) = Ledger::open(store.clone(), fence, CancellationToken::new(), options).await.unwrap();
    ledger.set_account(account("tax", None, &[])).await.unwrap();
    let mut snapshots = ledger.snapshots();
    assert_eq!(*snapshots.borrow(), None);
    hosts(&ledger, 0, 30).await;
    for n in 0..20 {
        ledger.set_account(account(&format!("a{n}"), None, &[])).await.unwrap();
    }
    tokio::time::timeout(SOON, snapshots.wait_for(Option::is_some)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_crash_at_any_write_leaves_a_store_that_opens() {
    let whole = {
        let store = MemoryStore::default();
        let ledger = city(&store).await;
        ledger.take_snapshot().await.unwrap().unwrap();
        seqs(&store)
    };
    assert_eq!(whole, ["13", "18"]);
    let mut finished = false;
    let mut writes = 0;
    while !finished {
        let store = MemoryStore::default();
        let ledger = city(&store).await;
        // A third snapshot, so that one has to go: the writes of it are parts, a manifest, a removal.
        taken(&ledger, 18).await;
        hosts(&ledger, 15, 17).await;
        store.fail_edits_after(Some(writes));
        finished = ledger.take_snapshot().await.is_ok();
        let digest = ledger.snapshot().digest().unwrap();
        ledger.shutdown().await;
        store.fail_edits_after(None);

        let (again, report) = open(&store, u64::MAX).await;
        assert!(report.snapshot.is_some_and(|seq| seq >= 18), "after {writes} writes: {report:?}");
        assert_eq!(again.snapshot().digest().unwrap(), digest, "after {writes} writes");
        // The next snapshot puts everything in order.
        hosts(&again, 17, 18).await;
        taken(&again, 21).await;
        let kept = seqs(&store);
        assert_eq!(kept, [report.snapshot.unwrap().to_string(), "21".to_owned()], "after {writes} writes");
        writes += 1;
    }
    assert!(writes > 6, "only {writes} writes were tried");
}

#[tokio::test]
async fn a_snapshot_that_is_damaged_is_passed_over() {
    let changes: [(&str, Damage); 5] = [
        ("a part is missing", |notes| drop(notes.remove("snapshots/00000000000000000018/000001"))),
        ("a part is changed", |notes| notes.get_mut("snapshots/00000000000000000018/000001").unwrap()[9] ^= 1),
        ("two parts are swapped", |notes| {
            let [one, two] = [0, 1].map(|part| format!("snapshots/00000000000000000018/{part:06}"));
            let (a, b) = (notes[&one].clone(), notes[&two].clone());
            notes.insert(one, b);
            notes.insert(two, a);
        }),
        ("the manifest is cut off", |notes| {
            notes.get_mut("snapshots/00000000000000000018/manifest").unwrap().truncate(40);
        }),
        ("the digest is another", |notes| {
            let manifest = notes.get_mut("snapshots/00000000000000000018/manifest").unwrap();
            let mut json: Manifest = serde_json::from_slice(manifest).unwrap();
            json.state = "0".repeat(64);
            *manifest = serde_json::to_vec(&json).unwrap();
        }),
    ];
    for (what, change) in changes {
        let store = MemoryStore::default();
        let ledger = city(&store).await;
        taken(&ledger, 18).await;
        hosts(&ledger, 15, 17).await;
        let digest = ledger.snapshot().digest().unwrap();
        ledger.shutdown().await;
        let mut notes = store.all_notes();
        change(&mut notes);
        for name in store.all_notes().keys() {
            store.set_note(name, notes.get(name).cloned());
        }
        let (again, report) = open(&store, u64::MAX).await;
        assert_eq!((report.snapshot, report.head_seq), (Some(13), 20), "{what}");
        assert_eq!(again.snapshot().digest().unwrap(), digest, "{what}");
        again.shutdown().await;

        // Without the one before it, all entries are read.
        for name in store.all_notes().keys().filter(|name| name.contains("13/")) {
            store.set_note(name, None);
        }
        let (again, report) = open(&store, u64::MAX).await;
        assert_eq!((report.snapshot, report.head_seq), (None, 20), "{what}");
        assert_eq!(again.snapshot().digest().unwrap(), digest, "{what}");
    }
}

#[tokio::test]
async fn a_snapshot_of_another_stream_is_passed_over_and_goes_with_the_next() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    taken(&ledger, 18).await;
    ledger.shutdown().await;
    // The store goes back to before both snapshots, and other entries take their numbers.
    store.truncate(4);
    let (ledger, report) = open(&store, u64::MAX).await;
    assert_eq!((report.snapshot, report.head_seq), (None, 4));
    for n in 0..20 {
        ledger.set_account(account(&format!("a{n}"), None, &[])).await.unwrap();
    }
    ledger.shutdown().await;
    let (ledger, report) = open(&store, u64::MAX).await;
    assert_eq!((report.snapshot, report.head_seq), (None, 24));
    assert_eq!(ledger.snapshot().digest().unwrap(), replay(&store).digest().unwrap());
    taken(&ledger, 24).await;
    assert_eq!(seqs(&store), ["24"]);
}

#[tokio::test]
async fn a_deposed_leader_takes_no_snapshot() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    store.elect(2);
    let before = store.all_notes();
    let error = ledger.take_snapshot().await.unwrap_err();
    assert!(matches!(error, SnapshotError::Edit(jiyun_ledger::store::EditError::Fenced)), "{error}");
    assert_eq!(store.all_notes(), before);
}

#[tokio::test]
async fn a_follower_begins_with_a_snapshot() {
    let store = MemoryStore::default();
    let ledger = city(&store).await;
    let follower = Follower::start(store.clone(), Arc::new(Timestamp::now));
    follower.reached(18, SOON).await.unwrap();
    assert_eq!(follower.snapshot().digest().unwrap(), ledger.snapshot().digest().unwrap());
    hosts(&ledger, 15, 16).await;
    follower.reached(19, SOON).await.unwrap();
    assert_eq!(follower.snapshot().digest().unwrap(), ledger.snapshot().digest().unwrap());
}

#[tokio::test]
async fn lineage_and_quarantine_come_out_of_a_snapshot_as_they_went_in() {
    let store = MemoryStore::default();
    let (ledger, first) = open(&store, u64::MAX).await;
    ledger.mark_peer(Lineage::new("hub"), 77).await.unwrap();
    ledger.quarantine("a store went back").await.unwrap();
    taken(&ledger, 3).await;
    ledger.shutdown().await;
    let fence = store.elect(2);
    let other = OpenOptions::new(Lineage::new("other"), Lineage::new("elsewhere"));
    let (_, report) = Ledger::open(store, fence, CancellationToken::new(), other).await.unwrap();
    assert_eq!((report.lineage, report.head_seq, report.snapshot), (first.lineage, 3, Some(3)));
    assert_eq!(report.peer.unwrap().high_water, 77);
    assert_eq!(report.quarantine.unwrap().reason, "a store went back");
}
