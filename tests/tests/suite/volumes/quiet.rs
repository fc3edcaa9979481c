//! Volumes that wait for people and not for an engine: they are not looked at all the time.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use jiyun_crds::v1alpha1::AttachmentState;
use jiyun_lab::{LabOptions, simulate::Fault, wait_for};
use jiyun_tests::{
    World, WorldError,
    volume::{Volumes, begin},
    world::{PATIENCE, Quota},
};

use super::{hosts, order};

/// Several times as long as from one look to the next at a volume that is on its way.
const QUIET: Duration = Duration::from_secs(5);

/// How often volumes were looked at; a world of its own has no others.
async fn looks(world: &World) -> Result<u64, WorldError> {
    let text = world.controller_metrics().await?;
    let of_volumes = text
        .lines()
        .filter(|line| line.starts_with("jiyun_reconciliations_total") && line.contains(r#"controller="CloudVolume""#));
    Ok(of_volumes.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_waits_for_the_next_start_of_its_host_is_seldom_looked_at() -> Result<(), WorldError> {
    let world = begin(LabOptions::default().departments(["finance"])).await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    world.lab.faults().set(Fault::NoHotplug, "fixed");
    hosts(&bureau, &["fixed"]).await?;
    let volumes = Volumes { bureau: &bureau };
    order(&volumes, "data", "10Gi", Some("fixed")).await?;
    volumes.wait_attached("data", "fixed", AttachmentState::AttachedAtRestart).await?;

    let begun = looks(&world).await?;
    assert!(begun > 0, "looks are counted");
    let last = Cell::new((begun, Instant::now()));
    wait_for(format!("{QUIET:?} without a look at a volume"), PATIENCE, || async {
        let now = looks(&world).await.map_err(|error| error.to_string())?;
        let (before, since) = last.get();
        if now != before {
            last.set((now, Instant::now()));
        }
        if now == before && since.elapsed() >= QUIET { Ok(()) } else { Err(format!("{now} looks, {begun} at first")) }
    })
    .await?;
    world.lab.stop().await?;
    Ok(())
}
