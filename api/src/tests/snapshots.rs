//! Cloud snapshots: ordered, looked at, changed, ended, in the manners of hosts; hosts and volumes made from them.

use std::sync::Arc;

use http::Method;
use jiyun_ledger::{Entry, Event, Meter, Placement, PoolId, PoolKind, State};
use serde_json::{Value, json};

use super::{
    Answer, Api,
    book::StillBook,
    estimate::{NOW, REVIEW, ledger, review},
    request,
    stub::{ApiServer, awaiting, city, cluster, condition, filed, finance, host, order},
    volumes::{asks, granted},
};

const SNAPSHOTS: &str = "/v1/departments/finance/snapshots";
const SNAPSHOT: &str = "/v1/departments/finance/snapshots/daily";
const HOSTS: &str = "/v1/departments/finance/hosts";
const VOLUMES: &str = "/v1/departments/finance/volumes";

fn at(method: &str) -> String {
    format!("{method} {}", finance("cloudsnapshots/daily"))
}

fn all(method: &str) -> String {
    format!("{method} {}", finance("cloudsnapshots"))
}

fn wanted() -> Value {
    json!({"name": "daily", "system": "portal", "source": {"kind": "CloudHost", "name": "web-1"}})
}

/// The snapshot of this object as the API server has it, with `status`.
fn snapshot_of(kind: &str, name: &str, status: &Value) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudSnapshot",
        "metadata": {"name": "daily", "namespace": "dept-finance", "uid": "s-1", "generation": 1,
            "resourceVersion": "7", "creationTimestamp": "2026-11-20T01:00:00Z"},
        "spec": {"systemRef": {"name": "portal"}, "source": {"kind": kind, "name": name},
            "deletionProtection": "Enabled"},
        "status": status})
}

/// The snapshot of `web-1`.
fn snapshot(status: &Value) -> Value {
    snapshot_of("CloudHost", "web-1", status)
}

/// The volume `data-1` of this system and size.
fn volume(system: &str, size: &str, status: &Value) -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudVolume",
        "metadata": {"name": "data-1", "namespace": "dept-finance", "uid": "v-1", "generation": 1},
        "spec": {"systemRef": {"name": system}, "zoneRef": {"name": "public"}, "tier": "standard", "size": size},
        "status": status})
}

/// `web-1`, which was granted 50 GiB and asks for 100, in the pool `x86`.
fn source() -> Value {
    host(
        "1",
        &json!({"claimId": "claim-1", "granted": {"class": "c4m8", "systemDiskSize": "50Gi"},
        "storagePoolRef": {"name": "x86"}}),
    )
}

/// An API server that knows what the order names, and a volume of another system.
fn server() -> ApiServer {
    city()
        .on(&format!("GET {}", finance("cloudhosts/web-1")), 200, source())
        .on(&format!("GET {}", finance("cloudvolumes/data-1")), 200, volume("budget", "10Gi", &json!({})))
        .on(&format!("GET {}", cluster("departments/finance")), 200, json!({}))
        .on(REVIEW, 201, review(true))
}

async fn take(api: &Api, query: &str, body: &Value) -> Answer {
    let headers = [("accept-language", "en"), ("prefer", "wait=1")];
    api.send(request(Method::POST, &format!("{SNAPSHOTS}{query}"), &headers, &body.to_string())).await
}

async fn change(api: &Api, query: &str, body: &Value) -> Answer {
    let headers = [("accept-language", "en"), ("if-match", "\"7\"")];
    let mut wish = request(Method::PATCH, &format!("{SNAPSHOT}{query}"), &headers, &body.to_string());
    wish.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    api.send(wish).await
}

#[tokio::test]
async fn a_snapshot_is_ordered_in_the_callers_name_and_answered_with_its_address() {
    let granted = condition("Admitted", "True", "Granted", 1);
    let api = Api::over(server().on(&all("POST"), 201, snapshot(&granted)));
    let answer = take(&api, "", &wanted()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!((answer.header("location"), answer.header("preference-applied")), (SNAPSHOT, "wait=1"));
    assert_eq!(answer.json()["state"], "Granted");
    let sent = &api.server.seen_with("POST")[0];
    assert_eq!(sent.body["spec"], snapshot(&json!({}))["spec"]);
    assert_eq!(sent.headers["authorization"], super::TOKEN);
}

#[tokio::test]
async fn what_does_not_fit_leaves_nothing_behind() {
    let api = Api::over(server().on(&all("POST"), 201, snapshot(&json!({}))));
    let of = |kind: &str, name: &str| ("source", json!({"kind": kind, "name": name}));
    for ((member, value), field, code) in [
        (of("CloudVolume", "data-1"), "source.name", "SnapshotSourceInOtherSystem"),
        (of("CloudVolume", "web-1"), "source.name", "UnknownReference"),
        (of("CloudHost", "web-9"), "source.name", "UnknownReference"),
        (of("CloudHost", "../x"), "source.name", "InvalidField"),
        (of("CloudBucket", "web-1"), "source.kind", "InvalidField"),
        (("system", json!("moon")), "system", "UnknownReference"),
        (("size", json!("100Gi")), "size", "InvalidField"),
    ] {
        let mut body = wanted();
        body[member] = value;
        let document = take(&api, "", &body).await.problem(422, code);
        assert_eq!(document["field"], field, "{document}");
    }
    for member in ["source", "system"] {
        let mut short = wanted();
        short.as_object_mut().unwrap().remove(member);
        take(&api, "", &short).await.problem(422, "InvalidField");
    }
    assert!(api.server.seen_with("POST").is_empty());
}

#[tokio::test]
async fn storage_that_ran_short_is_told_as_the_source() {
    let mut status = condition("Admitted", "False", "ExceedsLimit", 1);
    let figures = [("meter", "BlockStorage"), ("limit", "1024"), ("used", "0"), ("held", "0"), ("requested", "51200")]
        .map(|(name, value)| json!({"name": name, "value": value}));
    status["refusal"] = json!({"code": "ExceedsLimit", "parameters": figures});
    let api = Api::over(server().on(&all("POST"), 201, snapshot(&status)));
    let document = take(&api, "", &wanted()).await.problem(409, "ExceedsLimit");
    assert_eq!((&document["field"], &document["parameters"]["requested"]), (&json!("source.name"), &json!(51_200)));
}

#[tokio::test]
async fn when_it_was_taken_and_of_what_is_told_and_its_pool_is_not() {
    let met = |kind: &str, reason: &str| condition(kind, "True", reason, 1)["conditions"][0].clone();
    let status = json!({
        "conditions": [met("Admitted", "Granted"), met("Ready", "Available")],
        "claimId": "claim-9", "storagePoolRef": {"name": "flash"}, "tier": "extreme", "grantedSize": "50Gi",
        "takenAt": "2026-11-20T01:00:20Z", "image": "openeuler", "orderRef": {"name": "o-1"},
    });
    let page = json!({"metadata": {}, "items": [snapshot(&status)]});
    let server = ApiServer::default().on(&at("GET"), 200, snapshot(&status)).on(&all("GET"), 200, page);
    let api = Api::over(server);
    let answer = api.get(SNAPSHOT).await;
    let shown = answer.json();
    assert_eq!((&shown["state"], &shown["source"]), (&json!("Ready"), &wanted()["source"]));
    assert_eq!((&shown["takenAt"], &shown["tier"]), (&json!("2026-11-20T01:00:20Z"), &json!("extreme")));
    assert_eq!(shown["grantedSize"], "50Gi");
    assert_eq!(
        (&shown["image"], &shown["order"], &shown["claim"]),
        (&json!("openeuler"), &json!("o-1"), &json!("claim-9"))
    );
    assert!(!answer.text().contains("flash"), "{}", answer.text());
    let listed = api.get(&format!("{SNAPSHOTS}?system=portal&state=Ready&sort=-created")).await;
    assert_eq!(listed.json()["items"], json!([shown]));
    let seen = api.server.seen();
    assert!(seen.iter().any(|seen| seen.query.contains("spec.systemRef.name%3Dportal")), "{seen:?}");
}

#[tokio::test]
async fn what_waits_for_its_source_is_pending_and_what_names_nothing_is_refused() {
    for (reason, state) in [("AwaitingSource", "Pending"), ("UnknownReference", "Refused")] {
        let mut status = condition("Accepted", "False", reason, 1);
        let undecided = condition("Admitted", "False", "Undecided", 1)["conditions"][0].clone();
        status["conditions"].as_array_mut().unwrap().push(undecided);
        let api = Api::over(ApiServer::default().on(&at("GET"), 200, snapshot(&status)));
        assert_eq!(api.get(SNAPSHOT).await.json()["state"], state, "{reason}");
    }
}

#[tokio::test]
async fn a_change_and_an_end_are_asked_for_with_the_version_that_is_meant() {
    let api = Api::over(server().on(&at("PATCH"), 200, snapshot(&json!({}))).on(&at("DELETE"), 200, json!({})));
    let answer = change(&api, "", &json!({"deletionProtection": "Disabled", "displayName": null})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = api.server.seen();
    let [sent] = seen.as_slice() else { panic!("nothing is looked up: {seen:?}") };
    assert_eq!(sent.body["metadata"]["resourceVersion"], "7");
    assert_eq!(sent.body["spec"], json!({"deletionProtection": "Disabled", "displayName": null}));
    for field in ["source", "system", "size"] {
        let document = change(&api, "", &json!({field: "x"})).await.problem(422, "InvalidField");
        assert_eq!(document["field"], field, "{document}");
    }
    assert_eq!(api.server.seen_with("PATCH").len(), 1);
    let ended = api.send(request(Method::DELETE, SNAPSHOT, &[("if-match", "\"7\"")], "")).await;
    assert_eq!((ended.status.as_u16(), ended.header("location")), (202, SNAPSHOT));
    let seen = api.server.seen_with("DELETE");
    assert_eq!(seen[0].body["preconditions"]["resourceVersion"], "7");
}

#[tokio::test]
async fn a_protected_snapshot_is_not_ended_and_an_end_may_be_tried() {
    let mut kept = super::stub::status(422, "Invalid", &json!({}));
    kept["message"] = "ValidatingAdmissionPolicy 'jiyun-deletion-protection' denied request: kept".into();
    let api = Api::over(ApiServer::default().on(&at("DELETE"), 422, kept));
    api.send(request(Method::DELETE, SNAPSHOT, &[], "")).await.problem(409, "DeletionProtected");
    let free = ApiServer::default().on(&at("DELETE"), 200, json!({})).on(&at("GET"), 200, snapshot(&json!({})));
    let api = Api::over(free);
    let tried = api.send(request(Method::DELETE, &format!("{SNAPSHOT}?dryRun=true"), &[], "")).await;
    assert_eq!((tried.status.as_u16(), &tried.json()["snapshot"]["name"]), (200, &json!("daily")));
    assert_eq!(api.server.seen()[0].body["dryRun"], json!(["All"]));
}

#[tokio::test]
async fn an_order_may_name_a_snapshot_and_tells_how_much_it_takes() {
    let mut rollout = filed("1", &awaiting());
    rollout["spec"]["items"] = json!([{"kind": "CloudSnapshot", "name": "daily", "action": "Create"}]);
    rollout["status"]["items"] = json!([{"name": "daily", "uid": "s-1", "specDigest": "sha256:s1", "summary": [
        {"name": "tier", "value": "standard"}, {"name": "blockStorage", "value": "51200 MiB"}]}]);
    let server = server().on(&at("GET"), 200, snapshot(&json!({})));
    let server = server.on(&format!("POST {}", finance("orders")), 201, rollout);
    let api = Api::with_book(server, StillBook::at(ledger(64), NOW));
    let mut body =
        json!({"name": "rollout", "system": "portal", "items": [{"kind": "CloudSnapshot", "name": "daily"}]});
    let orders = "/v1/departments/finance/orders";
    let answer = api.send(request(Method::POST, orders, &[], &body.to_string())).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let item = &answer.json()["items"][0];
    let summary =
        json!({"tier": "standard", "amounts": [{"meter": "BlockStorage", "quantity": 51_200, "unit": "MiB"}]});
    assert_eq!((&item["kind"], &item["summary"]), (&json!("CloudSnapshot"), &summary));
    let tried = api.send(request(Method::POST, &format!("{orders}?dryRun=true"), &[], &body.to_string())).await;
    // 50 GiB at 0.105 yuan.
    assert_eq!(tried.json()["estimate"]["price"]["total"], "5.25", "{}", tried.text());
    body["items"][0]["name"] = json!("weekly");
    let unknown = api.send(request(Method::POST, orders, &[], &body.to_string())).await;
    assert_eq!(unknown.problem(422, "UnknownReference")["field"], "items[0].name");
}

/// The ledger with another pool of tier `standard` at another site, with room for this much.
fn with_another_pool(mebibytes: u64) -> State {
    let mut state = State::clone(&ledger(64));
    let mut far = state.pool(&PoolId::of(PoolKind::Storage, "x86")).unwrap().clone();
    (far.id, far.site) = (PoolId::of(PoolKind::Storage, "far"), "far".into());
    far.capacity = [(Meter::BlockStorage, mebibytes)].into();
    let at = "2026-11-01T00:00:00Z".parse().unwrap();
    state.apply(&Entry { seq: 2, at, epoch: 1, events: vec![Event::PoolSet { pool: far }] }).unwrap();
    state
}

#[tokio::test]
async fn a_preview_tells_what_as_much_as_the_source_was_granted_costs() {
    let of_volume = volume("portal", "100Gi", &json!({}));
    for (body, total, requested) in [
        (wanted(), "5.25", 51_200),
        // A volume that was not granted yet: as much as it asks for.
        (
            json!({"name": "daily", "system": "portal", "source": {"kind": "CloudVolume", "name": "data-2"}}),
            "10.50",
            102_400,
        ),
    ] {
        let place = format!("GET {}", finance("cloudvolumes/data-2"));
        let server = server().on(&place, 200, of_volume.clone()).on(&all("POST"), 201, snapshot(&json!({})));
        let api = Api::with_book(server, StillBook::at(ledger(64), NOW));
        let answer = take(&api, "?dryRun=true", &body).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (200, ""), "{}", answer.text());
        let estimate = &answer.json()["estimate"];
        assert_eq!((&estimate["fits"], &estimate["refusal"]), (&json!(true), &Value::Null), "{estimate}");
        assert_eq!(estimate["price"]["total"], total, "{estimate}");
        let storage = json!({"meter": "BlockStorage", "unit": "MiB", "limit": 1_048_576, "before": 1_048_576,
            "requested": requested, "after": 1_048_576 - requested, "missing": 0});
        assert_eq!(estimate["quota"], json!([storage]));
        assert!(!answer.text().contains("x86"), "pools are the platform's business: {}", answer.text());
    }
}

#[tokio::test]
async fn a_snapshot_is_weighed_in_the_pool_of_its_source_however_much_room_others_have() {
    for (pool, fits) in [("x86", true), ("far", false)] {
        let mut found = source();
        found["status"]["storagePoolRef"]["name"] = json!(pool);
        let server = city()
            .on(&format!("GET {}", finance("cloudhosts/web-1")), 200, found)
            .on(REVIEW, 201, review(true))
            .on(&all("POST"), 201, snapshot(&json!({})));
        let api = Api::with_book(server, StillBook::at(Arc::new(with_another_pool(1024)), NOW));
        let answer = take(&api, "?dryRun=true", &wanted()).await;
        assert_eq!(answer.json()["estimate"]["fits"], fits, "{pool}: {}", answer.text());
        assert!(!answer.text().contains("\"far\""), "{}", answer.text());
    }
}

/// What the policies come to for the department: 40 GiB of storage are let through.
fn report() -> Value {
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "QuotaReport",
    "metadata": {"name": "finance", "namespace": "dept-finance"}, "spec": {"departmentRef": {"name": "finance"}},
    "status": {"approvals": {"approvers": ["leaders"], "policies": [{
        "name": "routine", "minProtectionLevel": 1, "quota": "Any",
        "automatic": {"vcpu": 4, "memory": "64Gi", "blockStorage": "40Gi"},
        "levels": [{"rank": 10, "level": {"name": "leader", "groups": ["leaders"], "mode": "Any", "workingDays": 3}}],
    }]}}})
}

#[tokio::test]
async fn a_preview_of_a_snapshot_free_to_be_deleted_tells_who_decides_even_once_its_source_is_gone() {
    let mut after = snapshot(&json!({"claimId": "claim-1", "grantedSize": "50Gi", "storagePoolRef": {"name": "x86"}}));
    after["spec"]["deletionProtection"] = json!("Disabled");
    let takes = Placement::snapshot("standard".into(), 51_200, PoolId::of(PoolKind::Storage, "x86")).into();
    let asked = asks("CloudSnapshot", "daily", "s-1", takes, json!({"tier": "standard", "mebibytes": 51_200}));
    let book = StillBook::at(Arc::new(granted(&ledger(64), &asked)), NOW);
    let server = city().on(REVIEW, 201, review(true)).on(&at("PATCH"), 200, after);
    let api = Api::with_book(server.on(&format!("GET {}", finance("quotareports/finance")), 200, report()), book);
    let answer = change(&api, "?dryRun=true", &json!({"deletionProtection": "Disabled"})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let preview = answer.json();
    assert_eq!((&preview["estimate"], &preview["change"]["decided"]), (&Value::Null, &json!(["deletionProtection"])));
    assert_eq!(preview["change"]["approvals"]["levels"][0]["groups"], json!(["leaders"]), "{preview}");
    let patches = api.server.seen_with("PATCH");
    assert!(patches.len() == 1 && patches[0].query.contains("dryRun=All"), "{patches:?}");
}

#[tokio::test]
async fn a_preview_of_a_new_name_asks_nobody_and_one_of_what_was_never_granted_has_no_change() {
    for (status, change_told) in
        [(json!({"claimId": "claim-1", "grantedSize": "50Gi"}), json!([])), (json!({}), Value::Null)]
    {
        let api = Api::over(ApiServer::default().on(&at("PATCH"), 200, snapshot(&status)));
        let preview = change(&api, "?dryRun=true", &json!({"displayName": "日快照"})).await.json();
        assert_eq!((&preview["snapshot"]["name"], &preview["change"]["decided"]), (&json!("daily"), &change_told));
    }
}

/// An order of a volume of 100 GiB.
fn a_volume() -> Value {
    json!({"name": "data-1", "system": "portal", "zone": "public", "tier": "standard", "size": "100Gi"})
}

/// What is sent for `body`, which is made from the snapshot `daily`, where that is `found`.
async fn made_from(path: &str, mut body: Value, found: Value) -> (Answer, Option<Value>) {
    body["snapshot"] = json!("daily");
    let server = city()
        .on(&at("GET"), 200, found)
        .on(&format!("POST {}", finance("cloudhosts")), 201, host("1", &json!({})))
        .on(&format!("POST {}", finance("cloudvolumes")), 201, volume("portal", "100Gi", &json!({})));
    let api = Api::over(server);
    let answer = api.send(request(Method::POST, path, &[("accept-language", "en")], &body.to_string())).await;
    let sent = api.server.seen_with("POST").first().map(|sent| sent.body["spec"].clone());
    (answer, sent)
}

#[tokio::test]
async fn a_host_and_a_volume_are_made_from_a_snapshot_that_fits() {
    let taken = json!({"claimId": "claim-1", "grantedSize": "100Gi", "image": "openeuler", "takenAt": NOW});
    for (path, body, found) in [
        (HOSTS, order(), snapshot(&taken)),
        (VOLUMES, a_volume(), snapshot(&taken)),
        (VOLUMES, a_volume(), snapshot_of("CloudVolume", "data-9", &json!({"grantedSize": "100Gi"}))),
        // Whatever is not known yet is looked at by the platform, which waits for it.
        (HOSTS, order(), snapshot(&json!({}))),
    ] {
        let (answer, sent) = made_from(path, body, found).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(sent.unwrap()["snapshotRef"], json!({"name": "daily"}));
    }
}

#[tokio::test]
async fn what_does_not_fit_its_snapshot_leaves_nothing_behind() {
    let taken = |size: &str, image: &str| snapshot(&json!({"grantedSize": size, "image": image}));
    let mut other = taken("10Gi", "openeuler");
    other["spec"]["systemRef"]["name"] = json!("budget");
    for (path, body, found, field, code) in [
        (HOSTS, order(), taken("200Gi", "openeuler"), "systemDisk.size", "DiskSmallerThanSnapshot"),
        (HOSTS, order(), taken("10Gi", "kylin"), "image", "SnapshotOfOtherImage"),
        (HOSTS, order(), other.clone(), "snapshot", "SnapshotInOtherSystem"),
        (HOSTS, order(), snapshot_of("CloudVolume", "data-1", &json!({})), "snapshot", "SnapshotOfVolume"),
        (VOLUMES, a_volume(), taken("200Gi", "kylin"), "size", "DiskSmallerThanSnapshot"),
        (VOLUMES, a_volume(), other, "snapshot", "SnapshotInOtherSystem"),
    ] {
        let (answer, sent) = made_from(path, body, found).await;
        let document = answer.problem(422, code);
        assert_eq!((&document["field"], sent), (&json!(field), None), "{document}");
    }
    for (path, mut body) in [(HOSTS, order()), (VOLUMES, a_volume())] {
        let api = Api::over(city());
        for (name, code) in [("weekly", "UnknownReference"), ("../daily", "InvalidField")] {
            body["snapshot"] = json!(name);
            let answer = api.send(request(Method::POST, path, &[], &body.to_string())).await;
            assert_eq!(answer.problem(422, code)["field"], "snapshot", "{name}");
        }
        assert!(
            api.server.seen_with("POST").is_empty() && api.server.seen().iter().all(|seen| !seen.path.contains(".."))
        );
    }
}

#[tokio::test]
async fn of_several_hosts_of_one_order_the_one_that_does_not_fit_its_snapshot_is_named() {
    let server = city().on(&at("GET"), 200, snapshot(&json!({"grantedSize": "200Gi", "image": "openeuler"})));
    let api = Api::over(server);
    let item = |number: usize, snapshot: Value, size: &str| {
        let mut host = order();
        host["name"] = json!(format!("web-{number}"));
        host["systemDisk"] = json!({"size": size});
        host["snapshot"] = snapshot;
        json!({"host": host})
    };
    let items = [item(1, Value::Null, "100Gi"), item(2, json!("daily"), "200Gi"), item(3, json!("daily"), "100Gi")];
    let body = json!({"name": "rollout", "system": "portal", "items": items}).to_string();
    let answer = api.send(request(Method::POST, "/v1/departments/finance/orders", &[], &body)).await;
    let document = answer.problem(422, "DiskSmallerThanSnapshot");
    assert_eq!(document["field"], "items[2].host.systemDisk.size", "{document}");
    let looks = api.server.seen().iter().filter(|seen| seen.path.contains("cloudsnapshots")).count();
    assert_eq!((looks, api.server.seen_with("POST").len()), (1, 0), "what two name is looked up once");
}

#[tokio::test]
async fn what_is_made_from_a_snapshot_is_weighed_at_the_site_of_the_snapshot() {
    for (pool, fits) in [("x86", true), ("far", false)] {
        let state = with_another_pool(1024);
        let takes = Placement::snapshot("standard".into(), 512, PoolId::of(PoolKind::Storage, pool)).into();
        let state = granted(&state, &asks("CloudSnapshot", "daily", "s-1", takes, json!({})));
        for (path, mut body, kind) in [(HOSTS, order(), "cloudhosts"), (VOLUMES, a_volume(), "cloudvolumes")] {
            body["snapshot"] = json!("daily");
            let mut made =
                if kind == "cloudhosts" { host("", &json!({})) } else { volume("portal", "100Gi", &json!({})) };
            made["spec"]["snapshotRef"] = json!({"name": "daily"});
            let server = server()
                .on(&at("GET"), 200, snapshot(&json!({"grantedSize": "512Mi", "image": "openeuler"})))
                .on(&format!("POST {}", finance(kind)), 201, made);
            let api = Api::with_book(server, StillBook::at(Arc::new(state.clone()), NOW));
            let answer = api.send(request(Method::POST, &format!("{path}?dryRun=true"), &[], &body.to_string())).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.json()["estimate"]["fits"], fits, "{kind} at {pool}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_host_that_was_not_granted_yet_stays_as_large_as_its_snapshot_and_one_that_was_needs_none() {
    let path = format!("PATCH {}", finance("cloudhosts/web-1"));
    for (status, dry) in [(json!({}), vec![true]), (json!({"claimId": "claim-1"}), vec![true, false])] {
        let mut after = host("8", &status);
        after["spec"]["snapshotRef"] = json!({"name": "daily"});
        let kept = snapshot(&json!({"grantedSize": "200Gi", "image": "openeuler"}));
        let api = Api::over(city().on(&at("GET"), 200, kept).on(&path, 200, after));
        let mut wish = request(Method::PATCH, &format!("{HOSTS}/web-1"), &[], r#"{"systemDisk": {"size": "100Gi"}}"#);
        wish.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
        let answer = api.send(wish).await;
        if dry.len() == 1 {
            assert_eq!(answer.problem(422, "DiskSmallerThanSnapshot")["field"], "systemDisk.size");
        } else {
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert!(api.server.seen().iter().all(|seen| !seen.path.contains("cloudsnapshots")), "it is granted");
        }
        let tried: Vec<_> =
            api.server.seen_with("PATCH").iter().map(|seen| seen.query.contains("dryRun=All")).collect();
        assert_eq!(tried, dry);
    }
}
