//! The claim a valid snapshot asks of the ledger, and the snapshot a granted claim asks of the engine.

use std::collections::BTreeMap;

use jiyun_crds::{
    names::{self, volume_snapshot_name},
    v1alpha1::CloudSnapshot,
};
use jiyun_ledger::{AccountId, Claim, ClaimRequest, Placement, Subject};

use super::{KIND, valid::Valid};
use crate::{
    content::Source,
    engines::order::SnapshotOrder,
    host::request::{engine_name, engine_namespace},
    stored::approved::Approved,
};

/// The claim `snapshot` asks for: as much as its source has, out of the very pool that lies in.
///
/// # Errors
/// When the approved spec cannot be written as JSON, which its types exclude.
pub fn claim_request(snapshot: &CloudSnapshot, valid: &Valid) -> Result<ClaimRequest, serde_json::Error> {
    let meta = &snapshot.metadata;
    let subject = Subject {
        kind: KIND.to_owned(),
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
    };
    let Approved { tier, mebibytes, .. } = &valid.approved;
    Ok(ClaimRequest {
        account: AccountId::new(&valid.department),
        system: valid.system.clone(),
        subject,
        item: tier.clone(),
        zone: valid.zone.clone(),
        protection_level: valid.protection_level,
        placements: Placement::snapshot(tier.clone(), *mebibytes, valid.pool.clone()).into(),
        spec_digest: valid.digest.clone(),
        approved_spec: serde_json::to_value(&valid.approved)?.into(),
        // Whoever orders a snapshot wants it, if not today: a place in line costs nobody anything.
        hold_until: None,
        wait: true,
    })
}

/// What the snapshot of a claim is called at its engine.
pub fn object_name(claim: &Claim) -> String {
    volume_snapshot_name(engine_name(claim))
}

/// Whether what a claim is for was handed over once: what it holds cannot be made again.
pub fn is_established(claim: &Claim) -> bool {
    claim.billable_from.is_some() || claim.adopted
}

/// Whether the status of `snapshot` says of this claim that it was taken: so it was, and the book may have lost that.
pub fn was_told_taken(snapshot: &CloudSnapshot, claim: &Claim) -> bool {
    let told = snapshot.status.as_ref().filter(|status| status.taken_at.is_some());
    told.is_some_and(|status| status.claim_id == Some(claim.id.to_string()))
}

/// The snapshot of a granted claim, of the disk of its `source`.
pub fn order(claim: &Claim, label: &str, source: &Source, class: &str) -> SnapshotOrder {
    SnapshotOrder {
        namespace: engine_namespace(claim),
        name: object_name(claim),
        labels: labels(claim, label),
        disk_name: source.disk.clone(),
        class: class.to_owned(),
    }
}

/// What links an object back to the snapshot of a claim, which it is labelled with.
fn labels(claim: &Claim, label: &str) -> BTreeMap<String, String> {
    [
        (names::LABEL_DEPARTMENT, claim.account.as_str()),
        (names::LABEL_SNAPSHOT, &claim.subject.name),
        (names::LABEL_CLAIM, label),
        (names::LABEL_MANAGED_BY, names::MANAGED_BY),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::snapshot::valid::tests::snapshot;

    #[test]
    fn that_it_was_taken_is_believed_of_the_very_claim_alone_that_it_was_told_of() {
        let claim: Claim = serde_json::from_value(json!({
            "id": 9, "account": "finance", "system": "budget",
            "subject": {"kind": "CloudSnapshot", "namespace": "dept-finance", "name": "files-1", "uid": "u-1"},
            "item": "standard", "specDigest": "d", "approvedSpec": {}, "lines": [],
            "reservedAt": "2026-02-01T00:00:00Z",
        }))
        .unwrap();
        let told = |status: &Value| {
            let snapshot = snapshot(|object| object["status"] = status.clone());
            was_told_taken(&snapshot, &claim)
        };
        assert!(told(&json!({"claimId": "claim-9", "takenAt": "2026-03-01T08:00:00Z"})));
        assert!(!told(&json!({"claimId": "claim-9"})), "it was granted");
        assert!(!told(&json!({"claimId": "claim-8", "takenAt": "2026-03-01T08:00:00Z"})), "one that is gone");
        assert!(!told(&Value::Null));
    }
}
