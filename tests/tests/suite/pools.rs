//! Pools as operations run them: capacity read from nodes, and what a stopped host leaves to others.

use jiyun_crds::v1alpha1::ConditionType;
use jiyun_lab::wait_for;
use jiyun_tests::{
    Order, World, WorldError,
    world::{Bureau, PATIENCE, Quota, has, reason},
};
use serde_json::{Value, json};

/// A site of the bureau's own, with storage of a tier nobody else orders: whoever orders it is placed there.
async fn site(bureau: &Bureau<'_>) -> Result<String, WorldError> {
    let site = format!("site-{}", bureau.name);
    let objects = [
        json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Site", "metadata": {"name": site},
            "spec": {"displayName": "测试数据中心", "region": "test", "role": "Primary"},
        }),
        json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "StoragePool", "metadata": {"name": site},
            "spec": {"siteRef": {"name": site}, "zones": ["extranet-public"], "tier": site,
                     "storageClassName": "standard", "provider": "test", "maxProtectionLevel": 3, "capacity": "1Ti"},
        }),
    ];
    for object in objects {
        bureau.world.lab.apply_text(&object.to_string()).await?;
    }
    bureau.world.lab.kubectl(&["wait", "storagepool", &site, "--for=condition=Ready", "--timeout=60s"]).await?;
    Ok(site)
}

async fn compute(bureau: &Bureau<'_>, site: &str, more: &Value) -> Result<(), WorldError> {
    let mut pool = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "ComputePool", "metadata": {"name": site},
        "spec": {"siteRef": {"name": site}, "zones": ["extranet-public"], "architecture": "amd64",
                 "processor": "Hygon", "provider": "test", "maxProtectionLevel": 3},
    });
    if let (Some(spec), Some(more)) = (pool["spec"].as_object_mut(), more.as_object()) {
        spec.extend(more.clone());
    }
    Ok(bureau.world.lab.apply_text(&pool.to_string()).await?)
}

async fn wait_for_pool(world: &World, pool: &str, path: &str, part: &str) -> Result<(), WorldError> {
    let path = format!("jsonpath={path}");
    wait_for(format!("{path} of pool {pool} to hold {part}"), PATIENCE, || async {
        let query = ["get", "computepool", pool, "-o", &path];
        let found = world.lab.kubectl(&query).await.map_err(|error| error.to_string())?;
        if found.contains(part) { Ok(()) } else { Err(found) }
    })
    .await?;
    Ok(())
}

const READY: &str = "{.status.conditions[?(@.type=='Ready')].reason} {.status.conditions[?(@.type=='Ready')].message}";
const USED: &str = "{.status.summary.vcpu} ";

async fn power(bureau: &Bureau<'_>, host: &str, power: &str) -> Result<(), WorldError> {
    let patch = json!({"spec": {"power": power}}).to_string();
    let namespace = format!("dept-{}", bureau.name);
    bureau.world.lab.kubectl(&["patch", "chost", host, "-n", &namespace, "--type=merge", "-p", &patch]).await?;
    Ok(())
}

#[tokio::test]
async fn a_stopped_host_gives_back_what_its_pool_says_and_waits_for_it_at_its_next_start() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let tier = site(&bureau).await?;
    let policy = json!({"capacity": {"vcpu": 2, "memory": "8Gi"}, "stopReleases": ["Vcpu", "Memory"]});
    compute(&bureau, &tier, &policy).await?;
    world.lab.kubectl(&["wait", "computepool", &tier, "--for=condition=Ready", "--timeout=60s"]).await?;
    let order = |name: &str| Order { tier: tier.clone(), ..Order::new(name, "portal") }.body();
    bureau.caller.post(&bureau.hosts_path(), &order("a"), 30).await?;
    let claim = bureau.wait_ready("a").await?.status.unwrap().claim_id;
    wait_for_pool(world, &tier, USED, "2/2 ").await?;

    power(&bureau, "a", "Stopped").await?;
    let parked = bureau
        .wait_for_host("a", "stopped, and its cores given back", |host| {
            let ready = |said: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| said.type_ == "Ready";
            let said = host.status.as_ref().and_then(|status| status.conditions.iter().find(ready));
            said.is_some_and(|said| said.reason == "Stopped" && said.message.contains("not billed meanwhile"))
        })
        .await?;
    let status = parked.status.unwrap();
    assert_eq!((&status.claim_id, status.pool_ref.unwrap().name.as_str()), (&claim, tier.as_str()));
    wait_for_pool(world, &tier, USED, "0/2 ").await?;

    // Others may have them meanwhile, and then its start has to wait.
    bureau.caller.post(&bureau.hosts_path(), &order("b"), 30).await?;
    bureau.wait_ready("b").await?;
    power(&bureau, "a", "Running").await?;
    let waits = bureau
        .wait_for_host("a", "waiting for its start", |host| {
            reason(host, ConditionType::Ready) == Some("WaitingForCapacity")
        })
        .await?;
    assert!(has(&waits, ConditionType::Admitted), "what it has it keeps: {waits:?}");
    let engine = format!("engine-{}", bureau.name);
    let strategy = ["get", "vm", "a", "-n", &engine, "-o", "jsonpath={.spec.runStrategy}"];
    assert_eq!(world.lab.kubectl(&strategy).await?, "Halted");

    bureau.caller.delete(&bureau.host_path("b")).await?;
    let started = bureau.wait_ready("a").await?;
    assert_eq!(reason(&started, ConditionType::Ready), Some("Running"));
    assert_eq!(started.status.unwrap().claim_id, claim);
    wait_for_pool(world, &tier, USED, "2/2 ").await?;
    Ok(())
}

#[tokio::test]
async fn a_pool_follows_the_nodes_it_names_and_an_empty_answer_is_no_empty_pool() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let pool = site(&bureau).await?;
    compute(&bureau, &pool, &json!({"nodeSelector": format!("jiyun.test/pool={pool}")})).await?;
    wait_for_pool(world, &pool, READY, "NoNodes").await?;

    let nodes = ["a", "b"].map(|name| format!("{pool}-{name}"));
    for node in &nodes {
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": node, "labels": {"jiyun.test/pool": pool}},
            "status": {"allocatable": {"cpu": "15900m", "memory": "65000000Ki", "pods": "110"}},
        });
        world.lab.apply_text(&node.to_string()).await?;
    }
    wait_for_pool(world, &pool, READY, "read from 2 nodes: 30 vCPU").await?;
    wait_for_pool(world, &pool, USED, "0/30 ").await?;
    world.lab.kubectl(&["cordon", &nodes[0]]).await?;
    wait_for_pool(world, &pool, READY, "read from 1 nodes: 15 vCPU").await?;

    let order = Order { tier: pool.clone(), ..Order::new("web", "portal") };
    bureau.caller.post(&bureau.hosts_path(), &order.body(), 30).await?;
    bureau.wait_ready("web").await?;
    world.lab.kubectl(&["delete", "node", &nodes[0], &nodes[1]]).await?;
    wait_for_pool(world, &pool, READY, "NoNodes").await?;
    wait_for_pool(world, &pool, USED, "2/15 ").await?;
    bureau.wait_ready("web").await?;
    Ok(())
}
