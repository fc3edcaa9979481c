//! Decisions about orders in the trail: who agreed and who did not, over REST, at which level, with what reason.

use http::StatusCode;
use jiyun_crds::v1alpha1::Reason;
use jiyun_lab::wait_for;
use jiyun_tests::{
    Order, World, WorldError,
    desk::{Desk, approved},
    world::{PATIENCE, Quota},
};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::requests::word;

#[tokio::test]
async fn who_agrees_and_who_refuses_over_rest_is_in_the_departments_trail_with_the_order() -> Result<(), WorldError> {
    // Its programs keep a trail in one folder.
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    let bureau = &desk.bureau;
    let approver = bureau.world.caller(&format!("{}-approver", bureau.name))?;
    let reader = bureau.world.caller(&format!("{}-reader", bureau.name))?;
    for (host, action, reason) in [("web-1", "Approve", ""), ("web-2", "Refuse", "预算不足")] {
        bureau.caller.post(&bureau.hosts_path(), &Order::new(host, "portal").body(), 0).await?;
        let order = desk.awaited_order(host).await?;
        let name = order.name_any();
        let path = format!("/v1/departments/{}/orders/{name}/approvals", bureau.name);
        let decided = approver.post(&path, &json!({"decision": action, "reason": reason}), 0).await?;
        assert_eq!(decided.status, StatusCode::CREATED, "{decided:?}");

        // The API's records of the request, and the controller's of the decision that counts and of what came of it.
        let result = if action == "Approve" { "Succeeded" } else { "Refused OrderRefused" };
        let expected = [
            format!("{action} Order {name} Succeeded by-person"),
            format!("{action} Order {name} {result} by-platform"),
            format!("{action} Approval Begun by-request"),
            format!("{action} Approval Succeeded by-request"),
        ];
        let records = format!("/v1/departments/{}/audit-records?order={name}&action={action}", bureau.name);
        let found = wait_for(format!("records about {name}"), PATIENCE, || async {
            let answer = reader.get(&records).await.map_err(|error| error.to_string())?;
            let all = answer.json()["items"].as_array().cloned().unwrap_or_default();
            let words: Vec<_> = all.iter().map(whose).collect();
            if expected.iter().all(|wanted| words.contains(wanted)) { Ok(all) } else { Err(format!("{words:#?}")) }
        })
        .await?;
        let succeeded = |record: &&Value| record["source"].is_string() && record["result"]["is"] == "Succeeded";
        let record = found.iter().find(succeeded).unwrap();
        assert!(record["actor"]["name"].as_str().unwrap().contains(&format!("{}-approver", bureau.name)), "{record}");
        let spec = &record["after"]["value"]["spec"];
        assert_eq!(
            (&spec["level"], spec["reason"].as_str().unwrap_or_default()),
            (&json!("leader"), reason),
            "{record}"
        );
        assert_eq!(spec["digest"], json!(order.status.as_ref().and_then(|status| status.digest.clone())), "{record}");
        let outcome = if action == "Approve" { Reason::Approved } else { Reason::OrderRefused };
        desk.wait_for_order(&name, |order| approved(order) == Some(outcome)).await?;
    }
    Ok(())
}

/// A record in words, and what it is a record of.
fn whose(record: &Value) -> String {
    let words = word(record);
    if record["source"].is_string() {
        // The name of what was made for the request is the API's own affair.
        let own = record["object"]["name"].as_str().unwrap_or_default();
        return format!("{} by-request", words.replace(&format!(" {own}"), ""));
    }
    let is_platform = record["actor"]["authentication"] == "Platform";
    format!("{words} {}", if is_platform { "by-platform" } else { "by-person" })
}
