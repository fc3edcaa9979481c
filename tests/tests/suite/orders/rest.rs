//! Orders over the REST API: filed, looked at, decided and withdrawn by people, each with a token of their own.

use http::{Method, StatusCode};
use jiyun_crds::v1alpha1::{ConditionType, Reason};
use jiyun_lab::wait_for;
use jiyun_tests::{
    Order, World, WorldError,
    desk::{Desk, approved, reason_of},
    person::{Answer, Caller},
    world::{PATIENCE, Quota},
};
use serde_json::{Value, json};

fn orders_path(desk: &Desk<'_>) -> String {
    format!("/v1/departments/{}/orders", desk.bureau.name)
}

fn order_path(desk: &Desk<'_>, name: &str) -> String {
    format!("{}/{name}", orders_path(desk))
}

fn approvals_path(desk: &Desk<'_>, name: &str) -> String {
    format!("{}/approvals", order_path(desk, name))
}

fn person(desk: &Desk<'_>, role: &str) -> Result<Caller, WorldError> {
    desk.bureau.world.caller(&format!("{}-{role}", desk.bureau.name))
}

/// The order `name`, once it is not known to the caller as `tag` any more, or has another state.
async fn news(caller: &Caller, path: &str, tag: &str) -> Result<Answer, WorldError> {
    let mut request = caller.request(Method::GET, path).header("prefer", "wait=30").header("accept-language", "en");
    if !tag.is_empty() {
        request = request.header("if-none-match", tag);
    }
    Ok(caller.send(request).await?)
}

async fn keyed(caller: &Caller, path: &str, key: &str, body: &Value) -> Result<Answer, WorldError> {
    let request = caller.request(Method::POST, path).header("idempotency-key", key).header("prefer", "wait=30");
    Ok(caller.send(request.header("accept-language", "en").json(body)).await?)
}

/// An order for hosts that are created with it.
fn rollout(hosts: &[&str]) -> Value {
    let items: Vec<Value> = hosts.iter().map(|host| json!({"host": Order::new(*host, "portal").body()})).collect();
    json!({"name": "rollout", "system": "portal", "items": items, "justification": "门户改版"})
}

#[tokio::test]
async fn an_approver_finds_it_in_the_inbox_decides_and_whoever_waits_is_told() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    let (operator, approver) = (&desk.bureau.caller, person(&desk, "approver")?);
    operator.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 5).await?;
    let name = desk.awaited_order("web").await?.metadata.name.unwrap();
    let inbox = format!("/v1/departments/{}/inbox", desk.bureau.name);
    let waiting = approver.get(&inbox).await?.json()["items"].clone();
    assert_eq!((&waiting[0]["name"], &waiting[0]["turn"]["level"]), (&json!(name), &json!("leader")), "{waiting}");
    assert_eq!(
        waiting[0]["items"][0]["summary"]["amounts"][0],
        json!({"meter": "Vcpu", "quantity": 2, "unit": "vCPU"})
    );
    assert_eq!(operator.get(&inbox).await?.json()["items"], json!([]), "whoever asks does not decide");

    let path = order_path(&desk, &name);
    let waits = news(operator, &path, "");
    let decides = async {
        let changed = json!({"decision": "Approve", "digest": "sha256:another"});
        let refused = approver.post(&approvals_path(&desk, &name), &changed, 0).await?;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (409, &json!("OrderChanged")));
        let body = json!({"decision": "Approve", "digest": waiting[0]["digest"]});
        let decided = approver.post(&approvals_path(&desk, &name), &body, 0).await?;
        assert_eq!(decided.status, StatusCode::CREATED, "{decided:?}");
        let again = approver.post(&approvals_path(&desk, &name), &body, 0).await?;
        assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (200, "true"), "{again:?}");
        let otherwise = json!({"decision": "Refuse", "reason": "no"});
        let otherwise = approver.post(&approvals_path(&desk, &name), &otherwise, 0).await?;
        assert_eq!((otherwise.status.as_u16(), &otherwise.json()["code"]), (409, &json!("AlreadyDecided")));
        Ok::<_, WorldError>(())
    };
    let (told, outcome) = tokio::join!(waits, decides);
    outcome?;
    let told = told?;
    assert!(["Approved", "Fulfilled"].contains(&told.json()["state"].as_str().unwrap()), "{told:?}");
    assert_eq!(told.header("preference-applied"), "wait=30");
    desk.bureau.wait_ready("web").await?;
    let made = operator.get(&approvals_path(&desk, &name)).await?.json()["items"].clone();
    assert_eq!(
        (&made[0]["user"], &made[0]["counts"]),
        (&json!(format!("{}-approver", desk.bureau.name)), &json!(true))
    );
    let done = |order: &_| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled);
    desk.wait_for_order(&name, done).await?;
    let open = operator.get(&format!("{}?state=AwaitingApproval", orders_path(&desk))).await?;
    assert_eq!(open.json()["items"], json!([]));
    let fulfilled = operator.get(&format!("{}?state=Fulfilled&system=portal", orders_path(&desk))).await?;
    assert_eq!(fulfilled.json()["items"][0]["name"], json!(name));
    Ok(())
}

#[tokio::test]
async fn hosts_filed_together_are_held_together_once_and_withdrawn_together() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    let operator = &desk.bureau.caller;
    let mut body = rollout(&["a", "b"]);
    body.as_object_mut().unwrap().remove("name");
    for index in 0..2 {
        body["items"][index]["host"].as_object_mut().unwrap().remove("name");
    }
    let filed = keyed(operator, &orders_path(&desk), "k-1", &body).await?;
    assert_eq!((filed.status.as_u16(), &filed.json()["state"]), (202, &json!("AwaitingApproval")), "{filed:?}");
    assert_eq!(desk.bureau.used("Vcpu").await?, (0, 4));
    let again = keyed(operator, &orders_path(&desk), "k-1", &body).await?;
    assert_eq!((again.header("idempotency-replayed"), &again.json()["uid"]), ("true", &filed.json()["uid"]));
    assert_eq!(desk.names().await?.len(), 1, "none is filed beside it");

    let name = filed.json()["name"].as_str().unwrap().to_owned();
    let path = order_path(&desk, &name);
    let tag = operator.get(&path).await?.header("etag").to_owned();
    let waits = news(operator, &path, "");
    let wish = json!({"state": "Withdrawn", "justification": "不再需要"});
    let (told, changed) = tokio::join!(waits, operator.patch(&path, &wish, &tag));
    assert_eq!(changed?.json()["withdrawn"], true);
    assert_eq!(told?.json()["state"], "Withdrawn");
    desk.wait_for_order(&name, |order| approved(order) == Some(Reason::OrderWithdrawn)).await?;
    desk.all_free().await?;
    let late =
        person(&desk, "approver")?.post(&approvals_path(&desk, &name), &json!({"decision": "Approve"}), 0).await?;
    assert_eq!((late.status.as_u16(), &late.json()["code"]), (409, &json!("OrderNotOpen")), "{late:?}");
    Ok(())
}

#[tokio::test]
async fn if_one_host_breaks_a_rule_none_of_them_stays() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    let mut body = rollout(&["a", "b"]);
    body["items"][1]["host"]["sshAuthorizedKeys"] = json!(["no key"]);
    let refused = desk.bureau.caller.post(&orders_path(&desk), &body, 0).await?;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
    let field = refused.json()["field"].as_str().unwrap_or_default().to_owned();
    assert!(field.starts_with("items[1].host.sshAuthorizedKeys"), "{field}");
    desk.bureau.wait_gone("a").await?;
    assert_eq!(desk.names().await?.len(), 0);
    body["items"][1]["host"]["sshAuthorizedKeys"] = json!([]);
    let filed = desk.bureau.caller.post(&orders_path(&desk), &body, 30).await?;
    assert_eq!((filed.status.as_u16(), &filed.json()["state"]), (202, &json!("AwaitingApproval")), "{filed:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_not_to_be_had_is_refused_as_a_whole_with_figures() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(3)).await?;
    let refused = desk.bureau.caller.post(&orders_path(&desk), &rollout(&["a", "b"]), 30).await?;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (409, &json!("ExceedsLimit")), "{refused:?}");
    assert_eq!(refused.header("location"), order_path(&desk, "rollout"));
    desk.all_free().await?;
    Ok(())
}

#[tokio::test]
async fn a_protected_host_ends_by_an_order_that_people_agreed_to() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    let operator = &desk.bureau.caller;
    let mut host = Order::new("web", "portal").body();
    host["deletionProtection"] = json!("Enabled");
    operator.post(&desk.bureau.hosts_path(), &host, 0).await?;
    desk.approve(&desk.awaited_order("web").await?).await?;
    desk.bureau.wait_ready("web").await?;
    let end = json!({"name": "retire", "system": "portal", "items": [{"name": "web", "action": "End"}]});
    let filed = operator.post(&orders_path(&desk), &end, 30).await?;
    assert_eq!((filed.status.as_u16(), &filed.json()["state"]), (202, &json!("AwaitingApproval")), "{filed:?}");
    let decided =
        person(&desk, "approver")?.post(&approvals_path(&desk, "retire"), &json!({"decision": "Approve"}), 0).await?;
    assert_eq!(decided.status, StatusCode::CREATED, "{decided:?}");
    desk.bureau.wait_gone("web").await?;
    Ok(())
}

#[tokio::test]
async fn who_may_look_is_told_what_they_may_not_do_and_others_see_nothing() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    let operator = &desk.bureau.caller;
    operator.post(&desk.bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    let name = desk.awaited_order("web").await?.metadata.name.unwrap();
    let (approve, approvals) = (json!({"decision": "Approve"}), approvals_path(&desk, &name));
    let silent = person(&desk, "approver")?.post(&approvals, &json!({"decision": "Refuse"}), 0).await?;
    assert_eq!((silent.status.as_u16(), &silent.json()["field"]), (422, &json!("reason")), "{silent:?}");
    for role in ["operator", "reader"] {
        let refused = person(&desk, role)?.post(&approvals, &approve, 0).await?;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["code"]),
            (403, &json!("Forbidden")),
            "{role}: {refused:?}"
        );
    }
    let reader = person(&desk, "reader")?;
    assert_eq!(reader.get(&order_path(&desk, &name)).await?.status, StatusCode::OK);
    let withdrawn = reader.patch(&order_path(&desk, &name), &json!({"state": "Withdrawn"}), "").await?;
    assert_eq!(withdrawn.status, StatusCode::FORBIDDEN, "{withdrawn:?}");
    let other = desk.bureau.world.caller("finance")?;
    for path in [orders_path(&desk), order_path(&desk, &name), format!("/v1/departments/{}/inbox", desk.bureau.name)] {
        assert_eq!(other.get(&path).await?.status, StatusCode::NOT_FOUND, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_preview_foretells_is_what_comes_of_it() -> Result<(), WorldError> {
    let desk = Desk::open(World::shared().await?, Quota::cores(5)).await?;
    let operator = &desk.bureau.caller;
    let (path, dry) = (orders_path(&desk), format!("{}?dryRun=true", orders_path(&desk)));
    let foretold = |answer: &Answer| answer.json()["estimate"].clone();
    let three = foretold(&operator.post(&dry, &rollout(&["a", "b", "c"]), 0).await?);
    assert_eq!((&three["fits"], &three["refusal"]["code"]), (&json!(false), &json!("ExceedsLimit")), "{three}");
    // The report that tells the department of its policies is written at most every ten seconds.
    let two = wait_for("a preview that knows who would have to agree", PATIENCE, || async {
        let two = foretold(&operator.post(&dry, &rollout(&["d", "e"]), 0).await.map_err(|error| error.to_string())?);
        if two["approvals"]["levels"][0]["name"] == "leader" { Ok(two) } else { Err(two.to_string()) }
    })
    .await?;
    let level = &two["approvals"]["levels"][0];
    assert_eq!((&two["fits"], &two["approvals"]["automatic"]), (&json!(true), &json!(false)), "{two}");
    assert_eq!(level["groups"], json!([format!("{}-approvers", desk.bureau.name)]), "{two}");
    assert_eq!(operator.get(&desk.bureau.hosts_path()).await?.json()["items"], json!([]), "nothing was written");
    assert_eq!(desk.bureau.used("Vcpu").await?, (0, 0));

    let refused = operator.post(&path, &rollout(&["a", "b", "c"]), 30).await?.json();
    for fact in ["meter", "limit", "requested", "missing"] {
        assert_eq!(refused["parameters"][fact], three["refusal"]["parameters"][fact], "{fact}: {refused}");
    }
    let mut body = rollout(&["d", "e"]);
    body["name"] = json!("smaller");
    assert_eq!(operator.post(&path, &body, 30).await?.json()["state"], "AwaitingApproval");
    let quota = operator.get(&format!("/v1/departments/{}/quota", desk.bureau.name)).await?.json();
    for row in two["quota"].as_array().unwrap() {
        let booked = quota["rows"].as_array().unwrap().iter().find(|booked| booked["meter"] == row["meter"]).unwrap();
        assert_eq!(booked["available"], row["after"], "{row}");
    }
    let open = desk.wait_for_order("smaller", |order| approved(order) == Some(Reason::AwaitingApproval)).await?;
    desk.approve(&open).await?;
    for host in ["d", "e"] {
        desk.bureau.wait_ready(host).await?;
    }
    // What is billed has the prices foretold.
    let usage = operator.get(&format!("/v1/departments/{}/usage", desk.bureau.name)).await?.json();
    for line in usage["lines"].as_array().unwrap() {
        let lines = two["price"]["lines"].as_array().unwrap();
        let same = |foretold: &&Value| {
            ["resource", "meter", "quantity", "price"].iter().all(|fact| foretold[fact] == line[fact])
        };
        assert!(lines.iter().any(|foretold| same(&foretold)), "{line} is not among {lines:?}");
    }
    Ok(())
}
