//! An API server that answers from a table and remembers what it was asked.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::body::{Body, Bytes};
use futures::StreamExt;
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Value,
}

/// One answer.
#[derive(Clone)]
enum Reply {
    /// A document.
    Json(StatusCode, Value),
    /// Watch events; then the stream hangs, as a watch with nothing to tell does.
    Hang(Vec<Value>),
    /// Watch events; then the stream ends.
    End(Vec<Value>),
    /// No answer at all.
    Never,
}

/// See the module. The key of a watch is `WATCH <path>`; what is not in the table is 404.
#[derive(Default)]
pub struct ApiServer {
    replies: Mutex<HashMap<String, Vec<Reply>>>,
    seen: Mutex<Vec<Seen>>,
}

impl ApiServer {
    /// Answers `what` (such as `GET /api`) with a document.
    pub fn on(self, what: &str, status: u16, body: Value) -> Self {
        self.reply(what, Reply::Json(StatusCode::from_u16(status).unwrap(), body))
    }

    /// Answers `what` with a Status of this code and reason.
    pub fn refuse(self, what: &str, code: u16, reason: &str) -> Self {
        self.on(what, code, status(code, reason, &json!({})))
    }

    /// Answers the watch on `path` with events, then stays silent.
    pub fn watch(self, path: &str, events: &[Value]) -> Self {
        self.reply(&format!("WATCH {path}"), Reply::Hang(events.to_vec()))
    }

    /// Answers the watch on `path` with events, then ends it.
    pub fn watch_ending(self, path: &str, events: &[Value]) -> Self {
        self.reply(&format!("WATCH {path}"), Reply::End(events.to_vec()))
    }

    /// Answers whether the caller may do what is asked about `namespace`.
    pub fn may(self, namespace: &str, allowed: bool) -> Self {
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {},
            "status": {"allowed": allowed}});
        self.on(&format!("POST {REVIEWS} {namespace}"), 201, review)
    }

    /// Never answers `what`.
    pub fn never(self, what: &str) -> Self {
        self.reply(what, Reply::Never)
    }

    /// Several replies to the same request come one after the other; the last one stays.
    fn reply(self, what: &str, reply: Reply) -> Self {
        self.replies.lock().unwrap().entry(what.to_owned()).or_default().push(reply);
        self
    }

    /// Everything asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests of one method.
    pub fn seen_with(&self, method: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.method == method).collect()
    }

    fn next(&self, what: &str) -> Reply {
        let mut replies = self.replies.lock().unwrap();
        match replies.get_mut(what) {
            Some(queue) if queue.len() > 1 => queue.remove(0),
            Some(queue) => queue[0].clone(),
            None => Reply::Json(StatusCode::NOT_FOUND, status(404, "NotFound", &json!({}))),
        }
    }
}

/// A `Status` document.
pub fn status(code: u16, reason: &str, details: &Value) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "stub says no", "reason": reason,
        "code": code, "details": details})
}

/// A client whose every request goes to `server`.
pub fn client(server: &Arc<ApiServer>) -> kube::Client {
    let server = Arc::clone(server);
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(answer(&server, request).await) }
    });
    kube::Client::new(service, "default")
}

async fn answer(server: &ApiServer, request: Request<kube::client::Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(Body::new(body), usize::MAX).await.unwrap();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let watching = query.contains("watch=true");
    let method = if watching { "WATCH".to_owned() } else { parts.method.to_string() };
    let path = parts.uri.path().to_owned();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let about = body.pointer("/spec/resourceAttributes/namespace").and_then(Value::as_str).unwrap_or_default();
    let (general, special) = (format!("{method} {path}"), format!("{method} {path} {about}"));
    let reply = server.next(if server.replies.lock().unwrap().contains_key(&special) { &special } else { &general });
    server.seen.lock().unwrap().push(Seen { method, path, query, headers: parts.headers, body });
    match reply {
        Reply::Json(status, body) => respond(status, Body::from(body.to_string())),
        Reply::End(events) => respond(StatusCode::OK, Body::from_stream(lines(events))),
        Reply::Hang(events) => {
            respond(StatusCode::OK, Body::from_stream(lines(events).chain(futures::stream::pending())))
        }
        Reply::Never => std::future::pending().await,
    }
}

fn lines(events: Vec<Value>) -> impl futures::Stream<Item = Result<Bytes, Infallible>> {
    futures::stream::iter(events.into_iter().map(|event| Ok(Bytes::from(format!("{event}\n")))))
}

fn respond(status: StatusCode, body: Body) -> Response<Body> {
    Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
}

/// The path of a cluster-wide object or list of group `jiyun.io`.
pub fn cluster(rest: &str) -> String {
    format!("/apis/jiyun.io/v1alpha1/{rest}")
}

/// The path of an object or list of the department `finance`.
pub fn finance(rest: &str) -> String {
    format!("/apis/jiyun.io/v1alpha1/namespaces/dept-finance/{rest}")
}

/// An API server where everything that [`order`] names exists.
pub fn city() -> ApiServer {
    let object = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "jiyun.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let system = json!({"displayName": "门户", "protectionLevel": 2, "zoneRef": {"name": "public"},
        "owner": {"name": "李明"}});
    let class = json!({"displayName": "4C8G", "series": "General", "vcpu": 4, "memory": "8Gi",
        "architectures": ["amd64"]});
    let image = json!({"displayName": "欧拉", "operatingSystem": "openEuler 24.03 LTS", "architecture": "amd64",
        "minDisk": "20Gi", "source": {"http": {"url": "https://images.example/openeuler.qcow2"}}});
    let zone = json!({"displayName": "公共区", "kind": "GovExtranetPublic"});
    ApiServer::default()
        .on(
            &format!("GET {}", finance("informationsystems/portal")),
            200,
            object("InformationSystem", "portal", system),
        )
        .on(&format!("GET {}", cluster("hostclasses/c4m8")), 200, object("HostClass", "c4m8", class))
        .on(&format!("GET {}", cluster("hostimages/openeuler")), 200, object("HostImage", "openeuler", image))
        .on(&format!("GET {}", cluster("networkzones/public")), 200, object("NetworkZone", "public", zone))
}

/// What the API server says to whoever asks who it is.
pub fn user(name: &str) -> Value {
    json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {},
        "status": {"userInfo": {"username": name, "groups": ["system:authenticated"]}}})
}

/// Where it is asked what the caller may do.
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// Where that is asked.
pub const WHO: &str = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews";

/// An order for `web-1`.
pub fn order() -> Value {
    json!({"name": "web-1", "system": "portal", "class": "c4m8", "image": "openeuler", "zone": "public",
        "architecture": "amd64"})
}

/// The host `web-1` as the API server has it, with `status`.
pub fn host(version: &str, status: &Value) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost",
        "metadata": {"name": "web-1", "namespace": "dept-finance", "uid": "u-1", "generation": 1,
            "resourceVersion": version, "creationTimestamp": "2026-11-20T01:00:00Z"},
        "spec": {"systemRef": {"name": "portal"}, "classRef": {"name": "c4m8"}, "imageRef": {"name": "openeuler"},
            "zoneRef": {"name": "public"}, "architecture": "amd64",
            "systemDisk": {"tier": "standard", "size": "100Gi"}, "power": "Running"},
        "status": status})
}

/// The order `rollout` for the host `web-1` as the API server has it, with `status`.
pub fn filed(version: &str, status: &Value) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "Order",
        "metadata": {"name": "rollout", "namespace": "dept-finance", "uid": "o-1", "generation": 1,
            "resourceVersion": version, "creationTimestamp": "2026-11-20T01:00:00Z"},
        "spec": {"systemRef": {"name": "portal"}, "state": "Filed", "applicant": "",
            "items": [{"kind": "CloudHost", "name": "web-1", "action": "Create"}]},
        "status": status})
}

/// How an order stands that waits for a leader of the group `leaders`.
pub fn awaiting() -> Value {
    let mut status = condition("Approved", "Unknown", "AwaitingApproval", 1);
    let more = json!({"digest": "sha256:d1", "level": "leader", "groups": ["leaders"],
        "deadline": "2026-11-25T16:00:00Z", "applicants": ["zhou"],
        "levels": [{"name": "leader", "groups": ["leaders"], "mode": "Any", "workingDays": 3, "escalateTo": ["city"]}],
        "items": [{"name": "web-1", "uid": "u-1", "specDigest": "sha256:s1", "summary": [
            {"name": "class", "value": "c4m8"}, {"name": "vcpu", "value": "4"},
            {"name": "memory", "value": "8192 MiB"}, {"name": "blockStorage", "value": "102400 MiB"}]}]});
    status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    status
}

/// A status with one condition about generation `generation`.
pub fn condition(kind: &str, status: &str, reason: &str, generation: u64) -> Value {
    json!({"conditions": [{"type": kind, "status": status, "reason": reason, "message": "stub condition",
        "observedGeneration": generation, "lastTransitionTime": "2026-11-20T01:00:01Z"}]})
}
