//! What of a cloud host may change: the body of `PATCH .../hosts/{name}`.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{DeletionProtection, Power, lease::LeaseTerm};
use crate::extract::merge_patch::{Change, given};

/// A merge patch (RFC 7396) of a host: the fields to change. Fields the API does not know, or that cannot change, are
/// refused.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"displayName": "门户网站一号机", "power": "Stopped"}))]
pub struct HostPatch {
    /// Name for people (云主机名称), one line of at most 63 characters; `null` takes it away. Applies at once.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 63, example = "门户网站一号机")]
    display_name: Change<String>,
    /// Whether it is to run. Applies at once.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Power)]
    power: Option<Power>,
    /// Whether it is kept from being deleted. `Enabled` applies at once; `Disabled` is decided on: the answer is in the
    /// host's conditions.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = DeletionProtection)]
    deletion_protection: Option<DeletionProtection>,
    /// Until when it is lent (租期); `null` takes the end away. A first lease and an earlier end apply at once; a later one,
    /// and none, are decided on: the answer is in the host's conditions. One that has ended goes on that way.
    #[serde(default)]
    #[schema(value_type = Option<LeaseTerm>)]
    lease: Change<LeaseTerm>,
    /// The host class (规格), one that is offered on the host's architecture. A larger one is decided on: the answer is in the
    /// host's conditions. A machine that runs may take it on only when it is next started; its conditions say so.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, max_length = 63, example = "basic-4c8g")]
    class: Option<String>,
    /// The disk it starts from.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = SystemDiskPatch)]
    system_disk: Option<SystemDiskPatch>,
}

/// What of the disk may change.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SystemDiskPatch {
    /// Size. What was granted can grow, never shrink; a growth that was not granted can be taken back. Decided on: the answer
    /// is in the host's conditions.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, max_length = 32, example = "200Gi")]
    size: Option<String>,
}

impl HostPatch {
    /// The same as a merge patch of the object's `spec`.
    pub fn into_spec(self) -> Map<String, Value> {
        let Self { display_name, power, deletion_protection, lease, class, system_disk } = self;
        let size = system_disk.and_then(|disk| disk.size);
        let fields = [
            ("displayName", display_name.into_value()),
            ("power", power.map(|power| json!(power))),
            ("deletionProtection", deletion_protection.map(|protection| json!(protection))),
            ("lease", lease.into_value()),
            ("classRef", class.map(|class| json!({"name": class}))),
            ("systemDisk", size.map(|size| json!({"size": size}))),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}
