//! Cloud databases: ordered, looked at, changed, ended, in the manners of hosts; how to sign in is told by name alone.

use http::Method;
use serde_json::{Value, json};

use super::{
    Answer, Api, request,
    stub::{ApiServer, cluster, condition, finance},
};

const DATABASES: &str = "/v1/departments/finance/databases";
const DATABASE: &str = "/v1/departments/finance/databases/budget-pg";

fn at(method: &str) -> String {
    format!("{method} {}", finance("clouddatabases/budget-pg"))
}

fn all(method: &str) -> String {
    format!("{method} {}", finance("clouddatabases"))
}

fn wanted() -> Value {
    json!({"name": "budget-pg", "system": "budget", "class": "database-2c8g", "zone": "public", "architecture": "amd64",
        "engine": {"kind": "Postgresql", "version": "17"}, "topology": "PrimaryStandby"})
}

/// The database as the API server has it, with `status`.
fn database(status: &Value) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudDatabase",
        "metadata": {"name": "budget-pg", "namespace": "dept-finance", "uid": "d-1", "generation": 1,
            "resourceVersion": "7", "creationTimestamp": "2026-11-20T01:00:00Z"},
        "spec": {"systemRef": {"name": "budget"}, "classRef": {"name": "database-2c8g"}, "zoneRef": {"name": "public"},
            "architecture": "amd64", "engine": {"kind": "Postgresql", "version": "17"}, "topology": "PrimaryStandby",
            "storage": {"tier": "standard", "size": "100Gi"}, "power": "Running", "deletionProtection": "Enabled"},
        "status": status})
}

/// An API server that knows what the order names.
fn city() -> ApiServer {
    let object = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "jiyun.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let system =
        json!({"displayName": "系统", "protectionLevel": 2, "zoneRef": {"name": "public"}, "owner": {"name": "周文"}});
    let class = json!({"displayName": "2核8G", "engine": "Postgresql", "vcpu": 2, "memory": "8Gi",
        "architectures": ["amd64"], "versions": [{"version": "17", "image": "inner.example/postgresql:17.6"}]});
    let zone = json!({"displayName": "公共区", "kind": "GovExtranetPublic"});
    let get = |path: String| format!("GET {path}");
    ApiServer::default()
        .on(&get(finance("informationsystems/budget")), 200, object("InformationSystem", "budget", system))
        .on(&get(cluster("databaseclasses/database-2c8g")), 200, object("DatabaseClass", "database-2c8g", class))
        .on(&get(cluster("networkzones/public")), 200, object("NetworkZone", "public", zone))
}

async fn order(api: &Api, body: &Value) -> Answer {
    api.send(request(Method::POST, DATABASES, &[("accept-language", "en")], &body.to_string())).await
}

#[tokio::test]
async fn a_database_is_ordered_in_the_callers_name_and_answered_with_its_address() {
    let api = Api::over(city().on(&all("POST"), 201, database(&json!({}))));
    let answer = order(&api, &wanted()).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.header("location"), DATABASE);
    assert_eq!(answer.json()["state"], "Pending");
    let sent = &api.server.seen_with("POST")[0];
    assert_eq!(sent.body["spec"], database(&json!({}))["spec"]);
    assert_eq!(sent.headers["authorization"], super::TOKEN);
}

#[tokio::test]
async fn what_does_not_fit_the_class_leaves_nothing_behind() {
    let api = Api::over(city().on(&all("POST"), 201, database(&json!({}))));
    let mut older = wanted();
    older["engine"]["version"] = json!("15");
    let document = order(&api, &older).await.problem(422, "VersionNotOffered");
    assert_eq!(document["field"], "engine.version");
    let mut elsewhere = wanted();
    elsewhere["architecture"] = json!("arm64");
    assert_eq!(order(&api, &elsewhere).await.problem(422, "ArchitectureNotOffered")["field"], "architecture");
    for (field, value) in [("class", json!("../x")), ("topology", json!("Five")), ("colour", json!(1))] {
        let mut wrong = wanted();
        wrong[field] = value;
        order(&api, &wrong).await.problem(422, "InvalidField");
    }
    assert!(api.server.seen_with("POST").is_empty());
}

#[tokio::test]
async fn where_it_is_found_is_told_and_its_image_and_pools_are_not() {
    let met = |kind: &str, reason: &str| condition(kind, "True", reason, 1)["conditions"][0].clone();
    let status = json!({
        "conditions": [met("Admitted", "Granted"), met("Ready", "Running")],
        "claimId": "claim-9", "poolRef": {"name": "hygon"}, "readyInstances": 2,
        "connection": {"host": "budget-pg-rw.engine-finance.svc", "readOnlyHost": "budget-pg-ro.engine-finance.svc",
            "port": 5432, "database": "app", "credentialsSecretRef": {"name": "budget-pg-credentials"}},
    });
    let api = Api::over(ApiServer::default().on(&at("GET"), 200, database(&status)));
    let answer = api.get(DATABASE).await;
    let shown = answer.json();
    assert_eq!((&shown["state"], &shown["readyInstances"]), (&json!("Ready"), &json!(2)));
    assert_eq!(shown["connection"]["credentialsSecret"], "budget-pg-credentials");
    assert_eq!(shown["connection"]["readOnlyHost"], "budget-pg-ro.engine-finance.svc");
    assert!(!answer.text().contains("hygon"), "{}", answer.text());
    assert!(api.server.seen().iter().all(|seen| !seen.path.contains("secrets")), "nobody reads the Secret");
}

#[tokio::test]
async fn a_change_and_an_end_are_asked_for_with_the_version_that_is_meant() {
    let server = ApiServer::default().on(&at("PATCH"), 200, database(&json!({}))).on(&at("DELETE"), 200, json!({}));
    let api = Api::over(server);
    let body = json!({"power": "Stopped", "displayName": null}).to_string();
    let mut wish = request(Method::PATCH, DATABASE, &[("if-match", "\"7\"")], &body);
    wish.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    assert_eq!(api.send(wish).await.status, 200);
    let sent = &api.server.seen_with("PATCH")[0].body;
    assert_eq!(sent["metadata"]["resourceVersion"], "7");
    assert_eq!(sent["spec"], json!({"power": "Stopped", "displayName": null}));
    let ended = api.send(request(Method::DELETE, DATABASE, &[], "")).await;
    assert_eq!((ended.status.as_u16(), ended.header("location")), (202, DATABASE));
}
