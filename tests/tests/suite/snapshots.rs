//! Cloud snapshots (云快照): ordered, taken, restored in place, made disks from and ended; at the level of objects. The engines are
//! simulators: no byte is stored, and a word on a disk's claim stands for what is on it.

mod ended;
mod from;
mod killed;
mod lost;
mod quiet;
mod refused;
mod restored;
mod without;

use http::StatusCode;
use jiyun_crds::{
    names::volume_snapshot_name,
    v1alpha1::{CloudSnapshot, ConditionType},
};
use jiyun_lab::simulate::Fault;
use jiyun_tests::{
    WorldError,
    booked::billed,
    snapshot::{Of, Snapshots, says},
    volume::{Volumes, shared},
    world::Quota,
};
use kube::{ResourceExt, api::DeleteParams};
use serde_json::json;

use super::volumes::{hosts, order, power, uses};

/// Orders a volume that no host has, and waits until it can be used.
async fn volume(volumes: &Volumes<'_>, name: &str, size: &str) -> Result<(), WorldError> {
    order(volumes, name, size, None).await?;
    volumes.wait_ready(name, "Available").await?;
    Ok(())
}

/// Has a disk brought back to a snapshot; gives the moment it was asked for with.
async fn restore(snapshots: &Snapshots<'_>, of: Of<'_>, snapshot: &str) -> Result<String, WorldError> {
    let answer = snapshots.restore(of, snapshot).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let asked = answer.json()["restore"].clone();
    assert_eq!(asked["snapshot"], snapshot, "{answer:?}");
    Ok(asked["requestedAt"].as_str().unwrap().to_owned())
}

/// The UID of a disk that is there.
async fn uid(snapshots: &Snapshots<'_>, of: Of<'_>) -> Result<String, WorldError> {
    let disk = snapshots.disk(of).await?.expect("a disk");
    Ok(disk.uid().expect("of the API server's"))
}

#[tokio::test]
async fn a_snapshot_is_ordered_taken_in_the_pool_of_its_source_and_paid_for_from_when_it_was_taken_to_its_end()
-> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let (source, nightly) = (Of::Volume("files"), format!("nightly-{}", bureau.name));
    volume(&volumes, "files", "100Gi").await?;
    snapshots.write(source, "accounts").await?;

    let (faults, taking) = (bureau.world.lab.faults(), volume_snapshot_name(&nightly));
    faults.set(Fault::NeverReady, &taking);
    let mut body = snapshots.body(&nightly, source);
    body["deletionProtection"] = json!("Enabled");
    let answer = snapshots.order(&body, 30).await?;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(answer.header("location"), snapshots.one(&nightly));
    let being_taken = |found: &_| -> bool { says(found, ConditionType::Ready) == Some(("False", "Provisioning")) };
    snapshots.wait(&nightly, "being taken", being_taken).await?;
    uses(&bureau, (100 * 1024, 100 * 1024)).await?;
    faults.clear(Fault::NeverReady, &taking);
    let status = snapshots.wait_taken(&nightly).await?.status.unwrap();
    uses(&bureau, (200 * 1024, 0)).await?;
    let claim = status.claim_id.unwrap();
    assert_eq!(status.granted_size.unwrap().as_str(), "100Gi");
    let of_source = volumes.objects().await?.get("files").await?.status.unwrap();
    assert_eq!(status.storage_pool_ref, of_source.storage_pool_ref);
    assert_eq!((status.image, status.refusal), (None, None));

    let made = snapshots.made(&nightly).await?;
    assert_eq!(
        made.data["spec"],
        json!({"volumeSnapshotClassName": "standard", "source": {"persistentVolumeClaimName": "files-volume"}})
    );
    let cut = made.data["status"]["creationTime"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(status.taken_at.unwrap().timestamp().unwrap(), cut);
    assert_eq!(made.labels()["jiyun.io/cloudsnapshot"], nightly);
    assert!(made.owner_references().is_empty(), "it is linked by labels, and outlives its source");
    snapshots.write(source, "scribbles").await?;
    assert_eq!(snapshots.kept(&nightly).await?, "accounts", "it holds what was there at that moment");

    let shown = bureau.caller.get(&snapshots.one(&nightly)).await?.json();
    for (field, value) in [("state", "Ready"), ("grantedSize", "100Gi"), ("claim", claim.as_str())] {
        assert_eq!(shown[field], value, "{field}: {shown}");
    }
    assert_eq!(shown["source"], json!({"kind": "CloudVolume", "name": "files"}), "{shown}");
    assert!(shown["takenAt"].is_string(), "{shown}");
    let listed = bureau.caller.get(&snapshots.path()).await?.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    let line = billed(&bureau, &claim, 100 * 1024).await?;
    assert_eq!(
        (&line["resource"], &line["meter"], &line["tier"], &line["system"]),
        (&json!(nightly), &json!("BlockStorage"), &json!("standard"), &json!("portal"))
    );

    let objects = snapshots.objects().await?;
    let protected = objects.delete(&nightly, &DeleteParams::default()).await.unwrap_err().to_string();
    assert!(protected.contains("the snapshot is protected from deletion"), "{protected}");
    let answer = snapshots.change(&nightly, &json!({"deletionProtection": "Disabled"})).await?;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let is_free =
        |found: &CloudSnapshot| found.status.as_ref().is_some_and(|status| status.deletion_protection.is_some());
    snapshots.wait(&nightly, "free to be deleted, by the policy of small orders", is_free).await?;
    let answer = bureau.caller.delete(&snapshots.one(&nightly)).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    snapshots.wait_gone(&nightly).await?;
    uses(&bureau, (100 * 1024, 0)).await?;
    volumes.wait_ready("files", "Available").await?;
    assert_eq!(snapshots.word(source).await?, "scribbles", "nothing happened to its source");
    Ok(())
}

#[tokio::test]
async fn a_snapshot_of_a_host_is_of_its_system_disk_whether_it_runs_or_is_off() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let snapshots = Snapshots { bureau: &bureau };
    hosts(&bureau, &["web"]).await?;
    let source = Of::Host("web");
    snapshots.write(source, "as it runs").await?;
    let running = snapshots.take("running", source).await?;
    snapshots.write(source, "as it is off").await?;
    power(&bureau, "web", "Stopped").await?;
    snapshots.take("off", source).await?;
    assert_eq!(snapshots.kept("running").await?, "as it runs");
    assert_eq!(snapshots.kept("off").await?, "as it is off");
    let status = running.status.unwrap();
    assert_eq!(status.image.as_deref(), Some("openeuler-24.03-amd64"), "a host made from it names that");
    assert_eq!(status.granted_size.unwrap().as_str(), "40Gi");
    uses(&bureau, (3 * 40 * 1024, 0)).await?;
    power(&bureau, "web", "Running").await?;
    Ok(())
}
