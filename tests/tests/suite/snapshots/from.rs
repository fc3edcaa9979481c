//! New hosts and volumes made from snapshots.

use http::StatusCode;
use jiyun_crds::{
    names::{engine_namespace, volume_snapshot_name},
    v1alpha1::{CloudVolume, ConditionType},
};
use jiyun_lab::simulate::Fault;
use jiyun_tests::{
    Order, WorldError,
    snapshot::{Of, Snapshots},
    volume::{Volumes, says, shared},
    world::{Quota, reason},
};
use serde_json::{Value, json};

use super::{
    super::volumes::{hosts, uses},
    restore, uid, volume,
};

/// The order of a host whose disk begins with a snapshot.
fn host_from(name: &str, snapshot: &str) -> Value {
    let mut body = Order::new(name, "portal").body();
    body["snapshot"] = json!(snapshot);
    body
}

#[tokio::test]
async fn a_host_made_from_a_snapshot_begins_with_what_that_holds_and_both_go_on_without_the_other()
-> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let snapshots = Snapshots { bureau: &bureau };
    hosts(&bureau, &["web"]).await?;
    snapshots.write(Of::Host("web"), "set up").await?;
    snapshots.take("template", Of::Host("web")).await?;
    snapshots.write(Of::Host("web"), "in use").await?;

    let answer = bureau.caller.post(&bureau.hosts_path(), &host_from("copy", "template"), 30).await?;
    assert_eq!((answer.status, &answer.json()["snapshot"]), (StatusCode::CREATED, &json!("template")), "{answer:?}");
    let copy = bureau.wait_ready("copy").await?;
    assert_eq!(copy.spec.snapshot_ref.as_ref().map(|snapshot| snapshot.name.as_str()), Some("template"));
    let of = Of::Host("copy");
    let disk = snapshots.disk(of).await?.expect("a disk");
    let source = json!({"snapshot": {"namespace": format!("engine-{}", bureau.name), "name": "template-snapshot"}});
    assert_eq!(disk.data["spec"]["source"], source);
    assert_eq!((snapshots.word(of).await?, snapshots.word(Of::Host("web")).await?), ("set up".into(), "in use".into()));
    uses(&bureau, (3 * 40 * 1024, 0)).await?;
    let made = uid(&snapshots, of).await?;

    // The snapshot goes, and the host it is of: what was made from it is its own.
    bureau.caller.delete(&snapshots.one("template")).await?;
    snapshots.wait_gone("template").await?;
    bureau.caller.delete(&bureau.host_path("web")).await?;
    bureau.wait_gone("web").await?;
    let changed = bureau.caller.patch(&bureau.host_path("copy"), &json!({"displayName": "副本"}), "").await?;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    let host = bureau.wait_ready("copy").await?;
    assert_eq!(reason(&host, ConditionType::Accepted), Some("Valid"), "what it was granted needs no snapshot");
    assert_eq!((uid(&snapshots, of).await?, snapshots.word(of).await?), (made, "set up".to_owned()));
    uses(&bureau, (40 * 1024, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn a_volume_made_from_a_snapshot_may_be_larger_and_is_made_where_that_lies() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    hosts(&bureau, &["web"]).await?;
    volume(&volumes, "files", "10Gi").await?;
    for (name, of) in [("of-files", Of::Volume("files")), ("of-web", Of::Host("web"))] {
        snapshots.write(of, name).await?;
        snapshots.take(name, of).await?;
    }
    // What is on a host's disk can be looked at on a volume.
    for (name, snapshot, size) in
        [("clone", "of-files", "10Gi"), ("larger", "of-files", "30Gi"), ("rescue", "of-web", "40Gi")]
    {
        let mut body = volumes.body(name, size, None);
        body["snapshot"] = json!(snapshot);
        let answer = volumes.order(&body, 30).await?;
        assert_eq!((answer.status, &answer.json()["snapshot"]), (StatusCode::CREATED, &json!(snapshot)), "{answer:?}");
        let made = volumes.wait_ready(name, "Available").await?;
        assert_eq!(made.spec.snapshot_ref.map(|snapshot| snapshot.name).as_deref(), Some(snapshot));
        assert_eq!(snapshots.word(Of::Volume(name)).await?, snapshot);
        assert_eq!(volumes.made("pvc", name).await?["status"]["capacity"]["storage"], size);
    }
    let booked = 40 + 10 + (10 + 40) + (10 + 30 + 40);
    uses(&bureau, (booked * 1024, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn a_copy_is_as_large_as_its_snapshot_takes_and_booked_as_it_was_granted() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let of = Of::Volume("files");
    volume(&volumes, "files", "10Gi").await?;
    snapshots.write(of, "before").await?;
    snapshots.take("nightly", of).await?;
    snapshots.write(of, "after").await?;
    // As of a disk that is kept as a file: its claim on storage was made larger than the disk.
    let (engines, object) = (engine_namespace(&bureau.name), volume_snapshot_name("nightly"));
    let larger = json!({"status": {"restoreSize": "11Gi"}}).to_string();
    let status = ["--subresource=status", "--type=merge", "-p", larger.as_str()];
    bureau
        .world
        .lab
        .kubectl(&[&["patch", "volumesnapshot", object.as_str(), "-n", engines.as_str()][..], &status].concat())
        .await?;

    let moment = restore(&snapshots, of, "nightly").await?;
    snapshots.wait_restored(of, &moment).await?;
    volumes.wait_ready("files", "Available").await?;
    let mut body = volumes.body("clone", "10Gi", None);
    body["snapshot"] = json!("nightly");
    volumes.order(&body, 30).await?;
    volumes.wait_ready("clone", "Available").await?;
    for name in ["files", "clone"] {
        assert_eq!(snapshots.word(Of::Volume(name)).await?, "before", "{name}");
        assert_eq!(volumes.made("pvc", name).await?["status"]["capacity"]["storage"], "11Gi", "{name}");
        let granted = volumes.objects().await?.get(name).await?.status.and_then(|status| status.granted_size);
        assert_eq!(granted.unwrap().as_str(), "10Gi", "{name}");
    }
    // Of such a disk another one is taken as before.
    snapshots.take("again", of).await?;
    uses(&bureau, (4 * 10 * 1024, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn what_is_made_from_a_snapshot_is_not_paid_for_before_it_is_there_and_is_deleted_all_the_same()
-> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    volume(&volumes, "files", "10Gi").await?;
    snapshots.take("nightly", Of::Volume("files")).await?;
    let clone = format!("clone-{}", bureau.name);
    let (faults, disk) = (bureau.world.lab.faults(), Of::Volume(&clone).disk());
    faults.set(Fault::NeverReady, &disk);
    let mut body = volumes.body(&clone, "10Gi", None);
    body["snapshot"] = json!("nightly");
    volumes.order(&body, 30).await?;
    let is_made = |found: &CloudVolume| says(found, ConditionType::Ready) == Some(("False", "Provisioning"));
    volumes.wait(&clone, "being made", is_made).await?;
    uses(&bureau, (20 * 1024, 10 * 1024)).await?;
    bureau.caller.delete(&volumes.one(&clone)).await?;
    volumes.wait_gone(&clone).await?;
    faults.clear(Fault::NeverReady, &disk);
    uses(&bureau, (20 * 1024, 0)).await?;
    Ok(())
}
