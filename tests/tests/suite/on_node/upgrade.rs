//! The chart is upgraded and rolled back while people order: each of their requests is answered, and done once.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use jiyun_lab::wait_for;
use jiyun_tests::{Caller, Order, WorldError, city};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Cluster, DEPARTMENT, SOON, able};

/// Callers at the same time; every second one opens a connection for each request, as curl does.
const CALLERS: u32 = 4;
/// Between two requests of one caller: together they stay below what the API takes from one token.
const PACE: Duration = Duration::from_millis(400);
/// More than anybody orders here.
const DEPARTMENT_WITH_ROOM: &str = r#"
apiVersion: jiyun.io/v1alpha1
kind: Department
metadata: {name: finance}
spec:
  {displayName: 财政局, code: '430423-101', billingAccount: 财政局, zones: [extranet-public],
   access: {operators: [finance-operators]},
   quota: [{meter: Vcpu, limit: '10000'}, {meter: Memory, limit: 40000Gi}, {meter: BlockStorage, limit: 1000000Gi}]}
---
apiVersion: jiyun.io/v1alpha1
kind: InformationSystem
metadata: {name: portal, namespace: dept-finance}
spec: {displayName: 门户网站, protectionLevel: 2, zoneRef: {name: extranet-public}, owner: {name: 张三}}
"#;
/// Something every pod of both programs is started anew for.
const OTHER_VALUES: &str = "controller: {logFilter: debug}\napi: {logFilter: debug}\n";

/// What became of one order.
#[derive(Debug)]
struct Outcome {
    name: String,
    /// What the caller saw where it was not a success.
    trouble: Option<String>,
    took: Duration,
}

/// Orders host after host until told to stop.
async fn order(caller: Caller, number: u32, stop: CancellationToken) -> Vec<Outcome> {
    let (mut outcomes, mut pace) = (Vec::new(), tokio::time::interval(PACE));
    let path = format!("/v1/departments/{DEPARTMENT}/hosts");
    while !stop.is_cancelled() {
        pace.tick().await;
        let name = format!("web-{number}-{}", outcomes.len());
        let began = Instant::now();
        let trouble = match caller.post(&path, &Order::new(&name, "portal").body(), 0).await {
            Ok(answer) if answer.status.is_success() => None,
            Ok(answer) => Some(format!("{} {}", answer.status, answer.text)),
            Err(error) => Some(format!("{error:?}")),
        };
        outcomes.push(Outcome { name, trouble, took: began.elapsed() });
    }
    outcomes
}

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
    for file in city::CATALOGUE_FILES {
        cluster.lab.apply(city::folder().join(file)).await?;
    }
    let (department, system) = DEPARTMENT_WITH_ROOM.split_once("---").expect("two objects");
    cluster.lab.apply_text(department).await?;
    cluster.department_ready().await?;
    cluster.lab.people_ready(DEPARTMENT).await?;
    cluster.lab.apply_text(system).await?;

    let stop = CancellationToken::new();
    let mut callers = Vec::new();
    for number in 0..CALLERS {
        let caller = cluster.operator(number % 2 == 0).await?;
        callers.push(tokio::spawn(order(caller, number, stop.clone())));
    }
    let values = cluster.work.join("values.yaml");
    let first = std::fs::read_to_string(&values)?;
    std::fs::write(&values, format!("{first}{OTHER_VALUES}"))?;
    let pods = pods(&cluster).await?;
    cluster.run("upgrade").await?;
    let upgraded = self::pods(&cluster).await?;
    cluster.run("rollback").await?;
    let back = self::pods(&cluster).await?;
    assert!(pods.is_disjoint(&upgraded) && upgraded.is_disjoint(&back), "every pod was replaced, twice");
    stop.cancel();

    let mut outcomes = Vec::new();
    for caller in callers {
        outcomes.extend(caller.await.expect("orders"));
    }
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

/// The hosts are those that were ordered, and the ledger holds as many claims as hosts were admitted.
async fn every_order_is_there_once(cluster: &Cluster, outcomes: &[Outcome]) -> Result<(), WorldError> {
    let told = ["get", "cloudhosts", "-n", "dept-finance", "-o", "json"];
    let ordered: BTreeSet<&str> = outcomes.iter().map(|outcome| outcome.name.as_str()).collect();
    let caller = cluster.operator(false).await?;
    wait_for("every host to be decided, and booked once", SOON, || async {
        let told = cluster.lab.kubectl(&told).await.map_err(|error| error.to_string())?;
        let told: Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
        let hosts = told["items"].as_array().cloned().unwrap_or_default();
        let names: BTreeSet<&str> = hosts.iter().filter_map(|host| host["metadata"]["name"].as_str()).collect();
        if names != ordered {
            return Err(format!("{} hosts, {} orders", names.len(), ordered.len()));
        }
        let decided = |host: &Value| {
            let conditions = host["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let admitted = conditions.iter().find(|condition| condition["type"] == "Admitted");
            admitted.and_then(|condition| condition["status"].as_str().map(|status| status == "True"))
        };
        let decisions: Vec<_> = hosts.iter().map(decided).collect();
        let admitted = decisions.iter().filter(|decision| **decision == Some(true)).count();
        let quota = caller.get(&format!("/v1/departments/{DEPARTMENT}/quota")).await.map_err(|error| error.to_string())?;
        let quota = quota.json();
        let row = quota["rows"].as_array().into_iter().flatten().find(|row| row["meter"] == "Vcpu").cloned();
        let cores = |field: &str| row.as_ref().and_then(|row| row[field].as_u64()).unwrap_or_default();
        let booked = cores("used") + cores("held");
        let all_decided = decisions.iter().all(Option::is_some);
        if all_decided && admitted > 0 && booked == 2 * u64::try_from(admitted).unwrap_or_default() {
            Ok(())
        } else {
            Err(format!("{admitted} of {} hosts are admitted, {booked} cores booked", hosts.len()))
        }
    })
    .await?;
    Ok(())
}
