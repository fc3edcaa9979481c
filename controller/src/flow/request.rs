//! The claim a flow asks of the ledger: a permission, which takes nothing of anything and keeps what was decided.

use jiyun_crds::v1alpha1::NetworkFlow;
use jiyun_ledger::{AccountId, Claim, ClaimRequest, Subject};

use super::{KIND, valid::Valid};

/// The claim `flow` asks for.
///
/// # Errors
/// When the approved spec cannot be written as JSON, which its types exclude.
pub fn claim_request(flow: &NetworkFlow, valid: &Valid) -> Result<ClaimRequest, serde_json::Error> {
    let meta = &flow.metadata;
    let subject = Subject {
        kind: KIND.to_owned(),
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
    };
    request(subject, valid)
}

/// What a granted claim asks for when it is changed.
///
/// # Errors
/// When the approved spec cannot be written as JSON, which its types exclude.
pub fn changed(claim: &Claim, valid: &Valid) -> Result<ClaimRequest, serde_json::Error> {
    request(claim.subject.clone(), valid)
}

fn request(subject: Subject, valid: &Valid) -> Result<ClaimRequest, serde_json::Error> {
    Ok(ClaimRequest {
        account: AccountId::new(&valid.department),
        system: valid.system.clone(),
        subject,
        item: valid.approved.reach.to_string(),
        zone: valid.zone.clone(),
        protection_level: valid.protection_level,
        placements: Vec::new(),
        spec_digest: valid.digest.clone(),
        approved_spec: serde_json::to_value(&valid.approved)?.into(),
        hold_until: None,
        wait: false,
    })
}
