//! The demo city: every file of `examples/city/` is applied, and every unit, host, database, volume, bucket and snapshot in it
//! comes to life.

use jiyun_crds::v1alpha1::{ConditionType, Department};
use jiyun_lab::{LabOptions, wait_for};
use jiyun_tests::{World, WorldError, WorldOptions, bucket, city, world::PATIENCE};
use kube::{Api, api::ListParams};

#[tokio::test]
async fn the_whole_city_is_applied_and_all_its_hosts_are_ready() -> Result<(), WorldError> {
    let files = city::PLATFORM_FILES.to_vec();
    // Snapshots are taken of disks that have storage.
    let lab = LabOptions::default().cnpg().rook().volumes();
    let world = World::start(WorldOptions { lab, files, controller_arguments: vec![] }).await?;
    world.lab.apply_text(&bucket::class("objects").to_string()).await?;
    let departments = Api::<Department>::all(world.lab.client().await?);
    let units = departments.list(&ListParams::default()).await?;
    assert_eq!(units.items.len(), 39 + 17 + 1, "39 departments and 17 townships under one county");
    for unit in &units.items {
        world.department_ready(unit.metadata.name.as_deref().unwrap()).await?;
    }
    for file in city::DEPARTMENT_FILES {
        world.lab.apply(city::folder().join(file)).await?;
    }
    let hosts = Api::<jiyun_crds::v1alpha1::CloudHost>::all(world.lab.client().await?);
    wait_for("all hosts of the city to be ready", PATIENCE, || async {
        let found = hosts.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let waiting: Vec<_> = found
            .items
            .iter()
            .filter(|host| !jiyun_tests::world::has(host, ConditionType::Ready))
            .map(|host| format!("{:?}: {:?}", host.metadata.name, host.status))
            .collect();
        if !found.items.is_empty() && waiting.is_empty() { Ok(()) } else { Err(waiting.join("\n")) }
    })
    .await?;
    world.lab.kubectl(&["wait", "cdb", "-A", "--all", "--for=condition=Ready", "--timeout=60s"]).await?;
    world.lab.kubectl(&["wait", "cvol", "-A", "--all", "--for=condition=Ready", "--timeout=60s"]).await?;
    world.lab.kubectl(&["wait", "cbkt", "-A", "--all", "--for=condition=Ready", "--timeout=60s"]).await?;
    world.lab.kubectl(&["wait", "csnap", "-A", "--all", "--for=condition=Ready", "--timeout=60s"]).await?;
    world.lab.kubectl(&["wait", "nflow", "-A", "--all", "--for=condition=Ready", "--timeout=60s"]).await?;
    let listed = world.lab.kubectl(&["get", "chost", "-A"]).await?;
    assert!(listed.contains("CLASS") && listed.contains("Running"), "{listed}");
    world.lab.stop().await?;
    Ok(())
}
