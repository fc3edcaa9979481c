//! The account book as people meet it: floors, the line, totals, reports.

use jiyun_crds::v1alpha1::{ConditionType, QuotaReport};
use jiyun_lab::wait_for;
use jiyun_tests::{
    Order, World, WorldError,
    world::{Bureau, PATIENCE, Quota, reason},
};
use kube::Api;
use serde_json::json;

/// A storage pool of one tier that nobody else orders from.
async fn pool(world: &World, tier: &str, capacity: &str) -> Result<(), WorldError> {
    let pool = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "StoragePool", "metadata": {"name": tier},
        "spec": {"siteRef": {"name": "hengshan-main"}, "zones": ["extranet-public"], "tier": tier,
                 "storageClassName": "standard", "provider": "test", "maxProtectionLevel": 3, "capacity": capacity},
    });
    world.lab.apply_text(&pool.to_string()).await?;
    world.lab.kubectl(&["wait", "storagepool", tier, "--for=condition=Ready", "--timeout=60s"]).await?;
    Ok(())
}

fn on(tier: &str, name: &str) -> Order {
    Order { tier: tier.to_owned(), ..Order::new(name, "portal") }
}

async fn field(world: &World, arguments: &[&str]) -> Result<String, String> {
    world.lab.kubectl(arguments).await.map_err(|error| error.to_string())
}

async fn wait_for_field(world: &World, what: &[&str], path: &str, expected: &str) -> Result<(), WorldError> {
    let path = format!("jsonpath={path}");
    let arguments: Vec<&str> = ["get"].iter().chain(what).copied().chain(["-o", &path]).collect();
    wait_for(format!("{what:?} {path} to be {expected}"), PATIENCE, || async {
        let found = field(world, &arguments).await?;
        if found == expected { Ok(()) } else { Err(found) }
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_host_without_room_stands_in_line_and_is_granted_when_room_comes() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let tier = format!("line-{}", bureau.name);
    pool(world, &tier, "40Gi").await?;
    bureau.caller.post(&bureau.hosts_path(), &on(&tier, "first").body(), 30).await?;
    bureau.wait_ready("first").await?;

    let answer = bureau.caller.post(&bureau.hosts_path(), &on(&tier, "second").body(), 0).await?;
    assert!(answer.status.is_success(), "{answer:?}");
    let waiting = bureau
        .wait_for_host("second", "in line", |host| reason(host, ConditionType::Admitted) == Some("WaitingForCapacity"))
        .await?;
    let message = waiting.status.unwrap().conditions.iter().map(|said| said.message.clone()).collect::<String>();
    assert!(message.contains("前面还有 0 个申请") && message.contains("0 requests are ahead"), "{message}");
    bureau.caller.post(&bureau.hosts_path(), &on(&tier, "third").body(), 0).await?;
    bureau
        .wait_for_host("third", "second in line", |host| {
            host.status.as_ref().is_some_and(|status| {
                status
                    .refusal
                    .iter()
                    .flat_map(|refusal| &refusal.parameters)
                    .any(|p| p.name == "ahead" && p.value == "1")
            })
        })
        .await?;
    wait_for_field(world, &["storagepool", &tier], "{.status.summary.waiting}", "2").await?;

    bureau.caller.delete(&bureau.host_path("first")).await?;
    bureau.wait_ready("second").await?;
    // Who goes away leaves the line.
    bureau.caller.delete(&bureau.host_path("third")).await?;
    bureau.wait_gone("third").await?;
    wait_for_field(world, &["storagepool", &tier], "{.status.summary.waiting}", "0").await?;
    Ok(())
}

#[tokio::test]
async fn what_is_guaranteed_to_one_department_is_not_given_to_another() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let (poor, rich) = (world.department(Quota::AMPLE).await?, world.department(Quota::AMPLE).await?);
    let tier = format!("floor-{}", rich.name);
    pool(world, &tier, "80Gi").await?;
    let floor = json!({"spec": {"quota": [
        {"meter": "BlockStorage", "tier": tier, "guaranteed": "40Gi"},
    ]}});
    world.lab.kubectl(&["patch", "department", &rich.name, "--type=merge", "-p", &floor.to_string()]).await?;
    wait_until_booked(&rich, &tier).await?;

    poor.caller.post(&poor.hosts_path(), &on(&tier, "a").body(), 30).await?;
    poor.wait_ready("a").await?;
    poor.caller.post(&poor.hosts_path(), &on(&tier, "b").body(), 0).await?;
    poor.wait_for_host("b", "in line", |host| reason(host, ConditionType::Admitted) == Some("WaitingForCapacity"))
        .await?;
    rich.caller.post(&rich.hosts_path(), &on(&tier, "c").body(), 30).await?;
    rich.wait_ready("c").await?;
    Ok(())
}

/// Waits until a floor is in the report that the department's own people read.
async fn wait_until_booked(bureau: &Bureau<'_>, tier: &str) -> Result<(), WorldError> {
    let client =
        bureau.world.lab.client_as(&bureau.world.lab.person(&format!("{}-reader", bureau.name))?.token).await?;
    let reports = Api::<QuotaReport>::namespaced(client, &format!("dept-{}", bureau.name));
    wait_for("the floor in the report", PATIENCE, || async {
        let report = reports.get(&bureau.name).await.map_err(|error| error.to_string())?;
        let rows = report.status.clone().unwrap_or_default().rows;
        let row = rows.iter().find(|row| row.tier.as_deref() == Some(tier) && row.guaranteed.is_some());
        row.map(drop).ok_or(format!("{report:?}"))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_limit_below_use_is_shown_with_the_end_of_its_grace_and_stops_nothing() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::cores(4)).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    let department = ["department", bureau.name.as_str()];
    wait_for_field(world, &department, "{.status.summary.vcpu}", "2/4").await?;
    wait_for_field(world, &department, "{.status.conditions[?(@.type=='OverLimit')].status}", "False").await?;

    let lower = json!({"spec": {"overLimitGraceDays": 10, "quota": [{"meter": "Vcpu", "limit": "1"}]}}).to_string();
    world.lab.kubectl(&["patch", "department", &bureau.name, "--type=merge", "-p", &lower]).await?;
    wait_for_field(world, &department, "{.status.conditions[?(@.type=='OverLimit')].reason}", "AboveLimit").await?;
    wait_for_field(world, &department, "{.status.summary.vcpu}", "2/1").await?;
    let until = world
        .lab
        .kubectl(&[
            "get",
            "department",
            &bureau.name,
            "-o",
            "jsonpath={.status.overLimit.since} {.status.overLimit.graceUntil}",
        ])
        .await?;
    let (since, until) = until.split_once(' ').unwrap();
    let [since, until] = [since, until].map(|text| text.parse::<jiff::Timestamp>().unwrap());
    assert_eq!(until.duration_since(since).as_hours(), 240);

    let no_grace = json!({"spec": {"overLimitGraceDays": 0}}).to_string();
    world.lab.kubectl(&["patch", "department", &bureau.name, "--type=merge", "-p", &no_grace]).await?;
    wait_for_field(world, &department, "{.status.conditions[?(@.type=='OverLimit')].reason}", "GraceEnded").await?;
    bureau.wait_ready("web-1").await?;
    let refused = bureau.caller.post(&bureau.hosts_path(), &Order::new("web-2", "portal").body(), 30).await?;
    assert_eq!(refused.json()["code"], "ExceedsLimit", "{refused:?}");
    // The department is still ready, and its own condition is not wiped by the other writer.
    wait_for_field(world, &department, "{.status.conditions[?(@.type=='Ready')].status}", "True").await?;
    Ok(())
}

#[tokio::test]
async fn a_pool_in_maintenance_takes_nothing_new_and_keeps_what_it_has() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let tier = format!("drain-{}", bureau.name);
    pool(world, &tier, "1Ti").await?;
    bureau.caller.post(&bureau.hosts_path(), &on(&tier, "a").body(), 30).await?;
    bureau.wait_ready("a").await?;
    wait_for_field(world, &["storagepool", &tier], "{.status.summary.blockStorage}", "40Gi/1Ti").await?;
    let drain = r#"{"spec": {"maintenance": "Drain"}}"#;
    world.lab.kubectl(&["patch", "storagepool", &tier, "--type=merge", "-p", drain]).await?;
    let generation = ["storagepool", tier.as_str()];
    wait_for_field(world, &generation, "{.status.observedGeneration}", "2").await?;
    let refused = bureau.caller.post(&bureau.hosts_path(), &on(&tier, "b").body(), 30).await?;
    assert_eq!(refused.json()["code"], "NoMatchingPool", "{refused:?}");
    bureau.wait_ready("a").await?;
    let back = r#"{"spec": {"maintenance": "None"}}"#;
    world.lab.kubectl(&["patch", "storagepool", &tier, "--type=merge", "-p", back]).await?;
    bureau.wait_ready("b").await?;
    Ok(())
}

#[tokio::test]
async fn a_floor_that_the_unit_above_does_not_have_is_refused_with_the_numbers() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let (above, below) = (world.department(Quota::AMPLE).await?, world.department(Quota::AMPLE).await?);
    let patch = json!({"spec": {"parentRef": {"name": above.name}, "quota": [{"meter": "Vcpu", "guaranteed": "8"}]}});
    world.lab.kubectl(&["patch", "department", &below.name, "--type=merge", "-p", &patch.to_string()]).await?;
    let message = wait_for("the department to be told", PATIENCE, || async {
        let query = "jsonpath={.status.conditions[?(@.type=='Ready')].message}";
        let message = field(world, &["get", "department", &below.name, "-o", query]).await?;
        if message.contains("保底") { Ok(message) } else { Err(message) }
    })
    .await?;
    assert!(message.contains("8 vCPU") || message.contains("8 核"), "{message}");
    assert!(message.contains(&above.name), "{message}");
    Ok(())
}
