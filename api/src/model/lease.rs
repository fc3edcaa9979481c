//! Leases (租期) of hosts: until when they are lent, and how that stands.

use jiyun_crds::v1alpha1::{self as crds, CloudHostSpec, CloudHostStatus, DateTime};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Until when a host is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeaseTerm {
    /// When it ends (到期时间), not included: RFC 3339 with an offset and whole seconds, in the future and at most ten years
    /// ahead; of a new host at least an hour.
    #[schema(max_length = 40, example = "2027-01-01T00:00:00+08:00")]
    pub ends_at: String,
}

/// How the lease of a host stands: past steps with their times, and those to come if nobody does anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// When it is asked to end; absent where it is asked for without end.
    #[schema(example = "2027-01-01T00:00:00+08:00")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
    /// When it ends by what was granted, in UTC: another time where a change is not decided yet. Absent before the grant.
    #[schema(example = "2026-12-31T16:00:00Z")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted_until: Option<String>,
    /// How far it has come; absent before the grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<LeaseStage>,
    /// When the host was switched off for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// When its machine is taken down while the disk is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_at: Option<String>,
    /// Since when its machine is taken down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<String>,
    /// When the host goes with its disk; absent while it is protected from deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_at: Option<String>,
}

/// How far a lease has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub enum LeaseStage {
    /// It runs, and its end is far off (使用中).
    Running,
    /// It ends soon (即将到期).
    Warned,
    /// It has ended: the host is off, whatever it is asked for (已到期).
    Ended,
    /// The machine was taken down, and its disk is kept (已归档).
    Archived,
    /// The host is being taken down for it (已释放).
    Released,
}

impl Lease {
    /// The lease of a host; none where it is neither asked for nor granted with one.
    pub fn of(spec: &CloudHostSpec, status: Option<&CloudHostStatus>) -> Option<Self> {
        let granted = status.and_then(|status| status.lease.as_ref());
        let asked = spec.lease.as_ref();
        let text = |at: &DateTime| at.to_string();
        (asked.is_some() || granted.is_some()).then(|| Self {
            ends_at: asked.map(|lease| text(&lease.ends_at)),
            granted_until: granted.map(|lease| text(&lease.ends_at)),
            stage: granted.map(|lease| lease.stage.into()),
            ended_at: granted.and_then(|lease| lease.ended_at.as_ref().map(text)),
            archive_at: granted.and_then(|lease| lease.archive_at.as_ref().map(text)),
            archived_at: granted.and_then(|lease| lease.archived_at.as_ref().map(text)),
            release_at: granted.and_then(|lease| lease.release_at.as_ref().map(text)),
        })
    }
}

impl From<LeaseTerm> for crds::Lease {
    fn from(term: LeaseTerm) -> Self {
        Self { ends_at: DateTime::from(term.ends_at.as_str()) }
    }
}

impl From<LeaseTerm> for Value {
    fn from(term: LeaseTerm) -> Self {
        json!({"endsAt": term.ends_at})
    }
}

impl From<crds::LeaseStage> for LeaseStage {
    fn from(stage: crds::LeaseStage) -> Self {
        match stage {
            crds::LeaseStage::Running => Self::Running,
            crds::LeaseStage::Warned => Self::Warned,
            crds::LeaseStage::Ended => Self::Ended,
            crds::LeaseStage::Archived => Self::Archived,
            crds::LeaseStage::Released => Self::Released,
        }
    }
}
