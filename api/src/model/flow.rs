//! A network flow (网络互访) as the API shows it.

use jiyun_crds::v1alpha1::{NetworkFlow, NetworkFlowStatus};
use jiyun_messages::Language;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    flow_words::{FlowDirection, FlowPeer, FlowPort, FlowReach},
    host::{Condition, RefusalView},
};

/// A network flow: who may talk to whom, as it was asked for, and how it stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::flow()))]
pub struct Flow {
    /// Its name.
    #[schema(example = "web-to-db")]
    pub name: String,
    /// The department it belongs to.
    #[schema(example = "finance")]
    pub department: String,
    /// Its UID at the API server; a namesake created later has another one.
    pub uid: String,
    /// The information system whose hosts are at this end.
    #[schema(example = "budget")]
    pub system: String,
    /// Which end opens the connection.
    pub direction: FlowDirection,
    /// Hosts at this end; none: all of the system, those to come as well.
    pub hosts: Vec<String>,
    /// The other end.
    pub peer: FlowPeer,
    /// Ports of the end that answers.
    pub ports: Vec<FlowPort>,
    /// What it is for (事由).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// How far the platform has come with it.
    pub state: FlowState,
    /// How far it reaches, as it is asked for; absent until the platform has looked at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reach: Option<FlowReach>,
    /// The order (申请单) that people decide about, or decided against.
    #[schema(example = "web-to-db-3f2a9c01")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The claim (占用) in the ledger that keeps what was decided, once granted.
    #[schema(example = "claim-123")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Why it, or the last change of it, was not granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalView>,
    /// What the platform found out, aspect by aspect.
    pub conditions: Vec<Condition>,
    /// Counts changes of what is asked for; a condition of an older generation is outdated.
    pub generation: i64,
    /// When it was declared.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// When its end was asked for.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_requested_at: Option<Time>,
}

/// How far the platform has come with a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, strum::IntoStaticStr)]
pub enum FlowState {
    /// Not decided yet (待批准): nothing is open for it.
    Pending,
    /// Not granted (未批准); the refusal or the conditions say why. Nothing is open for it.
    Refused,
    /// Granted, being opened (下发中).
    Granted,
    /// What was decided is open (已开通). After an edit that is what was decided before, until the edit is.
    Open,
    /// Being closed (关闭中).
    Deleting,
}

/// A page of flows.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::flow_list()))]
pub struct FlowList {
    /// The flows, in the order asked for.
    pub items: Vec<Flow>,
    /// Where the next page starts: pass it as `continue`. Absent on the last page.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many are left after this page, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<i64>,
}

/// What would come of a request for a flow. Nothing was written, and nobody has decided anything.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::flow_preview()))]
pub struct FlowPreview {
    /// The flow as it would be asked for; of an end, the flow that would go. One that is yet to be created will have
    /// another `uid` and `createdAt`.
    pub flow: Flow,
}

/// A flow after a change: as it is, or, with `dryRun=true`, what would come of the change.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!(super::example::flow()))]
pub enum ChangedFlow {
    /// The flow as it is now asked for.
    Changed(Box<Flow>),
    /// What would come of it.
    Preview(Box<FlowPreview>),
}

impl Flow {
    /// The flow behind `object`, which stands as `state` says, for a reader of `language`.
    pub fn new(department: &str, object: NetworkFlow, state: FlowState, language: Language) -> Self {
        let NetworkFlow { metadata, spec, status } = object;
        let NetworkFlowStatus { conditions, claim_id, reach, refusal, order_ref, .. } = status.unwrap_or_default();
        Self {
            name: metadata.name.unwrap_or_default(),
            department: department.to_owned(),
            uid: metadata.uid.unwrap_or_default(),
            system: spec.system_ref.name,
            direction: spec.direction.into(),
            hosts: spec.hosts,
            peer: spec.peer.into(),
            ports: spec.ports.into_iter().map(Into::into).collect(),
            justification: spec.justification,
            state,
            reach: reach.map(Into::into),
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
