//! `Prefer: wait`: the controller's decision, relayed.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{
    Answer, Api, request,
    stub::{ApiServer, city, condition, finance, host, order},
};

const HOSTS: &str = "/v1/departments/finance/hosts";

async fn place(api: &Api, wait: &str) -> Answer {
    let headers = [("prefer", wait), ("accept-language", "en")];
    api.send(request(Method::POST, HOSTS, &headers, &order().to_string())).await
}

fn created() -> ApiServer {
    city().on(&format!("POST {}", finance("cloudhosts")), 201, host("7", &json!({})))
}

fn modified(version: &str, status: &Value) -> Value {
    json!({"type": "MODIFIED", "object": host(version, status)})
}

fn refused() -> Value {
    let mut status = condition("Admitted", "False", "ExceedsLimit", 1);
    let parameters: Vec<_> = [
        ("account", "finance"),
        ("dimensions", "any"),
        ("held", "0"),
        ("limit", "16"),
        ("meter", "Vcpu"),
        ("missing", "2"),
        ("requested", "4"),
        ("used", "14"),
    ]
    .map(|(name, value)| json!({"name": name, "value": value}))
    .into();
    status["refusal"] = json!({"code": "ExceedsLimit", "parameters": parameters});
    status
}

#[tokio::test]
async fn a_grant_is_relayed_with_the_host() {
    let accepted = modified("8", &condition("Accepted", "True", "Valid", 1));
    let mut granted = condition("Admitted", "True", "Granted", 1);
    granted["claimId"] = json!("claim-1");
    granted["poolRef"] = json!({"name": "x86"});
    let api = Api::over(
        created().watch(&finance("cloudhosts"), &[accepted]).watch(&finance("cloudhosts"), &[modified("9", &granted)]),
    );
    let answer = place(&api, "wait=10").await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("preference-applied"), "wait=10");
    assert_eq!(answer.header("location"), "/v1/departments/finance/hosts/web-1");
    assert_eq!(answer.json()["state"], "Granted");
    assert_eq!(answer.json()["claim"], "claim-1");
    assert!(!answer.text().contains("x86"), "departments do not see pools: {}", answer.text());
    let watches = api.server.seen_with("WATCH");
    assert_eq!(watches.len(), 2);
    assert!(watches[0].query.contains("resourceVersion=7"), "{}", watches[0].query);
    assert!(watches[0].query.contains("fieldSelector=metadata.name%3Dweb-1"), "{}", watches[0].query);
    assert!(watches[1].query.contains("resourceVersion=8"), "{}", watches[1].query);
    assert_eq!(watches[1].headers["authorization"], super::TOKEN);
}

#[tokio::test]
async fn a_refusal_is_relayed_with_its_figures_and_the_address_of_the_host() {
    let api = Api::over(created().watch(&finance("cloudhosts"), &[modified("8", &refused())]));
    let answer = place(&api, "wait=10").await;
    let document = answer.problem(409, "ExceedsLimit");
    assert_eq!(document["type"], "https://jiyun.io/problems/exceeds-limit");
    assert_eq!(document["field"], "class");
    assert_eq!(document["parameters"]["meter"], "Vcpu");
    for (name, amount) in [("limit", 16), ("used", 14), ("held", 0), ("requested", 4), ("missing", 2)] {
        assert_eq!(document["parameters"][name], amount, "{name}");
    }
    assert!(document["detail"].as_str().unwrap().contains("missing 2"), "{document}");
    assert!(document["detailZh"].as_str().unwrap().contains("还差 2 核"), "{document}");
    assert_eq!(answer.header("location"), "/v1/departments/finance/hosts/web-1");
    assert_eq!(answer.header("preference-applied"), "wait=10");
}

#[tokio::test]
async fn a_host_that_makes_no_sense_to_the_controller_is_refused_too() {
    let mut status = condition("Accepted", "False", "ZoneNotAllowed", 1);
    status["refusal"] = json!({"code": "ZoneNotAllowed", "parameters": [
        {"name": "field", "value": "spec.zoneRef"},
        {"name": "department", "value": "finance"},
        {"name": "zone", "value": "public"},
    ]});
    let api = Api::over(created().watch(&finance("cloudhosts"), &[modified("8", &status)]));
    let document = place(&api, "wait=10").await.problem(409, "ZoneNotAllowed");
    assert_eq!(document["field"], "zone");
    assert_eq!(
        document["detail"],
        "zone: department finance may not use network zone public. Use another zone, or ask the platform operators to allow it."
    );
}

#[tokio::test]
async fn a_refusal_without_figures_is_told_in_the_words_of_its_condition() {
    let status = condition("Accepted", "False", "Misconfigured", 1);
    let api = Api::over(created().watch(&finance("cloudhosts"), &[modified("8", &status)]));
    let document = place(&api, "wait=10").await.problem(409, "Misconfigured");
    assert_eq!(document["detail"], "stub condition");
}

#[tokio::test(start_paused = true)]
async fn without_a_decision_in_time_the_state_so_far_is_answered() {
    for status in [
        condition("Accepted", "True", "Valid", 1),
        condition("Admitted", "Unknown", "Undecided", 1),
        condition("Admitted", "False", "Undecided", 1),
        condition("Admitted", "False", "Quarantined", 1),
        condition("Admitted", "True", "Granted", 0),
    ] {
        let begun = tokio::time::Instant::now();
        let api = Api::over(
            created().watch(&finance("cloudhosts"), &[modified("8", &status)]).watch(&finance("cloudhosts"), &[]),
        );
        let answer = place(&api, "wait=5").await;
        assert_eq!(answer.status, 202, "{status}: {}", answer.text());
        assert_eq!(answer.header("preference-applied"), "wait=5");
        assert_eq!(answer.json()["state"], "Pending");
        assert_eq!(answer.json()["conditions"].as_array().unwrap().len(), 1);
        assert_eq!(begun.elapsed(), Duration::from_secs(5), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_wait_is_a_minute() {
    let begun = tokio::time::Instant::now();
    let api = Api::over(created().watch(&finance("cloudhosts"), &[]));
    let answer = place(&api, "wait=86400").await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("preference-applied"), "wait=60");
    assert_eq!(begun.elapsed(), Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_breaks_is_taken_up_again() {
    let granted = host("9", &condition("Admitted", "True", "Granted", 1));
    let api = Api::over(
        created()
            .watch_ending(&finance("cloudhosts"), &[])
            .on(&format!("GET {}", finance("cloudhosts/web-1")), 500, json!({"no": "status"}))
            .on(&format!("GET {}", finance("cloudhosts/web-1")), 200, granted),
    );
    assert_eq!(place(&api, "wait=30").await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn whoever_may_order_but_not_look_gets_no_decision() {
    let server = created();
    let server = server.refuse(&format!("WATCH {}", finance("cloudhosts")), 403, "Forbidden").refuse(
        &format!("GET {}", finance("cloudhosts/web-1")),
        403,
        "Forbidden",
    );
    assert_eq!(place(&Api::over(server), "wait=30").await.status, 202);
}

#[tokio::test]
async fn a_host_deleted_meanwhile_is_404() {
    let gone = json!({"type": "DELETED", "object": host("9", &json!({}))});
    let api = Api::over(created().watch(&finance("cloudhosts"), &[gone]));
    place(&api, "wait=10").await.problem(404, "NotFound");
}

#[tokio::test]
async fn nobody_waits_once_the_program_is_told_to_stop() {
    let api = Api::over(created().watch(&finance("cloudhosts"), &[]));
    api.stopping.cancel();
    let answer = tokio::time::timeout(Duration::from_secs(10), place(&api, "wait=60")).await.unwrap();
    assert_eq!(answer.status, 202);
}
