//! The digest of a wish: what a department wrote that has to be decided, without the fields that apply at once.

use jiyun_crds::v1alpha1::CloudVolumeSpec;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Digest of the decided fields of `spec`, as written.
pub fn of(spec: &CloudVolumeSpec) -> String {
    // Destructured without `..`: a new field must be put on one side or the other before this compiles.
    let CloudVolumeSpec {
        display_name: _,
        host_ref: _,
        restore: _,
        deletion_protection,
        system_ref,
        snapshot_ref,
        zone_ref,
        tier,
        size,
    } = spec;
    // JSON objects are ordered by key, so equal wishes give equal text.
    let mut canonical = json!({
        "system": system_ref.name,
        "zone": zone_ref.name,
        "tier": tier,
        "size": size.as_str(),
        "deletionProtection": deletion_protection,
    });
    // Digests were made before snapshots could be named.
    if let Some(snapshot) = snapshot_ref {
        canonical["snapshot"] = json!(snapshot.name);
    }
    format!("sha256:{}", hex::encode(Sha256::digest(canonical.to_string().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(change: impl FnOnce(&mut serde_json::Value)) -> CloudVolumeSpec {
        let mut spec = json!({
            "systemRef": {"name": "budget"}, "zoneRef": {"name": "internal"}, "tier": "standard", "size": "100Gi",
        });
        change(&mut spec);
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn where_a_volume_is_attached_is_no_wish_that_is_decided() {
        let base = of(&spec(|_| {}));
        assert_eq!(of(&spec(|spec| spec["hostRef"] = json!({"name": "web"}))), base);
        assert_eq!(of(&spec(|spec| spec["displayName"] = json!("data"))), base);
        assert_ne!(of(&spec(|spec| spec["size"] = json!("200Gi"))), base);
        assert_ne!(of(&spec(|spec| spec["deletionProtection"] = json!("Disabled"))), base);
    }

    #[test]
    fn what_a_volume_is_made_from_is_part_of_its_wish_and_what_it_is_brought_back_to_is_not() {
        let base = of(&spec(|_| {}));
        let before = "sha256:61c848b84fce4bde56cec10245a16a7ed475f0daf09864b228950ea9ff506334";
        assert_eq!(base, before, "claims were granted for it before snapshots could be named");
        let from = |name: &str| of(&spec(|spec| spec["snapshotRef"] = json!({"name": name})));
        assert_ne!(from("files-1"), base);
        assert_ne!(from("files-1"), from("files-2"));
        let restore = json!({"snapshotRef": {"name": "files-1"}, "requestedAt": "2026-03-01T08:00:00Z"});
        assert_eq!(of(&spec(|spec| spec["restore"] = restore)), base);
    }
}
