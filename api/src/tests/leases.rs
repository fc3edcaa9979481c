//! Leases of hosts: asked for, shown, previewed, and in the inbox of whoever can do something about them.

use http::Method;
use serde_json::{Value, json};

use super::{
    Answer, Api,
    approvals::zhao,
    request,
    stub::{ApiServer, WHO, city, cluster, finance, host, order},
};

const END: &str = "2027-01-01T00:00:00Z";

/// A host of `department` whose lease has come to `stage`, and that `asked` for it.
fn lent(department: &str, name: &str, stage: &str, ends_at: &str, asked: &str) -> Value {
    let mut object = host("7", &json!({"claimId": "claim-1", "lease": {"stage": stage, "endsAt": ends_at}}));
    object["metadata"]["name"] = json!(name);
    object["metadata"]["namespace"] = json!(format!("dept-{department}"));
    object["metadata"]["annotations"] = json!({"jiyun.io/requested-by": asked});
    object["spec"]["lease"] = json!({"endsAt": ends_at});
    object
}

fn hosts_of(department: &str) -> String {
    format!("GET /apis/jiyun.io/v1alpha1/namespaces/dept-{department}/cloudhosts")
}

/// Without an order; with these hosts.
fn server(finance: &[Value], tax: &[Value]) -> ApiServer {
    let page = |items: &[Value]| json!({"metadata": {}, "items": items});
    let orders = |department: &str| format!("GET /apis/jiyun.io/v1alpha1/namespaces/dept-{department}/orders");
    ApiServer::default()
        .on(WHO, 201, zhao())
        .on(&orders("finance"), 200, page(&[]))
        .on(&orders("tax"), 200, page(&[]))
        .on(&hosts_of("finance"), 200, page(finance))
        .on(&hosts_of("tax"), 200, page(tax))
        .on(&format!("GET {}", cluster("departments/finance")), 200, json!({}))
        .on(&format!("GET {}", cluster("departments/tax")), 200, json!({}))
}

async fn leases(api: &Api, path: &str) -> Vec<(String, String)> {
    let answer = api.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = answer.json()["leases"].as_array().unwrap().clone();
    rows.iter().map(|row| (text(&row["department"]), text(&row["host"]))).collect()
}

fn pair(department: &str, name: &str) -> (String, String) {
    (department.to_owned(), name.to_owned())
}

#[tokio::test]
async fn leases_that_end_are_shown_to_whoever_asked_for_the_host_or_may_change_it() {
    let own = lent("finance", "own", "Warned", "2027-01-02T00:00:00Z", "zhao");
    let other = lent("finance", "other", "Ended", END, "qian");
    let theirs = lent("tax", "theirs", "Archived", "2026-11-01T00:00:00Z", "qian");
    let both = "/v1/inbox?departments=finance,tax";
    let of = |finance, tax| {
        Api::over(
            server(&[own.clone(), other.clone()], std::slice::from_ref(&theirs))
                .may("dept-finance", finance)
                .may("dept-tax", tax),
        )
    };
    let api = of(true, false);
    assert_eq!(leases(&api, both).await, [pair("finance", "other"), pair("finance", "own")], "the nearest end first");
    assert_eq!(leases(&of(false, true), both).await, [pair("tax", "theirs"), pair("finance", "own")]);
    assert_eq!(leases(&of(true, true), "/v1/departments/finance/inbox").await.len(), 2);
    let looks = api.server.seen().into_iter().filter(|seen| seen.path.ends_with("/cloudhosts"));
    for seen in looks {
        assert!(seen.query.contains("fieldSelector=status.lease.stage"), "the API server selects: {}", seen.query);
    }
    let asked = api.server.seen().into_iter().filter(|seen| seen.path.ends_with("/selfsubjectaccessreviews"));
    let rights: Vec<_> = asked.map(|seen| seen.body["spec"]["resourceAttributes"]["verb"].clone()).collect();
    assert_eq!(rights, ["patch", "patch"], "once a department");
}

#[tokio::test]
async fn nothing_is_asked_where_every_lease_is_ones_own_and_none_ends() {
    let own = lent("finance", "own", "Warned", END, "zhao");
    let api = Api::over(server(&[own], &[]));
    assert_eq!(leases(&api, "/v1/inbox?departments=finance,tax").await, [pair("finance", "own")]);
    assert!(!api.server.seen().iter().any(|seen| seen.path.ends_with("/selfsubjectaccessreviews")));
    // Whoever may not list hosts has an inbox of orders all the same.
    let closed = server(&[], &[]).refuse(&hosts_of("law"), 403, "Forbidden").on(
        "GET /apis/jiyun.io/v1alpha1/namespaces/dept-law/orders",
        200,
        json!({"metadata": {}, "items": []}),
    );
    let closed = closed.on(&format!("GET {}", cluster("departments/law")), 200, json!({}));
    assert!(leases(&Api::over(closed), "/v1/inbox?departments=law").await.is_empty());
}

async fn change(api: &Api, body: &Value) -> Answer {
    let path = "/v1/departments/finance/hosts/web-1?dryRun=true";
    let mut wish = request(Method::PATCH, path, &[], &body.to_string());
    wish.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    api.send(wish).await
}

#[tokio::test]
async fn an_order_and_a_change_carry_the_end_and_null_takes_it_away() {
    let api = Api::over(city().on(&format!("POST {}", finance("cloudhosts")), 201, host("7", &json!({}))));
    let mut lent = order();
    lent["lease"] = json!({"endsAt": END});
    let answer = api.send(request(Method::POST, "/v1/departments/finance/hosts", &[], &lent.to_string())).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let post = api.server.seen_with("POST").into_iter().find(|seen| seen.path == finance("cloudhosts")).unwrap();
    assert_eq!(post.body["spec"]["lease"], json!({"endsAt": END}));

    let mut later = self::lent("finance", "web-1", "Running", END, "zhao");
    later["spec"]["lease"] = json!({"endsAt": "2028-01-01T00:00:00Z"});
    let patched = || format!("PATCH {}", finance("cloudhosts/web-1"));
    let api = Api::over(city().on(&patched(), 200, later));
    let answer = change(&api, &json!({"lease": {"endsAt": "2028-01-01T00:00:00Z"}})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    assert_eq!(told["change"]["decided"], json!(["lease.endsAt"]));
    assert_eq!(told["change"]["approvals"], Value::Null, "who, is not known without the books");
    assert_eq!(
        (&told["host"]["lease"]["endsAt"], &told["host"]["lease"]["grantedUntil"]),
        (&json!("2028-01-01T00:00:00Z"), &json!(END))
    );
    assert_eq!(api.server.seen()[0].body["spec"]["lease"], json!({"endsAt": "2028-01-01T00:00:00Z"}));

    let mut earlier = self::lent("finance", "web-1", "Running", END, "zhao");
    earlier["spec"]["lease"] = json!({"endsAt": "2026-12-01T00:00:00Z"});
    let api = Api::over(city().on(&patched(), 200, earlier));
    let told = change(&api, &json!({"lease": {"endsAt": "2026-12-01T00:00:00Z"}})).await.json();
    assert_eq!(told["change"], json!({"decided": []}), "it applies at once");

    let mut endless = self::lent("finance", "web-1", "Running", END, "zhao");
    endless["spec"].as_object_mut().unwrap().remove("lease");
    let api = Api::over(city().on(&patched(), 200, endless));
    let told = change(&api, &json!({"lease": null})).await.json();
    assert_eq!(api.server.seen()[0].body["spec"]["lease"], Value::Null);
    assert_eq!(
        (&told["change"]["decided"], &told["host"]["lease"]["endsAt"]),
        (&json!(["lease.endsAt"]), &Value::Null)
    );
    for odd in [json!({"lease": 7}), json!({"lease": {}}), json!({"lease": {"endsAt": END, "until": 1}})] {
        let problem = change(&api, &odd).await;
        assert_eq!(problem.status, 422, "{odd}: {}", problem.text());
    }
}
