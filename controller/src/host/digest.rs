//! The digest of a wish: what a department wrote that has to be decided, without the fields that apply at once.

use std::collections::{BTreeMap, BTreeSet};

use jiyun_crds::v1alpha1::{CloudHostSpec, DeletionProtection};
use jiyun_ledger::Meter;
use serde_json::json;
use sha2::{Digest, Sha256};

/// What stands before the meters that a claim does without while its host is stopped.
const WITHOUT: &str = "+without:";
/// What stands before what a claim keeps beyond what was approved until its machine has become smaller.
const KEEPS: &str = "+keeps:";

/// The digest of a claim that holds less than its wish while its host is stopped.
pub fn without(digest: &str, meters: &BTreeSet<Meter>) -> String {
    let wish = of_wish(digest);
    if meters.is_empty() {
        return wish.to_owned();
    }
    let names: Vec<String> = meters.iter().map(ToString::to_string).collect();
    format!("{wish}{WITHOUT}{}", names.join(","))
}

/// [`without`], of a claim that keeps more than its wish until its machine has become smaller.
pub fn keeping(digest: &str, meters: &BTreeSet<Meter>, kept: &BTreeMap<Meter, u64>) -> String {
    let digest = without(digest, meters);
    if kept.is_empty() {
        return digest;
    }
    let amounts: Vec<String> = kept.iter().map(|(meter, quantity)| format!("{meter}={quantity}")).collect();
    format!("{digest}{KEEPS}{}", amounts.join(","))
}

/// The digest of the wish a claim was granted for, whatever it does without or keeps now.
pub fn of_wish(digest: &str) -> &str {
    digest.split_once('+').map_or(digest, |(wish, _)| wish)
}

/// Digest of the decided fields of `spec`. Names and sizes as written, not what the catalogue makes of them: an edit of
/// a class asks for nothing anew.
pub fn of(spec: &CloudHostSpec) -> String {
    // Destructured without `..`: a new field must be put on one side or the other before this compiles.
    let CloudHostSpec {
        display_name: _,
        power: _,
        deletion_protection,
        system_ref,
        class_ref,
        image_ref,
        zone_ref,
        architecture,
        system_disk,
        ssh_authorized_keys,
    } = spec;
    // JSON objects are ordered by key, so equal wishes give equal text.
    let mut canonical = json!({
        "system": system_ref.name,
        "class": class_ref.name,
        "image": image_ref.name,
        "zone": zone_ref.name,
        "architecture": architecture.as_str(),
        "tier": system_disk.tier,
        "size": system_disk.size.as_str(),
        "keys": ssh_authorized_keys,
    });
    // Protected is the ordinary case, and digests were made before it could be said.
    if *deletion_protection == DeletionProtection::Disabled {
        canonical["deletionProtection"] = json!("Disabled");
    }
    format!("sha256:{}", hex::encode(Sha256::digest(canonical.to_string().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_claim_does_without_is_told_apart_and_the_wish_is_found_again() {
        let both = BTreeSet::from([Meter::Vcpu, Meter::Memory]);
        let parked = without("sha256:ab", &both);
        assert_eq!(of_wish(&parked), "sha256:ab");
        assert_eq!(without(&parked, &BTreeSet::new()), "sha256:ab");
        assert_eq!(without(&parked, &both), parked);
        assert_ne!(without(&parked, &BTreeSet::from([Meter::Vcpu])), parked);
    }

    #[test]
    fn what_a_claim_keeps_for_a_while_is_told_apart_and_the_wish_is_found_again() {
        let (none, kept) = (BTreeSet::new(), BTreeMap::from([(Meter::Vcpu, 8)]));
        let keeps = keeping("sha256:ab", &none, &kept);
        assert_eq!(of_wish(&keeps), "sha256:ab");
        assert_eq!(keeping(&keeps, &none, &BTreeMap::new()), "sha256:ab");
        assert_ne!(keeping("sha256:ab", &none, &BTreeMap::from([(Meter::Vcpu, 4)])), keeps);
        let both = keeping("sha256:ab", &BTreeSet::from([Meter::Memory]), &kept);
        assert_eq!(of_wish(&both), "sha256:ab");
        assert_ne!(both, keeps);
    }
}
