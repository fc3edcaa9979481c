//! Network flows (网络互访): nothing is open that was not decided, and what was decided is open; at the level of objects.

mod edges;
mod people;

use jiyun_crds::v1alpha1::{ConditionType, FlowReach, Reason};
use jiyun_tests::{
    World, WorldError,
    walls::{Walls, reason, shown},
};
use serde_json::json;

#[tokio::test]
async fn hosts_of_one_system_talk_at_once_and_each_that_comes_or_goes_is_let_in_or_out() -> Result<(), WorldError> {
    let walls = Walls::open(World::shared().await?).await?;
    let claims = walls.hosts("portal", "extranet-public", &["web", "db"]).await?;
    let mut flow = walls.flow("web-to-db", &json!({"system": {"name": "portal", "hosts": ["db"]}}));
    flow["spec"]["hosts"] = json!(["web"]);
    walls.apply(&flow).await?;
    let found = walls.wait_open("web-to-db").await?;
    assert_eq!(found.status.as_ref().unwrap().reach, Some(FlowReach::WithinSystem));
    assert_eq!(found.status.unwrap().order_ref, None, "a policy lets it through");
    let (engines, web, db) = (format!("engine-{}", walls.name()), &claims["web"], &claims["db"]);
    assert_eq!(
        shown(&walls.policies("web-to-db").await?),
        [format!("{engines} in {db} > {web} : 443-443"), format!("{engines} out {web} > {db} : 443-443")]
    );

    // The whole system, those to come as well.
    walls.apply(&walls.flow("all", &json!({"system": {"name": "portal"}}))).await?;
    walls.wait_for_policies("all", "of two hosts", |found| shown(found).iter().all(|line| line.contains('+'))).await?;
    let third = walls.hosts("portal", "extranet-public", &["app"]).await?;
    let knows = |line: &String| line.matches(third["app"].as_str()).count() == 2;
    walls
        .wait_for_policies("all", "of three hosts", |found| found.len() == 2 && shown(found).iter().all(knows))
        .await?;
    walls.desk.bureau.caller.delete(&walls.desk.bureau.host_path("app")).await?;
    walls
        .wait_for_policies("all", "of two hosts again", |found| {
            found.len() == 2 && !shown(found).iter().any(|line| line.contains(third["app"].as_str()))
        })
        .await?;
    assert_eq!(walls.desk.names().await?.len(), 0, "nobody was asked");
    assert_eq!(walls.desk.bureau.used("Vcpu").await?.1, 0);

    walls.flows().await?.delete("all", &kube::api::DeleteParams::default()).await?;
    walls.wait_for_policies("all", "none", <[_]>::is_empty).await?;
    Ok(())
}

#[tokio::test]
async fn a_flow_across_zones_opens_nothing_before_people_agree_and_closes_with_its_end() -> Result<(), WorldError> {
    let walls = Walls::open(World::shared().await?).await?;
    let mut claims = walls.hosts("portal", "extranet-public", &["web"]).await?;
    claims.extend(walls.hosts("outer", "internet", &["front"]).await?);
    let mut flow = walls.flow("from-outside", &json!({"system": {"name": "outer"}}));
    flow["spec"]["direction"] = json!("Ingress");
    walls.apply(&flow).await?;
    let order = walls.awaited_order("from-outside", &[]).await?;
    let status = order.status.clone().unwrap();
    let told: Vec<_> = status.items[0].summary.iter().map(|row| format!("{}={}", row.name, row.value)).collect();
    assert_eq!(told, ["reach=CrossZone", "direction=Ingress", "hosts=*", "peer=outer: *", "ports=TCP 443"]);
    assert_eq!(order.spec.justification.as_deref(), Some("联调"));
    assert!(walls.policies("from-outside").await?.is_empty(), "nothing before it is decided");

    walls.desk.approve(&order).await?;
    walls.wait_open("from-outside").await?;
    let (engines, web, front) = (format!("engine-{}", walls.name()), &claims["web"], &claims["front"]);
    assert_eq!(
        shown(&walls.policies("from-outside").await?),
        [format!("{engines} in {web} > {front} : 443-443"), format!("{engines} out {front} > {web} : 443-443")]
    );
    let name = order.metadata.name.unwrap();
    let fulfilled =
        |order: &_| jiyun_tests::desk::reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled);
    walls.desk.wait_for_order(&name, fulfilled).await?;

    walls
        .desk
        .bureau
        .world
        .lab
        .kubectl(&["delete", "networkflow/from-outside", "-n", &format!("dept-{}", walls.name()), "--timeout=60s"])
        .await?;
    assert!(walls.policies("from-outside").await?.is_empty(), "gone with all that was open for it");
    Ok(())
}

#[tokio::test]
async fn an_edit_opens_nothing_more_before_it_is_decided_and_what_lets_less_through_applies_at_once()
-> Result<(), WorldError> {
    let walls = Walls::open(World::shared().await?).await?;
    let claims = walls.hosts("portal", "extranet-public", &["web"]).await?;
    let line =
        |cidr: &str, ports: &str| vec![format!("engine-{} out {} > {cidr} : {ports}", walls.name(), claims["web"])];
    let mut flow = walls.flow("old-room", &json!({"ipBlock": {"cidr": "10.20.0.0/16"}}));
    flow["spec"]["ports"] = json!([{"port": 443}, {"port": 8000, "endPort": 8100}]);
    walls.apply(&flow).await?;
    let first = walls.awaited_order("old-room", &[]).await?;
    walls.desk.approve(&first).await?;
    walls.wait_open("old-room").await?;
    assert_eq!(shown(&walls.policies("old-room").await?), line("10.20.0.0/16", "443-443,8000-8100"));

    let mut wider = flow.clone();
    wider["spec"]["peer"] = json!({"ipBlock": {"cidr": "10.0.0.0/8"}});
    walls.apply(&wider).await?;
    let second = walls.awaited_order("old-room", &[&first]).await?;
    assert_eq!(second.spec.items[0].action.to_string(), "Change");
    assert_eq!(shown(&walls.policies("old-room").await?), line("10.20.0.0/16", "443-443,8000-8100"), "as approved");

    // Another edit: what people looked at is void, and what they say about it opens nothing.
    let mut widest = flow.clone();
    widest["spec"]["peer"] = json!({"ipBlock": {"cidr": "0.0.0.0/0"}});
    walls.apply(&widest).await?;
    let third = walls.awaited_order("old-room", &[&first, &second]).await?;
    walls.desk.approve(&second).await?;
    let superseded = |order: &_| jiyun_tests::desk::approved(order) == Some(Reason::OrderSuperseded);
    walls.desk.wait_for_order(second.metadata.name.as_deref().unwrap(), superseded).await?;
    assert_eq!(shown(&walls.policies("old-room").await?), line("10.20.0.0/16", "443-443,8000-8100"));

    let approver = format!("{}-approver", walls.name());
    let refuse = jiyun_crds::v1alpha1::ApprovalDecision::Refuse;
    walls.desk.decide(&approver, &third, refuse, "范围过大").await?;
    let refused = |found: &_| reason(found, ConditionType::Accepted) == Some(Reason::OrderRefused);
    let found = walls.wait_for_flow("old-room", "its edit refused", refused).await?;
    assert_eq!(reason(&found, ConditionType::Ready), Some(Reason::Open), "what was approved stays open");
    assert_eq!(shown(&walls.policies("old-room").await?), line("10.20.0.0/16", "443-443,8000-8100"));

    let mut narrower = flow.clone();
    narrower["spec"]["ports"] = json!([{"port": 8050}]);
    walls.apply(&narrower).await?;
    walls.wait_open("old-room").await?;
    assert_eq!(
        shown(&walls.policies("old-room").await?),
        line("10.20.0.0/16", "8050-8050"),
        "closing is asked of nobody"
    );
    assert_eq!(walls.desk.names().await?.len(), 3);

    // And back: that is opening again.
    walls.apply(&flow).await?;
    let fourth = walls.awaited_order("old-room", &[&first, &second, &third]).await?;
    assert_eq!(shown(&walls.policies("old-room").await?), line("10.20.0.0/16", "8050-8050"));
    walls.desk.approve(&fourth).await?;
    walls.wait_open("old-room").await?;
    walls
        .wait_for_policies("old-room", "open again", |found| shown(found) == line("10.20.0.0/16", "443-443,8000-8100"))
        .await?;
    Ok(())
}
