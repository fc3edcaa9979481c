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

/// Whether a host runs. What is stopped is still reserved and paid for.
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

/// What is counted (计量项).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub enum Meter {
    /// Cloud hosts (云主机), whole; unit `host`.
    Hosts,
    /// Virtual processors (核), whole; unit `vCPU`.
    Vcpu,
    /// Memory (内存), in MiB.
    Memory,
    /// Block storage (块存储), in MiB.
    BlockStorage,
}

impl From<jiyun_ledger::Meter> for Meter {
    fn from(meter: jiyun_ledger::Meter) -> Self {
        match meter {
            jiyun_ledger::Meter::Hosts => Self::Hosts,
            jiyun_ledger::Meter::Vcpu => Self::Vcpu,
            jiyun_ledger::Meter::Memory => Self::Memory,
            jiyun_ledger::Meter::BlockStorage => Self::BlockStorage,
        }
    }
}
