//! `docs/install.md` from its first command to its last, and what has to be so in between.

use jiyun_lab::wait_for;
use jiyun_tests::{
    Order, WorldError, city,
    installed::{NAMESPACE, helm},
};
use serde_json::Value;

use super::{Cluster, DEPARTMENT, SOON, able};

/// Every block of the guide that is marked to be run, in its order: run here, and compared with the guide by `docs.rs`.
pub const BLOCKS: [&str; 17] = [
    "look",
    "values",
    "install",
    "first",
    "reach",
    "backup",
    "secrets",
    "upgrade",
    "rollback",
    "empty",
    "import",
    "plan",
    "adopt",
    "remove",
    "again",
    "nothing",
    "definitions",
];

/// What hosts are ordered from, and the guide leaves to whoever installs.
const BEFORE_HOSTS: [&str; 3] = ["10-site.yaml", "20-pools.yaml", "40-images.yaml"];
const SYSTEM: &str = "
apiVersion: jiyun.io/v1alpha1
kind: InformationSystem
metadata: {name: portal, namespace: dept-finance}
spec: {displayName: 门户网站, protectionLevel: 2, zoneRef: {name: extranet-public}, owner: {name: 张三}}
";
/// The department's host, which nothing that is done to Jiyun may touch.
const HOST: &str = "web-1";

/// What the department has: its host as Kubernetes has it, the machine behind it, and what the API says is used.
#[derive(Debug, PartialEq)]
struct Holdings {
    uid: Value,
    claim: Value,
    machine: String,
    used: Vec<(Value, Value)>,
}

impl Holdings {
    /// As they are once the host is Ready and nothing is held any more.
    async fn settled(cluster: &Cluster) -> Result<Self, WorldError> {
        let caller = cluster.operator(true).await?;
        let path = format!("/v1/departments/{DEPARTMENT}/quota");
        let found = wait_for("the host to be ready, and its claim to be booked as used", SOON, || async {
            let told = cluster.lab.kubectl(&["get", "cloudhost", HOST, "-n", "dept-finance", "-o", "json"]).await;
            let host: Value =
                serde_json::from_str(&told.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
            let status = &host["status"];
            let says_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
            let is_ready = status["conditions"].as_array().into_iter().flatten().any(says_ready);
            let is_new = status["observedGeneration"] == host["metadata"]["generation"];
            let quota = caller.get(&path).await.map_err(|error| error.to_string())?;
            let rows = quota.json()["rows"].as_array().cloned().unwrap_or_default();
            let is_booked = rows.iter().any(|row| row["meter"] == "Vcpu" && row["used"] == 2);
            if !(is_ready && is_new && is_booked && rows.iter().all(|row| row["held"] == 0)) {
                return Err(format!("{status} {}", quota.text));
            }
            let machine = ["get", "vm", HOST, "-n", "engine-finance", "-o", "jsonpath={.metadata.uid}"];
            let machine = cluster.lab.kubectl(&machine).await.map_err(|error| error.to_string())?;
            let used = rows.iter().map(|row| (row["meter"].clone(), row["used"].clone())).collect();
            Ok(Self { uid: host["metadata"]["uid"].clone(), claim: status["claimId"].clone(), machine, used })
        })
        .await?;
        Ok(found)
    }
}

/// Orders the department's host over the API.
async fn order(cluster: &Cluster) -> Result<(), WorldError> {
    for file in BEFORE_HOSTS {
        cluster.lab.apply(city::folder().join(file)).await?;
    }
    let kinds = "sites,computepools,storagepools,hostimages";
    cluster.lab.kubectl(&["wait", kinds, "--all", "--for=condition=Ready", "--timeout=60s"]).await?;
    cluster.lab.apply_text(SYSTEM).await?;
    let path = format!("/v1/departments/{DEPARTMENT}/hosts");
    let answer = cluster.operator(true).await?.post(&path, &Order::new(HOST, "portal").body(), 0).await?;
    assert!(answer.status.is_success(), "{answer:?}");
    Ok(())
}

/// Every key and certificate of the chart.
async fn keys(cluster: &Cluster) -> Result<String, WorldError> {
    let told = ["get", "secrets", "--field-selector=type=kubernetes.io/tls", "-o", "jsonpath={.items[*].data}"];
    let keys = cluster.kubectl(&told).await?;
    assert_eq!(keys.matches("tls.key").count(), 6, "{}", keys.len());
    Ok(keys)
}

/// The last entry of the book.
async fn last(cluster: &Cluster) -> Result<u64, WorldError> {
    let archive = ["exec", "deployment/jiyun-controller", "--", "/usr/bin/jiyun-controller", "ledger", "archive", "-"];
    let book = cluster.kubectl(&archive).await?;
    let end: serde_json::Value = serde_json::from_str(book.lines().last().unwrap_or_default()).unwrap();
    Ok(end["end"]["last"].as_u64().expect("a whole book"))
}

/// Gives the department another limit, which is an entry in the book once the department is ready again.
async fn change_limit(cluster: &Cluster, vcpu: u32) -> Result<(), WorldError> {
    let patch = format!(r#"{{"spec": {{"quota": [{{"meter": "Vcpu", "limit": "{vcpu}"}}]}}}}"#);
    let department = format!("department/{DEPARTMENT}");
    cluster.lab.kubectl(&["patch", &department, "--type=merge", "--patch", &patch]).await?;
    Ok(())
}

/// Authentication is on: the controller's own user may not make users.
async fn only_root_makes_users(cluster: &Cluster) {
    let tried = ["exec", "deployment/jiyun-controller", "--", "/usr/bin/jiyun-controller", "ledger", "users"];
    let refused = cluster.kubectl(&tried).await.expect_err("is refused");
    assert!(format!("{refused:?}").contains("the user root's"), "{refused:?}");
}

#[tokio::test]
async fn the_guide_to_an_installation_installs_upgrades_restores_and_removes() -> Result<(), WorldError> {
    let Some(_alone) = able("the_guide_to_an_installation_installs_upgrades_restores_and_removes").await else {
        return Ok(());
    };
    let cluster = Cluster::start().await?;
    for name in ["look", "values"] {
        cluster.run(name).await?;
    }
    let notes = cluster.run("install").await?;
    // What it is, what to know, and what to do next.
    for part in ["is installed in jiyun-system", "One member is one disk", "1. Wait until it is there", "docs/api.md"] {
        assert!(notes.contains(part), "{part} is not in {notes}");
    }
    cluster.serves().await?;
    only_root_makes_users(&cluster).await;
    for name in ["first", "reach"] {
        cluster.run(name).await?;
    }
    order(&cluster).await?;
    let has = Holdings::settled(&cluster).await?;
    for name in ["backup", "secrets"] {
        cluster.run(name).await?;
    }

    let before = keys(&cluster).await?;
    cluster.run("upgrade").await?;
    cluster.run("rollback").await?;
    assert_eq!(keys(&cluster).await?, before, "neither changes a key");
    cluster.serves().await?;
    another_number_of_members_is_refused(&cluster).await?;

    // What comes after the backup is lost with the disks, and Kubernetes remembers that it was there.
    let kept = last(&cluster).await?;
    change_limit(&cluster, 24).await?;
    cluster.department_ready().await?;
    remembered(&cluster, kept + 1).await?;
    cluster.run("empty").await?;
    let imported = cluster.run("import").await?;
    assert!(imported.contains("imported"), "{imported}");
    quarantined(&cluster, true).await?;
    for name in ["plan", "adopt"] {
        cluster.run(name).await?;
    }
    quarantined(&cluster, false).await?;
    assert_eq!(Holdings::settled(&cluster).await?, has, "the host is there, and booked, as it was");
    change_limit(&cluster, 32).await?;
    cluster.department_ready().await?;

    let kept = last(&cluster).await?;
    let left = cluster.run("remove").await?;
    assert!(left.contains("/data-jiyun-ledger-0") && left.contains("/jiyun-authority"), "{left}");
    assert!(left.contains(DEPARTMENT), "kinds and objects stay: {left}");
    assert!(has_volumes(&cluster).await?, "the books stay");
    cluster.run("again").await?;
    cluster.serves().await?;
    assert!(last(&cluster).await? >= kept, "the books are there again");
    assert_eq!(Holdings::settled(&cluster).await?, has, "the host went on without Jiyun");

    // Takes the host along, with its machine and its disk.
    cluster.run("nothing").await?;
    // By the uninstallation alone: the namespace, which would take them along, is still there.
    neither_claim_nor_authority(&cluster).await?;
    cluster.run("definitions").await?;
    let left = cluster.lab.kubectl(&["get", "crds,namespaces", "-o", "name"]).await?;
    let is_left = ["jiyun.io", NAMESPACE, "dept-", "engine-"].iter().any(|name| left.contains(name));
    assert!(!is_left, "{left}");
    wait_for("the volumes of the books to go", SOON, || async {
        match has_volumes(&cluster).await {
            Ok(false) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    assert_eq!(*cluster.ran.lock().unwrap(), BLOCKS, "every block, in the guide's order");
    Ok(())
}

/// Waits until no claim of the ledger's is left, nor the authority that vouches for who may read it.
async fn neither_claim_nor_authority(cluster: &Cluster) -> Result<(), WorldError> {
    wait_for("the ledger's claims and the authority to go", SOON, || async {
        let left = cluster.kubectl(&["get", "persistentvolumeclaims,secrets", "-o", "name"]).await;
        let left = left.map_err(|error| error.to_string())?;
        let is_left = left.contains("persistentvolumeclaim/") || left.contains("/jiyun-authority");
        if is_left { Err(left) } else { Ok(()) }
    })
    .await?;
    Ok(())
}

/// Whether there are volumes of claims in Jiyun's namespace. Their names do not tell: they are made of the claims' numbers.
async fn has_volumes(cluster: &Cluster) -> Result<bool, WorldError> {
    let told = ["get", "persistentvolumes", "-o", "jsonpath={.items[*].spec.claimRef.namespace}"];
    let namespaces = cluster.lab.kubectl(&told).await?;
    Ok(namespaces.split_whitespace().any(|namespace| namespace == NAMESPACE))
}

async fn another_number_of_members_is_refused(cluster: &Cluster) -> Result<(), WorldError> {
    let values = format!("--values={}", cluster.work.join("values.yaml").display());
    let more = ["upgrade", "jiyun", "charts/jiyun", &values, "--set=ledger.etcd.replicas=3"];
    match helm(&cluster.lab, &more).await {
        Err(WorldError::Helm { said, .. }) => assert!(said.contains("another, empty ledger"), "{said}"),
        other => panic!("it was not refused: {other:?}"),
    }
    Ok(())
}

/// Waits until Kubernetes remembers this entry of the book.
async fn remembered(cluster: &Cluster, entry: u64) -> Result<(), WorldError> {
    wait_for("Kubernetes to remember the entry", SOON, || async {
        let told = cluster.kubectl(&["get", "configmap", "jiyun-ledger-mark", "-o", "json"]).await;
        let mark: serde_json::Value =
            serde_json::from_str(&told.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
        let numbers =
            mark["data"].as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str()?.parse().ok());
        if numbers.max().is_some_and(|number: u64| number >= entry) { Ok(()) } else { Err(mark["data"].to_string()) }
    })
    .await?;
    Ok(())
}

/// Waits until the leader says that the ledger is in quarantine, or that it is not.
async fn quarantined(cluster: &Cluster, expected: bool) -> Result<(), WorldError> {
    let wanted = format!("jiyun_quarantined {}", u8::from(expected));
    let here = cluster.open("jiyun-controller-metrics", 8080).await?;
    wait_for(&wanted, SOON, || async {
        // Either replica may answer; only the leader knows.
        let answer = reqwest::get(format!("http://{here}/metrics")).await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let says = |line: &str| text.lines().any(|found| found == line);
        if says("jiyun_leader 1") && says(&wanted) { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await?;
    Ok(())
}
