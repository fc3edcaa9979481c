//! The chart is upgraded and rolled back while people order: each of their requests is answered, and done once.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use jiyun_tests::WorldError;
use serde_json::Value;

use super::{
    Cluster, able,
    load::{Load, every_order_is_there_once, prepare},
};

/// Something every pod of both programs is started anew for.
const OTHER_VALUES: &str = "controller: {logFilter: debug}\napi: {logFilter: debug}\n";

#[tokio::test]
async fn no_order_is_lost_or_doubled_while_the_chart_is_upgraded_and_rolled_back() -> Result<(), WorldError> {
    let Some(_alone) = able("no_order_is_lost_or_doubled_while_the_chart_is_upgraded_and_rolled_back").await else {
        return Ok(());
    };
    let cluster = Arc::new(Cluster::start().await?);
    cluster.run("values").await?;
    let began = Instant::now();
    cluster.run("install").await?;
    let installed = began.elapsed();
    prepare(&cluster).await?;

    // Nobody asks twice: a request that gets no answer is lost.
    let load = Load::begin(&cluster, None).await?;
    let values = cluster.work.join("values.yaml");
    let first = std::fs::read_to_string(&values)?;
    std::fs::write(&values, format!("{first}{OTHER_VALUES}"))?;
    let pods = pods(&cluster).await?;
    cluster.run("upgrade").await?;
    let upgraded = self::pods(&cluster).await?;
    cluster.run("rollback").await?;
    let back = self::pods(&cluster).await?;
    assert!(pods.is_disjoint(&upgraded) && upgraded.is_disjoint(&back), "every pod was replaced, twice");

    let outcomes = load.end().await;
    let lost: Vec<_> = outcomes.iter().filter(|outcome| outcome.trouble.is_some()).collect();
    let slowest = outcomes.iter().map(|outcome| outcome.took).max().unwrap_or_default();
    eprintln!(
        "install_to_ready_s {:.1}; request_loss_on_upgrade {} of {}, the slowest answer took {slowest:?}",
        installed.as_secs_f64(),
        lost.len(),
        outcomes.len()
    );
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(outcomes.len() > 50, "only {} requests", outcomes.len());
    every_order_is_there_once(&cluster, &outcomes).await
}

/// Names of the pods of both programs.
async fn pods(cluster: &Cluster) -> Result<BTreeSet<String>, WorldError> {
    cluster.serves().await?;
    let selector = "app.kubernetes.io/name in (jiyun-controller,jiyun-api)";
    let told = ["get", "pods", "-l", selector, "--field-selector=status.phase=Running", "-o", "json"];
    let told: Value = serde_json::from_str(&cluster.kubectl(&told).await?).map_err(std::io::Error::other)?;
    let lives = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    let name = |pod: &Value| pod["metadata"]["name"].as_str().map(str::to_owned);
    Ok(told["items"].as_array().into_iter().flatten().filter(lives).filter_map(name).collect())
}
