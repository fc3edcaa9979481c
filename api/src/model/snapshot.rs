//! A cloud snapshot (云快照) as the API shows it.

use jiyun_crds::v1alpha1::{CloudSnapshot, CloudSnapshotStatus};
use jiyun_messages::Language;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ChangeView, DeletionProtection, EstimateView, SnapshotSource,
    host::{Condition, HostState, RefusalView},
};

/// A cloud snapshot: what it is of, and how it stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::snapshot()))]
pub struct Snapshot {
    /// Its name.
    #[schema(example = "before-upgrade")]
    pub name: String,
    /// The department it belongs to.
    #[schema(example = "finance")]
    pub department: String,
    /// Its UID at the API server; a namesake created later has another one.
    pub uid: String,
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The information system it is for.
    pub system: String,
    /// What it is taken of. It outlives that.
    pub source: SnapshotSource,
    /// Storage tier (存储级别) it is paid for by, once granted: that of its source.
    #[schema(example = "standard")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Size of its source when it was granted: what is paid for, and the least a disk made from it has.
    #[schema(example = "100Gi")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted_size: Option<String>,
    /// The moment whose content it holds; absent until it was taken.
    #[schema(format = DateTime, example = "2026-11-20T02:00:03Z")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<String>,
    /// Of a host: the image that one was made from, which a host made from the snapshot names as well.
    #[schema(example = "openeuler-24.03-amd64")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Whether it is kept from being deleted; `Disabled` counts once it was decided.
    pub deletion_protection: DeletionProtection,
    /// How far the platform has come with it.
    pub state: HostState,
    /// The order (申请单) that people decide about, or decided against.
    #[schema(example = "before-upgrade-3f2a9c01")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The claim (占用) in the ledger, once granted.
    #[schema(example = "claim-127")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Why it, or a change of it, was not granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalView>,
    /// What the platform found out, aspect by aspect.
    pub conditions: Vec<Condition>,
    /// Counts changes of what is asked for; a condition of an older generation is outdated.
    pub generation: i64,
    /// When it was ordered.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// When its end was asked for.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_requested_at: Option<Time>,
}

/// A page of snapshots.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::snapshot_list()))]
pub struct SnapshotList {
    /// The snapshots, in the order asked for.
    pub items: Vec<Snapshot>,
    /// Where the next page starts: pass it as `continue`. Absent on the last page.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many are left after this page, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<i64>,
}

/// What would come of a request for a snapshot. Nothing was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::snapshot_preview()))]
pub struct SnapshotPreview {
    /// The snapshot as it would be, before anything is decided on it; of an end, the snapshot that would go. One that
    /// is yet to be created will have another `uid` and `createdAt`.
    pub snapshot: Snapshot,
    /// Price, quota and whether it could be had now. Absent where nothing is asked of the ledger, the caller may not
    /// read the department's quota, or the ledger cannot be read now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<EstimateView>,
    /// Of a change to a granted snapshot: what of it is decided before it counts. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeView>,
}

/// A snapshot after a change: as it is, or, with `dryRun=true`, what would come of the change.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!(super::example::snapshot()))]
pub enum ChangedSnapshot {
    /// The snapshot as it is now asked for.
    Changed(Box<Snapshot>),
    /// What would come of it.
    Preview(Box<SnapshotPreview>),
}

impl Snapshot {
    /// The snapshot behind `object`, which stands as `state` says, for a reader of `language`.
    pub fn new(department: &str, object: CloudSnapshot, state: HostState, language: Language) -> Self {
        let CloudSnapshot { metadata, spec, status } = object;
        let CloudSnapshotStatus {
            conditions, claim_id, tier, granted_size, taken_at, image, refusal, order_ref, ..
        } = status.unwrap_or_default();
        Self {
            name: metadata.name.unwrap_or_default(),
            department: department.to_owned(),
            uid: metadata.uid.unwrap_or_default(),
            display_name: spec.display_name,
            system: spec.system_ref.name,
            source: spec.source.into(),
            tier,
            granted_size: granted_size.map(|size| size.to_string()),
            taken_at: taken_at.map(|at| at.to_string()),
            image,
            deletion_protection: spec.deletion_protection.into(),
            state,
            order: order_ref.map(|order| order.name),
            claim: claim_id,
            refusal: refusal.map(|refusal| RefusalView::new(&refusal, language)),
            conditions: conditions.into_iter().map(Condition::from).collect(),
            generation: metadata.generation.unwrap_or_default(),
            created_at: metadata.creation_timestamp,
            deletion_requested_at: metadata.deletion_timestamp,
        }
    }
}
