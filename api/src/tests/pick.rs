//! Lists that are picked from or put into another order, and the places in them.

use serde_json::{Value, json};

use super::{
    Answer, Api,
    stub::{ApiServer, condition, finance, host},
};

const HOSTS: &str = "/v1/departments/finance/hosts";

fn get_hosts() -> String {
    format!("GET {}", finance("cloudhosts"))
}

/// A host created at a second of the 20th of November.
fn named(name: &str, second: u32, status: &Value) -> Value {
    let mut host = host("7", status);
    host["metadata"]["name"] = json!(name);
    host["metadata"]["creationTimestamp"] = json!(format!("2026-11-20T01:{:02}:{:02}Z", second / 60, second % 60));
    host
}

fn list(items: &[Value], next: &str) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHostList",
        "metadata": {"continue": next, "resourceVersion": "9"}, "items": items})
}

/// Five hosts, read in two chunks.
fn five() -> ApiServer {
    let (granted, none) = (condition("Admitted", "True", "Granted", 1), json!({}));
    let first = [named("a", 3, &granted), named("b", 1, &none), named("c", 5, &granted)];
    let second = [named("d", 5, &none), named("e", 4, &granted)];
    ApiServer::default().on(&get_hosts(), 200, list(&first, "more")).on(&get_hosts(), 200, list(&second, ""))
}

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let items = answer.json()["items"].as_array().unwrap().clone();
    items.iter().map(|host| host["name"].as_str().unwrap().to_owned()).collect()
}

async fn place_after(server: ApiServer, query: &str) -> String {
    Api::over(server).get(&format!("{HOSTS}?{query}")).await.json()["continue"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn system_and_class_are_selected_by_the_api_server() {
    let api = Api::over(ApiServer::default().on(&get_hosts(), 200, list(&[named("a", 1, &json!({}))], "")));
    assert_eq!(names(&api.get(&format!("{HOSTS}?system=portal&class=c4m8&limit=7")).await), ["a"]);
    let seen = &api.server.seen()[0];
    let selector = "fieldSelector=spec.systemRef.name%3Dportal%2Cspec.classRef.name%3Dc4m8";
    assert!(seen.query.contains(selector) && seen.query.contains("limit=7"), "{}", seen.query);
}

#[tokio::test]
async fn a_name_that_could_be_more_than_one_selector_never_reaches_the_api_server() {
    let api = Api::over(ApiServer::default());
    for query in ["system=a,metadata.name=b", "class=a%3Db", "system=", "class=A", "state=Broken", "sort=created"] {
        api.get(&format!("{HOSTS}?{query}")).await.problem(400, "InvalidParameter");
    }
    assert!(api.server.seen().is_empty());
}

#[tokio::test]
async fn the_newest_come_first_and_pages_join_without_gap_or_overlap() {
    let mut place = String::new();
    let mut all = Vec::new();
    for (page, left) in [(0, json!(3)), (1, json!(1)), (2, Value::Null)] {
        let answer = Api::over(five()).get(&format!("{HOSTS}?sort=-created&limit=2{place}")).await;
        all.extend(names(&answer));
        assert_eq!(answer.json()["remaining"], left, "page {page}");
        match answer.json()["continue"].as_str() {
            Some(next) => place = format!("&continue={next}"),
            None => assert_eq!(page, 2),
        }
    }
    assert_eq!(all, ["c", "d", "e", "a", "b"], "two of one second go by name");
}

#[tokio::test]
async fn a_place_stays_where_it_is_though_the_host_before_it_is_gone() {
    let place = place_after(five(), "sort=-created&limit=2").await;
    let rest = [named("a", 3, &json!({})), named("e", 4, &json!({})), named("new", 9, &json!({}))];
    let api = Api::over(ApiServer::default().on(&get_hosts(), 200, list(&rest, "")));
    assert_eq!(names(&api.get(&format!("{HOSTS}?sort=-created&limit=2&continue={place}")).await), ["e", "a"]);
}

#[tokio::test]
async fn hosts_of_one_state_are_picked_from_all_in_the_order_asked_for() {
    let answer = Api::over(five()).get(&format!("{HOSTS}?state=Granted&limit=2")).await;
    assert_eq!(names(&answer), ["a", "c"]);
    let next = answer.json()["continue"].as_str().unwrap().to_owned();
    let answer = Api::over(five()).get(&format!("{HOSTS}?state=Granted&limit=2&continue={next}")).await;
    assert_eq!((names(&answer), answer.json().get("continue")), (vec!["e".to_owned()], None));
    let newest = Api::over(five()).get(&format!("{HOSTS}?state=Pending&sort=-created")).await;
    assert_eq!(names(&newest), ["d", "b"]);
    let api = Api::over(five());
    api.get(&format!("{HOSTS}?state=Granted&system=portal")).await;
    assert!(api.server.seen().iter().all(|seen| seen.query.contains("fieldSelector=spec.systemRef.name%3Dportal")));
    assert!(api.server.seen()[1].query.contains("continue=more"));
}

#[tokio::test]
async fn a_place_is_refused_by_another_list() {
    let place = place_after(five(), "sort=-created&limit=2").await;
    let by_name = place_after(five(), "limit=2").await;
    let other = "/v1/departments/health/hosts";
    for address in [
        format!("{HOSTS}?continue={place}"),
        format!("{HOSTS}?sort=-created&system=portal&continue={place}"),
        format!("{HOSTS}?sort=-created&state=Ready&continue={place}"),
        format!("{HOSTS}?sort=-created&continue={by_name}"),
        format!("{HOSTS}?class=c4m8&continue={by_name}"),
        format!("{other}?continue={by_name}"),
    ] {
        let api = Api::over(ApiServer::default());
        let document = api.get(&address).await.problem(400, "InvalidParameter");
        assert!(document["detailEn"].as_str().unwrap().contains("belongs to another list"), "{address}: {document}");
        assert!(api.server.seen().is_empty());
    }
    // How long a page is may change on the way.
    let api = Api::over(five());
    assert_eq!(api.get(&format!("{HOSTS}?sort=name&limit=9&continue={by_name}")).await.status, 200);
}

#[tokio::test]
async fn a_place_nobody_gave_is_refused() {
    let api = Api::over(ApiServer::default());
    for made_up in ["abc", "%20", "eyJsaXN0IjoieCJ9", "e30", "%00"] {
        api.get(&format!("{HOSTS}?continue={made_up}")).await.problem(400, "InvalidParameter");
    }
    assert!(api.server.seen().is_empty());
}

#[tokio::test]
async fn more_than_can_be_looked_through_is_422_and_reading_ends_there() {
    let chunk: Vec<_> = (0..500).map(|number| named(&format!("h-{number}"), 1, &json!({}))).collect();
    let api = Api::over(ApiServer::default().on(&get_hosts(), 200, list(&chunk, "more")));
    let document = api.get(&format!("{HOSTS}?sort=-created")).await.problem(422, "ListTooLong");
    assert_eq!(document["parameters"]["limit"], 5000);
    assert_eq!(api.server.seen().len(), 10);
    let api = Api::over(ApiServer::default().on(&get_hosts(), 200, list(&chunk, "more")));
    assert_eq!(api.get(HOSTS).await.status, 200, "by name, page by page, all can be read");
}

#[tokio::test]
async fn an_empty_selection_of_a_department_that_is_there_is_an_empty_list() {
    let empty = ApiServer::default().on(&get_hosts(), 200, list(&[], ""));
    let empty = empty.refuse(&format!("GET {}", super::stub::cluster("departments/finance")), 403, "Forbidden");
    assert_eq!(names(&Api::over(empty).get(&format!("{HOSTS}?state=Ready")).await), Vec::<String>::new());
    let missing = ApiServer::default().on(&get_hosts(), 200, list(&[], ""));
    Api::over(missing).get(&format!("{HOSTS}?state=Ready")).await.problem(404, "NotFound");
}
