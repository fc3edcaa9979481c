//! Volumes that go from host to host while all of them run.

use std::collections::BTreeSet;

use jiyun_crds::v1alpha1::{AttachmentState, ConditionType};
use jiyun_lab::{simulate::Fault, wait_for};
use jiyun_tests::{
    WorldError,
    volume::{Volumes, attachment, says, shared},
    world::{PATIENCE, Quota},
};
use serde_json::json;

use super::{attach, both, change, hosts, order, path};

#[tokio::test]
async fn a_volume_goes_from_host_to_host_while_both_run_and_at_no_moment_do_two_have_it() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    hosts(&bureau, &["web", "db"]).await?;
    let volumes = Volumes { bureau: &bureau };
    let ran = [volumes.instance("web").await?.metadata.uid, volumes.instance("db").await?.metadata.uid];
    let watch = volumes.watch().await?;
    order(&volumes, "data", "100Gi", Some("web")).await?;
    let found = volumes.wait_attached("data", "web", AttachmentState::Attached).await?;
    assert_eq!(says(&found, ConditionType::Ready), Some(("True", "Attached")));
    assert_eq!(volumes.holders("data").await?, BTreeSet::from(both("web")));
    let (source, disk) = volumes.declared("web", "data").await?.unwrap();
    assert_eq!(source, json!({"claimName": "data-volume", "hotpluggable": true}));
    let claim = found.status.unwrap().claim_id.unwrap();
    assert_eq!((&disk["serial"], &disk["disk"]["bus"]), (&json!(claim), &json!("scsi")));
    let shown = bureau.caller.get(&volumes.one("data")).await?.json();
    assert_eq!(shown["attachment"], json!({"host": "web", "state": "Attached"}), "{shown}");

    attach(&volumes, "data", None).await?;
    let found = volumes.wait_ready("data", "Available").await?;
    assert_eq!(attachment(&found), None);
    assert_eq!(volumes.holders("data").await?, BTreeSet::new());
    for host in ["web", "db"] {
        attach(&volumes, "data", Some(host)).await?;
        volumes.wait_attached("data", host, AttachmentState::Attached).await?;
    }
    assert_eq!(volumes.declared("web", "data").await?, None);
    // Whoever changes their mind on the way has it where they wished last.
    for host in ["web", "db", "web", "db"] {
        attach(&volumes, "data", Some(host)).await?;
    }
    volumes.wait_attached("data", "db", AttachmentState::Attached).await?;
    assert_eq!(volumes.holders("data").await?, BTreeSet::from(both("db")));

    let moments = watch.moments("data").await?;
    let path = path(&moments);
    assert_eq!(path[..6], ["nobody", "web", "nobody", "web", "nobody", "db"], "{path:?}");
    let runs = [volumes.instance("web").await?.metadata.uid, volumes.instance("db").await?.metadata.uid];
    assert_eq!(runs, ran, "no machine was started anew");
    Ok(())
}

#[tokio::test]
async fn a_host_whose_guest_does_not_let_go_keeps_its_volume_and_no_other_is_given_it() -> Result<(), WorldError> {
    let world = shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let keeper = format!("keeper-{}", bureau.name);
    hosts(&bureau, &[keeper.as_str(), "db"]).await?;
    let volumes = Volumes { bureau: &bureau };
    let watch = volumes.watch().await?;
    order(&volumes, "data", "10Gi", Some(&keeper)).await?;
    volumes.wait_attached("data", &keeper, AttachmentState::Attached).await?;

    world.lab.faults().set(Fault::Clinging, &keeper);
    attach(&volumes, "data", Some("db")).await?;
    wait_for("the instance to list it no more", PATIENCE, || async {
        let instance = volumes.instance(&keeper).await.map_err(|error| error.to_string())?;
        let volumes = instance.data["spec"]["volumes"].to_string();
        if volumes.contains("data-volume") { Err(volumes) } else { Ok(()) }
    })
    .await?;
    // A change that has been seen shows that the platform has looked since.
    change(&volumes, "data", &json!({"displayName": "数据盘"})).await?;
    let waits = |found: &_| {
        attachment(found) == Some((keeper.as_str(), AttachmentState::Detaching))
            && says(found, ConditionType::Ready) == Some(("False", "Detaching"))
    };
    volumes.wait("data", "still with its host", waits).await?;
    assert_eq!(volumes.declared("db", "data").await?, None);

    world.lab.faults().clear(Fault::Clinging, &keeper);
    volumes.wait_attached("data", "db", AttachmentState::Attached).await?;
    assert_eq!(path(&watch.moments("data").await?), ["nobody", keeper.as_str(), "nobody", "db"]);
    Ok(())
}
