//! How full the ledger's etcd is: looked at every minute while leading, shown as figures, told before it is full.

use std::time::Duration;

use jiyun_ledger::store::etcd::{EtcdStore, Fill};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::metrics::Metrics;

/// How often etcd is asked: at a full load of entries a minute adds far less than the room between warning and end.
const EVERY: Duration = Duration::from_mins(1);

/// Asks until `stop`. `limit` stands in where etcd does not tell its own.
pub async fn watch(store: EtcdStore, limit: u64, metrics: Metrics, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match stop.run_until_cancelled(store.size(limit)).await {
            Some(Ok(size)) => {
                metrics.set_store_size(size);
                let (bytes, in_use, limit) = (size.bytes, size.in_use, size.limit);
                match size.fill() {
                    Fill::Fine => {}
                    Fill::High => {
                        warn!(
                            bytes,
                            in_use,
                            limit,
                            "the ledger's store is at 60 % of its limit: write the old entries to an archive (ledger archive), note it (ledger archived), then \
                             defragment etcd"
                        );
                    }
                    Fill::Critical => {
                        error!(
                            bytes,
                            in_use,
                            limit,
                            "the ledger's store is at 80 % of its limit, and when full nothing can be ordered: archive the old entries and defragment etcd now"
                        );
                    }
                }
            }
            Some(Err(error)) => warn!(%error, "the size of the ledger's store is not known"),
            None => return,
        }
    }
}
