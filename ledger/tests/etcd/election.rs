//! The election: who leads, how it is handed over, and that the old leader knows before the new one acts.

use std::time::{Duration, Instant};

use jiyun_ledger::{Campaign, ElectionError};
use tokio_util::sync::CancellationToken;

use super::{
    process::Etcd,
    proxy::Proxy,
    support::{TTL, account, connect, endpoint, lead, open, prefix},
};

/// etcd looks for expired leases twice a second (`server/lease/lessor.go`, `runLoop`) and revokes them in a proposal.
const EXPIRY_SLACK: Duration = Duration::from_secs(3);

#[tokio::test]
async fn resigning_hands_over_at_once() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let first = lead(&client, &prefix, "first").await;
    let waiting = tokio::spawn({
        let (client, prefix) = (connect(&endpoint).await, prefix.clone());
        async move { lead(&client, &prefix, "second").await }
    });
    // The first leads on for longer than a lease: it is renewed, and the second waits.
    tokio::time::sleep(TTL + Duration::from_secs(1)).await;
    assert!(!waiting.is_finished() && !first.lost().is_cancelled());

    let (resigned, epoch, lost) = (Instant::now(), first.fence().epoch, first.lost());
    first.resign().await;
    assert!(lost.is_cancelled());
    let second = waiting.await.unwrap();
    assert!(resigned.elapsed() < Duration::from_secs(2), "took {:?}", resigned.elapsed());
    assert!(second.fence().epoch > epoch);
}

#[tokio::test]
async fn a_leader_that_vanishes_is_followed_within_its_lease() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let first = lead(&client, &prefix, "first").await;
    let vanished = Instant::now();
    drop(first);
    let second = tokio::time::timeout(TTL + EXPIRY_SLACK, lead(&client, &prefix, "second")).await;
    assert!(second.is_ok(), "no leader {:?} after the first vanished", vanished.elapsed());
}

#[tokio::test]
async fn a_leader_cut_off_knows_before_another_leads() {
    let endpoint = endpoint();
    let prefix = prefix();
    let proxy = Proxy::to(&endpoint).await;
    let first = lead(&connect(&proxy.endpoint()).await, &prefix, "first").await;
    let lost = first.lost();
    let known = tokio::spawn(async move {
        lost.cancelled().await;
        Instant::now()
    });
    let client = connect(&endpoint).await;
    proxy.cut();
    let second = tokio::time::timeout(TTL + EXPIRY_SLACK, lead(&client, &prefix, "second")).await.unwrap();
    let led = Instant::now();
    assert!(known.is_finished(), "the second leads while the first does not know it is deposed");
    assert!(known.await.unwrap() < led);
    assert!(second.fence().epoch > first.fence().epoch);
}

#[tokio::test]
async fn a_line_cut_for_a_moment_costs_no_leadership() {
    let endpoint = endpoint();
    let prefix = prefix();
    let proxy = Proxy::to(&endpoint).await;
    let client = connect(&proxy.endpoint()).await;
    let leadership = lead(&client, &prefix, "one").await;
    let ledger = open(&client, &prefix, &leadership).await;
    for name in ["a", "b", "c"] {
        proxy.cut();
        tokio::time::sleep(Duration::from_millis(500)).await;
        proxy.mend();
        ledger.set_account(account(name)).await.unwrap();
    }
    tokio::time::sleep(TTL).await;
    assert!(!leadership.lost().is_cancelled());
    ledger.set_account(account("d")).await.unwrap();
}

#[tokio::test]
async fn a_leader_whose_lease_is_taken_away_is_told() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let leadership = lead(&client, &prefix, "one").await;
    let answer = client.kv_client().get(format!("{prefix}leader"), None).await.unwrap();
    assert_eq!(answer.kvs()[0].value(), b"one");
    client.lease_client().revoke(answer.kvs()[0].lease()).await.unwrap();
    tokio::time::timeout(TTL, leadership.lost().cancelled()).await.expect("it is told within one lease");
}

#[tokio::test]
async fn of_many_candidates_one_leads() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let mut waiting = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (client, prefix) = (client.clone(), prefix.clone());
        waiting.spawn(async move { lead(&client, &prefix, &format!("c{n}")).await });
    }
    let mut epochs = Vec::new();
    while let Some(leader) = waiting.join_next().await {
        let leader = leader.unwrap();
        let key = client.kv_client().get(format!("{prefix}leader"), None).await.unwrap();
        assert_eq!(key.kvs()[0].create_revision(), leader.fence().epoch);
        epochs.push(leader.fence().epoch);
        leader.resign().await;
    }
    assert_eq!(epochs.len(), 8);
    assert!(epochs.is_sorted());
}

#[tokio::test]
async fn a_withdrawn_candidate_stops_waiting() {
    let endpoint = endpoint();
    let (client, prefix) = (connect(&endpoint).await, prefix());
    let _first = lead(&client, &prefix, "first").await;
    let withdraw = CancellationToken::new();
    let campaign = Campaign::new(&prefix, "second").with_ttl(TTL);
    let (result, ()) = tokio::join!(campaign.win(&client, &withdraw), async {
        tokio::task::yield_now().await;
        withdraw.cancel();
    });
    assert!(matches!(result.unwrap_err(), ElectionError::Withdrawn));
    let short = Campaign::new(&prefix, "third").with_ttl(Duration::from_secs(2));
    assert!(matches!(short.win(&client, &withdraw).await.unwrap_err(), ElectionError::TtlTooShort { .. }));
}

#[tokio::test]
async fn leadership_and_book_outlive_a_restart_of_etcd() {
    let mut etcd = Etcd::new(&[]);
    etcd.start().await;
    let client = connect(&etcd.endpoint("http")).await;
    let leadership = Campaign::new("/x", "one").win(&client, &CancellationToken::new()).await.unwrap();
    let ledger = open(&client, "/x", &leadership).await;
    ledger.set_account(account("before")).await.unwrap();
    etcd.kill();
    let setting = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.set_account(account("meanwhile")).await }
    });
    etcd.start().await;
    assert_eq!(setting.await.unwrap().unwrap().revision, 3);
    assert_eq!(ledger.set_account(account("after")).await.unwrap().revision, 4);
    assert!(!leadership.lost().is_cancelled());
}
