//! Pods of Jiyun and of its ledger are killed while people order, as a power cut would: SIGKILL, no leave taken.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use jiyun_lab::wait_for;
use jiyun_tests::WorldError;

use super::{
    Cluster, SOON, able,
    load::{Load, nothing_is_lost, prepare},
};

/// How long callers ask again: a pod is started anew within seconds, a crashed leader's lease runs for ten.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the command line of a controller that runs has in it; commands like `ledger verify` have not.
const CONTROLLER: [&str; 2] = ["jiyun-controller", " run "];

/// In the paths of the control groups of every pod; with the pod's number after it, of that pod alone.
pub const POD: &str = "pod";

/// Sends SIGKILL to every process in such pods of this lab whose command line has all these words; how many there were.
pub fn kill(cluster: &Cluster, words: &[&str], pod: &str) -> u64 {
    let group = format!("/jiyun-lab-{}/", keeper(cluster));
    let mut killed = 0;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let groups = fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
        // Of this lab's node, and below it of pods: nothing of this machine, of another lab, or of the control plane.
        let in_pod = groups.lines().any(|line| line.contains(&group) && line.contains(pod));
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
    let lab = cluster.lab.folder().join("etc").display().to_string();
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

/// One of the controllers.
#[derive(Debug)]
struct Replica {
    /// Its pod.
    name: String,
    /// In the paths of its pod's control groups.
    group: String,
    /// Behind it, it tells its figures.
    figures: SocketAddr,
}

impl Replica {
    /// All of them.
    async fn all(cluster: &Cluster) -> Result<Vec<Self>, WorldError> {
        let selector = "app.kubernetes.io/name=jiyun-controller";
        let printed = r#"jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.podIP}{"\n"}{end}"#;
        let told = cluster.kubectl(&["get", "pods", "-l", selector, "-o", printed]).await?;
        let mut found = Vec::new();
        for line in told.lines() {
            let [name, number, address] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("no pod: {line}") };
            let address = SocketAddr::new(address.parse().map_err(std::io::Error::other)?, 8080);
            let (name, group) = (name.to_owned(), format!("{POD}{number}"));
            found.push(Self { name, group, figures: cluster.open_at(address).await? });
        }
        Ok(found)
    }

    /// Whether it leads; one that does not answer does not.
    async fn leads(&self) -> bool {
        let Ok(answer) = reqwest::get(format!("http://{}/metrics", self.figures)).await else { return false };
        answer.text().await.is_ok_and(|text| text.lines().any(|line| line == "jiyun_leader 1"))
    }

    async fn restarts(&self, cluster: &Cluster) -> Result<String, WorldError> {
        let printed = "jsonpath={.status.containerStatuses[*].restartCount}";
        cluster.kubectl(&["get", "pod", &self.name, "-o", printed]).await
    }
}

/// The place among these of the one that leads.
async fn leading(replicas: &[Replica]) -> Result<usize, &'static str> {
    for (place, replica) in replicas.iter().enumerate() {
        if replica.leads().await {
            return Ok(place);
        }
    }
    Err("nobody leads")
}

/// The leading controller dies alone, and the other one, which stood by, leads as it is.
async fn another_leads_when_the_leader_dies(cluster: &Cluster) -> Result<(), WorldError> {
    let mut replicas = Replica::all(cluster).await?;
    let place = wait_for("a controller to lead", SOON, || leading(&replicas)).await?;
    let leader = replicas.swap_remove(place);
    let [other] = &replicas[..] else { panic!("not one beside {leader:?}: {replicas:?}") };
    let before = other.restarts(cluster).await?;
    assert_eq!(kill(cluster, &CONTROLLER, &leader.group), 1, "processes of {leader:?}");
    wait_for("the other controller to lead", SOON, || async {
        // Started anew before its own lease has run out, it might be the first to ask again: it stays down meanwhile.
        kill(cluster, &CONTROLLER, &leader.group);
        if other.leads().await { Ok(()) } else { Err("it stands by") }
    })
    .await?;
    assert_eq!(other.restarts(cluster).await?, before, "restarts of {other:?}");
    cluster.serves().await
}

#[tokio::test]
async fn orders_survive_the_death_of_every_pod() -> Result<(), WorldError> {
    let Some(_alone) = able("orders_survive_the_death_of_every_pod").await else { return Ok(()) };
    let cluster = Arc::new(Cluster::start().await?);
    cluster.run("values").await?;
    cluster.run("install").await?;
    prepare(&cluster).await?;

    let load = Load::begin(&cluster, Some(PATIENCE)).await?;
    another_leads_when_the_leader_dies(&cluster).await?;
    let programs: [(&str, u64, &[&str]); 4] = [
        ("jiyun-controller", 2, &CONTROLLER),
        ("jiyun-api", 2, &["jiyun-api", "--kubernetes-url"]),
        ("jiyun-ledger", 1, &["etcd", "--initial-cluster-token=jiyun-ledger"]),
        ("jiyun-ledger", 1, &["etcd", "--initial-cluster-token=jiyun-ledger"]),
    ];
    for (component, replicas, words) in programs {
        let before = restarts(&cluster, component).await?;
        assert_eq!(kill(&cluster, words, POD), replicas, "processes of {component}");
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
