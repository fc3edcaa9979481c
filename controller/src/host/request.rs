//! The claim a valid host asks of the ledger, and the machine a granted claim asks of the engines.

use std::collections::{BTreeMap, BTreeSet};

use jiyun_crds::{names, v1alpha1::CloudHost};
use jiyun_ledger::{AccountId, Claim, ClaimRequest, Meter, Placement, Subject};

use super::{approved::Approved, digest, valid::Valid};
use crate::{
    content::filled_from,
    engines::order::{AttachedVolume, MachineOrder, Power},
};

/// The claim `host` asks for: one host, its cores and memory out of one compute pool, its disk out of one storage pool
/// of the same site.
///
/// # Errors
/// When the approved spec cannot be written as JSON, which its types exclude.
pub fn claim_request(host: &CloudHost, valid: &Valid) -> Result<ClaimRequest, serde_json::Error> {
    Ok(ClaimRequest {
        account: AccountId::new(&valid.department),
        system: valid.system.clone(),
        subject: subject(host),
        item: valid.approved.class.clone(),
        zone: valid.zone.clone(),
        protection_level: valid.protection_level,
        placements: new_placements(&valid.approved),
        spec_digest: valid.digest.clone(),
        approved_spec: serde_json::to_value(&valid.approved)?.into(),
        // Whoever orders a host wants it, if not today: a place in line costs nobody anything.
        hold_until: None,
        wait: true,
    })
}

/// What a granted claim asks for when its host is stopped or started: what was approved, without some meters.
pub fn of_claim(claim: &Claim, protection_level: u8, approved: &Approved, without: &BTreeSet<Meter>) -> ClaimRequest {
    let wish = digest::of_wish(&claim.spec_digest);
    let mut placements = placements(approved);
    for placement in &mut placements {
        placement.quantities.retain(|meter, _| !without.contains(meter));
    }
    ClaimRequest {
        account: claim.account.clone(),
        system: claim.system.clone(),
        subject: claim.subject.clone(),
        item: claim.item.clone(),
        zone: claim.taken().find_map(|line| line.dimensions.zone.clone()).unwrap_or_default(),
        protection_level,
        placements: placements.into(),
        spec_digest: digest::of_claim(wish, approved, without, &BTreeMap::new()),
        approved_spec: claim.approved_spec.clone(),
        hold_until: None,
        wait: true,
    }
}

/// What a new host takes: where the snapshot lies that it is made from, if it is made from one. What was granted stays
/// where it lies anyway.
fn new_placements(approved: &Approved) -> Vec<Placement> {
    let site = approved.content.as_ref().map(|content| content.site.clone());
    placements(approved).map(|placement| Placement { site: site.clone(), ..placement }).into()
}

/// One host, its cores and memory out of one compute pool; its disk out of one storage pool.
pub fn placements(approved: &Approved) -> [Placement; 2] {
    let Approved { vcpu, memory_mebibytes, disk_mebibytes, .. } = *approved;
    let (architecture, tier) = (approved.architecture.clone(), approved.disk_tier.clone());
    Placement::host(architecture, vcpu, memory_mebibytes, tier, disk_mebibytes)
}

/// How the ledger names `host`.
fn subject(host: &CloudHost) -> Subject {
    let meta = &host.metadata;
    Subject {
        kind: "CloudHost".to_owned(),
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
    }
}

/// Where a claim's engine objects lie: with its department, or where they were when it was handed over.
pub fn engine_namespace(claim: &Claim) -> String {
    names::engine_namespace_of(claim.engine_namespace.as_deref(), claim.account.as_str())
}

/// What a claim's machine is called: as its host was when it was made. A host that was handed over may have another name.
pub fn engine_name(claim: &Claim) -> &str {
    claim.first_name()
}

/// The machine of a granted claim: sizes from what was approved.
pub fn machine_order(
    power: Power,
    claim: &Claim,
    label: &str,
    approved: &Approved,
    storage_class: &str,
    volumes: Vec<AttachedVolume>,
) -> MachineOrder {
    let department = claim.account.as_str();
    let name = engine_name(claim);
    MachineOrder {
        namespace: engine_namespace(claim),
        name: name.to_owned(),
        disk_name: names::system_disk_name(name),
        labels: labels(department, &claim.subject.name, label),
        vcpu: approved.vcpu,
        memory_mebibytes: approved.memory_mebibytes,
        architecture: approved.architecture.clone(),
        disk_mebibytes: approved.disk_mebibytes,
        storage_class: storage_class.to_owned(),
        image: approved.image_source.clone(),
        content: filled_from(approved.content.as_ref(), approved.restored.as_ref()),
        apart: approved.apart.clone(),
        ssh_authorized_keys: approved.ssh_authorized_keys.clone(),
        user_data: approved.user_data.as_ref().map(|_| names::user_data_name(name)),
        subnet: approved.subnet.clone(),
        volumes,
        power,
    }
}

/// What links an engine object back to its host.
fn labels(department: &str, host: &str, claim: &str) -> BTreeMap<String, String> {
    [
        (names::LABEL_DEPARTMENT, department),
        (names::LABEL_CLOUDHOST, host),
        (names::LABEL_CLAIM, claim),
        (names::LABEL_MANAGED_BY, names::MANAGED_BY),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}
