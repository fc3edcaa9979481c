//! The claim a valid database asks of the ledger, and the database a granted claim asks of the engine.

use std::collections::BTreeMap;

use jiyun_crds::{names, v1alpha1::CloudDatabase};
use jiyun_ledger::{AccountId, Claim, ClaimRequest, Placement, Subject};

use super::{
    KIND,
    approved::{Approved, Extent},
    valid::Valid,
};
use crate::{
    engines::order::{DatabaseOrder, Power},
    host::request::{engine_name, engine_namespace},
};

/// The claim `database` asks for: one database, cores and memory of all instances out of one compute pool, their storage
/// out of one storage pool of the same site.
///
/// # Errors
/// When the approved spec cannot be written as JSON, which its types exclude.
pub fn claim_request(database: &CloudDatabase, valid: &Valid) -> Result<ClaimRequest, serde_json::Error> {
    let meta = &database.metadata;
    let subject = Subject {
        kind: KIND.to_owned(),
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
    };
    Ok(ClaimRequest {
        account: AccountId::new(&valid.department),
        system: valid.system.clone(),
        subject,
        item: valid.approved.class.clone(),
        zone: valid.zone.clone(),
        protection_level: valid.protection_level,
        placements: placements(&valid.approved).into(),
        spec_digest: valid.digest.clone(),
        approved_spec: serde_json::to_value(&valid.approved)?.into(),
        // Whoever orders a database wants it, if not today: a place in line costs nobody anything.
        hold_until: None,
        wait: true,
    })
}

/// What `claim` asks for to become `approved`, with this digest. It stays where it lies.
///
/// # Errors
/// When the approved spec cannot be written as JSON, which its types exclude.
pub fn of_claim(
    claim: &Claim,
    protection_level: u8,
    approved: &Approved,
    spec_digest: String,
) -> Result<ClaimRequest, serde_json::Error> {
    Ok(ClaimRequest {
        account: claim.account.clone(),
        system: claim.system.clone(),
        subject: claim.subject.clone(),
        item: approved.class.clone(),
        zone: claim.taken().find_map(|line| line.dimensions.zone.clone()).unwrap_or_default(),
        protection_level,
        placements: placements(approved).into(),
        spec_digest,
        approved_spec: serde_json::to_value(approved)?.into(),
        hold_until: None,
        wait: true,
    })
}

/// One database, cores and memory of its instances out of one compute pool; their storage out of one storage pool.
pub fn placements(approved: &Approved) -> [Placement; 2] {
    let Extent { instances, vcpu, memory_mebibytes, storage_mebibytes } = approved.held();
    let (architecture, tier) = (approved.architecture.clone(), approved.storage_tier.clone());
    Placement::database(
        architecture,
        (instances * vcpu, instances * memory_mebibytes),
        tier,
        instances * storage_mebibytes,
    )
}

/// The database of a granted claim: sizes from what was approved.
pub fn order(claim: &Claim, label: &str, approved: &Approved, storage_class: &str, power: Power) -> DatabaseOrder {
    DatabaseOrder {
        namespace: engine_namespace(claim),
        name: engine_name(claim).to_owned(),
        labels: labels(claim, label),
        image: approved.image.clone(),
        instances: approved.instances,
        vcpu: approved.vcpu,
        memory_mebibytes: approved.memory_mebibytes,
        architecture: approved.architecture.clone(),
        storage_mebibytes: approved.storage_mebibytes,
        storage_class: storage_class.to_owned(),
        power,
    }
}

/// What links an object back to the database of a claim, which it is labelled with.
pub fn labels(claim: &Claim, label: &str) -> BTreeMap<String, String> {
    [
        (names::LABEL_DEPARTMENT, claim.account.as_str()),
        (names::LABEL_DATABASE, &claim.subject.name),
        (names::LABEL_CLAIM, label),
        (names::LABEL_MANAGED_BY, names::MANAGED_BY),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}
