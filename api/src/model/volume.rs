//! A cloud volume (云硬盘) as the API shows it.

use jiyun_crds::v1alpha1::{self as crds, CloudVolume, CloudVolumeStatus};
use jiyun_messages::Language;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ChangeView, DeletionProtection, EstimateView, RestoreView, RestoredView,
    host::{Condition, HostState, RefusalView},
    volume_words::AttachmentState,
};

/// A cloud volume: what was asked for, how it stands, and which host has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::volume()))]
pub struct Volume {
    /// Its name.
    #[schema(example = "portal-data")]
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
    /// The network zone.
    pub zone: String,
    /// Storage tier.
    #[schema(example = "standard")]
    pub tier: String,
    /// Size, as it is asked for: 1Gi to 16Ti in whole Mi.
    #[schema(example = "200Gi")]
    pub size: String,
    /// The size that was granted last. Where `size` says something else, that is not decided, or was decided against.
    #[schema(example = "200Gi")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted_size: Option<String>,
    /// The snapshot (云快照) whose content it began with; absent: it came empty.
    #[schema(example = "before-upgrade")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The host it is to be attached to (挂载); absent: it lies by itself. Where that host cannot have it, the one in
    /// `attachment` keeps it.
    #[schema(example = "web-1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The host that has it, or is the only one that may have it now; absent where no host has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment: Option<AttachmentView>,
    /// The serial number a guest finds it by: on Linux `/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_<serial>`. It stays what it
    /// was first; letters such as `sdb` change.
    #[schema(example = "claim-125")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The restore (恢复) that was asked for last. Until it is done no host is given the volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreView>,
    /// The restore that was begun last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored: Option<RestoredView>,
    /// Whether it is kept from being deleted; `Disabled` counts once it was decided.
    pub deletion_protection: DeletionProtection,
    /// How far the platform has come with it.
    pub state: HostState,
    /// The order (申请单) that people decide about, or decided against.
    #[schema(example = "portal-data-3f2a9c01")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The claim (占用) in the ledger, once granted.
    #[schema(example = "claim-125")]
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

/// A volume's host, and how far they are with each other.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VolumeAttachment)]
pub struct AttachmentView {
    /// Name of the host. While it stands here no other host is given the volume.
    #[schema(example = "web-1")]
    pub host: String,
    /// How far it is.
    pub state: AttachmentState,
}

/// A page of volumes.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::volume_list()))]
pub struct VolumeList {
    /// The volumes, in the order asked for.
    pub items: Vec<Volume>,
    /// Where the next page starts: pass it as `continue`. Absent on the last page.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many are left after this page, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<i64>,
}

/// What would come of a request for a volume. Nothing was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::volume_preview()))]
pub struct VolumePreview {
    /// The volume as it would be, before anything is decided on it; of an end, the volume that would go. One that is yet to be
    /// created will have another `uid` and `createdAt`.
    pub volume: Volume,
    /// Price, quota and whether it could be had now. Absent where nothing is asked of the ledger, the caller may not read the
    /// department's quota, or the ledger cannot be read now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<EstimateView>,
    /// Of a change to a granted volume: what of it is decided before it counts. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeView>,
}

/// A volume after a change: as it is, or, with `dryRun=true`, what would come of the change.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!(super::example::volume()))]
pub enum ChangedVolume {
    /// The volume as it is now asked for.
    Changed(Box<Volume>),
    /// What would come of it.
    Preview(Box<VolumePreview>),
}

impl Volume {
    /// The volume behind `object`, which stands as `state` says, for a reader of `language`.
    pub fn new(department: &str, object: CloudVolume, state: HostState, language: Language) -> Self {
        let CloudVolume { metadata, spec, status } = object;
        let CloudVolumeStatus {
            conditions,
            claim_id,
            attachment,
            serial,
            restored,
            refusal,
            order_ref,
            granted_size,
            ..
        } = status.unwrap_or_default();
        Self {
            name: metadata.name.unwrap_or_default(),
            department: department.to_owned(),
            uid: metadata.uid.unwrap_or_default(),
            display_name: spec.display_name,
            system: spec.system_ref.name,
            zone: spec.zone_ref.name,
            tier: spec.tier,
            size: spec.size.to_string(),
            granted_size: granted_size.map(|size| size.to_string()),
            snapshot: spec.snapshot_ref.map(|snapshot| snapshot.name),
            host: spec.host_ref.map(|host| host.name),
            attachment: attachment.map(AttachmentView::from),
            serial,
            restore: spec.restore.map(RestoreView::from),
            restored: restored.map(RestoredView::from),
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

impl From<crds::VolumeAttachment> for AttachmentView {
    fn from(attachment: crds::VolumeAttachment) -> Self {
        Self { host: attachment.host, state: attachment.state.into() }
    }
}
