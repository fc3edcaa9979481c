//! The inbox of somebody who decides in several departments: all of theirs at once, and nobody else's.

use std::collections::BTreeSet;

use http::StatusCode;
use jiyun_lab::wait_for;
use jiyun_tests::{
    Order, World, WorldError,
    desk::Desk,
    person::Answer,
    world::{PATIENCE, Quota},
};
use serde_json::{Value, json};

const INBOX: &str = "/v1/inbox";

/// Adds `group` to the approvers of the department of `desk`.
async fn admit(desk: &Desk<'_>, group: &str) -> Result<(), WorldError> {
    let name = &desk.bureau.name;
    let patch = json!({"spec": {"access": {"approvers": [format!("{name}-approvers"), group]}}}).to_string();
    desk.bureau.world.lab.kubectl(&["patch", "department", name, "--type=merge", "-p", &patch]).await?;
    Ok(())
}

/// Orders a host and waits until its order waits for people.
async fn order(desk: &Desk<'_>) -> Result<String, WorldError> {
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    Ok(desk.awaited_order("web").await?.metadata.name.unwrap_or_default())
}

/// Departments and names of the orders in an inbox.
fn rows(answer: &Answer) -> BTreeSet<(String, String)> {
    let text = |item: &Value, field: &str| item[field].as_str().unwrap_or_default().to_owned();
    let items = answer.json()["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| (text(item, "department"), text(item, "name"))).collect()
}

#[tokio::test]
async fn an_approver_of_two_departments_sees_both_in_one_inbox_and_no_third() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let own = Desk::open(world, Quota::cores(8)).await?;
    let approvers = format!("{}-approvers", own.bureau.name);
    let other = Desk::open(world, Quota::cores(8)).await?;
    // The policy of this one names the group, the department does not let it in.
    let named = json!([{"name": "leader", "rank": 10, "groups": [approvers], "workingDays": 3}]);
    let foreign = Desk::with(world, Quota::cores(8), json!({"levels": named})).await?;
    let gone = Desk::open(world, Quota::cores(8)).await?;
    for desk in [&other, &gone] {
        admit(desk, &approvers).await?;
    }
    // The ledger goes on knowing this one.
    world.lab.kubectl(&["delete", "department", &gone.bureau.name, "--timeout=60s"]).await?;
    let expected = BTreeSet::from([
        (own.bureau.name.clone(), order(&own).await?),
        (other.bureau.name.clone(), order(&other).await?),
    ]);
    let unseen = order(&foreign).await?;

    let approver = world.caller(&format!("{}-approver", own.bureau.name))?;
    wait_for("the approver to be let in", PATIENCE, || async {
        let path = format!("/v1/departments/{}/orders", other.bureau.name);
        let answer = approver.get(&path).await.map_err(|error| error.to_string())?;
        if answer.status == StatusCode::OK { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await?;
    let answer = approver.get(INBOX).await?;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(rows(&answer), expected, "{answer:?}");
    for hidden in [&foreign.bureau.name, &unseen, &gone.bureau.name] {
        assert!(!answer.text.contains(hidden.as_str()), "{hidden} in {}", answer.text);
    }
    // Named, it is not told either.
    let named = approver.get(&format!("{INBOX}?departments={}", foreign.bureau.name)).await?;
    assert_eq!(named.status, StatusCode::NOT_FOUND, "{named:?}");
    // Who may list orders nowhere has nothing waiting, and learns no name.
    let answer = world.caller("finance")?.get(INBOX).await?;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"items": [], "leases": []})), "{answer:?}");
    Ok(())
}
