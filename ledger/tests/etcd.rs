//! The ledger on a real etcd: one that `JIYUN_TEST_ETCD` names (plain http on loopback), or the lab's, started for these
//! tests.

#[cfg(test)]
#[path = "etcd/election.rs"]
mod election;
#[cfg(test)]
#[path = "etcd/follow.rs"]
mod follow;
#[cfg(test)]
#[path = "etcd/full.rs"]
mod full;
#[cfg(test)]
#[path = "etcd/process.rs"]
mod process;
#[cfg(test)]
#[path = "etcd/proxy.rs"]
mod proxy;
#[cfg(test)]
#[path = "etcd/pruning.rs"]
mod pruning;
#[cfg(test)]
#[path = "etcd/snapshots.rs"]
mod snapshots;
#[cfg(test)]
#[path = "etcd/stopping.rs"]
mod stopping;
#[cfg(test)]
#[path = "etcd/store.rs"]
mod store;
#[cfg(test)]
#[path = "etcd/support.rs"]
mod support;
