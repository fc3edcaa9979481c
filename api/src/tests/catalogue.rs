//! The catalogue.

use serde_json::{Value, json};

use super::{
    Api,
    stub::{ApiServer, cluster},
};

fn list(kind: &str, next: &str, items: &[Value]) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": format!("{kind}List"), "metadata": {"continue": next},
        "items": items})
}

fn price_list(name: &str, from: &str) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "PriceList", "metadata": {"name": name},
    "spec": {"validFrom": from, "currency": "CNY",
        "items": [
            {"meter": "Vcpu", "unit": "CoreMonth", "price": "45.00"},
            {"meter": "ObjectStorage", "tier": "standard", "unit": "GiBMonth", "price": "0.08"},
        ]}})
}

fn class(name: &str) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "HostClass", "metadata": {"name": name},
        "spec": {"displayName": "4C8G", "series": "General", "vcpu": 4, "memory": "8Gi", "architectures": ["arm64"]}})
}

fn catalogue() -> ApiServer {
    let image = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "HostImage", "metadata": {"name": "openeuler"},
        "spec": {"displayName": "欧拉", "operatingSystem": "openEuler", "architecture": "arm64", "minDisk": "20Gi",
            "source": {"http": {"url": "https://inner.example/image"}}}});
    let of_state = |name: &str, state: &str| {
        let mut other = image.clone();
        other["metadata"]["name"] = json!(name);
        other["spec"]["lifecycle"] = json!(state);
        other["spec"]["replacedBy"] = json!({"name": "openeuler"});
        other
    };
    let (older, oldest) = (of_state("older", "Deprecated"), of_state("oldest", "Retired"));
    let database = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "DatabaseClass", "metadata": {"name": "pg-2c8g"},
        "spec": {"displayName": "2C8G", "engine": "Postgresql", "vcpu": 2, "memory": "8Gi", "architectures": ["arm64"],
            "versions": [{"version": "17", "image": "inner.example/postgresql:17.6"}]}});
    let lists = [
        price_list("long-ago", "2020-01-01T00:00:00+08:00"),
        price_list("now", "2021-01-01T00:00:00+08:00"),
        price_list("nonsense", "soon"),
        price_list("far", "9000-01-01T00:00:00+08:00"),
        price_list("next", "8000-01-01T00:00:00+08:00"),
    ];
    let get = |plural: &str| format!("GET {}", cluster(plural));
    ApiServer::default()
        .on(&get("hostclasses"), 200, list("HostClass", "more", &[class("c8")]))
        .on(&get("hostclasses"), 200, list("HostClass", "", &[class("c4")]))
        .on(&get("databaseclasses"), 200, list("DatabaseClass", "", &[database]))
        .on(&get("hostimages"), 200, list("HostImage", "", &[oldest, older, image]))
        .on(&get("networkzones"), 200, list("NetworkZone", "", &[]))
        .on(&get("pricelists"), 200, list("PriceList", "", &lists))
}

#[tokio::test]
async fn the_catalogue_is_read_whole_and_shows_the_prices_in_force() {
    let api = Api::over(catalogue());
    let answer = api.get("/v1/catalogue").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    let names: Vec<_> = body["classes"].as_array().unwrap().iter().map(|class| class["name"].clone()).collect();
    assert_eq!(names, ["c4", "c8"]);
    let images: Vec<_> = body["images"].as_array().unwrap().iter().map(|image| image["name"].clone()).collect();
    assert_eq!(images, ["older", "openeuler"], "what was retired cannot be ordered");
    let (older, newer) = (&body["images"][0], &body["images"][1]);
    assert_eq!((&older["lifecycle"], &older["replacedBy"]), (&json!("Deprecated"), &json!("openeuler")));
    assert_eq!((&newer["lifecycle"], &newer["replacedBy"]), (&json!("Offered"), &json!(null)));
    assert_eq!(body["databaseClasses"][0]["versions"], json!(["17"]));
    assert_eq!(body["prices"]["name"], "now");
    let objects = json!({"meter": "ObjectStorage", "tier": "standard", "unit": "GiBMonth", "price": "0.08"});
    assert_eq!(body["prices"]["items"][1], objects);
    let upcoming: Vec<_> = body["upcomingPrices"].as_array().unwrap().iter().map(|list| list["name"].clone()).collect();
    assert_eq!(upcoming, ["next", "far"]);
    assert!(!answer.text().contains("inner.example"), "where images come from is the platform's business");
    assert!(api.server.seen().iter().all(|seen| seen.headers["authorization"] == super::TOKEN));
}

#[tokio::test]
async fn a_catalogue_the_caller_may_not_see_is_404() {
    let closed = ApiServer::default().refuse(&format!("GET {}", cluster("hostclasses")), 403, "Forbidden");
    Api::over(closed).get("/v1/catalogue").await.problem(404, "NotFound");
}
