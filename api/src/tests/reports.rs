//! Quota and usage out of the ledger.

use http::Method;
use jiyun_ledger::store::memory::MemoryStore;
use serde_json::json;

use super::{
    Answer, Api,
    book::{Bookkeeper, StillBook},
    request,
    stub::{ApiServer, cluster},
};
use crate::store::{Book, BookError, follower::FollowedBook};

const REVIEW: &str = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const QUOTA: &str = "/v1/departments/finance/quota";
const USAGE: &str = "/v1/departments/finance/usage";

fn review(allowed: bool) -> ApiServer {
    ApiServer::default().on(
        REVIEW,
        201,
        json!({"apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview", "spec": {}, "status": {"allowed": allowed}}),
    )
}

/// 4 processors handed over to web-1 on 11 November, seen on 21 November; a month of 30 days.
async fn november() -> StillBook {
    let keeper = Bookkeeper::open().await;
    keeper.turn_to("2026-11-10T16:00:00Z");
    keeper.hand_over("web-1", 4).await;
    StillBook::at(keeper.ledger.snapshot(), "2026-11-20T16:00:00Z")
}

async fn usage(query: &str, headers: &[(&str, &str)]) -> Answer {
    let api = Api::with_book(review(true), november().await);
    api.send(request(Method::GET, &format!("{USAGE}{query}"), headers, "")).await
}

#[tokio::test]
async fn quota_shows_limit_use_and_what_is_left_at_a_revision() {
    let api = Api::with_book(review(true), november().await);
    let answer = api.get(QUOTA).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert_eq!(body["department"], "finance");
    assert_eq!(body["asOf"], "2026-11-20T16:00:00Z");
    assert_eq!(body["revision"], 6);
    let expected = json!({"meter": "Vcpu", "unit": "vCPU", "limit": 16, "used": 4, "held": 0, "available": 12,
        "overLimit": false});
    assert_eq!(body["rows"], json!([expected]));
    let asked = &api.server.seen()[0].body["spec"]["resourceAttributes"];
    let expected = json!({"group": "jiyun.io", "version": "v1alpha1", "resource": "quotareports", "verb": "get",
        "namespace": "dept-finance", "name": "finance"});
    assert_eq!(*asked, expected);
    assert_eq!(api.server.seen()[0].headers["authorization"], super::TOKEN);
}

#[tokio::test]
async fn reports_the_caller_may_not_read_are_404_and_unread() {
    let api = Api::with_book(review(false), StillBook::away(BookError::CatchingUp));
    api.get(QUOTA).await.problem(404, "NotFound");
    api.get(USAGE).await.problem(404, "NotFound");
    let resources: Vec<_> =
        api.server.seen().iter().map(|seen| seen.body["spec"]["resourceAttributes"]["resource"].clone()).collect();
    assert_eq!(resources, ["quotareports", "statements"]);
}

#[tokio::test]
async fn operators_see_who_holds_a_pool_and_with_a_department_each_claim() {
    let keeper = Bookkeeper::open().await;
    keeper.hand_over("web-1", 4).await;
    keeper.hand_over("web-2", 2).await;
    let book = || StillBook::at(keeper.ledger.snapshot(), "2026-11-20T16:00:00Z");
    let api = Api::with_book(review(true), book());
    let answer = api.get("/v1/pools/compute/x86/holders").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert_eq!(body["meters"][0], json!({"meter": "Vcpu", "unit": "vCPU", "usable": 64, "taken": 6}));
    let holds = json!({"department": "finance", "displayName": "市财政局", "claimCount": 2,
        "amounts": [{"meter": "Vcpu", "unit": "vCPU", "quantity": 6}]});
    assert_eq!((&body["departments"], &body["waitingCount"]), (&json!([holds]), &json!(0)));
    let asked = &api.server.seen()[0].body["spec"]["resourceAttributes"];
    let expected = json!({"group": "jiyun.io", "version": "v1alpha1", "resource": "poolholders", "verb": "get",
        "name": "x86"});
    assert_eq!(*asked, expected);

    let one = api.get("/v1/pools/compute/x86/holders?department=finance").await.json();
    let claims = one["departments"][0]["claims"].as_array().unwrap();
    assert_eq!((claims.len(), &claims[0]["object"]), (2, &json!("CloudHost web-1")));
    assert_eq!(api.get("/v1/pools/compute/x86/holders?department=tax").await.json()["departments"], json!([]));
    api.get("/v1/pools/compute/x86/holders?department=-").await.problem(400, "InvalidParameter");
}

#[tokio::test]
async fn operators_see_whose_hosts_were_made_from_an_image_and_a_name_that_is_none_is_not_called_unused() {
    let keeper = Bookkeeper::open().await;
    keeper.hand_over("web-2", 2).await;
    keeper.hand_over("web-1", 4).await;
    let image = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "HostImage", "metadata": {"name": "new"},
        "spec": {"displayName": "欧拉", "operatingSystem": "openEuler", "architecture": "arm64", "minDisk": "20Gi",
            "source": {"http": {"url": "https://inner.example/image"}}}});
    let server = review(true).on(&format!("GET {}", cluster("hostimages/new")), 200, image);
    let api = Api::with_book(server, StillBook::at(keeper.ledger.snapshot(), "2026-11-20T16:00:00Z"));
    let body = api.get("/v1/images/openeuler/holders").await.json();
    assert_eq!((&body["hostCount"], &body["departments"][0]["department"]), (&json!(2), &json!("finance")));
    let hosts = body["departments"][0]["hosts"].as_array().unwrap();
    let told: Vec<_> = hosts.iter().map(|host| (host["host"].as_str(), host["stage"].as_str())).collect();
    assert_eq!(told, [(Some("web-1"), Some("Billable")), (Some("web-2"), Some("Billable"))]);
    let asked = &api.server.seen()[0].body["spec"]["resourceAttributes"];
    assert_eq!((&asked["resource"], &asked["name"]), (&json!("imageholders"), &json!("openeuler")));
    assert_eq!(api.server.seen().len(), 1, "an image that is deleted is told of by its hosts");

    assert_eq!(api.get("/v1/images/new/holders").await.json()["departments"], json!([]));
    api.get("/v1/images/mispelt/holders").await.problem(404, "NotFound");
    api.get("/v1/images/A_b/holders").await.problem(404, "NotFound");
    let closed = Api::with_book(review(false), StillBook::away(BookError::CatchingUp));
    closed.get("/v1/images/openeuler/holders").await.problem(404, "NotFound");
}

#[tokio::test]
async fn a_pool_that_is_not_there_and_one_that_may_not_be_seen_look_the_same() {
    let keeper = Bookkeeper::open().await;
    for (allowed, path) in [
        (true, "/v1/pools/compute/other/holders"),
        (true, "/v1/pools/storage/x86/holders"),
        (true, "/v1/pools/tape/x86/holders"),
        (false, "/v1/pools/compute/x86/holders"),
    ] {
        let api = Api::with_book(review(allowed), StillBook::at(keeper.ledger.snapshot(), "2026-11-20T16:00:00Z"));
        api.get(path).await.problem(404, "NotFound");
    }
}

#[tokio::test]
async fn a_review_the_api_server_refuses_is_401() {
    let api = Api::over(ApiServer::default().refuse(REVIEW, 401, "Unauthorized"));
    api.get(QUOTA).await.problem(401, "InvalidToken");
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_is_503_with_a_time_to_come_back() {
    for error in [BookError::CatchingUp, BookError::Stale { seconds: 99 }] {
        let api = Api::with_book(review(true), StillBook::away(error));
        let answer = api.get(USAGE).await;
        answer.problem(503, "LedgerUnavailable");
        assert_eq!(answer.header("retry-after"), "5");
    }
}

#[tokio::test]
async fn a_department_without_an_account_is_told_so() {
    let api = Api::with_book(review(true), StillBook::empty());
    api.get(QUOTA).await.problem(404, "UnknownAccount");
    api.get(USAGE).await.problem(404, "UnknownAccount");
}

#[tokio::test]
async fn a_month_that_is_not_over_is_provisional_and_its_amounts_are_the_ledgers() {
    let answer = usage("", &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert_eq!((&body["month"], &body["provisional"]), (&json!("2026-11"), &json!(true)));
    assert_eq!(body["asOf"], "2026-11-20T16:00:00Z");
    let line = &body["lines"][0];
    // 10 of 30 days of 4 processors at 45.00 a month.
    assert_eq!((&line["amount"], &line["price"]), (&json!("60.00"), &json!("45.00")));
    assert_eq!(line["unitSeconds"], "3456000");
    assert_eq!((&line["resource"], &line["system"]), (&json!("web-1"), &json!("portal")));
    assert_eq!((&line["architecture"], &line["zone"]), (&json!("amd64"), &json!("public")));
    assert_eq!(body["total"], "60.00");
    assert!(!answer.text().contains("x86"), "departments do not see pools");
}

#[tokio::test]
async fn a_past_month_is_final_and_a_future_one_is_refused() {
    let past = usage("?month=2026-10", &[]).await.json();
    assert_eq!((&past["provisional"], &past["lines"], &past["total"]), (&json!(false), &json!([]), &json!("0.00")));
    for month in ["2026-12", "2026-13", "2026-1", "11-2026", "2026-11-01", ""] {
        let document = usage(&format!("?month={month}"), &[]).await.problem(400, "InvalidMonth");
        assert_eq!(document["field"], "month");
    }
}

fn rows(answer: &Answer) -> Vec<Vec<String>> {
    let text = answer.body.strip_prefix(b"\xEF\xBB\xBF").expect("a byte order mark");
    assert!(!text.starts_with(b"\xEF\xBB\xBF"));
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn column(rows: &[Vec<String>], name: &str) -> usize {
    rows[0].iter().position(|cell| cell.contains(name)).unwrap_or_else(|| panic!("{name} in {:?}", rows[0]))
}

#[tokio::test]
async fn the_table_opens_in_a_spreadsheet_and_holds_no_formula() {
    for (query, accept) in [("?format=csv", ""), ("", "text/csv"), ("", "text/csv;q=1, application/json;q=0.5")] {
        let answer = usage(query, &[("accept", accept)]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
        assert_eq!(
            answer.header("content-disposition"),
            "attachment; filename=\"jiyun-usage-finance-2026-11-provisional.csv\""
        );
        let rows = rows(&answer);
        assert_eq!(rows.len(), 3, "{rows:?}");
        let cell = |row: usize, name: &str| rows[row][column(&rows, name)].as_str();
        assert_eq!(cell(1, "序号"), "1");
        assert_eq!(cell(1, "规格"), "'=c4m8");
        assert_eq!(cell(1, "预算单位"), "'+101");
        assert_eq!(cell(1, "单位名称"), "市财政局");
        assert_eq!(cell(1, "(from"), "2026-11-11 00:00:00");
        assert_eq!(cell(1, "(to"), "2026-11-21 00:00:00");
        assert_eq!(cell(1, "单价"), "45.00");
        assert_eq!(cell(1, "金额"), "60.00");
        assert_eq!((cell(2, "序号"), cell(2, "金额"), cell(2, "(state)")), ("合计", "60.00", "暂计"));
        assert!(!answer.text().contains("x86"));
    }
}

#[tokio::test]
async fn json_is_given_where_csv_is_not_asked_for_first() {
    for accept in ["application/json, text/csv", "*/*", "text/html"] {
        assert_eq!(usage("", &[("accept", accept)]).await.header("content-type"), "application/json");
    }
    usage("?format=xlsx", &[]).await.problem(400, "InvalidParameter");
}

#[tokio::test]
async fn use_without_a_price_is_shown_and_in_no_sum() {
    let keeper = Bookkeeper::open().await;
    let mut account = (**keeper.ledger.snapshot().account(&"finance".into()).unwrap()).clone();
    account.limits.clear();
    keeper.ledger.set_account(account).await.unwrap();
    let empty = jiyun_ledger::PriceBook {
        id: "no-prices".to_owned(),
        valid_from: "2026-11-14T16:00:00Z".parse().unwrap(),
        rates: Vec::new(),
    };
    keeper.ledger.set_prices(empty).await.unwrap();
    keeper.turn_to("2026-11-10T16:00:00Z");
    keeper.hand_over("web-1", 4).await;
    let book = StillBook::at(keeper.ledger.snapshot(), "2026-12-05T16:00:00Z");
    let api = Api::with_book(review(true), book);
    let body = api.get(&format!("{USAGE}?month=2026-11")).await.json();
    assert_eq!(body["unpriced"].as_array().map(Vec::len), Some(1), "{body}");
    assert_eq!(body["unpriced"][0]["priceList"], "no-prices");
    assert_eq!(body["total"], body["lines"][0]["amount"]);
    let table = api.get(&format!("{USAGE}?month=2026-11&format=csv")).await;
    let rows = rows(&table);
    let amount = column(&rows, "金额");
    assert_eq!(rows[2][amount], "未定价");
    assert_eq!(rows[3][column(&rows, "状态")], "不完整");
}

#[tokio::test]
async fn the_follower_is_read_once_it_has_caught_up() {
    let keeper = Bookkeeper::open().await;
    let book = FollowedBook::start(keeper.store.clone());
    book.caught_up().await;
    let reading = book.read().unwrap();
    assert_eq!(reading.state.seq(), keeper.ledger.revision());
    assert_eq!(reading.as_of.subsec_nanosecond(), 0);
    assert_eq!(book.revision(), keeper.ledger.revision());
    let api = Api::with_book(review(true), book);
    assert_eq!(api.get(QUOTA).await.json()["rows"][0]["limit"], 16);
}

#[tokio::test]
async fn a_follower_that_never_caught_up_has_nothing_to_show() {
    let store = MemoryStore::default();
    store.set_unreadable(true);
    let book = FollowedBook::start(store);
    assert_eq!(book.read().err(), Some(BookError::CatchingUp));
    assert_eq!(book.lag_seconds(), None);
    let api = Api::with_book(review(true), book);
    let ready = super::answer(api.private(), http::Request::get("/readyz").body(axum::body::Body::empty()).unwrap());
    assert_eq!(ready.await.status, 503);
}

#[tokio::test]
async fn figures_of_the_ledger_and_of_requests_are_measured() {
    let api = Api::with_book(review(true), november().await);
    api.get(QUOTA).await;
    api.get("/v1/departments/other-name/quota/../x").await;
    let metrics = http::Request::get("/metrics").body(axum::body::Body::empty()).unwrap();
    let text = super::answer(api.private(), metrics).await.text();
    for line in [
        "jiyun_api_ledger_revision 6",
        "jiyun_api_ledger_lag_seconds 0",
        "jiyun_api_requests_total{method=\"GET\",route=\"/v1/departments/{department}/quota\",status_class=\"2xx\"} 1",
        "route=\"none\"",
        "jiyun_api_request_duration_seconds_bucket",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("other-name"), "names must not become series: {text}");
}
