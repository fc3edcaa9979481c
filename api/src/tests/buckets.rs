//! Cloud buckets: ordered, looked at, changed, ended, in the manners of hosts; their key pairs are asked for and never told.

use std::sync::Arc;

use http::Method;
use jiff::Timestamp;
use jiyun_ledger::{
    Account, AccountId, Dimensions, Entry, Event, Limit, Meter, Placement, Pool, PoolId, PoolKind, PriceBook,
    PriceUnit, Rate, State,
};
use serde_json::{Value, json};

use super::{
    Answer, Api,
    book::StillBook,
    estimate::{NOW, REVIEW, ledger, review},
    request,
    stub::{ApiServer, awaiting, city, cluster, condition, filed, finance},
    volumes::{asks, granted},
};

const BUCKETS: &str = "/v1/departments/finance/buckets";
const BUCKET: &str = "/v1/departments/finance/buckets/files-1";
const ROTATION: &str = "/v1/departments/finance/buckets/files-1/rotate-credentials";

fn at(method: &str) -> String {
    format!("{method} {}", finance("cloudbuckets/files-1"))
}

fn all(method: &str) -> String {
    format!("{method} {}", finance("cloudbuckets"))
}

fn wanted() -> Value {
    json!({"name": "files-1", "system": "portal", "zone": "public", "tier": "standard", "size": "100Gi"})
}

fn with(field: &str, value: Value) -> Value {
    let mut order = wanted();
    order[field] = value;
    order
}

/// The bucket as the API server has it, with `status`.
fn bucket(status: &Value) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudBucket",
        "metadata": {"name": "files-1", "namespace": "dept-finance", "uid": "b-1", "generation": 1,
            "resourceVersion": "7", "creationTimestamp": "2026-11-20T01:00:00Z"},
        "spec": {"systemRef": {"name": "portal"}, "zoneRef": {"name": "public"}, "tier": "standard", "size": "100Gi",
            "deletionProtection": "Enabled"},
        "status": status})
}

/// The bucket, granted, as it would be with this field.
fn changed(field: &str, value: Value) -> Value {
    let mut bucket = bucket(&json!({"claimId": "claim-1", "grantedSize": "100Gi"}));
    bucket["spec"][field] = value;
    bucket
}

/// An API server that knows what the order names, and a zone that the system is not in.
fn server() -> ApiServer {
    let zone = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "NetworkZone", "metadata": {"name": "inner"},
        "spec": {"displayName": "内部区", "kind": "GovExtranetPublic"}});
    city().on(&format!("GET {}", cluster("networkzones/inner")), 200, zone).on(REVIEW, 201, review(true))
}

async fn order(api: &Api, query: &str, body: &Value) -> Answer {
    let headers = [("accept-language", "en"), ("prefer", "wait=1")];
    api.send(request(Method::POST, &format!("{BUCKETS}{query}"), &headers, &body.to_string())).await
}

async fn change(api: &Api, query: &str, body: &Value) -> Answer {
    let headers = [("accept-language", "en"), ("if-match", "\"7\"")];
    let mut wish = request(Method::PATCH, &format!("{BUCKET}{query}"), &headers, &body.to_string());
    wish.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    api.send(wish).await
}

async fn rotate(api: &Api, query: &str, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[("accept-language", "en")], headers].concat();
    api.send(request(Method::POST, &format!("{ROTATION}{query}"), &headers, "")).await
}

#[tokio::test]
async fn a_bucket_is_ordered_in_the_callers_name_and_answered_with_its_address() {
    let granted = condition("Admitted", "True", "Granted", 1);
    let api = Api::over(server().on(&all("POST"), 201, bucket(&granted)));
    let answer = order(&api, "", &wanted()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!((answer.header("location"), answer.header("preference-applied")), (BUCKET, "wait=1"));
    assert_eq!(answer.json()["state"], "Granted");
    let sent = &api.server.seen_with("POST")[0];
    assert_eq!(sent.body["spec"], bucket(&json!({}))["spec"]);
    assert_eq!(sent.headers["authorization"], super::TOKEN);
}

#[tokio::test]
async fn what_does_not_fit_leaves_nothing_behind() {
    let api = Api::over(server().on(&all("POST"), 201, bucket(&json!({}))));
    for (field, value, code) in [
        ("zone", "inner", "SystemInOtherZone"),
        ("zone", "moon", "UnknownReference"),
        ("system", "../x", "InvalidField"),
        ("deletionProtection", "Perhaps", "InvalidField"),
        ("credentialsRequestedAt", "2026-11-20T02:00:00Z", "InvalidField"),
    ] {
        let document = order(&api, "", &with(field, json!(value))).await.problem(422, code);
        assert_eq!(document["field"], field, "{document}");
    }
    for field in ["tier", "size"] {
        let mut short = wanted();
        short.as_object_mut().unwrap().remove(field);
        order(&api, "", &short).await.problem(422, "InvalidField");
    }
    assert!(api.server.seen_with("POST").is_empty());
}

#[tokio::test]
async fn storage_that_ran_short_is_told_as_the_size_of_the_bucket() {
    let mut status = condition("Admitted", "False", "ExceedsLimit", 1);
    let figures =
        [("meter", "ObjectStorage"), ("limit", "1024"), ("used", "0"), ("held", "0"), ("requested", "102400")]
            .map(|(name, value)| json!({"name": name, "value": value}));
    status["refusal"] = json!({"code": "ExceedsLimit", "parameters": figures});
    let api = Api::over(server().on(&all("POST"), 201, bucket(&status)));
    let document = order(&api, "", &wanted()).await.problem(409, "ExceedsLimit");
    assert_eq!((&document["field"], &document["parameters"]["requested"]), (&json!("size"), &json!(102_400)));
}

#[tokio::test]
async fn where_it_is_found_is_told_and_neither_its_keys_nor_its_pool_are() {
    let met = |kind: &str, reason: &str| condition(kind, "True", reason, 1)["conditions"][0].clone();
    let status = json!({
        "conditions": [met("Admitted", "Granted"), met("Ready", "Available")],
        "claimId": "claim-9", "storagePoolRef": {"name": "ceph-objects"}, "grantedSize": "50Gi",
        "orderRef": {"name": "o-1"},
        "connection": {"host": "rgw.example", "port": 80, "bucket": "files-1-2f6d",
            "credentialsSecretRef": {"name": "files-1-bucket"}},
        "credentialsIssuedAt": "2026-11-20T01:00:20Z", "credentialsIssuedFor": "2026-11-20T01:00:10Z",
    });
    let mut there = bucket(&status);
    there["spec"]["credentialsRequestedAt"] = json!("2026-11-20T09:00:10+08:00");
    let server = ApiServer::default().on(&at("GET"), 200, there.clone());
    let page = json!({"metadata": {}, "items": [there]});
    let api = Api::over(server.on(&all("GET"), 200, page));
    let answer = api.get(BUCKET).await;
    let shown = answer.json();
    let connection = json!({"host": "rgw.example", "port": 80, "bucket": "files-1-2f6d",
        "credentialsSecret": "files-1-bucket"});
    assert_eq!((&shown["state"], &shown["connection"]), (&json!("Ready"), &connection));
    let moments = ["credentialsRequestedAt", "credentialsIssuedFor", "credentialsIssuedAt"].map(|field| &shown[field]);
    assert_eq!(moments, ["2026-11-20T09:00:10+08:00", "2026-11-20T01:00:10Z", "2026-11-20T01:00:20Z"]);
    assert_eq!((&shown["size"], &shown["grantedSize"]), (&json!("100Gi"), &json!("50Gi")));
    assert_eq!((&shown["order"], &shown["claim"]), (&json!("o-1"), &json!("claim-9")));
    assert!(!answer.text().contains("ceph-objects"), "{}", answer.text());
    let listed = api.get(&format!("{BUCKETS}?system=portal")).await;
    assert_eq!(listed.json()["items"], json!([shown]));
    let seen = api.server.seen();
    assert!(seen.iter().any(|seen| seen.query.contains("spec.systemRef.name%3Dportal")), "{seen:?}");
    assert!(seen.iter().all(|seen| !seen.path.contains("secrets")), "nobody reads the Secret");
}

#[tokio::test]
async fn a_change_and_an_end_are_asked_for_with_the_version_that_is_meant() {
    let api = Api::over(server().on(&at("PATCH"), 200, bucket(&json!({}))).on(&at("DELETE"), 200, json!({})));
    let answer = change(&api, "", &json!({"size": "200Gi", "displayName": null})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = api.server.seen();
    let [sent] = seen.as_slice() else { panic!("nothing is looked up: {seen:?}") };
    assert_eq!(sent.body["metadata"]["resourceVersion"], "7");
    assert_eq!(sent.body["spec"], json!({"size": "200Gi", "displayName": null}));
    for (field, value) in [("tier", "extreme"), ("credentialsRequestedAt", "2026-11-20T02:00:00Z")] {
        let document = change(&api, "", &json!({field: value})).await.problem(422, "InvalidField");
        assert_eq!(document["field"], field, "{document}");
    }
    assert_eq!(api.server.seen_with("PATCH").len(), 1);
    let ended = api.send(request(Method::DELETE, BUCKET, &[], "")).await;
    assert_eq!((ended.status.as_u16(), ended.header("location")), (202, BUCKET));
}

#[tokio::test]
async fn another_key_pair_is_one_merge_patch_of_this_moment() {
    let found = bucket(&json!({"credentialsIssuedFor": "2020-01-01T00:00:10Z"}));
    let api = Api::over(ApiServer::default().on(&at("GET"), 200, found).on(&at("PATCH"), 200, bucket(&json!({}))));
    let before = Timestamp::now().as_second();
    let answer = rotate(&api, "", &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!((answer.header("etag"), &answer.json()["name"]), ("\"7\"", &json!("files-1")));
    let seen = api.server.seen();
    let [looked, sent] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((looked.method.as_str(), sent.method.as_str()), ("GET", "PATCH"));
    assert!(!sent.query.contains("dryRun"), "{}", sent.query);
    let moment = sent.body["spec"]["credentialsRequestedAt"].as_str().unwrap();
    assert_eq!(sent.body, json!({"spec": {"credentialsRequestedAt": moment}}), "what was read is no condition");
    let moment = moment.parse::<Timestamp>().unwrap().as_second();
    assert!((before..=Timestamp::now().as_second()).contains(&moment), "{moment}");
}

#[tokio::test]
async fn another_key_pair_is_asked_for_a_later_moment_than_the_one_in_use() {
    let ahead = bucket(&json!({"credentialsIssuedFor": "2999-01-01T08:00:00+08:00"}));
    let api = Api::over(ApiServer::default().on(&at("GET"), 200, ahead).on(&at("PATCH"), 200, bucket(&json!({}))));
    assert_eq!(rotate(&api, "", &[]).await.status, 202);
    let sent = &api.server.seen_with("PATCH")[0].body;
    assert_eq!(sent["spec"], json!({"credentialsRequestedAt": "2999-01-01T00:00:01Z"}));
}

#[tokio::test]
async fn another_key_pair_may_be_bound_to_a_version_and_tried() {
    let there = || ApiServer::default().on(&at("GET"), 200, bucket(&json!({})));
    let api = Api::over(there().on(&at("PATCH"), 200, bucket(&json!({}))));
    assert_eq!(rotate(&api, "", &[("if-match", "\"7\"")]).await.status, 202);
    assert_eq!(api.server.seen_with("PATCH")[0].body["metadata"], json!({"resourceVersion": "7"}));
    let tried = rotate(&api, "?dryRun=true", &[]).await;
    assert_eq!((tried.status.as_u16(), tried.header("etag")), (200, ""), "{}", tried.text());
    assert_eq!(tried.json()["bucket"]["name"], "files-1");
    assert!(api.server.seen_with("PATCH")[1].query.contains("dryRun=All"));
    let stale = Api::over(there().refuse(&at("PATCH"), 409, "Conflict"));
    rotate(&stale, "", &[("if-match", "\"6\"")]).await.problem(412, "Stale");
    let body = api.send(request(Method::POST, ROTATION, &[], "{}")).await;
    body.problem(422, "InvalidField");
}

#[tokio::test]
async fn another_key_pair_is_403_for_those_who_may_look_and_404_for_others() {
    let reader = ApiServer::default().on(&at("GET"), 200, bucket(&json!({})));
    rotate(&Api::over(reader.refuse(&at("PATCH"), 403, "Forbidden")), "", &[]).await.problem(403, "Forbidden");
    let stranger = Api::over(ApiServer::default().refuse(&at("GET"), 403, "Forbidden"));
    rotate(&stranger, "", &[]).await.problem(404, "NotFound");
    assert!(stranger.server.seen_with("PATCH").is_empty(), "who sees nothing asks for nothing");
}

#[tokio::test]
async fn an_order_may_name_a_bucket_and_tells_how_much_it_takes() {
    let mut rollout = filed("1", &awaiting());
    rollout["spec"]["items"] = json!([{"kind": "CloudBucket", "name": "files-1", "action": "Create"}]);
    rollout["status"]["items"] = json!([{"name": "files-1", "uid": "b-1", "specDigest": "sha256:s1", "summary": [
        {"name": "tier", "value": "standard"}, {"name": "objectStorage", "value": "102400 MiB"}]}]);
    let server = server().on(&at("GET"), 200, bucket(&json!({})));
    let api = Api::over(server.on(&format!("POST {}", finance("orders")), 201, rollout));
    let mut body =
        json!({"name": "rollout", "system": "portal", "items": [{"kind": "CloudBucket", "name": "files-1"}]});
    let orders = "/v1/departments/finance/orders";
    let answer = api.send(request(Method::POST, orders, &[], &body.to_string())).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let summary = json!({"tier": "standard",
        "amounts": [{"meter": "ObjectStorage", "quantity": 102_400, "unit": "MiB"}]});
    assert_eq!(answer.json()["items"][0]["summary"], summary);
    body["items"][0]["name"] = json!("files-2");
    let unknown = api.send(request(Method::POST, orders, &[], &body.to_string())).await;
    assert_eq!(unknown.problem(422, "UnknownReference")["field"], "items[0].name");
}

/// The ledger with room for objects of tier `standard` beside its block storage, a limit of 1 TiB of them, and their price.
fn with_objects() -> State {
    let mut state = State::clone(&ledger(64));
    let finance = state.account(&AccountId::new("finance")).unwrap();
    let limit =
        Limit { meter: Meter::ObjectStorage, dimensions: Dimensions::default(), limit: Some(1_048_576), guaranteed: 0 };
    let account =
        Account { limits: finance.limits.iter().cloned().chain([limit]).collect(), ..Account::clone(finance) };
    let blocks = state.pool(&PoolId::of(PoolKind::Storage, "x86")).unwrap();
    let capacity = [(Meter::ObjectStorage, 10_485_760)].into();
    let pool = Pool { id: PoolId::of(PoolKind::Storage, "objects"), capacity, ..blocks.clone() };
    let at = "2026-11-01T00:00:00Z".parse().unwrap();
    let rate = Rate {
        meter: Meter::ObjectStorage,
        dimensions: Dimensions::default(),
        unit: PriceUnit::GiBMonth,
        price: "0.08".parse().unwrap(),
    };
    let prices = state.book_at(at).unwrap();
    let book = PriceBook {
        id: "prices-2026-11".to_owned(),
        valid_from: "2026-10-31T16:00:00Z".parse().unwrap(),
        rates: prices.rates.iter().cloned().chain([rate]).collect(),
    };
    let events = vec![Event::AccountSet { account }, Event::PoolSet { pool }, Event::PricesSet { book }];
    state.apply(&Entry { seq: 2, at, epoch: 1, events }).unwrap();
    state
}

/// What the policies come to for the department: 64 GiB of blocks and 150 GiB of objects are let through.
fn report() -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "QuotaReport",
    "metadata": {"name": "finance", "namespace": "dept-finance"}, "spec": {"departmentRef": {"name": "finance"}},
    "status": {"approvals": {"approvers": ["leaders"], "policies": [{
        "name": "routine", "minProtectionLevel": 1, "quota": "Any",
        "automatic": {"vcpu": 4, "memory": "64Gi", "blockStorage": "64Gi", "objectStorage": "150Gi"},
        "levels": [{"rank": 10, "level": {"name": "leader", "groups": ["leaders"], "mode": "Any", "workingDays": 3}}],
    }]}}})
}

#[tokio::test]
async fn a_preview_tells_what_a_bucket_costs_and_who_agrees_by_its_own_limit() {
    let reports = format!("GET {}", finance("quotareports/finance"));
    for (size, total, is_automatic) in [("100Gi", "8.00", true), ("200Gi", "16.00", false)] {
        let server = server().on(&all("POST"), 201, bucket(&json!({}))).on(&reports, 200, report());
        let api = Api::with_book(server, StillBook::at(Arc::new(with_objects()), NOW));
        let answer = order(&api, "?dryRun=true", &with("size", json!(size))).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (200, ""), "{}", answer.text());
        let estimate = &answer.json()["estimate"];
        assert_eq!((&estimate["fits"], &estimate["refusal"]), (&json!(true), &Value::Null), "{estimate}");
        assert_eq!((&estimate["price"]["total"], &estimate["price"]["unpriced"]), (&json!(total), &Value::Null));
        assert_eq!(estimate["quota"][0]["meter"], "ObjectStorage");
        assert_eq!(estimate["approvals"]["automatic"], is_automatic, "{estimate}");
        assert!(!answer.text().contains("\"objects\""), "pools are the platform's business: {}", answer.text());
    }
}

/// A preview of a change that makes `files-1`, which has 100 GiB, what `after` is.
async fn previewed(after: Value, wish: &Value) -> Value {
    let size = Placement::bucket("standard".into(), 102_400).into();
    let asked = asks("CloudBucket", "files-1", "b-1", size, json!({"tier": "standard", "mebibytes": 102_400}));
    let book = StillBook::at(Arc::new(granted(&with_objects(), &asked)), NOW);
    let server = server().on(&format!("GET {}", finance("quotareports/finance")), 200, report());
    let api = Api::with_book(server.on(&at("PATCH"), 200, after), book);
    let answer = change(&api, "?dryRun=true", wish).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let patches = api.server.seen_with("PATCH");
    assert!(patches.len() == 1 && patches[0].query.contains("dryRun=All"), "{patches:?}");
    answer.json()
}

#[tokio::test]
async fn a_preview_of_growth_tells_both_prices_what_more_it_takes_and_who_agrees_to_the_whole() {
    let preview = previewed(changed("size", json!("200Gi")), &json!({"size": "200Gi"})).await;
    let estimate = &preview["estimate"];
    assert_eq!((&estimate["fits"], &estimate["refusal"]), (&json!(true), &Value::Null), "{estimate}");
    assert_eq!((&estimate["priceBefore"]["total"], &estimate["price"]["total"]), (&json!("8.00"), &json!("16.00")));
    let storage = json!({"meter": "ObjectStorage", "unit": "MiB", "limit": 1_048_576, "before": 946_176,
        "requested": 102_400, "after": 843_776, "missing": 0});
    assert_eq!(estimate["quota"], json!([storage]));
    assert_eq!(preview["change"]["decided"], json!(["size"]));
    assert_eq!(preview["change"]["approvals"]["levels"][0]["groups"], json!(["leaders"]));
}

#[tokio::test]
async fn a_preview_of_growth_beyond_the_quota_tells_what_is_missing_of_the_difference() {
    let preview = previewed(changed("size", json!("2Ti")), &json!({"size": "2Ti"})).await;
    let estimate = &preview["estimate"];
    assert_eq!((&estimate["fits"], &estimate["refusal"]["code"]), (&json!(false), &json!("ExceedsLimit")));
    assert_eq!(estimate["refusal"]["parameters"]["requested"], 2 * 1_048_576 - 102_400);
}

#[tokio::test]
async fn a_preview_of_a_bucket_free_to_be_deleted_tells_that_it_is_decided() {
    let wish = json!({"deletionProtection": "Disabled"});
    let preview = previewed(changed("deletionProtection", json!("Disabled")), &wish).await;
    assert_eq!((&preview["estimate"], &preview["change"]["decided"]), (&Value::Null, &json!(["deletionProtection"])));
}
