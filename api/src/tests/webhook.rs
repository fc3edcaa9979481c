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
    records(folder.path(), 2).await;
    // The same identifier, chosen by a client for another request of its own.
    let again = event("ResponseComplete", "2026-11-20T01:00:09Z");
    assert_eq!(posted(&router, &[again]).await, 200);
    records(folder.path(), 3).await;
    assert_eq!(posted(&router, &[]).await, 200);
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
    while !api.app.recorder().is_writable() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(posted(&router, &batch).await, 200);
    records(&place, 1).await;
}
