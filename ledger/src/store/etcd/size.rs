//! How large the store is, and how large it may become before etcd takes nothing more.

use super::{EtcdStore, StoreError, call};

/// etcd's limit unless it is told another one: 2 GiB (`server/storage/quota.go`, `DefaultQuotaBytes`).
pub const DEFAULT_LIMIT: u64 = 2 * 1024 * 1024 * 1024;

/// The size of the member that answered; members differ by what each has not yet given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSize {
    /// Its database file: what etcd compares with the limit.
    pub bytes: u64,
    /// The part of it in use; the rest comes back with a defragmentation.
    pub in_use: u64,
    /// Above this etcd refuses every write until operators make room.
    pub limit: u64,
}

/// How near the limit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fill {
    /// Below 60 %.
    Fine,
    /// From 60 % on: prune, compact and defragment this month.
    High,
    /// From 80 % on: now.
    Critical,
}

impl StoreSize {
    /// How near the limit is.
    pub fn fill(&self) -> Fill {
        let percent = u128::from(self.bytes) * 100 / u128::from(self.limit.max(1));
        match percent {
            80.. => Fill::Critical,
            60.. => Fill::High,
            _ => Fill::Fine,
        }
    }
}

impl EtcdStore {
    /// Asks a member of etcd for its size. `limit` stands in where the member does not tell its own (before 3.6).
    pub async fn size(&self, limit: u64) -> Result<StoreSize, StoreError> {
        let status = call("status", self.client.maintenance_client().status()).await?;
        let bytes = |size: i64| u64::try_from(size).unwrap_or(0);
        let told = Some(bytes(status.db_size_quota())).filter(|quota| *quota > 0);
        Ok(StoreSize {
            bytes: bytes(status.db_size()),
            in_use: bytes(status.raft_used_db_size()),
            limit: told.unwrap_or(limit),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_high_at_60_and_critical_at_80_percent() {
        let fill = |bytes| StoreSize { bytes, in_use: 0, limit: 1000 }.fill();
        assert_eq!([fill(599), fill(600), fill(799), fill(800)], [Fill::Fine, Fill::High, Fill::High, Fill::Critical]);
    }
}
