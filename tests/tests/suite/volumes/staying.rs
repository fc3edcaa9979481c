//! Volumes whose wish cannot be followed: whoever has them keeps them.

use std::collections::BTreeSet;

use jiyun_crds::v1alpha1::{AttachmentState, CloudVolume, ConditionType};
use jiyun_tests::{
    Order, WorldError,
    volume::{Volumes, attachment, says, shared, told},
    world::{Quota, reason},
};

use super::{attach, both, hosts, order, path, refused};

/// Whether the volume stays on `web` and says that it waits until `wished` can have it.
fn stays(volume: &CloudVolume, wished: &str) -> bool {
    let waits = told(volume, ConditionType::Ready).is_some_and(|(status, why, message)| {
        (status, why) == ("False", "Attaching") && ["web", wished].iter().all(|host| message.contains(host))
    });
    waits && attachment(volume) == Some(("web", AttachmentState::Attached))
}

#[tokio::test]
async fn a_misspelt_host_takes_the_volume_off_none() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    hosts(&bureau, &["web"]).await?;
    let volumes = Volumes { bureau: &bureau };
    let watch = volumes.watch().await?;
    order(&volumes, "data", "10Gi", Some("web")).await?;
    volumes.wait_attached("data", "web", AttachmentState::Attached).await?;

    volumes.wish("data", "wbe").await?;
    let objects = |found: &_| {
        says(found, ConditionType::Accepted) == Some(("False", "UnknownReference"))
            && attachment(found) == Some(("web", AttachmentState::Attached))
    };
    volumes.wait("data", "told of the mistake, and where it was", objects).await?;
    assert_eq!(volumes.holders("data").await?, BTreeSet::from(both("web")));

    volumes.wish("data", "web").await?;
    let is_right = |found: &_| {
        says(found, ConditionType::Accepted) == Some(("True", "Valid"))
            && says(found, ConditionType::Ready) == Some(("True", "Attached"))
    };
    volumes.wait("data", "put right", is_right).await?;
    assert_eq!(path(&watch.moments("data").await?), ["nobody", "web"]);
    Ok(())
}

#[tokio::test]
async fn a_volume_stays_where_it_is_until_the_host_it_is_wished_at_is_granted() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let tier = refused::pool(&bureau).await?;
    let on_tier = |name: &str| Order { tier: tier.clone(), ..Order::new(name, "portal") }.body();
    hosts(&bureau, &["web"]).await?;
    bureau.caller.post(&bureau.hosts_path(), &on_tier("first"), 30).await?;
    bureau.wait_ready("first").await?;
    bureau.caller.post(&bureau.hosts_path(), &on_tier("second"), 0).await?;
    let in_line = |host: &_| -> bool { reason(host, ConditionType::Admitted) == Some("WaitingForCapacity") };
    bureau.wait_for_host("second", "in line", in_line).await?;
    let volumes = Volumes { bureau: &bureau };
    let watch = volumes.watch().await?;
    order(&volumes, "data", "10Gi", Some("web")).await?;
    volumes.wait_attached("data", "web", AttachmentState::Attached).await?;

    volumes.wish("data", "second").await?;
    volumes.wait("data", "on web until second is granted", |found| stays(found, "second")).await?;
    assert_eq!(volumes.holders("data").await?, BTreeSet::from(both("web")));

    bureau.caller.delete(&bureau.host_path("first")).await?;
    bureau.wait_ready("second").await?;
    volumes.wait_attached("data", "second", AttachmentState::Attached).await?;
    assert_eq!(path(&watch.moments("data").await?), ["nobody", "web", "nobody", "second"]);
    Ok(())
}

#[tokio::test]
async fn a_volume_stays_where_it_is_if_the_host_it_is_wished_at_is_refused() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::cores(2)).await?;
    hosts(&bureau, &["web"]).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("more", "portal").body(), 0).await?;
    let is_refused = |host: &_| -> bool { reason(host, ConditionType::Admitted) == Some("ExceedsLimit") };
    bureau.wait_for_host("more", "refused", is_refused).await?;
    let volumes = Volumes { bureau: &bureau };
    let watch = volumes.watch().await?;
    order(&volumes, "data", "10Gi", Some("web")).await?;
    volumes.wait_attached("data", "web", AttachmentState::Attached).await?;

    volumes.wish("data", "more").await?;
    volumes.wait("data", "on web, for more has nothing", |found| stays(found, "more")).await?;
    attach(&volumes, "data", Some("web")).await?;
    volumes.wait_ready("data", "Attached").await?;
    assert_eq!(path(&watch.moments("data").await?), ["nobody", "web"], "it never went");
    Ok(())
}
