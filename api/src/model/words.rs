//! The fixed words of the API: architecture, power, meter.

use jiyun_crds::v1alpha1 as crds;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Processor architecture (指令架构).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// x86-64, e.g. Hygon (海光) C86.
    Amd64,
    /// 64-bit ARM, e.g. Kunpeng (鲲鹏) 920.
    Arm64,
}

impl From<Architecture> for crds::Architecture {
    fn from(architecture: Architecture) -> Self {
        match architecture {
            Architecture::Amd64 => Self::Amd64,
            Architecture::Arm64 => Self::Arm64,
        }
    }
}

impl From<crds::Architecture> for Architecture {
    fn from(architecture: crds::Architecture) -> Self {
        match architecture {
            crds::Architecture::Amd64 => Self::Amd64,
            crds::Architecture::Arm64 => Self::Arm64,
        }
    }
}

/// Whether a host runs. What is stopped is still reserved and paid for, but for what its pool makes it give back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Power {
    /// It runs (开机).
    #[default]
    Running,
    /// It is switched off (关机).
    Stopped,
}

impl From<Power> for crds::Power {
    fn from(power: Power) -> Self {
        match power {
            Power::Running => Self::Running,
            Power::Stopped => Self::Stopped,
        }
    }
}

impl From<crds::Power> for Power {
    fn from(power: crds::Power) -> Self {
        match power {
            crds::Power::Running => Self::Running,
            crds::Power::Stopped => Self::Stopped,
        }
    }
}

/// Whether a host is kept from being deleted (删除保护).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum DeletionProtection {
    /// It cannot be deleted; an order that ends it still can (已开启).
    #[default]
    Enabled,
    /// It can be deleted, once that was decided (已关闭).
    Disabled,
}

impl From<DeletionProtection> for crds::DeletionProtection {
    fn from(protection: DeletionProtection) -> Self {
        match protection {
            DeletionProtection::Enabled => Self::Enabled,
            DeletionProtection::Disabled => Self::Disabled,
        }
    }
}

impl From<crds::DeletionProtection> for DeletionProtection {
    fn from(protection: crds::DeletionProtection) -> Self {
        match protection {
            crds::DeletionProtection::Enabled => Self::Enabled,
            crds::DeletionProtection::Disabled => Self::Disabled,
        }
    }
}

/// What is counted (计量项).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub enum Meter {
    /// Cloud hosts (云主机), whole; unit `host`.
    Hosts,
    /// Virtual processors (核), whole; unit `vCPU`.
    Vcpu,
    /// Memory (内存), in MiB.
    Memory,
    /// Graphics or inference cards (加速卡), whole; unit `GPU`.
    Gpus,
    /// Block storage (块存储), in MiB.
    BlockStorage,
    /// File storage (文件存储), in MiB.
    FileStorage,
    /// Object storage (对象存储), in MiB.
    ObjectStorage,
    /// Backup storage (备份存储), in MiB.
    BackupStorage,
    /// Database instances (数据库实例), whole; unit `instance`.
    DatabaseInstances,
    /// Capacity protected for recovery (容灾保护容量), in MiB.
    ProtectedCapacity,
    /// Public bandwidth (公网带宽), in Mbit/s.
    Bandwidth,
    /// Public addresses (公网地址), whole; unit `address`.
    PublicIps,
}

impl From<jiyun_ledger::Meter> for Meter {
    fn from(meter: jiyun_ledger::Meter) -> Self {
        match meter {
            jiyun_ledger::Meter::Hosts => Self::Hosts,
            jiyun_ledger::Meter::Vcpu => Self::Vcpu,
            jiyun_ledger::Meter::Memory => Self::Memory,
            jiyun_ledger::Meter::Gpus => Self::Gpus,
            jiyun_ledger::Meter::BlockStorage => Self::BlockStorage,
            jiyun_ledger::Meter::FileStorage => Self::FileStorage,
            jiyun_ledger::Meter::ObjectStorage => Self::ObjectStorage,
            jiyun_ledger::Meter::BackupStorage => Self::BackupStorage,
            jiyun_ledger::Meter::DatabaseInstances => Self::DatabaseInstances,
            jiyun_ledger::Meter::ProtectedCapacity => Self::ProtectedCapacity,
            jiyun_ledger::Meter::Bandwidth => Self::Bandwidth,
            jiyun_ledger::Meter::PublicIps => Self::PublicIps,
        }
    }
}
