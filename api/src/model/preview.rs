//! What a request would come to: the answer to `dryRun=true`.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Host, Order};

/// What would come of a request for a host. Nothing was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostPreview {
    /// The host as it would be, before anything is decided on it; of an end, the host that would go. A host that is yet to
    /// be created will have another `uid` and `createdAt`.
    pub host: Host,
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
