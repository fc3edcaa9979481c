//! The claim a valid bucket asks of the ledger, and the bucket a granted claim asks of the engine.

use std::collections::BTreeMap;

use jiyun_crds::{
    names::{self, bucket_claim_name},
    v1alpha1::CloudBucket,
};
use jiyun_ledger::{AccountId, Claim, ClaimRequest, Placement, Subject};

use super::{KIND, valid::Valid};
use crate::{
    engines::order::BucketOrder,
    host::request::{engine_name, engine_namespace},
    stored::approved::Approved,
};

/// The claim `bucket` asks for: its size out of one pool of object storage.
///
/// # Errors
/// When the approved spec cannot be written as JSON, which its types exclude.
pub fn claim_request(bucket: &CloudBucket, valid: &Valid) -> Result<ClaimRequest, serde_json::Error> {
    let meta = &bucket.metadata;
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
        placements: Placement::bucket(tier.clone(), *mebibytes).into(),
        spec_digest: valid.digest.clone(),
        approved_spec: serde_json::to_value(&valid.approved)?.into(),
        // Whoever orders a bucket wants it, if not today: a place in line costs nobody anything.
        hold_until: None,
        wait: true,
    })
}

/// What the bucket of a claim is asked for with.
pub fn claim_name(claim: &Claim) -> String {
    bucket_claim_name(engine_name(claim))
}

/// Whether the bucket of a claim was handed over once: what is in it cannot be made again.
pub fn is_established(claim: &Claim) -> bool {
    claim.billable_from.is_some() || claim.adopted
}

/// The bucket of a granted claim: its size from what was approved.
pub fn order(claim: &Claim, label: &str, approved: &Approved, storage_class: &str) -> BucketOrder {
    BucketOrder {
        namespace: engine_namespace(claim),
        claim_name: claim_name(claim),
        prefix: engine_name(claim).to_owned(),
        title: format!("{}/{}", claim.subject.namespace, claim.subject.name),
        labels: labels(claim, label),
        mebibytes: approved.mebibytes,
        storage_class: storage_class.to_owned(),
    }
}

/// What links an object back to the bucket of a claim, which it is labelled with.
pub fn labels(claim: &Claim, label: &str) -> BTreeMap<String, String> {
    [
        (names::LABEL_DEPARTMENT, claim.account.as_str()),
        (names::LABEL_BUCKET, &claim.subject.name),
        (names::LABEL_CLAIM, label),
        (names::LABEL_MANAGED_BY, names::MANAGED_BY),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}
