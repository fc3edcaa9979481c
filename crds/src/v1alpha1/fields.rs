//! Field classes: what happens when a spec field of an existing object is changed. One table for all kinds; a test
//! compares it with the schemas, their descriptions and their immutability rules.

/// What happens when a field of an existing object is changed.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::IntoStaticStr,
    strum::EnumIter,
    strum::EnumString,
)]
#[strum(serialize_all = "lowercase")]
pub enum FieldClass {
    /// Applies at once.
    Free,
    /// Growth is decided like a new request, shrinking applies at once.
    Metered,
    /// A change needs approval. As long as there are no approvals, RBAC decides who may make it.
    Guarded,
    /// Refused by the API server.
    Immutable,
}

/// One leaf of a kind's `spec` and its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    /// The kind.
    pub kind: &'static str,
    /// Path below `spec`; `[]` stands for the entries of a list.
    pub path: &'static str,
    /// The class.
    pub class: FieldClass,
}

/// The class of the leaf at `path` (below `spec`, list entries as `[]`) of a kind; `None` if there is no such leaf.
pub fn class_of(kind: &str, path: &str) -> Option<FieldClass> {
    FIELDS.iter().find(|field| field.kind == kind && field.path == path).map(|field| field.class)
}

use FieldClass::{Free, Guarded, Immutable, Metered};

const fn field(kind: &'static str, path: &'static str, class: FieldClass) -> Field {
    Field { kind, path, class }
}

/// Every leaf of every spec, by kind and path.
pub const FIELDS: &[Field] = &[
    field("Approval", "decision", Immutable),
    field("Approval", "digest", Immutable),
    field("Approval", "level", Immutable),
    field("Approval", "orderRef.name", Immutable),
    field("Approval", "orderUid", Immutable),
    field("Approval", "reason", Immutable),
    field("ApprovalPolicy", "appliesTo.actions[]", Free),
    field("ApprovalPolicy", "appliesTo.departments[]", Free),
    field("ApprovalPolicy", "appliesTo.minProtectionLevel", Free),
    field("ApprovalPolicy", "appliesTo.quota", Free),
    field("ApprovalPolicy", "appliesTo.zones[]", Free),
    field("ApprovalPolicy", "automatic.blockStorage", Free),
    field("ApprovalPolicy", "automatic.memory", Free),
    field("ApprovalPolicy", "automatic.vcpu", Free),
    field("ApprovalPolicy", "displayName", Free),
    field("ApprovalPolicy", "evidence[]", Free),
    field("ApprovalPolicy", "levels[].escalateTo[]", Free),
    field("ApprovalPolicy", "levels[].groups[]", Free),
    field("ApprovalPolicy", "levels[].mode", Free),
    field("ApprovalPolicy", "levels[].name", Free),
    field("ApprovalPolicy", "levels[].rank", Free),
    field("ApprovalPolicy", "levels[].remindAfter", Free),
    field("ApprovalPolicy", "levels[].roles[]", Free),
    field("ApprovalPolicy", "levels[].workingDays", Free),
    field("CloudHost", "architecture", Immutable),
    field("CloudHost", "classRef.name", Metered),
    field("CloudHost", "displayName", Free),
    field("CloudHost", "imageRef.name", Immutable),
    field("CloudHost", "power", Free),
    field("CloudHost", "sshAuthorizedKeys[]", Immutable),
    field("CloudHost", "systemDisk.size", Metered),
    field("CloudHost", "systemDisk.tier", Immutable),
    field("CloudHost", "systemRef.name", Immutable),
    field("CloudHost", "zoneRef.name", Immutable),
    field("ComputePool", "architecture", Immutable),
    field("ComputePool", "capacity.memory", Free),
    field("ComputePool", "capacity.vcpu", Free),
    field("ComputePool", "maintenance", Free),
    field("ComputePool", "maxProtectionLevel", Free),
    field("ComputePool", "nodeSelector", Free),
    field("ComputePool", "processor", Free),
    field("ComputePool", "processorOrigin", Free),
    field("ComputePool", "provider", Free),
    field("ComputePool", "reserve.memory", Free),
    field("ComputePool", "reserve.vcpu", Free),
    field("ComputePool", "siteRef.name", Immutable),
    field("ComputePool", "stopReleases[]", Free),
    field("ComputePool", "takenOver[].capacity.memory", Free),
    field("ComputePool", "takenOver[].capacity.vcpu", Free),
    field("ComputePool", "takenOver[].department", Free),
    field("ComputePool", "takenOver[].name", Free),
    field("ComputePool", "takenOver[].serverRoom", Free),
    field("ComputePool", "takenOver[].since", Free),
    field("ComputePool", "vcpuOvercommitPercent", Free),
    field("ComputePool", "zones[]", Free),
    field("Department", "access.approvers[]", Free),
    field("Department", "access.operators[]", Free),
    field("Department", "access.readers[]", Free),
    field("Department", "billingAccount", Free),
    field("Department", "code", Immutable),
    field("Department", "displayName", Free),
    field("Department", "overLimitGraceDays", Free),
    field("Department", "parentRef.name", Free),
    field("Department", "placement.processors", Free),
    field("Department", "placement.strategy", Free),
    field("Department", "quota[].architecture", Free),
    field("Department", "quota[].guaranteed", Free),
    field("Department", "quota[].limit", Free),
    field("Department", "quota[].meter", Free),
    field("Department", "quota[].pool", Free),
    field("Department", "quota[].tier", Free),
    field("Department", "quota[].zone", Free),
    field("Department", "state", Guarded),
    field("Department", "zones[]", Free),
    field("Handover", "document", Free),
    field("Handover", "from.departmentRef.name", Immutable),
    field("Handover", "from.systemRef.name", Immutable),
    field("Handover", "to.departmentRef.name", Immutable),
    field("Handover", "to.systemRef.name", Immutable),
    field("HostClass", "architectures[]", Immutable),
    field("HostClass", "displayName", Free),
    field("HostClass", "memory", Immutable),
    field("HostClass", "series", Immutable),
    field("HostClass", "vcpu", Immutable),
    field("HostImage", "architecture", Immutable),
    field("HostImage", "displayName", Free),
    field("HostImage", "minDisk", Free),
    field("HostImage", "operatingSystem", Free),
    field("HostImage", "source.http.url", Immutable),
    field("HostImage", "source.registry.url", Immutable),
    field("InformationSystem", "displayName", Free),
    field("InformationSystem", "owner.name", Free),
    field("InformationSystem", "owner.phone", Free),
    field("InformationSystem", "projectNumber", Free),
    field("InformationSystem", "protectionLevel", Guarded),
    field("InformationSystem", "zoneRef.name", Immutable),
    field("NetworkZone", "displayName", Free),
    field("NetworkZone", "kind", Immutable),
    field("Order", "applicant", Immutable),
    field("Order", "filingNumber", Free),
    field("Order", "items[].action", Immutable),
    field("Order", "items[].kind", Immutable),
    field("Order", "items[].name", Immutable),
    field("Order", "justification", Free),
    field("Order", "projectNumber", Free),
    field("Order", "state", Free),
    field("Order", "systemRef.name", Immutable),
    field("PriceList", "currency", Immutable),
    field("PriceList", "items[].architecture", Immutable),
    field("PriceList", "items[].meter", Immutable),
    field("PriceList", "items[].price", Immutable),
    field("PriceList", "items[].tier", Immutable),
    field("PriceList", "items[].unit", Immutable),
    field("PriceList", "validFrom", Immutable),
    field("QuotaReport", "departmentRef.name", Immutable),
    field("Site", "access.kubeconfigSecretRef.name", Free),
    field("Site", "access.kubeconfigSecretRef.namespace", Free),
    field("Site", "displayName", Free),
    field("Site", "region", Free),
    field("Site", "role", Free),
    field("StoragePool", "capacity", Free),
    field("StoragePool", "maintenance", Free),
    field("StoragePool", "maxProtectionLevel", Free),
    field("StoragePool", "provider", Free),
    field("StoragePool", "reserve", Free),
    field("StoragePool", "siteRef.name", Immutable),
    field("StoragePool", "storageClassName", Free),
    field("StoragePool", "tier", Immutable),
    field("StoragePool", "zones[]", Free),
];
