//! Anti-affinity (反亲和) of a host: in its order, and in what is told of it.

use jiyun_crds::v1alpha1 as crds;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Hosts of the same information system and group are kept on different nodes when they start: where that is possible
/// (`Preferred`), or always (`Required`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AntiAffinity {
    /// Name of the group (反亲和组) within the information system: lower-case letters, digits and hyphens, at most 20
    /// characters.
    #[schema(min_length = 1, max_length = 20, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", example = "web")]
    pub group: String,
    /// What happens where there are not nodes enough; left out: `Preferred`.
    #[serde(default)]
    pub policy: AntiAffinityPolicy,
}

/// `Preferred`: on different nodes where there are enough, else beside others that say the same. `Required`: never beside
/// another of the group; a host without a node of its own waits to start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum AntiAffinityPolicy {
    /// On different nodes where there are enough, else beside others of the group that say the same (尽量分开).
    #[default]
    Preferred,
    /// Never together: a host for which there is no node of its own waits (必须分开).
    Required,
}

impl From<AntiAffinity> for crds::AntiAffinity {
    fn from(AntiAffinity { group, policy }: AntiAffinity) -> Self {
        let policy = match policy {
            AntiAffinityPolicy::Preferred => crds::AntiAffinityPolicy::Preferred,
            AntiAffinityPolicy::Required => crds::AntiAffinityPolicy::Required,
        };
        Self { group, policy }
    }
}

impl From<crds::AntiAffinity> for AntiAffinity {
    fn from(crds::AntiAffinity { group, policy }: crds::AntiAffinity) -> Self {
        let policy = match policy {
            crds::AntiAffinityPolicy::Preferred => AntiAffinityPolicy::Preferred,
            crds::AntiAffinityPolicy::Required => AntiAffinityPolicy::Required,
        };
        Self { group, policy }
    }
}
