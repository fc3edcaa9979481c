//! What is counted (计量项), and in which unit.

use serde::{Deserialize, Serialize};

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
    /// Block storage in MiB (块存储).
    BlockStorage,
}

impl Meter {
    /// The unit of a quantity of this meter, as shown to people.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Hosts => "host",
            Self::Vcpu => "vCPU",
            Self::Memory | Self::BlockStorage => "MiB",
        }
    }

    /// Whether a pool whose capacity does not name this meter has none of it. False for [`Meter::Hosts`] alone, which
    /// costs a pool nothing beyond the processors and memory counted beside it.
    pub const fn needs_capacity(self) -> bool {
        match self {
            Self::Hosts => false,
            Self::Vcpu | Self::Memory | Self::BlockStorage => true,
        }
    }
}
