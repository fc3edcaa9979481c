//! A database of CloudNativePG itself, with PostgreSQL in it: ordered, made larger, its primary killed, made smaller, stopped
//! and started, and its rows are there each time.

use jiyun_crds::names::engine_namespace;
use jiyun_lab::{Lab, LabOptions, Part, wait_for};
use jiyun_tests::{
    World, WorldError,
    city::{CATALOGUE_FILES, folder, on_node},
    database::Databases,
    installed,
    world::{PATIENCE, Quota},
};
use serde_json::{Value, json};

use super::{DEPARTMENT, able_with};

/// Sizes that two nodes have room for beside Jiyun.
const SMALL: &str = "database-1c1g";
const LARGE: &str = "database-1c2g";
const SIZE: &str = "10Gi";

/// The class `name`, of the version the nodes have an image of.
fn class(name: &str, memory: &str) -> Value {
    json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "DatabaseClass", "metadata": {"name": name},
        "spec": {
            "displayName": name, "engine": "Postgresql", "vcpu": 1, "memory": memory, "architectures": ["amd64", "arm64"],
            "versions": [{"version": "17", "image": "lab.jiyun.io/postgresql:17"}],
        },
    })
}

/// What PostgreSQL answers in its primary.
async fn sql(databases: &Databases<'_>, text: &str) -> Result<String, String> {
    let told = |error: WorldError| error.to_string();
    let primary = primary(databases).await.map_err(told)?;
    let engines = engine_namespace(&databases.bureau.name);
    let asked = ["exec", "-n", &engines, &primary, "-c", "postgres", "--", "psql", "-At", "app", "-c", text];
    let answer = databases.bureau.world.lab.kubectl(&asked).await.map_err(|error| error.to_string())?;
    Ok(answer.trim().to_owned())
}

/// The instance that takes writes.
async fn primary(databases: &Databases<'_>) -> Result<String, WorldError> {
    let cluster = databases.cluster("records").await?;
    Ok(cluster.data.pointer("/status/currentPrimary").and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// Waits until the row is there.
async fn row(databases: &Databases<'_>, when: &str) -> Result<(), WorldError> {
    wait_for(format!("the row {when}"), PATIENCE, || async {
        match sql(databases, "select name from names").await?.as_str() {
            "jiyun" => Ok(()),
            other => Err(other.to_owned()),
        }
    })
    .await?;
    Ok(())
}

/// Waits until the primary hears from so many standbys.
async fn followed(databases: &Databases<'_>, standbys: &str) -> Result<(), WorldError> {
    let streams = "select count(*) from pg_stat_replication where state = 'streaming'";
    wait_for(format!("{standbys} standbys to follow"), PATIENCE, || async {
        let count = sql(databases, streams).await?;
        if count == standbys { Ok(()) } else { Err(count) }
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_database_keeps_its_rows_while_it_is_resized_loses_its_primary_and_is_stopped() -> Result<(), WorldError> {
    let test = "a_database_keeps_its_rows_while_it_is_resized_loses_its_primary_and_is_stopped";
    let Some(_alone) = able_with(test, &[Part::Cnpg]).await else { return Ok(()) };
    let options = installed::with_parts(LabOptions::default(), [Part::Cnpg]).nodes(2);
    let lab = Lab::start(options.departments([DEPARTMENT])).await?;
    let world = World::deployed(lab, &[]).await?;
    for file in CATALOGUE_FILES {
        // The nodes' own class of volumes, though machines are simulated.
        world.take(file, &on_node(&std::fs::read_to_string(folder().join(file))?)).await?;
    }
    for (name, memory) in [(SMALL, "1Gi"), (LARGE, "2Gi")] {
        world.take(name, &class(name, memory).to_string()).await?;
    }
    let bureau = world.named_department(DEPARTMENT, Quota::AMPLE).await?;
    if let Err(error) = Box::pin(life(&world, &Databases { bureau: &bureau })).await {
        let looked = ["get", "pods,jobs,pvc,events", "-o", "wide", "-n", &engine_namespace(DEPARTMENT)];
        panic!("{error}\n{}", world.lab.kubectl(&looked).await?);
    }
    world.close().await
}

/// What the test is about.
async fn life(world: &World, databases: &Databases<'_>) -> Result<(), WorldError> {
    let mut order = databases.order("records", "Single");
    order["spec"]["classRef"]["name"] = json!(SMALL);
    order["spec"]["storage"]["size"] = json!(SIZE);
    databases.apply(&order).await?;
    databases.wait_granted("records", (SMALL, 1, SIZE)).await?;
    let written = sql(databases, "create table names (name text); insert into names values ('jiyun')").await;
    written.expect("PostgreSQL takes a row");

    // Larger, and one more.
    databases.set("records", json!({"classRef": {"name": LARGE}, "topology": "PrimaryStandby"})).await?;
    databases.wait_granted("records", (LARGE, 2, SIZE)).await?;
    let larger = ("1".to_owned(), "2Gi".to_owned());
    assert_eq!(databases.sizes("records").await?, [larger.clone(), larger.clone()]);
    row(databases, "after the database was made larger").await?;
    followed(databases, "1").await?;

    // The primary dies.
    let first = primary(databases).await?;
    let engines = engine_namespace(DEPARTMENT);
    world.lab.kubectl(&["delete", "pod", "-n", &engines, &first, "--grace-period=0", "--force"]).await?;
    wait_for("another primary", PATIENCE, || async {
        let now = primary(databases).await.map_err(|error| error.to_string())?;
        if now.is_empty() || now == first { Err(now) } else { Ok(()) }
    })
    .await?;
    row(databases, "in what was the standby").await?;
    followed(databases, "1").await?;
    databases.wait_ready("records", "Running").await?;

    // Smaller again: the standby and its volume go.
    databases.set("records", json!({"classRef": {"name": SMALL}, "topology": "Single"})).await?;
    databases.wait_granted("records", (SMALL, 1, SIZE)).await?;
    assert_eq!(databases.sizes("records").await?, [("1".to_owned(), "1Gi".to_owned())]);
    assert_eq!(databases.capacities("records").await?, [SIZE]);
    row(databases, "after the database was made smaller").await?;

    // Stopped, and started again.
    databases.set("records", json!({"power": "Stopped"})).await?;
    databases.wait_ready("records", "Stopped").await?;
    assert_eq!(databases.sizes("records").await?, []);
    databases.set("records", json!({"power": "Running"})).await?;
    databases.wait_ready("records", "Running").await?;
    row(databases, "after it was stopped and started").await?;

    let api = databases.objects().await?;
    api.delete("records", &kube::api::DeleteParams::default()).await?;
    databases.wait_gone("records").await
}
