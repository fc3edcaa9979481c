//! Anti-affinity (反亲和): hosts that do the same job are kept from running on one node.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// Hosts of the same information system and group run on different nodes.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AntiAffinity {
    /// [immutable] Name of the group (反亲和组) within the information system, e.g. `web`: lower-case letters, digits and
    /// hyphens, at most 20 characters. One host alone in its group runs anywhere.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::short_label("反亲和组", "antiAffinity.group"))]
    pub group: String,
    /// [immutable] What happens where there are not nodes enough.
    #[serde(default)]
    pub policy: AntiAffinityPolicy,
}

/// How strictly hosts of a group are kept apart.
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
pub enum AntiAffinityPolicy {
    /// on different nodes where there are enough, else beside others of the group that say the same (尽量分开).
    #[default]
    Preferred,
    /// never together: a host for which there is no node of its own waits (必须分开).
    Required,
}
