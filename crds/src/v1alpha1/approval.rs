//! Approval (审批意见): what one person decided about one order. Made once, never changed.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LocalRef, PlainStatus};
use crate::rules;
use crate::schema::structural;

/// A decision about an order, bound to what the order was when it was looked at. Who decided is stamped on the object by
/// the API server; service accounts cannot, and nobody decides about what they asked for themselves.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "Approval",
    namespaced,
    doc = "What one person decided about one order (审批意见). It is made once and never changed.",
    status = "PlainStatus",
    shortname = "appr",
    category = "jiyun",
    derive = "PartialEq",
    selectable = ".spec.orderRef.name",
    validation = rules::referable_name(),
    printcolumn(name = "Order", type_ = "string", json_path = ".spec.orderRef.name"),
    printcolumn(name = "Level", type_ = "string", json_path = ".spec.level"),
    printcolumn(name = "Decision", type_ = "string", json_path = ".spec.decision"),
    printcolumn(name = "By", type_ = "string", json_path = r#".metadata.annotations.jiyun\.io/requested-by"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct ApprovalSpec {
    /// [immutable] The `Order` of the same namespace.
    #[x_kube(validation = rules::immutable("申请单", "orderRef"))]
    pub order_ref: LocalRef,
    /// [immutable] UID of the order, from its `metadata.uid`.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::immutable("申请单 UID", "orderUid"))]
    pub order_uid: String,
    /// [immutable] Digest of what was looked at, from the order's `status.digest`.
    #[schemars(length(max = 80))]
    #[x_kube(validation = rules::immutable("申请摘要", "digest"))]
    pub digest: String,
    /// [immutable] The level this decides for, from the order's `status.level`.
    #[schemars(length(max = 253))]
    #[x_kube(
        validation = rules::immutable("审批级次", "level"),
        validation = rules::label("审批级次", "level")
    )]
    pub level: String,
    /// [immutable] What is decided.
    #[x_kube(validation = rules::immutable("审批结论", "decision"))]
    pub decision: ApprovalDecision,
    /// [immutable] Why, one line of at most 512 characters; needed for a refusal.
    #[serde(default)]
    #[schemars(length(max = 512))]
    #[x_kube(validation = rules::immutable("审批意见", "reason"))]
    pub reason: String,
}

/// What is decided.
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
pub enum ApprovalDecision {
    /// it may be done (同意).
    Approve,
    /// it may not (不同意); the order is refused.
    Refuse,
}
