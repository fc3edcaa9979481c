//! The guarded fields of hosts, databases, volumes, buckets and snapshots that ask for more than was granted.

use jiyun_crds::v1alpha1::{CloudDatabase, CloudHost, CloudSnapshot, DeletionProtection};

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

/// The same of a database.
pub fn database_guarded(database: &CloudDatabase) -> Vec<&'static str> {
    let status = database.status.as_ref().filter(|status| status.claim_id.is_some());
    let decided = status.and_then(|status| status.deletion_protection);
    unprotected(database.spec.deletion_protection, status.is_some(), decided)
}

/// The same of a volume or a bucket.
pub fn storage_guarded(storage: &impl Storage) -> Vec<&'static str> {
    let grant = storage.grant();
    unprotected(storage.protection(), grant.is_some(), grant.and_then(|grant| grant.protection))
}

/// The same of a snapshot.
pub fn snapshot_guarded(snapshot: &CloudSnapshot) -> Vec<&'static str> {
    let status = snapshot.status.as_ref().filter(|status| status.claim_id.is_some());
    let decided = status.and_then(|status| status.deletion_protection);
    unprotected(snapshot.spec.deletion_protection, status.is_some(), decided)
}

/// The protection, where taking it off is `asked` for and was not `decided`. Of what was never granted nobody decides it.
fn unprotected(asked: DeletionProtection, is_granted: bool, decided: Option<DeletionProtection>) -> Vec<&'static str> {
    let is_open = asked == DeletionProtection::Disabled && is_granted && decided.is_none();
    is_open.then_some("deletionProtection").into_iter().collect()
}
