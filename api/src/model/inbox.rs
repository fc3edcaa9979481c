//! What waits for the caller to decide.

use serde::Serialize;
use utoipa::ToSchema;

use super::Order;

/// Orders of one or several departments that wait for a decision of the caller.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inbox {
    /// The orders whose turn is with one of the caller's groups, the nearest deadline first. Those that the caller asks for,
    /// or has decided about, are not among them.
    pub items: Vec<Order>,
}
