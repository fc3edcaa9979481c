//! The order of a cloud database: the body of `POST .../databases`.

use jiyun_crds::v1alpha1::{self as crds, CloudDatabase, CloudDatabaseSpec, LocalRef, Quantity};
use kube::core::ObjectMeta;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Architecture, DeletionProtection, Power,
    database_words::{DatabaseEngine, DatabaseTopology},
    host_order::rule,
};
use crate::{
    extract::{
        DepartmentName, ObjectName,
        name::{is_label, is_subdomain},
    },
    problem::{Code, Fault, Problem},
};

/// A database (云数据库) a department asks for. Fields the API does not know are refused.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "budget-pg", "displayName": "预算系统数据库", "system": "budget", "class": "database-2c8g",
    "zone": "extranet-public", "architecture": "amd64", "engine": {"kind": "Postgresql", "version": "17"},
    "topology": "PrimaryStandby", "storage": {"tier": "performance", "size": "100Gi"},
}))]
pub struct DatabaseOrder {
    /// Name of the database: a DNS label of at most 40 characters that begins with a letter, unique within the department.
    /// Left out where the header `Idempotency-Key` is sent, and only there: the name is then made from it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 40, pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$", example = "budget-pg")]
    pub name: Option<String>,
    /// Name for people (云数据库名称), one line of at most 63 characters.
    #[serde(default)]
    #[schema(max_length = 63, example = "预算系统数据库")]
    pub display_name: Option<String>,
    /// The information system (信息系统) of the department the database is for. Cannot be changed.
    #[schema(max_length = 40, example = "budget")]
    pub system: String,
    /// The database class (规格): vCPUs and memory of each instance.
    #[schema(max_length = 63, example = "database-2c8g")]
    pub class: String,
    /// The network zone (网络区域), that of the information system. Cannot be changed.
    #[schema(max_length = 63, example = "extranet-public")]
    pub zone: String,
    /// The architecture of the machines it runs on. Cannot be changed.
    pub architecture: Architecture,
    /// What kind of database, and in which version. Cannot be changed.
    pub engine: EngineOrder,
    /// How many instances it runs on.
    pub topology: DatabaseTopology,
    /// Storage of each instance; left out: 100Gi of tier `standard`.
    #[serde(default)]
    pub storage: DatabaseStorageOrder,
    /// Whether it runs once it exists; left out: `Running`.
    #[serde(default)]
    pub power: Power,
    /// Whether it is kept from being deleted; left out: `Enabled`. Taking it off later is decided like an order.
    #[serde(default)]
    pub deletion_protection: DeletionProtection,
}

/// Engine and version of a database.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EngineOrder {
    /// The engine; that of the class.
    pub kind: DatabaseEngine,
    /// Major version, one the class is offered in.
    #[schema(max_length = 15, example = "17")]
    pub version: String,
}

/// Storage of each instance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DatabaseStorageOrder {
    /// Storage tier (存储级别). Cannot be changed.
    #[schema(max_length = 63, default = "standard", example = "standard")]
    pub tier: String,
    /// Size for each instance, 10Gi to 4Ti in whole Mi.
    #[schema(max_length = 32, default = "100Gi", example = "100Gi")]
    pub size: String,
}

impl Default for DatabaseStorageOrder {
    fn default() -> Self {
        Self { tier: "standard".to_owned(), size: "100Gi".to_owned() }
    }
}

impl DatabaseOrder {
    /// Checks what becomes part of an address at the API server, of a database called `name`. Everything else is checked
    /// there, once.
    pub fn validate(&self, name: &str) -> Result<(), Problem> {
        let names = [
            ("name", ObjectName::parse(name).is_some()),
            ("system", is_label(&self.system)),
            ("class", is_subdomain(&self.class)),
            ("zone", is_subdomain(&self.zone)),
        ];
        let wrong = names.into_iter().filter(|(_, fits)| !fits);
        let faults = wrong.map(|(field, _)| Fault::new(Code::InvalidField, field, [("problem", rule(field))]));
        Problem::of_body(faults.collect()).map_or(Ok(()), Err)
    }

    /// The object called `name` this order is.
    pub fn into_object(self, department: &DepartmentName, name: &str) -> CloudDatabase {
        CloudDatabase {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(department.namespace()),
                ..ObjectMeta::default()
            },
            spec: CloudDatabaseSpec {
                display_name: self.display_name,
                system_ref: LocalRef::new(self.system),
                class_ref: LocalRef::new(self.class),
                zone_ref: LocalRef::new(self.zone),
                architecture: self.architecture.into(),
                engine: crds::EngineChoice { kind: self.engine.kind.into(), version: self.engine.version },
                topology: self.topology.into(),
                storage: crds::DatabaseStorage {
                    tier: self.storage.tier,
                    size: Quantity::from(self.storage.size.as_str()),
                },
                power: self.power.into(),
                deletion_protection: self.deletion_protection.into(),
            },
            status: None,
        }
    }
}
