//! One order for a host and its volume: both at one site.

use jiyun_crds::v1alpha1::{AttachmentState, ConditionType, Reason};
use jiyun_tests::{
    Order, WorldError,
    desk::{Desk, approved, reason_of},
    volume::{Volumes, shared},
    world::{Bureau, Quota},
};
use serde_json::json;

use super::uses;

/// Three sites with storage of a tier that nobody else orders: one of them, the answer, has machines, too. Of the others one
/// is nearly full with what is ordered here and one nearly empty, so that whatever a department prefers, it is not the answer.
async fn sites(bureau: &Bureau<'_>, tier: &str) -> Result<String, WorldError> {
    let lab = &bureau.world.lab;
    let capacities = [("middle", "1Ti"), ("small", "20Gi"), ("huge", "100Ti")];
    for (name, capacity) in capacities {
        let site = format!("{tier}-{name}");
        let place = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Site", "metadata": {"name": site},
            "spec": {"displayName": "测试数据中心", "region": "test", "role": "Primary"},
        });
        let storage = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "StoragePool", "metadata": {"name": site},
            "spec": {"siteRef": {"name": site}, "zones": ["extranet-public"], "tier": tier,
                     "storageClassName": "standard", "provider": "test", "maxProtectionLevel": 3, "capacity": capacity},
        });
        for object in [place, storage] {
            lab.apply_text(&object.to_string()).await?;
        }
        lab.kubectl(&["wait", "storagepool", &site, "--for=condition=Ready", "--timeout=60s"]).await?;
    }
    let answer = format!("{tier}-middle");
    let machines = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "ComputePool", "metadata": {"name": answer},
        "spec": {"siteRef": {"name": answer}, "zones": ["extranet-public"], "architecture": "amd64",
                 "processor": "Hygon", "provider": "test", "maxProtectionLevel": 3,
                 "capacity": {"vcpu": 8, "memory": "32Gi"}},
    });
    lab.apply_text(&machines.to_string()).await?;
    lab.kubectl(&["wait", "computepool", &answer, "--for=condition=Ready", "--timeout=60s"]).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_volume_ordered_with_its_host_is_set_aside_at_the_site_of_that_and_granted_with_it() -> Result<(), WorldError>
{
    let desk = Desk::open(shared().await?, Quota::AMPLE).await?;
    let (bureau, lab) = (&desk.bureau, &desk.bureau.world.lab);
    let tier = format!("both-{}", bureau.name);
    let pool = sites(bureau, &tier).await?;

    let mut host = Order { tier: tier.clone(), ..Order::new("web", "portal") }.object(&bureau.name);
    host["metadata"]["annotations"] = json!({"jiyun.io/order": "rollout"});
    let namespace = format!("dept-{}", bureau.name);
    let volume = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudVolume",
        "metadata": {"name": "data", "namespace": namespace, "annotations": {"jiyun.io/order": "rollout"}},
        "spec": {
            "systemRef": {"name": "portal"}, "zoneRef": {"name": "extranet-public"}, "tier": tier, "size": "10Gi",
            "hostRef": {"name": "web"}, "deletionProtection": "Disabled",
        },
    });
    // The volume stands before its host.
    let items = [("CloudVolume", "data"), ("CloudHost", "web")]
        .map(|(kind, name)| json!({"kind": kind, "name": name, "action": "Create"}));
    let order = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Order",
        "metadata": {"name": "rollout", "namespace": namespace},
        "spec": {"systemRef": {"name": "portal"}, "items": items, "justification": "门户改版"},
    });
    for object in [host, volume, order] {
        lab.apply_text(&object.to_string()).await?;
    }
    let held = desk.wait_for_order("rollout", |order| approved(order) == Some(Reason::AwaitingApproval)).await?;
    uses(bureau, (0, (40 + 10) * 1024)).await?;
    assert_eq!(desk.names().await?.len(), 1, "none is filed beside it");

    desk.approve(&held).await?;
    let host = bureau.wait_ready("web").await?.status.unwrap().storage_pool_ref.unwrap();
    let volumes = Volumes { bureau };
    let volume = volumes.wait_attached("data", "web", AttachmentState::Attached).await?;
    let volume = volume.status.unwrap().storage_pool_ref.unwrap();
    assert_eq!([host.name, volume.name], [pool.clone(), pool]);
    let is_done = |order: &_| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled);
    desk.wait_for_order("rollout", is_done).await?;
    uses(bureau, ((40 + 10) * 1024, 0)).await?;
    Ok(())
}
