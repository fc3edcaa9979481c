//! A host's end: quota comes back when the machine is gone, and not before.

use http::StatusCode;
use jiyun_crds::v1alpha1::ConditionType;
use jiyun_tests::{
    Order, World, WorldError,
    world::{Quota, reason},
};

#[tokio::test]
async fn a_deleted_host_leaves_neither_machine_nor_disk_nor_claim() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    let answer = bureau.caller.delete(&bureau.host_path("web-1")).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    bureau.wait_gone("web-1").await?;
    let left =
        bureau.world.lab.kubectl(&["get", "vm,dv", "-n", &format!("engine-{}", bureau.name), "-o", "name"]).await?;
    assert_eq!(left.trim(), "");
    assert_eq!(bureau.used("Vcpu").await?, (0, 0));
    Ok(())
}

#[tokio::test]
async fn quota_is_not_free_while_the_machine_still_exists() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::cores(2)).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    let engine = format!("engine-{}", bureau.name);
    let held = r#"{"metadata": {"finalizers": ["test.example/hold"]}}"#;
    bureau.world.lab.kubectl(&["patch", "vm", "web-1", "-n", &engine, "--type=merge", "-p", held]).await?;
    bureau.caller.delete(&bureau.host_path("web-1")).await?;
    bureau.wait_for_host("web-1", "deleting", |host| reason(host, ConditionType::Ready) == Some("Deleting")).await?;
    let refused = bureau.caller.post(&bureau.hosts_path(), &Order::new("web-2", "portal").body(), 30).await?;
    assert_eq!(refused.json()["code"], "ExceedsLimit", "{refused:?}");

    let free = r#"{"metadata": {"finalizers": null}}"#;
    bureau.world.lab.kubectl(&["patch", "vm", "web-1", "-n", &engine, "--type=merge", "-p", free]).await?;
    bureau.wait_gone("web-1").await?;
    let granted = bureau.caller.post(&bureau.hosts_path(), &Order::new("web-3", "portal").body(), 30).await?;
    assert!(granted.status.is_success(), "{granted:?}");
    Ok(())
}

#[tokio::test]
async fn a_refused_host_can_be_deleted_and_its_name_used_again() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::cores(4)).await?;
    let large = Order::new("web-1", "portal").class("general-8c16g");
    let refused = bureau.caller.post(&bureau.hosts_path(), &large.body(), 30).await?;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    bureau.caller.delete(&bureau.host_path("web-1")).await?;
    bureau.wait_gone("web-1").await?;
    let granted = bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    assert!(granted.status.is_success(), "{granted:?}");
    bureau.wait_ready("web-1").await?;
    Ok(())
}

#[tokio::test]
async fn a_host_whose_claim_the_ledger_does_not_know_is_kept_and_says_so() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::cores(1)).await?;
    let refused = bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    // As if the entry that granted it had been lost: no book has come this far.
    let namespace = format!("dept-{}", bureau.name);
    let patched = |status: &'static str| {
        let arguments = ["patch", "chost", "web-1", "-n", &namespace, "--subresource=status", "--type=merge", "-p"];
        let arguments = [&arguments[..], &[status]].concat();
        async move { bureau.world.lab.kubectl(&arguments).await }
    };
    patched(r#"{"status": {"claimId": "claim-999999999", "deletionProtection": "Disabled"}}"#).await?;
    bureau.caller.delete(&bureau.host_path("web-1")).await?;
    let kept = bureau
        .wait_for_host("web-1", "kept", |host| reason(host, ConditionType::Ready) == Some("UnknownClaim"))
        .await?;
    let conditions = kept.status.unwrap().conditions;
    let ready = jiyun_crds::v1alpha1::condition::find(&conditions, ConditionType::Ready).unwrap();
    assert_eq!(ready.status, "False");
    assert!(ready.message.contains("claim-999999999") && ready.message.contains("operators"), "{}", ready.message);
    assert!(kept.metadata.finalizers.is_some());
    let figures = bureau.world.controller_metrics().await?;
    let counted = figures.lines().find_map(|line| line.strip_prefix("jiyun_unknown_claims_total "));
    assert!(counted.is_some_and(|count| count != "0"), "{figures}");

    patched(r#"{"status": {"claimId": null}}"#).await?;
    bureau.wait_gone("web-1").await?;
    Ok(())
}

#[tokio::test]
async fn a_department_with_hosts_is_not_deleted_and_an_empty_one_is() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    let lab = &bureau.world.lab;
    lab.kubectl(&["delete", "department", &bureau.name, "--wait=false"]).await?;
    lab.kubectl(&["wait", "department", &bureau.name, "--for=condition=Ready=False", "--timeout=60s"]).await?;
    bureau.caller.delete(&bureau.host_path("web-1")).await?;
    lab.kubectl(&["wait", "department", &bureau.name, "--for=delete", "--timeout=120s"]).await?;
    lab.kubectl(&["wait", "namespace", &format!("dept-{}", bureau.name), "--for=delete", "--timeout=60s"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_pool_with_machines_takes_no_more_and_goes_when_it_is_empty() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let tier = format!("tier-{}", bureau.name);
    let pool = serde_json::json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "StoragePool", "metadata": {"name": tier},
        "spec": {"siteRef": {"name": "hengshan-main"}, "zones": ["extranet-public"], "tier": tier,
                 "storageClassName": "standard", "provider": "test", "maxProtectionLevel": 3, "capacity": "1Ti"},
    });
    world.lab.apply_text(&pool.to_string()).await?;
    world.lab.kubectl(&["wait", "storagepool", &tier, "--for=condition=Ready", "--timeout=60s"]).await?;
    let order = |name: &str| Order { tier: tier.clone(), ..Order::new(name, "portal") };
    bureau.caller.post(&bureau.hosts_path(), &order("web-1").body(), 30).await?;
    bureau.wait_ready("web-1").await?;

    world.lab.kubectl(&["delete", "storagepool", &tier, "--wait=false"]).await?;
    world.lab.kubectl(&["wait", "storagepool", &tier, "--for=condition=Ready=False", "--timeout=60s"]).await?;
    let refused = bureau.caller.post(&bureau.hosts_path(), &order("web-2").body(), 30).await?;
    assert_eq!(refused.json()["code"], "NoMatchingPool", "{refused:?}");
    bureau.caller.delete(&bureau.host_path("web-1")).await?;
    bureau.wait_gone("web-1").await?;
    world.lab.kubectl(&["wait", "storagepool", &tier, "--for=delete", "--timeout=60s"]).await?;
    Ok(())
}
