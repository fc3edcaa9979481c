//! Looking at hosts and ending them.

use http::Method;
use serde_json::{Value, json};

use super::{
    Api, request,
    stub::{ApiServer, cluster, condition, finance, host, status},
};

const HOSTS: &str = "/v1/departments/finance/hosts";
const HOST: &str = "/v1/departments/finance/hosts/web-1";

fn get(path: &str) -> String {
    format!("GET {path}")
}

fn page(place: &str) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHostList",
        "metadata": {"continue": place, "remainingItemCount": 3, "resourceVersion": "9"},
        "items": [host("7", &condition("Admitted", "True", "Granted", 1))]})
}

#[tokio::test]
async fn a_page_leads_to_the_next_one() {
    let first = get(&finance("cloudhosts"));
    let api = Api::over(ApiServer::default().on(&first, 200, page("x&watch=true")));
    let answer = api.get(&format!("{HOSTS}?limit=1")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert_eq!((&body["items"][0]["state"], &body["remaining"]), (&json!("Granted"), &json!(3)));
    api.get(&format!("{HOSTS}?limit=1&continue={}", body["continue"].as_str().unwrap())).await;
    let seen = api.server.seen();
    assert_eq!(seen[1].method, "GET", "a place must not become a parameter of its own");
    assert!(seen[1].query.contains("limit=1") && seen[1].query.contains("continue=x%26watch%3Dtrue"));
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
async fn a_place_that_is_too_old_or_none_any_more_is_told_apart() {
    for (status, reason, code) in [(410, "Expired", "ContinueExpired"), (400, "BadRequest", "InvalidParameter")] {
        let list = get(&finance("cloudhosts"));
        let api = Api::over(ApiServer::default().on(&list, 200, page("abc")).refuse(&list, status, reason));
        let place = api.get(HOSTS).await.json()["continue"].as_str().unwrap().to_owned();
        api.get(&format!("{HOSTS}?continue={place}")).await.problem(status, code);
    }
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
