//! What of a cloud database may change: the body of `PATCH .../databases/{name}`.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{DeletionProtection, Power, database_words::DatabaseTopology};
use crate::extract::merge_patch::{Change, given};

/// A merge patch (RFC 7396) of a database: the fields to change. Fields the API does not know, or that cannot change, are
/// refused.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"topology": "Three", "storage": {"size": "200Gi"}}))]
pub struct DatabasePatch {
    /// Name for people (云数据库名称), one line of at most 63 characters; `null` takes it away. Applies at once.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 63, example = "预算系统数据库")]
    display_name: Change<String>,
    /// Whether it is to run. Applies at once.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Power)]
    power: Option<Power>,
    /// Whether it is kept from being deleted. `Enabled` applies at once; `Disabled` is decided on: the answer is in the
    /// database's conditions.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = DeletionProtection)]
    deletion_protection: Option<DeletionProtection>,
    /// The database class (规格) of each instance, one that is offered on the database's architecture, and in its
    /// version. A larger one is decided on: the answer is in the database's conditions. Instances are replaced one
    /// after the other, the primary last: connections break until that is up again.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, max_length = 63, example = "database-8c32g")]
    class: Option<String>,
    /// How many instances it runs on. More are decided on: the answer is in the database's conditions.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = DatabaseTopology)]
    topology: Option<DatabaseTopology>,
    /// Storage of each instance.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = DatabaseStoragePatch)]
    storage: Option<DatabaseStoragePatch>,
}

/// What of the storage of each instance may change.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatabaseStoragePatch {
    /// Size for each instance. What was granted can grow, never shrink; a growth that was not granted can be taken
    /// back. Decided on: the answer is in the database's conditions.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, max_length = 32, example = "200Gi")]
    size: Option<String>,
}

impl DatabasePatch {
    /// The same as a merge patch of the object's `spec`.
    pub fn into_spec(self) -> Map<String, Value> {
        let Self { display_name, power, deletion_protection, class, topology, storage } = self;
        let size = storage.and_then(|storage| storage.size);
        let fields = [
            ("displayName", display_name.into_value()),
            ("power", power.map(|power| json!(power))),
            ("deletionProtection", deletion_protection.map(|protection| json!(protection))),
            ("classRef", class.map(|class| json!({"name": class}))),
            ("topology", topology.map(|topology| json!(topology))),
            ("storage", size.map(|size| json!({"size": size}))),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}
