//! The order of a cloud bucket: the body of `POST .../buckets`.

use jiyun_crds::v1alpha1::{CloudBucket, CloudBucketSpec, LocalRef, Quantity};
use kube::core::ObjectMeta;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{DeletionProtection, host_order::rule};
use crate::{
    extract::{
        DepartmentName, ObjectName,
        name::{is_label, is_subdomain},
    },
    problem::{Code, Fault, Problem},
};

/// A bucket (对象存储桶) a department asks for. Fields the API does not know are refused.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "portal-files", "displayName": "门户网站附件", "system": "portal", "zone": "extranet-public",
    "tier": "standard", "size": "500Gi",
}))]
pub struct BucketOrder {
    /// Name of the bucket: a DNS label of at most 40 characters, unique within the department. Left out where the header
    /// `Idempotency-Key` is sent, and only there: the name is then made from it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 40, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", example = "portal-files")]
    pub name: Option<String>,
    /// Name for people (对象存储桶名称), one line of at most 63 characters.
    #[serde(default)]
    #[schema(max_length = 63, example = "门户网站附件")]
    pub display_name: Option<String>,
    /// The information system (信息系统) of the department the bucket is for. Cannot be changed.
    #[schema(max_length = 40, example = "portal")]
    pub system: String,
    /// The network zone (网络区域) it is used from, that of the information system. Cannot be changed.
    #[schema(max_length = 63, example = "extranet-public")]
    pub zone: String,
    /// Storage tier (存储级别): those with a price of `ObjectStorage` are in the catalogue. Cannot be changed.
    #[schema(max_length = 63, example = "standard")]
    pub tier: String,
    /// How much it may hold, 1Gi to 1Pi in whole Mi. It can grow, never shrink.
    #[schema(max_length = 32, example = "500Gi")]
    pub size: String,
    /// Whether it is kept from being deleted; left out: `Enabled`. Taking it off later is decided like an order.
    #[serde(default)]
    pub deletion_protection: DeletionProtection,
}

impl BucketOrder {
    /// Checks what becomes part of an address at the API server, of a bucket called `name`. Everything else is checked
    /// there, once.
    pub fn validate(&self, name: &str) -> Result<(), Problem> {
        let names = [
            ("name", ObjectName::parse(name).is_some()),
            ("system", is_label(&self.system)),
            ("zone", is_subdomain(&self.zone)),
        ];
        let wrong = names.into_iter().filter(|(_, fits)| !fits);
        let faults = wrong.map(|(field, _)| Fault::new(Code::InvalidField, field, [("problem", rule(field))]));
        Problem::of_body(faults.collect()).map_or(Ok(()), Err)
    }

    /// The object called `name` this order is.
    pub fn into_object(self, department: &DepartmentName, name: &str) -> CloudBucket {
        CloudBucket {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(department.namespace()),
                ..ObjectMeta::default()
            },
            spec: CloudBucketSpec {
                display_name: self.display_name,
                system_ref: LocalRef::new(self.system),
                zone_ref: LocalRef::new(self.zone),
                tier: self.tier,
                size: Quantity::from(self.size.as_str()),
                credentials_requested_at: None,
                deletion_protection: self.deletion_protection.into(),
            },
            status: None,
        }
    }
}
