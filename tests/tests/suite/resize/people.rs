//! Growth that people have to agree to: held meanwhile, granted as one, and refused without touching what runs.

use jiyun_crds::v1alpha1::{ApprovalDecision, CloudHost, ConditionType, Order as Filed, Reason};
use jiyun_tests::{
    Order, WorldError,
    desk::{Desk, approved, reason_of},
    world::{Quota, reason},
};
use serde_json::{Value, json};

use super::{change, declared, granted, objected, restart, uses, world};

/// A department where everything beyond 2 cores needs its approvers, with a host `web` of 2 cores that is ready.
async fn desk() -> Result<Desk<'static>, WorldError> {
    let rules = json!({
        "automatic": {"vcpu": 2, "memory": "4Gi", "blockStorage": "40Gi"},
        "levels": [{"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"], "workingDays": 3}],
    });
    let desk = Desk::with(world().await?, Quota::cores(8), rules).await?;
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 30).await?;
    desk.bureau.wait_ready("web").await?;
    Ok(desk)
}

/// The order that waits for people to agree to what `web` asks for now, and is none of `others`.
async fn awaited(desk: &Desk<'_>, others: &[&Filed]) -> Result<Filed, WorldError> {
    let named = |host: &CloudHost| {
        let name = host.status.as_ref()?.order_ref.as_ref()?.name.clone();
        let is_new = others.iter().all(|other| other.metadata.name.as_deref() != Some(name.as_str()));
        (reason(host, ConditionType::Accepted) == Some("AwaitingApproval") && is_new).then_some(name)
    };
    let host = desk.bureau.wait_for_host("web", "to wait for people", |host| named(host).is_some()).await?;
    let open = |order: &Filed| approved(order) == Some(Reason::AwaitingApproval);
    desk.wait_for_order(&named(&host).unwrap(), open).await
}

fn grow() -> Value {
    json!({"class": "basic-4c8g", "systemDisk": {"size": "60Gi"}})
}

#[tokio::test]
async fn growth_is_held_while_people_look_and_granted_as_they_saw_it() -> Result<(), WorldError> {
    let desk = desk().await?;
    change(&desk.bureau, &grow()).await?;
    let order = awaited(&desk, &[]).await?;
    assert_eq!(reason_of(&order, ConditionType::Held), Some(Reason::Held));
    let summary = &order.status.as_ref().unwrap().items[0].summary;
    assert!(summary.iter().any(|row| row.name == "vcpu" && row.value == "4"), "{summary:?}");
    assert_eq!(desk.bureau.used("Vcpu").await?, (2, 2), "the difference is held on top of what runs");
    assert_eq!(desk.bureau.used("BlockStorage").await?, (40 * 1024, 20 * 1024));
    objected(&desk.bureau, "AwaitingApproval").await?;
    assert_eq!(declared(&desk.bureau).await?, "2 4096Mi", "it runs as approved meanwhile");

    desk.approve(&order).await?;
    let host = granted(&desk.bureau, "basic-4c8g", "60Gi").await?;
    assert_eq!(host.status.unwrap().order_ref, None);
    uses(&desk.bureau, "Vcpu", (4, 0)).await?;
    uses(&desk.bureau, "BlockStorage", (60 * 1024, 0)).await?;
    let name = order.metadata.name.unwrap();
    desk.wait_for_order(&name, |order| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled)).await?;
    restart(&desk.bureau).await?;
    assert_eq!(declared(&desk.bureau).await?, "4 8192Mi");
    assert_eq!(desk.names().await?.len(), 1, "nothing was asked twice");
    Ok(())
}

#[tokio::test]
async fn a_refused_growth_leaves_the_host_as_it_is_and_is_not_asked_again() -> Result<(), WorldError> {
    let desk = desk().await?;
    change(&desk.bureau, &grow()).await?;
    let order = awaited(&desk, &[]).await?;
    let approver = format!("{}-approver", desk.bureau.name);
    desk.decide(&approver, &order, ApprovalDecision::Refuse, "预算不足").await?;
    let refused = objected(&desk.bureau, "OrderRefused").await?;
    assert!(format!("{:?}", refused.status).contains("预算不足"), "{:?}", refused.status);
    uses(&desk.bureau, "Vcpu", (2, 0)).await?;
    uses(&desk.bureau, "BlockStorage", (40 * 1024, 0)).await?;
    // A field that applies at once does, and asks for nothing again.
    change(&desk.bureau, &json!({"displayName": "门户"})).await?;
    restart(&desk.bureau).await?;
    objected(&desk.bureau, "OrderRefused").await?;
    assert_eq!((desk.names().await?.len(), declared(&desk.bureau).await?.as_str()), (1, "2 4096Mi"));

    change(&desk.bureau, &json!({"class": "basic-2c4g", "systemDisk": {"size": "40Gi"}})).await?;
    let back = objected(&desk.bureau, "Valid").await?.status.unwrap();
    assert_eq!((back.refusal, back.order_ref), (None, None));
    Ok(())
}

#[tokio::test]
async fn an_edit_while_people_look_asks_anew_and_holds_the_new_size_alone() -> Result<(), WorldError> {
    let desk = desk().await?;
    change(&desk.bureau, &grow()).await?;
    let first = awaited(&desk, &[]).await?;
    change(&desk.bureau, &json!({"class": "general-8c16g"})).await?;
    let second = awaited(&desk, &[&first]).await?;
    let superseded = |order: &Filed| approved(order) == Some(Reason::OrderSuperseded);
    desk.wait_for_order(first.metadata.name.as_deref().unwrap(), superseded).await?;
    uses(&desk.bureau, "Vcpu", (2, 6)).await?;

    // Taken back altogether: nothing is held, and nobody has anything to decide.
    change(&desk.bureau, &json!({"class": "basic-2c4g", "systemDisk": {"size": "40Gi"}})).await?;
    desk.wait_for_order(second.metadata.name.as_deref().unwrap(), superseded).await?;
    uses(&desk.bureau, "Vcpu", (2, 0)).await?;
    uses(&desk.bureau, "BlockStorage", (40 * 1024, 0)).await?;
    // What comes too late changes nothing.
    desk.approve(&second).await?;
    objected(&desk.bureau, "Valid").await?;
    assert_eq!(desk.bureau.used("Vcpu").await?, (2, 0));
    Ok(())
}

#[tokio::test]
async fn growth_in_small_steps_is_looked_at_as_a_whole() -> Result<(), WorldError> {
    let desk = desk().await?;
    // Two cores more are two cores, and a host of four is one of four.
    change(&desk.bureau, &json!({"class": "basic-4c8g"})).await?;
    let order = awaited(&desk, &[]).await?;
    assert_eq!(order.status.unwrap().level.as_deref(), Some("leader"));
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_stopped_while_people_look_is_granted_what_they_agreed_to() -> Result<(), WorldError> {
    let desk = desk().await?;
    change(&desk.bureau, &grow()).await?;
    let order = awaited(&desk, &[]).await?;
    change(&desk.bureau, &json!({"power": "Stopped"})).await?;
    let stopped = |host: &CloudHost| reason(host, ConditionType::Ready) == Some("Stopped");
    desk.bureau.wait_for_host("web", "stopped", stopped).await?;
    desk.approve(&order).await?;
    granted(&desk.bureau, "basic-4c8g", "60Gi").await?;
    change(&desk.bureau, &json!({"power": "Running"})).await?;
    let running = |host: &CloudHost| reason(host, ConditionType::Ready) == Some("Running");
    desk.bureau.wait_for_host("web", "running", running).await?;
    uses(&desk.bureau, "Vcpu", (4, 0)).await?;
    assert_eq!(declared(&desk.bureau).await?, "4 8192Mi");
    Ok(())
}
