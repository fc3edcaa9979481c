//! Notices (通知): what waits for a person is told by webhook and by mail, once, and again until it has arrived.
//!
//! What has to be told is a function of the orders there are, and of the leases of hosts (`jiyun_notices`), so nothing is
//! queued: after a restart it is computed anew. Who was told what lies in the ledger's etcd (`marks`), written after the
//! receiver has said that it has it. Each channel has a courier of its own (`courier`), so that none waits for another, and no
//! reconciler for any.

mod channel;
pub mod config;
mod courier;
mod file;
mod mail;
mod marks;
mod run;
mod schedule;
mod source;
mod ways;
mod webhook;

pub use config::{Config, ConfigError};
pub use run::{Desk, Reads, run};
pub use source::Source;
