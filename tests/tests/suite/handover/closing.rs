//! A department is merged into another, closed, and in the end deleted; its statements stay.

use http::StatusCode;
use jiyun_lab::wait_for;
use jiyun_tests::{
    Order, World, WorldError,
    world::{PATIENCE, Quota},
};
use serde_json::json;

use super::{billed, claims, completed, handover, lines, machines, order, passed_on, system};

#[tokio::test]
async fn a_department_merged_into_another_is_closed_and_deleted_and_its_machines_run_on() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let (giver, taker) = (world.department(Quota::AMPLE).await?, world.department(Quota::AMPLE).await?);
    let lab = &world.lab;
    system(&giver, "levy").await?;
    order(&giver, "portal", &["web-1"]).await?;
    order(&giver, "levy", &["db-1"]).await?;
    order(&taker, "portal", &["web-1"]).await?;
    billed(&giver, 2).await?;
    let (before, held) = (machines(world, &giver.name).await?, claims(&giver).await?);

    // Closed first: nothing is ordered behind one's back.
    lab.kubectl(&["patch", "department", &giver.name, "--type=merge", "-p", r#"{"spec": {"state": "Closed"}}"#])
        .await?;
    let closed = "--for=jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}=Closed";
    lab.kubectl(&["wait", "department", &giver.name, closed, "--timeout=60s"]).await?;
    let refused = giver.caller.post(&giver.hosts_path(), &Order::new("late", "portal").body(), 30).await?;
    assert_eq!(refused.json()["code"], "AccountClosed", "{refused:?}");
    giver.caller.delete(&giver.host_path("late")).await?;
    giver.wait_gone("late").await?;

    // Both have a portal: that one joins the other; the rest keeps its name.
    let (portal, rest) = (lab.unique_name("portal"), lab.unique_name("rest"));
    lab.apply_text(&handover(&portal, &giver, &taker, Some(("portal", Some("portal")))).to_string()).await?;
    completed(world, &portal).await?;
    lab.apply_text(&handover(&rest, &giver, &taker, None).to_string()).await?;
    completed(world, &rest).await?;
    let renamed = format!("web-1-{}", giver.name);
    for (host, was) in [(renamed.as_str(), "web-1"), ("db-1", "db-1")] {
        let there = taker.wait_ready(host).await?;
        assert_eq!(there.status.unwrap().claim_id.as_deref(), Some(held[was].as_str()));
    }
    assert_eq!(machines(world, &giver.name).await?, before, "machines keep their names, and run");

    let paid = passed_on(&giver, 2).await?;
    lab.kubectl(&["delete", "department", &giver.name, "--wait=false"]).await?;
    let home = format!("dept-{}", giver.name);
    wait_for(format!("namespace {home} to be gone"), PATIENCE * 2, || async {
        let left = lab.kubectl(&["get", "namespace", &home, "--ignore-not-found", "-o", "jsonpath={.status}"]).await;
        match left.as_deref() {
            Ok("") => Ok(()),
            left => Err(format!("{left:?}\n{}", world.controller.tail(20))),
        }
    })
    .await?;
    let waits = "--for=jsonpath={.status.conditions[?(@.type==\"Ready\")].status}=False";
    lab.kubectl(&["wait", "department", &giver.name, waits, "--timeout=60s"]).await?;
    assert_eq!(
        machines(world, &giver.name).await?,
        before,
        "what was handed over is not deleted with its old department"
    );
    assert_eq!(lines(&giver, "Hosts").await?, paid, "its statement is read as before");
    billed(&taker, 3).await?;
    let theirs = lines(&taker, "Hosts").await?;
    let party = json!({"department": giver.name, "system": "portal", "resource": "web-1"});
    let line = theirs.iter().find(|line| line["resource"] == renamed.as_str()).unwrap();
    assert_eq!(line["receivedFrom"], party);

    for host in [renamed.as_str(), "db-1"] {
        assert_eq!(taker.caller.delete(&taker.host_path(host)).await?.status, StatusCode::ACCEPTED);
        taker.wait_gone(host).await?;
    }
    lab.kubectl(&["wait", "department", &giver.name, "--for=delete", "--timeout=180s"]).await?;
    assert_eq!(lines(&giver, "Hosts").await?, paid, "and after everything of it is gone");
    Ok(())
}
