//! Followers: what readers away from the writer see.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_ledger::{Follower, FollowerError, Ledger, Lineage, OpenOptions, store::memory::MemoryStore};
use tokio_util::sync::CancellationToken;

use crate::city::account;

const SOON: Duration = Duration::from_secs(20);

async fn open(store: &MemoryStore) -> Ledger {
    let options = OpenOptions::new(Lineage::new("book"), Lineage::new("hub"));
    let fence = store.elect(1);
    Ledger::open(store.clone(), fence, CancellationToken::new(), options).await.unwrap().0
}

fn follow(store: &MemoryStore) -> Follower {
    Follower::start(store.clone(), Arc::new(Timestamp::now))
}

#[tokio::test]
async fn a_follower_arrives_at_the_writers_state_byte_for_byte() {
    let store = MemoryStore::default();
    let ledger = open(&store).await;
    for n in 0..600 {
        ledger.set_account(account(&format!("a{n}"), None, &[])).await.unwrap();
    }
    let follower = follow(&store);
    assert!(follower.as_of().is_none());
    follower.caught_up(SOON).await.unwrap();
    assert_eq!(follower.revision(), ledger.revision());
    let commit = ledger.set_account(account("later", None, &[])).await.unwrap();
    follower.reached(commit.revision, SOON).await.unwrap();
    assert_eq!(follower.snapshot().digest().unwrap(), ledger.snapshot().digest().unwrap());
    assert!(follower.as_of().unwrap() <= Timestamp::now());
}

#[tokio::test]
async fn a_follower_waits_for_a_store_that_cannot_be_read_yet() {
    let store = MemoryStore::default();
    let ledger = open(&store).await;
    store.set_unreadable(true);
    let follower = follow(&store);
    let error = follower.caught_up(Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(error, FollowerError::Behind { .. }));
    store.set_unreadable(false);
    follower.caught_up(SOON).await.unwrap();
    assert_eq!(follower.revision(), ledger.revision());
}

#[tokio::test]
async fn a_follower_starts_anew_when_the_store_goes_back() {
    let store = MemoryStore::default();
    let ledger = open(&store).await;
    for name in ["a", "b", "c"] {
        ledger.set_account(account(name, None, &[])).await.unwrap();
    }
    let follower = follow(&store);
    follower.reached(4, SOON).await.unwrap();
    ledger.shutdown().await;

    store.truncate(2);
    let ledger = open(&store).await;
    for name in ["x", "y", "z"] {
        ledger.set_account(account(name, None, &[])).await.unwrap();
    }
    follower.reached(5, SOON).await.unwrap();
    assert_eq!(follower.snapshot().digest().unwrap(), ledger.snapshot().digest().unwrap());
    assert!(follower.read(|state| state.account(&"b".into()).is_none()));
}
