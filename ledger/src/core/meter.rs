//! What is counted (计量项), and in which unit.

use serde::{Deserialize, Serialize};

use super::pool::PoolKind;

/// The largest quantity one line, limit or pool may state: 10^12 units (as memory or storage, 931 TiB x 1,024).
/// Sums over a million such values still fit 64 bits, so counters cannot overflow.
pub const MAX_QUANTITY: u64 = 1_000_000_000_000;

/// What is counted. Order is the order of rows in reports.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
pub enum Meter {
    /// Whole hosts (云主机台数). Counted, not stocked: a pool bounds it only where its capacity names it.
    Hosts,
    /// Virtual processors, whole cores (核).
    Vcpu,
    /// Memory in MiB (内存).
    Memory,
    /// Graphics or inference cards, whole (加速卡).
    Gpus,
    /// Block storage in MiB (块存储).
    BlockStorage,
    /// File storage in MiB (文件存储).
    FileStorage,
    /// Object storage in MiB (对象存储).
    ObjectStorage,
    /// Backup storage in MiB (备份存储).
    BackupStorage,
    /// Database instances (数据库实例). Counted, not stocked, as hosts are.
    DatabaseInstances,
    /// Capacity protected for recovery at another site, in MiB (容灾保护容量).
    ProtectedCapacity,
    /// Public network bandwidth in Mbit/s (公网带宽).
    Bandwidth,
    /// Public addresses (公网地址).
    PublicIps,
}

impl Meter {
    /// The unit of a quantity of this meter, as shown to people.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Hosts => "host",
            Self::Vcpu => "vCPU",
            Self::Gpus => "GPU",
            Self::Memory
            | Self::BlockStorage
            | Self::FileStorage
            | Self::ObjectStorage
            | Self::BackupStorage
            | Self::ProtectedCapacity => "MiB",
            Self::DatabaseInstances => "instance",
            Self::Bandwidth => "Mbit/s",
            Self::PublicIps => "address",
        }
    }

    /// Whether a pool whose capacity does not name this meter has none of it. False for what is only counted: a host or
    /// an instance costs a pool nothing beyond the processors and memory counted beside it.
    pub const fn needs_capacity(self) -> bool {
        !matches!(self, Self::Hosts | Self::DatabaseInstances)
    }

    /// The kind of pool that gives it out.
    pub const fn pool_kind(self) -> PoolKind {
        match self {
            Self::Hosts | Self::Vcpu | Self::Memory | Self::Gpus | Self::DatabaseInstances => PoolKind::Compute,
            Self::BlockStorage | Self::FileStorage | Self::ObjectStorage | Self::BackupStorage => PoolKind::Storage,
            Self::ProtectedCapacity => PoolKind::Recovery,
            Self::Bandwidth | Self::PublicIps => PoolKind::Network,
        }
    }
}
