//! What of a change to a granted host, database, volume, bucket or snapshot is decided before it counts
//! (`controller/src/host/resize.rs`), and who would have to agree: for previews.

use jiyun_crds::v1alpha1::{
    CloudDatabase, CloudDatabaseStatus, CloudHost, CloudHostStatus, CloudSnapshot, DatabaseClass, HostClass,
    InformationSystem,
};

use super::approvals;
use crate::{
    app::{
        App,
        host::{Wish, database_guarded, guarded, snapshot_guarded, storage_guarded},
        snapshot::Disk,
        storage::{Grant, Storage},
    },
    extract::DepartmentName,
    model::{ChangeView, estimate::ApprovalsUnknown},
    store::{Caller, Reading, Report},
};

impl App {
    /// What would be decided about `host`, as it would be after a change; none where it was never granted: all of it is
    /// decided then. Where the ledger may not be read, any other size counts as decided. What the host asks of the ledger is
    /// looked up unless it is known (`wish`).
    pub async fn change_of(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        host: &CloudHost,
        wish: Option<&Wish>,
    ) -> Option<ChangeView> {
        let status = host.status.as_ref().filter(|status| status.claim_id.is_some())?;
        let (fields, resized) = (guarded(host), resized(host, status));
        if fields.is_empty() && resized.is_empty() {
            return Some(ChangeView::new(fields, None));
        }
        let wished = self.wished(caller, department, host, wish).await;
        Some(told(caller, department, fields, resized, wished).await)
    }

    /// The same of a database.
    pub async fn change_of_database(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        database: &CloudDatabase,
        wish: Option<&Wish>,
    ) -> Option<ChangeView> {
        let status = database.status.as_ref().filter(|status| status.claim_id.is_some())?;
        let (fields, resized) = (database_guarded(database), database_resized(database, status));
        if fields.is_empty() && resized.is_empty() {
            return Some(ChangeView::new(fields, None));
        }
        let wished = self.database_wished(caller, department, database, wish).await;
        Some(told(caller, department, fields, resized, wished).await)
    }

    /// The same of a volume or a bucket.
    pub async fn change_of_storage<K: Storage>(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        storage: &K,
        wish: Option<&Wish>,
    ) -> Option<ChangeView> {
        let (fields, resized) = (storage_guarded(storage), storage_resized(storage, storage.grant()?));
        if fields.is_empty() && resized.is_empty() {
            return Some(ChangeView::new(fields, None));
        }
        let wished = self.storage_wished(caller, department, storage, wish).await;
        Some(told(caller, department, fields, resized, wished).await)
    }

    /// The same of a snapshot, which has no size of its own to change.
    pub async fn change_of_snapshot(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        snapshot: &CloudSnapshot,
    ) -> Option<ChangeView> {
        snapshot.status.as_ref().filter(|status| status.claim_id.is_some())?;
        let fields = snapshot_guarded(snapshot);
        if fields.is_empty() {
            return Some(ChangeView::new(fields, None));
        }
        let wished = self.snapshot_wished(caller, department, snapshot).await;
        Some(told(caller, department, fields, Vec::new(), wished).await)
    }

    async fn snapshot_wished(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        snapshot: &CloudSnapshot,
    ) -> Result<(Reading, Wish), ApprovalsUnknown> {
        let unknown = || ApprovalsUnknown::NotPublished;
        let reading = self.open_book(caller, department, Report::Quota).await.map_err(|_| unknown())?;
        let system = &snapshot.spec.system_ref.name;
        let system = caller.find::<InformationSystem>(Some(&department.namespace()), system).await;
        let system = system.map_err(|_| unknown())?;
        let wish = Wish::of_snapshot(snapshot, &system, &Disk::kept_by(snapshot)).ok_or_else(unknown)?;
        Ok((reading, wish))
    }

    async fn wished(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        host: &CloudHost,
        known: Option<&Wish>,
    ) -> Result<(Reading, Wish), ApprovalsUnknown> {
        let unknown = || ApprovalsUnknown::NotPublished;
        let reading = self.open_book(caller, department, Report::Quota).await.map_err(|_| unknown())?;
        if let Some(wish) = known {
            return Ok((reading, wish.clone()));
        }
        let namespace = department.namespace();
        let system = caller.find::<InformationSystem>(Some(&namespace), &host.spec.system_ref.name);
        let class = caller.find::<HostClass>(None, &host.spec.class_ref.name);
        let (Ok(system), Ok(class)) = tokio::join!(system, class) else { return Err(unknown()) };
        Ok((reading, Wish::new(host, &system, &class).ok_or_else(unknown)?))
    }

    async fn database_wished(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        database: &CloudDatabase,
        known: Option<&Wish>,
    ) -> Result<(Reading, Wish), ApprovalsUnknown> {
        let unknown = || ApprovalsUnknown::NotPublished;
        let reading = self.open_book(caller, department, Report::Quota).await.map_err(|_| unknown())?;
        if let Some(wish) = known {
            return Ok((reading, wish.clone()));
        }
        let namespace = department.namespace();
        let system = caller.find::<InformationSystem>(Some(&namespace), &database.spec.system_ref.name);
        let class = caller.find::<DatabaseClass>(None, &database.spec.class_ref.name);
        let (Ok(system), Ok(class)) = tokio::join!(system, class) else { return Err(unknown()) };
        Ok((reading, Wish::of_database(database, &system, &class).ok_or_else(unknown)?))
    }

    async fn storage_wished<K: Storage>(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        storage: &K,
        known: Option<&Wish>,
    ) -> Result<(Reading, Wish), ApprovalsUnknown> {
        let unknown = || ApprovalsUnknown::NotPublished;
        let reading = self.open_book(caller, department, Report::Quota).await.map_err(|_| unknown())?;
        if let Some(wish) = known {
            return Ok((reading, wish.clone()));
        }
        let namespace = department.namespace();
        let system = caller.find::<InformationSystem>(Some(&namespace), storage.system()).await;
        let system = system.map_err(|_| unknown())?;
        Ok((reading, storage.wish(&system).ok_or_else(unknown)?))
    }
}

/// What is decided, once it is known what is wished for: else the `guarded` fields and those `resized`.
async fn told(
    caller: &Caller,
    department: &DepartmentName,
    guarded: Vec<&'static str>,
    resized: Vec<&'static str>,
    wished: Result<(Reading, Wish), ApprovalsUnknown>,
) -> ChangeView {
    let mut fields = guarded;
    let needed = match wished {
        Ok((reading, wish)) => {
            if let Some(claim) = wish.granted(&reading.state) {
                fields = wish.decided(claim);
            }
            if fields.is_empty() {
                return ChangeView::new(fields, None);
            }
            approvals::needed(caller, department, &reading.state, &[wish]).await
        }
        Err(unknown) => {
            fields.extend(resized);
            Err(unknown)
        }
    };
    ChangeView::new(fields, Some(needed))
}

/// The fields of the size that are not as they were granted.
fn resized(host: &CloudHost, status: &CloudHostStatus) -> Vec<&'static str> {
    let Some(granted) = &status.granted else { return Vec::new() };
    let amount = |size: &jiyun_crds::v1alpha1::Quantity| size.mebibytes().ok();
    let class = granted.class != host.spec.class_ref.name;
    let disk = amount(&granted.system_disk_size) != amount(&host.spec.system_disk.size);
    let fields = [("class", class), ("systemDisk.size", disk)];
    fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
}

/// The same of a database.
fn database_resized(database: &CloudDatabase, status: &CloudDatabaseStatus) -> Vec<&'static str> {
    let Some(granted) = &status.granted else { return Vec::new() };
    let spec = &database.spec;
    let class = granted.class != spec.class_ref.name;
    let topology = granted.instances != spec.topology.instances();
    let storage = granted.storage_size.mebibytes().ok() != spec.storage.size.mebibytes().ok();
    let fields = [("class", class), ("topology", topology), ("storage.size", storage)];
    fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
}

/// The same of a volume or a bucket.
fn storage_resized(storage: &impl Storage, grant: Grant<'_>) -> Vec<&'static str> {
    let granted = grant.size.and_then(|size| size.mebibytes().ok());
    let differs = granted.is_some_and(|granted| storage.size().mebibytes().ok() != Some(granted));
    differs.then_some("size").into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn host(protection: &str, lease: &Value, status: &Value) -> CloudHost {
        serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost", "metadata": {"name": "web"},
            "spec": {
                "systemRef": {"name": "s"}, "classRef": {"name": "c"}, "imageRef": {"name": "i"},
                "zoneRef": {"name": "z"}, "architecture": "amd64", "systemDisk": {"tier": "standard", "size": "40Gi"},
                "deletionProtection": protection, "lease": lease,
            },
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_guarded_field_that_asks_for_more_than_was_granted_is_decided() {
        let until = |at: &str| json!({"endsAt": at});
        let granted = json!({"claimId": "claim-1", "lease": {"stage": "Running", "endsAt": "2027-01-01T00:00:00Z"}});
        let endless = json!({"claimId": "claim-1", "deletionProtection": "Disabled"});
        let (none, both) = (Vec::<&str>::new(), vec!["deletionProtection", "lease.endsAt"]);
        for (protection, lease, status, expected) in [
            ("Enabled", until("2027-01-01T08:00:00+08:00"), &granted, none.clone()),
            ("Enabled", until("2026-12-31T00:00:00Z"), &granted, none.clone()),
            ("Enabled", until("2027-01-01T00:00:01Z"), &granted, vec!["lease.endsAt"]),
            ("Disabled", Value::Null, &granted, both),
            ("Disabled", until("2027-01-01T00:00:00Z"), &endless, none.clone()),
            ("Disabled", until("2027-01-01T00:00:00Z"), &json!({}), none.clone()),
        ] {
            assert_eq!(guarded(&host(protection, &lease, status)), expected, "{protection} {lease} {status}");
        }
    }
}
