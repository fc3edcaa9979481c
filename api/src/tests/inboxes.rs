//! What waits for the caller in several departments: in those named, or wherever they may look.

use serde_json::{Value, json};

use super::{
    Api,
    approvals::{waits, zhao},
    book::{Bookkeeper, StillBook},
    stub::{ApiServer, WHO, cluster},
};
use crate::store::BookError;

const INBOX: &str = "/v1/inbox";

fn orders_of(department: &str) -> String {
    format!("GET /apis/jiyun.io/v1alpha1/namespaces/dept-{department}/orders")
}

fn page(orders: &[Value]) -> Value {
    json!({"metadata": {}, "items": orders})
}

/// The caller is zhao, who may list orders in finance and tax, and neither everywhere nor with the police.
fn server() -> ApiServer {
    ApiServer::default()
        .refuse(&format!("GET {}", cluster("orders")), 403, "Forbidden")
        .on(&orders_of("finance"), 200, page(&[waits("finance", "a", "2026-11-27T16:00:00Z")]))
        .on(&orders_of("tax"), 200, page(&[waits("tax", "b", "2026-11-24T16:00:00Z")]))
        .refuse(&orders_of("police"), 403, "Forbidden")
        .on(WHO, 201, zhao())
}

/// The same, and what the API server says about it.
fn reviewing() -> ApiServer {
    server().may("dept-finance", true).may("dept-tax", true).may("dept-police", false).may("dept-gone", false)
}

/// A ledger that knows these departments beside finance.
async fn book_of(departments: &[&str]) -> StillBook {
    let keeper = Bookkeeper::open().await;
    keeper.open_accounts(departments).await;
    StillBook::at(keeper.ledger.snapshot(), "2026-11-20T00:00:00Z")
}

async fn names(api: &Api, path: &str) -> Vec<(String, String)> {
    let answer = api.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = |item: &Value, field: &str| item[field].as_str().unwrap().to_owned();
    let items = answer.json()["items"].as_array().unwrap().clone();
    items.iter().map(|item| (text(item, "department"), text(item, "name"))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(department, name)| ((*department).to_owned(), (*name).to_owned())).collect()
}

fn reviews(api: &Api) -> Vec<Value> {
    let seen = api.server.seen().into_iter().filter(|seen| seen.path.ends_with("/selfsubjectaccessreviews"));
    seen.map(|seen| seen.body["spec"]["resourceAttributes"].clone()).collect()
}

#[tokio::test]
async fn whoever_may_see_the_orders_of_all_has_one_inbox_for_them() {
    let all = page(&[
        waits("tax", "later", "2026-11-27T16:00:00Z"),
        waits("finance", "soon", "2026-11-24T16:00:00Z"),
        waits("tax", "soon", "2026-11-24T16:00:00Z"),
    ]);
    let server = ApiServer::default().on(&format!("GET {}", cluster("orders")), 200, all).on(WHO, 201, zhao());
    let api = Api::over(server);
    assert_eq!(names(&api, INBOX).await, pairs(&[("finance", "soon"), ("tax", "soon"), ("tax", "later")]));
    assert!(reviews(&api).is_empty(), "nothing has to be found out");
}

#[tokio::test]
async fn whoever_names_departments_is_shown_those_alone() {
    let api = Api::over(server());
    assert_eq!(
        names(&api, "/v1/inbox?departments=finance,tax,finance").await,
        pairs(&[("tax", "b"), ("finance", "a")])
    );
    assert_eq!(names(&api, "/v1/inbox?departments=tax").await, pairs(&[("tax", "b")]));
    api.get("/v1/inbox?departments=finance,police").await.problem(404, "NotFound");
    for odd in ["", ",", "Finance", "a%2Fb", "..", "finance,%20tax"] {
        api.get(&format!("/v1/inbox?departments={odd}")).await.problem(400, "InvalidParameter");
    }
    let many = (0..65).map(|number| format!("d-{number}")).collect::<Vec<_>>().join(",");
    api.get(&format!("/v1/inbox?departments={many}")).await.problem(400, "InvalidParameter");
    api.get("/v1/inbox?department=finance").await.problem(400, "InvalidParameter");
}

#[tokio::test]
async fn whoever_names_none_is_shown_those_they_may_see_and_no_other() {
    let api = Api::with_book(reviewing(), book_of(&["tax", "police", "gone"]).await);
    assert_eq!(names(&api, INBOX).await, pairs(&[("tax", "b"), ("finance", "a")]));
    let asked = reviews(&api);
    assert_eq!(asked.len(), 4);
    for attributes in &asked {
        let right = [&attributes["verb"], &attributes["group"], &attributes["resource"], &attributes["name"]];
        assert_eq!(right, [&json!("list"), &json!("jiyun.io"), &json!("orders"), &Value::Null]);
    }
    let seen = api.server.seen();
    assert!(seen.iter().all(|seen| seen.headers["authorization"] == super::TOKEN), "asked in nobody else's name");
    assert!(!seen.iter().any(|seen| seen.path.contains("dept-police") || seen.path.contains("dept-gone")));
}

#[tokio::test]
async fn what_a_caller_may_see_is_asked_once_a_minute_and_of_each_caller() {
    let api = Api::with_book(reviewing(), book_of(&["tax", "police"]).await);
    for _ in 0..3 {
        assert_eq!(names(&api, INBOX).await.len(), 2);
    }
    assert_eq!(reviews(&api).len(), 3);
    let other = super::request(http::Method::GET, INBOX, &[], "");
    let (mut parts, body) = other.into_parts();
    parts.headers.insert("authorization", "Bearer bob.token".parse().unwrap());
    assert_eq!(api.send(http::Request::from_parts(parts, body)).await.status, 200);
    assert_eq!(reviews(&api).len(), 6);
}

#[tokio::test]
async fn looks_of_one_caller_at_the_same_time_ask_once() {
    let api = Api::with_book(reviewing(), book_of(&["tax", "police"]).await);
    let (one, two) = tokio::join!(names(&api, INBOX), names(&api, INBOX));
    assert_eq!((one.len(), two.len()), (2, 2));
    assert_eq!(reviews(&api).len(), 3);
}

#[tokio::test]
async fn a_right_that_was_lost_meanwhile_shows_nothing_and_breaks_nothing() {
    let server = reviewing()
        .on(&orders_of("law"), 200, page(&[waits("law", "c", "2026-11-23T16:00:00Z")]))
        .refuse(&orders_of("law"), 403, "Forbidden")
        .may("dept-law", true);
    let api = Api::with_book(server, book_of(&["law", "police", "tax"]).await);
    assert_eq!(names(&api, INBOX).await, pairs(&[("law", "c"), ("tax", "b"), ("finance", "a")]));
    assert_eq!(names(&api, INBOX).await, pairs(&[("tax", "b"), ("finance", "a")]));
}

#[tokio::test]
async fn whoever_may_look_nowhere_has_an_empty_inbox() {
    let server = server().may("dept-finance", false).may("dept-tax", false);
    let api = Api::with_book(server, book_of(&["tax"]).await);
    let answer = api.get(INBOX).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"items": [], "leases": []})));
}

#[tokio::test]
async fn a_question_without_an_answer_is_told_and_asked_again() {
    let reviews = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews dept-tax";
    let server = server().may("dept-finance", true).refuse(reviews, 503, "ServiceUnavailable").may("dept-tax", true);
    let api = Api::with_book(server, book_of(&["tax"]).await);
    api.get(INBOX).await.problem(503, "KubernetesUnavailable");
    assert_eq!(names(&api, INBOX).await.len(), 2);
    let refused = self::server().may("dept-finance", true).refuse(reviews, 403, "Forbidden");
    let problem = Api::with_book(refused, book_of(&["tax"]).await).get(INBOX).await.problem(500, "Internal");
    assert!(!problem.to_string().contains("tax"), "{problem}");
}

#[tokio::test]
async fn without_the_ledger_departments_can_still_be_named() {
    let api = Api::with_book(server(), StillBook::away(BookError::CatchingUp));
    api.get(INBOX).await.problem(503, "LedgerUnavailable");
    assert_eq!(names(&api, "/v1/inbox?departments=tax").await, pairs(&[("tax", "b")]));
}
