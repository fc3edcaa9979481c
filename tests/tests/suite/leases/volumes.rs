//! The volume of a host whose lease ends: it waits for the host, and comes back with it.

use std::collections::BTreeSet;

use jiyun_crds::v1alpha1::AttachmentState;
use jiyun_tests::volume::{Volumes, attachment, begin_with, told};

use super::*;

#[tokio::test]
async fn the_volume_of_an_archived_host_waits_for_it_and_comes_back_with_it() -> Result<(), WorldError> {
    let lab = LabOptions::default().departments(["bureau-0"]);
    let world = begin_with(lab, &["--lease-warnings=1h", "--lease-grace=2s", "--lease-kept=1h"]).await?;
    let desk = desk(&world).await?;
    running(&desk, "web", "Disabled").await?;
    let volumes = Volumes { bureau: &desk.bureau };
    let answer = volumes.order(&volumes.body("data", "10Gi", Some("web")), 30).await?;
    assert_eq!(answer.status.as_u16(), 201, "{answer:?}");
    volumes.wait_attached("data", "web", AttachmentState::Attached).await?;
    let (kept, declared) = (volumes.made("dv", "data").await?, volumes.declared("web", "data").await?);

    lend(&desk, "web", 3).await?;
    reached(&desk, "web", LeaseStage::Archived).await?;
    assert_eq!(machine(&desk, "web", "{.metadata.uid}").await?, "");
    let waits = |found: &_| {
        let ready = told(found, ConditionType::Ready);
        attachment(found) == Some(("web", AttachmentState::Attaching))
            && ready.is_some_and(|(status, why, said)| {
                (status, why) == ("False", "Attaching") && said.contains("host web is archived")
            })
    };
    volumes.wait("data", "told that its host is archived", waits).await?;
    assert_eq!(volumes.holders("data").await?, BTreeSet::new());
    assert_eq!(desk.bureau.used("BlockStorage").await?, ((40 + 10) * 1024, 0), "both disks are kept");

    lend(&desk, "web", 86_400).await?;
    desk.approve(&awaited(&desk).await?).await?;
    desk.bureau.wait_ready("web").await?;
    volumes.wait_attached("data", "web", AttachmentState::Attached).await?;
    let back = ["VirtualMachine web", "VirtualMachineInstance web"].map(str::to_owned);
    assert_eq!(volumes.holders("data").await?, BTreeSet::from(back));
    assert_eq!(volumes.made("dv", "data").await?["metadata"]["uid"], kept["metadata"]["uid"], "with what is on it");
    assert_eq!(volumes.declared("web", "data").await?, declared, "its guest finds it as before");
    Ok(())
}
