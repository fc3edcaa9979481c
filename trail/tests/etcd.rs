//! Heads in a real etcd: one that `JIYUN_TEST_ETCD` names (plain http on loopback), or the lab's, started for these tests.

#[cfg(test)]
#[path = "etcd/process.rs"]
mod process;

#[cfg(test)]
#[path = "etcd/heads.rs"]
mod heads;
