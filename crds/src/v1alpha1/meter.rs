//! What is counted (计量项) and in which unit it is priced.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is counted.
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
    JsonSchema,
    strum::Display,
    strum::IntoStaticStr,
    strum::EnumIter,
    strum::EnumString,
)]
pub enum Meter {
    /// virtual CPUs (vCPU 核), whole.
    Vcpu,
    /// memory (内存), in whole MiB.
    Memory,
    /// cloud hosts (云主机), whole.
    Hosts,
    /// block storage (块存储), in whole MiB.
    BlockStorage,
    /// graphics or inference cards (加速卡), whole.
    Gpus,
    /// file storage (文件存储), in whole MiB.
    FileStorage,
    /// object storage (对象存储), in whole MiB.
    ObjectStorage,
    /// backup storage (备份存储), in whole MiB.
    BackupStorage,
    /// database instances (数据库实例), whole.
    DatabaseInstances,
    /// capacity protected for recovery (容灾保护容量), in whole MiB.
    ProtectedCapacity,
    /// public bandwidth (公网带宽), in whole Mbit/s.
    Bandwidth,
    /// public addresses (公网地址), whole.
    PublicIps,
}

impl Meter {
    /// Whether its amounts are sizes in MiB; else they are whole numbers.
    pub const fn is_size(self) -> bool {
        match self {
            Self::Memory
            | Self::BlockStorage
            | Self::FileStorage
            | Self::ObjectStorage
            | Self::BackupStorage
            | Self::ProtectedCapacity => true,
            Self::Vcpu | Self::Hosts | Self::Gpus | Self::DatabaseInstances | Self::Bandwidth | Self::PublicIps => {
                false
            }
        }
    }
}

/// What a price is for: one unit of a meter, one month long.
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
    JsonSchema,
    strum::Display,
    strum::IntoStaticStr,
    strum::EnumIter,
    strum::EnumString,
)]
pub enum PriceUnit {
    /// one vCPU for one month (核·月).
    CoreMonth,
    /// one GiB for one month (GiB·月).
    GiBMonth,
    /// one host for one month (台·月).
    HostMonth,
    /// one card for one month (卡·月).
    GpuMonth,
    /// one database instance for one month (实例·月).
    InstanceMonth,
    /// one Mbit/s for one month (Mbps·月).
    MbpsMonth,
    /// one address for one month (个·月).
    AddressMonth,
}

impl Meter {
    /// The word used in objects and in the account book.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The unit this meter is priced in.
    pub fn price_unit(self) -> PriceUnit {
        match self {
            Self::Vcpu => PriceUnit::CoreMonth,
            Self::Memory
            | Self::BlockStorage
            | Self::FileStorage
            | Self::ObjectStorage
            | Self::BackupStorage
            | Self::ProtectedCapacity => PriceUnit::GiBMonth,
            Self::Hosts => PriceUnit::HostMonth,
            Self::Gpus => PriceUnit::GpuMonth,
            Self::DatabaseInstances => PriceUnit::InstanceMonth,
            Self::Bandwidth => PriceUnit::MbpsMonth,
            Self::PublicIps => PriceUnit::AddressMonth,
        }
    }
}

impl PriceUnit {
    /// The word used in objects.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
