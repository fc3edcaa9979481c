//! One of the two stores was restored, or a site lost what it had: nothing is granted, released or deleted.

use jiyun_crds::v1alpha1::{CloudHost, ConditionType};
use jiyun_lab::{LabOptions, wait_for};
use jiyun_tests::{
    Order, World, WorldError, WorldOptions, city,
    world::{Bureau, PATIENCE, Quota, reason},
};
use kube::api::{Patch, PatchParams};
use serde_json::json;

/// More than five: fewer are no accident of a whole store.
const HOSTS: usize = 7;

async fn world() -> Result<World, WorldError> {
    let lab = LabOptions::default().departments(["finance"]);
    let controller_arguments = vec!["--look-every=1".to_owned()];
    World::start(WorldOptions { lab, files: city::CATALOGUE_FILES.to_vec(), controller_arguments }).await
}

async fn hosts(bureau: &Bureau<'_>) -> Result<(), WorldError> {
    for number in 0..HOSTS {
        let order = Order::new(format!("web-{number}"), "portal");
        bureau.caller.post(&bureau.hosts_path(), &order.body(), 0).await?;
    }
    for number in 0..HOSTS {
        bureau.wait_ready(&format!("web-{number}")).await?;
    }
    Ok(())
}

async fn is_quarantined(world: &World) -> Result<(), WorldError> {
    wait_for("the quarantine alarm", PATIENCE, || async {
        let text = world.controller_metrics().await.map_err(|error| error.to_string())?;
        if text.contains("jiyun_quarantined 1") { Ok(()) } else { Err(world.controller.tail(5)) }
    })
    .await?;
    Ok(())
}

async fn names(world: &World, kind: &str) -> Result<Vec<String>, WorldError> {
    let text = world.lab.kubectl(&["get", kind, "-n", "engine-finance", "-o", "name"]).await?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// As a backup tool restores: the same names and specs, new UIDs, no status.
async fn restored(world: &World, bureau: &Bureau<'_>) -> Result<(), WorldError> {
    // Only the controller may take its finalizer off, not even an administrator.
    let token = world.lab.user_token("jiyun-system", "jiyun-controller").await?;
    let as_controller = world.hosts_with(world.lab.client_as(&token).await?, &bureau.name);
    for number in 0..HOSTS {
        let name = format!("web-{number}");
        world.lab.kubectl(&["delete", "chost", &name, "-n", "dept-finance", "--wait=false"]).await?;
        let free = Patch::Merge(json!({"metadata": {"finalizers": []}}));
        as_controller.patch(&name, &PatchParams::default(), &free).await?;
        bureau.wait_gone(&name).await?;
        world.lab.apply_text(&Order::new(&name, "portal").object("finance").to_string()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn objects_restored_under_new_uids_keep_their_machines_and_get_no_second_claim() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    hosts(&bureau).await?;
    let (machines, disks) = (names(&world, "vm").await?, names(&world, "dv").await?);
    world.controller.stop().await;
    restored(&world, &bureau).await?;

    world.controller.restart().await?;
    is_quarantined(&world).await?;
    for number in 0..HOSTS {
        let doubtful = |host: &CloudHost| reason(host, ConditionType::Admitted) == Some("AdoptionNeeded");
        bureau.wait_for_host(&format!("web-{number}"), "in doubt", doubtful).await?;
    }
    // Neither the machines of the vanished objects nor anything else was touched.
    assert_eq!((names(&world, "vm").await?, names(&world, "dv").await?), (machines, disks));
    assert_eq!(bureau.used("Vcpu").await?, (2 * HOSTS as u64, 0), "every claim is kept, and none is doubled");
    world.lab.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_single_restored_object_is_left_alone_without_stopping_everybody() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-0", "portal").body(), 0).await?;
    bureau.wait_ready("web-0").await?;
    world.controller.stop().await;
    let token = world.lab.user_token("jiyun-system", "jiyun-controller").await?;
    let as_controller = world.hosts_with(world.lab.client_as(&token).await?, &bureau.name);
    world.lab.kubectl(&["delete", "chost", "web-0", "-n", "dept-finance", "--wait=false"]).await?;
    as_controller
        .patch("web-0", &PatchParams::default(), &Patch::Merge(json!({"metadata": {"finalizers": []}})))
        .await?;
    bureau.wait_gone("web-0").await?;
    world.lab.apply_text(&Order::new("web-0", "portal").object("finance").to_string()).await?;
    world.controller.restart().await?;
    let doubtful = |host: &CloudHost| reason(host, ConditionType::Admitted) == Some("AdoptionNeeded");
    bureau.wait_for_host("web-0", "in doubt", doubtful).await?;
    // Others go on.
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    assert_eq!(names(&world, "vm").await?.len(), 2);
    world.lab.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_site_that_lost_its_machines_and_disks_is_not_filled_with_empty_ones() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    hosts(&bureau).await?;
    world.controller.stop().await;
    world.lab.kubectl(&["delete", "vm,dv", "--all", "-n", "engine-finance", "--timeout=60s"]).await?;
    world.controller.restart().await?;
    is_quarantined(&world).await?;
    assert_eq!(names(&world, "dv").await?, Vec::<String>::new(), "no empty disk stands in for a lost one");
    for number in 0..HOSTS {
        let lost = |host: &CloudHost| reason(host, ConditionType::Provisioned) == Some("EngineError");
        bureau.wait_for_host(&format!("web-{number}"), "lost", lost).await?;
    }
    assert_eq!(bureau.used("Vcpu").await?, (2 * HOSTS as u64, 0));
    world.lab.stop().await?;
    Ok(())
}
