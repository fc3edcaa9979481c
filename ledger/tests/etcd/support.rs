//! Where the tests' etcd is, and small helpers around it.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use etcd_client::Client;
use jiff::Timestamp;
use jiyun_ledger::{
    Account, AccountState, Campaign, Entry, Event, Leadership, Ledger, Lineage, OpenOptions, OpenReport,
    SnapshotOptions, Store,
    store::{
        Sealed,
        etcd::{EtcdConfig, EtcdStore},
    },
};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

/// The shortest lease a campaign takes: tests wait for it to run out.
pub const TTL: Duration = Duration::from_secs(5);

/// The etcd the tests share: one that is named by `JIYUN_TEST_ETCD` (plain http on loopback), or one of their own.
pub fn endpoint() -> String {
    static SHARED: LazyLock<String> =
        LazyLock::new(|| std::env::var("JIYUN_TEST_ETCD").unwrap_or_else(|_| super::process::shared()));
    SHARED.clone()
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

/// With snapshots only when they are asked for.
pub fn options() -> OpenOptions {
    let snapshots = SnapshotOptions { entries: u64::MAX, bytes: u64::MAX, ..SnapshotOptions::default() };
    OpenOptions::new(Lineage::new("book"), Lineage::new("hub")).with_snapshots(snapshots)
}

pub async fn open(client: &Client, prefix: &str, leadership: &Leadership) -> Ledger {
    open_with(EtcdStore::new(client.clone(), prefix), leadership, options()).await.0
}

pub async fn open_with<S: Store>(store: S, leadership: &Leadership, options: OpenOptions) -> (Ledger, OpenReport) {
    Box::pin(Ledger::open(store, leadership.fence(), leadership.lost(), options)).await.unwrap()
}

pub fn account(name: &str) -> Account {
    Account {
        id: name.into(),
        display_name: name.to_owned(),
        parent: None,
        billing_account: String::new(),
        limits: Vec::new(),
        preference: jiyun_ledger::Preference::default(),
        state: AccountState::Open,
    }
}

/// An account that takes about `bytes` in the store, and nearly as much when it is packed.
pub fn large(name: &str, bytes: usize) -> Account {
    let mut noise = String::with_capacity(bytes + 64);
    let mut n = 0_u64;
    while noise.len() < bytes {
        noise.push_str(&hex::encode(Sha256::digest(format!("{name}{n}"))));
        n += 1;
    }
    Account { display_name: noise, ..account(name) }
}

/// An entry that differs from any other by its `name`.
pub fn entry(seq: u64, epoch: i64, name: &str) -> Entry {
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    Entry { seq, at, epoch, events: vec![Event::AccountSet { account: account(name) }] }
}

/// The same as it will lie in the store.
pub fn sealed(entry: &Entry) -> Sealed {
    Sealed::new(entry.clone()).unwrap()
}

/// Asks again and again until `true`, but not for ever.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
