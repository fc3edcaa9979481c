//! Cloud databases: ordered, looked at, changed, ended, in the manners of hosts; how to sign in is told by name alone.

use std::sync::Arc;

use http::Method;
use jiyun_ledger::{ClaimRequest, Entry, Event, Meter, Placement, PoolId, PoolKind, State};
use serde_json::{Value, json};

use super::{
    Answer, Api,
    book::StillBook,
    estimate::{NOW, REVIEW, ledger, review},
    request,
    stub::{ApiServer, cluster, condition, finance},
    volumes::{asks, granted},
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
    let class = |vcpu: u64, memory: &str, architecture: &str, version: &str| {
        let versions = json!([{"version": version, "image": "inner.example/postgresql:17.6"}]);
        json!({"displayName": "规格", "engine": "Postgresql", "vcpu": vcpu, "memory": memory,
            "architectures": [architecture], "versions": versions})
    };
    let classes = [
        ("database-2c8g", class(2, "8Gi", "amd64", "17")),
        ("database-4c16g", class(4, "16Gi", "amd64", "17")),
        ("database-old", class(4, "16Gi", "amd64", "16")),
        ("database-arm", class(4, "16Gi", "arm64", "17")),
    ];
    let zone = json!({"displayName": "公共区", "kind": "GovExtranetPublic"});
    let get = |path: String| format!("GET {path}");
    let server = ApiServer::default()
        .on(&get(finance("informationsystems/budget")), 200, object("InformationSystem", "budget", system))
        .on(&get(cluster("networkzones/public")), 200, object("NetworkZone", "public", zone));
    classes.into_iter().fold(server, |server, (name, class)| {
        server.on(&get(cluster(&format!("databaseclasses/{name}"))), 200, object("DatabaseClass", name, class))
    })
}

async fn order(api: &Api, body: &Value) -> Answer {
    api.send(request(Method::POST, DATABASES, &[("accept-language", "en")], &body.to_string())).await
}

async fn change(api: &Api, query: &str, body: &Value) -> Answer {
    let headers = [("accept-language", "en"), ("if-match", "\"7\"")];
    let mut wish = request(Method::PATCH, &format!("{DATABASE}{query}"), &headers, &body.to_string());
    wish.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    api.send(wish).await
}

/// Which changes were only tried.
fn dry(api: &Api) -> Vec<bool> {
    api.server.seen_with("PATCH").iter().map(|seen| seen.query.contains("dryRun=All")).collect()
}

/// The database, granted as three instances of 2 cores and 8 GiB, as it would be with this class, topology and size.
fn changed(class: &str, topology: &str, size: &str) -> Value {
    let granted = json!({"class": "database-2c8g", "instances": 3, "storageSize": "100Gi"});
    let mut database = database(&json!({"claimId": "claim-1", "granted": granted}));
    database["spec"]["classRef"]["name"] = json!(class);
    database["spec"]["topology"] = json!(topology);
    database["spec"]["storage"]["size"] = json!(size);
    database
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
    assert_eq!(change(&api, "", &json!({"power": "Stopped", "displayName": null})).await.status, 200);
    let seen = api.server.seen();
    let [sent] = seen.as_slice() else { panic!("nothing is looked up: {seen:?}") };
    let sent = &sent.body;
    assert_eq!(sent["metadata"]["resourceVersion"], "7");
    assert_eq!(sent["spec"], json!({"power": "Stopped", "displayName": null}));
    let ended = api.send(request(Method::DELETE, DATABASE, &[], "")).await;
    assert_eq!((ended.status.as_u16(), ended.header("location")), (202, DATABASE));
}

#[tokio::test]
async fn a_size_is_tried_before_it_is_asked_for() {
    let api = Api::over(city().on(&at("PATCH"), 200, changed("database-4c16g", "PrimaryStandby", "200Gi")));
    let body = json!({"class": "database-4c16g", "topology": "PrimaryStandby", "storage": {"size": "200Gi"}});
    let answer = change(&api, "", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(dry(&api), [true, false]);
    let class = json!({"name": "database-4c16g"});
    let spec = json!({"classRef": class, "topology": "PrimaryStandby", "storage": {"size": "200Gi"}});
    for sent in api.server.seen_with("PATCH") {
        assert_eq!((&sent.body["spec"], &sent.body["metadata"]["resourceVersion"]), (&spec, &json!("7")));
    }
    let granted = json!({"class": "database-2c8g", "instances": 3, "storageSize": "100Gi"});
    assert_eq!(answer.json()["granted"], granted, "what it has until that is decided");
}

#[tokio::test]
async fn a_class_that_is_not_offered_or_does_not_fit_leaves_nothing_behind() {
    for (class, field, code) in [
        ("database-1", "class", "UnknownReference"),
        ("database-arm", "architecture", "ArchitectureNotOffered"),
        ("database-old", "engine.version", "VersionNotOffered"),
    ] {
        let api = Api::over(city().on(&at("PATCH"), 200, changed(class, "Three", "100Gi")));
        let document = change(&api, "", &json!({"class": class})).await.problem(422, code);
        assert_eq!(document["field"], field, "{document}");
        assert_eq!(dry(&api), [true], "{class}");
    }
    let api = Api::over(city());
    for (body, field) in [
        (json!({"class": null}), "class"),
        (json!({"topology": "Five"}), "topology"),
        (json!({"storage": null}), "storage"),
        (json!({"storage": {"tier": "extreme"}}), "storage.tier"),
        (json!({"engine": {"version": "18"}}), "engine"),
    ] {
        let document = change(&api, "", &body).await.problem(422, "InvalidField");
        assert_eq!(document["field"], field, "{document}");
    }
    assert!(api.server.seen().is_empty());
}

/// A ledger in which `budget-pg` was granted so many instances of 2 cores, 8 GiB and 100 GiB, and holds three of them.
fn holding_three(instances: u64) -> State {
    let mut state = State::clone(&ledger(64));
    let mut pool = state.pool(&PoolId::of(PoolKind::Compute, "x86")).unwrap().clone();
    pool.capacity.insert(Meter::DatabaseInstances, 10);
    let at = "2026-11-01T00:00:00Z".parse().unwrap();
    state.apply(&Entry { seq: 2, at, epoch: 1, events: vec![Event::PoolSet { pool }] }).unwrap();
    let extent = |instances: u64| json!({"instances": instances, "vcpu": 2, "memoryMebibytes": 8192, "storageMebibytes": 102_400});
    let mut approved = extent(instances);
    approved["class"] = json!("database-2c8g");
    if instances < 3 {
        approved["underWay"] = extent(3);
    }
    let placements = Placement::database("amd64".into(), (6, 24_576), "standard".into(), 307_200).into();
    let asked = asks("CloudDatabase", "budget-pg", "d-1", placements, approved);
    granted(&state, &ClaimRequest { system: "budget".into(), ..asked })
}

/// A preview of a change of that database to what `after` is.
async fn previewed(instances: u64, after: Value, wish: &Value) -> Value {
    let report = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "QuotaReport",
    "metadata": {"name": "finance", "namespace": "dept-finance"}, "spec": {"departmentRef": {"name": "finance"}},
    "status": {"approvals": {"approvers": ["leaders"], "policies": [{
        "name": "routine", "minProtectionLevel": 1, "quota": "Any",
        "automatic": {"vcpu": 6, "memory": "64Gi", "blockStorage": "1Ti"},
        "levels": [{"rank": 10, "level": {"name": "leader", "groups": ["leaders"], "mode": "Any", "workingDays": 3}}],
    }]}}});
    let server = city().on(REVIEW, 201, review(true)).on(&at("PATCH"), 200, after);
    let server = server.on(&format!("GET {}", finance("quotareports/finance")), 200, report);
    let api = Api::with_book(server, StillBook::at(Arc::new(holding_three(instances)), NOW));
    let answer = change(&api, "?dryRun=true", wish).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(dry(&api), [true], "one dry run is enough");
    answer.json()
}

#[tokio::test]
async fn a_preview_of_growth_tells_both_prices_what_more_it_takes_and_who_agrees() {
    let wish = json!({"storage": {"size": "200Gi"}});
    let preview = previewed(3, changed("database-2c8g", "Three", "200Gi"), &wish).await;
    let estimate = &preview["estimate"];
    assert_eq!((&estimate["fits"], &estimate["refusal"]), (&json!(true), &Value::Null), "{estimate}");
    assert_eq!((&estimate["priceBefore"]["total"], &estimate["price"]["total"]), (&json!("685.50"), &json!("717.00")));
    let storage = json!({"meter": "BlockStorage", "unit": "MiB", "limit": 1_048_576, "before": 741_376,
        "requested": 307_200, "after": 434_176, "missing": 0});
    assert_eq!(estimate["quota"], json!([storage]));
    assert_eq!(estimate["approvals"]["automatic"], true);
    assert_eq!(preview["change"]["decided"], json!(["storage.size"]));
}

#[tokio::test]
async fn a_preview_of_fewer_instances_asks_nobody_and_tells_the_price_once_they_have_followed() {
    let preview =
        previewed(3, changed("database-2c8g", "PrimaryStandby", "100Gi"), &json!({"topology": "PrimaryStandby"})).await;
    let estimate = &preview["estimate"];
    assert_eq!((&estimate["fits"], &estimate["approvals"]["automatic"]), (&json!(true), &json!(true)), "{estimate}");
    assert_eq!((&estimate["priceBefore"]["total"], &estimate["price"]["total"]), (&json!("685.50"), &json!("457.00")));
    assert_eq!((&estimate["quota"], &preview["change"]["decided"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn a_preview_of_fewer_and_larger_instances_weighs_as_many_of_the_larger_ones() {
    let wish = json!({"class": "database-4c16g", "topology": "PrimaryStandby"});
    let preview = previewed(3, changed("database-4c16g", "PrimaryStandby", "100Gi"), &wish).await;
    let estimate = &preview["estimate"];
    // Two of 4 cores are 8 of the limit of 10; three of them, which may be there for a moment, are 12.
    assert_eq!((&estimate["fits"], &estimate["refusal"]["code"]), (&json!(false), &json!("ExceedsLimit")));
    assert_eq!(estimate["refusal"]["parameters"]["missing"], 2);
    let vcpu =
        json!({"meter": "Vcpu", "unit": "vCPU", "limit": 10, "before": 4, "requested": 6, "after": 0, "missing": 2});
    assert!(estimate["quota"].as_array().unwrap().contains(&vcpu), "{estimate}");
    assert_eq!(estimate["price"]["total"], "893.00", "what the two of them cost");
    assert_eq!(preview["change"]["decided"], json!(["class"]));
}

#[tokio::test]
async fn a_preview_of_going_back_before_the_engine_has_followed_asks_nobody() {
    let mut after = changed("database-2c8g", "Three", "100Gi");
    after["status"]["granted"]["instances"] = json!(2);
    let preview = previewed(2, after, &json!({"topology": "Three"})).await;
    assert_eq!((&preview["estimate"]["fits"], &preview["change"]["decided"]), (&json!(true), &json!([])));
    assert_eq!(preview["estimate"]["quota"], json!([]), "it still holds all of it");
}

#[tokio::test]
async fn a_preview_of_a_database_free_to_be_deleted_tells_that_it_is_decided() {
    let mut after = changed("database-2c8g", "Three", "100Gi");
    after["spec"]["deletionProtection"] = json!("Disabled");
    let preview = previewed(3, after, &json!({"deletionProtection": "Disabled"})).await;
    assert_eq!((&preview["estimate"], &preview["change"]["decided"]), (&Value::Null, &json!(["deletionProtection"])));
}
