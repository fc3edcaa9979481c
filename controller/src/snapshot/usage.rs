//! What keeps a snapshot from going: disks that are still being made from it; and what keeps a disk from going: a snapshot that
//! is still being taken of it.

use jiyun_ledger::{Claim, ClaimId, ClaimStage, State};
use serde_json::Value;

use super::{KIND, request::object_name};
use crate::{context::Context, host::request::engine_namespace, site::SiteEngines};

/// What is still being made from the snapshot of `claim`, by kind and name: a new disk that was not handed over yet, or one that
/// is being brought back to it. Snapshots are used in their own department alone, and of its claims each is looked at: asked
/// where a snapshot ends, and nowhere else.
pub fn in_use(claim: &Claim, state: &State) -> Option<String> {
    let mut open = state.open_claims_of(&claim.account);
    let user = open.find(|user| user.id != claim.id && uses(user, claim.id))?;
    Some(format!("{} {}", user.subject.kind, user.subject.name))
}

/// A snapshot of the disk of `source`, which lies at `site`, that was granted and is still to be taken, by kind and name: while
/// there is one, no other disk is put in the place of that one.
pub fn being_taken(source: &Claim, site: &SiteEngines, context: &Context) -> Option<String> {
    let is_begun = |claim: &Claim| site.volume_snapshot(&engine_namespace(claim), &object_name(claim)).is_some();
    context.ledger.read(|state| granted_of(source, state, is_begun))
}

/// A snapshot of the disk of `source` that was granted and not taken, whatever keeps it from that: its engine may keep the disk
/// for it.
pub fn not_taken(source: &Claim, context: &Context) -> Option<String> {
    context.ledger.read(|state| granted_of(source, state, |_| true))
}

fn granted_of(source: &Claim, state: &State, is_begun: impl Fn(&Claim) -> bool) -> Option<String> {
    let size = granted_to(source);
    let mut open = state.open_claims_of(&source.account);
    let snapshot = open.find(|claim| is_being_taken(claim, source.id, size, &is_begun))?;
    Some(format!("{KIND} {}", snapshot.subject.name))
}

/// What was granted to the disk of a host or a volume, in MiB.
fn granted_to(claim: &Claim) -> u64 {
    let sizes = ["/diskMebibytes", "/mebibytes"].map(|path| claim.approved_spec.pointer(path).and_then(Value::as_u64));
    sizes.into_iter().flatten().next().unwrap_or_default()
}

/// Whether a claim is for a snapshot of the disk of the claim `source` that is still to be taken. One that was granted
/// less than the `size` of that disk, which has grown since, is not begun any more; once its engine knows of it, it goes on.
fn is_being_taken(claim: &Claim, source: ClaimId, size: u64, is_begun: impl Fn(&Claim) -> bool) -> bool {
    let number = |path: &str| claim.approved_spec.pointer(path).and_then(Value::as_u64);
    claim.subject.kind == KIND
        && claim.stage() == ClaimStage::Reserved
        && !claim.adopted
        && number("/source/claim") == Some(source.0)
        && (number("/mebibytes") >= Some(size) || is_begun(claim))
}

/// Whether a claim needs the snapshot of the claim `snapshot`. What is only held for an order is granted nothing yet: it is
/// looked at anew before that, and so is what it names.
fn uses(claim: &Claim, snapshot: ClaimId) -> bool {
    if claim.stage() == ClaimStage::Held {
        return false;
    }
    // Of every claim of a department: the rest of what was approved is not wanted.
    let approved = &claim.approved_spec;
    let names = |path: &str| approved.pointer(path).and_then(Value::as_u64) == Some(snapshot.0);
    let is_done = |path: &str| approved.pointer(path).is_some_and(|at| !at.is_null());
    (names("/restored/content/claim") && !is_done("/restored/completedAt"))
        // Put back where nothing is made of the one that took its place.
        || (names("/restored/before/content/claim") && !is_done("/restored/before/completedAt"))
        || (names("/content/claim") && claim.billable_from.is_none() && !claim.adopted)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SNAPSHOT: ClaimId = ClaimId(9);

    fn claim(kind: &str, change: impl FnOnce(&mut Value)) -> Claim {
        let mut claim = json!({
            "id": 7, "account": "finance", "system": "budget",
            "subject": {"kind": kind, "namespace": "dept-finance", "name": "files-2", "uid": "u-1"},
            "item": "standard", "specDigest": "d", "approvedSpec": {}, "reservedAt": "2026-02-01T00:00:00Z",
            "lines": [{"meter": "BlockStorage", "pool": "Storage/ceph", "dimensions": {}, "quantity": 102_400}],
        });
        change(&mut claim);
        serde_json::from_value(claim).unwrap()
    }

    #[test]
    fn a_disk_needs_its_snapshot_until_it_was_handed_over() {
        let made = |change: fn(&mut Value)| {
            claim("CloudVolume", |claim| {
                claim["approvedSpec"] = json!({"content": {"snapshot": "files-1", "claim": 9}});
                change(claim);
            })
        };
        assert!(uses(&made(|_| {}), SNAPSHOT));
        assert!(!uses(&made(|_| {}), ClaimId(8)), "another one's");
        assert!(!uses(&made(|claim| claim["billableFrom"] = json!("2026-02-01T00:01:00Z")), SNAPSHOT));
        assert!(!uses(&made(|claim| claim["adopted"] = json!(true)), SNAPSHOT));
        let held = made(|claim| {
            let until = json!("2026-03-01T00:00:00Z");
            claim["hold"] = json!({"until": until, "item": "i", "lines": [], "specDigest": "d", "approvedSpec": {}});
            claim["lines"] = json!([]);
        });
        assert!(!uses(&held, SNAPSHOT), "nothing was granted yet");
    }

    #[test]
    fn a_disk_stays_until_the_snapshots_that_were_granted_of_it_are_taken() {
        let snapshot = |change: fn(&mut Value)| {
            claim("CloudSnapshot", |claim| {
                let source = json!({"kind": "CloudVolume", "name": "files", "claim": 9});
                claim["approvedSpec"] = json!({"tier": "standard", "mebibytes": 102_400, "source": source});
                change(claim);
            })
        };
        let of = |claim: &Claim| is_being_taken(claim, SNAPSHOT, 102_400, |_| false);
        assert!(of(&snapshot(|_| {})));
        assert!(!is_being_taken(&snapshot(|_| {}), ClaimId(8), 102_400, |_| true), "of another disk");
        assert!(!of(&snapshot(|claim| claim["billableFrom"] = json!("2026-02-01T00:01:00Z"))));
        let ending = snapshot(|claim| claim["billableUntil"] = json!("2026-02-01T00:01:00Z"));
        assert!(!of(&ending), "it is not wanted any more");
        assert!(!of(&claim("CloudVolume", |_| {})));
    }

    #[test]
    fn a_snapshot_that_its_source_has_outgrown_keeps_nobody_waiting() {
        let snapshot = claim("CloudSnapshot", |claim| {
            let source = json!({"kind": "CloudVolume", "name": "files", "claim": 9});
            claim["approvedSpec"] = json!({"tier": "standard", "mebibytes": 102_400, "source": source});
        });
        for (kind, approved, expected) in [
            ("CloudVolume", json!({"tier": "standard", "mebibytes": 102_400}), true),
            ("CloudVolume", json!({"tier": "standard", "mebibytes": 102_401}), false),
            ("CloudHost", json!({"diskTier": "standard", "diskMebibytes": 102_400, "memoryMebibytes": 4096}), true),
            ("CloudHost", json!({"diskTier": "standard", "diskMebibytes": 204_800, "memoryMebibytes": 4096}), false),
        ] {
            let size = granted_to(&claim(kind, |claim| claim["approvedSpec"] = approved.clone()));
            assert_eq!(is_being_taken(&snapshot, SNAPSHOT, size, |_| false), expected, "{kind} {approved}");
            assert!(is_being_taken(&snapshot, SNAPSHOT, size, |_| true), "its engine knows of it: {kind} {approved}");
        }
    }

    #[test]
    fn a_restore_needs_its_snapshot_until_it_is_done() {
        let restored = |completed: Value| {
            claim("CloudHost", |claim| {
                claim["billableFrom"] = json!("2026-02-01T00:01:00Z");
                claim["approvedSpec"] = json!({"restored": {
                    "content": {"claim": 9}, "requestedAt": "2026-03-01T08:00:00Z", "completedAt": completed,
                }});
            })
        };
        assert!(uses(&restored(Value::Null), SNAPSHOT));
        assert!(!uses(&restored(json!("2026-03-01T08:05:00Z")), SNAPSHOT));
        assert!(!uses(&restored(Value::Null), ClaimId(8)), "another one's");
        assert!(!uses(&claim("CloudHost", |_| {}), SNAPSHOT));
        let replaced = |completed: Value| {
            let mut claim = restored(Value::Null);
            let mut approved = (*claim.approved_spec).clone();
            approved["restored"]["content"]["claim"] = json!(10);
            approved["restored"]["before"] = json!({
                "content": {"claim": 9}, "requestedAt": "2026-03-01T07:00:00Z", "completedAt": completed,
            });
            claim.approved_spec = approved.into();
            claim
        };
        assert!(uses(&replaced(Value::Null), SNAPSHOT), "it is put back if nothing is made of the other");
        assert!(!uses(&replaced(json!("2026-03-01T07:05:00Z")), SNAPSHOT));
    }
}
