//! The digest of a wish: what a department wrote that has to be decided, without the fields that apply at once. Behind that
//! of a claim stands what has become of it, since the ledger changes nothing of a claim whose digest stays the same.

use std::collections::BTreeSet;

use jiyun_crds::v1alpha1::{CloudHostSpec, DeletionProtection};
use jiyun_ledger::Meter;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::lease::Lease;

/// What stands before the state of a lease that is over.
const LEASE: &str = "+lease:";

/// What stands before the meters that a claim does without while its host is stopped.
const WITHOUT: &str = "+without:";

/// The digest of a claim that holds less than its wish while its host is stopped.
pub fn without(digest: &str, meters: &BTreeSet<Meter>) -> String {
    let whole = digest.split_once(WITHOUT).map_or(digest, |(whole, _)| whole);
    if meters.is_empty() {
        return whole.to_owned();
    }
    let names: Vec<String> = meters.iter().map(ToString::to_string).collect();
    format!("{whole}{WITHOUT}{}", names.join(","))
}

/// The digest of a claim with this wish and this lease, which holds all of it.
pub fn leased(wish: &str, lease: Option<&Lease>) -> String {
    lease.and_then(Lease::mark).map_or_else(|| wish.to_owned(), |mark| format!("{wish}{LEASE}{mark}"))
}

/// The digest of the wish a claim was granted for, whatever has become of it since.
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
        lease,
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
    // Nor could leases be. The same moment in another offset is the same wish.
    if let Some(lease) = lease {
        let moment = lease.ends_at.timestamp().map_or_else(|_| lease.ends_at.to_string(), |moment| moment.to_string());
        canonical["lease"] = json!(moment);
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
    fn the_state_of_a_lease_is_told_apart_and_stays_when_meters_come_and_go() {
        let moment = |seconds| jiff::Timestamp::from_second(seconds).unwrap();
        let running = Lease::until(moment(100));
        assert_eq!(leased("sha256:ab", Some(&running)), "sha256:ab");
        assert_eq!(leased("sha256:ab", None), "sha256:ab");
        let terms = super::super::lease::terms::defaults();
        let ended = running.after(super::super::lease::Due::End, &terms, false, moment(101));
        let over = leased("sha256:ab", Some(&ended));
        assert_ne!(over, "sha256:ab");
        let parked = without(&over, &BTreeSet::from([Meter::Vcpu]));
        assert_eq!((of_wish(&over), of_wish(&parked)), ("sha256:ab", "sha256:ab"));
        assert_eq!(without(&parked, &BTreeSet::new()), over);
    }
}
