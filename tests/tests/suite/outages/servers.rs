//! The API server and the ledger's etcd die and come back while orders are under way.

use jiyun_lab::{Exit, wait_for};
use jiyun_tests::{
    World, WorldError,
    faults::lead::leader,
    world::{PATIENCE, Quota},
};

use super::{DEPARTMENT, all_gone, all_granted_once, close, end, named, order, order_all, world};

/// The component that holds the book.
const LEDGER: &str = "etcd-ledger";

/// Kills a component while hosts are ordered, and brings it back at once.
async fn killed_meanwhile(world: &World, component: &str, series: &str, count: usize) -> Vec<String> {
    let outage = async {
        // With the first orders at work.
        order(&world.lab, &format!("{series}-0")).await;
        world.lab.kill(component).await.unwrap();
        world.lab.revive(component).unwrap();
    };
    let (hosts, ()) = tokio::join!(order_all(&world.lab, named(series, count)), outage);
    hosts
}

#[tokio::test]
async fn an_api_server_killed_under_load_costs_no_order_and_no_end() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department(DEPARTMENT, Quota::cores(2 * 8)).await?;
    let mut hosts = killed_meanwhile(&world, "kube-apiserver", "a", 4).await;
    hosts.extend(killed_meanwhile(&world, "kube-apiserver", "b", 4).await);
    all_granted_once(&bureau, &hosts).await;
    // And while hosts go.
    end(&world.lab, "a-0").await;
    end(&world.lab, "b-0").await;
    world.lab.kill("kube-apiserver").await?;
    world.lab.revive("kube-apiserver")?;
    all_gone(&bureau, &hosts).await;
    assert!(world.controller.exited().is_none(), "{}", world.controller.tail(20));
    assert!(world.lab.failure().is_none());
    close(world).await
}

#[tokio::test]
async fn an_etcd_of_the_ledger_killed_under_load_costs_no_order_and_no_leadership() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department(DEPARTMENT, Quota::cores(2 * 8)).await?;
    let mut hosts = killed_meanwhile(&world, LEDGER, "a", 4).await;
    hosts.extend(killed_meanwhile(&world, LEDGER, "b", 4).await);
    all_granted_once(&bureau, &hosts).await;
    end(&world.lab, "a-0").await;
    world.lab.kill(LEDGER).await?;
    world.lab.revive(LEDGER)?;
    all_gone(&bureau, &hosts).await;
    assert!(world.controller.exited().is_none(), "{}", world.controller.tail(20));
    close(world).await
}

#[tokio::test]
async fn a_ledger_away_for_longer_than_the_lease_ends_the_leader_and_the_next_serves_everybody()
-> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department(DEPARTMENT, Quota::cores(2 * 6)).await?;
    let mut hosts = order_all(&world.lab, named("before", 2)).await;
    bureau.wait_ready("before-0").await?;
    world.lab.kill(LEDGER).await?;
    hosts.extend(order_all(&world.lab, named("meanwhile", 4)).await);
    let exit = tokio::time::timeout(PATIENCE, world.controller.process().wait()).await;
    let log = world.controller.tail(20);
    assert_eq!(exit.ok(), Some(Exit::Code(1)), "{log}");
    assert!(log.contains("leadership ended"), "{log}");

    world.lab.revive(LEDGER)?;
    wait_for("the book to be readable", PATIENCE, || jiyun_tests::faults::book(&world)).await?;
    world.controller.restart().await?;
    leader(&world, &[&world.controller]).await?;
    all_granted_once(&bureau, &hosts).await;
    all_gone(&bureau, &hosts).await;
    close(world).await
}
