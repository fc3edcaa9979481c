//! Whether a pool takes new claims, as operations say it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a pool is in maintenance (维护).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
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
pub enum Maintenance {
    /// the pool is in use (正常).
    #[default]
    None,
    /// nothing new is placed here; what lies here stays until it is moved or ends (排空).
    Drain,
}
