//! Version `v1alpha1` of the group `jiyun.io`: every kind, and the definitions to install.

mod anti_affinity;
mod approval;
mod approval_policy;
mod approval_rules;
mod architecture;
mod cloud_bucket;
mod cloud_database;
mod cloud_host;
mod cloud_snapshot;
mod cloud_volume;
mod compute_pool;
pub mod condition;
mod database_class;
mod delegation;
mod department;
pub mod fields;
mod handover;
mod host_class;
mod host_image;
mod information_system;
mod lease;
mod maintenance;
mod meter;
pub mod misfit;
mod network_flow;
mod network_zone;
mod order;
mod price_list;
mod quota_report;
mod reference;
mod restore;
mod site;
mod status;
mod storage_pool;
pub mod user_data;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

pub use anti_affinity::{AntiAffinity, AntiAffinityPolicy};
pub use approval::{Approval, ApprovalDecision, ApprovalSpec};
pub use approval_policy::{
    ApprovalMode, ApprovalPolicy, ApprovalPolicySpec, ApproverRole, AutomaticLimits, Evidence, PolicyLevel,
    PolicyScope, QuotaScope,
};
pub use approval_rules::{ApplicablePolicy, ApprovalRules, AutomaticSize, RankedLevel};
pub use architecture::Architecture;
pub use cloud_bucket::{BucketConnection, CloudBucket, CloudBucketSpec, CloudBucketStatus};
pub use cloud_database::{
    CloudDatabase, CloudDatabaseSpec, CloudDatabaseStatus, DatabaseConnection, DatabaseGrant, DatabaseStorage,
    DatabaseTopology, EngineChoice,
};
pub use cloud_host::{
    CloudHost, CloudHostSpec, CloudHostStatus, DeletionProtection, HostGrant, HostRefusal, Power, RefusalParameter,
    SystemDisk,
};
pub use cloud_snapshot::{CloudSnapshot, CloudSnapshotSpec, CloudSnapshotStatus, SnapshotSource, SnapshotSourceKind};
pub use cloud_volume::{AttachmentState, CloudVolume, CloudVolumeSpec, CloudVolumeStatus, VolumeAttachment};
pub use compute_pool::{
    ComputeCapacity, ComputePool, ComputePoolSpec, ComputeReserve, HardwareOrigin, ProcessorOrigin, StopRelease,
};
pub use condition::{ConditionStatus, ConditionType, Reason};
pub use database_class::{DatabaseClass, DatabaseClassSpec, DatabaseEngine, DatabaseVersion};
pub use delegation::Delegation;
pub use department::{
    Department, DepartmentAccess, DepartmentSpec, DepartmentState, DepartmentStatus, OverLimit, ParentAccess,
    PlacementPreference, PlacementStrategy, ProcessorPreference, QuotaLimit,
};
pub use handover::{Handover, HandoverFailure, HandoverParty, HandoverSpec, HandoverStatus};
pub use host_class::{HostClass, HostClassSpec, HostSeries};
pub use host_image::{HostImage, HostImageSpec, HttpSource, ImageLifecycle, ImageSource, RegistrySource};
pub use information_system::{InformationSystem, InformationSystemSpec, SystemOwner};
pub use lease::{Lease, LeaseStage, LeaseStatus};
pub use maintenance::Maintenance;
pub use meter::{Meter, PriceUnit};
pub use network_flow::{
    FlowDirection, FlowPeer, FlowPort, FlowProtocol, FlowReach, ForeignPeer, IpBlock, NetworkFlow, NetworkFlowSpec,
    NetworkFlowStatus, SystemPeer,
};
pub use network_zone::{KubeOvnIsolation, NetworkZone, NetworkZoneSpec, ZoneIsolation, ZoneKind};
pub use order::{
    AcceptedItem, CountedDecision, IgnoredApproval, Order, OrderAction, OrderItem, OrderSpec, OrderState, OrderStatus,
    OrderedKind, RequiredLevel,
};
pub use price_list::{Currency, PriceItem, PriceList, PriceListSpec};
pub use quota_report::{QuotaReport, QuotaReportRow, QuotaReportSpec, QuotaReportStatus};
pub use reference::{LocalRef, SecretRef};
pub use restore::{Restore, Restored};
pub use site::{EngineReport, EngineState, Site, SiteAccess, SiteRole, SiteSpec, SiteStatus};
pub use status::{PlainStatus, PoolStatus, UsageSummary};
pub use storage_pool::{StoragePool, StoragePoolSpec, StorageType};

pub use crate::date_time::DateTime;
pub use crate::quantity::Quantity;

/// The version's name.
pub const VERSION: &str = "v1alpha1";

/// The definitions of all kinds as they are to be installed, in alphabetical order of their names.
///
/// Use these rather than a kind's own `crd()`: they also tell Helm to keep the definitions, and with them all objects,
/// when the chart is uninstalled.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    let mut all = vec![
        Approval::crd(),
        ApprovalPolicy::crd(),
        CloudBucket::crd(),
        CloudDatabase::crd(),
        CloudHost::crd(),
        CloudSnapshot::crd(),
        CloudVolume::crd(),
        ComputePool::crd(),
        DatabaseClass::crd(),
        Department::crd(),
        Handover::crd(),
        HostClass::crd(),
        HostImage::crd(),
        InformationSystem::crd(),
        NetworkFlow::crd(),
        NetworkZone::crd(),
        Order::crd(),
        PriceList::crd(),
        QuotaReport::crd(),
        Site::crd(),
        StoragePool::crd(),
    ];
    for definition in &mut all {
        finish(definition);
    }
    all.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    all
}

/// What the derive macro has no words for.
fn finish(definition: &mut CustomResourceDefinition) {
    definition
        .metadata
        .annotations
        .get_or_insert_default()
        .insert("helm.sh/resource-policy".to_owned(), "keep".to_owned());
    for version in &mut definition.spec.versions {
        let root = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        if let Some(status) = root.and_then(|root| root.properties.as_mut()?.get_mut("status")) {
            // The derived root type says "status or null"; an absent status is absent, as everywhere here.
            status.nullable = None;
        }
    }
}
