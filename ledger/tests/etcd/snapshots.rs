//! Snapshots in etcd: within its limits, and whole or not there whatever happens to writer or etcd.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_ledger::{Campaign, Follower, SnapshotOptions, Store, store::etcd::EtcdStore};
use tokio_util::sync::CancellationToken;

use super::{
    process::Etcd,
    proxy::Proxy,
    stopping::Stopping,
    support::{account, connect, endpoint, large, lead, open, open_with, options, prefix, until},
};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_book_of_several_mebibytes_is_kept_in_parts_etcd_takes() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let leadership = lead(&client, &prefix, "one").await;
    let ledger = open(&client, &prefix, &leadership).await;
    for n in 0..24 {
        ledger.set_account(large(&format!("a{n}"), 200_000)).await.unwrap();
    }
    let manifest = ledger.take_snapshot().await.unwrap().unwrap();
    assert!(manifest.parts >= 2 && manifest.bytes > 2_000_000, "{manifest:?}");
    ledger.set_account(account("later")).await.unwrap();
    let digest = ledger.snapshot().digest().unwrap();
    ledger.shutdown().await;

    let (again, report) = open_with(EtcdStore::new(client, &prefix), &leadership, options()).await;
    assert_eq!((report.snapshot, report.head_seq), (Some(25), 26));
    assert_eq!(again.snapshot().digest().unwrap(), digest);
}

#[tokio::test]
async fn a_writer_killed_between_any_two_parts_leaves_a_book_that_opens() {
    let endpoint = endpoint();
    let client = connect(&endpoint).await;
    let small = SnapshotOptions { part_bytes: 150, ..options().snapshots };
    let mut writes = 0;
    loop {
        let prefix = prefix();
        let leadership = lead(&client, &prefix, "killed").await;
        let store = Stopping::new(EtcdStore::new(client.clone(), &prefix));
        let (ledger, _) = open_with(store.clone(), &leadership, options().with_snapshots(small)).await;
        for name in ["a", "b", "c"] {
            ledger.set_account(account(name)).await.unwrap();
            ledger.take_snapshot().await.unwrap().unwrap();
        }
        ledger.set_account(account("d")).await.unwrap();
        let digest = ledger.snapshot().digest().unwrap();
        store.stop_after(writes);
        let taking = tokio::spawn({
            let ledger = ledger.clone();
            async move { ledger.take_snapshot().await }
        });
        until("it is taken or the process is dead", async || taking.is_finished() || store.has_stopped()).await;
        let finished = tokio::time::timeout(Duration::from_millis(50), taking).await.is_ok();
        leadership.resign().await;
        drop(ledger);

        let leadership = lead(&client, &prefix, "next").await;
        let (again, report) = open_with(EtcdStore::new(client.clone(), &prefix), &leadership, options()).await;
        assert!(report.snapshot.is_some_and(|seq| seq >= 4), "after {writes} writes: {report:?}");
        assert_eq!(again.snapshot().digest().unwrap(), digest, "after {writes} writes");
        again.set_account(account("e")).await.unwrap();
        again.take_snapshot().await.unwrap().unwrap();
        if finished {
            break;
        }
        writes += 1;
    }
    assert!(writes >= 4, "only {writes} writes were cut short");
}

#[tokio::test]
async fn etcd_killed_while_entries_and_snapshots_are_written_costs_neither() {
    let mut etcd = Etcd::new(&[]);
    etcd.start().await;
    let client = connect(&etcd.endpoint("http")).await;
    let leadership = Campaign::new("/x", "one").win(&client, &CancellationToken::new()).await.unwrap();
    let often = SnapshotOptions { entries: 20, ..options().snapshots };
    let store = EtcdStore::new(client.clone(), "/x");
    let (ledger, _) = open_with(store.clone(), &leadership, options().with_snapshots(often)).await;
    let follower = Follower::start(store.clone(), Arc::new(Timestamp::now));
    let writing = tokio::spawn({
        let ledger = ledger.clone();
        async move {
            for n in 0..400 {
                ledger.set_account(account(&format!("a{n}"))).await.unwrap();
            }
        }
    });
    for entries in [50, 150, 250] {
        until("some entries are written", async || ledger.revision() > entries).await;
        etcd.kill();
        etcd.start().await;
    }
    writing.await.unwrap();
    assert!(!leadership.lost().is_cancelled());
    follower.reached(401, SOON).await.unwrap();
    until("the snapshots have followed", async || ledger.last_snapshot().is_some_and(|seq| seq > 381)).await;
    let digest = ledger.snapshot().digest().unwrap();
    assert_eq!(follower.snapshot().digest().unwrap(), digest);
    ledger.shutdown().await;
    let (again, report) = open_with(store, &leadership, options()).await;
    assert!(report.snapshot.is_some_and(|seq| seq > 381), "{report:?}");
    assert_eq!(again.snapshot().digest().unwrap(), digest);
}

#[tokio::test]
async fn a_follower_beneath_which_all_was_compacted_goes_on() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let leadership = lead(&client, &prefix, "one").await;
    let ledger = open(&client, &prefix, &leadership).await;
    let proxy = Proxy::to(&endpoint).await;
    let store = EtcdStore::new(connect(&proxy.endpoint()).await, &prefix);
    let follower = Follower::start(store, Arc::new(Timestamp::now));
    follower.reached(1, SOON).await.unwrap();
    proxy.cut();
    for n in 0..5 {
        for m in 0..10 {
            ledger.set_account(account(&format!("a{n}-{m}"))).await.unwrap();
        }
        ledger.take_snapshot().await.unwrap().unwrap();
    }
    let head = client.kv_client().get("x", None).await.unwrap().header().unwrap().revision();
    client.kv_client().compact(head, None).await.unwrap();
    proxy.mend();
    follower.reached(ledger.revision(), SOON).await.unwrap();
    assert_eq!(follower.snapshot().digest().unwrap(), ledger.snapshot().digest().unwrap());
}

#[tokio::test]
async fn only_the_last_two_snapshots_take_room() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let leadership = lead(&client, &prefix, "one").await;
    let ledger = open(&client, &prefix, &leadership).await;
    for n in 0..5 {
        ledger.set_account(account(&format!("a{n}"))).await.unwrap();
        ledger.take_snapshot().await.unwrap().unwrap();
    }
    let names = EtcdStore::new(client, &prefix).notes("snapshots/").await.unwrap();
    let expected = [5, 6].map(|seq| [format!("snapshots/{seq:020}/000000"), format!("snapshots/{seq:020}/manifest")]);
    assert_eq!(names, expected.concat());
}
