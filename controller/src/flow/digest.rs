//! The digest of a wish: what has to be decided of a flow, in whatever order it was written.

use std::collections::BTreeSet;

use jiyun_crds::v1alpha1::{FlowPeer, NetworkFlowSpec};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Digest of the decided fields of `spec`. Lists are sets: another order, or an entry said twice, is no other wish.
pub fn of(spec: &NetworkFlowSpec) -> String {
    // Destructured without `..`: a new field must be put on one side or the other before this compiles.
    let NetworkFlowSpec { justification: _, system_ref, direction, hosts, peer, ports } = spec;
    let FlowPeer { system, foreign, ip_block } = peer;
    let sorted = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
    // JSON objects are ordered by key, so equal wishes give equal text.
    let canonical = json!({
        "system": system_ref.name,
        "direction": direction,
        "hosts": sorted(hosts),
        "peer": {
            "system": system.as_ref().map(|peer| json!({"name": peer.name, "hosts": sorted(&peer.hosts)})),
            "foreign": foreign,
            "ipBlock": ip_block.as_ref().map(|block| json!({"cidr": block.cidr, "except": sorted(&block.except)})),
        },
        "ports": ports.iter().collect::<BTreeSet<_>>(),
    });
    format!("sha256:{}", hex::encode(Sha256::digest(canonical.to_string().as_bytes())))
}
