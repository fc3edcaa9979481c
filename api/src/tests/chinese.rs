//! Who reads Chinese is told in Chinese: what is left in Latin letters are names and fixed words of the notation.

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Method, Request};
use jiyun_crds::v1alpha1::{Approval, HostRefusal, RefusalParameter};
use jiyun_messages::Language;
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff,
};
use serde_json::{Value, json};
use strum::IntoEnumIterator;

use super::{
    Answer, Api, request,
    stub::{ApiServer, WHO, awaiting, city, cluster, filed, finance, host, order, status, user},
};
use crate::{
    app::name_from,
    problem::{Code, Problem},
};

const HOSTS: &str = "/v1/departments/finance/hosts";
const HOST: &str = "/v1/departments/finance/hosts/web-1";

/// Words of the notation: fields, parameters, headers and units a caller writes as they are.
const FIXED: [&str; 36] = [
    "Authorization",
    "BOM",
    "Bearer",
    "Disabled",
    "ETag",
    "GiB",
    "JSON",
    "MIME",
    "PUT",
    "Running",
    "Secret",
    "Stopped",
    "VNC",
    "WebSocket",
    "application",
    "architecture",
    "body",
    "class",
    "continue",
    "deletionProtection",
    "host",
    "image",
    "json",
    "limit",
    "month",
    "name",
    "power",
    "query",
    "reason",
    "size",
    "snapshot",
    "sshAuthorizedKeys",
    "system",
    "userDataSecret",
    "vCPU",
    "zone",
];

/// Names the callers below invent.
const NAMES: [&str; 12] =
    ["colour", "empty", "finance", "huge", "large", "moon", "nobody", "openeuler", "other", "plain", "portal", "soon"];

/// Words in Latin letters that are neither quoted, nor names, nor fixed.
fn foreign(text: &str) -> Vec<String> {
    // What is in backticks is the caller's own; addresses and names with digits or hyphens are names.
    let plain: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    let words = plain.split(|letter: char| !(letter.is_ascii_alphanumeric() || "-/._".contains(letter)));
    let is_name = |word: &str| word.contains(|letter: char| letter.is_ascii_digit() || "-/._".contains(letter));
    words
        .filter(|word| word.len() > 1 && !is_name(word) && !FIXED.contains(word) && !NAMES.contains(word))
        .map(str::to_owned)
        .collect()
}

#[test]
fn english_words_are_found_and_names_are_not() {
    assert_eq!(foreign("参数 limit 无效：must be 1 to 500"), ["must", "be", "to"]);
    assert_eq!(foreign("Department finance 不存在"), ["Department"]);
    assert_eq!(foreign("没有字段 `colour`，可用：`name`；云主机 finance/web-1，规格 c4m8"), Vec::<String>::new());
}

/// Checks every sentence of a problem document in Chinese; gives its codes.
#[track_caller]
fn checked(answer: &Answer) -> BTreeSet<String> {
    let document = answer.json();
    let errors = document["errors"].as_array().cloned().unwrap_or_default();
    let sentences = errors.iter().map(|error| &error["detail"]).chain([&document["detail"], &document["detailZh"]]);
    for sentence in sentences.filter_map(Value::as_str) {
        assert_eq!(foreign(sentence), Vec::<String>::new(), "{sentence}");
    }
    let text = document["detailEn"].as_str().unwrap();
    assert!(text.is_ascii(), "and who reads English in English: {text}");
    errors.iter().chain([&document]).filter_map(|each| each["code"].as_str().map(str::to_owned)).collect()
}

/// An API server that has everything an order names and answers its creation so.
fn ordering(code: u16, reason: &str, details: &Value) -> ApiServer {
    city().on(&format!("POST {}", finance("cloudhosts")), code, status(code, reason, details))
}

async fn posted(server: ApiServer, body: &str) -> Answer {
    Api::over(server).send(request(Method::POST, HOSTS, &[], body)).await
}

async fn keyed_order(name: Option<&str>, key: &str, server: ApiServer) -> Answer {
    let body = order_with("name", name.into());
    Api::over(server).send(request(Method::POST, HOSTS, &[("idempotency-key", key)], &body)).await
}

/// A decision about an order that stands so; the API server answers its creation with this code.
async fn decided(how: &Value, code: Option<u16>, body: &Value) -> Answer {
    let rollout = format!("GET {}", finance("orders/rollout"));
    let server = ApiServer::default().on(&rollout, 200, filed("1", how)).on(WHO, 201, user("zhao"));
    let mut refused = status(code.unwrap_or(404), "AlreadyExists", &json!({}));
    if code == Some(422) {
        refused["reason"] = "Invalid".into();
        refused["message"] = "ValidatingAdmissionPolicy 'jiyun-approvals' with binding 'jiyun-approvals' denied \
             request: 您没有 级次的审批权限 (you may not)"
            .into();
    }
    let server = server.on(&format!("POST {}", finance("approvals")), code.unwrap_or(404), refused);
    // Whatever name it has: the caller has refused before.
    let other = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "Approval", "metadata": {"name": "a"}, "spec": {
        "orderRef": {"name": "rollout"}, "orderUid": "o-1", "digest": "d", "level": "leader", "decision": "Refuse"}});
    let name = name_from::<Approval>(&["o-1", "leader", "zhao"]);
    let server = server.on(&format!("GET {}", finance(&format!("approvals/{name}"))), 200, other);
    let path = "/v1/departments/finance/orders/rollout/approvals";
    Api::over(server).send(request(Method::POST, path, &[], &body.to_string())).await
}

fn order_with(field: &str, value: Value) -> String {
    let mut order = order();
    order[field] = value;
    order.to_string()
}

#[tokio::test]
async fn every_problem_of_the_api_is_told_in_chinese_with_its_own_parameters() {
    let rule = json!({"causes": [
        {"field": "spec.systemDisk.size", "reason": "FieldValueInvalid",
         "message": "Invalid value: \"string\": 系统盘须在 20Gi 至 4Ti 之间 (the disk must be 20Gi to 4Ti)"},
        {"field": "", "reason": "FieldValueInvalid",
         "message": "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: 注解由平台填写 (it is stamped)"},
    ]});
    let order = order().to_string();
    let mut answers = Vec::new();
    for body in ["{", "[]", "{} x", "{\"name\": 7}", "{\"colour\": 1}", "{}", "null"] {
        answers.push(posted(city(), body).await);
    }
    for (field, value) in [
        ("class", json!("huge")),
        ("system", json!("other")),
        ("zone", json!("moon")),
        ("name", json!("Web_1")),
        ("image", json!("a/b")),
        ("power", json!("Sleeping")),
        ("sshAuthorizedKeys", json!("none")),
    ] {
        answers.push(posted(city(), &order_with(field, value)).await);
    }
    for (code, reason) in [
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (409, "AlreadyExists"),
        (409, "Conflict"),
        (503, "ServiceUnavailable"),
    ] {
        answers.push(posted(ordering(code, reason, &json!({})), &order).await);
    }
    answers.push(posted(ordering(422, "Invalid", &rule), &order).await);
    let unreadable = city().on(&format!("POST {}", finance("cloudhosts")), 201, json!("what?"));
    answers.push(posted(unreadable, &order).await);
    answers.push(posted(city(), &order_with("displayName", "x".repeat(70_000).into())).await);
    let api = Api::over(ApiServer::default());
    for path in ["/", HOSTS, HOST, "/v1/departments/finance/quota", "/v1/departments/finance/usage?month=soon"] {
        answers.push(api.get(path).await);
    }
    let taken = || ordering(409, "AlreadyExists", &json!({})).on(WHO, 201, user("alice"));
    answers.push(keyed_order(None, "", city()).await);
    answers.push(keyed_order(Some("web-1"), "a", city()).await);
    answers.push(keyed_order(None, "a", taken()).await);
    let name =
        answers.last().unwrap().json()["parameters"]["what"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
    let other = taken().on(&format!("GET {}", finance(&format!("cloudhosts/{name}"))), 200, host("1", &json!({})));
    answers.push(keyed_order(None, "a", other).await);
    answers.push(posted(city(), &order_with("name", Value::Null)).await);
    for query in ["limit=0", "limit=many", "labels=a", "system=A", "state=soon", "continue=a"] {
        answers.push(api.get(&format!("{HOSTS}?{query}")).await);
    }
    let list = format!("GET {}", finance("cloudhosts"));
    for (code, reason) in [(410, "Expired"), (400, "BadRequest")] {
        let page = json!({"metadata": {"continue": "a"}, "items": [host("1", &json!({}))]});
        let api = Api::over(ApiServer::default().on(&list, 200, page).refuse(&list, code, reason));
        let place = api.get(HOSTS).await.json()["continue"].as_str().unwrap().to_owned();
        answers.push(api.get(&format!("{HOSTS}?continue={place}")).await);
    }
    let many: Vec<_> = (0..500).map(|_| host("1", &json!({}))).collect();
    let many = ApiServer::default().on(&list, 200, json!({"metadata": {"continue": "a"}, "items": many}));
    answers.push(Api::over(many).get(&format!("{HOSTS}?sort=-created")).await);
    answers.push(api.send(request(Method::PUT, HOST, &[], "{}")).await);
    answers.push(api.send(Request::builder().uri(HOST).body(Body::empty()).unwrap()).await);
    answers.push(api.send(request(Method::GET, HOST, &[("authorization", "Bearer b")], "")).await);
    answers.push(api.send(request(Method::POST, HOSTS, &[("content-type", "text/plain")], "")).await);
    let one = format!("GET {}", finance("cloudhosts/web-1"));
    let mine = ApiServer::default().on(&one, 200, host("1", &json!({})));
    let mine = mine.refuse(&format!("DELETE {}", finance("cloudhosts/web-1")), 403, "Forbidden");
    answers.push(Api::over(mine).send(request(Method::DELETE, HOST, &[], "")).await);
    let mut kept = status(422, "Invalid", &json!({}));
    kept["message"] = "ValidatingAdmissionPolicy 'jiyun-deletion-protection' denied request: kept".into();
    let kept = ApiServer::default().on(&format!("DELETE {}", finance("cloudhosts/web-1")), 422, kept);
    answers.push(Api::over(kept).send(request(Method::DELETE, HOST, &[], "")).await);
    let granted = host("1", &json!({"claimId": "claim-1"}));
    let mut off = granted.clone();
    off["spec"]["power"] = json!("Stopped");
    let daily = r#"{"snapshot": "daily-1"}"#;
    for (found, verb, body) in [
        (off, "restart", ""),
        (host("1", &json!({})), "restart", ""),
        (host("1", &json!({})), "restore", daily),
        (granted, "restore", daily),
    ] {
        let api = Api::over(ApiServer::default().on(&one, 200, found));
        answers.push(api.send(request(Method::POST, &format!("{HOST}/{verb}"), &[], body)).await);
    }
    answers.push(restored_at_its_host().await);
    answers.extend(super::consoles::problems().await);
    let changed = ApiServer::default().refuse(&format!("PATCH {}", finance("cloudhosts/web-1")), 409, "Conflict");
    let changed = Api::over(changed);
    for (tag, kind, body) in [
        ("\"1\"", "application/merge-patch+json", "{}"),
        ("1", "application/merge-patch+json", "{}"),
        ("*", "application/json", "{}"),
        ("*", "application/merge-patch+json", "{\"class\": null}"),
    ] {
        let mut patch = request(Method::PATCH, HOST, &[("if-match", tag)], body);
        patch.headers_mut().insert("content-type", kind.parse().unwrap());
        answers.push(changed.send(patch).await);
    }
    let closed = ApiServer::default().refuse(&format!("GET {}", cluster("hostclasses")), 403, "Forbidden");
    answers.push(Api::over(closed).get("/v1/catalogue").await);

    for (status, already, body) in [
        (json!({}), None, json!({"decision": "Approve"})),
        (awaiting(), None, json!({"decision": "Approve", "digest": "sha256:other"})),
        (awaiting(), None, json!({"decision": "Refuse"})),
        (awaiting(), Some(409), json!({"decision": "Approve"})),
        (awaiting(), Some(422), json!({"decision": "Approve"})),
    ] {
        answers.push(decided(&status, already, &body).await);
    }

    let mut told: BTreeSet<String> = answers.iter().flat_map(checked).collect();
    // What needs an outage of ours or a flood, and has no parameters.
    for code in [
        Code::TooManyRequests,
        Code::LedgerUnavailable,
        Code::AuditUnwritable,
        Code::AuditUnreadable,
        Code::Timeout,
        Code::Internal,
    ] {
        let document = Problem::bare(code).document(Language::Chinese, "t-1");
        assert_eq!(foreign(&document.detail), Vec::<String>::new(), "{}", document.detail);
        told.insert(document.code);
    }
    for code in Code::iter() {
        assert!(told.contains(<&'static str>::from(code)), "{code:?} was not told in this test");
    }
}

/// A volume that is to be at a host, asked to be restored.
async fn restored_at_its_host() -> Answer {
    let volume = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudVolume",
        "metadata": {"name": "data-1", "namespace": "dept-finance"},
        "spec": {"systemRef": {"name": "system-1"}, "zoneRef": {"name": "zone-1"}, "tier": "standard", "size": "1Gi",
            "hostRef": {"name": "web-1"}},
        "status": {"claimId": "claim-1"}});
    let api = Api::over(ApiServer::default().on(&format!("GET {}", finance("cloudvolumes/data-1")), 200, volume));
    let path = "/v1/departments/finance/volumes/data-1/restore";
    api.send(request(Method::POST, path, &[], r#"{"snapshot": "daily-1"}"#)).await
}

#[tokio::test]
async fn what_is_wrong_with_a_snapshot_what_is_made_from_one_or_user_data_is_told_in_chinese() {
    let one = |kind: &str, name: &str, spec: Value, status: Value| {
        json!({"apiVersion": "jiyun.io/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": "dept-finance"},
            "spec": spec, "status": status})
    };
    let system = json!({"displayName": "门户", "protectionLevel": 2, "zoneRef": {"name": "public"},
        "owner": {"name": "李明"}});
    let volume = json!({"systemRef": {"name": "system-1"}, "zoneRef": {"name": "public"}, "tier": "standard",
        "size": "10Gi"});
    let kept =
        |kind: &str, name: &str| json!({"systemRef": {"name": "portal"}, "source": {"kind": kind, "name": name}});
    let image = json!({"grantedSize": "200Gi", "image": "openeuler-22"});
    let secret = |name: &str, kind: &str, data: &str| {
        let data = json!({"userData": data_encoding::BASE64.encode(data.as_bytes())});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "dept-finance"},
            "type": kind, "data": data})
    };
    let server = [
        ("informationsystems/system-1", one("InformationSystem", "system-1", system, Value::Null)),
        ("cloudvolumes/data-1", one("CloudVolume", "data-1", volume, json!({"claimId": "claim-1"}))),
        ("cloudsnapshots/of-host", one("CloudSnapshot", "of-host", kept("CloudHost", "web-1"), image)),
        ("cloudsnapshots/of-volume", one("CloudSnapshot", "of-volume", kept("CloudVolume", "data-2"), Value::Null)),
    ]
    .into_iter()
    .fold(city(), |server, (path, object)| server.on(&format!("GET {}", finance(path)), 200, object));
    let secrets = [
        secret("other", "Opaque", "#!/bin/sh"),
        secret("empty", "jiyun.io/user-data", ""),
        secret("large", "jiyun.io/user-data", &"#!".repeat(17_000)),
        secret("plain", "jiyun.io/user-data", "runcmd: []"),
    ];
    let server = secrets.into_iter().fold(server, |server, secret| {
        let path =
            format!("GET /api/v1/namespaces/dept-finance/secrets/{}", secret["metadata"]["name"].as_str().unwrap());
        server.on(&path, 200, secret)
    });
    let api = Api::over(server);
    let department = "/v1/departments/finance";
    let source =
        |name: &str| json!({"name": "s-1", "system": "portal", "source": {"kind": "CloudVolume", "name": name}});
    let copy = |snapshot: &str| {
        json!({"name": "data-3", "system": "system-1", "zone": "public", "tier": "standard",
        "size": "100Gi", "snapshot": snapshot})
    };
    let host = |snapshot: &str| order_with("snapshot", json!(snapshot));
    let with_data = |secret: &str| order_with("userDataSecret", json!(secret));
    for (place, body, codes) in [
        ("snapshots", source("data-1").to_string(), vec!["SnapshotSourceInOtherSystem"]),
        ("snapshots", source("data-9").to_string(), vec!["UnknownReference"]),
        ("hosts", host("of-volume"), vec!["SnapshotOfVolume"]),
        ("hosts", host("of-host"), vec!["SnapshotOfOtherImage", "DiskSmallerThanSnapshot"]),
        ("hosts", host("of-nobody"), vec!["UnknownReference"]),
        ("hosts", with_data("nobody"), vec!["UnknownReference"]),
        ("hosts", with_data("other"), vec!["UserDataOfOtherType"]),
        ("hosts", with_data("empty"), vec!["UserDataMissing"]),
        ("hosts", with_data("large"), vec!["UserDataTooLarge"]),
        ("hosts", with_data("plain"), vec!["UserDataNotUnderstood"]),
        ("volumes", copy("of-host").to_string(), vec!["SnapshotInOtherSystem", "DiskSmallerThanSnapshot"]),
        ("volumes/data-1/restore", json!({"snapshot": "of-volume"}).to_string(), vec!["SnapshotOfOther"]),
    ] {
        let answer = api.send(request(Method::POST, &format!("{department}/{place}"), &[], &body)).await;
        let told = checked(&answer);
        for code in codes {
            assert!(told.contains(code), "{code}: {}", answer.text());
            assert!(!answer.text().contains(&format!("{code} (")), "{code} has no sentence: {}", answer.text());
        }
        assert!(!answer.text().contains('?'), "a placeholder was not filled in: {}", answer.text());
    }
}

#[tokio::test]
async fn a_volume_for_a_host_of_another_system_is_told_in_chinese() {
    let system = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem", "metadata": {"name": "system-1"},
        "spec": {"displayName": "门户", "protectionLevel": 2, "zoneRef": {"name": "public"}, "owner": {"name": "李明"}}});
    let mut other = host("1", &json!({}));
    other["spec"]["systemRef"]["name"] = json!("system-2");
    let server = city().on(&format!("GET {}", finance("informationsystems/system-1")), 200, system).on(
        &format!("GET {}", finance("cloudhosts/web-1")),
        200,
        other,
    );
    let body = json!({"name": "data-1", "system": "system-1", "zone": "public", "tier": "standard", "size": "100Gi",
        "host": "web-1"});
    let volumes = "/v1/departments/finance/volumes";
    let answer = Api::over(server).send(request(Method::POST, volumes, &[], &body.to_string())).await;
    assert!(checked(&answer).contains("HostInOtherSystem"), "{}", answer.text());
}

#[tokio::test]
async fn what_is_wrong_with_a_bucket_is_told_in_chinese() {
    let zone = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "NetworkZone", "metadata": {"name": "zone-2"},
        "spec": {"displayName": "内部区", "kind": "GovExtranetPublic"}});
    let system = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem", "metadata": {"name": "system-1"},
        "spec": {"displayName": "门户", "protectionLevel": 2, "zoneRef": {"name": "zone-1"}, "owner": {"name": "李明"}}});
    let server = ApiServer::default().on(&format!("GET {}", finance("informationsystems/system-1")), 200, system);
    let api = Api::over(server.on(&format!("GET {}", cluster("networkzones/zone-2")), 200, zone));
    let body = json!({"name": "files-1", "system": "system-1", "zone": "zone-2", "tier": "standard", "size": "1Ti"});
    let buckets = "/v1/departments/finance/buckets";
    let answer = api.send(request(Method::POST, buckets, &[], &body.to_string())).await;
    assert!(checked(&answer).contains("SystemInOtherZone"), "{}", answer.text());
    let rotation = request(Method::POST, &format!("{buckets}/files-1/rotate-credentials"), &[], "");
    let answer = api.send(rotation).await;
    assert!(checked(&answer).contains("NotFound") && answer.text().contains("对象存储桶"), "{}", answer.text());
}

#[test]
fn decisions_are_told_in_chinese_too() {
    let condition = |message: &str| Condition {
        type_: "Admitted".into(),
        status: "False".into(),
        reason: "ExceedsLimit".into(),
        message: message.into(),
        observed_generation: None,
        last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
    };
    let refusal = |code: &str, parameters: &[(&str, &str)]| HostRefusal {
        code: code.into(),
        parameters: parameters
            .iter()
            .map(|(name, value)| RefusalParameter { name: (*name).into(), value: (*value).into() })
            .collect(),
    };
    let unknown =
        refusal("UnknownReference", &[("field", "spec.classRef.name"), ("kind", "HostClass"), ("name", "huge")]);
    let scoped = [("meter", "Vcpu"), ("requested", "8"), ("dimensions", "architecture=amd64")];
    let (exhausted, account) =
        (refusal("PoolExhausted", &scoped), refusal("UnknownAccount", &[("account", "finance")]));
    for refusal in [Some(unknown), Some(exhausted), Some(account), None] {
        let problem = Problem::refused(refusal.as_ref(), &condition("超出配额。 | over quota."), "systemDisk.size");
        let document = problem.document(Language::Chinese, "t-1");
        assert_eq!(foreign(&document.detail), Vec::<String>::new(), "{}", document.detail);
        assert!(document.detail_en.is_ascii(), "{}", document.detail_en);
    }
}
