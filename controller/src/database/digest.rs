//! The digest of a wish: what a department wrote that has to be decided, without the fields that apply at once.

use jiyun_crds::v1alpha1::CloudDatabaseSpec;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::approved::{Approved, Extent};

/// What stands before how large instances may be while a change is carried out.
const UNDER_WAY: &str = "+underWay:";

/// The digest of a claim with this `wish`, and how large the instances of what was `approved` may still be: the ledger
/// changes nothing of a claim whose digest stays the same.
pub fn of_claim(wish: &str, approved: &Approved) -> String {
    let Some(Extent { instances, vcpu, memory_mebibytes, storage_mebibytes }) = approved.under_way else {
        return wish.to_owned();
    };
    format!("{wish}{UNDER_WAY}{instances}x{vcpu},{memory_mebibytes},{storage_mebibytes}")
}

/// Digest of the decided fields of `spec`. Names and sizes as written, not what the catalogue makes of them: an edit of
/// a class asks for nothing anew.
pub fn of(spec: &CloudDatabaseSpec) -> String {
    // Destructured without `..`: a new field must be put on one side or the other before this compiles.
    let CloudDatabaseSpec {
        display_name: _,
        power: _,
        deletion_protection,
        system_ref,
        class_ref,
        zone_ref,
        architecture,
        engine,
        topology,
        storage,
    } = spec;
    // JSON objects are ordered by key, so equal wishes give equal text.
    let canonical = json!({
        "system": system_ref.name,
        "class": class_ref.name,
        "zone": zone_ref.name,
        "architecture": architecture.as_str(),
        "engine": engine.kind,
        "version": engine.version,
        "topology": topology,
        "tier": storage.tier,
        "size": storage.size.as_str(),
        "deletionProtection": deletion_protection,
    });
    format!("sha256:{}", hex::encode(Sha256::digest(canonical.to_string().as_bytes())))
}
