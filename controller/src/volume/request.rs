//! The claim a valid volume asks of the ledger, and the disk a granted claim asks of the engine.

use std::collections::BTreeMap;

use jiyun_crds::{
    names::{self, volume_disk_name},
    v1alpha1::CloudVolume,
};
use jiyun_ledger::{AccountId, Claim, ClaimRequest, Placement, Subject};

use super::{KIND, valid::Valid};
use crate::{
    content::filled_from,
    engines::order::VolumeOrder,
    host::request::{engine_name, engine_namespace},
    stored::approved::Approved,
};

/// The claim `volume` asks for: its size out of one storage pool, at the site of the snapshot it is made from, or of
/// the host it names.
///
/// # Errors
/// When the approved spec cannot be written as JSON, which its types exclude.
pub fn claim_request(volume: &CloudVolume, valid: &Valid) -> Result<ClaimRequest, serde_json::Error> {
    let meta = &volume.metadata;
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
        placements: Placement::volume(tier.clone(), *mebibytes, valid.site.clone()).into(),
        spec_digest: valid.digest.clone(),
        approved_spec: serde_json::to_value(&valid.approved)?.into(),
        // Whoever orders a volume wants it, if not today: a place in line costs nobody anything.
        hold_until: None,
        wait: true,
    })
}

/// What the disk of a claim is called.
pub fn disk_name(claim: &Claim) -> String {
    volume_disk_name(engine_name(claim))
}

/// The disk of a granted claim: its size from what was approved.
pub fn order(claim: &Claim, label: &str, approved: &Approved, storage_class: &str) -> VolumeOrder {
    let labels = [
        (names::LABEL_DEPARTMENT, claim.account.as_str()),
        (names::LABEL_VOLUME, &claim.subject.name),
        (names::LABEL_CLAIM, label),
        (names::LABEL_MANAGED_BY, names::MANAGED_BY),
    ];
    VolumeOrder {
        namespace: engine_namespace(claim),
        disk_name: disk_name(claim),
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect::<BTreeMap<_, _>>(),
        mebibytes: approved.mebibytes,
        storage_class: storage_class.to_owned(),
        content: filled_from(approved.content.as_ref(), approved.restored.as_ref()),
    }
}
