//! Looking at orders, waiting for news of one, completing and withdrawing it.

use http::Method;
use serde_json::{Value, json};

use super::{
    Answer, Api, request,
    stub::{ApiServer, awaiting, cluster, condition, filed, finance},
};

const ORDERS: &str = "/v1/departments/finance/orders";
const ORDER: &str = "/v1/departments/finance/orders/rollout";

fn one(status: &Value) -> ApiServer {
    ApiServer::default().on(&format!("GET {}", finance("orders/rollout")), 200, filed("7", status))
}

fn modified(version: &str, status: &Value) -> Value {
    json!({"type": "MODIFIED", "object": filed(version, status)})
}

async fn waiting(api: &Api, headers: &[(&str, &str)]) -> Answer {
    api.send(request(Method::GET, ORDER, &[&[("prefer", "wait=9")], headers].concat(), "")).await
}

async fn patched(api: &Api, wish: &Value, headers: &[(&str, &str)]) -> Answer {
    let mut asked = request(Method::PATCH, ORDER, headers, &wish.to_string());
    asked.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    api.send(asked).await
}

#[tokio::test]
async fn an_order_tells_what_is_asked_for_and_whose_turn_it_is() {
    let mut status = awaiting();
    status["decisions"] = json!([
        {"approval": "a-1", "level": "office", "user": "qian", "decision": "Approve", "at": "2026-11-20T02:00:00Z"},
        {"approval": "a-3", "level": "bureau", "user": "sun", "decision": "Approve", "at": "2026-11-20T03:00:00Z",
         "onBehalfOf": ["bureau-approvers"]},
    ]);
    status["ignored"] = json!([{"approval": "a-2", "code": "OwnRequest"}]);
    let rows = status["items"][0]["summary"].as_array_mut().unwrap();
    rows.push(json!({"name": "leaseEndsAt", "value": "2027-06-30T16:00:00Z"}));
    rows.push(json!({"name": "deletionProtection", "value": "Disabled"}));
    let answer = Api::over(one(&status)).get(ORDER).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, "\"7\""), "{}", answer.text());
    let order = answer.json();
    assert_eq!(order["state"], "AwaitingApproval");
    let item = &order["items"][0];
    assert_eq!((&item["name"], &item["action"]), (&json!("web-1"), &json!("Create")));
    assert_eq!(item["summary"]["class"], "c4m8");
    let amounts = json!([
        {"meter": "Vcpu", "quantity": 4, "unit": "vCPU"},
        {"meter": "Memory", "quantity": 8192, "unit": "MiB"},
        {"meter": "BlockStorage", "quantity": 102_400, "unit": "MiB"},
    ]);
    assert_eq!(item["summary"]["amounts"], amounts);
    assert_eq!(item["summary"]["leaseEndsAt"], "2027-06-30T16:00:00Z");
    assert_eq!(item["summary"]["deletionProtection"], "Disabled");
    let deadline = "2026-11-25T16:00:00Z";
    let turn =
        json!({"level": "leader", "groups": ["leaders"], "mode": "Any", "deadline": deadline, "escalated": false});
    assert_eq!(order["turn"], turn);
    assert_eq!(
        (&order["levels"][0]["deadline"], &order["levels"][0]["escalateTo"]),
        (&json!(deadline), &json!(["city"]))
    );
    assert_eq!((&order["decisions"][0]["user"], &order["decisions"][0]["onBehalfOf"]), (&json!("qian"), &Value::Null));
    assert_eq!(order["decisions"][1]["onBehalfOf"], json!(["bureau-approvers"]));
    assert_eq!(order["ignored"][0]["code"], "OwnRequest");
    assert_eq!((&order["digest"], &order["applicants"]), (&json!("sha256:d1"), &json!(["zhou"])));
}

#[tokio::test]
async fn a_refusal_is_told_in_the_language_asked_for() {
    let mut status = condition("Approved", "False", "OrderRefused", 1);
    let about = [("user", "qian"), ("level", "leader"), ("reason", "预算不足")];
    status["refusal"] = json!({"code": "OrderRefused",
        "parameters": (about.map(|(name, value)| json!({"name": name, "value": value})))});
    for (language, word) in [("zh", "不同意"), ("en", "refused")] {
        let api = Api::over(one(&status));
        let answer = api.send(request(Method::GET, ORDER, &[("accept-language", language)], "")).await.json();
        assert_eq!(answer["state"], "Refused");
        assert!(answer["refusal"]["detail"].as_str().unwrap().contains(word), "{answer}");
    }
}

#[tokio::test]
async fn a_list_is_picked_by_system_and_what_waits_is_picked_by_the_api_server() {
    let page = json!({"metadata": {}, "items": [filed("7", &awaiting()), filed("8", &json!({}))]});
    let api = Api::over(ApiServer::default().on(&format!("GET {}", finance("orders")), 200, page));
    let all = api.get(&format!("{ORDERS}?system=portal&limit=2")).await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    let waiting = api.get(&format!("{ORDERS}?state=AwaitingApproval")).await.json();
    assert_eq!(waiting["items"].as_array().unwrap().len(), 1);
    let seen = api.server.seen();
    assert!(seen[0].query.contains("fieldSelector=spec.systemRef.name%3Dportal"), "{}", seen[0].query);
    assert!(seen[1].query.contains("fieldSelector=status.level%21%3D"), "{}", seen[1].query);
    api.get(&format!("{ORDERS}?state=Soon")).await.problem(400, "InvalidParameter");
}

#[tokio::test]
async fn an_empty_list_of_a_department_that_is_missing_is_404() {
    let empty = json!({"metadata": {}, "items": []});
    let server = ApiServer::default().on(&format!("GET {}", finance("orders")), 200, empty);
    Api::over(server).get(ORDERS).await.problem(404, "NotFound");
}

#[tokio::test]
async fn whoever_waits_is_told_once_the_state_differs() {
    let looked_at = condition("Held", "True", "Held", 1);
    let watch = [modified("8", &looked_at)];
    let api = Api::over(
        one(&json!({})).watch(&finance("orders"), &watch).watch(&finance("orders"), &[modified("9", &awaiting())]),
    );
    let answer = waiting(&api, &[]).await;
    assert_eq!((answer.json()["state"].as_str(), answer.header("etag")), (Some("AwaitingApproval"), "\"9\""));
    assert_eq!(answer.header("preference-applied"), "wait=9");
}

#[tokio::test]
async fn whoever_has_a_version_is_told_of_any_other_at_once() {
    let api = Api::over(one(&awaiting()));
    let answer = waiting(&api, &[("if-none-match", "\"6\"")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, "\"7\""));
    assert!(api.server.seen_with("WATCH").is_empty());
    let api = Api::over(one(&awaiting()).watch(&finance("orders"), &[modified("8", &awaiting())]));
    let answer = waiting(&api, &[("if-none-match", "\"7\"")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, "\"8\""), "{}", answer.text());
}

#[tokio::test(start_paused = true)]
async fn without_news_the_answer_comes_when_the_time_is_over() {
    for (known, status) in [(None, 200), (Some(("if-none-match", "\"7\"")), 304)] {
        let api = Api::over(one(&awaiting()).watch(&finance("orders"), &[]));
        let began = tokio::time::Instant::now();
        let answer = waiting(&api, known.as_slice()).await;
        assert_eq!((answer.status.as_u16(), began.elapsed().as_secs()), (status, 9), "{}", answer.text());
        assert_eq!(answer.header("preference-applied"), "wait=9");
    }
}

#[tokio::test]
async fn an_order_is_completed_by_one_merge_patch() {
    let server = one(&json!({})).on(&format!("PATCH {}", finance("orders/rollout")), 200, filed("8", &json!({})));
    let api = Api::over(server);
    let wish = json!({"filingNumber": "4304", "justification": null});
    let answer = patched(&api, &wish, &[("if-match", "\"7\"")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, "\"8\""), "{}", answer.text());
    let sent = &api.server.seen_with("PATCH")[0].body;
    assert_eq!(sent["spec"], json!({"filingNumber": "4304", "justification": null}));
    assert_eq!(sent["metadata"]["resourceVersion"], "7");
    assert!(api.server.seen_with("GET").is_empty(), "nothing is read before");
    patched(&api, &json!({"items": []}), &[]).await.problem(422, "InvalidField");
    patched(&api, &json!({"state": "Filed"}), &[]).await.problem(422, "InvalidField");
}

#[tokio::test]
async fn an_open_order_can_be_withdrawn_and_a_decided_one_cannot() {
    let patch = format!("PATCH {}", finance("orders/rollout"));
    let mut gone = filed("8", &awaiting());
    gone["spec"]["state"] = json!("Withdrawn");
    for status in [json!({}), awaiting(), condition("Approved", "False", "OrderWithdrawn", 1)] {
        let api = Api::over(one(&status).on(&patch, 200, gone.clone()));
        let answer = patched(&api, &json!({"state": "Withdrawn"}), &[]).await;
        assert_eq!(answer.json()["withdrawn"], true, "{}", answer.text());
        assert_eq!(api.server.seen_with("PATCH")[0].body["spec"], json!({"state": "Withdrawn"}));
    }
    for reason in ["OrderRefused", "OrderExpired"] {
        let api = Api::over(one(&condition("Approved", "False", reason, 1)));
        let problem = patched(&api, &json!({"state": "Withdrawn"}), &[]).await.problem(409, "OrderNotOpen");
        assert_eq!(problem["parameters"]["state"], reason.trim_start_matches("Order"));
        assert!(api.server.seen_with("PATCH").is_empty());
    }
}

#[tokio::test]
async fn whoever_may_not_look_finds_no_order() {
    let hidden = ApiServer::default().refuse(&format!("GET {}", finance("orders/rollout")), 403, "Forbidden");
    let hidden = hidden.refuse(&format!("GET {}", cluster("departments/finance")), 403, "Forbidden");
    Api::over(hidden).get(ORDER).await.problem(404, "NotFound");
}
