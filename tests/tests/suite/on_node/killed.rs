//! Pods of Jiyun and of its ledger are killed while people order, as a power cut would: SIGKILL, no leave taken.

use std::{fs, sync::Arc, time::Duration};

use jiyun_lab::wait_for;
use jiyun_tests::WorldError;

use super::{
    Cluster, SOON, able,
    load::{Load, nothing_is_lost, prepare},
};

/// How long callers ask again: a pod is started anew within seconds, a crashed leader's lease runs for ten.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sends SIGKILL to every process in pods of this lab whose command line has all these words; how many there were.
fn kill(cluster: &Cluster, words: &[&str]) -> u64 {
    let group = format!("/jiyun-lab-{}/", keeper(cluster));
    let mut killed = 0;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let groups = fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
        // Of this lab's node, and below it of pods: nothing of this machine, of another lab, or of the control plane.
        let in_pod = groups.lines().any(|line| line.contains(&group) && line.contains("pod"));
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if in_pod && words.iter().all(|word| line.contains(word)) {
            let sent = std::process::Command::new("kill").args(["-KILL", &number.to_string()]).status();
            killed += u64::from(sent.is_ok_and(|status| status.success()));
        }
    }
    killed
}

/// The process that keeps this lab's node: its control groups carry its number.
fn keeper(cluster: &Cluster) -> String {
    let lab = cluster.lab.folder().display().to_string();
    let mut found = fs::read_dir("/proc").into_iter().flatten().flatten().filter(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(" node keeper ") && line.contains(&lab)
    });
    found.next().expect("the node has a keeper").file_name().to_string_lossy().into_owned()
}

/// Restarts of the containers of a component so far.
async fn restarts(cluster: &Cluster, component: &str) -> Result<u64, WorldError> {
    let selector = format!("app.kubernetes.io/name={component}");
    let printed = "jsonpath={.items[*].status.containerStatuses[*].restartCount}";
    let told = cluster.kubectl(&["get", "pods", "-l", &selector, "-o", printed]).await?;
    Ok(told.split_whitespace().filter_map(|count| count.parse::<u64>().ok()).sum())
}

#[tokio::test]
async fn orders_survive_the_death_of_every_pod() -> Result<(), WorldError> {
    let Some(_alone) = able("orders_survive_the_death_of_every_pod").await else { return Ok(()) };
    let cluster = Arc::new(Cluster::start().await?);
    cluster.run("values").await?;
    cluster.run("install").await?;
    prepare(&cluster).await?;

    let load = Load::begin(&cluster, Some(PATIENCE)).await?;
    let programs: [(&str, u64, &[&str]); 4] = [
        ("jiyun-controller", 2, &["jiyun-controller", " run "]),
        ("jiyun-api", 2, &["jiyun-api", "--kubernetes-url"]),
        ("jiyun-ledger", 1, &["etcd", "--initial-cluster-token=jiyun-ledger"]),
        ("jiyun-ledger", 1, &["etcd", "--initial-cluster-token=jiyun-ledger"]),
    ];
    for (component, replicas, words) in programs {
        let before = restarts(&cluster, component).await?;
        assert_eq!(kill(&cluster, words), replicas, "processes of {component}");
        wait_for(format!("{component} to be started again"), SOON, || async {
            let now = restarts(&cluster, component).await.map_err(|error| error.to_string())?;
            if now >= before + replicas { Ok(()) } else { Err(format!("{now} restarts")) }
        })
        .await?;
        cluster.serves().await?;
    }
    let outcomes = load.end().await;
    assert!(outcomes.len() > 50, "only {} requests", outcomes.len());
    nothing_is_lost(&cluster, &outcomes).await
}
