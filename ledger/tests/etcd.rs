//! The ledger on a real etcd. Needs `JIYUN_TEST_ETCD` (an endpoint, plain http on loopback); the tests that stop and
//! start etcd need `JIYUN_TEST_ETCD_COMMAND` (a program and arguments to which etcd's flags are added).

#[cfg(test)]
#[path = "etcd/election.rs"]
mod election;
#[cfg(test)]
#[path = "etcd/follow.rs"]
mod follow;
#[cfg(test)]
#[path = "etcd/process.rs"]
mod process;
#[cfg(test)]
#[path = "etcd/proxy.rs"]
mod proxy;
#[cfg(test)]
#[path = "etcd/store.rs"]
mod store;
#[cfg(test)]
#[path = "etcd/support.rs"]
mod support;
