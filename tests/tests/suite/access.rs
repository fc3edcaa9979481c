//! Access beside a department's own groups: of units above, where it is open to them, and of whoever acts for approvers.

use http::StatusCode;
use jiff::{Timestamp, ToSpan};
use jiyun_crds::v1alpha1::{ApprovalDecision, ConditionType, DateTime, Reason};
use jiyun_lab::wait_for;
use jiyun_tests::{
    Caller, Order, World, WorldError,
    desk::{Desk, reason_of},
    world::{Bureau, PATIENCE, Quota},
};
use serde_json::{Value, json};

async fn patch(bureau: &Bureau<'_>, spec: Value) -> Result<(), WorldError> {
    let patch = json!({"spec": spec}).to_string();
    bureau.world.lab.kubectl(&["patch", "department", &bureau.name, "--type=merge", "-p", &patch]).await?;
    Ok(())
}

/// Waits until `caller` is answered so when asking for the hosts of `bureau`.
async fn answered(caller: &Caller, bureau: &Bureau<'_>, status: StatusCode) -> Result<String, WorldError> {
    let what = format!("{status} at the hosts of {}", bureau.name);
    Ok(wait_for(what, PATIENCE, || async {
        let answer = caller.get(&bureau.hosts_path()).await.map_err(|error| error.to_string())?;
        if answer.status == status { Ok(answer.text) } else { Err(format!("{answer:?}")) }
    })
    .await?)
}

#[tokio::test]
async fn a_parents_reader_sees_a_childs_hosts_only_while_the_child_says_so() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let parent = world.department(Quota::AMPLE).await?;
    let child = world.department(Quota::AMPLE).await?;
    let sibling = world.department(Quota::AMPLE).await?;
    child.caller.post(&child.hosts_path(), &Order::new("web", "portal").body(), 30).await?;
    child.wait_ready("web").await?;
    for unit in [&child, &sibling] {
        patch(unit, json!({"parentRef": {"name": parent.name}})).await?;
    }
    let person = |bureau: &Bureau<'_>, role: &str| world.caller(&format!("{}-{role}", bureau.name));
    let reader = person(&parent, "reader")?;
    // Whoever sees nothing of a department is not told that it is there.
    let hidden = StatusCode::NOT_FOUND;
    assert_eq!(reader.get(&child.hosts_path()).await?.status, hidden);

    patch(&child, json!({"access": {"parentAccess": "Readers"}})).await?;
    let seen = answered(&reader, &child, StatusCode::OK).await?;
    assert!(seen.contains("\"web\""), "{seen}");
    let ordered = reader.post(&child.hosts_path(), &Order::new("web-2", "portal").body(), 0).await?;
    assert_eq!(ordered.status, StatusCode::FORBIDDEN, "{ordered:?}");
    assert_eq!(reader.get(&sibling.hosts_path()).await?.status, hidden);
    assert_eq!(parent.caller.get(&child.hosts_path()).await?.status, hidden, "an operator is no reader");
    assert_eq!(person(&sibling, "reader")?.get(&child.hosts_path()).await?.status, hidden);
    assert_eq!(person(&child, "reader")?.get(&parent.hosts_path()).await?.status, hidden);

    // Who leaves the unit above leaves here too, long before the look that comes by itself.
    patch(&parent, json!({"access": {"readers": []}})).await?;
    answered(&reader, &child, hidden).await?;
    patch(&parent, json!({"access": {"readers": [format!("{}-readers", parent.name)]}})).await?;
    answered(&reader, &child, StatusCode::OK).await?;

    patch(&child, json!({"access": {"parentAccess": "None"}})).await?;
    answered(&reader, &child, hidden).await?;
    Ok(())
}

#[tokio::test]
async fn a_parents_approver_decides_where_the_child_and_its_policy_say_so() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let parent = world.department(Quota::AMPLE).await?;
    let above = json!([{"name": "above", "rank": 10, "roles": ["ParentApprovers"], "workingDays": 3}]);
    let desk = Desk::with(world, Quota::cores(8), json!({"levels": above})).await?;
    let parent_ref = json!({"parentRef": {"name": parent.name}, "access": {"parentAccess": "ReadersAndApprovers"}});
    patch(&desk.bureau, parent_ref).await?;
    let approver = format!("{}-approver", parent.name);
    answered(&world.caller(&approver)?, &desk.bureau, StatusCode::OK).await?;
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    let order = desk.awaited_order("web").await?;
    desk.decide(&approver, &order, ApprovalDecision::Approve, "").await?;
    desk.bureau.wait_ready("web").await?;
    Ok(())
}

/// A floor of four cores, and enough of the rest, below the limits of [`Quota::AMPLE`].
fn floor() -> Value {
    json!([
        {"meter": "Vcpu", "limit": "1000", "guaranteed": "4"},
        {"meter": "Memory", "limit": "4000Gi", "guaranteed": "64Gi"},
        {"meter": "BlockStorage", "limit": "100000Gi", "guaranteed": "1Ti"},
    ])
}

#[tokio::test]
async fn within_its_floor_a_department_decides_alone_and_beyond_it_the_approvers_above_are_asked()
-> Result<(), WorldError> {
    let world = World::shared().await?;
    let parent = world.department(Quota::AMPLE).await?;
    // What is promised to the unit below has to be promised to the one above.
    patch(&parent, json!({"quota": floor()})).await?;
    let desk = Desk { bureau: world.department(Quota::AMPLE).await? };
    let bureau = &desk.bureau;
    let below = json!({"parentRef": {"name": parent.name}, "access": {"parentAccess": "ReadersAndApprovers"},
        "quota": floor()});
    patch(bureau, below).await?;
    wait_for(format!("the floor of {} to be booked", bureau.name), PATIENCE, || async {
        let answer = bureau.caller.get(&format!("/v1/departments/{}/quota", bureau.name)).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let rows = answer.json()["rows"].as_array().cloned().unwrap_or_default();
        let is_booked = rows.iter().any(|row| row["meter"] == "Vcpu" && row["guaranteed"] == json!(4));
        if is_booked { Ok(()) } else { Err(answer.text) }
    })
    .await?;
    // The city's own policy lets orders of this size through.
    desk.policy(json!({
        "appliesTo": {"departments": [bureau.name], "quota": "BeyondGuaranteed"},
        "levels": [{"name": "above", "rank": 10, "roles": ["ParentApprovers"], "workingDays": 3}],
    }))
    .await?;
    let approver = format!("{}-approver", parent.name);
    answered(&world.caller(&approver)?, bureau, StatusCode::OK).await?;

    let whole_floor = Order::new("web-1", "portal").class("basic-4c8g");
    bureau.caller.post(&bureau.hosts_path(), &whole_floor.body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    assert!(desk.names().await?.is_empty(), "nobody was asked");
    assert_eq!(bureau.used("Vcpu").await?, (4, 0));

    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-2", "portal").body(), 0).await?;
    let order = desk.awaited_order("web-2").await?;
    let name = order.metadata.name.clone().unwrap_or_default();
    let status = order.status.clone().unwrap_or_default();
    assert_eq!(status.level.as_deref(), Some("above"));
    assert_eq!(status.groups, [format!("{}-approvers", parent.name)]);
    assert_eq!(bureau.used("Vcpu").await?, (4, 2));
    // Its own approvers have no say in what others may need.
    desk.approve(&order).await?;
    let is_ignored = |order: &jiyun_crds::v1alpha1::Order| {
        order.status.iter().flat_map(|status| &status.ignored).any(|row| row.code == "NotEntitled")
    };
    let waiting = desk.wait_for_order(&name, is_ignored).await?;
    assert_eq!(reason_of(&waiting, ConditionType::Approved), Some(Reason::AwaitingApproval), "{:?}", waiting.status);
    desk.decide(&approver, &order, ApprovalDecision::Approve, "").await?;
    bureau.wait_ready("web-2").await?;
    let fulfilled = |order: &_| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled);
    let decisions = desk.wait_for_order(&name, fulfilled).await?.status.unwrap_or_default().decisions;
    assert_eq!(decisions.iter().map(|decision| decision.user.as_str()).collect::<Vec<_>>(), [approver.as_str()]);
    assert_eq!(bureau.used("Vcpu").await?, (6, 0));
    Ok(())
}

fn leave(desk: &Desk<'_>, from: Timestamp, until: Timestamp) -> Value {
    let [from, until] = [from, until].map(DateTime::from);
    let group = format!("{}-approvers", desk.bureau.name);
    json!({"access": {"delegations": [
        {"group": group, "user": "oidc:deputy", "from": from, "until": until, "reason": "休假"},
    ]}})
}

/// Who may decide about `order` for others.
fn deputies(order: &jiyun_crds::v1alpha1::Order) -> Vec<&str> {
    order.status.iter().flat_map(|status| status.deputies.iter().map(String::as_str)).collect()
}

#[tokio::test]
async fn a_deputy_decides_while_the_delegation_lasts_and_not_before_or_after() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    let (bureau, now) = (&desk.bureau, Timestamp::now());
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    let order = desk.awaited_order("web").await?;
    let deputy = desk.client_as("oidc:deputy", &["system:authenticated"]).await?;
    let decide = |order| desk.decide_through(deputy.clone(), "deputy", order, ApprovalDecision::Approve, "");
    let forbidden = |outcome: Result<_, WorldError>| matches!(outcome, Err(WorldError::Kubernetes(error)) if matches!(&*error, kube::Error::Api(status) if status.code == 403));
    assert!(forbidden(decide(&order).await));
    // The right begins by itself at that moment: the look that comes by itself is minutes away.
    patch(bureau, leave(&desk, now + 5.seconds(), now + 1.hour())).await?;
    let name = order.metadata.name.clone().unwrap_or_default();
    // The order says so, by itself, and so the deputy's inbox does.
    desk.wait_for_order(&name, |order| deputies(order) == ["oidc:deputy"]).await?;
    wait_for("the deputy to be let in", PATIENCE, || async {
        decide(&order).await.map(drop).map_err(|error| format!("{error:?}"))
    })
    .await?;
    bureau.wait_ready("web").await?;
    let fulfilled = |order: &_| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled);
    let decisions = desk.wait_for_order(&name, fulfilled).await?.status.unwrap_or_default().decisions;
    assert_eq!(decisions.iter().map(|decision| decision.user.as_str()).collect::<Vec<_>>(), ["oidc:deputy"]);
    assert_eq!(decisions[0].on_behalf_of, [format!("{}-approvers", bureau.name)]);

    let now = Timestamp::now();
    patch(bureau, leave(&desk, now - 1.hour(), now - 1.second())).await?;
    let home = format!("dept-{}", bureau.name);
    let bound = ["get", "rolebinding", "jiyun-department-approver", "-n", &home, "-o", "jsonpath={.subjects[*].name}"];
    wait_for("the deputy to be let out", PATIENCE, || async {
        let bound = bureau.world.lab.kubectl(&bound).await.map_err(|error| error.to_string())?;
        if bound.contains("oidc:deputy") { Err(bound) } else { Ok(()) }
    })
    .await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-2", "portal").body(), 0).await?;
    let order = desk.awaited_order("web-2").await?;
    assert!(deputies(&order).is_empty(), "{order:?}");
    assert!(forbidden(decide(&order).await));
    Ok(())
}
