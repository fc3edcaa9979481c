//! People who order while something happens to Jiyun, and what has to be so afterwards: each order is there, booked once.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use jiyun_lab::wait_for;
use jiyun_tests::{Caller, Order, WorldError, city};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Cluster, DEPARTMENT, SOON};

/// Callers at the same time; every second one opens a connection for each request, as curl does.
const CALLERS: u32 = 4;
/// Between two requests of one caller: together they stay below what the API takes from one token.
const PACE: Duration = Duration::from_millis(400);
/// More than anybody orders here.
const DEPARTMENT_WITH_ROOM: &str = "
apiVersion: jiyun.io/v1alpha1
kind: Department
metadata: {name: finance}
spec:
  {displayName: 财政局, code: '430423-101', billingAccount: 财政局, zones: [extranet-public],
   access: {operators: [finance-operators]},
   quota: [{meter: Vcpu, limit: '10000'}, {meter: Memory, limit: 40000Gi}, {meter: BlockStorage, limit: 1000000Gi}]}
";
const SYSTEM: &str = "
apiVersion: jiyun.io/v1alpha1
kind: InformationSystem
metadata: {name: portal, namespace: dept-finance}
spec: {displayName: 门户网站, protectionLevel: 2, zoneRef: {name: extranet-public}, owner: {name: 张三}}
";

/// What became of one order.
#[derive(Debug)]
pub struct Outcome {
    /// The host.
    pub name: String,
    /// What the caller saw where it was not a success.
    pub trouble: Option<String>,
    /// How long the answer took.
    pub took: Duration,
}

/// A catalogue and a department that may order.
pub async fn prepare(cluster: &Cluster) -> Result<(), WorldError> {
    for file in city::CATALOGUE_FILES {
        cluster.lab.apply(city::folder().join(file)).await?;
    }
    cluster.lab.apply_text(DEPARTMENT_WITH_ROOM).await?;
    cluster.department_ready().await?;
    cluster.lab.people_ready(DEPARTMENT).await?;
    Ok(cluster.lab.apply_text(SYSTEM).await?)
}

/// People who order one host after the other.
#[derive(Debug)]
pub struct Load {
    stop: CancellationToken,
    callers: Vec<JoinHandle<Vec<Outcome>>>,
}

impl Load {
    /// Begins; with `patience` they ask again where they got no answer, else once and no more.
    pub async fn begin(cluster: &Arc<Cluster>, patience: Option<Duration>) -> Result<Self, WorldError> {
        let (stop, mut callers) = (CancellationToken::new(), Vec::new());
        for number in 0..CALLERS {
            let caller = cluster.operator(number % 2 == 0).await?.patient(patience);
            callers.push(tokio::spawn(order(caller, number, stop.clone())));
        }
        Ok(Self { stop, callers })
    }

    /// Ends it; what became of each order.
    pub async fn end(self) -> Vec<Outcome> {
        self.stop.cancel();
        let mut outcomes = Vec::new();
        for caller in self.callers {
            outcomes.extend(caller.await.expect("callers do not panic"));
        }
        outcomes
    }
}

async fn order(caller: Caller, number: u32, stop: CancellationToken) -> Vec<Outcome> {
    let (mut outcomes, mut pace) = (Vec::new(), tokio::time::interval(PACE));
    let path = format!("/v1/departments/{DEPARTMENT}/hosts");
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
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

/// Waits until the hosts are those that were ordered, and the ledger holds as many claims as hosts were admitted.
pub async fn every_order_is_there_once(cluster: &Cluster, outcomes: &[Outcome]) -> Result<(), WorldError> {
    let told = ["get", "cloudhosts", "-n", "dept-finance", "-o", "json"];
    let ordered: BTreeSet<&str> = outcomes.iter().map(|outcome| outcome.name.as_str()).collect();
    let caller = cluster.operator(true).await?;
    wait_for("every host to be decided, and booked once", SOON, || async {
        let told = cluster.lab.kubectl(&told).await.map_err(|error| error.to_string())?;
        let told: Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
        let hosts = told["items"].as_array().cloned().unwrap_or_default();
        let names: BTreeSet<&str> = hosts.iter().filter_map(|host| host["metadata"]["name"].as_str()).collect();
        if names != ordered {
            return Err(format!("{} hosts, {} orders", names.len(), ordered.len()));
        }
        let decisions: Vec<Option<bool>> = hosts.iter().map(admitted).collect();
        let count = decisions.iter().filter(|decision| **decision == Some(true)).count();
        let path = format!("/v1/departments/{DEPARTMENT}/quota");
        let quota = caller.get(&path).await.map_err(|error| error.to_string())?.json();
        let row = quota["rows"].as_array().into_iter().flatten().find(|row| row["meter"] == "Vcpu");
        let cores = |field: &str| row.and_then(|row| row[field].as_u64()).unwrap_or_default();
        let booked = cores("used") + cores("held");
        let all_decided = decisions.iter().all(Option::is_some);
        // Each host of the class has two cores.
        if all_decided && count > 0 && booked == 2 * u64::try_from(count).unwrap_or_default() {
            Ok(())
        } else {
            Err(format!("{count} of {} hosts are admitted, {booked} cores booked", hosts.len()))
        }
    })
    .await?;
    Ok(())
}

/// No caller who asked again went without success, every order is there once, and the book is sound.
pub async fn nothing_is_lost(cluster: &Cluster, outcomes: &[Outcome]) -> Result<(), WorldError> {
    let lost: Vec<_> = outcomes.iter().filter(|outcome| outcome.trouble.is_some()).collect();
    assert!(lost.is_empty(), "{lost:#?}");
    every_order_is_there_once(cluster, outcomes).await?;
    let verify = ["exec", "deployment/jiyun-controller", "--", "/usr/bin/jiyun-controller", "ledger", "verify"];
    cluster.kubectl(&verify).await?;
    Ok(())
}

/// What was decided about a host; nothing yet.
fn admitted(host: &Value) -> Option<bool> {
    let conditions = host["status"]["conditions"].as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == "Admitted")?;
    match condition["status"].as_str()? {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}
