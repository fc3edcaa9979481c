//! What a dry run tells beside the object: price, quota, whether it could be had, who would have to agree.

use std::sync::Arc;

use http::Method;
use jiyun_ledger::{
    Account, AccountId, AccountState, Dimensions, Entry, Event, Limit, Meter, Pool, PoolId, PoolKind, PoolState,
    Preference, PriceBook, PriceUnit, Rate, State,
};
use serde_json::{Value, json};

use super::{
    Answer, Api,
    book::StillBook,
    request,
    stub::{ApiServer, city, cluster, filed, finance, host, order},
};
use crate::store::BookError;

pub(super) const REVIEW: &str = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
pub(super) const NOW: &str = "2026-11-20T00:00:00Z";

fn account() -> Account {
    let limit = |meter, limit| Limit { meter, dimensions: Dimensions::default(), limit: Some(limit), guaranteed: 0 };
    Account {
        id: AccountId::new("finance"),
        display_name: "市财政局".to_owned(),
        parent: None,
        billing_account: "101".to_owned(),
        limits: vec![limit(Meter::Vcpu, 10), limit(Meter::BlockStorage, 1_048_576)],
        preference: Preference::default(),
        state: AccountState::Open,
    }
}

fn pool(kind: PoolKind, capacity: &[(Meter, u64)]) -> Pool {
    let is_compute = kind == PoolKind::Compute;
    Pool {
        id: PoolId::of(kind, "x86"),
        kind,
        site: "hub".to_owned(),
        zones: ["public".to_owned()].into(),
        architecture: is_compute.then(|| "amd64".to_owned()),
        tier: (!is_compute).then(|| "standard".to_owned()),
        provider: "provider".to_owned(),
        domestic: false,
        max_protection_level: 3,
        capacity: capacity.iter().copied().collect(),
        overcommit_percent: [].into(),
        reserve: [].into(),
        state: PoolState::Open,
    }
}

fn prices() -> PriceBook {
    let rate = |meter, unit, price: &str| Rate {
        meter,
        dimensions: Dimensions::default(),
        unit,
        price: price.parse().unwrap(),
    };
    PriceBook {
        id: "prices-2026".to_owned(),
        valid_from: "2025-12-31T16:00:00Z".parse().unwrap(),
        rates: vec![
            rate(Meter::Vcpu, PriceUnit::CoreMonth, "45.00"),
            rate(Meter::Memory, PriceUnit::GiBMonth, "16.00"),
            rate(Meter::BlockStorage, PriceUnit::GiBMonth, "0.105"),
        ],
    }
}

/// A ledger with the department `finance` (10 cores), a site with room for `cores`, and prices.
pub(super) fn ledger(cores: u64) -> Arc<State> {
    let compute = [(Meter::Hosts, 100), (Meter::Vcpu, cores), (Meter::Memory, 65_536)];
    let mut state = State::default();
    let events = vec![
        Event::AccountSet { account: account() },
        Event::PoolSet { pool: pool(PoolKind::Compute, &compute) },
        Event::PoolSet { pool: pool(PoolKind::Storage, &[(Meter::BlockStorage, 10_485_760)]) },
        Event::PricesSet { book: prices() },
    ];
    state.apply(&Entry { seq: 1, at: "2026-11-01T00:00:00Z".parse().unwrap(), epoch: 1, events }).unwrap();
    Arc::new(state)
}

pub(super) fn review(allowed: bool) -> Value {
    json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "metadata": {}, "spec": {},
        "status": {"allowed": allowed}})
}

/// Whoever may order and read the quota.
fn server() -> ApiServer {
    city()
        .on(&format!("POST {}", finance("cloudhosts")), 201, host("", &json!({})))
        .on(&format!("POST {}", finance("orders")), 201, filed("", &json!({})))
        .on(REVIEW, 201, review(true))
        .refuse(&format!("GET {}", cluster("approvalpolicies")), 403, "Forbidden")
}

async fn tried(server: ApiServer, cores: u64, path: &str, body: &Value) -> Answer {
    let api = Api::with_book(server, StillBook::at(ledger(cores), NOW));
    let path = format!("/v1/departments/finance/{path}?dryRun=true");
    let answer = api.send(request(Method::POST, &path, &[("accept-language", "en")], &body.to_string())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

/// An order for this many hosts of 4 cores, 8 GiB and 100 GiB of disk.
fn rollout(hosts: usize) -> Value {
    let item = |number: usize| {
        let mut host = order();
        host["name"] = json!(format!("web-{number}"));
        json!({"host": host})
    };
    json!({"name": "rollout", "system": "portal", "items": (0..hosts).map(item).collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_preview_tells_price_and_quota_of_one_revision() {
    let estimate = tried(server(), 64, "hosts", &order()).await.json()["estimate"].clone();
    assert_eq!((&estimate["revision"], &estimate["asOf"]), (&json!(1), &json!(NOW)));
    assert_eq!((&estimate["fits"], &estimate["refusal"]), (&json!(true), &Value::Null));
    let price = &estimate["price"];
    let amounts: Vec<_> =
        price["lines"].as_array().unwrap().iter().map(|line| (&line["meter"], &line["amount"])).collect();
    // 100 GiB at 0.105 yuan: rounded once, to the fen.
    let expected = [("Vcpu", "180.00"), ("Memory", "128.00"), ("BlockStorage", "10.50")];
    for (meter, amount) in expected {
        assert!(amounts.contains(&(&json!(meter), &json!(amount))), "{meter}: {amounts:?}");
    }
    assert_eq!(
        (&price["total"], &price["currency"], &price["priceList"]),
        (&json!("318.50"), &json!("CNY"), &json!("prices-2026"))
    );
    assert_eq!(price["unpriced"], json!([{"resource": "web-1", "meter": "Hosts"}]), "never taken for free");
    let vcpu =
        json!({"meter": "Vcpu", "unit": "vCPU", "limit": 10, "before": 10, "requested": 4, "after": 6, "missing": 0});
    assert!(estimate["quota"].as_array().unwrap().contains(&vcpu), "{estimate}");
    assert_eq!((&estimate["approvals"], &estimate["approvalsUnknown"]), (&Value::Null, &json!("NotPublished")));
    assert!(!estimate.to_string().contains("x86"), "pools are the platform's business: {estimate}");
}

#[tokio::test]
async fn hosts_of_one_order_are_weighed_together() {
    let two = tried(server(), 64, "orders", &rollout(2)).await.json()["estimate"].clone();
    assert_eq!((&two["fits"], &two["price"]["total"]), (&json!(true), &json!("637.00")));
    let three = tried(server(), 64, "orders", &rollout(3)).await.json()["estimate"].clone();
    assert_eq!((&three["fits"], &three["refusal"]["code"]), (&json!(false), &json!("ExceedsLimit")));
    assert_eq!(three["refusal"]["parameters"]["missing"], 2);
    assert!(three["refusal"]["detail"].as_str().unwrap().contains("quota"), "{three}");
    let vcpu =
        json!({"meter": "Vcpu", "unit": "vCPU", "limit": 10, "before": 10, "requested": 12, "after": 0, "missing": 2});
    assert!(three["quota"].as_array().unwrap().contains(&vcpu), "{three}");
    assert_eq!(three["price"]["total"], "955.50", "what it would cost is told all the same");
}

#[tokio::test]
async fn without_room_a_host_would_wait_in_line_and_what_people_decide_would_be_refused() {
    let host = tried(server(), 3, "hosts", &order()).await.json()["estimate"].clone();
    assert_eq!(host["fits"], false);
    assert_eq!(host["refusal"]["code"], "PoolExhausted", "a pool of 3 cores has never room for 4");
    let full = tried(server(), 7, "orders", &rollout(2)).await.json()["estimate"].clone();
    assert_eq!((&full["fits"], &full["refusal"]["code"]), (&json!(false), &json!("PoolExhausted")));
}

#[tokio::test]
async fn whoever_may_not_read_the_quota_or_finds_no_ledger_gets_a_preview_without_figures() {
    let base = || city().on(&format!("POST {}", finance("cloudhosts")), 201, host("", &json!({})));
    let answer = tried(base().on(REVIEW, 201, review(false)), 64, "hosts", &order()).await;
    assert_eq!(answer.json()["estimate"], Value::Null);
    let away = Api::with_book(base().on(REVIEW, 201, review(true)), StillBook::away(BookError::CatchingUp));
    let path = "/v1/departments/finance/hosts?dryRun=true";
    let answer = away.send(request(Method::POST, path, &[], &order().to_string())).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["estimate"]), (200, &Value::Null));
}

#[tokio::test]
async fn a_preview_tells_who_would_have_to_agree_by_the_departments_own_report() {
    let report = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "QuotaReport",
    "metadata": {"name": "finance", "namespace": "dept-finance"}, "spec": {"departmentRef": {"name": "finance"}},
    "status": {"approvals": {"approvers": ["leaders"], "policies": [{
        "name": "routine", "minProtectionLevel": 1, "quota": "Any",
        "automatic": {"vcpu": 4, "memory": "64Gi", "blockStorage": "1Ti"},
        "levels": [{"rank": 10, "level": {"name": "leader", "groups": ["leaders"], "mode": "Any", "workingDays": 3}}],
    }]}}});
    let knowing = || {
        let server = city().on(&format!("POST {}", finance("cloudhosts")), 201, host("", &json!({}))).on(
            &format!("POST {}", finance("orders")),
            201,
            filed("", &json!({})),
        );
        let reports = format!("GET {}", finance("quotareports/finance"));
        server.on(REVIEW, 201, review(true)).on(&reports, 200, report.clone())
    };
    let one = tried(knowing(), 64, "hosts", &order()).await.json()["estimate"]["approvals"].clone();
    assert_eq!((&one["automatic"], &one["policies"], &one["levels"]), (&json!(true), &json!(["routine"]), &json!([])));
    let two = tried(knowing(), 64, "orders", &rollout(2)).await.json()["estimate"]["approvals"].clone();
    assert_eq!(two["automatic"], false);
    assert_eq!((&two["levels"][0]["groups"], &two["levels"][0]["workingDays"]), (&json!(["leaders"]), &json!(3)));
}
