//! What of a cloud bucket may change: the body of `PATCH .../buckets/{name}`.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::DeletionProtection;
use crate::extract::merge_patch::{Change, given};

/// A merge patch (RFC 7396) of a bucket: the fields to change. Fields the API does not know, or that cannot change, are
/// refused.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"displayName": "门户网站附件", "size": "1Ti"}))]
pub struct BucketPatch {
    /// Name for people (对象存储桶名称), one line of at most 63 characters; `null` takes it away. Applies at once.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 63, example = "门户网站附件")]
    display_name: Change<String>,
    /// How much it may hold, 1Gi to 1Pi in whole Mi. What was granted can grow, never shrink; a growth that was not granted can
    /// be taken back. Decided on: the answer is in the bucket's conditions.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, max_length = 32, example = "1Ti")]
    size: Option<String>,
    /// Whether it is kept from being deleted. `Enabled` applies at once; `Disabled` is decided on: the answer is in the
    /// bucket's conditions.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = DeletionProtection)]
    deletion_protection: Option<DeletionProtection>,
}

impl BucketPatch {
    /// The same as a merge patch of the object's `spec`.
    pub fn into_spec(self) -> Map<String, Value> {
        let Self { display_name, size, deletion_protection } = self;
        let fields = [
            ("displayName", display_name.into_value()),
            ("size", size.map(Value::from)),
            ("deletionProtection", deletion_protection.map(|protection| json!(protection))),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}
