//! The object of a claim: its name, and how it is made again.

use jiyun_crds::v1alpha1::{AntiAffinityPolicy, Quantity};
use jiyun_ledger::Claim;
use serde_json::{Value, json};

use crate::{engines::order::Apart, host::approved::Approved};

/// Namespace and name.
pub fn named(claim: &Claim) -> String {
    format!("{}/{}", claim.subject.namespace, claim.subject.name)
}

/// The object a claim was approved for; none if that cannot be read. Its name for people and its power are not in the
/// book: it comes back running.
pub fn manifest(claim: &Claim) -> Option<Value> {
    let approved = Approved::of(claim).ok()?;
    let zone = claim.lines.iter().find_map(|line| line.dimensions.zone.clone())?;
    let mut object = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost",
        "metadata": {"name": claim.subject.name, "namespace": claim.subject.namespace},
        "spec": {
            "displayName": claim.subject.name,
            "systemRef": {"name": claim.system}, "classRef": {"name": approved.class},
            "imageRef": {"name": approved.image}, "zoneRef": {"name": zone}, "architecture": approved.architecture,
            "systemDisk": {
                "tier": approved.disk_tier, "size": Quantity::from_mebibytes(approved.disk_mebibytes).as_str(),
            },
            "sshAuthorizedKeys": approved.ssh_authorized_keys,
            "deletionProtection": if approved.deletable { "Disabled" } else { "Enabled" },
        },
    });
    if let Some(content) = &approved.content {
        object["spec"]["snapshotRef"] = json!({"name": content.snapshot});
    }
    if let Some(Apart { group, required, .. }) = &approved.apart {
        let policy = if *required { AntiAffinityPolicy::Required } else { AntiAffinityPolicy::Preferred };
        object["spec"]["antiAffinity"] = json!({"group": group, "policy": policy});
    }
    if let Some(secret) = &approved.user_data {
        object["spec"]["userDataSecretRef"] = json!({"name": secret});
    }
    if let Some(lease) = &approved.lease {
        object["spec"]["lease"] = json!({"endsAt": lease.ends_at.to_string()});
    }
    Some(object)
}
