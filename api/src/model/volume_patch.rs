//! What of a cloud volume may change: the body of `PATCH .../volumes/{name}`.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::DeletionProtection;
use crate::extract::merge_patch::{Change, given};

/// A merge patch (RFC 7396) of a volume: the fields to change. Fields the API does not know, or that cannot change, are
/// refused.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"displayName": "门户网站数据盘", "size": "400Gi"}))]
pub struct VolumePatch {
    /// Name for people (云硬盘名称), one line of at most 63 characters; `null` takes it away. Applies at once.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 63, example = "门户网站数据盘")]
    display_name: Change<String>,
    /// Size, 1Gi to 16Ti in whole Mi. What was granted can grow, never shrink; a growth that was not granted can be taken back.
    /// Decided on: the answer is in the volume's conditions.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, max_length = 32, example = "400Gi")]
    size: Option<String>,
    /// The host of the same information system it is attached to (挂载); another one: it is taken off and attached there; `null`:
    /// it is taken off (卸载). Applies at once; `attachment` says how far it is. A host that cannot have it, or cannot yet, takes
    /// it from nobody.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 40, example = "web-1")]
    host: Change<String>,
    /// Whether it is kept from being deleted. `Enabled` applies at once; `Disabled` is decided on: the answer is in the
    /// volume's conditions.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = DeletionProtection)]
    deletion_protection: Option<DeletionProtection>,
}

impl VolumePatch {
    /// The same as a merge patch of the object's `spec`.
    pub fn into_spec(self) -> Map<String, Value> {
        let Self { display_name, size, host, deletion_protection } = self;
        let host = match host {
            Change::Stays => None,
            Change::Goes => Some(Value::Null),
            Change::Becomes(name) => Some(json!({"name": name})),
        };
        let fields = [
            ("displayName", display_name.into_value()),
            ("size", size.map(Value::from)),
            ("hostRef", host),
            ("deletionProtection", deletion_protection.map(|protection| json!(protection))),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_or_taken_away_and_stays_where_nothing_is_said() {
        for (body, spec) in [
            (json!({"host": "web-1"}), json!({"hostRef": {"name": "web-1"}})),
            (json!({"host": null}), json!({"hostRef": null})),
            (json!({"size": "400Gi"}), json!({"size": "400Gi"})),
        ] {
            let patch: VolumePatch = serde_json::from_value(body).unwrap();
            assert_eq!(Value::Object(patch.into_spec()), spec);
        }
    }
}
