//! Engines and writes that come late: what was declared a while ago may still be done.

use std::collections::BTreeSet;

use jiyun_crds::v1alpha1::{AttachmentState, ConditionType};
use jiyun_lab::simulate::Fault;
use jiyun_tests::{
    WorldError,
    volume::{Volumes, attachment, says, shared},
    world::Quota,
};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::json;

use super::{attach, both, change, hosts, order, path};

/// The version of an object: resource versions may be compared as numbers.
fn version(object: &DynamicObject) -> u64 {
    object.resource_version().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_machine_that_was_not_looked_at_since_its_volume_was_taken_off_keeps_others_from_it() -> Result<(), WorldError>
{
    let world = shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let unseen = format!("unseen-{}", bureau.name);
    hosts(&bureau, &[unseen.as_str(), "db"]).await?;
    let volumes = Volumes { bureau: &bureau };
    order(&volumes, "data", "10Gi", None).await?;
    volumes.wait_ready("data", "Available").await?;
    let watch = volumes.watch().await?;

    // Declared with it and without it again, and nobody knows which of the two the engine does when it comes to it.
    world.lab.faults().set(Fault::Unlooked, &unseen);
    attach(&volumes, "data", Some(&unseen)).await?;
    volumes.wait_declared(&unseen, "data", true).await?;
    attach(&volumes, "data", Some("db")).await?;
    volumes.wait_declared(&unseen, "data", false).await?;
    // A change that has been seen shows that the platform has looked since.
    change(&volumes, "data", &json!({"displayName": "数据盘"})).await?;
    let waits = |found: &_| {
        attachment(found) == Some((unseen.as_str(), AttachmentState::Detaching))
            && says(found, ConditionType::Ready) == Some(("False", "Detaching"))
    };
    volumes.wait("data", "still with the host that nobody looked at", waits).await?;
    assert_eq!(volumes.holders("data").await?, BTreeSet::new(), "nothing shows that anybody has it");

    world.lab.faults().clear(Fault::Unlooked, &unseen);
    volumes.wait_attached("data", "db", AttachmentState::Attached).await?;
    assert_eq!(volumes.holders("data").await?, BTreeSet::from(both("db")));
    assert_eq!(path(&watch.moments("data").await?), ["nobody", unseen.as_str(), "nobody", "db"]);
    Ok(())
}

#[tokio::test]
async fn a_machine_that_is_not_looked_at_keeps_no_volume_from_other_hosts() -> Result<(), WorldError> {
    let world = shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let unseen = format!("unseen-{}", bureau.name);
    hosts(&bureau, &[unseen.as_str(), "db"]).await?;
    let volumes = Volumes { bureau: &bureau };
    world.lab.faults().set(Fault::Unlooked, &unseen);
    order(&volumes, "logs", "10Gi", Some(&unseen)).await?;
    volumes.wait_declared(&unseen, "logs", true).await?;
    order(&volumes, "data", "10Gi", Some("db")).await?;
    volumes.wait_attached("data", "db", AttachmentState::Attached).await?;
    assert_eq!(volumes.holders("data").await?, BTreeSet::from(both("db")));
    world.lab.faults().clear(Fault::Unlooked, &unseen);
    volumes.wait_attached("logs", &unseen, AttachmentState::Attached).await?;
    Ok(())
}

#[tokio::test]
async fn a_write_that_was_on_its_way_to_a_machine_when_its_volume_was_taken_off_is_refused() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    hosts(&bureau, &["web"]).await?;
    let volumes = Volumes { bureau: &bureau };
    order(&volumes, "data", "10Gi", Some("web")).await?;
    volumes.wait_attached("data", "web", AttachmentState::Attached).await?;
    let had = volumes.machine("web").await?;
    attach(&volumes, "data", None).await?;
    volumes.wait_ready("data", "Available").await?;

    let machine = volumes.machine("web").await?;
    assert_eq!(machine.uid(), had.uid(), "it went on");
    let read: u64 = machine.annotations()["jiyun.io/detached-at"].parse().unwrap();
    assert!(version(&had) < read && read < version(&machine), "{:?}", machine.metadata);
    // What was read just before, and is written now.
    let late = json!({"metadata": {"resourceVersion": read.to_string(), "labels": {"late": "yes"}}}).to_string();
    let engines = format!("engine-{}", bureau.name);
    let write = ["patch", "vm", "web", "-n", &engines, "--type=merge", "-p", &late];
    let refused = bureau.world.lab.kubectl(&write).await.unwrap_err().to_string();
    assert!(refused.contains("the object has been modified"), "{refused}");
    Ok(())
}
