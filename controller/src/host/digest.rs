//! The digest of a wish: what a department wrote that has to be decided, without the fields that apply at once.

use jiyun_crds::v1alpha1::CloudHostSpec;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Digest of the decided fields of `spec`. Names and sizes as written, not what the catalogue makes of them: an edit of
/// a class asks for nothing anew.
pub fn of(spec: &CloudHostSpec) -> String {
    // Destructured without `..`: a new field must be put on one side or the other before this compiles.
    let CloudHostSpec {
        display_name: _,
        power: _,
        system_ref,
        class_ref,
        image_ref,
        zone_ref,
        architecture,
        system_disk,
        ssh_authorized_keys,
    } = spec;
    // JSON objects are ordered by key, so equal wishes give equal text.
    let canonical = json!({
        "system": system_ref.name,
        "class": class_ref.name,
        "image": image_ref.name,
        "zone": zone_ref.name,
        "architecture": architecture.as_str(),
        "tier": system_disk.tier,
        "size": system_disk.size.as_str(),
        "keys": ssh_authorized_keys,
    });
    format!("sha256:{}", hex::encode(Sha256::digest(canonical.to_string().as_bytes())))
}
