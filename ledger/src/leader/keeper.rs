//! The lease behind leadership, renewed by a task of its own.

use std::time::Duration;

use etcd_client::Client;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::store::{
    StoreError,
    etcd::{CALL_TIMEOUT, call, failed},
};

/// How long to wait before renewing again after a failure.
const RETRY: Duration = Duration::from_millis(200);

/// A lease of etcd's.
pub(super) struct Lease {
    client: Client,
    id: i64,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Lease {
    pub(super) const fn new(client: Client, id: i64) -> Self {
        Self { client, id }
    }

    pub(super) const fn id(&self) -> i64 {
        self.id
    }

    /// Gives it back; if that fails it runs out by itself.
    pub(super) async fn revoke(self) {
        if let Err(error) = call("revoke of the lease", self.client.lease_client().revoke(self.id)).await {
            tracing::warn!(%error, "the lease is left to run out");
        }
    }
}

/// What came of one renewal.
enum Renewal {
    /// Good from the moment it was asked for.
    Good(Instant),
    /// etcd no longer knows the lease.
    Gone,
}

/// Renews `lease` every fifth of `ttl` until stopped. When two thirds of `ttl` have passed since the last renewal that
/// succeeded was *asked for*, `lost` is cancelled: a third before etcd could give the lead to another.
pub(super) async fn keep(
    lease: Lease,
    granted: Instant,
    ttl: Duration,
    lost: CancellationToken,
    resigned: CancellationToken,
) -> Lease {
    let mut renewed_at = granted;
    loop {
        let deadline = renewed_at + ttl * 2 / 3;
        let renewed = tokio::select! {
            renewed = timeout_at(deadline, renew(&lease, renewed_at + ttl / 5)) => renewed,
            () = resigned.cancelled() => break,
        };
        match renewed {
            Ok(Renewal::Good(asked)) => renewed_at = asked,
            Ok(Renewal::Gone) => {
                tracing::error!("the lease of leadership is gone");
                break;
            }
            Err(_) => {
                tracing::error!(?ttl, "leadership could not be renewed in time");
                break;
            }
        }
    }
    lost.cancel();
    lease
}

/// Renews at `due`, again and again until it succeeds.
async fn renew(lease: &Lease, due: Instant) -> Renewal {
    tokio::time::sleep_until(due).await;
    loop {
        let asked = Instant::now();
        match timeout_at(asked + CALL_TIMEOUT, once(lease)).await {
            Ok(Ok(true)) => return Renewal::Good(asked),
            Ok(Ok(false)) => return Renewal::Gone,
            Ok(Err(error)) => tracing::warn!(%error, "a renewal of leadership failed"),
            Err(_) => tracing::warn!(after = ?CALL_TIMEOUT, "a renewal of leadership timed out"),
        }
        sleep(RETRY).await;
    }
}

/// One renewal on a stream of its own, so that a broken stream costs nothing; false if the lease is gone.
async fn once(lease: &Lease) -> Result<bool, StoreError> {
    match lease.client.lease_client().keep_alive(lease.id).await {
        Ok(_) => Ok(true),
        // The client library reports a time to live of 0 (`LeaseKeepAliveResponse.TTL` of an unknown lease) this way.
        Err(etcd_client::Error::LeaseKeepAliveError(reason)) if reason == "lease not found" => Ok(false),
        Err(error) => Err(failed("renewal of the lease", error)),
    }
}
