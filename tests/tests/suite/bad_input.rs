//! Bad input gets a clear answer at the earliest place and leaves nothing behind.

use http::{Method, StatusCode};
use jiyun_crds::v1alpha1::ConditionType;
use jiyun_tests::{
    Order, World, WorldError,
    world::{Bureau, Quota, reason},
};
use serde_json::{Value, json};

async fn no_hosts(bureau: &Bureau<'_>) -> Result<(), WorldError> {
    let hosts = bureau.world.hosts(&bureau.name).await?.list(&kube::api::ListParams::default()).await?;
    let names: Vec<_> = hosts.items.iter().map(|host| host.metadata.name.clone()).collect();
    assert!(names.is_empty(), "left behind: {names:?}");
    Ok(())
}

#[tokio::test]
async fn each_bad_field_is_named_and_nothing_is_left_behind() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    let cases: [(&str, Value, &str); 12] = [
        ("/class", json!("no-such-class"), "class"),
        ("/image", json!("no-such-image"), "image"),
        ("/zone", json!("no-such-zone"), "zone"),
        ("/system", json!("no-such-system"), "system"),
        ("/name", json!("Not A Label"), "name"),
        ("/name", json!("a".repeat(41)), "name"),
        ("/systemDisk/size", json!("10Gi"), "systemDisk.size"),
        ("/systemDisk/size", json!("a lot"), "systemDisk.size"),
        ("/architecture", json!("riscv"), "architecture"),
        // Each exists, and they do not go together.
        ("/zone", json!("internet"), "zone"),
        ("/architecture", json!("arm64"), "image"),
        ("/image", json!("openeuler-24.03-arm64"), "image"),
    ];
    for (pointer, value, field) in cases {
        let mut body = Order::new("bad", "portal").body();
        *body.pointer_mut(pointer).unwrap() = value.clone();
        let answer = bureau.caller.post(&bureau.hosts_path(), &body, 0).await?;
        assert!(answer.status.is_client_error(), "{pointer}={value}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{pointer}={value}");
        assert!(answer.text.contains(field), "{pointer}={value} does not name {field}: {}", answer.text);
    }
    no_hosts(&bureau).await
}

#[tokio::test]
async fn a_body_that_is_no_order_is_refused_in_the_callers_language() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    let path = bureau.hosts_path();
    let send = |body: &'static str, kind: &'static str, language: &'static str| {
        let request = bureau.caller.request(Method::POST, &path);
        bureau.caller.send(request.header("content-type", kind).header("accept-language", language).body(body))
    };
    let malformed = send("{\"name\": ", "application/json", "zh-CN").await?;
    assert_eq!(malformed.status, StatusCode::BAD_REQUEST);
    assert!(malformed.json()["detail"].as_str().unwrap().contains("不是有效的 JSON"), "{}", malformed.text);
    let text = send("name=web", "application/x-www-form-urlencoded", "en").await?;
    assert_eq!(text.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let unknown = send("{\"name\": \"web\", \"cpus\": 0}", "application/json", "en").await?;
    assert!(unknown.status.is_client_error() && unknown.text.contains("cpus"), "{}", unknown.text);
    no_hosts(&bureau).await
}

#[tokio::test]
async fn a_class_of_zero_or_a_million_cores_cannot_exist() -> Result<(), WorldError> {
    let lab = &World::shared().await?.lab;
    for vcpu in [0, 1_000_000] {
        let class = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "HostClass", "metadata": {"name": "absurd"},
            "spec": {"displayName": "荒谬", "series": "Basic", "vcpu": vcpu, "memory": "4Gi", "architectures": ["amd64"]},
        });
        let error = lab.apply_text(&class.to_string()).await.unwrap_err();
        let told = format!("{error:?}");
        assert!(told.contains("vcpu must be"), "{vcpu}: {told}");
    }
    Ok(())
}

#[tokio::test]
async fn without_a_token_or_with_a_foreign_one_nobody_gets_in() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let path = bureau.hosts_path();
    let body = Order::new("web", "portal").body();
    let missing = world.stranger()?.post(&path, &body, 0).await?;
    assert_eq!(missing.status, StatusCode::UNAUTHORIZED, "{missing:?}");
    assert!(missing.header("www-authenticate").starts_with("Bearer"));
    let foreign = world.stranger()?.with_token(Some("not-a-token-of-this-city".into())).post(&path, &body, 0).await?;
    assert_eq!(foreign.status, StatusCode::UNAUTHORIZED, "{foreign:?}");
    no_hosts(&bureau).await
}

#[tokio::test]
async fn a_department_that_does_not_exist_and_one_that_is_not_mine_look_the_same() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let (mine, other) = (world.department(Quota::AMPLE).await?, world.department(Quota::AMPLE).await?);
    let mut seen = Vec::new();
    for department in ["nowhere", &other.name] {
        for path in ["hosts", "quota", "usage"] {
            let answer = mine.caller.get(&format!("/v1/departments/{department}/{path}")).await?;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{department}/{path}: {answer:?}");
            seen.push((path, answer.json()["code"].clone()));
        }
        let path = format!("/v1/departments/{department}/hosts");
        let answer = mine.caller.post(&path, &Order::new("web", "portal").body(), 0).await?;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{department}: {answer:?}");
        seen.push(("post", answer.json()["code"].clone()));
    }
    assert_eq!(seen[..4], seen[4..]);
    no_hosts(&other).await
}

#[tokio::test]
async fn a_wish_that_names_something_missing_is_told_so_by_condition_and_comes_right_by_itself()
-> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    let class = format!("late-{}", bureau.name);
    let order = Order::new("early", "portal").class(&class);
    bureau.world.lab.apply_text(&order.object(&bureau.name).to_string()).await?;
    bureau
        .wait_for_host("early", "not accepted", |host| {
            reason(host, ConditionType::Accepted) == Some("UnknownReference")
        })
        .await?;
    let late = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "HostClass", "metadata": {"name": class},
        "spec": {"displayName": "迟到", "series": "Basic", "vcpu": 1, "memory": "2Gi", "architectures": ["amd64"]},
    });
    bureau.world.lab.apply_text(&late.to_string()).await?;
    bureau.wait_ready("early").await?;
    Ok(())
}

#[tokio::test]
async fn a_zone_no_pool_serves_is_refused_by_name() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let zone = format!("island-{}", bureau.name);
    let objects = [
        json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "NetworkZone", "metadata": {"name": zone},
               "spec": {"displayName": "孤岛", "kind": "GovExtranetPrivate"}}),
        json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem",
               "metadata": {"name": "island", "namespace": format!("dept-{}", bureau.name)},
               "spec": {"displayName": "孤岛系统", "protectionLevel": 2, "zoneRef": {"name": zone}, "owner": {"name": "李四"}}}),
    ];
    for object in objects {
        world.lab.apply_text(&object.to_string()).await?;
    }
    let patch = json!({"spec": {"zones": ["extranet-public", zone]}}).to_string();
    world.lab.kubectl(&["patch", "department", &bureau.name, "--type=merge", "-p", &patch]).await?;
    let mut order = Order::new("stranded", "island");
    order.zone = zone;
    world.lab.apply_text(&order.object(&bureau.name).to_string()).await?;
    bureau
        .wait_for_host("stranded", "no pool", |host| reason(host, ConditionType::Admitted) == Some("NoMatchingPool"))
        .await?;
    Ok(())
}
