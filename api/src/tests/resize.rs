//! Changing the size of a host: what does not fit leaves nothing behind, and a dry run tells what it would come to.

use std::sync::Arc;

use http::Method;
use jiyun_ledger::{AccountId, ClaimId, ClaimRequest, Command, Entry, Plan, State, core::command, decide};
use serde_json::{Value, json};

use super::{
    Answer, Api,
    book::StillBook,
    estimate::{NOW, REVIEW, ledger, review},
    request,
    stub::{ApiServer, city, cluster, finance, host},
};

const HOST: &str = "/v1/departments/finance/hosts/web-1";

fn class(name: &str, vcpu: u64, memory: &str, architecture: &str) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "HostClass", "metadata": {"name": name}, "spec": {
        "displayName": name, "series": "General", "vcpu": vcpu, "memory": memory, "architectures": [architecture]}})
}

/// The host `web-1` as it would be with this class and disk.
fn changed(class: &str, size: &str) -> Value {
    let mut host = host("8", &json!({"granted": {"class": "c4m8", "systemDiskSize": "100Gi"}}));
    host["spec"]["classRef"]["name"] = json!(class);
    host["spec"]["systemDisk"]["size"] = json!(size);
    host
}

fn server(class_of_it: &str, size: &str) -> ApiServer {
    let at = |name: &str| format!("GET {}", cluster(&format!("hostclasses/{name}")));
    city()
        .on(&at("c8m16"), 200, class("c8m16", 8, "16Gi", "amd64"))
        .on(&at("c2m4"), 200, class("c2m4", 2, "4Gi", "amd64"))
        .on(&at("k8m16"), 200, class("k8m16", 8, "16Gi", "arm64"))
        .on(REVIEW, 201, review(true))
        .on(&format!("PATCH {}", finance("cloudhosts/web-1")), 200, changed(class_of_it, size))
}

async fn change(api: &Api, query: &str, body: &Value) -> Answer {
    let mut wish = request(Method::PATCH, &format!("{HOST}{query}"), &[("accept-language", "en")], &body.to_string());
    wish.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    api.send(wish).await
}

fn dry(api: &Api) -> Vec<bool> {
    api.server.seen_with("PATCH").iter().map(|seen| seen.query.contains("dryRun=All")).collect()
}

#[tokio::test]
async fn a_size_is_tried_before_it_is_asked_for() {
    let api = Api::over(server("c8m16", "200Gi"));
    let answer = change(&api, "", &json!({"class": "c8m16", "systemDisk": {"size": "200Gi"}})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(dry(&api), [true, false]);
    assert!(api.server.seen_with("PATCH").iter().all(|seen| seen.body["spec"]["classRef"]["name"] == "c8m16"));
    let granted = answer.json()["granted"].clone();
    assert_eq!(granted, json!({"class": "c4m8", "systemDiskSize": "100Gi"}), "what it has until that is decided");
}

#[tokio::test]
async fn a_size_that_is_not_offered_or_does_not_fit_leaves_nothing_behind() {
    for (class, size, field, code) in [
        ("c999", "100Gi", "class", "UnknownReference"),
        ("k8m16", "100Gi", "architecture", "ArchitectureNotOffered"),
        ("c4m8", "10Gi", "systemDisk.size", "DiskSmallerThanImage"),
    ] {
        let api = Api::over(server(class, size));
        let answer = change(&api, "", &json!({"class": class, "systemDisk": {"size": size}})).await;
        let document = answer.problem(422, code);
        assert_eq!(document["field"], field, "{document}");
        assert_eq!(dry(&api), [true], "{class} {size}");
    }
}

/// A ledger in which `web-1` was granted 4 cores, 8 GiB and 100 GiB.
fn granted() -> Arc<State> {
    let mut state = State::clone(&ledger(64));
    let placements = jiyun_ledger::Placement::host("amd64".into(), 4, 8192, "standard".into(), 102_400);
    let asked = ClaimRequest {
        account: AccountId::new("finance"),
        system: "portal".into(),
        subject: jiyun_ledger::Subject {
            kind: "CloudHost".into(),
            namespace: "dept-finance".into(),
            name: "web-1".into(),
            uid: "u-1".into(),
        },
        item: "c4m8".into(),
        zone: "public".into(),
        protection_level: 2,
        placements: placements.into(),
        spec_digest: "sha256:granted".into(),
        approved_spec: json!({"vcpu": 4, "memoryMebibytes": 8192, "diskMebibytes": 102_400}).into(),
        hold_until: None,
        wait: false,
    };
    let at = "2026-11-02T00:00:00Z".parse().unwrap();
    let Ok(Plan::Record { events, .. }) = decide(&state, &asked, at) else { panic!("not granted") };
    state.apply(&Entry { seq: 2, at, epoch: 1, events }).unwrap();
    let billable = command::plan(&state, &Command::Billable(ClaimId(1)), at).unwrap().unwrap();
    state.apply(&Entry { seq: 3, at, epoch: 1, events: vec![billable] }).unwrap();
    Arc::new(state)
}

async fn estimated(class: &str, size: &str) -> Value {
    let report = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "QuotaReport",
    "metadata": {"name": "finance", "namespace": "dept-finance"}, "spec": {"departmentRef": {"name": "finance"}},
    "status": {"approvals": {"approvers": ["leaders"], "policies": [{
        "name": "routine", "minProtectionLevel": 1, "quota": "Any",
        "automatic": {"vcpu": 4, "memory": "64Gi", "blockStorage": "1Ti"},
        "levels": [{"rank": 10, "level": {"name": "leader", "groups": ["leaders"], "mode": "Any", "workingDays": 3}}],
    }]}}});
    let server = server(class, size).on(&format!("GET {}", finance("quotareports/finance")), 200, report);
    let api = Api::with_book(server, StillBook::at(granted(), NOW));
    let answer = change(&api, "?dryRun=true", &json!({"class": class, "systemDisk": {"size": size}})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(dry(&api), [true], "one dry run is enough");
    answer.json()["estimate"].clone()
}

#[tokio::test]
async fn a_preview_of_growth_tells_both_prices_what_more_it_takes_and_who_agrees_to_the_whole() {
    let estimate = estimated("c8m16", "200Gi").await;
    assert_eq!((&estimate["fits"], &estimate["refusal"]), (&json!(true), &Value::Null), "{estimate}");
    assert_eq!(estimate["priceBefore"]["total"], "318.50");
    assert_eq!(estimate["price"]["total"], "637.00");
    let vcpu =
        json!({"meter": "Vcpu", "unit": "vCPU", "limit": 10, "before": 6, "requested": 4, "after": 2, "missing": 0});
    assert!(estimate["quota"].as_array().unwrap().contains(&vcpu), "{estimate}");
    // Four more cores would go through by themselves; a host of eight does not, in however many steps it grows.
    assert_eq!(estimate["approvals"]["automatic"], false);
    assert_eq!(estimate["approvals"]["levels"][0]["groups"], json!(["leaders"]));
}

#[tokio::test]
async fn a_preview_of_growth_beyond_the_quota_tells_what_is_missing_of_the_difference() {
    assert_eq!(estimated("c8m16", "100Gi").await["fits"], true);
    let whole = estimated("c4m8", "2Ti").await;
    assert_eq!((&whole["fits"], &whole["refusal"]["code"]), (&json!(false), &json!("ExceedsLimit")), "{whole}");
    let of_difference = 2 * 1_048_576 - 102_400;
    assert_eq!(whole["refusal"]["parameters"]["requested"], of_difference);
    assert_eq!(whole["refusal"]["parameters"]["missing"], of_difference - (1_048_576 - 102_400));
}

#[tokio::test]
async fn a_preview_of_what_takes_no_more_asks_nobody() {
    let estimate = estimated("c2m4", "100Gi").await;
    assert_eq!((&estimate["fits"], &estimate["approvals"]["automatic"]), (&json!(true), &json!(true)), "{estimate}");
    assert_eq!((&estimate["price"]["total"], &estimate["priceBefore"]["total"]), (&json!("164.50"), &json!("318.50")));
    assert_eq!(estimate["quota"], json!([]), "nothing more is taken of any limit");
}
