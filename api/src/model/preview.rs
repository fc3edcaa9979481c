//! What a request would come to: the answer to `dryRun=true`.

use serde::Serialize;
use utoipa::ToSchema;

use super::{EstimateView, Host, Order};

/// What would come of a request for a host. Nothing was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostPreview {
    /// The host as it would be, before anything is decided on it; of an end, the host that would go. A host that is yet to
    /// be created will have another `uid` and `createdAt`.
    pub host: Host,
    /// Price, quota and whether it could be had now. Absent where nothing is asked of the ledger, the caller may not read the
    /// department's quota, or the ledger cannot be read now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<EstimateView>,
}

/// A host after a change: as it is, or, with `dryRun=true`, what would come of the change.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ChangedHost {
    /// The host as it is now asked for.
    Changed(Box<Host>),
    /// What would come of it.
    Preview(Box<HostPreview>),
}

/// What would come of a request about an order. Nothing was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
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
pub enum ChangedOrder {
    /// The order as it is now.
    Changed(Box<Order>),
    /// What would come of it.
    Preview(Box<OrderPreview>),
}
