//! What a request would come to: the answer to `dryRun=true`.

use jiyun_approvals::Requirement;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    EstimateView, Host, Order,
    estimate::{Approvals, ApprovalsUnknown},
};

/// What would come of a request for a host. Nothing was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::host_preview()))]
pub struct HostPreview {
    /// The host as it would be, before anything is decided on it; of an end, the host that would go. A host that is yet to
    /// be created will have another `uid` and `createdAt`.
    pub host: Host,
    /// Price, quota and whether it could be had now. Absent where nothing is asked of the ledger, the caller may not read the
    /// department's quota, or the ledger cannot be read now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<EstimateView>,
    /// Of a change to a granted host: what of it is decided before it counts. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeView>,
}

/// What of a change is decided before it counts, and by whom.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeView {
    /// The fields that are decided on, such as `lease.endsAt`; none: all of it applies at once.
    pub decided: Vec<&'static str>,
    /// Who would have to agree; absent where nobody is asked, or that is not known now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Approvals>,
    /// Why it is not known who would have to agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals_unknown: Option<ApprovalsUnknown>,
}

impl ChangeView {
    /// A change whose fields `decided` are decided on, and what is known of who would have to agree.
    pub fn new(decided: Vec<&'static str>, needed: Option<Result<Requirement, ApprovalsUnknown>>) -> Self {
        let approvals_unknown = needed.as_ref().and_then(|needed| needed.as_ref().err().copied());
        let approvals = needed.and_then(Result::ok).map(Approvals::from);
        Self { decided, approvals, approvals_unknown }
    }
}

/// A host after a change: as it is, or, with `dryRun=true`, what would come of the change.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!(super::example::host()))]
pub enum ChangedHost {
    /// The host as it is now asked for.
    Changed(Box<Host>),
    /// What would come of it.
    Preview(Box<HostPreview>),
}

/// What would come of a request about an order. Nothing was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::order_preview()))]
pub struct OrderPreview {
    /// The order as it would be, before anything is decided on it. One that is yet to be created will have another `uid` and
    /// `createdAt`.
    pub order: Order,
    /// Price, quota and whether all of it could be had now. Absent where nothing new is asked of the ledger, the caller may
    /// not read the department's quota, or the ledger cannot be read now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<EstimateView>,
}

/// An order after a change: as it is, or, with `dryRun=true`, what would come of the change.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!(super::example::order()))]
pub enum ChangedOrder {
    /// The order as it is now.
    Changed(Box<Order>),
    /// What would come of it.
    Preview(Box<OrderPreview>),
}
