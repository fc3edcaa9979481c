//! What holds for every route: tokens, names in addresses, numbers of requests, languages, problem documents.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Map, Value, json};

use super::{
    Api, answer, request,
    stub::{ApiServer, finance, host},
};
use crate::{extract::json::MAX_BODY, router};

const HOST: &str = "/v1/departments/finance/hosts/web-1";

const RESTART: &str = "/v1/departments/finance/hosts/web-1/restart";

const RESTORE: &str = "/v1/departments/finance/hosts/web-1/restore";

const CONSOLE: &str = "/v1/departments/finance/hosts/web-1/console";

const SCREEN: &str = "/v1/departments/finance/hosts/web-1/vnc";

const SYSTEM: &str = "/v1/departments/finance/systems/web-1";

const DATABASE: &str = "/v1/departments/finance/databases/web-1";

const VOLUME: &str = "/v1/departments/finance/volumes/web-1";

const BUCKET: &str = "/v1/departments/finance/buckets/web-1";

const SNAPSHOT: &str = "/v1/departments/finance/snapshots/web-1";

const ROTATION: &str = "/v1/departments/finance/buckets/web-1/rotate-credentials";

const FLOW: &str = "/v1/departments/finance/flows/web-1";

const ORDER: &str = "/v1/departments/finance/orders/web-1";

/// Every route that asks the API server, with a method it knows.
const ROUTES: [(Method, &str); 56] = [
    (Method::POST, "/v1/departments/finance/hosts"),
    (Method::GET, "/v1/departments/finance/hosts"),
    (Method::GET, HOST),
    (Method::PATCH, HOST),
    (Method::DELETE, HOST),
    (Method::POST, RESTART),
    (Method::POST, RESTORE),
    (Method::GET, CONSOLE),
    (Method::GET, SCREEN),
    (Method::POST, "/v1/departments/finance/systems"),
    (Method::GET, "/v1/departments/finance/systems"),
    (Method::GET, SYSTEM),
    (Method::PATCH, SYSTEM),
    (Method::DELETE, SYSTEM),
    (Method::POST, "/v1/departments/finance/databases"),
    (Method::GET, "/v1/departments/finance/databases"),
    (Method::GET, DATABASE),
    (Method::PATCH, DATABASE),
    (Method::DELETE, DATABASE),
    (Method::POST, "/v1/departments/finance/volumes"),
    (Method::GET, "/v1/departments/finance/volumes"),
    (Method::GET, VOLUME),
    (Method::PATCH, VOLUME),
    (Method::DELETE, VOLUME),
    (Method::POST, "/v1/departments/finance/volumes/web-1/restore"),
    (Method::POST, "/v1/departments/finance/buckets"),
    (Method::GET, "/v1/departments/finance/buckets"),
    (Method::GET, BUCKET),
    (Method::PATCH, BUCKET),
    (Method::DELETE, BUCKET),
    (Method::POST, ROTATION),
    (Method::POST, "/v1/departments/finance/snapshots"),
    (Method::GET, "/v1/departments/finance/snapshots"),
    (Method::GET, SNAPSHOT),
    (Method::PATCH, SNAPSHOT),
    (Method::DELETE, SNAPSHOT),
    (Method::POST, "/v1/departments/finance/flows"),
    (Method::GET, "/v1/departments/finance/flows"),
    (Method::GET, FLOW),
    (Method::PATCH, FLOW),
    (Method::DELETE, FLOW),
    (Method::POST, "/v1/departments/finance/orders"),
    (Method::GET, "/v1/departments/finance/orders"),
    (Method::GET, ORDER),
    (Method::PATCH, ORDER),
    (Method::POST, "/v1/departments/finance/orders/web-1/approvals"),
    (Method::GET, "/v1/departments/finance/orders/web-1/approvals"),
    (Method::GET, "/v1/departments/finance/inbox"),
    (Method::GET, "/v1/inbox"),
    (Method::GET, "/v1/departments/finance/quota"),
    (Method::GET, "/v1/departments/finance/usage"),
    (Method::GET, "/v1/departments/finance/audit-records"),
    (Method::GET, "/v1/audit-records"),
    (Method::GET, "/v1/pools/compute/x86/holders"),
    (Method::GET, "/v1/images/openeuler/holders"),
    (Method::GET, "/v1/catalogue"),
];

/// Routes that anybody may use.
const OPEN: [&str; 2] = ["/livez", "/v1/openapi.json"];

#[tokio::test]
async fn every_route_that_asks_the_api_server_needs_exactly_one_token() {
    let api = Api::over(ApiServer::default());
    for (method, path) in ROUTES {
        let without = Request::builder().method(method.clone()).uri(path).body(Body::empty()).unwrap();
        let refused = api.send(without).await;
        refused.problem(401, "MissingToken");
        assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"jiyun\"");
        let twice = request(method, path, &[("authorization", "Bearer mallory")], "");
        api.send(twice).await.problem(400, "SeveralTokens");
    }
    assert!(api.server.seen().is_empty());
}

#[tokio::test]
async fn every_route_of_the_document_is_known_to_the_test_of_tokens() {
    let document: Value = serde_json::from_str(&router::description().unwrap()).unwrap();
    let mut documented: Vec<String> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{department}", "finance").replace("{name}", "web-1");
        let path = path.replace("{kind}", "compute").replace("{pool}", "x86").replace("{image}", "openeuler");
        documented.extend(item.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let tested = ROUTES.iter().map(|(method, path)| format!("{method} {path}"));
    let mut known: Vec<String> = tested.chain(OPEN.map(|path| format!("GET {path}"))).collect();
    documented.sort();
    known.sort();
    assert_eq!(documented, known);
}

#[tokio::test]
async fn names_in_addresses_cannot_lead_elsewhere() {
    let api = Api::over(ApiServer::default());
    let long = "a".repeat(64);
    for name in ["..%2f..%2fapi", "a%2Fb", "%2e%2e", "a%3Fwatch=true", "A", "a%00", "a%23b", "a%0d%0ab", "%ff", &long] {
        api.get(&format!("/v1/departments/{name}/hosts")).await.problem(404, "NotFound");
        api.get(&format!("/v1/departments/{name}/quota")).await.problem(404, "NotFound");
        api.get(&format!("/v1/departments/finance/hosts/{name}")).await.problem(404, "NotFound");
        api.get(&format!("/v1/departments/finance/systems/{name}")).await.problem(404, "NotFound");
        api.get(&format!("/v1/departments/finance/orders/{name}")).await.problem(404, "NotFound");
        api.get(&format!("/v1/departments/finance/orders/{name}/approvals")).await.problem(404, "NotFound");
        api.get(&format!("/v1/departments/{name}/audit-records")).await.problem(404, "NotFound");
        api.get(&format!("/v1/departments/{name}/inbox")).await.problem(404, "NotFound");
        api.get(&format!("/v1/inbox?departments={name}")).await.problem(400, "InvalidParameter");
        api.get(&format!("/v1/pools/compute/{name}/holders")).await.problem(404, "NotFound");
        api.send(request(Method::DELETE, &format!("/v1/departments/finance/hosts/{name}"), &[], ""))
            .await
            .problem(404, "NotFound");
        for (place, body) in [
            (format!("hosts/{name}/restart"), ""),
            (format!("buckets/{name}/rotate-credentials"), ""),
            (format!("hosts/{name}/restore"), r#"{"snapshot": "daily"}"#),
            (format!("volumes/{name}/restore"), r#"{"snapshot": "daily"}"#),
        ] {
            let path = format!("/v1/departments/finance/{place}");
            api.send(request(Method::POST, &path, &[], body)).await.problem(404, "NotFound");
        }
    }
    assert!(api.server.seen().is_empty(), "{:?}", api.server.seen());
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problem_documents() {
    let api = Api::over(ApiServer::default());
    api.get("/").await.problem(404, "NotFound");
    api.get("/v1/departments").await.problem(404, "NotFound");
    api.get("/v1/departments/finance/hosts/web-1/console").await.problem(404, "NotFound");
    let wrong = api.send(request(Method::PUT, HOST, &[], "{}")).await;
    let document = wrong.problem(405, "MethodNotAllowed");
    assert_eq!(document["parameters"]["method"], "PUT");
    for method in ["GET", "DELETE"] {
        assert!(wrong.header("allow").contains(method), "{:?}", wrong.headers);
    }
}

#[tokio::test]
async fn problems_speak_the_language_asked_for() {
    let api = Api::over(ApiServer::default());
    for (wish, language, word) in [
        ("en", "en", "does not exist"),
        ("en-US,en;q=0.9,zh;q=0.8", "en", "does not exist"),
        ("zh-CN", "zh-CN", "不存在"),
        ("fr", "zh-CN", "不存在"),
    ] {
        let answer = api.send(request(Method::GET, HOST, &[("accept-language", wish)], "")).await;
        let document = answer.problem(404, "NotFound");
        assert_eq!(answer.header("content-language"), language);
        assert!(document["detail"].as_str().unwrap().contains(word), "{document}");
        assert!(document["detailEn"].as_str().unwrap().contains("does not exist"));
        assert!(document["detailZh"].as_str().unwrap().contains("不存在"));
        assert_eq!(document["type"], "https://jiyun.io/problems/not-found");
        assert_eq!(document["title"], "Not found");
    }
}

#[tokio::test]
async fn every_answer_carries_the_number_of_its_request() {
    let api =
        Api::over(ApiServer::default().on(&format!("GET {}", finance("cloudhosts/web-1")), 200, host("1", &json!({}))));
    let given = api.send(request(Method::GET, HOST, &[("x-request-id", "ticket-42")], "")).await;
    assert_eq!(given.header("x-request-id"), "ticket-42");
    for bad in ["a b", "<script>", &"x".repeat(65)] {
        let made = api.send(request(Method::GET, HOST, &[("x-request-id", bad)], "")).await;
        assert_eq!(made.header("x-request-id").len(), 32);
    }
    let document = api.send(request(Method::GET, "/nowhere", &[("x-request-id", "t-1")], "")).await;
    assert_eq!(document.problem(404, "NotFound")["requestId"], "t-1");
}

#[tokio::test]
async fn answers_are_not_to_be_kept() {
    let api = Api::over(ApiServer::default());
    for path in [HOST, "/v1/openapi.json", "/livez"] {
        assert_eq!(api.get(path).await.header("cache-control"), "no-store");
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_does_not_answer_is_503_within_the_time_limit() {
    let api = Api::over(ApiServer::default().never(&format!("GET {}", finance("cloudhosts/web-1"))));
    let begun = tokio::time::Instant::now();
    api.get(HOST).await.problem(503, "KubernetesUnavailable");
    assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_panic_is_a_problem_document_and_the_next_request_is_served() {
    struct Panicking;
    impl crate::store::Book for Panicking {
        fn read(&self) -> Result<crate::store::Reading, crate::store::BookError> {
            panic!("the secret reason")
        }
        fn revision(&self) -> u64 {
            0
        }
        fn lag_seconds(&self) -> Option<u64> {
            None
        }
    }
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {},
        "status": {"allowed": true}});
    let server = ApiServer::default().on("POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 201, review);
    let api = Api::with_book(server, Panicking);
    let document = api.get("/v1/departments/finance/quota").await.problem(500, "Internal");
    assert!(!document.to_string().contains("secret"), "{document}");
    assert_eq!(api.get("/livez").await.status, 200);
}

#[tokio::test]
async fn readiness_ends_with_the_order_to_stop_and_life_does_not() {
    let api = Api::over(ApiServer::default());
    let ask = |path: &str| Request::get(path.to_owned()).body(Body::empty()).unwrap();
    assert_eq!(answer(api.private(), ask("/readyz")).await.status, 200);
    api.stopping.cancel();
    assert_eq!(answer(api.private(), ask("/readyz")).await.status, 503);
    assert_eq!(answer(api.private(), ask("/livez")).await.status, 200);
}

#[tokio::test]
async fn the_document_is_served_and_the_one_in_the_repository_is_current() {
    let served = Api::over(ApiServer::default()).get("/v1/openapi.json").await;
    assert_eq!(served.status, 200);
    assert_eq!(served.json()["openapi"], "3.1.0");
    let kept = include_str!("../../../docs/openapi.json");
    assert!(kept == served.text(), "write it anew: cargo run -p jiyun-api -- openapi > docs/openapi.json");
}

#[tokio::test]
async fn every_parameter_and_every_body_of_the_document_has_an_example() {
    let document: Value = serde_json::from_str(&router::description().unwrap()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let shown = !parameter["example"].is_null() || !parameter["schema"]["example"].is_null();
                assert!(shown && parameter["description"].is_string(), "{method} {path}: {parameter}");
            }
            for body in operation["requestBody"]["content"].as_object().into_iter().flat_map(|kinds| kinds.values()) {
                let name = body["schema"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
                let schema = &document["components"]["schemas"][name];
                assert!(schema["example"].is_object(), "{method} {path}: {name}");
                // An example that the API itself would not read leads astray.
                let example = schema["example"].to_string();
                let read = match name {
                    "HostOrder" => serde_json::from_str::<crate::model::HostOrder>(&example).map(drop),
                    "HostPatch" => serde_json::from_str::<crate::model::HostPatch>(&example).map(drop),
                    "DatabaseOrder" => serde_json::from_str::<crate::model::DatabaseOrder>(&example).map(drop),
                    "DatabasePatch" => serde_json::from_str::<crate::model::DatabasePatch>(&example).map(drop),
                    "VolumeOrder" => serde_json::from_str::<crate::model::VolumeOrder>(&example).map(drop),
                    "VolumePatch" => serde_json::from_str::<crate::model::VolumePatch>(&example).map(drop),
                    "BucketOrder" => serde_json::from_str::<crate::model::BucketOrder>(&example).map(drop),
                    "BucketPatch" => serde_json::from_str::<crate::model::BucketPatch>(&example).map(drop),
                    "SnapshotOrder" => serde_json::from_str::<crate::model::SnapshotOrder>(&example).map(drop),
                    "SnapshotPatch" => serde_json::from_str::<crate::model::SnapshotPatch>(&example).map(drop),
                    "RestoreOrder" => serde_json::from_str::<crate::model::RestoreOrder>(&example).map(drop),
                    "OrderFiling" => serde_json::from_str::<crate::model::OrderFiling>(&example).map(drop),
                    "OrderPatch" => serde_json::from_str::<crate::model::OrderPatch>(&example).map(drop),
                    "ApprovalDraft" => serde_json::from_str::<crate::model::ApprovalDraft>(&example).map(drop),
                    "SystemOrder" => serde_json::from_str::<crate::model::SystemOrder>(&example).map(drop),
                    "SystemPatch" => serde_json::from_str::<crate::model::SystemPatch>(&example).map(drop),
                    "FlowOrder" => serde_json::from_str::<crate::model::FlowOrder>(&example).map(drop),
                    "FlowPatch" => serde_json::from_str::<crate::model::FlowPatch>(&example).map(drop),
                    other => panic!("{other} is not known to this test"),
                };
                read.unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }
}

#[test]
fn every_answer_of_the_document_has_an_example_that_its_schema_allows() {
    let document: Value = serde_json::from_str(&router::description().unwrap()).unwrap();
    let mut shown = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
                let kinds = answer["content"].as_object().into_iter().flatten();
                for (kind, content) in kinds.filter(|(kind, _)| kind.ends_with("json")) {
                    let what = format!("{method} {path}: {status} {kind}");
                    let schema = followed(&document, &content["schema"]);
                    let own = content.get("example").or_else(|| schema.get("example"));
                    let example = own.unwrap_or_else(|| panic!("{what} has no example"));
                    let faults = faults(&document, schema, example, "example");
                    assert!(faults.is_empty(), "{what}: {faults:?}");
                    shown += 1;
                }
            }
        }
    }
    assert!(shown > ROUTES.len(), "{shown} answers");
}

#[test]
fn an_example_with_a_wrong_field_is_found_out() {
    let schemas = json!({
        "Host": {"type": "object", "required": ["name", "disk"], "properties": {
            "name": {"type": "string"}, "disk": {"$ref": "#/components/schemas/Disk"},
            "power": {"oneOf": [{"type": "null"}, {"type": "string", "enum": ["Running", "Stopped"]}]},
            "facts": {"type": "object", "additionalProperties": {}},
        }},
        "Disk": {"allOf": [
            {"type": "object", "required": ["size"], "properties": {"size": {"type": "string"}}},
            {"type": "object", "properties": {"tiers": {"type": "array", "items": {"type": ["string", "null"]}}}},
        ]},
    });
    let document = json!({"components": {"schemas": schemas}});
    let found = |example: Value| faults(&document, &document["components"]["schemas"]["Host"], &example, "host");
    let good = json!({"name": "web-1", "disk": {"size": "1Gi", "tiers": ["standard", null]}, "power": "Running",
        "facts": {"used": 4}});
    assert!(found(good).is_empty());
    assert_eq!(found(json!({"name": "web-1", "disk": {}})), ["host.disk.size is missing"]);
    assert_eq!(found(json!({"name": 1, "disk": {"size": "1Gi"}})), ["host.name is 1"]);
    assert_eq!(found(json!({"name": "", "disk": {"size": "", "sise": ""}})), ["host.disk.sise is not known"]);
    assert_eq!(found(json!({"name": "", "disk": {"size": "", "tiers": [1]}})), ["host.disk.tiers[0] is 1"]);
    assert_eq!(found(json!({"name": "", "disk": {"size": ""}, "power": "On"})), ["host.power is \"On\""]);
}

/// The schema that `schema` stands for.
fn followed<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(place) => document.pointer(place.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// What `schema` does not allow of `value`, which stands at `place`.
fn faults(document: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let schema = followed(document, schema);
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().any(|choice| faults(document, choice, value, place).is_empty());
        return if fits { Vec::new() } else { vec![format!("{place} is {value}")] };
    }
    let is_word = schema["enum"].as_array().is_none_or(|words| words.contains(value));
    if !is_word || !is_of_type(&schema["type"], value) {
        return vec![format!("{place} is {value}")];
    }
    match value {
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.flat_map(|(at, item)| faults(document, &schema["items"], item, &format!("{place}[{at}]"))).collect()
        }
        Value::Object(fields) => faults_of_fields(document, schema, fields, place),
        _ => Vec::new(),
    }
}

fn faults_of_fields(document: &Value, schema: &Value, fields: &Map<String, Value>, place: &str) -> Vec<String> {
    let parts: Vec<&Value> = match schema["allOf"].as_array() {
        Some(parts) => parts.iter().map(|part| followed(document, part)).collect(),
        None => vec![schema],
    };
    let required = parts.iter().filter_map(|part| part["required"].as_array()).flatten().filter_map(Value::as_str);
    let missing = required.filter(|name| !fields.contains_key(*name));
    let mut all: Vec<String> = missing.map(|name| format!("{place}.{name} is missing")).collect();
    // Where a schema names no fields, any will do.
    if parts.iter().all(|part| part["properties"].is_null()) {
        return all;
    }
    for (name, value) in fields {
        let at = format!("{place}.{name}");
        match parts.iter().find_map(|part| part["properties"].get(name)) {
            Some(property) => all.extend(faults(document, property, value, &at)),
            None => all.push(format!("{at} is not known")),
        }
    }
    all
}

/// Whether `value` is of the type, or one of the types; without any, it is.
fn is_of_type(types: &Value, value: &Value) -> bool {
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match types {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

#[tokio::test]
async fn every_operation_of_the_document_tells_its_problems_and_its_token() {
    let document: Value = serde_json::from_str(&router::description().unwrap()).unwrap();
    assert_eq!(document["security"], json!([{"bearer": []}]));
    let mut names = std::collections::BTreeSet::new();
    for (method, path) in ROUTES {
        let path = path.replace("finance", "{department}").replace("web-1", "{name}");
        let path = path.replace("compute/x86", "{kind}/{pool}").replace("images/openeuler", "images/{image}");
        let operation = &document["paths"][&path][method.as_str().to_lowercase()];
        let problem = &operation["responses"]["4XX"]["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(*problem, "#/components/schemas/ProblemDocument", "{method} {path}");
        assert!(operation["summary"].is_string(), "{method} {path}");
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(names.insert(id), "{method} {path}: programs made from the document need names that differ");
    }
}

/// A library reads text under this key as JSON again, each time with a fresh bound on how deep it may be.
#[tokio::test]
async fn a_body_that_is_text_within_text_within_text_is_refused_like_any_other() {
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100), "]".repeat(100));
    let mut body = deep("1");
    for _ in 0..100 {
        let inner = serde_json::to_string(&body).unwrap();
        let next = deep(&format!("{{\"$serde_json::private::RawValue\": {inner}}}"));
        if next.len() > MAX_BODY {
            break;
        }
        body = next;
    }
    let api = Api::over(ApiServer::default());
    for (method, path) in ROUTES.iter().filter(|(method, _)| *method == Method::POST || *method == Method::PATCH) {
        for body in [body.clone(), format!("{{\"spec\": {body}, \"name\": {body}}}")] {
            let answer = api.send(request(method.clone(), path, &[], &body)).await;
            assert!(answer.status.is_client_error(), "{method} {path}: {}", answer.status);
        }
    }
}
