//! Changing a host, and versions: who means which.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

use super::{
    Answer, Api, request,
    stub::{ApiServer, finance, host, status},
};

const HOST: &str = "/v1/departments/finance/hosts/web-1";
const MERGE: (&str, &str) = ("content-type", "application/merge-patch+json");

fn at(method: &str) -> String {
    format!("{method} {}", finance("cloudhosts/web-1"))
}

fn patch(headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = request(Method::PATCH, HOST, headers, body);
    let content_type = headers.iter().rfind(|(name, _)| *name == "content-type").unwrap_or(&MERGE).1;
    request.headers_mut().insert("content-type", content_type.parse().unwrap());
    request
}

async fn change(api: &Api, headers: &[(&str, &str)], body: &Value) -> Answer {
    api.send(patch(&[&[("accept-language", "en")], headers].concat(), &body.to_string())).await
}

fn changeable() -> Api {
    Api::over(ApiServer::default().on(&at("PATCH"), 200, host("8", &json!({}))))
}

#[tokio::test]
async fn a_change_is_one_merge_patch_and_nothing_is_read_before() {
    let api = changeable();
    let body = json!({"displayName": "门户", "power": "Stopped", "deletionProtection": "Enabled"});
    let answer = change(&api, &[], &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((answer.header("etag"), answer.json()["name"].as_str()), ("\"8\"", Some("web-1")));
    let seen = api.server.seen();
    let [sent] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!(sent.headers["content-type"], "application/merge-patch+json");
    assert!(sent.query.contains("fieldManager=jiyun-api") && sent.query.contains("fieldValidation=Strict"));
    let spec = json!({"displayName": "门户", "power": "Stopped", "deletionProtection": "Enabled"});
    assert_eq!(sent.body, json!({"spec": spec}), "without If-Match no version is a condition");
}

#[tokio::test]
async fn what_is_left_out_stays_and_null_takes_the_name_away() {
    let api = changeable();
    change(&api, &[], &json!({"displayName": null})).await;
    change(&api, &[], &json!({})).await;
    let bodies: Vec<_> = api.server.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, [json!({"spec": {"displayName": null}}), json!({"spec": {}})]);
}

#[tokio::test]
async fn a_version_goes_along_as_a_condition_and_a_stale_one_is_412() {
    let api = changeable();
    change(&api, &[("if-match", "\"7\"")], &json!({"power": "Running"})).await;
    assert_eq!(api.server.seen()[0].body["metadata"], json!({"resourceVersion": "7"}));

    let stale = Api::over(ApiServer::default().refuse(&at("PATCH"), 409, "Conflict"));
    let answer = change(&stale, &[("if-match", "\"6\"")], &json!({"power": "Running"})).await;
    let document = answer.problem(412, "Stale");
    assert!(document["detail"].as_str().unwrap().starts_with("CloudHost finance/web-1 is not of the version"));
    change(&stale, &[], &json!({})).await.problem(409, "Conflict");
}

#[tokio::test]
async fn a_version_no_object_can_have_is_stale_for_those_who_may_look() {
    let api = Api::over(ApiServer::default().on(&at("GET"), 200, host("8", &json!({}))));
    change(&api, &[("if-match", "\"abc\"")], &json!({})).await.problem(412, "Stale");
    api.send(request(Method::DELETE, HOST, &[("if-match", "\"abc\"")], "")).await.problem(412, "Stale");
    assert_eq!(api.server.seen_with("PATCH").len() + api.server.seen_with("DELETE").len(), 0);
    let blind = Api::over(ApiServer::default());
    change(&blind, &[("if-match", "\"abc\"")], &json!({})).await.problem(404, "NotFound");
    for bad in ["8", "W/\"8\"", "\"7\", \"8\""] {
        change(&api, &[("if-match", bad)], &json!({})).await.problem(400, "InvalidHeader");
    }
}

#[tokio::test]
async fn a_field_that_is_unknown_or_cannot_change_is_refused_by_name() {
    let api = changeable();
    for (body, field, word) in [
        (json!({"colour": "red"}), "colour", "colour"),
        (json!({"image": "other"}), "image", "image"),
        (json!({"name": "web-2"}), "name", "name"),
        (json!({"systemDisk": {"tier": "extreme"}}), "systemDisk.tier", "tier"),
        (json!({"power": "Sleeping"}), "power", "Sleeping"),
        (json!({"power": null}), "power", "null"),
        (json!({"class": null}), "class", "null"),
        (json!({"systemDisk": null}), "systemDisk", "null"),
        (json!(["name"]), "body", "object"),
        (json!([]), "body", "object"),
        (json!(null), "body", "null"),
        (json!("Running"), "body", "Running"),
    ] {
        let document = change(&api, &[], &body).await.problem(422, "InvalidField");
        assert_eq!(document["field"], field, "{document}");
        assert!(document["detail"].as_str().unwrap().contains(word), "{document}");
    }
    assert!(api.server.seen().is_empty());
}

#[tokio::test]
async fn another_kind_of_patch_is_415_and_told_which_is_taken() {
    let api = changeable();
    for kind in ["application/json", "application/json-patch+json", "application/apply-patch+yaml"] {
        let answer = change(&api, &[("content-type", kind)], &json!({})).await;
        let document = answer.problem(415, "UnsupportedMediaType");
        assert_eq!(answer.header("accept-patch"), "application/merge-patch+json");
        assert!(document["detail"].as_str().unwrap().contains("application/merge-patch+json"), "{document}");
    }
    assert!(api.server.seen().is_empty());
}

#[tokio::test]
async fn the_platforms_rules_are_told_in_the_words_of_the_request() {
    let details = json!({"causes": [{"reason": "FieldValueInvalid", "field": "spec.systemDisk.size",
        "message": "Invalid value: 系统盘只能扩大，不能缩小 (systemDisk.size can grow, never shrink)"}]});
    let api = Api::over(ApiServer::default().on(&at("PATCH"), 422, status(422, "Invalid", &details)));
    let document = change(&api, &[], &json!({"systemDisk": {"size": "20Gi"}})).await.problem(422, "InvalidField");
    assert_eq!(document["field"], "systemDisk.size");
    assert_eq!(document["detail"], "systemDisk.size: systemDisk.size can grow, never shrink");
}

#[tokio::test]
async fn changing_is_403_for_those_who_may_look_and_404_for_others() {
    let reader = ApiServer::default().refuse(&at("PATCH"), 403, "Forbidden").on(&at("GET"), 200, host("8", &json!({})));
    change(&Api::over(reader), &[], &json!({})).await.problem(403, "Forbidden");
    let stranger = ApiServer::default().refuse(&at("PATCH"), 403, "Forbidden").refuse(&at("GET"), 403, "Forbidden");
    change(&Api::over(stranger), &[], &json!({})).await.problem(404, "NotFound");
    change(&Api::over(ApiServer::default()), &[], &json!({})).await.problem(404, "NotFound");
}

#[tokio::test]
async fn a_host_has_a_tag_and_is_not_sent_again_to_who_has_it() {
    let api = Api::over(ApiServer::default().on(&at("GET"), 200, host("8", &json!({}))));
    let answer = api.get(HOST).await;
    assert_eq!((answer.header("etag"), answer.header("vary")), ("\"8\"", "accept-language"));
    for (known, status) in [("\"8\"", 304), ("\"7\", W/\"8\"", 304), ("*", 304), ("\"7\"", 200)] {
        let answer = api.send(request(Method::GET, HOST, &[("if-none-match", known)], "")).await;
        assert_eq!(answer.status.as_u16(), status, "{known}");
        assert_eq!(answer.header("etag"), "\"8\"");
        assert_eq!(answer.body.is_empty(), status == 304);
    }
    Api::over(ApiServer::default())
        .send(request(Method::GET, HOST, &[("if-none-match", "*")], ""))
        .await
        .problem(404, "NotFound");
}

#[tokio::test]
async fn an_end_may_be_meant_for_one_version_only() {
    let api = Api::over(ApiServer::default().on(&at("DELETE"), 200, host("9", &json!({}))));
    let answer = api.send(request(Method::DELETE, HOST, &[("if-match", "\"8\"")], "")).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(api.server.seen()[0].body["preconditions"], json!({"resourceVersion": "8"}));
    api.send(request(Method::DELETE, HOST, &[], "")).await;
    assert_eq!(api.server.seen()[1].body.get("preconditions"), None);
    let stale = Api::over(ApiServer::default().refuse(&at("DELETE"), 409, "Conflict"));
    stale.send(request(Method::DELETE, HOST, &[("if-match", "\"8\"")], "")).await.problem(412, "Stale");
}
