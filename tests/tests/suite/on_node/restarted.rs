//! The whole node goes down with everything of Jiyun on it, and comes back: the books, and orders whose answers were lost.

use std::{sync::Arc, time::Duration};

use jiyun_lab::wait_for;
use jiyun_tests::WorldError;

use super::{
    Cluster, SOON, able,
    load::{Load, nothing_is_lost, prepare},
};

/// How long callers ask again: the node is Ready within half a minute, and its pods within another.
const PATIENCE: Duration = Duration::from_mins(4);
/// The only node.
const NODE: &str = "node-1";

/// Whether both replicas of the API are Ready, by what their pods say of this start of the node.
async fn back(cluster: &Cluster) -> Result<(), WorldError> {
    wait_for("the API to answer again", SOON, || async {
        let caller = cluster.operator(true).await.map_err(|error| format!("{error:?}"))?;
        let answer = caller.get("/v1/departments/finance/quota").await.map_err(|error| format!("{error:?}"))?;
        if answer.status.is_success() { Ok(()) } else { Err(answer.text) }
    })
    .await?;
    cluster.serves().await
}

#[tokio::test]
async fn orders_survive_a_node_that_is_stopped_and_started() -> Result<(), WorldError> {
    let Some(_alone) = able("orders_survive_a_node_that_is_stopped_and_started").await else { return Ok(()) };
    let cluster = Arc::new(Cluster::start().await?);
    cluster.run("values").await?;
    cluster.run("install").await?;
    prepare(&cluster).await?;

    let load = Load::begin(&cluster, Some(PATIENCE)).await?;
    cluster.lab.kill_node(NODE).await?;
    cluster.lab.start_node(NODE).await?;
    back(&cluster).await?;
    nothing_is_lost(&cluster, &load.end().await).await
}
