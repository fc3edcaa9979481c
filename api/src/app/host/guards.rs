//! The guarded fields of hosts, volumes and buckets that ask for more than was granted.

use jiyun_crds::v1alpha1::{CloudHost, DeletionProtection};

use crate::app::storage::Storage;

/// The guarded fields of `host` that ask for more than its status says was granted; none of one that was never granted.
pub fn guarded(host: &CloudHost) -> Vec<&'static str> {
    let Some(status) = host.status.as_ref().filter(|status| status.claim_id.is_some()) else { return Vec::new() };
    let unprotected =
        host.spec.deletion_protection == DeletionProtection::Disabled && status.deletion_protection.is_none();
    let granted = status.lease.as_ref().and_then(|lease| lease.ends_at.timestamp().ok());
    let asked = host.spec.lease.as_ref().and_then(|lease| lease.ends_at.timestamp().ok());
    let longer = granted.is_some_and(|granted| asked.is_none_or(|asked| asked > granted));
    let fields = [("deletionProtection", unprotected), ("lease.endsAt", longer)];
    fields.into_iter().filter(|(_, decided)| *decided).map(|(field, _)| field).collect()
}

/// The same of a volume or a bucket.
pub fn storage_guarded(storage: &impl Storage) -> Vec<&'static str> {
    let is_protected = storage.protection() == DeletionProtection::Enabled;
    let unprotected = storage.grant().is_some_and(|grant| !is_protected && grant.protection.is_none());
    unprotected.then_some("deletionProtection").into_iter().collect()
}
