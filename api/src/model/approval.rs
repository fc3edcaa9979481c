//! What one person decided about one order (审批意见): the body of `POST .../approvals`, and how it is shown.

use jiyun_crds::{names::ANNOTATION_REQUESTED_BY, v1alpha1 as crds};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApprovalDecision;

/// A decision about an order. Fields the API does not know are refused.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "decision": "Refuse", "reason": "本年度预算不足",
    "digest": "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
}))]
pub struct ApprovalDraft {
    /// What is decided.
    pub decision: ApprovalDecision,
    /// Why, one line of at most 512 characters; needed for a refusal.
    #[serde(default)]
    #[schema(max_length = 512, example = "本年度预算不足")]
    pub reason: String,
    /// The digest of the order that was looked at, from its `digest`: if the order asks for something else by now, nothing
    /// is decided. Left out: whatever it asks for now.
    #[serde(default)]
    #[schema(max_length = 80, example = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae")]
    pub digest: Option<String>,
}

/// What one person decided about one order. It is made once and never changed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::approval()))]
pub struct Approval {
    /// Its name.
    #[schema(example = "a-rq3xk4bd2wmt5ysoaz7u")]
    pub name: String,
    /// The order it is about.
    #[schema(example = "web-1-3f2a9c01")]
    pub order: String,
    /// The level it is for (审批级次).
    #[schema(example = "leader")]
    pub level: String,
    /// What was decided.
    pub decision: ApprovalDecision,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The digest of what was looked at.
    pub digest: String,
    /// Who decided, as the API server knows them.
    pub user: String,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// Whether it counts; absent while the platform has not looked at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<bool>,
    /// Why it does not count, in one word; as in the order's `ignored`.
    #[schema(example = "OwnRequest")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
}

/// A page of approvals.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::approval_list()))]
pub struct ApprovalList {
    /// The approvals, by name.
    pub items: Vec<Approval>,
    /// Where the next page starts: pass it as `continue`. Absent on the last page.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many are left after this page, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<i64>,
}

impl Approval {
    /// The approval behind `object`, and what `order` made of it.
    pub fn new(object: crds::Approval, order: &crds::Order) -> Self {
        let name = object.name_any();
        let status = order.status.as_ref();
        let counted = status.is_some_and(|status| status.decisions.iter().any(|row| row.approval == name));
        let ignored = status.and_then(|status| status.ignored.iter().find(|row| row.approval == name));
        let ignored = ignored.map(|row| row.code.clone());
        let spec = object.spec.clone();
        Self {
            order: spec.order_ref.name,
            level: spec.level,
            decision: spec.decision.into(),
            reason: spec.reason,
            digest: spec.digest,
            user: object.annotations().get(ANNOTATION_REQUESTED_BY).cloned().unwrap_or_default(),
            at: object.metadata.creation_timestamp,
            counts: (counted || ignored.is_some()).then_some(counted),
            ignored,
            name,
        }
    }
}
