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

/// Several times as long as from one look to the next at what is on its way.
const QUIET: Duration = Duration::from_secs(5);

/// How often objects of a kind were looked at.
async fn looks(world: &World, kind: &str) -> Result<u64, WorldError> {
    let (text, label) = (world.controller_metrics().await?, format!(r#"controller="{kind}""#));
    let of_kind = text.lines().filter(|line| line.starts_with("jiyun_reconciliations_total") && line.contains(&label));
    Ok(of_kind.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
}

/// Waits until objects of a kind are not looked at for a while, in a world that has no others than those of the test.
pub async fn rests(world: &World, kind: &str) -> Result<(), WorldError> {
    let begun = looks(world, kind).await?;
    let last = Cell::new((begun, Instant::now()));
    wait_for(format!("{QUIET:?} without a look at a {kind}"), PATIENCE, || async {
        let now = looks(world, kind).await.map_err(|error| error.to_string())?;
        let (before, since) = last.get();
        if now != before {
            last.set((now, Instant::now()));
        }
        // Without any, looks are not counted.
        let is_quiet = now > 0 && now == before && since.elapsed() >= QUIET;
        if is_quiet { Ok(()) } else { Err(format!("{now} looks, {begun} at first")) }
    })
    .await?;
    Ok(())
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

    rests(&world, "CloudVolume").await?;
    world.lab.stop().await?;
    Ok(())
}
