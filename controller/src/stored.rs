//! What volumes, buckets and snapshots have in common: an amount of storage of one tier, which is granted and never shrinks.
//! Volumes and buckets grow by decision; a snapshot has the size of what it is of.

pub mod approved;
pub mod change;

use jiyun_crds::v1alpha1::{CloudBucket, CloudSnapshot, CloudVolume};
use jiyun_ledger::{Claim, ClaimRequest, Placement};

use self::approved::Approved;
use crate::{claimed::Claimed, order::subject::Orderable};

/// A kind that takes an amount of storage of one tier, and nothing else.
pub trait Stored: Claimed + Orderable {
    /// Code of the sentence that what was granted cannot become smaller.
    const CANNOT_SHRINK: &'static str;

    /// What so many MiB of a tier take.
    fn placements(tier: &str, mebibytes: u64) -> Vec<Placement>;
}

impl Stored for CloudVolume {
    const CANNOT_SHRINK: &'static str = "VolumeCannotShrink";

    fn placements(tier: &str, mebibytes: u64) -> Vec<Placement> {
        Placement::volume(tier.to_owned(), mebibytes, None).into()
    }
}

impl Stored for CloudBucket {
    const CANNOT_SHRINK: &'static str = "BucketCannotShrink";

    fn placements(tier: &str, mebibytes: u64) -> Vec<Placement> {
        Placement::bucket(tier.to_owned(), mebibytes).into()
    }
}

impl Stored for CloudSnapshot {
    const CANNOT_SHRINK: &'static str = "SnapshotKeepsItsSize";

    // Of what was granted, which lies where it lies: which pool is asked for matters once, before.
    fn placements(tier: &str, mebibytes: u64) -> Vec<Placement> {
        Placement::volume(tier.to_owned(), mebibytes, None).into()
    }
}

/// What `claim` of a `T` asks for to become `after`. It stays where it lies.
///
/// # Errors
/// When the approved spec cannot be written as JSON, which its types exclude.
pub fn changed<T: Stored>(
    claim: &Claim,
    after: &Approved,
    digest: &str,
    protection_level: u8,
) -> Result<ClaimRequest, serde_json::Error> {
    Ok(ClaimRequest {
        account: claim.account.clone(),
        system: claim.system.clone(),
        subject: claim.subject.clone(),
        item: claim.item.clone(),
        zone: claim.taken().find_map(|line| line.dimensions.zone.clone()).unwrap_or_default(),
        protection_level,
        placements: T::placements(&after.tier, after.mebibytes),
        spec_digest: change::of_claim(digest, after.restored.as_ref()),
        approved_spec: serde_json::to_value(after)?.into(),
        hold_until: None,
        wait: true,
    })
}
