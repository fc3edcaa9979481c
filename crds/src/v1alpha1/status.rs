//! The status that kinds without figures of their own share: conditions, and the generation they speak of.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::condition::conditions_schema;
use crate::schema::structural;

/// What the platform found out about the object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct PlainStatus {
    /// What the platform found out about the object, one entry a type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` the platform last acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// What is used of what there is, in words for columns: `12/64`, `24Gi/256Gi`; `12` where nothing bounds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageSummary {
    /// vCPUs, used and held together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub vcpu: Option<String>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub memory: Option<String>,
    /// Block storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub block_storage: Option<String>,
    /// Object storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub object_storage: Option<String>,
    /// Claims (占用) open now.
    pub claims: u64,
    /// Requests that wait for room in this pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
    /// The entry of the account book this was read at.
    pub revision: u64,
}

/// The status of a pool: conditions, and what is used of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct PoolStatus {
    /// What the platform found out about the object, one entry a type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` the platform last acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What is used, of what may be given out: for columns. Written at most once in ten seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<UsageSummary>,
}
