//! Leaders that freeze, servers that die, watches that tell late: every order is granted once, and both stores agree.

mod fight;
mod frozen;
mod judge;
mod names;
mod servers;
mod watches;

use jiyun_lab::{Lab, LabOptions, wait_for};
use jiyun_tests::{
    Order, World, WorldError, WorldOptions, city,
    faults::settle,
    world::{Bureau, PATIENCE},
};

/// The department of these tests; each has a system of its own, whose programs are killed.
const DEPARTMENT: &str = "finance";

/// As whom the controller talks to the API server.
const CONTROLLER: &str = "system:serviceaccount:jiyun-system:jiyun-controller";

fn lab() -> LabOptions {
    LabOptions::default().own_cluster().departments([DEPARTMENT])
}

async fn world() -> Result<World, WorldError> {
    World::start(WorldOptions { lab: lab(), files: city::CATALOGUE_FILES.to_vec(), controller_arguments: vec![] }).await
}

/// An order by its owner's tools, which try again until it is taken.
async fn order(lab: &Lab, host: &str) {
    let object = Order::new(host, "portal").object(DEPARTMENT).to_string();
    wait_for(format!("the order of {host} to be taken"), PATIENCE, || lab.apply_text(&object)).await.unwrap();
}

async fn order_all(lab: &Lab, hosts: Vec<String>) -> Vec<String> {
    futures::future::join_all(hosts.iter().map(|host| order(lab, host))).await;
    hosts
}

/// Asks for the end of a host, again until that is taken.
async fn end(lab: &Lab, host: &str) {
    let arguments = ["delete", "cloudhost", host, "-n", "dept-finance", "--wait=false", "--ignore-not-found"];
    wait_for(format!("the end of {host} to be taken"), PATIENCE, || lab.kubectl(&arguments)).await.unwrap();
}

/// As a backup tool takes an object away: its finalizer is forced off in the controller's name.
async fn vanish(lab: &Lab, host: &str) {
    end(lab, host).await;
    let bare = r#"{"metadata": {"finalizers": null}}"#;
    let arguments = ["patch", "cloudhost", host, "-n", "dept-finance", "--type=merge", "-p", bare, "--as", CONTROLLER];
    lab.kubectl(&arguments).await.unwrap();
}

fn named(series: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{series}-{number}")).collect()
}

/// Every host is ready, each was granted once, and nothing else holds anything.
async fn all_granted_once(bureau: &Bureau<'_>, hosts: &[String]) {
    for host in hosts {
        let ready = bureau.wait_ready(host).await;
        assert!(ready.is_ok(), "{ready:?}\n{}", bureau.world.controller.tail(20));
    }
    let state = settle(bureau.world).await.unwrap();
    let open: Vec<_> = state.claims().filter(|claim| claim.is_open()).map(|claim| claim.subject.name.clone()).collect();
    assert_eq!(open.len(), hosts.len(), "{open:?}");
    for host in hosts {
        let claims = state.claims().filter(|claim| claim.subject.name == *host && claim.is_open()).count();
        assert_eq!(claims, 1, "{host}");
    }
    assert_eq!(bureau.used("Vcpu").await.unwrap(), (2 * hosts.len() as u64, 0));
}

/// Every host goes, and nothing is left of it.
async fn all_gone(bureau: &Bureau<'_>, hosts: &[String]) {
    futures::future::join_all(hosts.iter().map(|host| end(&bureau.world.lab, host))).await;
    for host in hosts {
        bureau.wait_gone(host).await.unwrap();
    }
    nothing_left(bureau).await;
}

async fn nothing_left(bureau: &Bureau<'_>) {
    let state = settle(bureau.world).await.unwrap();
    assert_eq!(state.claims().filter(|claim| claim.is_open()).count(), 0);
    assert_eq!(bureau.used("Vcpu").await.unwrap(), (0, 0));
    let left = bureau.world.lab.kubectl(&["get", "vm,dv", "-n", "engine-finance", "-o", "name"]).await.unwrap();
    assert_eq!(left.trim(), "");
}

/// Ends a world whose guests are all its own.
async fn close(world: World) -> Result<(), WorldError> {
    let World { lab, controller, api, .. } = world;
    drop((controller, api));
    Ok(lab.stop().await?)
}
