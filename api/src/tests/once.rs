//! `Idempotency-Key`: asking again does not order again, and nothing but the object remembers it.

use http::Method;
use serde_json::{Value, json};

use super::{
    Answer, Api, request,
    stub::{ApiServer, WHO, city, condition, finance, host, order, status, user},
};

const HOSTS: &str = "/v1/departments/finance/hosts";
const DIGEST: &str = "jiyun.io/request-digest";

fn nameless() -> Value {
    let mut order = order();
    order.as_object_mut().unwrap().remove("name");
    order
}

async fn place(api: &Api, order: &Value, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[("accept-language", "en")], headers].concat();
    api.send(request(Method::POST, HOSTS, &headers, &order.to_string())).await
}

async fn keyed(api: &Api, key: &str) -> Answer {
    place(api, &nameless(), &[("idempotency-key", key)]).await
}

fn post_hosts() -> String {
    format!("POST {}", finance("cloudhosts"))
}

/// Everything an order names is there, and the caller is `name`.
fn known_as(name: &str) -> ApiServer {
    city().on(WHO, 201, user(name))
}

/// What the API sends to the API server for `alice` and this key.
async fn sent(name: &str, key: &str) -> Value {
    let api = Api::over(known_as(name).on(&post_hosts(), 201, host("7", &json!({}))));
    assert_eq!(keyed(&api, key).await.status, 202);
    let posts = api.server.seen_with("POST");
    posts.into_iter().find(|seen| seen.path == finance("cloudhosts")).unwrap().body
}

fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

/// An API server where an earlier request of alice's with key `k-1` has created a host, which stands so.
async fn after_the_first(status: &Value) -> (ApiServer, Value) {
    let mut stored = sent("alice", "k-1").await;
    let name = name_of(&stored).to_owned();
    let kept = host("9", status);
    for field in ["uid", "generation", "resourceVersion", "creationTimestamp"] {
        stored["metadata"][field] = kept["metadata"][field].clone();
    }
    stored["status"] = kept["status"].clone();
    let taken = known_as("alice").refuse(&post_hosts(), 409, "AlreadyExists");
    (taken.on(&format!("GET {}", finance(&format!("cloudhosts/{name}"))), 200, stored.clone()), stored)
}

#[tokio::test]
async fn a_key_becomes_the_name_and_the_digest_of_the_body_lies_on_the_object() {
    let object = sent("alice", "k-1").await;
    let name = name_of(&object);
    assert_eq!(name.len(), 22);
    assert!(name.starts_with("h-") && crate::extract::ObjectName::parse(name).is_some(), "{name}");
    assert_eq!(object["metadata"]["annotations"][DIGEST].as_str().unwrap().len(), 64);
    assert_eq!(sent("alice", "k-1").await, object, "after a restart it is the same");
    assert_ne!(name_of(&sent("alice", "k-2").await), name);
}

#[tokio::test]
async fn two_callers_with_the_same_key_get_hosts_of_their_own() {
    assert_ne!(name_of(&sent("alice", "k-1").await), name_of(&sent("bob", "k-1").await));
}

#[tokio::test]
async fn the_same_person_with_a_renewed_token_is_the_same_caller() {
    let first = sent("alice", "k-1").await;
    let api = Api::over(known_as("alice").on(&post_hosts(), 201, host("7", &json!({}))));
    place(&api, &nameless(), &[("idempotency-key", "k-1"), ("x-renewed", "yes")]).await;
    let mut renewed = request(Method::POST, HOSTS, &[("idempotency-key", "k-1")], &nameless().to_string());
    renewed.headers_mut().insert("authorization", "Bearer alice.renewed".parse().unwrap());
    api.send(renewed).await;
    let posts = api.server.seen_with("POST");
    assert!(posts.iter().any(|seen| seen.headers["authorization"] == "Bearer alice.renewed"));
    assert!(posts.iter().filter(|seen| seen.path == finance("cloudhosts")).all(|seen| seen.body == first));
}

#[tokio::test(start_paused = true)]
async fn after_a_reply_that_was_lost_the_same_request_finds_the_host() {
    let lost = Api::over(known_as("alice").never(&post_hosts()));
    let answer = keyed(&lost, "k-1").await;
    answer.problem(504, "OutcomeUnknown");

    // Another replica, or this one after a restart: it has no memory of the first.
    let (server, stored) = after_the_first(&condition("Accepted", "True", "Valid", 1)).await;
    let again = keyed(&Api::over(server), "k-1").await;
    assert_eq!(again.status, 202, "{}", again.text());
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("location"), format!("{HOSTS}/{}", name_of(&stored)));
    assert_eq!(again.header("location"), answer.header("location"));
    assert_eq!(again.json()["name"], stored["metadata"]["name"]);
}

#[tokio::test]
async fn a_replay_is_answered_as_the_host_stands_now() {
    let (granted, _) = after_the_first(&condition("Admitted", "True", "Granted", 1)).await;
    let answer = keyed(&Api::over(granted), "k-1").await;
    assert_eq!((answer.status.as_u16(), answer.header("idempotency-replayed")), (201, "true"));

    let (refused, stored) = after_the_first(&condition("Admitted", "False", "NoMatchingPool", 1)).await;
    let answer = keyed(&Api::over(refused), "k-1").await;
    answer.problem(409, "NoMatchingPool");
    assert_eq!(answer.header("idempotency-replayed"), "true");
    assert_eq!(answer.header("location"), format!("{HOSTS}/{}", name_of(&stored)));
}

#[tokio::test]
async fn a_replay_waits_for_the_decision_like_the_first() {
    let (server, mut stored) = after_the_first(&json!({})).await;
    stored["status"] = condition("Admitted", "True", "Granted", 1);
    let server = server.watch(&finance("cloudhosts"), &[json!({"type": "MODIFIED", "object": stored})]);
    let answer = place(&Api::over(server), &nameless(), &[("idempotency-key", "k-1"), ("prefer", "wait=9")]).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("preference-applied"), "wait=9");
}

#[tokio::test]
async fn blanks_and_the_order_of_fields_make_no_other_request() {
    let (server, _) = after_the_first(&json!({})).await;
    let api = Api::over(server);
    let turned =
        r#" {"architecture":"amd64", "zone":"public", "system":"portal","image":"openeuler",  "class":"c4m8"}"#;
    let answer = api.send(request(Method::POST, HOSTS, &[("idempotency-key", "k-1")], turned)).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
}

#[tokio::test]
async fn the_same_key_with_another_body_is_422_and_creates_nothing() {
    let (server, _) = after_the_first(&json!({})).await;
    let mut other = nameless();
    other["power"] = json!("Stopped");
    let answer = place(&Api::over(server), &other, &[("idempotency-key", "k-1")]).await;
    answer.problem(422, "IdempotencyKeyReused");
    assert_eq!(answer.header("idempotency-replayed"), "");
}

#[tokio::test]
async fn a_replay_succeeds_though_what_it_names_is_gone_from_the_catalogue() {
    let (_, stored) = after_the_first(&json!({})).await;
    let name = name_of(&stored);
    // No classes, no images, no zones any more.
    let emptied = ApiServer::default().on(WHO, 201, user("alice"));
    let emptied = emptied.refuse(&format!("GET {}", super::stub::cluster("departments/finance")), 403, "Forbidden");
    let emptied = emptied.on(&format!("GET {}", finance(&format!("cloudhosts/{name}"))), 200, stored.clone());
    assert_eq!(keyed(&Api::over(emptied), "k-1").await.status, 202);
}

#[tokio::test]
async fn a_host_on_its_way_out_is_409_until_it_is_gone() {
    let (_, mut stored) = after_the_first(&json!({})).await;
    stored["metadata"]["deletionTimestamp"] = json!("2026-11-20T02:00:00Z");
    let taken = || known_as("alice").refuse(&post_hosts(), 409, "AlreadyExists");
    let get = format!("GET {}", finance(&format!("cloudhosts/{}", name_of(&stored))));
    keyed(&Api::over(taken().on(&get, 200, stored)), "k-1").await.problem(409, "BeingDeleted");
    keyed(&Api::over(taken()), "k-1").await.problem(409, "BeingDeleted");
}

#[tokio::test]
async fn whoever_may_order_but_not_look_is_told_that_it_is_there() {
    let (_, stored) = after_the_first(&json!({})).await;
    let get = format!("GET {}", finance(&format!("cloudhosts/{}", name_of(&stored))));
    let blind = known_as("alice").refuse(&post_hosts(), 409, "AlreadyExists").refuse(&get, 403, "Forbidden");
    keyed(&Api::over(blind), "k-1").await.problem(409, "AlreadyExists");
}

#[tokio::test]
async fn a_name_is_a_key_by_itself_and_one_of_them_is_needed() {
    let api = Api::over(city());
    let both = place(&api, &order(), &[("idempotency-key", "k-1")]).await.problem(422, "InvalidField");
    assert_eq!(both["field"], "name");
    assert!(both["detail"].as_str().unwrap().contains("a name is a key by itself"), "{both}");
    let neither = place(&api, &nameless(), &[]).await.problem(422, "InvalidField");
    assert_eq!(neither["field"], "name");
    assert!(api.server.seen().is_empty());
}

#[tokio::test]
async fn keys_that_are_none_and_callers_that_are_nobody_create_nothing() {
    let api = Api::over(city());
    let key = "k".repeat(256);
    for bad in ["", "a b", &key] {
        keyed(&api, bad).await.problem(400, "InvalidHeader");
    }
    assert!(api.server.seen().is_empty());
    let unknown = Api::over(city().refuse(WHO, 401, "Unauthorized"));
    keyed(&unknown, "k-1").await.problem(401, "InvalidToken");
    let nobody = Api::over(city().on(WHO, 201, user("")));
    keyed(&nobody, "k-1").await.problem(500, "Internal");
    let details = status(503, "ServiceUnavailable", &json!({}));
    keyed(&Api::over(city().on(WHO, 503, details)), "k-1").await.problem(503, "KubernetesUnavailable");
}

#[tokio::test]
async fn without_a_key_nothing_is_asked_or_written_besides() {
    let api = Api::over(city().on(&post_hosts(), 201, host("7", &json!({}))));
    let answer = place(&api, &order(), &[]).await;
    assert_eq!(answer.header("idempotency-replayed"), "");
    let posts = api.server.seen_with("POST");
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].body["metadata"].get("annotations"), None);
    let taken = Api::over(city().refuse(&post_hosts(), 409, "AlreadyExists"));
    place(&taken, &order(), &[]).await.problem(409, "AlreadyExists");
    assert!(taken.server.seen_with("GET").iter().all(|seen| !seen.path.ends_with("web-1")));
}
