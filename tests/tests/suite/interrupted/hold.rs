//! Keeps the controller from one change, so that the gap before that change stays open until it was killed in it.
//!
//! An admission policy of the API server refuses the change to the controller alone, as any outage of an engine's
//! admission would; the controller goes on trying.

use jiyun_lab::wait_for;
use jiyun_tests::{World, world::PATIENCE};
use serde_json::json;

/// As whom the controller talks to the API server.
const CONTROLLER: &str = "system:serviceaccount:jiyun-system:jiyun-controller";

/// What the refusal says.
const SAYS: &str = "held by a test";

/// A change the controller is kept from.
#[derive(Clone, Copy, Debug)]
pub enum Hold {
    /// Making a disk: the first engine object of a host.
    MakingDisks,
    /// Changing a machine that is there.
    ChangingMachines,
    /// Deleting a machine.
    DeletingMachines,
    /// Deleting a disk.
    DeletingDisks,
    /// Having a snapshot taken.
    MakingSnapshots,
    /// Deleting a snapshot at its engine.
    DeletingSnapshots,
    /// Changing the user of a bucket: which key pair is its, and how much it may hold.
    ChangingBucketUsers,
    /// Deleting a user of buckets.
    DeletingBucketUsers,
    /// Deleting a key pair that was made for a bucket.
    DeletingBucketKeys,
    /// Letting a host go.
    LettingGo,
}

impl Hold {
    fn name(self) -> &'static str {
        match self {
            Self::MakingDisks => "making-disks",
            Self::ChangingMachines => "changing-machines",
            Self::DeletingMachines => "deleting-machines",
            Self::DeletingDisks => "deleting-disks",
            Self::MakingSnapshots => "making-snapshots",
            Self::DeletingSnapshots => "deleting-snapshots",
            Self::ChangingBucketUsers => "changing-bucket-users",
            Self::DeletingBucketUsers => "deleting-bucket-users",
            Self::DeletingBucketKeys => "deleting-bucket-keys",
            Self::LettingGo => "letting-go",
        }
    }

    /// API group, resource, operation, and which of the changes.
    fn change(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::MakingDisks => ("cdi.kubevirt.io", "datavolumes", "CREATE", "true"),
            Self::ChangingMachines => ("kubevirt.io", "virtualmachines", "UPDATE", "true"),
            Self::DeletingMachines => ("kubevirt.io", "virtualmachines", "DELETE", "true"),
            Self::DeletingDisks => ("cdi.kubevirt.io", "datavolumes", "DELETE", "true"),
            Self::MakingSnapshots => ("snapshot.storage.k8s.io", "volumesnapshots", "CREATE", "true"),
            Self::DeletingSnapshots => ("snapshot.storage.k8s.io", "volumesnapshots", "DELETE", "true"),
            Self::ChangingBucketUsers => ("ceph.rook.io", "cephobjectstoreusers", "UPDATE", "true"),
            Self::DeletingBucketUsers => ("ceph.rook.io", "cephobjectstoreusers", "DELETE", "true"),
            Self::DeletingBucketKeys => ("", "secrets", "DELETE", "oldObject.metadata.name.startsWith('bucket.')"),
            Self::LettingGo => ("jiyun.io", "cloudhosts", "UPDATE", "!has(object.metadata.finalizers)"),
        }
    }

    /// Sets it; it is in force when this returns. `probe` is a change it refuses, which is only tried.
    pub async fn set(self, world: &World, probe: &[&str]) {
        let (group, resource, operation, which) = self.change();
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": self.name()},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [{
                    "apiGroups": [group], "apiVersions": ["*"], "resources": [resource], "operations": [operation],
                }]},
                "matchConditions": [
                    {"name": "controller", "expression": format!("request.userInfo.username == '{CONTROLLER}'")},
                    {"name": "which", "expression": which},
                ],
                "validations": [{"expression": "false", "message": SAYS}],
            },
        });
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": self.name()}, "spec": {"policyName": self.name(), "validationActions": ["Deny"]},
        });
        world.lab.apply_text(&policy.to_string()).await.unwrap();
        world.lab.apply_text(&binding.to_string()).await.unwrap();
        let tried = [probe, &["--dry-run=server", "--as", CONTROLLER]].concat();
        wait_for(format!("the hold on {}", self.name()), PATIENCE, || async {
            match world.lab.kubectl(&tried).await {
                Err(refusal) if refusal.to_string().contains(SAYS) => Ok(()),
                Err(other) => Err(other.to_string()),
                Ok(_) => Err("it was let through".to_owned()),
            }
        })
        .await
        .unwrap();
    }

    /// Lifts it. The API server may refuse for a moment longer, which the controller lives with.
    pub async fn lift(self, world: &World) {
        let kinds = "validatingadmissionpolicybindings,validatingadmissionpolicies";
        world.lab.kubectl(&["delete", kinds, self.name()]).await.unwrap();
    }
}
