//! Audit events of the API server as they arrive: recorded once, acknowledged when all are.

use axum::{Router, body::Body};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    answer,
    audit::{recording, records},
    stub::ApiServer,
};
use crate::webhook;

fn event(stage: &str, moment: &str) -> Value {
    json!({"auditID": "a-1", "stage": stage, "verb": "delete",
        "requestURI": "/apis/jiyun.io/v1alpha1/namespaces/dept-finance/cloudhosts/web-1",
        "user": {"username": "oidc:wang"}, "sourceIPs": ["10.0.0.7"],
        "objectRef": {"resource": "cloudhosts", "namespace": "dept-finance", "name": "web-1", "apiGroup": "jiyun.io"},
        "responseStatus": {"code": 200}, "requestReceivedTimestamp": "2026-11-20T01:00:00.000001Z",
        "stageTimestamp": moment})
}

async fn posted(router: &Router, items: &[Value]) -> StatusCode {
    let batch = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items});
    let request = Request::post("/?timeout=30s").header("content-type", "application/json");
    answer(router.clone(), request.body(Body::from(batch.to_string())).unwrap()).await.status
}

#[tokio::test]
async fn a_batch_is_recorded_once_however_often_it_is_sent_and_an_unreadable_event_holds_up_nothing() {
    let folder = TempDir::new().unwrap();
    let api = recording(ApiServer::default(), folder.path()).await;
    let router = webhook::router(api.app.recorder().clone());
    let (begun, ended) =
        (event("RequestReceived", "2026-11-20T01:00:00.000002Z"), event("ResponseComplete", "2026-11-20T01:00:00.5Z"));
    let batch = [begun, json!({"auditID": 7}), ended];
    assert_eq!(posted(&router, &batch).await, 200);
    assert_eq!(posted(&router, &batch).await, 200);
    let told = records(folder.path(), 3).await;
    assert!(told.iter().any(|record| record.object.kind == "AuditEvent"), "{told:?}");
    // The same identifier, chosen by a client for another request of its own; another's at the same moment.
    let again = event("ResponseComplete", "2026-11-20T01:00:09Z");
    let mut other = again.clone();
    other["user"]["username"] = json!("oidc:li");
    assert_eq!(posted(&router, &[again, other]).await, 200);
    records(folder.path(), 5).await;
    assert_eq!(posted(&router, &[]).await, 200);
}

#[tokio::test]
async fn what_a_client_sends_that_only_the_api_server_reads_costs_nobody_his_record() {
    let folder = TempDir::new().unwrap();
    let api = recording(ApiServer::default(), folder.path()).await;
    let router = webhook::router(api.app.recorder().clone());
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let items = [b"\"\\ud800\"".to_vec(), deep.into_bytes(), b"\"\xff\"".to_vec(), b"null".to_vec()];
    let moments = ["2026-11-20T01:00:01Z", "2026-11-20T01:00:02Z", "2026-11-20T01:00:03Z", "2026-11-20T01:00:04Z"];
    let mut batch = br#"{"kind":"EventList","items":["#.to_vec();
    for (number, (sent, moment)) in items.iter().zip(moments).enumerate() {
        if number > 0 {
            batch.push(b',');
        }
        let whole = event("ResponseComplete", moment).to_string();
        batch.extend_from_slice(whole.strip_suffix('}').unwrap().as_bytes());
        batch.extend_from_slice(br#","requestObject":{"spec":"#);
        batch.extend_from_slice(sent);
        batch.extend_from_slice(b"}}");
    }
    batch.extend_from_slice(b"]}");
    let request = Request::post("/").body(Body::from(batch)).unwrap();
    assert_eq!(answer(router.clone(), request).await.status, 200);
    let told = records(folder.path(), 4).await;
    assert!(told.iter().all(|record| record.actor.name == "oidc:wang" && record.object.name == "web-1"), "{told:?}");
    let request = Request::post("/").body(Body::from("{")).unwrap();
    assert_eq!(answer(router, request).await.status, 400);
}

#[tokio::test]
async fn whoever_may_do_nothing_does_not_fill_the_disk_by_trying() {
    let folder = TempDir::new().unwrap();
    let api = recording(ApiServer::default(), folder.path()).await;
    let router = webhook::router(api.app.recorder().clone());
    let tried = |user: &str, number: u32| {
        let mut tried = event("ResponseComplete", "2026-11-20T01:00:00Z");
        tried["auditID"] = json!(format!("a-{number}"));
        tried["user"]["username"] = json!(user);
        tried["responseStatus"] = json!({"code": 403, "reason": "Forbidden"});
        tried["annotations"] = json!({"authorization.k8s.io/decision": "forbid"});
        tried
    };
    let many: Vec<_> = (0..100).map(|number| tried("oidc:wang", number)).collect();
    assert_eq!(posted(&router, &many).await, 200);
    assert_eq!(posted(&router, &many).await, 200, "sent again, and not counted again");
    assert_eq!(posted(&router, &[tried("oidc:li", 0)]).await, 200);
    let told = records(folder.path(), 11).await;
    let last = told.iter().find(|record| record.actor.name == "oidc:li").unwrap();
    assert_eq!(last.after.as_ref().unwrap().value().unwrap()["notRecordedBefore"], 90);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_acknowledged() {
    let folder = TempDir::new().unwrap();
    let place = folder.path().join("trail");
    std::fs::write(&place, "").unwrap();
    let api = recording(ApiServer::default(), &place).await;
    let router = webhook::router(api.app.recorder().clone());
    let batch = [event("RequestReceived", "2026-11-20T01:00:00.000002Z")];
    assert_eq!(posted(&router, &batch).await, 503);
    std::fs::remove_file(&place).unwrap();
    api.app.recorder().ready().await;
    assert_eq!(posted(&router, &batch).await, 200);
    records(&place, 1).await;
}
