//! Filing orders: for what is there, and together with the hosts they are for.

use futures::FutureExt;
use http::Method;
use serde_json::{Value, json};

use super::{
    Answer, Api, request,
    stub::{ApiServer, Seen, WHO, awaiting, city, condition, filed, finance, host, order, user},
};

const ORDERS: &str = "/v1/departments/finance/orders";

fn post(kind: &str) -> String {
    format!("POST {}", finance(kind))
}

/// An order that ends the host `web-1`.
fn ending() -> Value {
    json!({"name": "rollout", "system": "portal", "justification": "下线",
        "items": [{"name": "web-1", "action": "End"}]})
}

/// An order for two hosts that are created with it.
fn rollout() -> Value {
    let mut second = order();
    second["name"] = json!("web-2");
    json!({"name": "rollout", "system": "portal", "items": [{"host": order()}, {"host": second}]})
}

/// The same without a name of its own or of the hosts.
fn nameless() -> Value {
    let mut body = rollout();
    body.as_object_mut().unwrap().remove("name");
    for index in 0..2 {
        body["items"][index]["host"].as_object_mut().unwrap().remove("name");
    }
    body
}

async fn file(api: &Api, body: &Value, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[("accept-language", "en")], headers].concat();
    api.send(request(Method::POST, ORDERS, &headers, &body.to_string())).await
}

/// Everything a host names is there, and the order can be created.
fn ready() -> ApiServer {
    city().on(WHO, 201, user("alice")).on(&post("orders"), 201, filed("7", &json!({})))
}

fn made(name: &str, uid: &str) -> Value {
    let mut made = host("3", &json!({}));
    made["metadata"]["name"] = json!(name);
    made["metadata"]["uid"] = json!(uid);
    made
}

/// What was written or tried, in its order.
fn writes(api: &Api) -> Vec<Seen> {
    let writes = |seen: &Seen| seen.method == "DELETE" || (seen.method == "POST" && seen.path.contains("dept-finance"));
    api.server.seen().into_iter().filter(writes).collect()
}

fn brief(api: &Api) -> Vec<String> {
    let kind = |seen: &Seen| {
        let dry = if seen.query.contains("dryRun") { " (dry)" } else { "" };
        format!("{} {}{dry}", seen.method, seen.path.rsplit("dept-finance/").next().unwrap())
    };
    writes(api).iter().map(kind).collect()
}

#[tokio::test]
async fn an_order_for_what_is_there_is_one_object() {
    let there = format!("GET {}", finance("cloudhosts/web-1"));
    let api = Api::over(ready().on(&there, 200, host("1", &json!({}))));
    let answer = file(&api, &ending(), &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.header("location"), "/v1/departments/finance/orders/rollout");
    assert_eq!(answer.json()["state"], "Filed");
    assert_eq!(brief(&api), ["POST orders"]);
    let spec = json!({"systemRef": {"name": "portal"}, "justification": "下线", "state": "Filed", "applicant": "",
        "items": [{"kind": "CloudHost", "name": "web-1", "action": "End"}]});
    assert_eq!(writes(&api)[0].body["spec"], spec);
}

#[tokio::test]
async fn what_an_order_names_has_to_be_there_and_of_its_system() {
    let api = Api::over(ready());
    let problem = file(&api, &ending(), &[]).await.problem(422, "UnknownReference");
    assert_eq!(problem["field"], "items[0].name");
    let mut other = host("1", &json!({}));
    other["spec"]["systemRef"]["name"] = json!("budget");
    let api = Api::over(ready().on(&format!("GET {}", finance("cloudhosts/web-1")), 200, other));
    let problem = file(&api, &ending(), &[]).await.problem(422, "ItemOfOtherSystem");
    assert_eq!(problem["field"], "items[0]");
    assert!(writes(&api).is_empty());
}

#[tokio::test]
async fn what_several_hosts_name_is_looked_up_once() {
    let api = Api::over(ready().on(&post("cloudhosts"), 201, made("web-1", "u-1")));
    file(&api, &rollout(), &[]).await;
    let looked: Vec<String> = api.server.seen_with("GET").into_iter().map(|seen| seen.path).collect();
    for kind in ["informationsystems", "hostclasses", "hostimages", "networkzones"] {
        assert_eq!(looked.iter().filter(|path| path.contains(kind)).count(), 1, "{looked:?}");
    }
}

#[tokio::test]
async fn hosts_of_a_system_that_is_not_there_are_told_of_it_once() {
    let server = ready().on("GET /apis/jiyun.io/v1alpha1/departments/finance", 403, json!({}));
    let (mut body, api) = (rollout(), Api::over(server));
    for pointer in ["/system", "/items/0/host/system", "/items/1/host/system"] {
        *body.pointer_mut(pointer).unwrap() = json!("nothing");
    }
    let problem = file(&api, &body, &[]).await.problem(422, "UnknownReference");
    assert_eq!((&problem["field"], problem["errors"].as_array().map_or(1, Vec::len)), (&json!("system"), 1));
    assert!(writes(&api).is_empty());
}

#[tokio::test]
async fn hosts_come_first_and_name_their_order_which_comes_last() {
    let api = Api::over(ready().on(&post("cloudhosts"), 201, made("web-1", "u-1")));
    let answer = file(&api, &rollout(), &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(brief(&api), ["POST cloudhosts", "POST cloudhosts", "POST orders"]);
    for (seen, name) in writes(&api)[..2].iter().zip(["web-1", "web-2"]) {
        assert_eq!(seen.body["metadata"]["name"], name);
        assert_eq!(seen.body["metadata"]["annotations"]["jiyun.io/order"], "rollout");
        assert_eq!(seen.headers["authorization"], super::TOKEN);
    }
    let items = &writes(&api)[2].body["spec"]["items"];
    assert_eq!((&items[0]["name"], &items[1]["name"]), (&json!("web-1"), &json!("web-2")));
}

#[tokio::test]
async fn with_a_key_the_hosts_are_named_by_it_too() {
    let mut names = Vec::new();
    for key in ["k-1", "k-1", "k-2"] {
        let api = Api::over(ready().on(&post("cloudhosts"), 201, made("web-1", "u-1")));
        let answer = file(&api, &nameless(), &[("idempotency-key", key)]).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let order = writes(&api)[2].body.clone();
        let hosts =
            [&writes(&api)[0].body["metadata"]["name"], &writes(&api)[1].body["metadata"]["name"]].map(Clone::clone);
        assert_eq!([&order["spec"]["items"][0]["name"], &order["spec"]["items"][1]["name"]], [&hosts[0], &hosts[1]]);
        assert_ne!(hosts[0], hosts[1]);
        assert!(order["metadata"]["name"].as_str().unwrap().starts_with("o-"));
        names.push((order["metadata"]["name"].clone(), hosts));
    }
    assert_eq!(names[0], names[1]);
    assert_ne!(names[0], names[2]);
    let problem = file(&Api::over(ready()), &nameless(), &[]).await.problem(422, "InvalidField");
    assert_eq!(problem["field"], "name");
}

#[tokio::test]
async fn who_a_caller_is_is_asked_once_and_of_another_token_anew() {
    let api = Api::over(ready().on(&post("cloudhosts"), 201, made("web-1", "u-1")));
    let asked = || api.server.seen().iter().filter(|seen| WHO.ends_with(&seen.path)).count();
    for (key, token, times) in [("k-1", super::TOKEN, 1), ("k-2", super::TOKEN, 1), ("k-3", "Bearer another", 2)] {
        let mut asking = request(Method::POST, ORDERS, &[("idempotency-key", key)], &nameless().to_string());
        asking.headers_mut().insert("authorization", token.parse().unwrap());
        api.send(asking).await;
        assert_eq!(asked(), times, "{key}");
    }
}

#[tokio::test]
async fn if_one_host_cannot_be_created_the_others_are_taken_back_and_it_is_named() {
    let refused = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422,
        "message": "no", "details": {"causes": [{"field": "spec.systemDisk.size", "reason": "FieldValueInvalid",
            "message": "Invalid value: \"string\": 太小 (too small)"}]}});
    let server = ready().on(&post("cloudhosts"), 201, made("web-1", "u-9")).on(&post("cloudhosts"), 422, refused);
    let server = server.on(&format!("DELETE {}", finance("cloudhosts/web-1")), 200, json!({}));
    let api = Api::over(server);
    let problem = file(&api, &rollout(), &[]).await.problem(422, "InvalidField");
    assert_eq!(problem["field"], "items[1].host.systemDisk.size");
    assert_eq!(problem["errors"][0]["field"], "items[1].host.systemDisk.size");
    assert_eq!(brief(&api), ["POST cloudhosts", "POST cloudhosts", "DELETE cloudhosts/web-1"]);
    assert_eq!(writes(&api)[2].body["preconditions"], json!({"uid": "u-9"}), "a namesake made meanwhile stays");
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_named() {
    let server =
        ready().on(&post("cloudhosts"), 201, made("web-1", "u-9")).refuse(&post("cloudhosts"), 409, "AlreadyExists");
    let server = server.refuse(&format!("DELETE {}", finance("cloudhosts/web-1")), 503, "ServiceUnavailable");
    let problem = file(&Api::over(server), &rollout(), &[]).await.problem(409, "AlreadyExists");
    assert_eq!((&problem["field"], &problem["parameters"]["left"]), (&json!("items[1].host"), &json!("web-1")));
}

#[tokio::test]
async fn what_is_wrong_with_one_item_leaves_nothing_behind() {
    for (pointer, value, field) in [
        ("/items/1/host/class", json!("huge"), "items[1].host.class"),
        ("/items/1/host/system", json!("other"), "items[1].host.system"),
        ("/items/1/host/name", json!("web-1"), "items[1].host.name"),
        ("/items/0/host/name", json!("Web_1"), "items[0].host.name"),
        ("/items/0/host/architecture", json!("abacus"), "items[0].host.architecture"),
        ("/items", json!([]), "items"),
        ("/items", json!([{"host": order(), "action": "End"}]), "items[0].action"),
        ("/items", json!([{"host": order(), "name": "web-1"}]), "items[0].name"),
        ("/items", json!([{"action": "End"}]), "items[0].name"),
        ("/name", json!("A"), "name"),
    ] {
        let mut body = rollout();
        *body.pointer_mut(pointer).unwrap() = value;
        let api = Api::over(ready());
        let answer = file(&api, &body, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.json()["field"].as_str()), (422, Some(field)), "{}", answer.text());
        assert!(writes(&api).is_empty(), "{field}");
    }
}

#[tokio::test]
async fn where_an_order_of_the_name_is_there_no_host_is_created() {
    let api = Api::over(ready().on(&format!("GET {}", finance("orders/rollout")), 200, filed("7", &json!({}))));
    file(&api, &rollout(), &[]).await.problem(409, "AlreadyExists");
    assert!(writes(&api).is_empty(), "{:?}", brief(&api));
}

#[tokio::test]
async fn an_order_that_is_refused_itself_leaves_no_host() {
    let server =
        city().on(&post("cloudhosts"), 201, made("web-1", "u-1")).on(&post("cloudhosts"), 201, made("web-2", "u-2"));
    let server = server.refuse(&post("orders"), 403, "Forbidden");
    let server = server.on(&format!("DELETE {}", finance("cloudhosts/web-1")), 200, json!({}));
    let api = Api::over(server.on(&format!("DELETE {}", finance("cloudhosts/web-2")), 200, json!({})));
    assert!(file(&api, &rollout(), &[]).await.status.is_client_error());
    let expected =
        ["POST cloudhosts", "POST cloudhosts", "POST orders", "DELETE cloudhosts/web-1", "DELETE cloudhosts/web-2"];
    assert_eq!(brief(&api), expected);
}

#[tokio::test]
async fn the_same_asked_twice_at_once_takes_nothing_from_the_order_that_was_filed() {
    let items = |names: [&str; 2]| {
        let mut filed = filed("7", &json!({}));
        filed["spec"]["items"] =
            names.map(|name| json!({"kind": "CloudHost", "name": name, "action": "Create"})).into();
        filed
    };
    let there = format!("GET {}", finance("orders/rollout"));
    for (names, deleted) in [(["web-1", "web-2"], 0), (["web-1", "web-9"], 2)] {
        let server =
            city().on(&post("cloudhosts"), 201, made("web-1", "u-1")).refuse(&post("orders"), 409, "AlreadyExists");
        // It came while the hosts were made.
        let api = Api::over(server.refuse(&there, 404, "NotFound").on(&there, 200, items(names)));
        file(&api, &rollout(), &[]).await.problem(409, "AlreadyExists");
        assert_eq!(api.server.seen_with("DELETE").len(), deleted, "{:?}", brief(&api));
    }
}

#[tokio::test]
async fn after_an_unknown_outcome_everything_stays_and_the_address_is_told() {
    let server =
        ready().on(&post("cloudhosts"), 201, made("web-1", "u-1")).on(&post("cloudhosts"), 201, json!("what?"));
    let api = Api::over(server);
    let answer = file(&api, &rollout(), &[]).await;
    answer.problem(504, "OutcomeUnknown");
    assert_eq!(answer.header("location"), "/v1/departments/finance/orders/rollout");
    assert!(api.server.seen_with("DELETE").is_empty());
}

#[tokio::test]
async fn the_same_request_completes_what_was_left_half_done() {
    let api = Api::over(ready().on(&post("cloudhosts"), 201, made("web-1", "u-1")));
    file(&api, &rollout(), &[]).await;
    let mut first = made("web-1", "u-1");
    first["metadata"]["annotations"] = writes(&api)[0].body["metadata"]["annotations"].clone();
    let there = format!("GET {}", finance("cloudhosts/web-1"));
    let half =
        || ready().refuse(&post("cloudhosts"), 409, "AlreadyExists").on(&post("cloudhosts"), 201, made("web-2", "u-2"));
    let answer = file(&Api::over(half().on(&there, 200, first.clone())), &rollout(), &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    // A host of somebody else's is not taken for it.
    first["metadata"]["annotations"]["jiyun.io/request-digest"] = json!("0");
    let api = Api::over(half().on(&there, 200, first));
    let problem = file(&api, &rollout(), &[]).await.problem(409, "AlreadyExists");
    assert_eq!(problem["field"], "items[0].host");
}

#[tokio::test]
async fn what_was_begun_is_finished_though_its_caller_has_gone() {
    let api = Api::over(ready().on(&post("cloudhosts"), 201, made("web-1", "u-1")));
    // Looked at once, then given up: the connection was closed.
    assert!(file(&api, &rollout(), &[]).now_or_never().is_none(), "it is not answered at once");
    for _ in 0..1000 {
        if brief(&api).len() == 3 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(brief(&api).last().map(String::as_str), Some("POST orders"), "{:?}", brief(&api));
}

#[tokio::test]
async fn a_dry_run_tries_everything_and_writes_nothing() {
    let api = Api::over(ready().on(&post("cloudhosts"), 201, made("web-1", "u-1")));
    let asked = request(Method::POST, &format!("{ORDERS}?dryRun=true"), &[], &rollout().to_string());
    let answer = api.send(asked).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["order"]["name"], "rollout");
    assert_eq!(brief(&api), ["POST orders (dry)", "POST cloudhosts (dry)", "POST cloudhosts (dry)"]);
}

#[tokio::test]
async fn whoever_waits_is_told_what_the_platform_makes_of_it() {
    let there = format!("GET {}", finance("cloudhosts/web-1"));
    let mut refused = condition("Approved", "False", "ExceedsLimit", 1);
    refused["refusal"] = json!({"code": "ExceedsLimit", "parameters": [{"name": "meter", "value": "Vcpu"}]});
    for (how, status) in [
        (awaiting(), 202),
        (condition("Approved", "True", "Automatic", 1), 201),
        (condition("Accepted", "False", "EvidenceMissing", 1), 202),
        (refused, 409),
    ] {
        let told = json!({"type": "MODIFIED", "object": filed("8", &how)});
        let server = ready().on(&there, 200, host("1", &json!({}))).watch(&finance("orders"), &[told]);
        let answer = file(&Api::over(server), &ending(), &[("prefer", "wait=9")]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("preference-applied")),
            (status, "wait=9"),
            "{}",
            answer.text()
        );
        assert_eq!(answer.header("location"), "/v1/departments/finance/orders/rollout");
        if status == 409 {
            assert_eq!(answer.problem(409, "ExceedsLimit")["field"], "items");
        }
    }
}

#[tokio::test]
async fn the_same_key_finds_the_order_again() {
    let there = format!("GET {}", finance("cloudhosts/web-1"));
    let mut body = ending();
    body.as_object_mut().unwrap().remove("name");
    let first = Api::over(ready().on(&there, 200, host("1", &json!({}))));
    file(&first, &body, &[("idempotency-key", "k-1")]).await;
    let mut kept = filed("9", &awaiting());
    kept["metadata"]["name"] = writes(&first)[0].body["metadata"]["name"].clone();
    kept["metadata"]["annotations"] = writes(&first)[0].body["metadata"]["annotations"].clone();
    let name = kept["metadata"]["name"].as_str().unwrap().to_owned();
    let again = city().on(WHO, 201, user("alice")).on(&there, 200, host("1", &json!({})));
    let again = again.refuse(&post("orders"), 409, "AlreadyExists");
    let api = Api::over(again.on(&format!("GET {}", finance(&format!("orders/{name}"))), 200, kept));
    let answer = file(&api, &body, &[("idempotency-key", "k-1")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("idempotency-replayed")), (202, "true"), "{}", answer.text());
    assert_eq!(answer.json()["state"], "AwaitingApproval");
    body["justification"] = json!("另一事由");
    file(&api, &body, &[("idempotency-key", "k-1")]).await.problem(422, "IdempotencyKeyReused");
}
