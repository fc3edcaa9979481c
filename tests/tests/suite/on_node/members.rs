//! One of the ledger's three members dies, and is taken away, while people order: the other two go on.

use std::{
    fs,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use jiyun_lab::wait_for;
use jiyun_tests::{Order, WorldError, installed::NAMESPACE};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams};

use super::{
    Cluster, DEPARTMENT, SOON, able,
    drained::is_ready,
    killed::{POD, kill},
    load::{Load, Outcome, nothing_is_lost, prepare},
};

/// How long callers ask again: a leader that lost its connection to the ledger starts anew within seconds.
const PATIENCE: Duration = Duration::from_mins(1);
/// The member that dies.
const MEMBER: &str = "jiyun-ledger-1";
/// The host that is ordered while that member is away.
const HOST: &str = "without-a-member";

/// The values of the guide, with three members.
fn three_members(cluster: &Cluster) -> Result<(), WorldError> {
    let values = cluster.work.join("values.yaml");
    let one = fs::read_to_string(&values)?;
    assert!(one.contains("replicas: 1"), "{one}");
    Ok(fs::write(&values, one.replace("replicas: 1", "replicas: 3"))?)
}

/// What the command line of a member has in it; the pod's second process, which holds its network, has not.
const ETCD: [&str; 1] = ["--initial-cluster-token=jiyun-ledger"];

/// Restarts of a pod's containers so far.
fn restarts(pod: &Pod) -> i32 {
    let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    containers.map(|container| container.restart_count).sum()
}

/// Restarts of the two that do not die.
fn restarts_of_others(pods: &[Pod]) -> i32 {
    pods.iter().filter(|pod| pod.name_any() != MEMBER).map(restarts).sum()
}

/// Which of these is the member that dies.
fn member(pods: &[Pod]) -> Option<&Pod> {
    pods.iter().find(|pod| pod.name_any() == MEMBER)
}

/// Waits until all three members are Ready, which etcd is while it hears from the majority, and the one that dies is as it
/// should be; gives all three.
async fn all_there(pods: &Api<Pod>, what: &str, is_so: impl Fn(&Pod) -> bool) -> Result<Vec<Pod>, WorldError> {
    let of_ledger = ListParams::default().labels("app.kubernetes.io/name=jiyun-ledger");
    let found = wait_for(what, SOON, || async {
        let found = pods.list(&of_ledger).await.map_err(|error| error.to_string())?.items;
        let count = found.iter().filter(|pod| is_ready(pod)).count();
        if count == 3 && member(&found).is_some_and(&is_so) {
            Ok(found)
        } else {
            let seen = member(&found).and_then(|pod| pod.status.as_ref());
            Err(format!("{count} of {} are ready, {MEMBER} is {seen:?}", found.len()))
        }
    })
    .await?;
    Ok(found)
}

/// Whether a member leads the others, by its own figures.
async fn leads(cluster: &Cluster, pod: &Pod) -> Result<bool, WorldError> {
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref()).unwrap_or_default();
    let address = SocketAddr::new(address.parse().map_err(std::io::Error::other)?, 2381);
    let here = cluster.open_at(address).await?;
    let figures = reqwest::get(format!("http://{here}/metrics")).await?.text().await?;
    assert!(figures.contains("etcd_server_is_leader "), "{figures}");
    Ok(figures.lines().any(|line| line == "etcd_server_is_leader 1"))
}

/// Kills the member and keeps it down until a host that was ordered meanwhile is granted; what became of that order.
async fn granted_without(cluster: &Cluster, pod: &str) -> Result<Outcome, WorldError> {
    let caller = cluster.operator(true).await?.patient(Some(PATIENCE));
    let group = format!("{POD}{pod}");
    assert_eq!(kill(cluster, &ETCD, &group), 1, "processes of {MEMBER}");
    let began = Instant::now();
    let path = format!("/v1/departments/{DEPARTMENT}/hosts");
    let answer = caller.post(&path, &Order::new(HOST, "portal").body(), 0).await?;
    assert!(answer.status.is_success(), "{answer:?}");
    // Not by the API, of which one token may ask only so much.
    let told = ["get", "cloudhost", HOST, "-n", "dept-finance", "-o", "jsonpath={.status.claimId}"];
    wait_for(format!("{HOST} to be granted without {MEMBER}"), SOON, || async {
        // Started anew by its node, it would soon take part again.
        kill(cluster, &ETCD, &group);
        let claim = cluster.lab.kubectl(&told).await.map_err(|error| error.to_string())?;
        if claim.is_empty() { Err("it has no claim".to_owned()) } else { Ok(()) }
    })
    .await?;
    Ok(Outcome { name: HOST.to_owned(), trouble: None, took: began.elapsed() })
}

#[tokio::test]
async fn orders_go_on_while_one_of_three_members_dies_and_is_taken_away() -> Result<(), WorldError> {
    let Some(_alone) = able("orders_go_on_while_one_of_three_members_dies_and_is_taken_away").await else {
        return Ok(());
    };
    let cluster = Arc::new(Cluster::start().await?);
    cluster.run("values").await?;
    three_members(&cluster)?;
    cluster.run("install").await?;
    prepare(&cluster).await?;
    let pods = Api::<Pod>::namespaced(cluster.lab.client().await?, NAMESPACE);
    let before = all_there(&pods, "three members", |_| true).await?;
    let dies = member(&before).expect("it is there");

    let load = Load::begin(&cluster, Some(PATIENCE)).await?;
    let led = leads(&cluster, dies).await?;
    let without = granted_without(&cluster, &dies.uid().expect("it has one")).await?;
    let again = all_there(&pods, "the member to be started again", |pod| restarts(pod) > restarts(dies)).await?;
    cluster.kubectl(&["delete", "pod", MEMBER, "--timeout=60s"]).await?;
    let other = all_there(&pods, "another pod for the member", |pod| pod.uid() != dies.uid()).await?;
    for now in [&again, &other] {
        assert_eq!(restarts_of_others(now), restarts_of_others(&before), "the other two went on");
    }

    let mut outcomes = load.end().await;
    let slowest = outcomes.iter().map(|outcome| outcome.took).max().unwrap_or_default();
    eprintln!(
        "{} requests while {MEMBER} (leading: {led}) died and was taken away, the slowest answer took {slowest:?}; a host \
         was granted without it after {:?}",
        outcomes.len(),
        without.took
    );
    assert!(outcomes.len() > 50, "only {} requests", outcomes.len());
    outcomes.push(without);
    cluster.serves().await?;
    nothing_is_lost(&cluster, &outcomes).await?;
    all_there(&pods, "all three members still", |pod| pod.uid() == member(&other).and_then(ResourceExt::uid)).await?;
    Ok(())
}
