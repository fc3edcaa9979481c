//! The digest of a wish: what a department wrote that has to be decided, without the fields that apply at once.

use jiyun_crds::v1alpha1::{CloudSnapshotSpec, SnapshotSource};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Digest of the decided fields of `spec`, as written.
pub fn of(spec: &CloudSnapshotSpec) -> String {
    // Destructured without `..`: a new field must be put on one side or the other before this compiles.
    let CloudSnapshotSpec { display_name: _, system_ref, source, deletion_protection } = spec;
    let SnapshotSource { kind, name } = source;
    // JSON objects are ordered by key, so equal wishes give equal text.
    let canonical = json!({
        "system": system_ref.name,
        "source": {"kind": kind, "name": name},
        "deletionProtection": deletion_protection,
    });
    format!("sha256:{}", hex::encode(Sha256::digest(canonical.to_string().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(change: impl FnOnce(&mut serde_json::Value)) -> CloudSnapshotSpec {
        let mut spec = json!({"systemRef": {"name": "budget"}, "source": {"kind": "CloudVolume", "name": "files"}});
        change(&mut spec);
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn what_a_snapshot_is_called_for_people_is_no_wish_that_is_decided() {
        let base = of(&spec(|_| {}));
        assert_eq!(of(&spec(|spec| spec["displayName"] = json!("升级前"))), base);
        assert_ne!(of(&spec(|spec| spec["source"]["name"] = json!("files-2"))), base);
        assert_ne!(of(&spec(|spec| spec["source"]["kind"] = json!("CloudHost"))), base);
        assert_ne!(of(&spec(|spec| spec["deletionProtection"] = json!("Disabled"))), base);
    }
}
