//! Followers on etcd: cut lines, compaction, restarts.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use jiff::Timestamp;
use jiyun_ledger::{
    Campaign, Follower, Ledger, Store, StoreError,
    store::{Change, etcd::EtcdStore},
};
use tokio_util::sync::CancellationToken;

use super::{
    process::Etcd,
    proxy::Proxy,
    support::{account, connect, endpoint, entry, lead, open, prefix, sealed, until},
};

const SOON: Duration = Duration::from_secs(30);

async fn follow(endpoint: &str, prefix: &str) -> Follower {
    Follower::start(EtcdStore::new(connect(endpoint).await, prefix), Arc::new(Timestamp::now))
}

async fn same(follower: &Follower, ledger: &Ledger) {
    follower.reached(ledger.revision(), SOON).await.unwrap();
    assert_eq!(follower.snapshot().digest().unwrap(), ledger.snapshot().digest().unwrap());
}

#[tokio::test]
async fn a_follower_sees_what_was_before_and_what_comes() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let leadership = lead(&client, &prefix, "one").await;
    let ledger = open(&client, &prefix, &leadership).await;
    for n in 0..300 {
        ledger.set_account(account(&format!("a{n}"))).await.unwrap();
    }
    let follower = follow(&endpoint, &prefix).await;
    follower.caught_up(SOON).await.unwrap();
    same(&follower, &ledger).await;
    ledger.set_account(account("later")).await.unwrap();
    same(&follower, &ledger).await;
}

#[tokio::test]
async fn a_quiet_book_stays_known_to_be_current() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let leadership = lead(&client, &prefix, "one").await;
    let _ledger = open(&client, &prefix, &leadership).await;
    let follower = follow(&endpoint, &prefix).await;
    follower.caught_up(SOON).await.unwrap();
    let first = follower.as_of().unwrap();
    until("as-of moves on without entries", async || follower.as_of().unwrap() > first).await;
    let second = follower.as_of().unwrap();
    until("and again", async || follower.as_of().unwrap() > second).await;
}

#[tokio::test]
async fn as_of_stands_still_while_the_line_is_cut_and_the_rest_arrives_after_compaction() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let leadership = lead(&client, &prefix, "one").await;
    let ledger = open(&client, &prefix, &leadership).await;
    let proxy = Proxy::to(&endpoint).await;
    let follower = follow(&proxy.endpoint(), &prefix).await;
    follower.caught_up(SOON).await.unwrap();
    same(&follower, &ledger).await;

    proxy.cut();
    for n in 0..20 {
        ledger.set_account(account(&format!("a{n}"))).await.unwrap();
    }
    // What the follower would watch from is gone when the line is mended.
    let head = client.kv_client().get("x", None).await.unwrap().header().unwrap().revision();
    client.kv_client().compact(head, None).await.unwrap();
    assert_eq!(follower.revision(), 1);
    let stale = follower.as_of().unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(follower.as_of().unwrap(), stale);

    proxy.mend();
    same(&follower, &ledger).await;
    until("it is current again", async || follower.as_of().unwrap() > stale).await;
    ledger.set_account(account("last")).await.unwrap();
    same(&follower, &ledger).await;
}

#[tokio::test]
async fn a_watch_from_before_a_compaction_ends_and_says_so() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let leadership = lead(&client, &prefix, "one").await;
    let store = EtcdStore::new(client.clone(), &prefix);
    let before = store.page(1).await.unwrap().revision;
    for seq in 1..=3 {
        store
            .append(&sealed(&entry(seq, leadership.fence().epoch, &format!("a{seq}"))), leadership.fence())
            .await
            .unwrap();
    }
    let mut watch = store.watch(before).await.unwrap();
    assert!(matches!(watch.next().await.unwrap().unwrap(), Change::Entry(entry) if entry.seq == 1));

    let head = store.page(1).await.unwrap().revision;
    client.kv_client().compact(head, None).await.unwrap();
    let mut watch = store.watch(before).await.unwrap();
    let ended = loop {
        match watch.next().await.unwrap() {
            Ok(Change::Current) => {}
            other => break other,
        }
    };
    assert!(matches!(ended, Err(StoreError::WatchEnded { .. })), "{ended:?}");
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn a_follower_outlives_a_restart_of_etcd() {
    let mut etcd = Etcd::new(&[]);
    etcd.start().await;
    let endpoint = etcd.endpoint("http");
    let client = connect(&endpoint).await;
    let leadership = Campaign::new("/x", "one").win(&client, &CancellationToken::new()).await.unwrap();
    let ledger = open(&client, "/x", &leadership).await;
    let follower = follow(&endpoint, "/x").await;
    follower.caught_up(SOON).await.unwrap();
    etcd.kill();
    etcd.start().await;
    ledger.set_account(account("after")).await.unwrap();
    same(&follower, &ledger).await;
}

#[tokio::test]
async fn a_follower_starts_anew_when_the_store_was_replaced_while_it_could_not_see() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let leadership = lead(&client, &prefix, "one").await;
    let ledger = open(&client, &prefix, &leadership).await;
    ledger.set_account(account("old")).await.unwrap();
    let proxy = Proxy::to(&endpoint).await;
    let follower = follow(&proxy.endpoint(), &prefix).await;
    same(&follower, &ledger).await;
    ledger.shutdown().await;

    proxy.cut();
    let options = etcd_client::DeleteOptions::new().with_prefix();
    client.kv_client().delete(format!("{prefix}events/"), Some(options)).await.unwrap();
    let ledger = open(&client, &prefix, &leadership).await;
    for name in ["new", "newer", "newest"] {
        ledger.set_account(account(name)).await.unwrap();
    }
    proxy.mend();
    same(&follower, &ledger).await;
    assert!(follower.read(|state| state.account(&"old".into()).is_none()));
}

#[tokio::test]
async fn a_quiet_watch_tells_again_and_again_that_it_is_current() {
    let endpoint = endpoint();
    let store = EtcdStore::new(connect(&endpoint).await, &prefix());
    let revision = store.page(1).await.unwrap().revision;
    let mut watch = store.watch(revision).await.unwrap();
    // Longer than the silence after which the watch would be given up.
    for _ in 0..8 {
        let told = watch.next().await.unwrap();
        assert!(matches!(told, Ok(Change::Current)), "{told:?}");
    }
}
