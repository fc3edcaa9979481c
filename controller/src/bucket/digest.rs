//! The digest of a wish: what a department wrote that has to be decided, without the fields that apply at once.

use jiyun_crds::v1alpha1::CloudBucketSpec;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Digest of the decided fields of `spec`, as written.
pub fn of(spec: &CloudBucketSpec) -> String {
    // Destructured without `..`: a new field must be put on one side or the other before this compiles.
    let CloudBucketSpec {
        display_name: _,
        credentials_requested_at: _,
        deletion_protection,
        system_ref,
        zone_ref,
        tier,
        size,
    } = spec;
    // JSON objects are ordered by key, so equal wishes give equal text.
    let canonical = json!({
        "system": system_ref.name,
        "zone": zone_ref.name,
        "tier": tier,
        "size": size.as_str(),
        "deletionProtection": deletion_protection,
    });
    format!("sha256:{}", hex::encode(Sha256::digest(canonical.to_string().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(change: impl FnOnce(&mut serde_json::Value)) -> CloudBucketSpec {
        let mut spec = json!({
            "systemRef": {"name": "budget"}, "zoneRef": {"name": "internal"}, "tier": "standard", "size": "100Gi",
        });
        change(&mut spec);
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn a_new_key_pair_is_no_wish_that_is_decided() {
        let base = of(&spec(|_| {}));
        assert_eq!(of(&spec(|spec| spec["credentialsRequestedAt"] = json!("2026-03-01T08:00:00Z"))), base);
        assert_eq!(of(&spec(|spec| spec["displayName"] = json!("扫描件"))), base);
        assert_ne!(of(&spec(|spec| spec["size"] = json!("200Gi"))), base);
        assert_ne!(of(&spec(|spec| spec["deletionProtection"] = json!("Disabled"))), base);
    }
}
