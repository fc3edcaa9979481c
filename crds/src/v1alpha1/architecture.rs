//! The processor architecture (指令架构), spelt as Kubernetes spells it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Processor architecture.
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
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Architecture {
    /// x86-64, e.g. Hygon (海光) C86.
    Amd64,
    /// 64-bit ARM, e.g. Kunpeng (鲲鹏) 920.
    Arm64,
}

impl Architecture {
    /// The word used in objects, labels and the account book.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
