//! `dryRun=true`: all is checked, nothing is written.

use http::Method;
use serde_json::{Value, json};

use super::{
    Answer, Api, request,
    stub::{ApiServer, WHO, city, finance, host, order, user},
};

const HOSTS: &str = "/v1/departments/finance/hosts";
const HOST: &str = "/v1/departments/finance/hosts/web-1";

async fn place(api: &Api, query: &str, order: &Value, headers: &[(&str, &str)]) -> Answer {
    api.send(request(Method::POST, &format!("{HOSTS}?{query}"), headers, &order.to_string())).await
}

fn post_hosts() -> String {
    format!("POST {}", finance("cloudhosts"))
}

#[tokio::test]
async fn an_order_is_checked_by_the_api_server_and_its_host_is_shown_without_an_address() {
    let api = Api::over(city().on(&post_hosts(), 201, host("", &json!({}))));
    let answer = place(&api, "dryRun=true", &order(), &[("prefer", "wait=30")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((answer.header("location"), answer.header("preference-applied")), ("", ""));
    assert_eq!(answer.json()["host"]["name"], "web-1");
    assert_eq!(answer.json()["host"]["state"], "Pending");
    assert!(api.server.seen_with("POST")[0].query.contains("dryRun=All"));
    assert!(api.server.seen_with("WATCH").is_empty(), "there is no decision to wait for");
}

#[tokio::test]
async fn what_would_be_refused_is_refused() {
    let api = Api::over(city());
    let mut wrong = order();
    wrong["class"] = json!("c999");
    place(&api, "dryRun=true", &wrong, &[]).await.problem(422, "UnknownReference");
    let taken = Api::over(city().refuse(&post_hosts(), 409, "AlreadyExists"));
    place(&taken, "dryRun=true", &order(), &[]).await.problem(409, "AlreadyExists");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_that_is_cut_off_has_no_unknown_outcome() {
    let api = Api::over(city().never(&post_hosts()));
    place(&api, "dryRun=true", &order(), &[]).await.problem(503, "KubernetesUnavailable");
}

#[tokio::test]
async fn a_key_may_be_tried_too() {
    let api = Api::over(city().on(WHO, 201, user("alice")).on(&post_hosts(), 201, host("", &json!({}))));
    let mut nameless = order();
    nameless.as_object_mut().unwrap().remove("name");
    let answer = place(&api, "dryRun=true", &nameless, &[("idempotency-key", "k-1")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("idempotency-replayed")), (200, ""));
    let posts = api.server.seen_with("POST");
    assert!(posts.iter().all(|seen| seen.query.contains("dryRun=All") == (seen.path == finance("cloudhosts"))));
}

#[tokio::test]
async fn only_true_is_dry_and_a_misspelt_wish_is_refused_rather_than_done() {
    let api = Api::over(city().on(&post_hosts(), 201, host("7", &json!({}))));
    for query in ["dryRun=yes", "dryRun=", "dryrun=true", "dryRun=All", "dryRun=true&dryRun=false"] {
        place(&api, query, &order(), &[]).await.problem(400, "InvalidParameter");
    }
    assert!(api.server.seen().is_empty());
    assert_eq!(place(&api, "dryRun=false", &order(), &[]).await.status, 202);
    assert!(!api.server.seen_with("POST")[0].query.contains("dryRun"));
}

#[tokio::test]
async fn a_change_is_shown_as_it_would_be() {
    let mut changed = host("8", &json!({}));
    changed["spec"]["power"] = json!("Stopped");
    let api = Api::over(ApiServer::default().on(&format!("PATCH {}", finance("cloudhosts/web-1")), 200, changed));
    let mut wish = request(Method::PATCH, &format!("{HOST}?dryRun=true"), &[], "{\"power\": \"Stopped\"}");
    wish.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    let answer = api.send(wish).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, ""));
    assert_eq!(answer.json()["host"]["power"], "Stopped");
    assert!(api.server.seen()[0].query.contains("dryRun=All"));
}

#[tokio::test]
async fn an_end_is_shown_as_the_host_that_would_go() {
    let server = ApiServer::default()
        .on(&format!("DELETE {}", finance("cloudhosts/web-1")), 200, host("9", &json!({})))
        .on(&format!("GET {}", finance("cloudhosts/web-1")), 200, host("8", &json!({})));
    let api = Api::over(server);
    let answer = api.send(request(Method::DELETE, &format!("{HOST}?dryRun=true"), &[], "")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["host"]["name"], "web-1");
    assert_eq!(api.server.seen()[0].body["dryRun"], json!(["All"]));
}
