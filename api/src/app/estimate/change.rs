//! What of a change to a granted host is decided before it counts (`controller/src/host/resize.rs`), and who would have to
//! agree: for previews.

use jiyun_crds::v1alpha1::{CloudHost, CloudHostStatus, HostClass, InformationSystem};

use super::approvals;
use crate::{
    app::{
        App,
        host::{Wish, guarded},
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
        let (mut fields, resized) = (guarded(host), resized(host, status));
        if fields.is_empty() && resized.is_empty() {
            return Some(ChangeView::new(fields, None));
        }
        let needed = match self.wished(caller, department, host, wish).await {
            Ok((reading, wish)) => {
                if let Some(claim) = wish.granted(&reading.state) {
                    fields = wish.decided(claim);
                }
                if fields.is_empty() {
                    return Some(ChangeView::new(fields, None));
                }
                approvals::needed(caller, department, &reading.state, &[wish]).await
            }
            Err(unknown) => {
                fields.extend(resized);
                Err(unknown)
            }
        };
        Some(ChangeView::new(fields, Some(needed)))
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
