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
            Self::Memory | Self::BlockStorage => PriceUnit::GiBMonth,
            Self::Hosts => PriceUnit::HostMonth,
        }
    }
}

impl PriceUnit {
    /// The word used in objects.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
