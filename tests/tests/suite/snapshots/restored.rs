//! Disks brought back in their place: once for each moment, never under a machine, and with nothing on them in between.

use std::collections::BTreeSet;

use http::StatusCode;
use jiyun_crds::{
    date_time::DateTime,
    v1alpha1::{CloudHost, CloudVolume, ConditionType, Power},
};
use jiyun_lab::simulate::Fault;
use jiyun_tests::{
    WorldError,
    snapshot::{Of, Snapshots},
    volume::{Volumes, attachment, says, shared, told},
    world::{Bureau, Quota, has, reason},
};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{
    super::volumes::{attach, both, change, hosts, power, uses},
    order, restore, uid, volume,
};

/// A moment that has come.
const PAST: &str = "2026-01-01T00:00:00Z";

/// Wishes a host on or off, and does not wait for it.
async fn wish_power(bureau: &Bureau<'_>, host: &str, power: &str) -> Result<(), WorldError> {
    let answer = bureau.caller.patch(&bureau.host_path(host), &json!({"power": power}), "").await?;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    Ok(())
}

/// Gives a host that is off another name for people; the platform has looked at it since.
async fn looked_at(bureau: &Bureau<'_>, host: &str, name: &str) -> Result<CloudHost, WorldError> {
    let patch = Patch::Merge(json!({"spec": {"displayName": name}}));
    bureau.world.hosts(&bureau.name).await?.patch(host, &PatchParams::default(), &patch).await?;
    let is_seen = |found: &CloudHost| {
        let seen = found.status.as_ref().and_then(|status| status.observed_generation);
        found.spec.display_name.as_deref() == Some(name) && seen == found.metadata.generation
    };
    bureau.wait_for_host(host, name, is_seen).await
}

#[tokio::test]
async fn a_host_is_brought_back_once_for_each_moment_and_is_off_until_its_disk_is_what_it_was() -> Result<(), WorldError>
{
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (snapshots, volumes) = (Snapshots { bureau: &bureau }, Volumes { bureau: &bureau });
    let web = format!("web-{}", bureau.name);
    let of = Of::Host(&web);
    hosts(&bureau, &[web.as_str()]).await?;
    snapshots.write(of, "before").await?;
    snapshots.take("nightly", of).await?;
    snapshots.write(of, "after").await?;

    // Nothing is made anew under a machine, by whichever way it is asked for.
    let refused = snapshots.restore(of, "nightly").await?;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (StatusCode::CONFLICT, &json!("HostIsRunning")),
        "{refused:?}"
    );
    let refused = snapshots.wish(of, "nightly", PAST).await.unwrap_err();
    assert!(format!("{refused:?}").contains("a host is restored while it is off"), "{refused:?}");
    power(&bureau, &web, "Stopped").await?;
    let first = uid(&snapshots, of).await?;

    let (faults, disk) = (bureau.world.lab.faults(), of.disk());
    faults.set(Fault::NeverReady, &disk);
    let moment = restore(&snapshots, of, "nightly").await?;
    snapshots.wait_begun(of, &moment).await?;
    wish_power(&bureau, &web, "Running").await?;
    let is_made = |host: &CloudHost| {
        reason(host, ConditionType::Ready) == Some("Restoring")
            && reason(host, ConditionType::Provisioned) == Some("Restoring")
            && host.spec.power == Power::Running
            && host.status.as_ref().and_then(|status| status.observed_generation) == host.metadata.generation
    };
    bureau.wait_for_host(&web, "off while its disk is being made", is_made).await?;
    assert_eq!(volumes.machine(&web).await?.data["spec"]["runStrategy"], "Halted");
    uses(&bureau, (2 * 40 * 1024, 0)).await?;
    faults.clear(Fault::NeverReady, &disk);
    let restored = snapshots.wait_restored(of, &moment).await?;
    assert_eq!(restored.snapshot, "nightly");
    let is_running =
        |host: &CloudHost| has(host, ConditionType::Ready) && reason(host, ConditionType::Ready) == Some("Running");
    bureau.wait_for_host(&web, "started as it is wished by then", is_running).await?;
    assert_eq!(snapshots.word(of).await?, "before");
    let made = snapshots.disk(of).await?.expect("a disk of the same name");
    assert_ne!(made.uid(), Some(first));
    let marked = DateTime::from(made.annotations()["jiyun.io/restored-at"].as_str());
    assert_eq!(marked.timestamp().unwrap(), DateTime::from(moment.as_str()).timestamp().unwrap());

    // The same moment is over, however often it is looked at, and in whatever spelling it comes.
    snapshots.write(of, "since").await?;
    power(&bureau, &web, "Stopped").await?;
    snapshots.wish(of, "nightly", &moment.replace('Z', "+00:00")).await?;
    looked_at(&bureau, &web, "门户网站").await?;
    assert_eq!((uid(&snapshots, of).await?, snapshots.word(of).await?), (made.uid().unwrap(), "since".to_owned()));
    let later = restore(&snapshots, of, "nightly").await?;
    assert_ne!(later, moment);
    snapshots.wait_restored(of, &later).await?;
    assert_eq!(snapshots.word(of).await?, "before");
    power(&bureau, &web, "Running").await?;
    uses(&bureau, (2 * 40 * 1024, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn a_volume_is_brought_back_while_no_host_has_it_and_is_given_to_one_when_that_is_done() -> Result<(), WorldError>
{
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let data = format!("data-{}", bureau.name);
    let of = Of::Volume(&data);
    hosts(&bureau, &["web"]).await?;
    order(&volumes, &data, "10Gi", Some("web")).await?;
    volumes.wait_ready(&data, "Attached").await?;
    snapshots.write(of, "before").await?;
    snapshots.take("nightly", of).await?;
    snapshots.write(of, "after").await?;
    let refused = snapshots.restore(of, "nightly").await?;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (StatusCode::CONFLICT, &json!("VolumeHasHost")),
        "{refused:?}"
    );
    let refused = snapshots.wish(of, "nightly", PAST).await.unwrap_err();
    assert!(format!("{refused:?}").contains("a volume is restored while no host has it"), "{refused:?}");

    attach(&volumes, &data, None).await?;
    volumes.wait_ready(&data, "Available").await?;
    let (faults, disk, watch) = (bureau.world.lab.faults(), of.disk(), volumes.watch().await?);
    faults.set(Fault::NeverReady, &disk);
    let moment = restore(&snapshots, of, "nightly").await?;
    snapshots.wait_begun(of, &moment).await?;
    attach(&volumes, &data, Some("web")).await?;
    let is_made = |found: &CloudVolume| {
        says(found, ConditionType::Ready) == Some(("False", "Restoring"))
            && says(found, ConditionType::Provisioned) == Some(("False", "Restoring"))
            && attachment(found).is_none()
    };
    volumes.wait(&data, "with no host while it is being made", is_made).await?;
    faults.clear(Fault::NeverReady, &disk);
    snapshots.wait_restored(of, &moment).await?;
    volumes.wait_ready(&data, "Attached").await?;
    assert_eq!(snapshots.word(of).await?, "before");
    assert_eq!(volumes.holders(&data).await?, BTreeSet::from(both("web")));
    let moments = watch.moments(&data).await?;
    assert!(moments.iter().any(|moment| moment.without_disk), "{moments:?}");
    assert!(moments.iter().all(|moment| !moment.without_disk || moment.hosts.is_empty()), "{moments:?}");

    // What it has grown to since, it has afterwards too.
    attach(&volumes, &data, None).await?;
    volumes.wait_ready(&data, "Available").await?;
    change(&volumes, &data, &json!({"size": "20Gi"})).await?;
    let grown = |found: &CloudVolume| {
        let granted = found.status.as_ref().and_then(|status| status.granted_size.as_ref());
        granted.is_some_and(|granted| granted.as_str() == "20Gi")
            && says(found, ConditionType::Provisioned) == Some(("True", "Provisioned"))
    };
    volumes.wait(&data, "grown", grown).await?;
    let later = restore(&snapshots, of, "nightly").await?;
    snapshots.wait_restored(of, &later).await?;
    volumes.wait_ready(&data, "Available").await?;
    assert_eq!(volumes.made("pvc", &data).await?["status"]["capacity"]["storage"], "20Gi");
    uses(&bureau, ((40 + 20 + 10) * 1024, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn a_disk_that_a_machine_still_has_is_left_to_it_and_made_anew_once_it_has_not() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let (faults, web) = (bureau.world.lab.faults(), format!("web-{}", bureau.name));
    hosts(&bureau, &[web.as_str()]).await?;
    order(&volumes, "data", "10Gi", Some(&web)).await?;
    volumes.wait_ready("data", "Attached").await?;
    let (of_host, of_volume) = (Of::Host(&web), Of::Volume("data"));
    for (name, of) in [("system", of_host), ("files", of_volume)] {
        snapshots.write(of, "before").await?;
        snapshots.take(name, of).await?;
        snapshots.write(of, "after").await?;
    }
    let before = [uid(&snapshots, of_host).await?, uid(&snapshots, of_volume).await?];

    // A guest that does not let go of the volume.
    faults.set(Fault::Clinging, &web);
    attach(&volumes, "data", None).await?;
    let data = restore(&snapshots, of_volume, "files").await?;
    change(&volumes, "data", &json!({"displayName": "数据盘"})).await?;
    let clings =
        |found: &CloudVolume| told(found, ConditionType::Ready).is_some_and(|(status, _, _)| status == "False");
    volumes.wait("data", "still with its host", clings).await?;
    assert!(attachment(&volumes.objects().await?.get("data").await?).is_some(), "its host has it");
    // A machine that goes on although it is to be off.
    faults.set(Fault::Unlooked, &web);
    wish_power(&bureau, &web, "Stopped").await?;
    let system = restore(&snapshots, of_host, "system").await?;
    looked_at(&bureau, &web, "门户网站").await?;
    for (of, before) in [of_host, of_volume].into_iter().zip(&before) {
        assert_eq!(snapshots.restored(of).await?, None, "{of:?}");
        assert_eq!((&uid(&snapshots, of).await?, snapshots.word(of).await?.as_str()), (before, "after"), "{of:?}");
    }

    faults.clear(Fault::Unlooked, &web);
    faults.clear(Fault::Clinging, &web);
    for (of, moment) in [(of_host, &system), (of_volume, &data)] {
        snapshots.wait_restored(of, moment).await?;
        assert_eq!(snapshots.word(of).await?, "before", "{of:?}");
    }
    power(&bureau, &web, "Running").await?;
    Ok(())
}

#[tokio::test]
async fn what_is_asked_for_later_is_done_then_and_can_be_taken_back_before() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let of = Of::Volume("data");
    volume(&volumes, "data", "10Gi").await?;
    snapshots.write(of, "before").await?;
    snapshots.take("nightly", of).await?;
    snapshots.write(of, "after").await?;
    let first = uid(&snapshots, of).await?;

    // Of a moment before there was a volume nothing comes either.
    for moment in ["2096-01-01T00:00:00+08:00", "2006-01-01T00:00:00+08:00"] {
        snapshots.wish(of, "nightly", moment).await?;
        volumes.wait("data", "looked at", |_| true).await?;
        assert_eq!((snapshots.restored(of).await?, uid(&snapshots, of).await?), (None, first.clone()), "{moment}");
    }
    let none = Patch::Merge(json!({"spec": {"restore": null}}));
    volumes.objects().await?.patch("data", &PatchParams::default(), &none).await?;
    volumes.wait_ready("data", "Available").await?;
    assert_eq!((uid(&snapshots, of).await?, snapshots.word(of).await?), (first, "after".to_owned()));

    let soon = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + 3).unwrap();
    snapshots.wish(of, "nightly", &soon.to_string()).await?;
    let restored = snapshots.wait_restored(of, &soon.to_string()).await?;
    assert!(restored.completed_at.unwrap().timestamp().unwrap() >= soon, "not before it was asked for");
    assert_eq!(snapshots.word(of).await?, "before");
    Ok(())
}
