//! What waits for the caller: orders to decide about, and leases that end.

use jiyun_crds::v1alpha1::CloudHost;
use serde::Serialize;
use utoipa::ToSchema;

use super::{DeletionProtection, Order, lease::Lease};

/// What of one or several departments waits for the caller.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::inbox()))]
pub struct Inbox {
    /// The orders whose turn is with one of the caller's groups, the nearest deadline first. Those that the caller asks for,
    /// or has decided about, are not among them.
    pub items: Vec<Order>,
    /// The hosts whose lease (租期) ends soon or has ended, and which the caller asked for or may change, the nearest end
    /// first, 1,000 at most.
    pub leases: Vec<EndingLease>,
}

/// A host whose lease ends soon or has ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndingLease {
    /// Name of the host.
    #[schema(example = "web-1")]
    pub host: String,
    /// The department it belongs to.
    #[schema(example = "finance")]
    pub department: String,
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The information system it is for.
    pub system: String,
    /// Whether it is kept from being deleted, and so from being released.
    pub deletion_protection: DeletionProtection,
    /// How its lease stands.
    pub lease: Lease,
}

impl EndingLease {
    /// The lease of `host`; none if it has none.
    pub fn new(department: &str, host: CloudHost) -> Option<Self> {
        let lease = Lease::of(&host.spec, host.status.as_ref())?;
        let CloudHost { metadata, spec, .. } = host;
        Some(Self {
            host: metadata.name.unwrap_or_default(),
            department: department.to_owned(),
            display_name: spec.display_name,
            system: spec.system_ref.name,
            deletion_protection: spec.deletion_protection.into(),
            lease,
        })
    }
}
