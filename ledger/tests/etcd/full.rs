//! An etcd that is full: nothing is lost, nothing is told wrongly, and the book goes on once there is room.

use etcd_client::{AlarmAction, AlarmType, Client, ConnectOptions, DeleteOptions, Permission};
use jiyun_ledger::{Campaign, Leadership, Ledger, LedgerError, SnapshotError, State, Store, store::etcd::EtcdStore};
use tokio_util::sync::CancellationToken;

use super::{
    process::Etcd,
    support::{account, connect, large, open, until},
};

/// Room for the ballast (in pieces) and some thirty large entries; once it is gone, for a snapshot of them several times
/// over, since bolt rewrites whole pages beside what is written.
const LIMIT: u64 = 24 * 1024 * 1024;
const BALLAST: usize = 17 * 16;
/// Small beside the limit: bolt writes the neighbours of what is written anew, a slow machine after each of them.
const PIECE: usize = 64 * 1024;

struct Full {
    _etcd: Etcd,
    client: Client,
    leadership: Leadership,
    ledger: Ledger,
    store: EtcdStore,
}

/// A small etcd with something in it that can be thrown out later.
async fn small() -> Full {
    let mut etcd = Etcd::new(&[format!("--quota-backend-bytes={LIMIT}")]);
    etcd.start().await;
    let client = connect(&etcd.endpoint("http")).await;
    for n in 0..BALLAST {
        client.kv_client().put(format!("/ballast/{n}"), vec![b'x'; PIECE], None).await.unwrap();
    }
    client.maintenance_client().defragment().await.unwrap();
    let leadership = Campaign::new("/x", "one").win(&client, &CancellationToken::new()).await.unwrap();
    let ledger = open(&client, "/x", &leadership).await;
    let store = EtcdStore::new(client.clone(), "/x");
    Full { _etcd: etcd, client, leadership, ledger, store }
}

impl Full {
    /// What operators do: throw out, compact, defragment, lift the alarm.
    async fn make_room(&self) {
        let all = DeleteOptions::new().with_prefix();
        self.client.kv_client().delete("/ballast/", Some(all)).await.unwrap();
        let head = self.client.kv_client().get("x", None).await.unwrap().header().unwrap().revision();
        let physical = etcd_client::CompactionOptions::new().with_physical();
        self.client.kv_client().compact(head, Some(physical)).await.unwrap();
        let mut maintenance = self.client.maintenance_client();
        maintenance.defragment().await.unwrap();
        let alarms = maintenance.alarm(AlarmAction::Get, AlarmType::Nospace, None).await.unwrap();
        for alarm in alarms.alarms() {
            let mut member = etcd_client::AlarmOptions::new();
            member.with_member(alarm.member_id());
            maintenance.alarm(AlarmAction::Deactivate, AlarmType::Nospace, Some(member)).await.unwrap();
        }
    }

    async fn replayed(&self) -> State {
        let mut state = State::default();
        loop {
            let page = self.store.page(state.seq() + 1).await.unwrap();
            page.entries.iter().for_each(|entry| state.apply(entry).unwrap());
            if !page.more {
                return state;
            }
        }
    }

    async fn same_as_stored(&self) {
        assert_eq!(self.replayed().await.digest().unwrap(), self.ledger.snapshot().digest().unwrap());
    }
}

#[tokio::test]
async fn a_full_etcd_is_answered_with_an_error_and_the_book_goes_on_once_there_is_room() {
    let full = Box::pin(small()).await;
    let mut written = 0;
    let error = loop {
        match full.ledger.set_account(large(&format!("a{written}"), 200_000)).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, LedgerError::Store(_)) && !error.is_fatal(), "{error}");
    let revision = full.ledger.revision();
    // Nothing else gets through either, however small, nor a snapshot; readers go on.
    let error = full.ledger.set_account(account("small")).await.unwrap_err();
    assert!(!error.is_fatal(), "{error}");
    let error = full.ledger.take_snapshot().await.unwrap_err();
    assert!(matches!(error, SnapshotError::Edit(_)), "{error}");
    assert_eq!(full.ledger.revision(), revision);
    assert!(full.ledger.read(|state| state.account(&"small".into()).is_none()));
    full.same_as_stored().await;
    // Leadership outlasts the alarm: its lease is renewed without a write.
    let epoch = full.leadership.fence().epoch;
    let lost = full.leadership.lost();
    assert!(tokio::time::timeout(jiyun_ledger::leader::TTL, lost.cancelled()).await.is_err());

    full.make_room().await;
    let commit = full.ledger.set_account(account("small")).await.unwrap();
    assert_eq!((commit.revision, full.leadership.fence().epoch), (revision + 1, epoch));
    full.ledger.take_snapshot().await.unwrap().unwrap();
    full.same_as_stored().await;
}

#[tokio::test]
async fn what_etcd_wrote_though_it_said_it_was_full_is_known_to_be_written() {
    let full = Box::pin(small()).await;
    // Others reach the limit at the same moment: etcd then applies what it has taken and answers with an error.
    let others = (0..8).map(|writer| {
        let client = full.client.clone();
        tokio::spawn(async move {
            for n in 0..200 {
                let key = format!("/others/{writer}/{n}");
                if client.kv_client().put(key, vec![b'x'; 20_000], None).await.is_err() {
                    return;
                }
            }
        })
    });
    let others: Vec<_> = others.collect();
    let mut errors = 0;
    for n in 0.. {
        match full.ledger.set_account(account(&format!("a{n}"))).await {
            Ok(_) => {}
            Err(error) => {
                assert!(matches!(error, LedgerError::Store(_)), "{error}");
                errors += 1;
                if errors == 3 {
                    break;
                }
            }
        }
    }
    for other in others {
        other.await.unwrap();
    }
    full.same_as_stored().await;
}

#[tokio::test]
async fn the_size_is_told_to_a_user_without_any_right_to_maintain() {
    let mut etcd = Etcd::new(&[format!("--quota-backend-bytes={LIMIT}")]);
    etcd.start().await;
    let endpoint = etcd.endpoint("http");
    let root = connect(&endpoint).await;
    let mut auth = root.auth_client();
    auth.user_add("root", "root", None).await.unwrap();
    auth.role_add("root").await.unwrap();
    auth.user_grant_role("root", "root").await.unwrap();
    auth.user_add("controller", "secret", None).await.unwrap();
    auth.role_add("controller").await.unwrap();
    auth.role_grant_permission("controller", Permission::read_write("/x/").with_prefix()).await.unwrap();
    auth.user_grant_role("controller", "controller").await.unwrap();
    auth.auth_enable().await.unwrap();

    let options = ConnectOptions::new().with_user("controller", "secret");
    let client = Client::connect([endpoint], Some(options)).await.unwrap();
    let leadership = Campaign::new("/x", "one").win(&client, &CancellationToken::new()).await.unwrap();
    let ledger = open(&client, "/x", &leadership).await;
    ledger.set_account(account("a")).await.unwrap();
    ledger.take_snapshot().await.unwrap().unwrap();
    let size = EtcdStore::new(client, "/x").size(1).await.unwrap();
    assert_eq!(size.limit, LIMIT, "etcd tells its own limit");
    assert!(size.bytes > 0 && size.in_use > 0 && size.in_use <= size.bytes, "{size:?}");
    until("leadership is kept", async || !leadership.lost().is_cancelled()).await;
}
