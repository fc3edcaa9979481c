//! Where the tests' etcd is, and small helpers around it.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use etcd_client::Client;
use jiff::Timestamp;
use jiyun_ledger::{
    Account, AccountState, Campaign, Entry, Event, Leadership, Ledger, Lineage, OpenOptions,
    store::etcd::{EtcdConfig, EtcdStore},
};
use tokio_util::sync::CancellationToken;

/// The shortest lease a campaign takes: tests wait for it to run out.
pub const TTL: Duration = Duration::from_secs(5);

/// A variable of the environment that a test cannot do without.
pub fn needs(name: &str) -> Option<String> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Some(value),
        _ => {
            assert!(
                std::env::var_os("JIYUN_REQUIRE_ETCD").is_none(),
                "{name} is not set although JIYUN_REQUIRE_ETCD is: start an etcd for the tests and set it"
            );
            eprintln!("skipped: {name} is not set");
            None
        }
    }
}

/// The etcd the tests share.
pub fn endpoint() -> Option<String> {
    needs("JIYUN_TEST_ETCD")
}

/// A prefix no other test and no earlier run has used.
pub fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("/test/{nanos}-{}-{}/", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst))
}

pub async fn connect(endpoint: &str) -> Client {
    EtcdConfig { endpoints: vec![endpoint.to_owned()], tls: None }.connect().await.unwrap()
}

pub async fn lead(client: &Client, prefix: &str, name: &str) -> Leadership {
    Campaign::new(prefix, name).with_ttl(TTL).win(client, &CancellationToken::new()).await.unwrap()
}

pub async fn open(client: &Client, prefix: &str, leadership: &Leadership) -> Ledger {
    let options = OpenOptions::new(Lineage::new("book"), Lineage::new("hub"));
    let store = EtcdStore::new(client.clone(), prefix);
    Ledger::open(store, leadership.fence(), leadership.lost(), options).await.unwrap().0
}

pub fn account(name: &str) -> Account {
    Account {
        id: name.into(),
        display_name: name.to_owned(),
        parent: None,
        billing_account: String::new(),
        limits: Vec::new(),
        state: AccountState::Open,
    }
}

/// An entry that differs from any other by its `name`.
pub fn entry(seq: u64, epoch: i64, name: &str) -> Entry {
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    Entry { seq, at, epoch, events: vec![Event::AccountSet { account: account(name) }] }
}

/// Asks again and again until `true`, but not for ever.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
