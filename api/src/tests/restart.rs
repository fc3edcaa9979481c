//! Restarting a host: one moment is written into what it asks for, and nothing where there is nothing to restart.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Answer, Api, request,
    stub::{ApiServer, finance, host, order},
};

const HOSTS: &str = "/v1/departments/finance/hosts";
const HOST: &str = "/v1/departments/finance/hosts/web-1";
const RESTART: &str = "/v1/departments/finance/hosts/web-1/restart";

/// As people write it, in Beijing.
const ASKED: &str = "2026-11-20T10:00:00+08:00";

fn at(method: &str) -> String {
    format!("{method} {}", finance("cloudhosts/web-1"))
}

/// The host of this version, as it was granted.
fn granted(version: &str) -> Value {
    host(version, &json!({"claimId": "claim-1"}))
}

/// The host of this version, with `value` in the field `name` of what it asks for.
fn host_with(version: &str, name: &str, value: &str) -> Value {
    let mut host = granted(version);
    host["spec"][name] = json!(value);
    host
}

/// An API server with a host that runs, and that can be changed.
fn running() -> ApiServer {
    let server = ApiServer::default().on(&at("GET"), 200, granted("7"));
    server.on(&at("PATCH"), 200, host_with("8", "restartRequestedAt", ASKED))
}

async fn restart(api: &Api, path: &str, headers: &[(&str, &str)]) -> Answer {
    api.send(request(Method::POST, path, &[&[("accept-language", "en")], headers].concat(), "")).await
}

#[tokio::test]
async fn a_restart_is_one_merge_patch_of_a_moment_after_what_runs_was_started() {
    let api = Api::over(running());
    let before = Timestamp::now();
    let answer = restart(&api, RESTART, &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!((answer.header("etag"), answer.header("vary")), ("\"8\"", "accept-language"));
    assert_eq!((&answer.json()["name"], &answer.json()["restartRequestedAt"]), (&json!("web-1"), &json!(ASKED)));
    let seen = api.server.seen();
    let [looked, sent] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((looked.method.as_str(), sent.method.as_str()), ("GET", "PATCH"));
    assert_eq!(sent.headers["content-type"], "application/merge-patch+json");
    assert!(!sent.query.contains("dryRun"), "{}", sent.query);
    let moment = sent.body["spec"]["restartRequestedAt"].as_str().unwrap();
    assert_eq!(sent.body, json!({"spec": {"restartRequestedAt": moment}}), "what was read is no condition");
    assert!(moment.len() == "2026-11-20T02:00:00Z".len() && moment.ends_with('Z'), "{moment}");
    let moment: Timestamp = moment.parse().unwrap();
    assert!(before < moment && moment <= Timestamp::now() + SignedDuration::from_secs(1), "{moment}");
}

#[tokio::test]
async fn a_host_that_is_to_be_off_is_told_to_be_switched_on_and_nothing_is_written() {
    for query in ["", "?dryRun=true"] {
        let off = ApiServer::default().on(&at("GET"), 200, host_with("7", "power", "Stopped"));
        let api = Api::over(off.on(&at("PATCH"), 200, host("8", &json!({}))));
        let document = restart(&api, &format!("{RESTART}{query}"), &[]).await.problem(409, "HostIsStopped");
        let detail = document["detail"].as_str().unwrap();
        assert!(detail.contains("CloudHost finance/web-1") && detail.contains("power to Running"), "{detail}");
        assert!(api.server.seen_with("PATCH").is_empty());
    }
}

#[tokio::test]
async fn a_host_that_would_not_be_started_for_it_is_told_why_and_nothing_is_written() {
    let lent = |stage: &str| json!({"claimId": "claim-1", "lease": {"stage": stage, "endsAt": "2026-11-01T00:00:00Z"}});
    let mut ending = granted("7");
    ending["metadata"]["deletionTimestamp"] = json!("2026-11-20T02:00:00Z");
    let mut ending_off = ending.clone();
    ending_off["spec"]["power"] = json!("Stopped");
    let restored = json!({"snapshot": "daily", "requestedAt": "2026-11-20T01:59:00Z"});
    let restoring = json!({"claimId": "claim-1", "restored": restored});
    for (found, why) in [
        (host("7", &json!({})), "not granted"),
        (ending, "being deleted"),
        (ending_off, "being deleted"),
        (host("7", &lent("Ended")), "lease is over"),
        (host("7", &lent("Archived")), "lease is over"),
        (host("7", &lent("Released")), "being deleted"),
        (host("7", &restoring), "being restored"),
    ] {
        for query in ["", "?dryRun=true"] {
            let server = ApiServer::default().on(&at("GET"), 200, found.clone());
            let api = Api::over(server.on(&at("PATCH"), 200, found.clone()));
            let document = restart(&api, &format!("{RESTART}{query}"), &[]).await.problem(409, "NothingToRestart");
            let detail = document["detail"].as_str().unwrap();
            assert!(detail.contains("CloudHost finance/web-1") && detail.contains(why), "{why}: {detail}");
            assert!(api.server.seen_with("PATCH").is_empty(), "{why}");
        }
    }
}

#[tokio::test]
async fn a_host_whose_lease_runs_or_whose_restore_is_done_is_restarted() {
    let lent = |stage: &str| json!({"claimId": "claim-1", "lease": {"stage": stage, "endsAt": "2027-01-01T00:00:00Z"}});
    let restored = json!({"snapshot": "daily", "requestedAt": "2026-11-20T01:59:00Z",
        "completedAt": "2026-11-20T01:59:40Z"});
    for status in [lent("Running"), lent("Warned"), json!({"claimId": "claim-1", "restored": restored})] {
        let server = ApiServer::default().on(&at("GET"), 200, host("7", &status));
        let api = Api::over(server.on(&at("PATCH"), 200, granted("8")));
        assert_eq!(restart(&api, RESTART, &[]).await.status, 202, "{status}");
    }
}

#[tokio::test]
async fn a_version_goes_along_as_a_condition_and_a_stale_one_is_412() {
    let api = Api::over(running());
    assert_eq!(restart(&api, RESTART, &[("if-match", "\"7\"")]).await.status, 202);
    assert_eq!(api.server.seen_with("PATCH")[0].body["metadata"], json!({"resourceVersion": "7"}));
    let stale = ApiServer::default().on(&at("GET"), 200, granted("7"));
    let stale = Api::over(stale.refuse(&at("PATCH"), 409, "Conflict"));
    restart(&stale, RESTART, &[("if-match", "\"6\"")]).await.problem(412, "Stale");
    // What no object can have, and what is no tag.
    let patches = || api.server.seen_with("PATCH").len();
    let before = patches();
    restart(&api, RESTART, &[("if-match", "\"abc\"")]).await.problem(412, "Stale");
    restart(&api, RESTART, &[("if-match", "7")]).await.problem(400, "InvalidHeader");
    assert_eq!(patches(), before);
}

#[tokio::test]
async fn restarting_is_403_for_those_who_may_look_and_404_for_others() {
    let reader = ApiServer::default().on(&at("GET"), 200, granted("7"));
    let reader = Api::over(reader.refuse(&at("PATCH"), 403, "Forbidden"));
    restart(&reader, RESTART, &[]).await.problem(403, "Forbidden");
    let stranger = ApiServer::default().refuse(&at("GET"), 403, "Forbidden").refuse(&at("PATCH"), 403, "Forbidden");
    for server in [stranger, ApiServer::default()] {
        let api = Api::over(server);
        restart(&api, RESTART, &[]).await.problem(404, "NotFound");
        assert!(api.server.seen_with("PATCH").is_empty(), "who sees nothing asks for nothing");
    }
}

#[tokio::test]
async fn a_restart_may_be_tried() {
    let api = Api::over(running());
    let answer = restart(&api, &format!("{RESTART}?dryRun=true"), &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, ""), "{}", answer.text());
    let preview = answer.json();
    assert_eq!(preview["host"]["restartRequestedAt"], ASKED);
    assert!(preview.get("estimate").is_none() && preview.get("change").is_none(), "{preview}");
    assert!(api.server.seen_with("PATCH")[0].query.contains("dryRun=All"));
    restart(&api, &format!("{RESTART}?dryrun=true"), &[]).await.problem(400, "InvalidParameter");
}

#[tokio::test]
async fn a_host_shows_the_moment_as_it_was_written_and_none_where_none_is() {
    for (found, shown) in
        [(host_with("7", "restartRequestedAt", ASKED), Some(&json!(ASKED))), (host("7", &json!({})), None)]
    {
        let api = Api::over(ApiServer::default().on(&at("GET"), 200, found));
        assert_eq!(api.get(HOST).await.json().get("restartRequestedAt"), shown);
    }
}

#[tokio::test]
async fn neither_an_order_nor_a_change_takes_the_moment() {
    let api = Api::over(running());
    let mut ordered = order();
    ordered["restartRequestedAt"] = json!(ASKED);
    let mut change = request(Method::PATCH, HOST, &[], &json!({"restartRequestedAt": ASKED}).to_string());
    change.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    for asked in [request(Method::POST, HOSTS, &[], &ordered.to_string()), change] {
        let document = api.send(asked).await.problem(422, "InvalidField");
        assert_eq!(document["field"], "restartRequestedAt", "{document}");
    }
    assert!(api.server.seen().is_empty());
}
