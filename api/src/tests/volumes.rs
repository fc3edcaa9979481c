//! Cloud volumes: ordered, looked at, changed, ended, in the manners of hosts; attached to hosts of their own system alone.

use std::sync::Arc;

use http::Method;
use jiyun_ledger::{
    AccountId, ClaimRequest, Command, Entry, Event, Placement, Plan, PoolId, PoolKind, State, Subject, core::command,
    decide,
};
use serde_json::{Value, json};

use super::{
    Answer, Api,
    book::StillBook,
    estimate::{NOW, REVIEW, ledger, review},
    request,
    stub::{ApiServer, city, cluster, condition, finance, host},
};

const VOLUMES: &str = "/v1/departments/finance/volumes";
const VOLUME: &str = "/v1/departments/finance/volumes/data-1";

fn at(method: &str) -> String {
    format!("{method} {}", finance("cloudvolumes/data-1"))
}

fn all(method: &str) -> String {
    format!("{method} {}", finance("cloudvolumes"))
}

fn wanted() -> Value {
    json!({"name": "data-1", "system": "portal", "zone": "public", "tier": "standard", "size": "100Gi"})
}

fn with(field: &str, value: Value) -> Value {
    let mut order = wanted();
    order[field] = value;
    order
}

/// The volume as the API server has it, with `status`.
fn volume(status: &Value) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudVolume",
        "metadata": {"name": "data-1", "namespace": "dept-finance", "uid": "v-1", "generation": 1,
            "resourceVersion": "7", "creationTimestamp": "2026-11-20T01:00:00Z"},
        "spec": {"systemRef": {"name": "portal"}, "zoneRef": {"name": "public"}, "tier": "standard", "size": "100Gi",
            "deletionProtection": "Enabled"},
        "status": status})
}

/// The volume, granted, as it would be with this field.
fn changed(field: &str, value: Value) -> Value {
    let mut volume = volume(&json!({"claimId": "claim-1", "grantedSize": "100Gi"}));
    volume["spec"][field] = value;
    volume
}

/// An API server that knows what the order names, the host `web-1` of the same system and `web-2` of another one.
fn server() -> ApiServer {
    let mut other = host("1", &json!({}));
    other["metadata"]["name"] = json!("web-2");
    other["spec"]["systemRef"]["name"] = json!("budget");
    let zone = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "NetworkZone", "metadata": {"name": "inner"},
        "spec": {"displayName": "内部区", "kind": "GovExtranetPublic"}});
    city()
        .on(&format!("GET {}", finance("cloudhosts/web-1")), 200, host("1", &json!({})))
        .on(&format!("GET {}", finance("cloudhosts/web-2")), 200, other)
        .on(&format!("GET {}", cluster("networkzones/inner")), 200, zone)
        .on(REVIEW, 201, review(true))
}

async fn order(api: &Api, query: &str, body: &Value) -> Answer {
    let headers = [("accept-language", "en"), ("prefer", "wait=1")];
    api.send(request(Method::POST, &format!("{VOLUMES}{query}"), &headers, &body.to_string())).await
}

async fn change(api: &Api, query: &str, body: &Value) -> Answer {
    let headers = [("accept-language", "en"), ("if-match", "\"7\"")];
    let mut wish = request(Method::PATCH, &format!("{VOLUME}{query}"), &headers, &body.to_string());
    wish.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    api.send(wish).await
}

/// Which changes were only tried.
fn dry(api: &Api) -> Vec<bool> {
    api.server.seen_with("PATCH").iter().map(|seen| seen.query.contains("dryRun=All")).collect()
}

#[tokio::test]
async fn a_volume_is_ordered_in_the_callers_name_and_answered_with_its_address() {
    let granted = condition("Admitted", "True", "Granted", 1);
    let api = Api::over(server().on(&all("POST"), 201, volume(&granted)));
    let answer = order(&api, "", &with("host", json!("web-1"))).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("location"), VOLUME);
    assert_eq!(answer.json()["state"], "Granted");
    let sent = &api.server.seen_with("POST")[0];
    let mut spec = volume(&json!({}))["spec"].clone();
    spec["hostRef"] = json!({"name": "web-1"});
    assert_eq!(sent.body["spec"], spec);
    assert_eq!(sent.headers["authorization"], super::TOKEN);
}

#[tokio::test]
async fn what_does_not_fit_leaves_nothing_behind() {
    let api = Api::over(server().on(&all("POST"), 201, volume(&json!({}))));
    for (field, value, code) in [
        ("zone", "inner", "SystemInOtherZone"),
        ("host", "web-2", "HostInOtherSystem"),
        ("host", "web-3", "UnknownReference"),
        ("zone", "moon", "UnknownReference"),
        ("host", "../x", "InvalidField"),
        ("deletionProtection", "Perhaps", "InvalidField"),
        ("colour", "red", "InvalidField"),
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
async fn storage_that_ran_short_is_told_as_the_size_of_the_volume() {
    let mut status = condition("Admitted", "False", "ExceedsLimit", 1);
    let figures = [("meter", "BlockStorage"), ("limit", "1024"), ("used", "0"), ("held", "0"), ("requested", "102400")]
        .map(|(name, value)| json!({"name": name, "value": value}));
    status["refusal"] = json!({"code": "ExceedsLimit", "parameters": figures});
    let api = Api::over(server().on(&all("POST"), 201, volume(&status)));
    let document = order(&api, "", &wanted()).await.problem(409, "ExceedsLimit");
    assert_eq!((&document["field"], &document["parameters"]["requested"]), (&json!("size"), &json!(102_400)));
}

#[tokio::test]
async fn which_host_has_it_and_its_serial_are_told_and_its_pool_is_not() {
    let met = |kind: &str, reason: &str| condition(kind, "True", reason, 1)["conditions"][0].clone();
    let status = json!({
        "conditions": [met("Admitted", "Granted"), met("Ready", "Attached")],
        "claimId": "claim-9", "storagePoolRef": {"name": "flash"}, "serial": "claim-9", "grantedSize": "50Gi",
        "attachment": {"host": "web-1", "state": "AttachedAtRestart"}, "orderRef": {"name": "o-1"},
    });
    let api = Api::over(ApiServer::default().on(&at("GET"), 200, volume(&status)));
    let answer = api.get(VOLUME).await;
    let shown = answer.json();
    assert_eq!((&shown["state"], &shown["serial"]), (&json!("Ready"), &json!("claim-9")));
    assert_eq!(shown["attachment"], json!({"host": "web-1", "state": "AttachedAtRestart"}));
    assert_eq!((&shown["size"], &shown["grantedSize"]), (&json!("100Gi"), &json!("50Gi")));
    assert_eq!((&shown["order"], &shown["host"]), (&json!("o-1"), &Value::Null));
    assert!(!answer.text().contains("flash"), "{}", answer.text());
}

#[tokio::test]
async fn a_change_and_an_end_are_asked_for_with_the_version_that_is_meant() {
    let api = Api::over(server().on(&at("PATCH"), 200, volume(&json!({}))).on(&at("DELETE"), 200, json!({})));
    let answer = change(&api, "", &json!({"size": "200Gi", "displayName": null, "host": null})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = api.server.seen();
    let [sent] = seen.as_slice() else { panic!("nothing is looked up: {seen:?}") };
    assert_eq!(sent.body["metadata"]["resourceVersion"], "7");
    assert_eq!(sent.body["spec"], json!({"size": "200Gi", "displayName": null, "hostRef": null}));
    let ended = api.send(request(Method::DELETE, VOLUME, &[], "")).await;
    assert_eq!((ended.status.as_u16(), ended.header("location")), (202, VOLUME));
}

#[tokio::test]
async fn a_host_is_tried_before_it_is_asked_for_and_one_that_does_not_fit_leaves_nothing_behind() {
    for (name, code) in [("web-1", None), ("web-2", Some("HostInOtherSystem")), ("web-3", Some("UnknownReference"))] {
        let api = Api::over(server().on(&at("PATCH"), 200, changed("hostRef", json!({"name": name}))));
        let answer = change(&api, "", &json!({"host": name})).await;
        match code {
            None => {
                assert_eq!((answer.status.as_u16(), &answer.json()["host"]), (200, &json!(name)), "{}", answer.text());
                assert_eq!(dry(&api), [true, false]);
            }
            Some(code) => {
                assert_eq!(answer.problem(422, code)["field"], "host");
                assert_eq!(dry(&api), [true], "{name}");
            }
        }
    }
}

/// A request of the department for `placements`, which an object of this kind makes.
pub(super) fn asks(kind: &str, name: &str, uid: &str, placements: Vec<Placement>, approved: Value) -> ClaimRequest {
    ClaimRequest {
        account: AccountId::new("finance"),
        system: "portal".into(),
        subject: Subject { kind: kind.into(), namespace: "dept-finance".into(), name: name.into(), uid: uid.into() },
        item: "standard".into(),
        zone: "public".into(),
        protection_level: 2,
        placements,
        spec_digest: "sha256:granted".into(),
        approved_spec: approved.into(),
        hold_until: None,
        wait: false,
    }
}

/// The same ledger after `asked` was granted.
pub(super) fn granted(state: &State, asked: &ClaimRequest) -> State {
    let (at, mut state) = ("2026-11-02T00:00:00Z".parse().unwrap(), state.clone());
    let Ok(Plan::Record { claim, events, .. }) = decide(&state, asked, at) else { panic!("not granted") };
    state.apply(&Entry { seq: state.seq() + 1, at, epoch: 1, events }).unwrap();
    let events = vec![command::plan(&state, &Command::Billable(claim), at).unwrap().unwrap()];
    state.apply(&Entry { seq: state.seq() + 1, at, epoch: 1, events }).unwrap();
    state
}

/// A preview of a change that makes `data-1`, which has 100 GiB, what `after` is.
async fn previewed(after: Value, wish: &Value) -> Value {
    let report = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "QuotaReport",
    "metadata": {"name": "finance", "namespace": "dept-finance"}, "spec": {"departmentRef": {"name": "finance"}},
    "status": {"approvals": {"approvers": ["leaders"], "policies": [{
        "name": "routine", "minProtectionLevel": 1, "quota": "Any",
        "automatic": {"vcpu": 4, "memory": "64Gi", "blockStorage": "150Gi"},
        "levels": [{"rank": 10, "level": {"name": "leader", "groups": ["leaders"], "mode": "Any", "workingDays": 3}}],
    }]}}});
    let server = server().on(&format!("GET {}", finance("quotareports/finance")), 200, report);
    let size = Placement::volume("standard".into(), 102_400, None).into();
    let asked = asks("CloudVolume", "data-1", "v-1", size, json!({"tier": "standard", "mebibytes": 102_400}));
    let book = StillBook::at(Arc::new(granted(&ledger(64), &asked)), NOW);
    let api = Api::with_book(server.on(&at("PATCH"), 200, after), book);
    let answer = change(&api, "?dryRun=true", wish).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(dry(&api), [true], "one dry run is enough");
    answer.json()
}

#[tokio::test]
async fn a_preview_of_growth_tells_both_prices_what_more_it_takes_and_who_agrees_to_the_whole() {
    let preview = previewed(changed("size", json!("200Gi")), &json!({"size": "200Gi"})).await;
    let estimate = &preview["estimate"];
    assert_eq!((&estimate["fits"], &estimate["refusal"]), (&json!(true), &Value::Null), "{estimate}");
    assert_eq!((&estimate["priceBefore"]["total"], &estimate["price"]["total"]), (&json!("10.50"), &json!("21.00")));
    let storage = json!({"meter": "BlockStorage", "unit": "MiB", "limit": 1_048_576, "before": 946_176,
        "requested": 102_400, "after": 843_776, "missing": 0});
    assert_eq!(estimate["quota"], json!([storage]));
    assert_eq!(estimate["approvals"]["levels"][0]["groups"], json!(["leaders"]));
    assert_eq!(preview["change"]["decided"], json!(["size"]));
    assert_eq!(preview["change"]["approvals"]["automatic"], false);
}

#[tokio::test]
async fn a_preview_of_growth_beyond_the_quota_tells_what_is_missing_of_the_difference() {
    let preview = previewed(changed("size", json!("2Ti")), &json!({"size": "2Ti"})).await;
    let estimate = &preview["estimate"];
    assert_eq!((&estimate["fits"], &estimate["refusal"]["code"]), (&json!(false), &json!("ExceedsLimit")));
    assert_eq!(estimate["refusal"]["parameters"]["requested"], 2 * 1_048_576 - 102_400);
}

#[tokio::test]
async fn a_preview_of_another_host_asks_nobody_and_has_no_price() {
    let preview = previewed(changed("hostRef", json!({"name": "web-1"})), &json!({"host": "web-1"})).await;
    assert_eq!((&preview["estimate"], &preview["change"]["decided"]), (&Value::Null, &json!([])));
    assert_eq!(preview["volume"]["host"], "web-1");
}

#[tokio::test]
async fn a_preview_of_a_volume_free_to_be_deleted_tells_that_it_is_decided() {
    let wish = json!({"deletionProtection": "Disabled"});
    let preview = previewed(changed("deletionProtection", json!("Disabled")), &wish).await;
    assert_eq!((&preview["estimate"], &preview["change"]["decided"]), (&Value::Null, &json!(["deletionProtection"])));
}

#[tokio::test]
async fn a_volume_for_a_host_is_weighed_at_the_site_of_the_host() {
    let mut state = State::clone(&ledger(64));
    let mut far = state.pool(&PoolId::of(PoolKind::Storage, "x86")).unwrap().clone();
    (far.id, far.site, far.tier) = (PoolId::of(PoolKind::Storage, "far"), "far".into(), Some("extreme".into()));
    let at = "2026-11-01T00:00:00Z".parse().unwrap();
    state.apply(&Entry { seq: 2, at, epoch: 1, events: vec![Event::PoolSet { pool: far }] }).unwrap();
    let placements = Placement::host("amd64".into(), 4, 8192, "standard".into(), 102_400).into();
    let state = Arc::new(granted(&state, &asks("CloudHost", "web-1", "u-1", placements, json!({}))));
    for (tier, beside, fits) in [("standard", true, true), ("extreme", false, true), ("extreme", true, false)] {
        let server = server().on(&all("POST"), 201, volume(&json!({})));
        let api = Api::with_book(server, StillBook::at(Arc::clone(&state), NOW));
        let mut body = with("tier", json!(tier));
        if beside {
            body["host"] = json!("web-1");
        }
        let answer = order(&api, "?dryRun=true", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["estimate"]["fits"], fits, "{tier} {beside}: {}", answer.text());
        assert!(!answer.text().contains("\"far\""), "sites are the platform's business: {}", answer.text());
    }
}
