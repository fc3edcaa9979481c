//! Pods of Jiyun are evicted while people order, as a drain of their node does: budgets keep one of each program at work.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiyun_lab::wait_for;
use jiyun_tests::{WorldError, installed::NAMESPACE};
use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{EvictParams, ListParams},
    config::{KubeConfigOptions, Kubeconfig},
};

use super::{
    Cluster, SOON, able,
    load::{Load, nothing_is_lost, prepare},
};

/// What a drain is told where a budget does not let a pod go.
const REFUSED: &str = "429 Cannot evict pod as it would violate the pod's disruption budget.";
/// The ledger's only member.
const MEMBER: &str = "jiyun-ledger-0";

/// A client that hands on what it is told: the usual one, refused for now, asks again by itself.
async fn client(cluster: &Cluster) -> Result<Client, WorldError> {
    let kubeconfig = Kubeconfig::read_from(cluster.lab.kubeconfig()).map_err(std::io::Error::other)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(std::io::Error::other)?;
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

/// Whether a pod is Ready and not told to leave.
pub fn is_ready(pod: &Pod) -> bool {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Names of the pods of a program that are Ready.
async fn ready(pods: &Api<Pod>, program: &str) -> Result<Vec<String>, kube::Error> {
    let of_program = ListParams::default().labels(&format!("app.kubernetes.io/name={program}"));
    let found = pods.list(&of_program).await?.items;
    Ok(found.iter().filter(|pod| is_ready(pod)).map(ResourceExt::name_any).collect())
}

/// Asks for the eviction of a pod; where it is refused, status and sentence.
async fn evict(pods: &Api<Pod>, name: &str) -> Result<(), String> {
    match pods.evict(name, &EvictParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => Err(format!("{} {}", status.code, status.message)),
        Err(error) => Err(error.to_string()),
    }
}

/// Waits until the budget of a program has seen both its pods, and lets one go.
async fn one_may_go(client: &Client, program: &str) -> Result<(), WorldError> {
    let budgets = Api::<PodDisruptionBudget>::namespaced(client.clone(), NAMESPACE);
    wait_for(format!("the budget of {program} to let one go"), SOON, || async {
        let status = budgets.get(program).await.map_err(|error| error.to_string())?.status.unwrap_or_default();
        if status.current_healthy == Some(2) && status.disruptions_allowed == Some(1) {
            Ok(())
        } else {
            Err(format!("{status:?}"))
        }
    })
    .await?;
    Ok(())
}

/// Evicts both pods of a program: the first one goes, the second one not before another is Ready. How long it was kept.
async fn one_after_the_other(client: &Client, program: &str) -> Result<Duration, WorldError> {
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    one_may_go(client, program).await?;
    let both = ready(&pods, program).await?;
    let [first, second] = &both[..] else { panic!("not two of {program}: {both:?}") };
    evict(&pods, first).await.expect("one of two may go");
    // At once: no other pod can be Ready yet.
    let refused = evict(&pods, second).await.expect_err("the last one is kept");
    assert_eq!(refused, REFUSED, "{second}");
    let began = Instant::now();
    wait_for(format!("{second} to be let go"), SOON, || evict(&pods, second)).await?;
    let kept = began.elapsed();
    let left = ready(&pods, program).await?;
    assert!(left.iter().any(|name| !both.contains(name)), "{second} went while no other was Ready: {left:?}");
    wait_for(format!("two others of {program}"), SOON, || async {
        let now = ready(&pods, program).await.map_err(|error| error.to_string())?;
        let are_others = now.len() == 2 && now.iter().all(|name| !both.contains(name));
        if are_others { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await?;
    Ok(kept)
}

/// The ledger's only member has no budget, which would let nobody drain its node: it goes when it is asked to, and comes
/// back with its disk.
async fn the_only_member_goes_at_once(cluster: &Cluster, client: &Client) -> Result<(), WorldError> {
    let budgets = cluster.kubectl(&["get", "poddisruptionbudgets", "-o", "jsonpath={.items[*].metadata.name}"]).await?;
    assert_eq!(budgets, "jiyun-api jiyun-controller");
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let before = pods.get(MEMBER).await?;
    evict(&pods, MEMBER).await.expect("nothing keeps it");
    wait_for(format!("{MEMBER} to come back"), SOON, || async {
        let now = pods.get(MEMBER).await.map_err(|error| error.to_string())?;
        let is_back = is_ready(&now) && now.metadata.uid != before.metadata.uid;
        if is_back { Ok(()) } else { Err(format!("{:?}", now.status)) }
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_drain_takes_one_of_two_replicas_at_a_time_and_no_order_is_lost() -> Result<(), WorldError> {
    let Some(_alone) = able("a_drain_takes_one_of_two_replicas_at_a_time_and_no_order_is_lost").await else {
        return Ok(());
    };
    let cluster = Arc::new(Cluster::start().await?);
    cluster.run("values").await?;
    cluster.run("install").await?;
    prepare(&cluster).await?;

    // Nobody asks twice: a request that gets no answer is lost.
    let load = Load::begin(&cluster, None).await?;
    let client = client(&cluster).await?;
    for program in ["jiyun-controller", "jiyun-api"] {
        let kept = one_after_the_other(&client, program).await?;
        eprintln!("a drain was kept from the second pod of {program} for {kept:?}");
    }
    the_only_member_goes_at_once(&cluster, &client).await?;
    let outcomes = load.end().await;
    let slowest = outcomes.iter().map(|outcome| outcome.took).max().unwrap_or_default();
    eprintln!("{} requests while every pod was evicted, the slowest answer took {slowest:?}", outcomes.len());
    assert!(outcomes.len() > 50, "only {} requests", outcomes.len());
    cluster.serves().await?;
    nothing_is_lost(&cluster, &outcomes).await
}
