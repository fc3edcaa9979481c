//! Orders (申请单): what people have to agree to waits for them, and nobody gets round them.

mod expired;
mod inbox;
mod partly;
mod rest;
mod several;
mod ways;

use http::StatusCode;
use jiyun_crds::v1alpha1::{ApprovalDecision, ConditionType, Reason};
use jiyun_tests::{
    Order, World, WorldError,
    desk::{Desk, approved, named_order, reason_of},
    world::{Quota, has},
};
use serde_json::json;

#[tokio::test]
async fn what_people_have_to_agree_to_is_held_and_goes_on_once_they_have() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    let answer = desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 5).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let order = desk.awaited_order("web").await?;
    assert_eq!(reason_of(&order, ConditionType::Held), Some(Reason::Held));
    let status = order.status.clone().unwrap();
    assert_eq!(status.applicants, [controller(&status.applicants), format!("{}-operator", desk.bureau.name)]);
    assert_eq!(status.level.as_deref(), Some("leader"));
    assert!(status.deadline.is_some() && status.items[0].summary.iter().any(|row| row.name == "vcpu"));
    assert_eq!(desk.bureau.used("Vcpu").await?, (0, 2), "held, not used");

    desk.approve(&order).await?;
    let host = desk.bureau.wait_ready("web").await?;
    assert_eq!(host.status.unwrap().order_ref, None);
    let name = order.metadata.name.unwrap();
    let done =
        desk.wait_for_order(&name, |order| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled));
    let decisions = done.await?.status.unwrap().decisions;
    assert_eq!(decisions.len(), 1);
    assert_eq!(decisions[0].user, format!("{}-approver", desk.bureau.name));
    assert!(decisions[0].on_behalf_of.is_empty(), "in their own right");
    assert_eq!(desk.bureau.used("Vcpu").await?, (2, 0));
    Ok(())
}

/// The controller's own user: it sent the order.
fn controller(applicants: &[String]) -> String {
    applicants.iter().find(|name| name.ends_with(":jiyun-controller")).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_refusal_ends_it_frees_the_quota_and_is_not_asked_again_until_the_wish_changes() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    let object = Order::new("web", "portal").object(&desk.bureau.name);
    desk.bureau.world.lab.apply_text(&object.to_string()).await?;
    let order = desk.awaited_order("web").await?;
    let approver = format!("{}-approver", desk.bureau.name);
    let silent = desk.decide(&approver, &order, ApprovalDecision::Refuse, "").await.unwrap_err();
    assert!(format!("{silent:?}").contains("a refusal needs a reason"), "{silent:?}");
    desk.decide(&approver, &order, ApprovalDecision::Refuse, "预算不足").await?;
    let refused = |host: &_| named_order(host, Reason::OrderRefused).is_some();
    let host = desk.bureau.wait_for_host("web", "refused", refused).await?;
    let message = format!("{:?}", host.status);
    assert!(message.contains("预算不足") && message.contains(&approver), "{message}");
    desk.all_free().await?;

    // A tool that applies for ever, and a field that applies at once, ask for nothing.
    for title in ["一", "二", "三"] {
        let mut again = object.clone();
        again["spec"]["displayName"] = json!(title);
        desk.bureau.world.lab.apply_text(&again.to_string()).await?;
    }
    let settled = |host: &jiyun_crds::v1alpha1::CloudHost| {
        refused(host) && host.status.as_ref().and_then(|status| status.observed_generation) == host.metadata.generation
    };
    desk.bureau.wait_for_host("web", "looked at again", settled).await?;
    assert_eq!(desk.names().await?.len(), 1);

    let mut smaller = object.clone();
    smaller["spec"]["systemDisk"]["size"] = json!("80Gi");
    desk.bureau.world.lab.apply_text(&smaller.to_string()).await?;
    let another = desk.awaited_order("web").await?;
    assert_ne!(another.metadata.name, order.metadata.name);
    desk.approve(&another).await?;
    desk.bureau.wait_ready("web").await?;
    Ok(())
}

#[tokio::test]
async fn an_edit_while_people_look_voids_what_they_said_and_files_another_order() -> Result<(), WorldError> {
    let two = json!([
        {"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"]},
        {"name": "city", "rank": 20, "groups": ["jiyun:operators"]},
    ]);
    let desk = Desk::with(World::shared().await?, Quota::cores(8), json!({"levels": two})).await?;
    let object = Order::new("web", "portal").object(&desk.bureau.name);
    desk.bureau.world.lab.apply_text(&object.to_string()).await?;
    let first = desk.awaited_order("web").await?;
    desk.approve(&first).await?;
    let name = first.metadata.name.clone().unwrap();
    desk.wait_for_order(&name, |order| order.status.as_ref().is_some_and(|s| s.level.as_deref() == Some("city")))
        .await?;

    let mut larger = object.clone();
    larger["spec"]["classRef"]["name"] = json!("basic-4c8g");
    desk.bureau.world.lab.apply_text(&larger.to_string()).await?;
    desk.wait_for_order(&name, |order| approved(order) == Some(Reason::OrderSuperseded)).await?;
    let second = desk.awaited_order("web").await?;
    assert_ne!(second.metadata.name, first.metadata.name);
    assert_eq!(second.status.as_ref().and_then(|status| status.level.as_deref()), Some("leader"), "from the beginning");
    assert_eq!(desk.bureau.used("Vcpu").await?, (0, 4), "the new wish alone is held");
    Ok(())
}

#[tokio::test]
async fn deleting_what_is_asked_for_withdraws_it() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    let order = desk.awaited_order("web").await?;
    desk.bureau.caller.delete(&desk.bureau.host_path("web")).await?;
    desk.bureau.wait_gone("web").await?;
    let withdrawn = |order: &_| approved(order) == Some(Reason::OrderWithdrawn);
    desk.wait_for_order(&order.metadata.name.clone().unwrap(), withdrawn).await?;
    desk.all_free().await?;
    // What comes too late changes nothing.
    desk.approve(&order).await?;
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    let another = desk.awaited_order("web").await?;
    assert_ne!(another.metadata.name, order.metadata.name, "a namesake is another host");
    Ok(())
}

#[tokio::test]
async fn who_asks_who_is_declared_and_who_is_not_entitled_do_not_decide() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    let name = desk.bureau.name.clone();
    let mut object = Order::new("web", "portal").object(&name);
    object["metadata"]["annotations"] = json!({"jiyun.io/applicant": format!("{name}-approver")});
    desk.bureau.world.lab.apply_text(&object.to_string()).await?;
    let order = desk.awaited_order("web").await?;
    for person in [format!("{name}-operator"), format!("{name}-reader"), "finance".to_owned()] {
        let refused = desk.decide(&person, &order, ApprovalDecision::Approve, "").await.unwrap_err();
        let WorldError::Kubernetes(error) = refused else { panic!("{refused:?}") };
        assert!(matches!(&*error, kube::Error::Api(status) if status.code == 403), "{person}: {error:?}");
    }
    desk.approve(&order).await?;
    let name = order.metadata.name.clone().unwrap();
    let ignored =
        desk.wait_for_order(&name, |order| order.status.as_ref().is_some_and(|status| !status.ignored.is_empty()));
    let status = ignored.await?.status.unwrap();
    assert_eq!(status.ignored[0].code, "OwnRequest");
    assert!(status.decisions.is_empty());
    let host = desk.bureau.wait_for_host("web", "still waiting", |host| host.status.is_some()).await?;
    assert!(!has(&host, ConditionType::Admitted));
    Ok(())
}

#[tokio::test]
async fn decisions_are_made_once_and_stay_with_their_order() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    let order = desk.awaited_order("web").await?;
    let approval = desk.approve(&order).await?;
    let stamp = approval.metadata.annotations.as_ref().unwrap();
    assert_eq!(stamp["jiyun.io/requested-by"], format!("{}-approver", desk.bureau.name));
    let namespace = format!("dept-{}", desk.bureau.name);
    let lab = &desk.bureau.world.lab;
    for object in [
        format!("approval/{}", approval.metadata.name.clone().unwrap()),
        format!("order/{}", order.metadata.name.clone().unwrap()),
    ] {
        let error = lab.kubectl(&["delete", &object, "-n", &namespace]).await.unwrap_err().to_string();
        assert!(error.contains("orders and approvals are evidence"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_group_whose_name_looks_like_two_does_not_stand_for_either() -> Result<(), WorldError> {
    let leaders = json!([{"name": "leader", "rank": 10, "groups": ["leaders"], "workingDays": 3}]);
    let desk = Desk::with(World::shared().await?, Quota::cores(8), json!({"levels": leaders})).await?;
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    let order = desk.awaited_order("web").await?;
    let door = format!("{}-approvers", desk.bureau.name);
    let decide = async |user: &str, group: &str| {
        let client = desk.client_as(user, &[&door, group, "system:authenticated"]).await?;
        desk.decide_through(client, user, &order, ApprovalDecision::Approve, "").await
    };
    let name = order.metadata.name.clone().unwrap();
    let mallorys = decide("mallory", "x,leaders").await?.metadata.name.unwrap();
    let ignores = |order: &jiyun_crds::v1alpha1::Order| {
        order.status.iter().flat_map(|status| &status.ignored).any(|ignored| format!("{ignored:?}").contains(&mallorys))
    };
    let seen = desk.wait_for_order(&name, ignores).await?;
    assert_eq!(approved(&seen), Some(Reason::AwaitingApproval), "{:?}", seen.status);
    decide("leader", "leaders").await?;
    desk.bureau.wait_ready("web").await?;
    Ok(())
}
