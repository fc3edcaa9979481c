//! Snapshots that are ordered where nothing can take one.

use jiyun_crds::v1alpha1::ConditionType;
use jiyun_lab::LabOptions;
use jiyun_tests::{
    WorldError,
    snapshot::{Of, Snapshots, told},
    volume::{Volumes, begin},
    world::Quota,
};

use super::{super::volumes::uses, volume};

#[tokio::test]
async fn without_its_kinds_a_snapshot_says_what_to_do_nothing_is_set_aside_and_volumes_go_on() -> Result<(), WorldError>
{
    let world = begin(LabOptions::default().departments(["finance"]).without_snapshots()).await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    volume(&volumes, "files", "10Gi").await?;
    world.take("a snapshot", &snapshots.object("nightly", Of::Volume("files")).to_string()).await?;
    let missing = |found: &_| told(found, ConditionType::Admitted).is_some_and(|(_, why, _)| why == "EngineMissing");
    let found = snapshots.wait("nightly", "told that there is no engine", missing).await?;
    let (status, _, message) = told(&found, ConditionType::Admitted).unwrap();
    assert_eq!(status, "Unknown");
    assert!(message.contains("VolumeSnapshot"), "{message}");
    uses(&bureau, (10 * 1024, 0)).await?;
    world.lab.kubectl(&["delete", "csnap/nightly", "-n", "dept-finance", "--timeout=60s"]).await?;
    world.lab.stop().await?;
    Ok(())
}
