//! Information systems: set up, looked at, changed, ended, in the manners of hosts.

use http::Method;
use serde_json::{Value, json};

use super::{
    Answer, Api, request,
    stub::{ApiServer, WHO, cluster, condition, finance, status, user},
};

const SYSTEMS: &str = "/v1/departments/finance/systems";
const SYSTEM: &str = "/v1/departments/finance/systems/budget";

fn at(method: &str) -> String {
    format!("{method} {}", finance("informationsystems/budget"))
}

fn all(method: &str) -> String {
    format!("{method} {}", finance("informationsystems"))
}

fn wanted() -> Value {
    json!({"name": "budget", "displayName": "预算管理一体化系统", "protectionLevel": 3, "zone": "public",
        "projectNumber": "HS-2026-001", "owner": {"name": "周文", "phone": "0734-5550101"}})
}

/// The system as the API server has it, with `status`.
fn system(version: &str, status: &Value) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem",
        "metadata": {"name": "budget", "namespace": "dept-finance", "uid": "s-1", "generation": 1,
            "resourceVersion": version, "creationTimestamp": "2026-11-20T01:00:00Z"},
        "spec": {"displayName": "预算管理一体化系统", "protectionLevel": 3, "zoneRef": {"name": "public"},
            "projectNumber": "HS-2026-001", "owner": {"name": "周文", "phone": "0734-5550101"}},
        "status": status})
}

/// An API server that knows the zone.
fn city() -> ApiServer {
    let zone = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "NetworkZone", "metadata": {"name": "public"},
        "spec": {"displayName": "公共区", "kind": "GovExtranetPublic"}});
    let city = ApiServer::default().on(&format!("GET {}", cluster("networkzones/public")), 200, zone);
    city.refuse(&format!("GET {}", cluster("departments/finance")), 403, "Forbidden")
}

async fn set_up(api: &Api, body: &Value, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[("accept-language", "en")], headers].concat();
    api.send(request(Method::POST, SYSTEMS, &headers, &body.to_string())).await
}

async fn change(api: &Api, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut wish = request(Method::PATCH, SYSTEM, headers, &body.to_string());
    wish.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    api.send(wish).await
}

#[tokio::test]
async fn a_system_is_created_in_the_callers_name_and_answered_with_its_address() {
    let api = Api::over(city().on(&all("POST"), 201, system("7", &json!({}))));
    let answer = set_up(&api, &wanted(), &[]).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!((answer.header("location"), answer.header("etag")), (SYSTEM, "\"7\""));
    assert_eq!(answer.json()["state"], "Pending");
    assert_eq!(answer.json()["owner"], json!({"name": "周文", "phone": "0734-5550101"}));
    let sent = &api.server.seen_with("POST")[0];
    assert_eq!(sent.body["spec"], system("7", &json!({}))["spec"]);
    assert_eq!(sent.body["metadata"], json!({"name": "budget", "namespace": "dept-finance"}));
    assert_eq!(sent.headers["authorization"], super::TOKEN);
}

#[tokio::test]
async fn a_zone_that_does_not_exist_is_named_and_nothing_is_created() {
    let api = Api::over(city());
    let mut lost = wanted();
    lost["zone"] = json!("moon");
    let document = set_up(&api, &lost, &[]).await.problem(422, "UnknownReference");
    assert_eq!(document["field"], "zone");
    assert!(document["detail"].as_str().unwrap().contains("NetworkZone moon"), "{document}");
    assert!(api.server.seen_with("POST").is_empty());
}

#[tokio::test]
async fn the_platforms_rules_are_told_in_the_words_of_the_request() {
    let details = json!({"causes": [{"reason": "FieldValueInvalid", "field": "spec.owner.phone",
        "message": "Invalid value: \"string\": 电话须为数字 (owner.phone must be digits)"}]});
    let api = Api::over(city().on(&all("POST"), 422, status(422, "Invalid", &details)));
    assert_eq!(set_up(&api, &wanted(), &[]).await.problem(422, "InvalidField")["field"], "owner.phone");
    for (field, value) in [("name", json!("A")), ("zone", json!("../x")), ("colour", json!(1)), ("owner", json!({}))] {
        let mut wrong = wanted();
        wrong[field] = value;
        set_up(&api, &wrong, &[]).await.problem(422, "InvalidField");
    }
    assert_eq!(api.server.seen_with("POST").len(), 1);
}

#[tokio::test]
async fn what_the_caller_may_not_see_is_404_and_what_it_may_not_do_is_403() {
    let reader = Api::over(city().refuse(&all("POST"), 403, "Forbidden"));
    set_up(&reader, &wanted(), &[]).await.problem(403, "Forbidden");
    let stranger = city().refuse(&all("POST"), 403, "Forbidden").refuse(&at("GET"), 403, "Forbidden");
    set_up(&Api::over(stranger), &wanted(), &[]).await.problem(404, "NotFound");
}

#[tokio::test]
async fn a_key_makes_a_name_of_its_own_and_is_known_again() {
    let mut nameless = wanted();
    nameless.as_object_mut().unwrap().remove("name");
    let key = [("idempotency-key", "k-1")];
    let known = || city().on(WHO, 201, user("alice"));
    let api = Api::over(known().on(&all("POST"), 201, system("7", &json!({}))));
    let first = set_up(&api, &nameless, &key).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""));
    let place = first.header("location").to_owned();
    assert!(place.starts_with(&format!("{SYSTEMS}/s-")), "{place}");

    let mut stored = api.server.seen_with("POST")[1].body.clone();
    stored["metadata"]["resourceVersion"] = json!("8");
    let get = format!("GET {}", finance(&place.replace(SYSTEMS, "informationsystems")));
    let taken = || known().refuse(&all("POST"), 409, "AlreadyExists").on(&get, 200, stored.clone());
    let again = set_up(&Api::over(taken()), &nameless, &key).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, "true"), "{}", again.text());
    assert_eq!((again.header("location"), again.header("etag")), (&*place, "\"8\""));
    nameless["protectionLevel"] = json!(2);
    set_up(&Api::over(taken()), &nameless, &key).await.problem(422, "IdempotencyKeyReused");
    set_up(&Api::over(taken()), &wanted(), &key).await.problem(422, "InvalidField");
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_is_cut_off_says_where_to_look() {
    let answer = set_up(&Api::over(city().never(&all("POST"))), &wanted(), &[]).await;
    answer.problem(504, "OutcomeUnknown");
    assert_eq!(answer.header("location"), SYSTEM);
}

#[tokio::test]
async fn how_it_stands_is_one_word() {
    let mut leaving = system("7", &json!({}));
    leaving["metadata"]["deletionTimestamp"] = json!("2026-11-20T02:00:00Z");
    for (object, word) in [
        (system("7", &json!({})), "Pending"),
        (system("7", &condition("Ready", "True", "Valid", 1)), "Ready"),
        (system("7", &condition("Ready", "False", "ZoneNotAllowed", 1)), "NotReady"),
        (system("7", &condition("Ready", "True", "Valid", 0)), "Pending"),
        (leaving, "Deleting"),
    ] {
        let answer = Api::over(ApiServer::default().on(&at("GET"), 200, object)).get(SYSTEM).await;
        assert_eq!(answer.json()["state"], word);
        assert_eq!(answer.header("etag"), "\"7\"");
    }
    let api = Api::over(ApiServer::default().on(&at("GET"), 200, system("7", &json!({}))));
    let known = api.send(request(Method::GET, SYSTEM, &[("if-none-match", "\"7\"")], "")).await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
    Api::over(ApiServer::default()).get(SYSTEM).await.problem(404, "NotFound");
}

#[tokio::test]
async fn a_change_is_one_merge_patch_with_the_version_as_its_condition() {
    let api = Api::over(ApiServer::default().on(&at("PATCH"), 200, system("8", &json!({}))));
    let wish = json!({"displayName": "新名", "protectionLevel": 2, "projectNumber": null, "owner": {"phone": null}});
    let answer = change(&api, &[("if-match", "\"7\"")], &wish).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, "\"8\""), "{}", answer.text());
    let spec = json!({"displayName": "新名", "protectionLevel": 2, "projectNumber": null, "owner": {"phone": null}});
    assert_eq!(api.server.seen()[0].body, json!({"spec": spec, "metadata": {"resourceVersion": "7"}}));
    for wrong in [json!({"zone": "other"}), json!({"owner": null}), json!({"owner": {"name": null}}), json!([])] {
        change(&api, &[], &wrong).await.problem(422, "InvalidField");
    }
    assert_eq!(api.server.seen().len(), 1);
    let stale = Api::over(ApiServer::default().refuse(&at("PATCH"), 409, "Conflict"));
    change(&stale, &[("if-match", "\"7\"")], &wish).await.problem(412, "Stale");
    let plain = request(Method::PATCH, SYSTEM, &[], "{}");
    api.send(plain).await.problem(415, "UnsupportedMediaType");
}

#[tokio::test]
async fn systems_are_listed_page_by_page_and_the_newest_first() {
    let mut older = system("7", &json!({}));
    older["metadata"]["name"] = json!("archive");
    older["metadata"]["creationTimestamp"] = json!("2026-10-01T01:00:00Z");
    let list = |next: &str| {
        json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystemList",
            "metadata": {"continue": next}, "items": [older, system("7", &json!({}))]})
    };
    let names = |answer: &Answer| -> Vec<Value> {
        answer.json()["items"].as_array().unwrap().iter().map(|system| system["name"].clone()).collect()
    };
    let api = Api::over(ApiServer::default().on(&all("GET"), 200, list("more")));
    let answer = api.get(&format!("{SYSTEMS}?limit=2")).await;
    assert_eq!(names(&answer), ["archive", "budget"]);
    // A place among the systems is none among the hosts.
    let place = answer.json()["continue"].as_str().unwrap().to_owned();
    api.get(&format!("/v1/departments/finance/hosts?continue={place}")).await.problem(400, "InvalidParameter");
    let api = Api::over(ApiServer::default().on(&all("GET"), 200, list("")));
    assert_eq!(names(&api.get(&format!("{SYSTEMS}?sort=-created")).await), ["budget", "archive"]);
    api.get(&format!("{SYSTEMS}?system=portal")).await.problem(400, "InvalidParameter");
}

#[tokio::test]
async fn an_end_is_accepted_for_the_version_that_is_meant() {
    let api = Api::over(ApiServer::default().on(&at("DELETE"), 200, system("9", &json!({}))));
    let answer = api.send(request(Method::DELETE, SYSTEM, &[("if-match", "\"8\"")], "")).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (202, SYSTEM), "{}", answer.text());
    assert_eq!(api.server.seen()[0].body["preconditions"], json!({"resourceVersion": "8"}));
    let reader =
        ApiServer::default().refuse(&at("DELETE"), 403, "Forbidden").on(&at("GET"), 200, system("8", &json!({})));
    Api::over(reader).send(request(Method::DELETE, SYSTEM, &[], "")).await.problem(403, "Forbidden");
}

#[tokio::test]
async fn all_of_it_can_be_tried_without_being_meant() {
    let server = city()
        .on(&all("POST"), 201, system("", &json!({})))
        .on(&at("PATCH"), 200, system("8", &json!({})))
        .on(&at("DELETE"), 200, system("8", &json!({})))
        .on(&at("GET"), 200, system("8", &json!({})));
    let api = Api::over(server);
    let post = request(Method::POST, &format!("{SYSTEMS}?dryRun=true"), &[], &wanted().to_string());
    let mut patch = request(Method::PATCH, &format!("{SYSTEM}?dryRun=true"), &[], "{}");
    patch.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    let delete = request(Method::DELETE, &format!("{SYSTEM}?dryRun=true"), &[], "");
    for tried in [post, patch, delete] {
        let answer = api.send(tried).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (200, ""), "{}", answer.text());
        assert_eq!(answer.json()["system"]["name"], "budget");
    }
    let seen = api.server.seen();
    assert!(
        seen.iter()
            .filter(|seen| ["POST", "PATCH"].contains(&&*seen.method))
            .all(|seen| seen.query.contains("dryRun=All"))
    );
    assert_eq!(api.server.seen_with("DELETE")[0].body["dryRun"], json!(["All"]));
}
