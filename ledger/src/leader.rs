//! Who leads: one key in the ledger's etcd under a lease, whose create revision fences every write.

use std::time::Duration;

use etcd_client::{Client, Compare, CompareOp, EventType, GetOptions, PutOptions, Txn, TxnOp, WatchOptions};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::store::{
    Fence, StoreError,
    etcd::{CALL_TIMEOUT, call, normal_prefix},
};

mod keeper;

/// How long a leader that says nothing is still the leader.
pub const TTL: Duration = Duration::from_secs(10);
/// How long to wait after a failed try.
const RETRY: Duration = Duration::from_millis(500);

/// The leader's key of the book under `prefix`: whoever writes elsewhere in the same etcd compares its create revision too.
pub fn leader_key(prefix: &str) -> String {
    format!("{}leader", normal_prefix(prefix))
}

/// Why there is no leadership.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ElectionError {
    /// The candidate was told to stop.
    #[error("the candidacy was withdrawn")]
    Withdrawn,
    /// The lease is too short to renew within the time one call may take.
    #[error("lease of {ttl:?} is too short: two thirds of it must exceed {CALL_TIMEOUT:?}")]
    TtlTooShort {
        /// The lease wished for.
        ttl: Duration,
    },
}

/// A candidate.
#[derive(Clone, Debug)]
pub struct Campaign {
    key: String,
    identity: String,
    ttl: Duration,
}

impl Campaign {
    /// A candidate for the book under `prefix`; `identity` (a pod's name) is shown in the key.
    pub fn new(prefix: &str, identity: impl Into<String>) -> Self {
        Self { key: leader_key(prefix), identity: identity.into(), ttl: TTL }
    }

    /// With another lease, in whole seconds; at least 5.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Waits until this candidate leads, through any trouble of etcd's, or until `withdraw` is cancelled.
    pub async fn win(&self, client: &Client, withdraw: &CancellationToken) -> Result<Leadership, ElectionError> {
        if self.ttl * 2 / 3 <= CALL_TIMEOUT {
            return Err(ElectionError::TtlTooShort { ttl: self.ttl });
        }
        loop {
            let tried = tokio::select! {
                tried = self.round(client) => tried,
                () = withdraw.cancelled() => return Err(ElectionError::Withdrawn),
            };
            match tried {
                Ok(Some(leadership)) => return Ok(leadership),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "the election goes on");
                    tokio::select! {
                        () = tokio::time::sleep(RETRY) => {}
                        () = withdraw.cancelled() => return Err(ElectionError::Withdrawn),
                    }
                }
            }
        }
    }

    /// Waits for the key to be free, or takes it.
    async fn round(&self, client: &Client) -> Result<Option<Leadership>, StoreError> {
        let found = call("look at the leader", client.kv_client().get(self.key.as_str(), None)).await?;
        if found.kvs().is_empty() {
            return self.take(client).await;
        }
        let revision = found.header().map(etcd_client::ResponseHeader::revision).unwrap_or_default();
        self.until_free(client, revision).await.map(|()| None)
    }

    /// Waits for the key to be deleted, but not much longer than a silent leader's lease lasts: then one looks again.
    async fn until_free(&self, client: &Client, revision: i64) -> Result<(), StoreError> {
        let options = WatchOptions::new().with_start_revision(revision + 1);
        let mut watch =
            call("watch of the leader", client.watch_client().watch(self.key.as_str(), Some(options))).await?;
        let deleted = async {
            while let Some(answer) = watch.message().await? {
                if answer.canceled() || answer.events().iter().any(|event| event.event_type() == EventType::Delete) {
                    break;
                }
            }
            Ok::<(), etcd_client::Error>(())
        };
        match timeout(self.ttl, deleted).await {
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(error)) => Err(crate::store::etcd::failed("watch of the leader", error)),
        }
    }

    async fn take(&self, client: &Client) -> Result<Option<Leadership>, StoreError> {
        let asked = Instant::now();
        let ttl = i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX);
        let lease = call("grant of a lease", client.lease_client().grant(ttl, None)).await?.id();
        // Until it is ours for good, whatever happens the lease is given back.
        let lease = keeper::Lease::new(client.clone(), lease);
        let txn = Txn::new()
            .when([Compare::version(self.key.as_str(), CompareOp::Equal, 0)])
            .and_then([TxnOp::put(
                self.key.as_str(),
                self.identity.as_str(),
                Some(PutOptions::new().with_lease(lease.id())),
            )])
            .or_else([TxnOp::get(self.key.as_str(), Some(GetOptions::new()))]);
        let answer = call("election", client.kv_client().txn(txn)).await;
        let epoch = match answer {
            Ok(answer) if answer.succeeded() => answer.header().map(etcd_client::ResponseHeader::revision),
            Ok(_) => None,
            Err(error) => {
                // It may have gone through: then the key names our lease.
                tracing::warn!(%error, "it is not known whether the election was won; looking");
                let found = call("look at the leader", client.kv_client().get(self.key.as_str(), None)).await?;
                found.kvs().first().filter(|kv| kv.lease() == lease.id()).map(etcd_client::KeyValue::create_revision)
            }
        };
        let Some(epoch) = epoch else {
            lease.revoke().await;
            return Ok(None);
        };
        tracing::info!(epoch, identity = %self.identity, "leads the ledger");
        Ok(Some(Leadership::start(epoch, lease, asked, self.ttl)))
    }
}

/// The right to write, while it lasts. Dropping it lets the lease run out; [`Leadership::resign`] hands over at once.
#[derive(Debug)]
pub struct Leadership {
    epoch: i64,
    lost: CancellationToken,
    keeper: tokio::task::JoinHandle<keeper::Lease>,
    keeping: DropGuard,
}

impl Leadership {
    fn start(epoch: i64, lease: keeper::Lease, asked: Instant, ttl: Duration) -> Self {
        let (lost, resigned) = (CancellationToken::new(), CancellationToken::new());
        let keeper = tokio::spawn(keeper::keep(lease, asked, ttl, lost.clone(), resigned.clone()));
        Self { epoch, lost, keeper, keeping: resigned.drop_guard() }
    }

    /// What every write must carry.
    pub const fn fence(&self) -> Fence {
        Fence { epoch: self.epoch }
    }

    /// Cancelled when leadership is lost or given up. By then no write of this process succeeds for long: stop.
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Gives leadership up; another candidate takes over at once. Stop writing first.
    pub async fn resign(self) {
        let Self { lost, keeper, keeping, .. } = self;
        lost.cancel();
        drop(keeping);
        if let Ok(lease) = keeper.await {
            lease.revoke().await;
        }
    }
}
