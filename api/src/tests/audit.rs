//! The audit trail: what is recorded of requests, what is stopped while nothing can be, and who reads what.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{body::Body, extract::ConnectInfo};
use http::{Method, Request};
use jiff::Timestamp;
use jiyun_trail::{
    Options, Trail,
    core::{action::Action, actor::Actor, content::Content, object::Object, outcome::Outcome, record::Record},
    figures::Figures,
    heads::memory::MemoryHeads,
    store::{disk::RealDisk, query::Query, rows},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Api,
    book::StillBook,
    request,
    stub::{self, ApiServer, WHO, awaiting, city, filed, finance, host, order, user},
};
use crate::{
    app::App,
    store::{Kubernetes, Records},
    trail::Recorder,
};

const HOSTS: &str = "/v1/departments/finance/hosts";
const HOST: &str = "/v1/departments/finance/hosts/web-1";
const OWN: &str = "/v1/departments/finance/audit-records";
const ALL: &str = "/v1/audit-records";
const MAY: &str = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// What the API server answers to whether the caller may.
fn may(allowed: bool) -> Value {
    json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {},
        "status": {"allowed": allowed}})
}

/// A server that knows the caller, who may look at the department.
fn known(server: ApiServer) -> ApiServer {
    server.on(WHO, 201, user("oidc:wang")).on(MAY, 201, may(true))
}

/// An API that keeps a trail in `folder`, as the writer `jiyun-api-0`.
pub async fn recording(server: ApiServer, folder: &Path) -> Api {
    let api = Api::over(server);
    let options =
        Options { probe_every: Duration::from_millis(5), ..Options::new(folder, "jiyun-api-0".parse().unwrap()) };
    let figures = Figures::new(&prometheus::Registry::new()).unwrap();
    let (recorder, _) = Recorder::start(options, MemoryHeads::default(), RealDisk, figures);
    if !folder.is_file() {
        recorder.ready().await;
    }
    let kubernetes = Kubernetes::over(stub::client(&api.server)).recorded(recorder);
    let app = App::new(kubernetes, Arc::new(StillBook::empty()), api.stopping.clone());
    Api { app: Arc::new(app.with_records(Records::of(folder.to_owned()))), ..api }
}

/// The records in `folder`, once there are as many.
pub async fn records(folder: &Path, count: usize) -> Vec<Record> {
    let mut found = Vec::new();
    // What came of a change is recorded while its caller is answered.
    for _ in 0..1000 {
        found = rows::page(folder, Query::default(), 100).unwrap().rows.into_iter().map(|row| row.record).collect();
        if found.len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(found.len(), count, "{found:#?}");
    found
}

fn from(mut request: Request<Body>, address: &str) -> Request<Body> {
    let peer: SocketAddr = address.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

fn patch(body: &str) -> Request<Body> {
    let mut patch = request(Method::PATCH, HOST, &[("x-request-id", "t-2")], body);
    patch.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    patch
}

fn value(content: Option<&Content>) -> &Value {
    content.unwrap().value().unwrap()
}

#[tokio::test]
async fn an_order_a_change_and_an_end_are_recorded_before_and_after() {
    let folder = TempDir::new().unwrap();
    let one = finance("cloudhosts/web-1");
    let server = known(city())
        .on(&format!("POST {}", finance("cloudhosts")), 201, host("1", &json!({})))
        .on(&format!("GET {one}"), 200, host("1", &json!({"orderRef": {"name": "o-1"}})))
        .on(&format!("PATCH {one}"), 200, host("2", &json!({"orderRef": {"name": "o-1"}})))
        .on(&format!("DELETE {one}"), 200, host("3", &json!({"orderRef": {"name": "o-1"}})));
    let api = recording(server, folder.path()).await;
    let ordered = request(Method::POST, HOSTS, &[("x-request-id", "t-1")], &order().to_string());
    assert_eq!(api.send(from(ordered, "10.0.0.7:4711")).await.status, 202);
    let asked: Vec<_> = api.server.seen_with("POST").into_iter().map(|seen| seen.path).collect();
    let reviews = asked.iter().filter(|path| path.contains("selfsubject")).count();
    assert_eq!(reviews, 2, "who it is, and whether they may look, once each: {asked:?}");
    let records_of_order = records(folder.path(), 2).await;
    assert_eq!(api.send(patch(r#"{"power": "Stopped"}"#)).await.status, 200);
    records(folder.path(), 4).await;
    assert_eq!(api.send(request(Method::DELETE, HOST, &[], "")).await.status, 202);

    for (record, result) in records_of_order.iter().zip([Outcome::Begun, Outcome::Succeeded]) {
        assert_eq!((record.action, &record.result), (Action::Create, &result));
        assert_eq!((record.actor.name.as_str(), record.source.as_deref()), ("oidc:wang", Some("10.0.0.7")));
        assert_eq!(record.actor.groups, ["system:authenticated"]);
        assert_eq!((record.request.as_deref(), record.department.as_deref()), (Some("t-1"), Some("finance")));
        assert_eq!((record.object.kind.as_str(), record.object.name.as_str()), ("CloudHost", "web-1"));
        assert_eq!(value(record.after.as_ref())["spec"]["classRef"]["name"], "c4m8");
        assert!(record.before.is_none());
    }
    assert_eq!(records_of_order[1].object.uid.as_deref(), Some("u-1"));
    let all = records(folder.path(), 6).await;
    for record in &all[2..] {
        assert_eq!(record.order.as_deref(), Some("o-1"));
        assert_eq!(value(record.before.as_ref())["spec"]["power"], "Running");
    }
    assert_eq!(value(all[2].after.as_ref()), &json!({"patch": {"spec": {"power": "Stopped"}}}));
    assert_eq!(value(all[3].after.as_ref())["resourceVersion"], "2");
    assert_eq!((all[3].action, all[4].action), (Action::Change, Action::Delete));
    assert_eq!((&all[4].result, &all[5].result), (&Outcome::Begun, &Outcome::Succeeded));
    assert!(all[5].after.is_none());
}

#[tokio::test]
async fn a_decision_is_recorded_as_one() {
    let folder = TempDir::new().unwrap();
    let created = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "Approval", "metadata": {"name": "a-1", "uid": "a"},
        "spec": {"orderRef": {"name": "rollout"}, "orderUid": "o-1", "digest": "sha256:d1", "level": "leader",
            "decision": "Refuse", "reason": "no"}});
    let server = known(ApiServer::default())
        .on(&format!("GET {}", finance("orders/rollout")), 200, filed("1", &awaiting()))
        .on(&format!("POST {}", finance("approvals")), 201, created);
    let api = recording(server, folder.path()).await;
    let body = r#"{"decision": "Refuse", "reason": "no"}"#;
    let path = "/v1/departments/finance/orders/rollout/approvals";
    assert_eq!(api.send(request(Method::POST, path, &[], body)).await.status, 201);
    for record in records(folder.path(), 2).await {
        assert_eq!((record.action, record.order.as_deref()), (Action::Refuse, Some("rollout")));
    }
}

#[tokio::test]
async fn what_is_refused_is_recorded_once_with_its_code() {
    let folder = TempDir::new().unwrap();
    let one = finance("cloudhosts/web-1");
    let server = known(city()).on(&format!("GET {one}"), 200, host("1", &json!({}))).refuse(
        &format!("DELETE {one}"),
        403,
        "Forbidden",
    );
    let api = recording(server, folder.path()).await;
    api.send(request(Method::POST, HOSTS, &[], "{}")).await.problem(422, "InvalidField");
    let refused = records(folder.path(), 1).await.remove(0);
    assert_eq!((refused.action, &refused.result), (Action::Create, &Outcome::refused("InvalidField")));
    assert_eq!((refused.actor.name.as_str(), refused.department.as_deref()), ("oidc:wang", Some("finance")));
    assert_eq!(refused.object, Object::new("CloudHost", "").within("dept-finance"));
    api.send(request(Method::DELETE, HOST, &[], "")).await.problem(403, "Forbidden");
    let results: Vec<_> = records(folder.path(), 3).await.into_iter().map(|record| record.result).collect();
    assert_eq!(results[1..], [Outcome::Begun, Outcome::refused("Forbidden")]);
}

#[tokio::test]
async fn a_restart_that_is_refused_is_recorded_as_a_change_of_its_host() {
    let folder = TempDir::new().unwrap();
    let mut off = host("1", &json!({"claimId": "claim-1"}));
    off["spec"]["power"] = json!("Stopped");
    let server = known(ApiServer::default()).on(&format!("GET {}", finance("cloudhosts/web-1")), 200, off);
    let api = recording(server, folder.path()).await;
    api.send(request(Method::POST, &format!("{HOST}/restart"), &[], "")).await.problem(409, "HostIsStopped");
    let refused = records(folder.path(), 1).await.remove(0);
    assert_eq!((refused.action, &refused.result), (Action::Change, &Outcome::refused("HostIsStopped")));
    assert_eq!(refused.object, Object::new("CloudHost", "web-1").within("dept-finance"));
}

#[tokio::test]
async fn a_restore_that_is_refused_is_recorded_as_a_change_of_its_host_and_an_order_in_vain_as_that_of_a_snapshot() {
    let folder = TempDir::new().unwrap();
    let on = host("1", &json!({"claimId": "claim-1"}));
    let server = known(ApiServer::default()).on(&format!("GET {}", finance("cloudhosts/web-1")), 200, on);
    let api = recording(server, folder.path()).await;
    let body = r#"{"snapshot": "daily"}"#;
    api.send(request(Method::POST, &format!("{HOST}/restore"), &[], body)).await.problem(409, "HostIsRunning");
    let refused = records(folder.path(), 1).await.remove(0);
    assert_eq!((refused.action, &refused.result), (Action::Change, &Outcome::refused("HostIsRunning")));
    assert_eq!(refused.object, Object::new("CloudHost", "web-1").within("dept-finance"));
    let path = "/v1/departments/finance/snapshots";
    api.send(request(Method::POST, path, &[], "{}")).await.problem(422, "InvalidField");
    let refused = records(folder.path(), 2).await.remove(1);
    assert_eq!((refused.action, &refused.result), (Action::Create, &Outcome::refused("InvalidField")));
    assert_eq!(refused.object, Object::new("CloudSnapshot", "").within("dept-finance"));
}

#[tokio::test]
async fn a_key_pair_asked_for_in_vain_is_recorded_as_a_change_of_its_bucket() {
    let folder = TempDir::new().unwrap();
    let api = recording(known(ApiServer::default()), folder.path()).await;
    let path = "/v1/departments/finance/buckets/files-1/rotate-credentials";
    api.send(request(Method::POST, path, &[], "")).await.problem(404, "NotFound");
    let refused = records(folder.path(), 1).await.remove(0);
    assert_eq!((refused.action, &refused.result), (Action::Change, &Outcome::refused("NotFound")));
    assert_eq!(refused.object, Object::new("CloudBucket", "files-1").within("dept-finance"));
}

#[tokio::test]
async fn whoever_may_not_look_at_the_department_leaves_no_record_there() {
    let folder = TempDir::new().unwrap();
    let server = ApiServer::default().on(WHO, 201, user("oidc:mallory")).on(MAY, 201, may(false)).refuse(
        &format!("DELETE {}", finance("cloudhosts/web-1")),
        403,
        "Forbidden",
    );
    let api = recording(server, folder.path()).await;
    api.send(request(Method::DELETE, HOST, &[], "")).await.problem(404, "NotFound");
    api.send(request(Method::POST, HOSTS, &[], "{}")).await.problem(422, "InvalidField");
    for record in records(folder.path(), 3).await {
        assert_eq!((record.department, record.object.namespace.as_deref()), (None, Some("dept-finance")));
    }
}

#[tokio::test]
async fn looking_and_trying_leave_no_record() {
    let folder = TempDir::new().unwrap();
    let one = format!("GET {}", finance("cloudhosts/web-1"));
    let server = known(city()).on(&one, 200, host("1", &json!({})));
    let created = format!("POST {}", finance("cloudhosts"));
    let api = recording(server.on(&created, 201, host("1", &json!({}))), folder.path()).await;
    assert_eq!(api.get(HOST).await.status, 200);
    api.get("/v1/departments/finance/hosts/none").await.problem(404, "NotFound");
    let tried = request(Method::POST, &format!("{HOSTS}?dryRun=true"), &[], &order().to_string());
    assert_eq!(api.send(tried).await.status, 200);
    api.send(request(Method::POST, &format!("{HOSTS}?dryRun=true"), &[], "{}")).await.problem(422, "InvalidField");
    records(folder.path(), 0).await;
}

#[tokio::test]
async fn while_nothing_can_be_recorded_nothing_is_changed_and_reads_go_on() {
    let folder = TempDir::new().unwrap();
    // A file where the folder should be: the trail cannot be opened.
    let place = folder.path().join("trail");
    std::fs::write(&place, "").unwrap();
    let one = finance("cloudhosts/web-1");
    let server = known(city()).on(&format!("GET {one}"), 200, host("1", &json!({})));
    let server = server.on(&format!("POST {}", finance("cloudhosts")), 201, host("1", &json!({})));
    let server = server.on(&format!("PATCH {one}"), 200, host("2", &json!({})));
    let server = server.on(&format!("DELETE {one}"), 200, host("3", &json!({})));
    let api = recording(server, &place).await;
    let ask = || {
        [
            request(Method::POST, HOSTS, &[], &order().to_string()),
            patch(r#"{"power": "Stopped"}"#),
            request(Method::DELETE, HOST, &[], ""),
        ]
    };
    for refused in ask() {
        let answer = api.send(refused).await;
        answer.problem(503, "AuditUnwritable");
        assert_eq!(answer.header("retry-after"), "5");
    }
    assert_eq!(api.get(HOST).await.status, 200);
    let written: Vec<_> = api.server.seen().into_iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    assert!(!written.iter().any(|what| what.contains("cloudhosts") && !what.starts_with("GET")), "{written:?}");

    std::fs::remove_file(&place).unwrap();
    api.app.recorder().ready().await;
    for taken in ask() {
        let status = api.send(taken).await.status;
        assert!(status.is_success(), "{status}");
    }
    records(&place, 6).await;
}

#[tokio::test]
async fn a_caller_who_does_not_wait_leaves_a_record_that_nobody_knows() {
    let folder = TempDir::new().unwrap();
    let server = known(ApiServer::default()).never(&format!("DELETE {}", finance("cloudhosts/web-1")));
    let api = recording(server, folder.path()).await;
    let sent = api.send(request(Method::DELETE, HOST, &[], ""));
    let gone = async { records(folder.path(), 1).await };
    tokio::select! {
        answer = sent => panic!("{answer:?}"),
        begun = gone => assert_eq!(begun[0].result, Outcome::Begun),
    }
    let results: Vec<_> = records(folder.path(), 2).await.into_iter().map(|record| record.result).collect();
    assert!(matches!(&results[1], Outcome::Failed { reason } if reason.contains("may have been done")), "{results:?}");
}

#[tokio::test]
async fn a_token_nobody_accepts_is_recorded_and_many_are_counted() {
    let folder = TempDir::new().unwrap();
    let server = ApiServer::default().refuse(&format!("GET {}", finance("cloudhosts/web-1")), 401, "Unauthorized");
    let server = server.refuse(WHO, 401, "Unauthorized").refuse(MAY, 401, "Unauthorized");
    let api = recording(server, folder.path()).await;
    for _ in 0..7 {
        let read = request(Method::GET, HOST, &[], "");
        api.send(from(read, "10.0.0.9:1")).await.problem(401, "InvalidToken");
        let change = request(Method::DELETE, HOST, &[], "");
        api.send(from(change, "10.0.0.9:1")).await.problem(401, "InvalidToken");
        // Refused before anybody asked whose token it is.
        let invalid = request(Method::POST, HOSTS, &[], "{}");
        api.send(from(invalid, "10.0.0.9:1")).await.problem(422, "InvalidField");
    }
    let read = request(Method::GET, HOST, &[], "");
    api.send(from(read, "10.0.0.10:1")).await.problem(401, "InvalidToken");
    let found = records(folder.path(), 2).await;
    assert_eq!((found[0].action, found[0].source.as_deref()), (Action::SignInFailed, Some("10.0.0.9")));
    assert_eq!(value(found[1].after.as_ref()), &json!({"notRecordedBefore": 20}));
    assert!(found.iter().all(|record| record.department.is_none() && record.actor.name.is_empty()));
}

/// Records of two departments and of the platform, of a writer that is not this one.
async fn written(folder: &Path) {
    let figures = Figures::new(&prometheus::Registry::new()).unwrap();
    let options = Options::new(folder, "controller".parse().unwrap());
    let (trail, task) = Trail::start(options, MemoryHeads::default(), RealDisk, figures);
    trail.writable().await.unwrap();
    for (number, department) in (0..).zip([Some("finance"), Some("tax"), None, Some("finance"), Some("finance")]) {
        let object = Object::new("CloudHost", format!("web-{number}"));
        let at = Timestamp::from_second(1_000_000_000 + number).unwrap();
        let mut record =
            Record::new(at, Actor::platform("jiyun-controller"), Action::Grant, object, Outcome::Succeeded);
        record.department = department.map(str::to_owned);
        record.after = Some(Content::of(json!({"lines": [{"meter": "Vcpu", "pool": "compute/hygon"}]})));
        trail.append(record).await.unwrap();
    }
    drop(trail);
    task.await.unwrap();
}

fn names(answer: &super::Answer) -> Vec<String> {
    let document = answer.json();
    let items = document["items"].as_array().unwrap_or_else(|| panic!("{document}"));
    items.iter().map(|item| item["object"]["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_department_reads_its_own_records_page_by_page_and_the_auditor_all() {
    let folder = TempDir::new().unwrap();
    written(folder.path()).await;
    let api = recording(ApiServer::default().on(MAY, 201, may(true)), folder.path()).await;
    let own = api.get(OWN).await;
    assert_eq!(names(&own), ["web-0", "web-3", "web-4"]);
    assert!(!own.text().contains("hygon") && own.text().contains("Vcpu"), "departments do not see pools");
    let asked = &api.server.seen()[0].body["spec"]["resourceAttributes"];
    assert_eq!(
        (&asked["resource"], &asked["namespace"], &asked["name"]),
        (&json!("auditrecords"), &json!("dept-finance"), &json!("finance"))
    );
    let all = api.get(ALL).await;
    assert_eq!(names(&all), ["web-0", "web-1", "web-2", "web-3", "web-4"]);
    assert!(all.text().contains("hygon"));
    let asked = &api.server.seen()[1].body["spec"]["resourceAttributes"];
    assert!(asked["namespace"].is_null() && asked["name"].is_null(), "{asked}");

    let mut path = format!("{OWN}?limit=2");
    let mut found = Vec::new();
    loop {
        let page = api.get(&path).await;
        found.extend(names(&page));
        let Some(next) = page.json()["continue"].as_str().map(str::to_owned) else { break };
        api.get(&format!("{ALL}?continue={next}")).await.problem(400, "InvalidParameter");
        path = format!("{OWN}?limit=2&continue={next}");
    }
    assert_eq!(found, ["web-0", "web-3", "web-4"]);
}

#[tokio::test]
async fn records_are_picked_by_time_user_action_order_and_object() {
    let folder = TempDir::new().unwrap();
    written(folder.path()).await;
    let api = recording(ApiServer::default().on(MAY, 201, may(true)), folder.path()).await;
    for (query, found) in [
        ("from=2001-09-09T01:46:41Z&until=2001-09-09T01:46:43Z", vec!["web-1", "web-2"]),
        ("object=web-3", vec!["web-3"]),
        ("action=Grant&limit=1", vec!["web-0"]),
        ("action=Delete", vec![]),
        ("actor=wang", vec![]),
        ("order=o-1", vec![]),
    ] {
        assert_eq!(names(&api.get(&format!("{ALL}?{query}")).await), found, "{query}");
    }
    for bad in ["from=soon", "until=2026-13-01T00:00:00Z", "action=Teleported", "limit=0", "continue=a", "colour=1"] {
        api.get(&format!("{ALL}?{bad}")).await.problem(400, "InvalidParameter");
    }
}

#[tokio::test]
async fn to_whoever_may_not_read_records_there_are_none_and_without_a_trail_that_is_said() {
    let folder = TempDir::new().unwrap();
    let api = recording(ApiServer::default().on(MAY, 201, may(false)), folder.path()).await;
    for path in [OWN, ALL] {
        api.get(path).await.problem(404, "NotFound");
    }
    let without = Api::over(ApiServer::default().on(MAY, 201, may(true)));
    for path in [OWN, ALL] {
        without.get(path).await.problem(503, "AuditUnreadable");
    }
}
