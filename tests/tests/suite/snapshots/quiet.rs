//! Snapshots and restored disks that nobody does anything with: they are seldom looked at, and nothing is written. And the same
//! while the book is being checked, when nothing is taken away whatever anybody wishes.

use jiyun_crds::v1alpha1::{CloudSnapshot, CloudVolume, ConditionType};
use jiyun_lab::{LabOptions, simulate::Fault, wait_for};
use jiyun_tests::{
    World, WorldError,
    snapshot::{Of, Snapshots, says},
    volume::{self, Volumes, begin},
    world::{PATIENCE, Quota, reason},
};
use kube::ResourceExt;

use super::{
    super::{
        interrupted::program::{Lead, Program},
        volumes::{hosts, power, quiet::rests},
    },
    restore, uid, volume,
};

const KINDS: [&str; 3] = ["CloudSnapshot", "CloudVolume", "CloudHost"];

/// The versions of all there is of these, and of their snapshots.
async fn versions(snapshots: &Snapshots<'_>, disks: [(Of<'_>, &str); 2]) -> Result<Vec<Option<String>>, WorldError> {
    let (volumes, hosts) =
        (Volumes { bureau: snapshots.bureau }, snapshots.bureau.world.hosts(&snapshots.bureau.name).await?);
    let mut versions = Vec::new();
    for (of, snapshot) in disks {
        versions.push(match of {
            Of::Host(name) => hosts.get(name).await?.resource_version(),
            Of::Volume(name) => volumes.objects().await?.get(name).await?.resource_version(),
        });
        versions.push(snapshots.disk(of).await?.expect("a disk").resource_version());
        versions.push(snapshots.objects().await?.get(snapshot).await?.resource_version());
        versions.push(snapshots.made(snapshot).await?.resource_version());
    }
    Ok(versions)
}

/// Has Kubernetes remember more of the ledger than that holds, as if an older backup of it had been restored; waits until the
/// next leader says so.
async fn quarantined(world: &World) -> Result<(), WorldError> {
    let mark = ["jiyun-ledger-mark", "-n", "jiyun-system"];
    wait_for("the mark of the ledger", PATIENCE, || async {
        world.lab.kubectl(&[&["get", "cm"][..], &mark].concat()).await.map_err(|error| error.to_string())
    })
    .await?;
    world.controller.stop().await;
    let ahead = ["--type=merge", "-p", r#"{"data": {"revision": "999999999"}}"#];
    world.lab.kubectl(&[&["patch", "cm"][..], &mark, &ahead].concat()).await?;
    world.controller.restart().await?;
    wait_for("the quarantine alarm", PATIENCE, || async {
        let text = world.controller_metrics().await.map_err(|error| error.to_string())?;
        if text.contains("jiyun_quarantined 1") { Ok(()) } else { Err(world.controller.tail(5)) }
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_is_left_alone_and_in_quarantine_no_disk_and_no_snapshot_goes() -> Result<(), WorldError> {
    let world = begin(LabOptions::default().departments(["finance"])).await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let disks = [(Of::Host("web"), "of-web"), (Of::Volume("data"), "of-data")];
    hosts(&bureau, &["web"]).await?;
    volume(&volumes, "data", "10Gi").await?;
    for (of, snapshot) in disks {
        snapshots.write(of, "before").await?;
        snapshots.take(snapshot, of).await?;
        snapshots.write(of, "after").await?;
    }
    power(&bureau, "web", "Stopped").await?;
    for (of, snapshot) in disks {
        let moment = restore(&snapshots, of, snapshot).await?;
        snapshots.wait_restored(of, &moment).await?;
    }
    volumes.wait_ready("data", "Available").await?;

    for kind in KINDS {
        rests(&world, kind).await?;
    }
    let before = versions(&snapshots, disks).await?;
    Program::Controller.interrupt(&world, Lead::IsTaken).await;
    world.controller.wait_until_healthy("/readyz", PATIENCE).await?;
    for kind in KINDS {
        rests(&world, kind).await?;
    }
    assert_eq!(versions(&snapshots, disks).await?, before, "something is written while nothing changes");
    // Nor is what waits for somebody looked at all the time.
    world.lab.faults().set(Fault::NeverReady, "slow-volume");
    volumes.order(&volumes.body("slow", "10Gi", None), 30).await?;
    snapshots.order(&snapshots.body("early", Of::Volume("slow")), 0).await?;
    let awaits = |found: &CloudSnapshot| says(found, ConditionType::Accepted) == Some(("False", "AwaitingSource"));
    snapshots.wait("early", "waiting for its source", awaits).await?;
    rests(&world, "CloudSnapshot").await?;

    quarantined(&world).await?;
    for (of, snapshot) in disks {
        snapshots.write(of, "since").await?;
        let first = uid(&snapshots, of).await?;
        let begun = snapshots.restored(of).await?;
        restore(&snapshots, of, snapshot).await?;
        match of {
            Of::Host(name) => {
                let paused = |host: &_| reason(host, ConditionType::Accepted) == Some("Quarantined");
                bureau.wait_for_host(name, "not restored for now", paused).await?;
            }
            Of::Volume(name) => {
                let paused = |found: &CloudVolume| {
                    volume::says(found, ConditionType::Accepted).is_some_and(|(_, why)| why == "Quarantined")
                };
                volumes.wait(name, "not restored for now", paused).await?;
            }
        }
        bureau.caller.delete(&snapshots.one(snapshot)).await?;
        let is_kept = |found: &CloudSnapshot| says(found, ConditionType::Ready) == Some(("False", "Quarantined"));
        snapshots.wait(snapshot, "kept", is_kept).await?;
        assert!(snapshots.made(snapshot).await?.metadata.deletion_timestamp.is_none(), "{snapshot}");
        assert_eq!((uid(&snapshots, of).await?, snapshots.word(of).await?), (first, "since".to_owned()), "{of:?}");
        assert_eq!(snapshots.restored(of).await?, begun, "{of:?}");
    }
    world.lab.stop().await?;
    Ok(())
}
