//! An information system (信息系统) as the API shows it.

use jiyun_crds::v1alpha1::InformationSystem;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::host::Condition;

/// An information system: what resources are for; the unit of inventory, protection level and cost.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::system()))]
pub struct System {
    /// Its name.
    #[schema(example = "budget")]
    pub name: String,
    /// The department it belongs to.
    #[schema(example = "finance")]
    pub department: String,
    /// Its UID at the API server; a namesake created later has another one.
    pub uid: String,
    /// Name for people (系统名称).
    #[schema(example = "预算管理一体化系统")]
    pub display_name: String,
    /// Protection level it is filed at (等保级别), 1 to 4.
    #[schema(example = 3)]
    pub protection_level: u8,
    /// The network zone it lives in.
    #[schema(example = "extranet-public")]
    pub zone: String,
    /// Number of the project that pays for it (项目编号).
    #[schema(example = "HS-2026-001")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_number: Option<String>,
    /// Person in charge (负责人).
    pub owner: Owner,
    /// How far the platform has come with it.
    pub state: SystemState,
    /// What the platform found out, aspect by aspect.
    pub conditions: Vec<Condition>,
    /// Counts changes of what is asked for; a condition of an older generation is outdated.
    pub generation: i64,
    /// When it was created.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// When its end was asked for.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_requested_at: Option<Time>,
}

/// Person in charge of an information system.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// Name.
    #[schema(example = "周文")]
    pub name: String,
    /// Office telephone.
    #[schema(example = "0734-5550101")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// How far the platform has come with an information system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema, strum::IntoStaticStr)]
pub enum SystemState {
    /// Not looked at yet (待核对).
    Pending,
    /// Hosts can be ordered for it (就绪).
    Ready,
    /// Something is wrong with it (不可用); the conditions say what.
    NotReady,
    /// Being deleted (删除中): gone once nothing is for it any more.
    Deleting,
}

/// A page of information systems.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::system_list()))]
pub struct SystemList {
    /// The systems, in the order asked for.
    pub items: Vec<System>,
    /// Where the next page starts: pass it as `continue`. Absent on the last page.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many are left after this page, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<i64>,
}

/// What would come of a request for an information system. Nothing was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::system_preview()))]
pub struct SystemPreview {
    /// The system as it would be; of an end, the system that would go. One that is yet to be created will have another
    /// `uid` and `createdAt`.
    pub system: System,
}

/// An information system after a change: as it is, or, with `dryRun=true`, what would come of the change.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!(super::example::system()))]
pub enum ChangedSystem {
    /// The system as it is now asked for.
    Changed(Box<System>),
    /// What would come of it.
    Preview(Box<SystemPreview>),
}

impl System {
    /// The system behind `object`, which stands as `state` says.
    pub fn new(department: &str, object: InformationSystem, state: SystemState) -> Self {
        let InformationSystem { metadata, spec, status } = object;
        let conditions = status.map(|status| status.conditions).unwrap_or_default();
        Self {
            name: metadata.name.unwrap_or_default(),
            department: department.to_owned(),
            uid: metadata.uid.unwrap_or_default(),
            display_name: spec.display_name,
            protection_level: spec.protection_level,
            zone: spec.zone_ref.name,
            project_number: spec.project_number,
            owner: Owner { name: spec.owner.name, phone: spec.owner.phone },
            state,
            conditions: conditions.into_iter().map(Condition::from).collect(),
            generation: metadata.generation.unwrap_or_default(),
            created_at: metadata.creation_timestamp,
            deletion_requested_at: metadata.deletion_timestamp,
        }
    }
}
