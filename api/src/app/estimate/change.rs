//! What of a change to a granted host is decided before it counts (`controller/src/host/change.rs`), and who would have to
//! agree: for previews.

use jiyun_approvals::Requirement;
use jiyun_crds::v1alpha1::{CloudHost, DeletionProtection, HostClass, InformationSystem, OrderAction};

use super::approvals;
use crate::{
    app::{App, host::Wish},
    extract::DepartmentName,
    model::{ChangeView, estimate::ApprovalsUnknown},
    store::{Caller, Report},
};

impl App {
    /// What would be decided about `host`, as it would be after a change; none where it was never granted: all of it is
    /// decided then.
    pub async fn change_of(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        host: &CloudHost,
    ) -> Option<ChangeView> {
        let fields = decided(host)?;
        let needed = if fields.is_empty() { None } else { Some(self.needed(caller, department, host).await) };
        Some(ChangeView::new(fields, needed))
    }

    async fn needed(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        host: &CloudHost,
    ) -> Result<Requirement, ApprovalsUnknown> {
        let unknown = || ApprovalsUnknown::NotPublished;
        let reading = self.open_book(caller, department, Report::Quota).await.map_err(|_| unknown())?;
        let namespace = department.namespace();
        let system = caller.find::<InformationSystem>(Some(&namespace), &host.spec.system_ref.name);
        let class = caller.find::<HostClass>(None, &host.spec.class_ref.name);
        let (Ok(system), Ok(class)) = tokio::join!(system, class) else { return Err(unknown()) };
        let wishes: Vec<Wish> = Wish::new(host, &system, &class).into_iter().collect();
        approvals::needed(caller, department, &reading.state, &wishes, OrderAction::Change).await
    }
}

/// The guarded fields of a granted host that ask for more than was granted.
fn decided(host: &CloudHost) -> Option<Vec<&'static str>> {
    let status = host.status.as_ref().filter(|status| status.claim_id.is_some())?;
    let unprotected =
        host.spec.deletion_protection == DeletionProtection::Disabled && status.deletion_protection.is_none();
    let granted = status.lease.as_ref().and_then(|lease| lease.ends_at.timestamp().ok());
    let asked = host.spec.lease.as_ref().and_then(|lease| lease.ends_at.timestamp().ok());
    let longer = granted.is_some_and(|granted| asked.is_none_or(|asked| asked > granted));
    let fields = [("deletionProtection", unprotected), ("lease.endsAt", longer)];
    Some(fields.into_iter().filter(|(_, decided)| *decided).map(|(field, _)| field).collect())
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
    fn what_asks_for_more_than_was_granted_is_decided_and_the_rest_applies_at_once() {
        let until = |at: &str| json!({"endsAt": at});
        let granted = json!({"claimId": "claim-1", "lease": {"stage": "Running", "endsAt": "2027-01-01T00:00:00Z"}});
        let endless = json!({"claimId": "claim-1", "deletionProtection": "Disabled"});
        let (none, both) = (Vec::<&str>::new(), vec!["deletionProtection", "lease.endsAt"]);
        for (protection, lease, status, expected) in [
            ("Enabled", until("2027-01-01T08:00:00+08:00"), &granted, Some(none.clone())),
            ("Enabled", until("2026-12-31T00:00:00Z"), &granted, Some(none.clone())),
            ("Enabled", until("2027-01-01T00:00:01Z"), &granted, Some(vec!["lease.endsAt"])),
            ("Disabled", Value::Null, &granted, Some(both)),
            ("Disabled", until("2027-01-01T00:00:00Z"), &endless, Some(none.clone())),
            ("Disabled", until("2027-01-01T00:00:00Z"), &json!({}), None),
        ] {
            assert_eq!(decided(&host(protection, &lease, status)), expected, "{protection} {lease} {status}");
        }
    }
}
