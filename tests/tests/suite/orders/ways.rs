//! Which way an order goes: levels, numbers it has to carry, people who are missing.

use jiyun_crds::v1alpha1::{ApprovalDecision, ConditionType, Reason, condition};
use jiyun_tests::{
    Order, World, WorldError,
    desk::{Desk, approved, reason_of},
    world::Quota,
};
use serde_json::json;

#[tokio::test]
async fn levels_decide_one_after_the_other_and_the_same_person_not_twice() -> Result<(), WorldError> {
    let two = json!([
        {"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"]},
        {"name": "second", "rank": 20, "roles": ["DepartmentApprovers"], "groups": ["jiyun:operators"]},
    ]);
    let desk = Desk::with(World::shared().await?, Quota::cores(8), json!({"levels": two})).await?;
    bind_platform_approvers(&desk).await?;
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    let order = desk.awaited_order("web").await?;
    desk.approve(&order).await?;
    let name = order.metadata.name.clone().unwrap();
    let second = |order: &jiyun_crds::v1alpha1::Order| {
        order.status.as_ref().is_some_and(|status| status.level.as_deref() == Some("second"))
    };
    let order = desk.wait_for_order(&name, second).await?;
    desk.approve(&order).await?;
    let told = |order: &jiyun_crds::v1alpha1::Order| {
        order.status.as_ref().is_some_and(|status| status.ignored.iter().any(|row| row.code == "DecidedBefore"))
    };
    let order = desk.wait_for_order(&name, told).await?;
    desk.decide("operator", &order, ApprovalDecision::Approve, "").await?;
    desk.bureau.wait_ready("web").await?;
    Ok(())
}

/// The platform's operators may decide where a policy names them.
pub async fn bind_platform_approvers(desk: &Desk<'_>) -> Result<(), WorldError> {
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "platform-approvers", "namespace": format!("dept-{}", desk.bureau.name)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "jiyun-platform-approver"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "jiyun:operators"}],
    });
    Ok(desk.bureau.world.lab.apply_text(&binding.to_string()).await?)
}

#[tokio::test]
async fn a_number_that_has_to_be_there_is_asked_for_and_the_order_goes_on_with_it() -> Result<(), WorldError> {
    let rules = json!({
        "automatic": {"vcpu": 8, "memory": "16Gi", "blockStorage": "1Ti"}, "evidence": ["FilingNumber"],
    });
    let desk = Desk::with(World::shared().await?, Quota::cores(8), rules).await?;
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    let waits = |host: &jiyun_crds::v1alpha1::CloudHost| {
        jiyun_tests::desk::named_order(host, Reason::AwaitingApproval).is_some()
    };
    let host = desk.bureau.wait_for_host("web", "to wait for its number", waits).await?;
    let name = host.status.unwrap().order_ref.unwrap().name;
    let missing = |order: &_| reason_of(order, ConditionType::Accepted) == Some(Reason::EvidenceMissing);
    desk.wait_for_order(&name, missing).await?;
    assert_eq!(desk.bureau.used("Vcpu").await?, (0, 0), "nothing is held for a form that is not filled in");
    let namespace = format!("dept-{}", desk.bureau.name);
    let patch = json!({"spec": {"filingNumber": "43042300001"}}).to_string();
    desk.bureau.world.lab.kubectl(&["patch", "order", &name, "-n", &namespace, "--type=merge", "-p", &patch]).await?;
    desk.bureau.wait_ready("web").await?;
    let order = desk.wait_for_order(&name, |order| approved(order) == Some(Reason::Automatic)).await?;
    assert!(order.status.unwrap().levels.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_level_without_people_is_told_and_holds_nothing() -> Result<(), WorldError> {
    let world = World::shared().await?;
    // Its department names no approvers beside the default ones, and has nobody above it.
    let desk = Desk::with(
        world,
        Quota::cores(8),
        json!({"levels": [
            {"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"]},
        ]}),
    )
    .await?;
    let patch = json!({"spec": {"access": {"approvers": []}}}).to_string();
    world.lab.kubectl(&["patch", "department", &desk.bureau.name, "--type=merge", "-p", &patch]).await?;
    // Whoever wrote the policy is told before anybody asks for anything.
    let policy = format!("approvalpolicy/{}", desk.bureau.name);
    let said = async |status: &str, field: &str| {
        let wanted = format!("--for=condition=Ready={status}");
        world.lab.kubectl(&["wait", &policy, &wanted, "--timeout=60s"]).await?;
        let shown = format!("jsonpath={{.status.conditions[?(@.type==\"Ready\")].{field}}}");
        world.lab.kubectl(&["get", &policy, "-o", &shown]).await
    };
    assert_eq!(said("False", "reason").await?, "NobodyToApprove");
    let message = said("False", "message").await?;
    assert!(message.contains("审批级次 leader 在本策略适用的所有单位中都没有对应的用户组"), "{message}");
    assert!(message.contains("level leader stands for no group in any department this policy is for"), "{message}");
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    let waits = |host: &jiyun_crds::v1alpha1::CloudHost| {
        jiyun_tests::desk::named_order(host, Reason::AwaitingApproval).is_some()
    };
    let host = desk.bureau.wait_for_host("web", "to wait", waits).await?;
    let name = host.status.unwrap().order_ref.unwrap().name;
    let told = |order: &_| reason_of(order, ConditionType::Accepted) == Some(Reason::NobodyToApprove);
    let conditions = desk.wait_for_order(&name, told).await?.status.unwrap_or_default().conditions;
    let message = condition::find(&conditions, ConditionType::Accepted).map(|found| found.message.as_str());
    let message = message.unwrap_or_default();
    assert!(message.contains("审批级次 leader 没有对应的用户组"), "{message}");
    assert!(message.contains("level leader stands for no group"), "{message}");
    desk.all_free().await?;
    let back = json!({"spec": {"access": {"approvers": [format!("{}-approvers", desk.bureau.name)]}}}).to_string();
    world.lab.kubectl(&["patch", "department", &desk.bureau.name, "--type=merge", "-p", &back]).await?;
    assert_eq!(said("True", "reason").await?, "Valid");
    let order = desk.awaited_order("web").await?;
    desk.approve(&order).await?;
    desk.bureau.wait_ready("web").await?;
    Ok(())
}

#[tokio::test]
async fn a_protected_host_is_not_deleted_until_people_agreed_to_take_the_protection_off() -> Result<(), WorldError> {
    let rules = json!({
        "appliesTo": {"actions": ["Change"]},
        "levels": [{"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"]}],
    });
    let world = World::shared().await?;
    let desk = Desk { bureau: world.department(Quota::cores(8)).await? };
    let mut rules = rules;
    rules["appliesTo"]["departments"] = json!([desk.bureau.name]);
    desk.policy(rules).await?;
    let mut body = Order::new("web", "portal").body();
    body["deletionProtection"] = json!("Enabled");
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &body, 30).await?;
    desk.bureau.wait_ready("web").await?;
    let refused = desk.bureau.caller.delete(&desk.bureau.host_path("web")).await?;
    assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (409, Some("DeletionProtected")));

    let off = json!({"deletionProtection": "Disabled"});
    desk.bureau.caller.patch(&desk.bureau.host_path("web"), &off, "").await?;
    let filed = jiyun_lab::wait_for("an order for the change", jiyun_tests::world::PATIENCE, || async {
        let names = desk.names().await.map_err(|error| error.to_string())?;
        names.into_iter().next().ok_or_else(|| "no order".to_owned())
    });
    let name = filed.await?;
    let order = desk.wait_for_order(&name, |order| approved(order) == Some(Reason::AwaitingApproval)).await?;
    let refused = desk.bureau.caller.delete(&desk.bureau.host_path("web")).await?;
    assert_eq!(refused.status.as_u16(), 409, "asked for is not decided");
    desk.approve(&order).await?;
    let lifted = |host: &jiyun_crds::v1alpha1::CloudHost| {
        host.status.as_ref().is_some_and(|status| status.deletion_protection.is_some())
    };
    desk.bureau.wait_for_host("web", "free to be deleted", lifted).await?;
    desk.wait_for_order(&name, |order| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled)).await?;

    // Back on applies at once, and asks nobody.
    desk.bureau.caller.patch(&desk.bureau.host_path("web"), &json!({"deletionProtection": "Enabled"}), "").await?;
    desk.bureau.wait_for_host("web", "protected again", |host| !lifted(host)).await?;
    assert_eq!(desk.names().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_wish_that_comes_back_is_asked_again() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    let lab = &desk.bureau.world.lab;
    let object = |size: &str| {
        let mut object = Order::new("web", "portal").object(&desk.bureau.name);
        object["spec"]["classRef"]["name"] = json!(size);
        object.to_string()
    };
    lab.apply_text(&object("basic-2c4g")).await?;
    let first = desk.awaited_order("web").await?;
    lab.apply_text(&object("basic-4c8g")).await?;
    let second = desk.awaited_order_but("web", &[&first]).await?;
    lab.apply_text(&object("basic-2c4g")).await?;
    let third = desk.awaited_order_but("web", &[&first, &second]).await?;
    desk.approve(&third).await?;
    let host = desk.bureau.wait_ready("web").await?;
    assert_eq!(host.spec.class_ref.name, "basic-2c4g");
    Ok(())
}

#[tokio::test]
async fn protection_is_taken_off_by_another_order_each_time() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    let order = desk.awaited_order("web").await?;
    desk.approve(&order).await?;
    desk.bureau.wait_ready("web").await?;
    let protect = async |protection: &str| {
        let patch = json!({"deletionProtection": protection});
        desk.bureau.caller.patch(&desk.bureau.host_path("web"), &patch, "").await
    };
    let is_free = |host: &jiyun_crds::v1alpha1::CloudHost| {
        host.status.as_ref().is_some_and(|status| status.deletion_protection.is_some())
    };
    // It was created without: the order of its creation is not the one that takes it off.
    for round in 1..=2 {
        protect("Enabled").await?;
        desk.bureau.wait_for_host("web", "protected", |host| !is_free(host)).await?;
        protect("Disabled").await?;
        let known = desk.names().await?;
        let open = jiyun_lab::wait_for("an order for the change", jiyun_tests::world::PATIENCE, || async {
            let orders = desk.orders().await.map_err(|error| error.to_string())?;
            let list = orders.list(&kube::api::ListParams::default()).await.map_err(|error| error.to_string())?;
            let waits = |order: &&jiyun_crds::v1alpha1::Order| approved(order) == Some(Reason::AwaitingApproval);
            list.items.iter().find(waits).cloned().ok_or_else(|| format!("{known:?}"))
        });
        desk.approve(&open.await?).await?;
        desk.bureau.wait_for_host("web", "free to be deleted", is_free).await?;
        assert_eq!(desk.names().await?.len(), 1 + round);
    }
    Ok(())
}
