//! The digest of a wish: what a department wrote that has to be decided, without the fields that apply at once. Behind that
//! of a claim stands what has become of it, since the ledger changes nothing of a claim whose digest stays the same.

use std::collections::{BTreeMap, BTreeSet};

use jiyun_crds::v1alpha1::{CloudHostSpec, DeletionProtection};
use jiyun_ledger::Meter;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{approved::Approved, lease::Lease};
use crate::content::Restoration;

/// What stands between the wish a claim was granted for and what has applied of later ones.
pub const PARTLY: char = '~';
/// What stands before the state of a lease that is over.
const LEASE: &str = "+lease:";
/// What stands before the moment of the last restore.
pub const RESTORED: &str = "+restored:";
/// What stands before the meters that a claim does without while its host is stopped.
const WITHOUT: &str = "+without:";
/// What stands before what a claim keeps beyond what was approved until its machine has become smaller.
const KEEPS: &str = "+keeps:";

/// The digest of a claim with this `wish`: how the lease stands that was `approved` for it once that is over, and the
/// last restore; what it does `without` while its host is stopped, and what it keeps (`kept`) beyond what was approved
/// until its machine has become smaller.
pub fn of_claim(wish: &str, approved: &Approved, without: &BTreeSet<Meter>, kept: &BTreeMap<Meter, u64>) -> String {
    let mut digest = wish.to_owned();
    let marks = [
        (LEASE, approved.lease.as_ref().and_then(Lease::mark)),
        (RESTORED, approved.restored.as_ref().map(Restoration::mark)),
    ];
    for (what, mark) in marks.into_iter().filter_map(|(what, mark)| Some((what, mark?))) {
        digest.push_str(what);
        digest.push_str(&mark);
    }
    let names: Vec<String> = without.iter().map(ToString::to_string).collect();
    let amounts: Vec<String> = kept.iter().map(|(meter, quantity)| format!("{meter}={quantity}")).collect();
    for (what, parts) in [(WITHOUT, names), (KEEPS, amounts)] {
        if !parts.is_empty() {
            digest.push_str(what);
            digest.push_str(&parts.join(","));
        }
    }
    digest
}

/// The digest of a claim that was granted a part of another wish: no wish has it, so that the rest is looked at again.
pub fn partly(digest: &str, part: &Approved) -> String {
    let whole = of_wish(digest);
    let whole = whole.split_once(PARTLY).map_or(whole, |(whole, _)| whole);
    let protection = if part.deletable { "Disabled" } else { "Enabled" };
    let ends_at = part.lease.as_ref().map(|lease| lease.ends_at.to_string()).unwrap_or_default();
    format!("{whole}{PARTLY}{protection},{ends_at}")
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
        restart_requested_at: _,
        restore: _,
        power: _,
        deletion_protection,
        lease,
        system_ref,
        class_ref,
        image_ref,
        snapshot_ref,
        zone_ref,
        architecture,
        anti_affinity,
        system_disk,
        ssh_authorized_keys,
        user_data_secret_ref,
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
    // Nor could snapshots be named.
    if let Some(snapshot) = snapshot_ref {
        canonical["snapshot"] = json!(snapshot.name);
    }
    // Nor could groups.
    if let Some(apart) = anti_affinity {
        canonical["antiAffinity"] = json!({"group": apart.group, "policy": apart.policy});
    }
    // Nor could user data.
    if let Some(secret) = user_data_secret_ref {
        canonical["userData"] = json!(secret.name);
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
    fn each_thing_that_becomes_of_a_claim_is_told_apart_and_the_wish_is_found_again() {
        let moment = |seconds| jiff::Timestamp::from_second(seconds).unwrap();
        let terms = super::super::lease::terms::defaults();
        let running = Lease::until(moment(100));
        let ended = running.after(super::super::lease::Due::End, &terms, false, moment(101));
        let (cores, both) = (BTreeSet::from([Meter::Vcpu]), BTreeSet::from([Meter::Vcpu, Meter::Memory]));
        let (four, eight) = (BTreeMap::from([(Meter::Vcpu, 4)]), BTreeMap::from([(Meter::Vcpu, 8)]));
        let restored = |at, done| crate::content::tests::restoration(moment(at), done);
        let all = [restored(100, false), restored(100, true), restored(200, false)].map(Some);
        let mut seen = BTreeSet::new();
        for lease in [None, Some(&ended)] {
            for restored in [None].into_iter().chain(all.clone()) {
                for without in [&BTreeSet::new(), &cores, &both] {
                    for kept in [&BTreeMap::new(), &four, &eight] {
                        let approved = approved(lease, restored.as_ref());
                        let digest = of_claim("sha256:ab", &approved, without, kept);
                        assert_eq!(of_wish(&digest), "sha256:ab");
                        assert!(seen.insert(digest), "{lease:?} {restored:?} {without:?} {kept:?}");
                    }
                }
            }
        }
        let plain = approved(Some(&running), None);
        assert_eq!(of_claim("sha256:ab", &plain, &BTreeSet::new(), &BTreeMap::new()), "sha256:ab");
    }

    fn approved(lease: Option<&Lease>, restored: Option<&Restoration>) -> Approved {
        serde_json::from_value(json!({
            "class": "c", "image": "i", "imageSource": {"http": "https://x/i"}, "vcpu": 2, "memoryMebibytes": 4096,
            "architecture": "amd64", "diskTier": "standard", "diskMebibytes": 40_960, "sshAuthorizedKeys": [],
            "lease": lease, "restored": restored,
        }))
        .unwrap()
    }

    #[test]
    fn what_a_host_is_made_from_is_part_of_its_wish_and_what_it_is_brought_back_to_is_not() {
        let spec = |more: serde_json::Value| -> CloudHostSpec {
            let mut spec = json!({
                "systemRef": {"name": "portal"}, "classRef": {"name": "c"}, "imageRef": {"name": "i"},
                "zoneRef": {"name": "z"}, "architecture": "amd64", "systemDisk": {"tier": "standard", "size": "40Gi"},
            });
            for (name, value) in more.as_object().unwrap() {
                spec[name] = value.clone();
            }
            serde_json::from_value(spec).unwrap()
        };
        let plain = of(&spec(json!({})));
        let before = "sha256:f74fac4b6e0648142df609dbf4afcf5b83aa2aeb489b6a14dc72485656edc819";
        assert_eq!(plain, before, "claims were granted for it before snapshots could be named");
        let restore = json!({"snapshotRef": {"name": "web-1"}, "requestedAt": "2026-03-01T08:00:00Z"});
        assert_eq!(of(&spec(json!({"restore": restore}))), plain);
        let from = |name: &str| of(&spec(json!({"snapshotRef": {"name": name}})));
        assert_ne!(from("web-1"), plain);
        assert_ne!(from("web-1"), from("web-2"));
    }
}
