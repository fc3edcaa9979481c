//! Network flows: declared, looked at, changed, ended, in the manners of hosts.

use http::Method;
use serde_json::{Value, json};

use super::{
    Answer, Api, request,
    stub::{ApiServer, cluster, finance},
};

const FLOWS: &str = "/v1/departments/finance/flows";
const FLOW: &str = "/v1/departments/finance/flows/web-to-db";

fn at(method: &str) -> String {
    format!("{method} {}", finance("networkflows/web-to-db"))
}

fn all(method: &str) -> String {
    format!("{method} {}", finance("networkflows"))
}

fn wanted() -> Value {
    json!({"name": "web-to-db", "system": "budget", "direction": "Egress", "hosts": ["web"],
        "peer": {"system": {"name": "archive"}}, "ports": [{"port": 5236}], "justification": "访问数据库"})
}

/// The flow as the API server has it, with `status`.
fn flow(status: &Value) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "NetworkFlow",
        "metadata": {"name": "web-to-db", "namespace": "dept-finance", "uid": "f-1", "generation": 1,
            "resourceVersion": "7", "creationTimestamp": "2026-11-20T01:00:00Z"},
        "spec": {"systemRef": {"name": "budget"}, "direction": "Egress", "hosts": ["web"],
            "peer": {"system": {"name": "archive", "hosts": []}}, "ports": [{"protocol": "TCP", "port": 5236}],
            "justification": "访问数据库"},
        "status": status})
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": "stub condition", "observedGeneration": 1,
        "lastTransitionTime": "2026-11-20T01:00:01Z"})
}

/// An API server that knows these systems.
fn city(systems: &[&str]) -> ApiServer {
    let system = |name: &str| {
        json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem",
            "metadata": {"name": name, "namespace": "dept-finance"},
            "spec": {"displayName": "系统", "protectionLevel": 2, "zoneRef": {"name": "public"}, "owner": {"name": "周文"}}})
    };
    let known = |city: ApiServer, name: &&str| {
        city.on(&format!("GET {}", finance(&format!("informationsystems/{name}"))), 200, system(name))
    };
    let city = systems.iter().fold(ApiServer::default(), known);
    city.refuse(&format!("GET {}", cluster("departments/finance")), 403, "Forbidden")
}

async fn declare(api: &Api, body: &Value) -> Answer {
    api.send(request(Method::POST, FLOWS, &[("accept-language", "en")], &body.to_string())).await
}

#[tokio::test]
async fn a_flow_is_declared_in_the_callers_name_and_answered_with_its_address() {
    let api = Api::over(city(&["budget", "archive"]).on(&all("POST"), 201, flow(&json!({}))));
    let answer = declare(&api, &wanted()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!((answer.header("location"), answer.header("etag")), (FLOW, "\"7\""));
    assert_eq!(answer.json()["state"], "Pending");
    assert_eq!(answer.json()["ports"], json!([{"protocol": "TCP", "port": 5236}]));
    let sent = &api.server.seen_with("POST")[0];
    assert_eq!(sent.body["spec"], flow(&json!({}))["spec"]);
    assert_eq!(sent.headers["authorization"], super::TOKEN);
}

#[tokio::test]
async fn an_own_system_that_is_not_there_is_named_and_a_foreign_one_is_not_looked_up() {
    let api = Api::over(city(&["budget"]).on(&all("POST"), 201, flow(&json!({}))));
    let document = declare(&api, &wanted()).await.problem(422, "UnknownReference");
    assert_eq!(document["field"], "peer.system.name");
    assert!(api.server.seen_with("POST").is_empty());
    let mut foreign = wanted();
    foreign["peer"] = json!({"foreign": {"department": "no-such-department", "system": "archive"}});
    assert_eq!(declare(&api, &foreign).await.status, 201);
    let asked = api.server.seen_with("GET");
    assert!(asked.iter().all(|request| !request.path.contains("no-such-department")));
}

#[tokio::test]
async fn names_that_would_reach_elsewhere_and_fields_nobody_knows_are_refused() {
    let api = Api::over(city(&["budget", "archive"]));
    for (field, value) in [
        ("name", json!("A")),
        ("system", json!("../x")),
        ("peer", json!({"system": {"name": "../../dept-tax/x"}})),
        ("direction", json!("Both")),
        ("colour", json!(1)),
    ] {
        let mut wrong = wanted();
        wrong[field] = value;
        declare(&api, &wrong).await.problem(422, "InvalidField");
    }
    assert!(api.server.seen().is_empty());
}

#[tokio::test]
async fn how_it_stands_is_told_in_one_word_and_an_edit_leaves_open_what_was_decided() {
    let granted = condition("Admitted", "True", "Granted");
    let ready = condition("Ready", "True", "Open");
    for (conditions, word) in [
        (vec![], "Pending"),
        (vec![condition("Accepted", "True", "Valid"), condition("Admitted", "Unknown", "AwaitingApproval")], "Pending"),
        (vec![condition("Accepted", "False", "UnknownReference")], "Refused"),
        (vec![condition("Accepted", "True", "Valid"), condition("Admitted", "False", "OrderRefused")], "Refused"),
        (vec![granted.clone()], "Granted"),
        (vec![condition("Accepted", "False", "AwaitingApproval"), granted, ready], "Open"),
    ] {
        let status = json!({"conditions": conditions, "reach": "CrossZone", "orderRef": {"name": "o"}});
        let api = Api::over(ApiServer::default().on(&at("GET"), 200, flow(&status)));
        let shown = api.get(FLOW).await.json();
        assert_eq!(
            (&shown["state"], &shown["reach"], &shown["order"]),
            (&json!(word), &json!("CrossZone"), &json!("o"))
        );
    }
}

#[tokio::test]
async fn a_change_and_an_end_are_asked_for_with_the_version_that_is_meant() {
    let api = Api::over(ApiServer::default().on(&at("PATCH"), 200, flow(&json!({}))).on(&at("DELETE"), 200, json!({})));
    let body = json!({"peer": {"ipBlock": {"cidr": "10.0.0.0/8"}}}).to_string();
    let mut wish = request(Method::PATCH, FLOW, &[("if-match", "\"7\"")], &body);
    wish.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    assert_eq!(api.send(wish).await.status, 200);
    let sent = &api.server.seen_with("PATCH")[0].body;
    assert_eq!(sent["metadata"]["resourceVersion"], "7");
    assert_eq!(
        sent["spec"]["peer"],
        json!({"system": null, "foreign": null, "ipBlock": {"cidr": "10.0.0.0/8", "except": []}})
    );
    let ended = api.send(request(Method::DELETE, FLOW, &[], "")).await;
    assert_eq!((ended.status.as_u16(), ended.header("location")), (202, FLOW));
}
