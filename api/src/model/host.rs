//! A cloud host (云主机) as the API shows it.

use std::collections::BTreeMap;

use jiyun_crds::v1alpha1::{CloudHost, CloudHostStatus, HostGrant, HostRefusal};
use jiyun_messages::Language;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition as KubeCondition, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{AntiAffinity, Architecture, DeletionProtection, Power, RestoreView, RestoredView, lease::Lease};
use crate::problem::{
    document::{facts, sentence},
    refused::figures,
};

/// A cloud host: what was asked for, and how it stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::host()))]
pub struct Host {
    /// Its name.
    #[schema(example = "web-1")]
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
    /// The host class.
    pub class: String,
    /// The image its system disk was filled from.
    pub image: String,
    /// The snapshot (云快照) whose content the system disk began with; absent: it began as its image.
    #[schema(example = "before-upgrade")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The network zone.
    pub zone: String,
    /// The architecture.
    pub architecture: Architecture,
    /// Which hosts of its information system it does not share a node with (反亲和); absent: it may run beside any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anti_affinity: Option<AntiAffinity>,
    /// The disk it starts from.
    pub system_disk: SystemDisk,
    /// The Secret that its user data (自定义数据) was in when it was made, of the department that ordered it; absent: it has none.
    #[schema(example = "web-boot")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data_secret: Option<String>,
    /// What was granted last: what it has, or takes on when it is next started. Where `class` or `systemDisk` say something
    /// else, that is not decided, or was decided against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted: Option<Granted>,
    /// Whether it is to run.
    pub power: Power,
    /// When its restart was asked for last, as it was written: what was started before is restarted once that time has come.
    #[schema(example = "2026-11-20T02:00:00Z")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_requested_at: Option<String>,
    /// The restore (恢复) of its system disk that was asked for last. Until it is done the host is off, whatever `power`
    /// says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreView>,
    /// The restore that was begun last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored: Option<RestoredView>,
    /// Whether it is kept from being deleted; `Disabled` counts once it was decided.
    pub deletion_protection: DeletionProtection,
    /// Until when it is lent (租期), and how that stands; absent: without end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// How far the platform has come with it.
    pub state: HostState,
    /// The order (申请单) that people decide about, or decided against.
    #[schema(example = "web-1-3f2a9c01")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Network addresses while it runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// When what runs was started: at its first start, when it was switched on or restarted last, or when its engine started it
    /// anew after its guest had ended. A restart is over once this is not before `restartRequestedAt`, compared as moments.
    /// Absent while it does not run.
    #[schema(format = DateTime, example = "2026-11-20T02:00:05Z")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it was granted; what people decide about, when all of them have agreed. Of a host that was handed over, when its
    /// first holder was granted it.
    #[schema(format = DateTime, example = "2026-11-20T02:00:01Z")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted_at: Option<String>,
    /// When it could first be used: it is paid for from that second on. A later stop or fault changes nothing of it.
    #[schema(format = DateTime, example = "2026-11-20T02:01:12Z")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<String>,
    /// The claim (占用) in the ledger, once granted.
    #[schema(example = "claim-123")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Why it, or a change of it, was not granted, or why it may not start again with what it gave back while it was stopped.
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

/// How far the platform has come with a host, a database, a volume, a bucket or a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, strum::IntoStaticStr)]
pub enum HostState {
    /// Not decided yet (待批准).
    Pending,
    /// Not granted (未批准); the refusal or the conditions say why.
    Refused,
    /// Granted, being created or on its way to what was asked for (创建中).
    Granted,
    /// It does what was asked for: runs, is off, or can be used (就绪).
    Ready,
    /// Being deleted (删除中).
    Deleting,
}

/// The disk a host starts from.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemDisk {
    /// Storage tier.
    #[schema(example = "standard")]
    pub tier: String,
    /// Size.
    #[schema(example = "100Gi")]
    pub size: String,
}

/// The size of a host as it was granted.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    /// The host class.
    #[schema(example = "basic-4c8g")]
    pub class: String,
    /// Size of the system disk.
    #[schema(example = "100Gi")]
    pub system_disk_size: String,
}

/// Why a host, a database, a volume, a bucket or a snapshot was not granted. Nothing here is about other departments.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusalView {
    /// The kind of refusal as one word.
    #[schema(example = "ExceedsLimit")]
    pub code: String,
    /// What happened and what to do, in the language asked for.
    pub detail: String,
    /// The facts by name; amounts are numbers in the unit of the parameter `meter`.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub parameters: BTreeMap<String, Value>,
}

/// One aspect of an object's state.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which aspect: `Accepted`, `Admitted`, `Provisioned`, `Ready`.
    #[serde(rename = "type")]
    #[schema(example = "Admitted")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    #[schema(example = "True")]
    pub status: String,
    /// Why, in one word.
    #[schema(example = "Granted")]
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
    /// The generation it was found out about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Since when the status is what it is.
    #[schema(value_type = String, format = DateTime)]
    pub since: Time,
}

/// A page of hosts.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::host_list()))]
pub struct HostList {
    /// The hosts, in the order asked for.
    pub items: Vec<Host>,
    /// Where the next page starts: pass it as `continue`. Absent on the last page.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many are left after this page, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<i64>,
}

impl Host {
    /// The host behind `object`, for a reader of `language`.
    pub fn new(department: &str, object: CloudHost, state: HostState, language: Language) -> Self {
        let CloudHost { metadata, spec, status } = object;
        let lease = Lease::of(&spec, status.as_ref());
        let CloudHostStatus {
            conditions,
            claim_id,
            addresses,
            started_at,
            restored,
            granted_at,
            ready_at,
            refusal,
            order_ref,
            granted,
            ..
        } = status.unwrap_or_default();
        Self {
            name: metadata.name.unwrap_or_default(),
            department: department.to_owned(),
            uid: metadata.uid.unwrap_or_default(),
            display_name: spec.display_name,
            system: spec.system_ref.name,
            class: spec.class_ref.name,
            image: spec.image_ref.name,
            snapshot: spec.snapshot_ref.map(|snapshot| snapshot.name),
            zone: spec.zone_ref.name,
            architecture: spec.architecture.into(),
            anti_affinity: spec.anti_affinity.map(Into::into),
            system_disk: SystemDisk { tier: spec.system_disk.tier, size: spec.system_disk.size.to_string() },
            user_data_secret: spec.user_data_secret_ref.map(|secret| secret.name),
            granted: granted.map(Granted::from),
            power: spec.power.into(),
            restart_requested_at: spec.restart_requested_at.map(|at| at.to_string()),
            restore: spec.restore.map(RestoreView::from),
            restored: restored.map(RestoredView::from),
            deletion_protection: spec.deletion_protection.into(),
            lease,
            state,
            order: order_ref.map(|order| order.name),
            addresses,
            started_at: started_at.map(|at| at.to_string()),
            granted_at: granted_at.map(|at| at.to_string()),
            ready_at: ready_at.map(|at| at.to_string()),
            claim: claim_id,
            refusal: refusal.map(|refusal| RefusalView::new(&refusal, language)),
            conditions: conditions.into_iter().map(Condition::from).collect(),
            generation: metadata.generation.unwrap_or_default(),
            created_at: metadata.creation_timestamp,
            deletion_requested_at: metadata.deletion_timestamp,
        }
    }
}

impl RefusalView {
    /// The refusal, for a reader of `language`.
    pub(super) fn new(refusal: &HostRefusal, language: Language) -> Self {
        let figures = figures(refusal);
        Self {
            code: refusal.code.clone(),
            detail: sentence(&refusal.code, &figures, language),
            parameters: facts(&figures),
        }
    }
}

impl From<HostGrant> for Granted {
    fn from(HostGrant { class, system_disk_size }: HostGrant) -> Self {
        Self { class, system_disk_size: system_disk_size.to_string() }
    }
}

impl From<KubeCondition> for Condition {
    fn from(condition: KubeCondition) -> Self {
        Self {
            kind: condition.type_,
            status: condition.status,
            reason: condition.reason,
            message: condition.message,
            observed_generation: condition.observed_generation,
            since: condition.last_transition_time,
        }
    }
}
