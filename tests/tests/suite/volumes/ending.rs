//! The end of a volume that a host has, and of a host that has volumes.

use std::collections::BTreeSet;

use http::StatusCode;
use jiyun_crds::v1alpha1::{AttachmentState, ConditionType};
use jiyun_tests::{
    WorldError,
    volume::{Volumes, attachment, says, shared},
    world::Quota,
};

use super::{attach, both, hosts, order, path};

#[tokio::test]
async fn a_volume_is_taken_off_before_it_goes_and_outlives_the_host_that_has_it() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    hosts(&bureau, &["web", "db"]).await?;
    let volumes = Volumes { bureau: &bureau };
    for name in ["logs", "data"] {
        order(&volumes, name, "10Gi", Some("web")).await?;
        volumes.wait_attached(name, "web", AttachmentState::Attached).await?;
    }

    let watch = volumes.watch().await?;
    let answer = bureau.caller.delete(&volumes.one("logs")).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    volumes.wait_gone("logs").await?;
    let moments = watch.moments("logs").await?;
    assert_eq!(path(&moments)[1..], ["web", "nobody"], "{moments:?}");
    assert!(moments.iter().all(|moment| !moment.without_disk || moment.hosts.is_empty()), "{moments:?}");
    assert_eq!(volumes.holders("data").await?, BTreeSet::from(both("web")), "its other volume stays");

    let before = [volumes.made("pvc", "data").await?, volumes.made("dv", "data").await?];
    let held = volumes.objects().await?.get("data").await?.status.unwrap().claim_id;
    bureau.caller.delete(&bureau.host_path("web")).await?;
    bureau.wait_gone("web").await?;
    let dangles = |found: &_| {
        says(found, ConditionType::Accepted) == Some(("False", "UnknownReference")) && attachment(found).is_none()
    };
    let left = volumes.wait("data", "without its host", dangles).await?;
    assert_eq!(left.status.unwrap().claim_id, held);
    assert_eq!(volumes.holders("data").await?, BTreeSet::new());
    assert_eq!(bureau.used("BlockStorage").await?, ((40 + 10) * 1024, 0), "the other host and the volume");

    attach(&volumes, "data", Some("db")).await?;
    volumes.wait_attached("data", "db", AttachmentState::Attached).await?;
    let after = [volumes.made("pvc", "data").await?, volumes.made("dv", "data").await?];
    for (is, was) in after.iter().zip(&before) {
        assert_eq!(is["metadata"]["uid"], was["metadata"]["uid"], "the same disk, with what is on it");
    }
    Ok(())
}
