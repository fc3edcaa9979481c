//! Pruning in etcd, and those who read meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use etcd_client::Client;
use jiff::Timestamp;
use jiyun_ledger::{
    Follower, Horizon, Ledger, PruneError, Store, StoreError, export, import, note_exported,
    store::{EditError, etcd::EtcdStore},
};

use super::{
    proxy::Proxy,
    support::{account, connect, endpoint, lead, open_with, options, prefix},
};

const SOON: Duration = Duration::from_secs(30);
const SPRING: i64 = 1_800_000_000;
const HALF_A_YEAR: i64 = 180 * 24 * 3600;

/// A book of spring, with two snapshots, exported; now it is autumn.
struct City {
    client: Client,
    prefix: String,
    leadership: jiyun_ledger::Leadership,
    ledger: Ledger,
    store: EtcdStore,
}

impl City {
    async fn new() -> Self {
        Box::pin(Self::meanwhile(async |_, _| {})).await
    }

    /// With something done before the second half of the entries is written.
    async fn meanwhile(then: impl AsyncFnOnce(&str, &Ledger)) -> Self {
        let (client, prefix) = (connect(&endpoint()).await, prefix());
        let leadership = lead(&client, &prefix, "one").await;
        let store = EtcdStore::new(client.clone(), &prefix);
        let seconds = Arc::new(AtomicI64::new(SPRING));
        let clock = {
            let seconds = Arc::clone(&seconds);
            Arc::new(move || Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap())
        };
        let (ledger, _) = open_with(store.clone(), &leadership, options().with_clock(clock)).await;
        for n in 2..=20 {
            ledger.set_account(account(&format!("a{n}"))).await.unwrap();
        }
        then(&prefix, &ledger).await;
        for n in 21..=1500 {
            ledger.set_account(account(&format!("a{n}"))).await.unwrap();
            if n == 1400 {
                ledger.take_snapshot().await.unwrap().unwrap();
            }
        }
        ledger.take_snapshot().await.unwrap().unwrap();
        let receipt = export(&store, None, None, Vec::new()).await.unwrap();
        assert_eq!((receipt.first, receipt.last), (1, ledger.revision()));
        note_exported(&store, &receipt).await.unwrap();
        seconds.fetch_add(HALF_A_YEAR, Ordering::SeqCst);
        Self { client, prefix, leadership, ledger, store }
    }

    fn follow(&self) -> Follower {
        Follower::start(self.store.clone(), Arc::new(Timestamp::now))
    }

    async fn same(&self, follower: &Follower) {
        follower.reached(self.ledger.revision(), SOON).await.unwrap();
        assert_eq!(follower.snapshot().digest().unwrap(), self.ledger.snapshot().digest().unwrap());
    }

    /// The last entry the older snapshot holds.
    async fn older(&self) -> u64 {
        let names = self.store.notes("snapshots/").await.unwrap();
        names[0].split('/').nth(1).unwrap().parse().unwrap()
    }

    async fn compact(&self) {
        let head = self.client.kv_client().get("x", None).await.unwrap().header().unwrap().revision();
        self.client.kv_client().compact(head, None).await.unwrap();
    }
}

#[tokio::test]
async fn a_pruned_book_is_opened_and_followed_from_its_snapshot() {
    let city = Box::pin(City::new()).await;
    let older = city.older().await;
    let error = city.ledger.prune(older + 1).await.unwrap_err();
    assert!(matches!(error, PruneError::NotCovered { .. }), "{error}");
    assert_eq!(city.ledger.prune(older).await.unwrap(), older);
    let error = city.store.page(1).await.unwrap_err();
    assert!(matches!(error, StoreError::Pruned { from: 1, first } if first == older + 1), "{error}");
    assert_eq!(Horizon::read(&city.store).await.unwrap().unwrap().seq, older);
    city.compact().await;
    city.same(&city.follow()).await;

    let digest = city.ledger.snapshot().digest().unwrap();
    city.ledger.shutdown().await;
    let (again, report) = open_with(city.store.clone(), &city.leadership, options()).await;
    assert!(report.snapshot.is_some_and(|seq| seq > older) && !report.fresh, "{report:?}");
    assert_eq!(again.snapshot().digest().unwrap(), digest);
    again.set_account(account("later")).await.unwrap();
}

#[tokio::test]
async fn a_follower_that_has_read_beyond_it_does_not_notice_a_pruning() {
    let city = Box::pin(City::new()).await;
    let follower = city.follow();
    city.same(&follower).await;
    let mut revisions = follower.revisions();
    revisions.mark_unchanged();
    let older = city.older().await;
    city.ledger.prune(older).await.unwrap();
    let commit = city.ledger.set_account(account("later")).await.unwrap();
    // The first thing it is told after the pruning is the next entry: it did not load again.
    tokio::time::timeout(SOON, revisions.changed()).await.unwrap().unwrap();
    assert_eq!(*revisions.borrow_and_update(), commit.revision);
    city.same(&follower).await;
    let current = follower.as_of().unwrap();
    super::support::until("it is still current", async || follower.as_of().unwrap() > current).await;
}

#[tokio::test]
async fn a_follower_cut_off_while_what_it_would_read_next_was_pruned_loads_the_snapshot() {
    let endpoint = endpoint();
    let proxy = Proxy::to(&endpoint).await;
    let mut follower = None;
    let city = Box::pin(City::meanwhile(async |prefix, ledger| {
        let store = EtcdStore::new(connect(&proxy.endpoint()).await, prefix);
        let early = Follower::start(store, Arc::new(Timestamp::now));
        early.reached(ledger.revision(), SOON).await.unwrap();
        proxy.cut();
        follower = Some(early);
    }))
    .await;
    let follower = follower.unwrap();
    let older = city.older().await;
    city.ledger.prune(older).await.unwrap();
    city.compact().await;
    assert_eq!(follower.revision(), 20);
    proxy.mend();
    city.same(&follower).await;
    city.ledger.set_account(account("later")).await.unwrap();
    city.same(&follower).await;
}

#[tokio::test]
async fn a_deposed_leader_prunes_nothing() {
    let city = Box::pin(City::new()).await;
    city.client.kv_client().delete(format!("{}leader", city.prefix), None).await.unwrap();
    let _second = lead(&city.client, &city.prefix, "second").await;
    let older = city.older().await;
    let error = city.ledger.prune(older).await.unwrap_err();
    assert!(matches!(error, PruneError::Edit(EditError::Fenced)), "{error}");
    assert_eq!(city.store.page(1).await.unwrap().entries[0].seq, 1);
}

#[tokio::test]
async fn a_book_goes_out_of_one_store_and_into_another() {
    let city = Box::pin(City::new()).await;
    let mut archive = Vec::new();
    let receipt = export(&city.store, None, None, &mut archive).await.unwrap();
    let prefix = prefix();
    let leadership = lead(&city.client, &prefix, "importer").await;
    let other = EtcdStore::new(city.client.clone(), &prefix);
    let lost = leadership.lost();
    let run = || import(&other, leadership.fence(), &lost, || Ok(archive.as_slice()));
    // It is killed on its way once; the second run goes on.
    let killed = tokio::time::timeout(Duration::from_millis(300), Box::pin(run())).await;
    let imported = match killed {
        Ok(finished) => finished.unwrap(),
        Err(_) => Box::pin(run()).await.unwrap(),
    };
    assert_eq!((imported.last, imported.chain, imported.sealed), (receipt.last, receipt.chain, true));
    let (again, _) = open_with(other, &leadership, options()).await;
    assert_eq!(again.snapshot().digest().unwrap(), city.ledger.snapshot().digest().unwrap());
}
