//! What of a cloud snapshot may change: the body of `PATCH .../snapshots/{name}`.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::DeletionProtection;
use crate::extract::merge_patch::{Change, given};

/// A merge patch (RFC 7396) of a snapshot: the fields to change. Fields the API does not know, or that cannot change,
/// are refused.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"displayName": "升级前", "deletionProtection": "Disabled"}))]
pub struct SnapshotPatch {
    /// Name for people (云快照名称), one line of at most 63 characters; `null` takes it away. Applies at once.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 63, example = "升级前")]
    display_name: Change<String>,
    /// Whether it is kept from being deleted. `Enabled` applies at once; `Disabled` is decided on: the answer is in the
    /// snapshot's conditions.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = DeletionProtection)]
    deletion_protection: Option<DeletionProtection>,
}

impl SnapshotPatch {
    /// The same as a merge patch of the object's `spec`.
    pub fn into_spec(self) -> Map<String, Value> {
        let Self { display_name, deletion_protection } = self;
        let fields = [
            ("displayName", display_name.into_value()),
            ("deletionProtection", deletion_protection.map(|protection| json!(protection))),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}
