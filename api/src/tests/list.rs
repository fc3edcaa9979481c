//! Looking at hosts and ending them.

use http::Method;
use serde_json::json;

use super::{
    Api, request,
    stub::{ApiServer, cluster, condition, finance, host, status},
};

const HOSTS: &str = "/v1/departments/finance/hosts";
const HOST: &str = "/v1/departments/finance/hosts/web-1";

fn get(path: &str) -> String {
    format!("GET {path}")
}

#[tokio::test]
async fn a_page_and_the_place_of_the_next_one_are_passed_through() {
    let list = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHostList",
        "metadata": {"continue": "abc", "remainingItemCount": 3, "resourceVersion": "9"},
        "items": [host("7", &condition("Admitted", "True", "Granted", 1))]});
    let api = Api::over(ApiServer::default().on(&get(&finance("cloudhosts")), 200, list));
    let answer = api.get(&format!("{HOSTS}?limit=1&continue=x%26watch%3Dtrue")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert_eq!((&body["continue"], &body["remaining"]), (&json!("abc"), &json!(3)));
    assert_eq!(body["items"][0]["state"], "Granted");
    let seen = api.server.seen();
    assert_eq!(seen[0].method, "GET", "a cursor must not become a parameter of its own");
    assert!(seen[0].query.contains("limit=1") && seen[0].query.contains("continue=x%26watch%3Dtrue"));
}

#[tokio::test]
async fn an_empty_department_is_an_empty_list_and_a_missing_one_is_404() {
    let empty = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHostList", "metadata": {}, "items": []});
    let known = ApiServer::default().on(&get(&finance("cloudhosts")), 200, empty.clone());
    let known = known.refuse(&get(&cluster("departments/finance")), 403, "Forbidden");
    assert_eq!(Api::over(known).get(HOSTS).await.json()["items"], json!([]));
    let missing = ApiServer::default().on(&get(&finance("cloudhosts")), 200, empty);
    Api::over(missing).get(HOSTS).await.problem(404, "NotFound");
}

#[tokio::test]
async fn a_cursor_that_is_too_old_or_no_cursor_is_told_apart() {
    let old = ApiServer::default().refuse(&get(&finance("cloudhosts")), 410, "Expired");
    Api::over(old).get(&format!("{HOSTS}?continue=old")).await.problem(410, "ContinueExpired");
    let bad = ApiServer::default().refuse(&get(&finance("cloudhosts")), 400, "BadRequest");
    Api::over(bad).get(&format!("{HOSTS}?continue=bad")).await.problem(400, "InvalidParameter");
}

#[tokio::test]
async fn parameters_that_make_no_sense_are_refused() {
    let api = Api::over(ApiServer::default());
    for query in ["limit=0", "limit=501", "limit=-1", "limit=many", "labelSelector=a"] {
        api.get(&format!("{HOSTS}?{query}")).await.problem(400, "InvalidParameter");
    }
    assert!(api.server.seen().is_empty());
}

#[tokio::test]
async fn an_edit_the_platform_cannot_use_leaves_the_host_granted() {
    let mut both = condition("Admitted", "True", "Granted", 1);
    let objection = condition("Accepted", "False", "Misconfigured", 1)["conditions"][0].clone();
    both["conditions"].as_array_mut().unwrap().push(objection);
    let api = Api::over(ApiServer::default().on(&get(&finance("cloudhosts/web-1")), 200, host("7", &both)));
    assert_eq!(api.get(HOST).await.json()["state"], "Granted");
}

#[tokio::test]
async fn forbidden_and_missing_hosts_look_alike() {
    let forbidden = ApiServer::default().refuse(&get(&finance("cloudhosts/web-1")), 403, "Forbidden");
    let one = Api::over(forbidden).get(HOST).await.problem(404, "NotFound");
    let other = Api::over(ApiServer::default()).get(HOST).await.problem(404, "NotFound");
    assert_eq!(one["detail"], other["detail"]);
    let forbidden = ApiServer::default().refuse(&get(&finance("cloudhosts")), 403, "Forbidden");
    Api::over(forbidden).get(HOSTS).await.problem(404, "NotFound");
}

#[tokio::test]
async fn a_refusal_is_shown_in_the_language_asked_for() {
    let mut refused = condition("Admitted", "False", "NoMatchingPool", 1);
    refused["refusal"] = json!({"code": "NoMatchingPool", "parameters": [
        {"name": "zone", "value": "public"}, {"name": "protection_level", "value": "2"}]});
    let api = Api::over(ApiServer::default().on(&get(&finance("cloudhosts/web-1")), 200, host("7", &refused)));
    let english = api.send(request(Method::GET, HOST, &[("accept-language", "en")], "")).await.json();
    assert_eq!(english["state"], "Refused");
    assert!(english["refusal"]["detail"].as_str().unwrap().starts_with("no pool matches"), "{english}");
    let chinese = api.get(HOST).await.json();
    assert!(chinese["refusal"]["detail"].as_str().unwrap().starts_with("没有符合条件的资源池"), "{chinese}");
}

#[tokio::test]
async fn ending_a_host_is_accepted() {
    let delete = format!("DELETE {}", finance("cloudhosts/web-1"));
    let api = Api::over(ApiServer::default().on(&delete, 200, host("9", &json!({}))));
    let answer = api.send(request(Method::DELETE, HOST, &[], "")).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.header("location"), HOST);
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn ending_is_403_for_those_who_may_look_and_404_for_others() {
    let delete = format!("DELETE {}", finance("cloudhosts/web-1"));
    let reader = ApiServer::default().refuse(&delete, 403, "Forbidden").on(
        &get(&finance("cloudhosts/web-1")),
        200,
        host("9", &json!({})),
    );
    Api::over(reader).send(request(Method::DELETE, HOST, &[], "")).await.problem(403, "Forbidden");
    let stranger = ApiServer::default().refuse(&delete, 403, "Forbidden").refuse(
        &get(&finance("cloudhosts/web-1")),
        403,
        "Forbidden",
    );
    Api::over(stranger).send(request(Method::DELETE, HOST, &[], "")).await.problem(404, "NotFound");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_a_fault_of_ours_and_says_nothing_of_it() {
    let odd = ApiServer::default().on(&get(&finance("cloudhosts/web-1")), 200, json!({"metadata": 7}));
    let document = Api::over(odd).get(HOST).await.problem(500, "Internal");
    assert!(document["detail"].as_str().unwrap().contains(document["requestId"].as_str().unwrap()));
    assert!(!document.to_string().contains("invalid type"), "{document}");
    let broken =
        ApiServer::default().on(&get(&finance("cloudhosts/web-1")), 500, status(500, "InternalError", &json!({})));
    let document = Api::over(broken).get(HOST).await.problem(503, "KubernetesUnavailable");
    assert!(!document.to_string().contains("stub says no"), "{document}");
}
