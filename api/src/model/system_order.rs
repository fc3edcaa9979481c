//! A new information system: the body of `POST .../systems`.

use jiyun_crds::v1alpha1::{InformationSystem, InformationSystemSpec, LocalRef, SystemOwner};
use kube::core::ObjectMeta;
use serde::Deserialize;
use utoipa::ToSchema;

use super::host_order::rule;
use crate::{
    extract::{DepartmentName, ObjectName, name::is_subdomain},
    problem::{Code, Fault, Problem},
};

/// An information system (信息系统) a department sets up. Fields the API does not know are refused.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "budget", "displayName": "预算管理一体化系统", "protectionLevel": 3, "zone": "extranet-public",
    "projectNumber": "HS-2026-001", "owner": {"name": "周文", "phone": "0734-5550101"},
}))]
pub struct SystemOrder {
    /// Name of the system: a DNS label of at most 40 characters, unique within the department. Left out where the header
    /// `Idempotency-Key` is sent, and only there: the name is then made from it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 40, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", example = "budget")]
    pub name: Option<String>,
    /// Name for people (系统名称), one line of at most 63 characters.
    #[schema(max_length = 63, example = "预算管理一体化系统")]
    pub display_name: String,
    /// Protection level it is filed at (等保级别, GB/T 22239), 1 to 4. Its resources go to pools of at least that level.
    #[schema(minimum = 1, maximum = 4, example = 3)]
    pub protection_level: u8,
    /// The network zone (网络区域) it lives in. Cannot be changed.
    #[schema(max_length = 63, example = "extranet-public")]
    pub zone: String,
    /// Number of the project that pays for it (项目编号), one line of at most 63 characters.
    #[serde(default)]
    #[schema(max_length = 63, example = "HS-2026-001")]
    pub project_number: Option<String>,
    /// Person in charge (负责人).
    pub owner: OwnerOrder,
}

/// Person in charge of an information system.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnerOrder {
    /// Name, at most 63 characters.
    #[schema(max_length = 63, example = "周文")]
    pub name: String,
    /// Office telephone: 3 to 24 digits, blanks, `+`, `-` and brackets.
    #[serde(default)]
    #[schema(pattern = "^[0-9+() -]{3,24}$", example = "0734-5550101")]
    pub phone: Option<String>,
}

impl SystemOrder {
    /// Checks what becomes part of an address at the API server, of a system called `name`. Everything else is checked
    /// there, once.
    pub fn validate(&self, name: &str) -> Result<(), Problem> {
        let names = [("name", ObjectName::parse(name).is_some()), ("zone", is_subdomain(&self.zone))];
        let wrong = names.into_iter().filter(|(_, fits)| !fits);
        let faults = wrong.map(|(field, _)| Fault::new(Code::InvalidField, field, [("problem", rule(field))]));
        Problem::of_body(faults.collect()).map_or(Ok(()), Err)
    }

    /// The object called `name` this is.
    pub fn into_object(self, department: &DepartmentName, name: &str) -> InformationSystem {
        InformationSystem {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(department.namespace()),
                ..ObjectMeta::default()
            },
            spec: InformationSystemSpec {
                display_name: self.display_name,
                protection_level: self.protection_level,
                zone_ref: LocalRef::new(self.zone),
                project_number: self.project_number,
                owner: SystemOwner { name: self.owner.name, phone: self.owner.phone },
            },
            status: None,
        }
    }
}
