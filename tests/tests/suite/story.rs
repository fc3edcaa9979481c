//! The way through the whole system: ordered, decided, running, counted, paid.

use http::StatusCode;
use jiyun_crds::v1alpha1::ConditionType;
use jiyun_tests::{
    Order, World, WorldError,
    world::{Quota, has, reason},
};
use serde_json::json;

#[tokio::test]
async fn a_department_orders_a_host_over_the_api_and_it_runs() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    let answer = bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    assert!(answer.status.is_success(), "{answer:?}");
    assert_eq!(answer.header("location"), bureau.host_path("web-1"));
    let host = bureau.wait_ready("web-1").await?;
    let status = host.status.unwrap();
    assert_eq!(status.pool_ref.unwrap().name, "hygon");
    assert_eq!(status.storage_pool_ref.unwrap().name, "standard");
    assert!(status.claim_id.unwrap().starts_with("claim-"));
    assert_eq!(bureau.used("Vcpu").await?, (2, 0));
    assert_eq!(bureau.used("Memory").await?, (4096, 0));
    assert_eq!(bureau.used("BlockStorage").await?, (40 * 1024, 0));
    Ok(())
}

#[tokio::test]
async fn an_order_above_quota_is_refused_with_numbers_and_nothing_is_created() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::cores(3)).await?;
    let first = bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    assert!(first.status.is_success(), "{first:?}");
    // Until it runs its cores are held, not used.
    bureau.wait_ready("web-1").await?;
    let answer = bureau.caller.post(&bureau.hosts_path(), &Order::new("web-2", "portal").body(), 30).await?;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["code"], "ExceedsLimit", "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    for number in ["limit 3", "used 2", "requested 2", "missing 1"] {
        assert!(detail.contains(number), "{number} in {detail}");
    }
    let refused = bureau
        .wait_for_host("web-2", "refused", |host| reason(host, ConditionType::Admitted) == Some("ExceedsLimit"))
        .await?;
    assert!(!has(&refused, ConditionType::Ready));
    let machines =
        bureau.world.lab.kubectl(&["get", "vm", "-n", &format!("engine-{}", bureau.name), "-o", "name"]).await?;
    assert_eq!(machines.trim(), "virtualmachine.kubevirt.io/web-1");
    Ok(())
}

#[tokio::test]
async fn an_order_by_kubectl_is_the_same_order() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    bureau.world.lab.apply_text(&Order::new("gitops-1", "portal").object(&bureau.name).to_string()).await?;
    bureau.wait_ready("gitops-1").await?;
    let answer = bureau.caller.get(&bureau.host_path("gitops-1")).await?;
    assert_eq!((answer.status, answer.json()["name"].as_str()), (StatusCode::OK, Some("gitops-1")));
    Ok(())
}

#[tokio::test]
async fn a_host_is_stopped_and_started_by_its_power_and_keeps_its_claim() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    let claim = bureau.wait_ready("web-1").await?.status.unwrap().claim_id;
    let namespace = format!("dept-{}", bureau.name);
    for (power, expected) in [("Stopped", "Stopped"), ("Running", "Running")] {
        let patch = json!({"spec": {"power": power}}).to_string();
        bureau.world.lab.kubectl(&["patch", "chost", "web-1", "-n", &namespace, "--type=merge", "-p", &patch]).await?;
        let host = bureau
            .wait_for_host("web-1", expected, |host| {
                has(host, ConditionType::Ready) && reason(host, ConditionType::Ready) == Some(expected)
            })
            .await?;
        assert_eq!(host.status.unwrap().claim_id, claim);
    }
    Ok(())
}

#[tokio::test]
async fn usage_ties_to_the_fen_and_opens_in_a_spreadsheet() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    let path = format!("/v1/departments/{}/usage", bureau.name);
    let usage = jiyun_lab::wait_for("a second of use", jiyun_tests::world::PATIENCE, || async {
        let answer = bureau.caller.get(&path).await.map_err(|error| error.to_string())?;
        let usage = answer.json();
        let lines = usage["lines"].as_array().map(Vec::len).unwrap_or_default();
        if lines >= 3 { Ok(usage) } else { Err(answer.text) }
    })
    .await?;
    assert_eq!(usage["provisional"], true);
    assert_eq!(usage["unpriced"], json!([]));
    let amounts = usage["lines"].as_array().unwrap().iter();
    let sum: rust_decimal::Decimal =
        amounts.map(|line| line["amount"].as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap()).sum();
    assert_eq!(usage["total"].as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap(), sum);

    let request = bureau.caller.request(http::Method::GET, &path).header("accept", "text/csv");
    let csv = bureau.caller.send(request).await?;
    assert!(csv.header("content-type").starts_with("text/csv"), "{csv:?}");
    assert!(csv.text.starts_with('\u{feff}'), "spreadsheets need the byte order mark to see UTF-8");
    assert!(csv.text.contains("合计"), "{}", csv.text);
    Ok(())
}

#[tokio::test]
async fn a_second_reconciliation_writes_nothing() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    let before = bureau.wait_ready("web-1").await?.metadata.resource_version;
    // A label is no wish: it wakes nobody, but the machine's label wakes the host's reconciler.
    let engine = format!("engine-{}", bureau.name);
    bureau.world.lab.kubectl(&["label", "vm", "web-1", "-n", &engine, "test.example/touched=yes"]).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-2", "portal").body(), 30).await?;
    bureau.wait_ready("web-2").await?;
    let after = bureau.world.hosts(&bureau.name).await?.get("web-1").await?.metadata.resource_version;
    assert_eq!(before, after);
    Ok(())
}
