//! Deciding about orders, and what waits to be decided.

use http::Method;
use jiyun_crds::v1alpha1::Approval;
use serde_json::{Value, json};

use super::{
    Answer, Api, request,
    stub::{ApiServer, WHO, awaiting, cluster, condition, filed, finance, status, user},
};
use crate::app::name_from;

const APPROVALS: &str = "/v1/departments/finance/orders/rollout/approvals";
const INBOX: &str = "/v1/departments/finance/inbox";

/// The caller is zhao, and the order stands so.
fn desk(how: &Value) -> ApiServer {
    let order = filed("7", how);
    ApiServer::default().on(&format!("GET {}", finance("orders/rollout")), 200, order).on(WHO, 201, user("zhao"))
}

fn post() -> String {
    format!("POST {}", finance("approvals"))
}

fn own_name() -> String {
    name_from::<Approval>(&["o-1", "leader", "zhao"])
}

fn approval(name: &str, decision: &str) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "Approval",
        "metadata": {"name": name, "creationTimestamp": "2026-11-20T02:00:00Z",
            "annotations": {"jiyun.io/requested-by": "zhao"}},
        "spec": {"orderRef": {"name": "rollout"}, "orderUid": "o-1", "digest": "sha256:d1", "level": "leader",
            "decision": decision, "reason": ""}})
}

async fn decide(api: &Api, body: &Value) -> Answer {
    api.send(request(Method::POST, APPROVALS, &[("accept-language", "en")], &body.to_string())).await
}

#[tokio::test]
async fn a_decision_is_bound_to_the_order_as_it_was_looked_at() {
    let api = Api::over(desk(&awaiting()).on(&post(), 201, approval("a-1", "Approve")));
    let answer = decide(&api, &json!({"decision": "Approve", "digest": "sha256:d1"})).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!((&answer.json()["user"], &answer.json()["decision"]), (&json!("zhao"), &json!("Approve")));
    let sent = api.server.seen().into_iter().find(|seen| seen.path == finance("approvals")).unwrap();
    assert_eq!(sent.headers["authorization"], super::TOKEN);
    assert_eq!(sent.body["metadata"]["name"], own_name());
    let spec = json!({"orderRef": {"name": "rollout"}, "orderUid": "o-1", "digest": "sha256:d1", "level": "leader",
        "decision": "Approve", "reason": ""});
    assert_eq!(sent.body["spec"], spec);
}

#[tokio::test]
async fn what_was_not_looked_at_is_not_decided() {
    let api = Api::over(desk(&awaiting()));
    decide(&api, &json!({"decision": "Approve", "digest": "sha256:d0"})).await.problem(409, "OrderChanged");
    decide(&api, &json!({"decision": "Refuse"})).await.problem(422, "InvalidField");
    decide(&api, &json!({"decision": "Maybe"})).await.problem(422, "InvalidField");
    assert!(api.server.seen().iter().all(|seen| seen.path != finance("approvals")));
}

#[tokio::test]
async fn deciding_the_same_again_is_harmless_and_otherwise_it_is_refused() {
    let own = format!("GET {}", finance(&format!("approvals/{}", own_name())));
    let again = || desk(&awaiting()).refuse(&post(), 409, "AlreadyExists");
    let api = Api::over(again().on(&own, 200, approval(&own_name(), "Approve")));
    let answer = decide(&api, &json!({"decision": "Approve"})).await;
    assert_eq!((answer.status.as_u16(), answer.header("idempotency-replayed")), (200, "true"), "{}", answer.text());
    let refuse = json!({"decision": "Refuse", "reason": "no"});
    decide(&api, &refuse).await.problem(409, "AlreadyDecided");
}

#[tokio::test]
async fn a_repeat_finds_the_decision_even_once_the_order_has_gone_on() {
    for mut how in [condition("Approved", "True", "Approved", 1), awaiting()] {
        how["decisions"] = json!([{"approval": "a-1", "level": "office", "user": "zhao", "decision": "Approve",
            "at": "2026-11-20T02:00:00Z"}]);
        let mine = format!("GET {}", finance("approvals/a-1"));
        let api = Api::over(desk(&how).on(&mine, 200, approval("a-1", "Approve")));
        let answer = decide(&api, &json!({"decision": "Approve"})).await;
        assert_eq!((answer.status.as_u16(), answer.header("idempotency-replayed")), (200, "true"), "{}", answer.text());
        assert_eq!(answer.json()["counts"], true);
        decide(&api, &json!({"decision": "Refuse", "reason": "no"})).await.problem(409, "AlreadyDecided");
    }
}

#[tokio::test]
async fn what_is_not_open_cannot_be_decided() {
    for (how, state) in [
        (json!({}), "Filed"),
        (condition("Approved", "False", "OrderExpired", 1), "Expired"),
        (condition("Approved", "True", "Automatic", 1), "Approved"),
    ] {
        let api = Api::over(desk(&how));
        let problem = decide(&api, &json!({"decision": "Approve"})).await.problem(409, "OrderNotOpen");
        assert_eq!(problem["parameters"]["state"], state);
    }
}

#[tokio::test]
async fn whoever_may_not_decide_is_told_why() {
    let mut refused = status(422, "Invalid", &json!({"causes": [{"message": "odd"}]}));
    refused["message"] =
        "approvals.jiyun.io \"a\" is forbidden: ValidatingAdmissionPolicy 'jiyun-approvals' with binding \
         'jiyun-approvals' denied request: 您没有 city 级次的审批权限 (you may not approve at level city)"
            .into();
    refused["details"]["causes"][0]["message"] = refused["message"].clone();
    let api = Api::over(desk(&awaiting()).on(&post(), 422, refused));
    let problem = decide(&api, &json!({"decision": "Approve"})).await.problem(403, "MayNotApprove");
    assert!(problem["detail"].as_str().unwrap().contains("you may not approve at level city"), "{problem}");
    let department = format!("GET {}", cluster("departments/finance"));
    let reader = desk(&awaiting()).refuse(&post(), 403, "Forbidden").refuse(&department, 403, "Forbidden");
    decide(&Api::over(reader), &json!({"decision": "Approve"})).await.problem(403, "Forbidden");
    let hidden = ApiServer::default().refuse(&format!("GET {}", finance("orders/rollout")), 403, "Forbidden");
    decide(&Api::over(hidden), &json!({"decision": "Approve"})).await.problem(404, "NotFound");
}

#[tokio::test]
async fn an_answer_that_is_lost_is_told_as_such() {
    let lost = desk(&awaiting()).on(&post(), 201, json!("what?"));
    decide(&Api::over(lost), &json!({"decision": "Approve"})).await.problem(504, "OutcomeUnknown");
}

#[tokio::test]
async fn a_list_of_approvals_says_which_of_them_count() {
    let mut how = awaiting();
    how["decisions"] = json!([{"approval": "a-1", "level": "office", "user": "zhao", "decision": "Approve",
        "at": "2026-11-20T02:00:00Z"}]);
    how["ignored"] = json!([{"approval": "a-2", "code": "NotEntitled"}]);
    let page = json!({"metadata": {}, "items": (["a-1", "a-2", "a-3"].map(|name| approval(name, "Approve")))});
    let api = Api::over(desk(&how).on(&format!("GET {}", finance("approvals")), 200, page));
    let items = api.get(APPROVALS).await.json()["items"].clone();
    assert_eq!(
        (&items[0]["counts"], &items[1]["counts"], &items[2]["counts"]),
        (&json!(true), &json!(false), &json!(null))
    );
    assert_eq!(items[1]["ignored"], "NotEntitled");
    let seen = api.server.seen();
    assert!(seen.iter().any(|seen| seen.query.contains("fieldSelector=spec.orderRef.name%3Drollout")));
}

#[tokio::test]
async fn the_inbox_holds_what_the_caller_may_decide_the_nearest_deadline_first() {
    let order = |name: &str, change: &Value| {
        let mut order = filed("7", &awaiting());
        order["metadata"]["name"] = json!(name);
        order["status"].as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        order
    };
    let decided = json!({"decisions": [{"approval": "a-1", "level": "leader", "user": "zhao", "decision": "Approve",
        "at": "2026-11-20T02:00:00Z"}]});
    let page = json!({"metadata": {}, "items": [
        order("later", &json!({"deadline": "2026-11-27T16:00:00Z"})),
        order("soon", &json!({"deadline": "2026-11-24T16:00:00Z"})),
        order("others", &json!({"groups": ["city"]})),
        order("own", &json!({"applicants": ["zhao"]})),
        order("for-others", &json!({"groups": ["city"], "deputies": ["zhao"], "deadline": "2026-11-30T16:00:00Z"})),
        order("own-for-others", &json!({"groups": ["city"], "deputies": ["zhao"], "applicants": ["zhao"]})),
        order("decided", &decided),
    ]});
    let mut who = user("zhao");
    who["status"]["userInfo"]["groups"] = json!(["leaders", "system:authenticated"]);
    let server = ApiServer::default().on(&format!("GET {}", finance("orders")), 200, page).on(WHO, 201, who);
    let api = Api::over(server);
    let items = api.get(INBOX).await.json()["items"].clone();
    let names: Vec<_> = items.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["soon", "later", "for-others"]);
    assert_eq!(items[0]["turn"]["deadline"], "2026-11-24T16:00:00Z");
    assert!(api.server.seen().iter().any(|seen| seen.query.contains("status.level%21%3D")));
}

#[tokio::test]
async fn an_inbox_of_a_department_one_may_not_see_is_404() {
    let hidden = ApiServer::default().on(WHO, 201, user("zhao"));
    Api::over(hidden.refuse(&format!("GET {}", finance("orders")), 403, "Forbidden"))
        .get(INBOX)
        .await
        .problem(404, "NotFound");
}

/// An order of `department` that waits for zhao.
pub(super) fn waits(department: &str, name: &str, deadline: &str) -> Value {
    let mut order = filed("7", &awaiting());
    order["metadata"]["namespace"] = json!(format!("dept-{department}"));
    order["metadata"]["name"] = json!(name);
    order["status"]["deadline"] = json!(deadline);
    order
}

pub(super) fn zhao() -> Value {
    let mut who = user("zhao");
    who["status"]["userInfo"]["groups"] = json!(["leaders"]);
    who
}

#[tokio::test]
async fn an_inbox_says_whether_the_time_of_the_level_is_over() {
    let escalated = |groups: Value| {
        let mut order = waits("finance", "a", "2026-11-27T16:00:00Z");
        order["status"]["levels"][0]["escalateTo"] = json!(["deputies"]);
        order["status"]["groups"] = groups;
        json!({"metadata": {}, "items": [order]})
    };
    for (groups, expected) in [(json!(["leaders"]), false), (json!(["deputies", "leaders"]), true)] {
        let server = ApiServer::default().on(&format!("GET {}", finance("orders")), 200, escalated(groups));
        let items = Api::over(server.on(WHO, 201, zhao())).get(INBOX).await.json()["items"].clone();
        assert_eq!(items[0]["turn"]["escalated"], expected);
    }
}
