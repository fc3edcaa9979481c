//! Databases of CloudNativePG: PostgreSQL runs, and its rows outlive its pod.

use jiyun_lab::{Lab, LabOptions, Part, Profile, wait_for};

use crate::machine::{DEADLINE, Node, Seen, able_with};

const CLUSTER: &str = "
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: records, namespace: default}
spec:
  instances: 1
  imageName: lab.jiyun.io/postgresql:17
  imagePullPolicy: Never
  storage: {size: 1Gi}
";

#[tokio::test]
async fn a_database_keeps_its_rows_when_its_pod_is_deleted() {
    let Some(_alone) = able_with("a_database_keeps_its_rows_when_its_pod_is_deleted", Part::Cnpg).await else { return };
    let before = Seen::now();
    let options = LabOptions::default().profile(Profile::Node).with([Part::Cnpg]).own_cluster();
    let lab = Lab::start(options.engines(false).charts(false)).await.expect("starts");
    let applied = wait_for("the operator's webhook to take a cluster", DEADLINE, || async {
        lab.apply_text(CLUSTER).await.map_err(|error| format!("{error:?}"))
    });
    applied.await.expect("applied");
    healthy(&lab).await;
    let said =
        sql(&lab, "create table names (name text); insert into names values ('jiyun'); select count(*) from names")
            .await;
    assert!(said.expect("answers").contains('1'));

    lab.kubectl(&["delete", "pod", "records-1", "--grace-period=0", "--force"]).await.expect("deleted");
    let rows = wait_for("the rows to be there again", DEADLINE, || sql(&lab, "select name from names")).await;
    assert_eq!(rows.expect("answers").trim(), "jiyun");

    let node = Node::of(lab.folder());
    assert!(node.process("postgres") > 0);
    lab.stop().await.expect("stops");
    node.is_gone(&before).await;
}

async fn healthy(lab: &Lab) {
    let phase = ["get", "clusters.postgresql.cnpg.io", "records", "-o", "jsonpath={.status.phase}"];
    wait_for("the cluster to be healthy", DEADLINE, || async {
        let phase = lab.kubectl(&phase).await.map_err(|error| error.to_string())?;
        if phase == "Cluster in healthy state" { Ok(()) } else { Err(phase) }
    })
    .await
    .expect("healthy");
}

/// What PostgreSQL answers.
async fn sql(lab: &Lab, text: &str) -> Result<String, String> {
    let arguments = ["exec", "records-1", "-c", "postgres", "--", "psql", "-At", "app", "-c", text];
    lab.kubectl(&arguments).await.map_err(|error| error.to_string())
}
