//! The order a claim goes back to, as the approved spec in the book names it: the same for every kind.

use jiyun_crds::v1alpha1::Order;
use kube::ResourceExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The order a claim goes back to: its name, and its UID, since names come again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrderMark {
    /// Name, in the namespace the object had then.
    pub name: String,
    /// UID.
    pub uid: String,
}

impl OrderMark {
    /// The mark of `order`.
    pub fn new(order: &Order) -> Self {
        Self { name: order.name_any(), uid: order.uid().unwrap_or_default() }
    }

    /// The mark on what was approved, if an order asked for it.
    pub fn of(approved_spec: &Value) -> Option<Self> {
        Self::deserialize(approved_spec.get("order")?).ok()
    }

    /// Whether it is that of `order`.
    pub fn is_of(&self, order: &Order) -> bool {
        order.metadata.uid.as_deref() == Some(self.uid.as_str())
    }
}
