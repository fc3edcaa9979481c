//! Lease (租期) of a cloud host: until when it is lent, and how that stands.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::date_time::DateTime;
use crate::rules;

/// Until when a host is lent.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// [guarded] When the lease ends (到期时间), not included: RFC 3339 with an offset and whole seconds, e.g.
    /// `2027-01-01T00:00:00+08:00`; in the future, at most ten years ahead, and at creation at least an hour. A first lease,
    /// and an earlier end, apply at once; a later end, and taking the lease off, are decided like an order.
    #[x_kube(
        validation = rules::moment("租期到期时间", "lease.endsAt"),
        validation = rules::day_exists("租期到期时间", "lease.endsAt")
    )]
    pub ends_at: DateTime,
}

/// How far a lease has come.
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
pub enum LeaseStage {
    /// it runs, and its end is far off (使用中).
    Running,
    /// it ends soon, and people are told (即将到期).
    Warned,
    /// it has ended: the host is switched off whatever `spec.power` says (已到期).
    Ended,
    /// the machine was taken down and computing is not paid for any more; the disk is kept (已归档).
    Archived,
    /// the time to keep the disk is over as well: the host is being taken down (已释放).
    Released,
}

/// How the lease of a host stands, each step with its time in UTC: past ones as they happened, those to come as they will if
/// nobody does anything.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseStatus {
    /// How far it has come.
    pub stage: LeaseStage,
    /// When it ends, or ended.
    pub ends_at: DateTime,
    /// When the host was switched off for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime>,
    /// When the machine is taken down while the disk is kept; absent once it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_at: Option<DateTime>,
    /// Since when the machine is taken down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<DateTime>,
    /// When the host is taken down with its disk. Absent while it is protected from deletion: it then stays archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_at: Option<DateTime>,
}
