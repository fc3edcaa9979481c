//! What of an information system may change: the body of `PATCH .../systems/{name}`.

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::extract::merge_patch::{Change, given};

/// A merge patch (RFC 7396) of an information system: the fields to change. Fields the API does not know, or that cannot
/// change, are refused.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"owner": {"name": "周文", "phone": null}}))]
pub struct SystemPatch {
    /// Name for people (系统名称), one line of at most 63 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, max_length = 63, example = "预算管理一体化系统")]
    display_name: Option<String>,
    /// Protection level (等保级别), 1 to 4. Only platform operators may change it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = u8, minimum = 1, maximum = 4, example = 3)]
    protection_level: Option<u8>,
    /// Number of the project that pays for it (项目编号), one line of at most 63 characters; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 63, example = "HS-2026-001")]
    project_number: Change<String>,
    /// Person in charge (负责人).
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = OwnerPatch)]
    owner: Option<OwnerPatch>,
}

/// What of the person in charge may change.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnerPatch {
    /// Name, at most 63 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, max_length = 63, example = "周文")]
    name: Option<String>,
    /// Office telephone: 3 to 24 digits, blanks, `+`, `-` and brackets; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[0-9+() -]{3,24}$", example = "0734-5550101")]
    phone: Change<String>,
}

impl SystemPatch {
    /// The same as a merge patch of the object's `spec`.
    pub fn into_spec(self) -> Map<String, Value> {
        let Self { display_name, protection_level, project_number, owner } = self;
        let owner = owner.map(|OwnerPatch { name, phone }| {
            Value::from(named([("name", name.map(Value::from)), ("phone", phone.into_value())]))
        });
        named([
            ("displayName", display_name.map(Value::from)),
            ("protectionLevel", protection_level.map(Value::from)),
            ("projectNumber", project_number.into_value()),
            ("owner", owner),
        ])
    }
}

/// The fields that are there.
fn named<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
