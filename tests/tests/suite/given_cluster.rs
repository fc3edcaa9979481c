//! The whole system on a cluster that was there before: a bare lab plays the cluster, and nothing but its kubeconfig is
//! handed on.

use http::StatusCode;
use jiyun_crds::names::ANNOTATION_REQUESTED_BY;
use jiyun_lab::{ClusterError, Engines, Lab, LabError, LabOptions, wait_for};
use jiyun_tests::{
    Order, World, WorldError, city,
    world::{PATIENCE, Quota},
};
use tokio::process::Command;

use super::docs::blocks::{UNINSTALL, blocks};

const DEPARTMENT: &str = "harbour";

#[tokio::test]
async fn a_department_orders_a_host_and_gives_it_back_and_the_cluster_can_be_cleaned() -> Result<(), WorldError> {
    let cluster = Lab::start(LabOptions::bare()).await?;
    let options = || LabOptions::default().departments([DEPARTMENT]).cluster(cluster.kubeconfig());
    let world = World::on(Lab::start(options()).await?, &city::CATALOGUE_FILES, Vec::new()).await?;
    assert_eq!(world.lab.engines(), Engines::Simulated);
    story(&world).await?;

    // The controller remembers its ledger within some seconds; from then on the cluster is no other ledger's.
    let mark = ["get", "configmap", "jiyun-ledger-mark", "-n", "jiyun-system"];
    wait_for("the ledger's mark", PATIENCE, || async {
        cluster.kubectl(&mark).await.map(drop).map_err(|error| error.to_string())
    })
    .await?;
    let World { lab, controller, api, .. } = world;
    drop((controller, api));
    lab.stop().await?;
    let refused = Lab::start(options()).await.unwrap_err();
    assert!(
        matches!(&refused, LabError::Cluster(error) if matches!(**error, ClusterError::Remembers { .. })),
        "{refused}"
    );
    assert!(refused.to_string().contains("docs/lab.md"), "{refused}");

    uninstall(&cluster).await?;
    let left = cluster.kubectl(&["get", "namespaces,crds,clusterroles,clusterrolebindings", "-o", "name"]).await?;
    assert!(!left.contains("jiyun") && !left.contains(DEPARTMENT) && !left.contains("kubevirt"), "{left}");
    let world = World::on(Lab::start(options()).await?, &city::CATALOGUE_FILES, Vec::new()).await?;
    story(&world).await
}

/// A host is ordered with the token of an account, runs, is counted, and is given back.
async fn story(world: &World) -> Result<(), WorldError> {
    let bureau = world.named_department(DEPARTMENT, Quota::AMPLE).await?;
    let answer = bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    assert!(answer.status.is_success(), "{answer:?}");
    let host = bureau.wait_ready("web-1").await?;
    let operator = world.lab.person(&format!("{DEPARTMENT}-operator"))?;
    assert_eq!(operator.user, format!("system:serviceaccount:jiyun-lab-people:{DEPARTMENT}-operator"));
    assert_eq!(host.metadata.annotations.unwrap()[ANNOTATION_REQUESTED_BY], operator.user);
    assert_eq!(bureau.used("Vcpu").await?, (2, 0));

    let reader = world.caller(&format!("{DEPARTMENT}-reader"))?;
    assert_eq!(reader.get(&bureau.host_path("web-1")).await?.status, StatusCode::OK);
    let refused = reader.post(&bureau.hosts_path(), &Order::new("web-2", "portal").body(), 0).await?;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{refused:?}");
    let usage = world.caller("finance")?.get(&format!("/v1/departments/{DEPARTMENT}/usage")).await?;
    assert_eq!(usage.status, StatusCode::OK, "{usage:?}");
    let auditor = world.caller("auditor")?;
    let usage = auditor.get(&format!("/v1/departments/{DEPARTMENT}/usage")).await?;
    assert_eq!(usage.status, StatusCode::OK, "{usage:?}");
    let refused = auditor.post(&bureau.hosts_path(), &Order::new("web-2", "portal").body(), 0).await?;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{refused:?}");

    let answer = bureau.caller.delete(&bureau.host_path("web-1")).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    bureau.wait_gone("web-1").await?;
    assert_eq!(bureau.used("Vcpu").await?, (0, 0));
    Ok(())
}

/// Runs the commands of the lab's guide, on what the story left: a department, its systems, pools, a catalogue.
async fn uninstall(cluster: &Lab) -> Result<(), WorldError> {
    let guide = blocks(&jiyun_lab::source_root().join("docs/lab.md"));
    let block =
        guide.into_iter().find(|block| block.script.starts_with(UNINSTALL)).expect("the guide has the commands");
    let folder = cluster.kubectl_program().parent().unwrap().to_owned();
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&inherited))).unwrap();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &block.script])
        .env("PATH", path)
        .env("KUBECONFIG", cluster.kubeconfig())
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE * 2, output).await.expect("the commands end")?;
    assert!(output.status.success(), "docs/lab.md:{}: {output:?}", block.line);
    Ok(())
}
