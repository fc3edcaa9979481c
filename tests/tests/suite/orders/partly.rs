//! A host is deleted while its order is being fulfilled: the rest is done, and the order says what was not.

use http::StatusCode;
use jiyun_crds::v1alpha1::{ConditionType, Reason, condition};
use jiyun_lab::simulate::Fault;
use jiyun_tests::{
    Order, World, WorldError,
    desk::{Desk, approved, reason_of},
    world::{Quota, has},
};
use serde_json::json;

use super::several::file;

#[tokio::test]
async fn a_host_deleted_while_its_order_is_fulfilled_holds_nothing_is_named_by_it_and_can_be_ordered_anew()
-> Result<(), WorldError> {
    let world = World::shared().await?;
    // Exactly what is ordered: what the deleted host would go on holding could not be granted again.
    let desk = Desk::open(world, Quota::cores(4)).await?;
    let bureau = &desk.bureau;
    let (kept, gone) = (format!("kept-{}", bureau.name), format!("gone-{}", bureau.name));
    for host in [&kept, &gone] {
        world.lab.faults().set(Fault::NeverReady, host.as_str());
    }
    file(&desk, "rollout", &[&kept, &gone]).await?;
    let open = desk.wait_for_order("rollout", |order| approved(order) == Some(Reason::AwaitingApproval)).await?;
    desk.approve(&open).await?;
    for host in [&kept, &gone] {
        bureau.wait_for_host(host, "on its way", |found| has(found, ConditionType::Admitted)).await?;
    }
    assert_eq!(bureau.used("Vcpu").await?, (0, 4), "both are being made");

    let deleted = bureau.caller.delete(&bureau.host_path(&gone)).await?;
    assert_eq!(deleted.status, StatusCode::ACCEPTED, "{deleted:?}");
    bureau.wait_gone(&gone).await?;
    let engine = format!("engine-{}", bureau.name);
    let left = world.lab.kubectl(&["get", "vm,dv", "-n", &engine, "-o", "name"]).await?;
    assert!(left.contains(&kept) && !left.contains(&gone), "{left}");
    assert_eq!(bureau.used("Vcpu").await?, (0, 2));

    for host in [&kept, &gone] {
        world.lab.faults().clear(Fault::NeverReady, host);
    }
    bureau.wait_ready(&kept).await?;
    let partly = |order: &_| reason_of(order, ConditionType::Fulfilled) == Some(Reason::PartlyFailed);
    let ended = desk.wait_for_order("rollout", partly).await?;
    assert_eq!(approved(&ended), Some(Reason::Approved), "{:?}", ended.status);
    let conditions = ended.status.unwrap_or_default().conditions;
    let message = condition::find(&conditions, ConditionType::Fulfilled).map(|found| found.message.as_str());
    let message = message.unwrap_or_default();
    assert!(message.contains(&format!("not done: {gone}; done: {kept}.")), "{message}");
    assert!(message.contains(&format!("部分未能完成：{gone}；已完成：{kept}。")), "{message}");
    let orders = format!("/v1/departments/{}/orders", bureau.name);
    let shown = bureau.caller.get(&format!("{orders}/rollout")).await?;
    assert_eq!((shown.status, &shown.json()["state"]), (StatusCode::OK, &json!("PartlyFailed")), "{shown:?}");
    let listed = bureau.caller.get(&format!("{orders}?state=PartlyFailed")).await?;
    assert_eq!(listed.json()["items"][0]["name"], json!("rollout"), "{listed:?}");
    assert_eq!(bureau.used("Vcpu").await?, (2, 0));

    bureau.caller.post(&bureau.hosts_path(), &Order::new(&gone, "portal").body(), 0).await?;
    let anew = desk.awaited_order(&gone).await?;
    assert_ne!(anew.metadata.name.as_deref(), Some("rollout"), "what people agreed to then is over");
    desk.approve(&anew).await?;
    bureau.wait_ready(&gone).await?;
    assert_eq!(bureau.used("Vcpu").await?, (4, 0));
    Ok(())
}
