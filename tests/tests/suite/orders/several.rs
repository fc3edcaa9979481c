//! One order for several hosts: all of them or none.

use jiyun_crds::v1alpha1::{ConditionType, Reason};
use jiyun_tests::{
    Order, World, WorldError,
    desk::{Desk, approved, named_order, reason_of},
    world::Quota,
};
use serde_json::{Value, json};

/// Hosts that wait for the order `name`, and the order itself.
pub async fn file(desk: &Desk<'_>, name: &str, hosts: &[&str]) -> Result<(), WorldError> {
    let lab = &desk.bureau.world.lab;
    for host in hosts {
        let mut object = Order::new(*host, "portal").object(&desk.bureau.name);
        object["metadata"]["annotations"] = json!({"jiyun.io/order": name});
        lab.apply_text(&object.to_string()).await?;
    }
    // They do nothing until it is there.
    for host in hosts {
        let waits = |found: &_| named_order(found, Reason::AwaitingOrder).is_some();
        desk.bureau.wait_for_host(host, "to wait for its order", waits).await?;
    }
    Ok(lab.apply_text(&order(desk, name, hosts, "Create").to_string()).await?)
}

fn order(desk: &Desk<'_>, name: &str, hosts: &[&str], action: &str) -> Value {
    let items: Vec<Value> =
        hosts.iter().map(|host| json!({"kind": "CloudHost", "name": host, "action": action})).collect();
    json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Order",
        "metadata": {"name": name, "namespace": format!("dept-{}", desk.bureau.name)},
        "spec": {"systemRef": {"name": "portal"}, "items": items, "justification": "门户改版"},
    })
}

#[tokio::test]
async fn several_hosts_are_granted_together_once_people_agreed() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    file(&desk, "rollout", &["a", "b", "c"]).await?;
    let held = desk.wait_for_order("rollout", |order| approved(order) == Some(Reason::AwaitingApproval)).await?;
    assert_eq!(desk.bureau.used("Vcpu").await?, (0, 6));
    assert_eq!(desk.names().await?.len(), 1, "none is filed beside it");
    desk.approve(&held).await?;
    for host in ["a", "b", "c"] {
        desk.bureau.wait_ready(host).await?;
    }
    desk.wait_for_order("rollout", |order| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled))
        .await?;
    Ok(())
}

#[tokio::test]
async fn where_one_of_several_may_not_be_had_nothing_is_held() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(5)).await?;
    file(&desk, "rollout", &["a", "b", "c"]).await?;
    let refused = desk.wait_for_order("rollout", |order| approved(order) == Some(Reason::ExceedsLimit)).await?;
    assert_eq!(refused.status.unwrap().refusal.unwrap().code, "ExceedsLimit");
    for host in ["a", "b", "c"] {
        let told = |found: &_| named_order(found, Reason::ExceedsLimit).is_some();
        desk.bureau.wait_for_host(host, "refused with the others", told).await?;
    }
    desk.all_free().await?;
    Ok(())
}

#[tokio::test]
async fn an_order_is_withdrawn_for_good() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    file(&desk, "rollout", &["a", "b"]).await?;
    let open = desk.wait_for_order("rollout", |order| approved(order) == Some(Reason::AwaitingApproval)).await?;
    let (lab, namespace) = (&desk.bureau.world.lab, format!("dept-{}", desk.bureau.name));
    let patch = |state: &str| json!({"spec": {"state": state}}).to_string();
    let withdraw = ["patch", "order", "rollout", "-n", &namespace, "--type=merge", "-p"];
    lab.kubectl(&[&withdraw[..], &[&patch("Withdrawn")]].concat()).await?;
    desk.wait_for_order("rollout", |order| approved(order) == Some(Reason::OrderWithdrawn)).await?;
    desk.all_free().await?;
    let error = lab.kubectl(&[&withdraw[..], &[&patch("Filed")]].concat()).await.unwrap_err().to_string();
    assert!(error.contains("an order that was withdrawn stays so"), "{error}");
    desk.approve(&open).await?;
    let told = |found: &_| named_order(found, Reason::OrderWithdrawn).is_some();
    desk.bureau.wait_for_host("a", "told that it was withdrawn", told).await?;
    Ok(())
}

#[tokio::test]
async fn an_approved_order_ends_hosts() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    file(&desk, "rollout", &["a", "b"]).await?;
    let open = desk.wait_for_order("rollout", |order| approved(order) == Some(Reason::AwaitingApproval)).await?;
    desk.approve(&open).await?;
    for host in ["a", "b"] {
        desk.bureau.wait_ready(host).await?;
    }
    let lab = &desk.bureau.world.lab;
    lab.apply_text(&order(&desk, "retire", &["a", "b"], "End").to_string()).await?;
    let open = desk.wait_for_order("retire", |order| approved(order) == Some(Reason::AwaitingApproval)).await?;
    assert_eq!(desk.bureau.used("Vcpu").await?, (4, 0), "nothing ends before people agreed");
    desk.approve(&open).await?;
    for host in ["a", "b"] {
        desk.bureau.wait_gone(host).await?;
    }
    desk.wait_for_order("retire", |order| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled))
        .await?;
    desk.all_free().await?;
    Ok(())
}
