//! Engines that give a running machine no volume and take none from it.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use jiyun_crds::v1alpha1::{AttachmentState, CloudVolume, ConditionType};
use jiyun_lab::simulate::Fault;
use jiyun_tests::{
    WorldError,
    volume::{Volumes, shared, told},
    world::{Bureau, Quota},
};

use super::{attach, both, hosts, order, path, power};

/// Says that it waits for its host to be restarted, or stopped and started.
fn waits_for_a_restart(volume: &CloudVolume, why: &str, host: &str) {
    let (status, reason, message) = told(volume, ConditionType::Ready).unwrap();
    assert_eq!((status, reason), ("False", why));
    for part in [host, "restartRequestedAt", "Stopped"] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

/// Has a host restarted by the platform.
async fn restart(bureau: &Bureau<'_>, host: &str) -> Result<(), WorldError> {
    let path = format!("{}/restart", bureau.host_path(host));
    let answer = bureau.caller.send(bureau.caller.request(Method::POST, &path)).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn without_hot_plug_a_volume_comes_and_goes_when_its_host_is_stopped_and_no_other_has_it_meanwhile()
-> Result<(), WorldError> {
    let world = shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let fixed = format!("fixed-{}", bureau.name);
    world.lab.faults().set(Fault::NoHotplug, &fixed);
    hosts(&bureau, &[fixed.as_str(), "db"]).await?;
    let volumes = Volumes { bureau: &bureau };
    let watch = volumes.watch().await?;

    order(&volumes, "data", "10Gi", Some(&fixed)).await?;
    let found = volumes.wait_attached("data", &fixed, AttachmentState::AttachedAtRestart).await?;
    waits_for_a_restart(&found, "Attaching", &fixed);
    assert_eq!(volumes.holders("data").await?, BTreeSet::from([format!("VirtualMachine {fixed}")]));
    power(&bureau, &fixed, "Stopped").await?;
    volumes.wait_attached("data", &fixed, AttachmentState::Attached).await?;
    power(&bureau, &fixed, "Running").await?;
    volumes.wait_attached("data", &fixed, AttachmentState::Attached).await?;
    assert_eq!(volumes.holders("data").await?, BTreeSet::from(both(&fixed)));

    attach(&volumes, "data", Some("db")).await?;
    let found = volumes.wait_attached("data", &fixed, AttachmentState::DetachedAtRestart).await?;
    waits_for_a_restart(&found, "Detaching", &fixed);
    assert_eq!(volumes.holders("data").await?, BTreeSet::from([format!("VirtualMachineInstance {fixed}")]));
    power(&bureau, &fixed, "Stopped").await?;
    volumes.wait_attached("data", "db", AttachmentState::Attached).await?;
    power(&bureau, &fixed, "Running").await?;
    assert_eq!(volumes.holders("data").await?, BTreeSet::from(both("db")));
    assert_eq!(path(&watch.moments("data").await?), ["nobody", fixed.as_str(), "nobody", "db"]);
    Ok(())
}

#[tokio::test]
async fn without_hot_plug_a_restart_by_the_platform_brings_a_volume_and_takes_it_off_as_well() -> Result<(), WorldError>
{
    let world = shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let fixed = format!("fixed-{}", bureau.name);
    world.lab.faults().set(Fault::NoHotplug, &fixed);
    hosts(&bureau, &[fixed.as_str(), "db"]).await?;
    let volumes = Volumes { bureau: &bureau };
    let watch = volumes.watch().await?;

    order(&volumes, "data", "10Gi", Some(&fixed)).await?;
    volumes.wait_attached("data", &fixed, AttachmentState::AttachedAtRestart).await?;
    restart(&bureau, &fixed).await?;
    volumes.wait_attached("data", &fixed, AttachmentState::Attached).await?;
    assert_eq!(volumes.holders("data").await?, BTreeSet::from(both(&fixed)));
    bureau.wait_ready(&fixed).await?;

    attach(&volumes, "data", Some("db")).await?;
    volumes.wait_attached("data", &fixed, AttachmentState::DetachedAtRestart).await?;
    restart(&bureau, &fixed).await?;
    volumes.wait_attached("data", "db", AttachmentState::Attached).await?;
    assert_eq!(volumes.holders("data").await?, BTreeSet::from(both("db")));
    bureau.wait_ready(&fixed).await?;
    assert_eq!(path(&watch.moments("data").await?), ["nobody", fixed.as_str(), "nobody", "db"]);
    Ok(())
}
