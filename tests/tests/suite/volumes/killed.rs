//! A leader that dies when a host alone may have a volume, and before its machine has it.

use std::collections::BTreeSet;

use jiyun_crds::v1alpha1::AttachmentState;
use jiyun_lab::LabOptions;
use jiyun_tests::{
    WorldError,
    volume::{Volumes, attachment, begin},
    world::Quota,
};

use super::{
    super::interrupted::{
        hold::Hold,
        program::{Lead, Program},
    },
    attach, both, hosts, order, path,
};

/// A change of a machine, which is only tried.
const PROBE: [&str; 7] =
    ["patch", "vm/web", "-n", "engine-finance", "--type=merge", "-p", r#"{"spec": {"runStrategy": "Halted"}}"#];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_killed_between_lock_and_machine_is_followed_by_one_that_attaches_once() -> Result<(), WorldError> {
    let world = begin(LabOptions::default().departments(["finance"])).await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    hosts(&bureau, &["web", "db"]).await?;
    let volumes = Volumes { bureau: &bureau };
    order(&volumes, "data", "10Gi", None).await?;
    volumes.wait_ready("data", "Available").await?;
    let watch = volumes.watch().await?;
    // Where it is wished when there is a leader again: where it was, or, changed in between, at the other host.
    for wished in ["web", "db"] {
        Hold::ChangingMachines.set(&world, &PROBE).await;
        attach(&volumes, "data", Some("web")).await?;
        volumes.wait_attached("data", "web", AttachmentState::Attaching).await?;
        Program::Controller.kill(&world).await;
        assert_eq!(volumes.holders("data").await?, BTreeSet::new(), "it is locked, and no machine has it");
        attach(&volumes, "data", Some(wished)).await?;
        let locked = volumes.objects().await?.get("data").await?;
        assert_eq!(attachment(&locked), Some(("web", AttachmentState::Attaching)));
        Hold::ChangingMachines.lift(&world).await;
        Program::Controller.revive(&world, Lead::IsTaken).await;
        volumes.wait_attached("data", wished, AttachmentState::Attached).await?;
        assert_eq!(volumes.holders("data").await?, BTreeSet::from(both(wished)));
        attach(&volumes, "data", None).await?;
        volumes.wait_ready("data", "Available").await?;
    }
    assert_eq!(path(&watch.moments("data").await?), ["nobody", "web", "nobody", "db", "nobody"]);
    assert_eq!(bureau.used("BlockStorage").await?, ((40 + 40 + 10) * 1024, 0));
    world.lab.stop().await?;
    Ok(())
}
