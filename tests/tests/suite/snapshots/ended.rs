//! The end of a snapshot that something is still being made from, and of what snapshots are of.

use http::StatusCode;
use jiyun_crds::{
    names::volume_snapshot_name,
    v1alpha1::{CloudSnapshot, CloudVolume, ConditionType},
};
use jiyun_lab::simulate::Fault;
use jiyun_tests::{
    WorldError,
    snapshot::{Of, Snapshots, told},
    volume::{Volumes, says, shared},
    world::Quota,
};
use serde_json::json;

use super::{
    super::volumes::{hosts, uses},
    restore, volume,
};

/// That a snapshot is to go, and waits for this.
fn waits_for(what: &str) -> impl Fn(&CloudSnapshot) -> bool + use<> {
    let what = what.to_owned();
    move |found| {
        let told = told(found, ConditionType::Ready);
        told.is_some_and(|(status, why, message)| (status, why) == ("False", "Deleting") && message.contains(&what))
    }
}

#[tokio::test]
async fn a_snapshot_goes_only_when_nothing_is_being_made_from_it_any_more() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let (files, clone) = (format!("files-{}", bureau.name), format!("clone-{}", bureau.name));
    let (of_files, of_clone) = (Of::Volume(&files), Of::Volume(&clone));
    let faults = bureau.world.lab.faults();
    volume(&volumes, &files, "10Gi").await?;
    snapshots.write(of_files, "before").await?;
    for name in ["first", "second"] {
        snapshots.take(name, of_files).await?;
    }
    snapshots.write(of_files, "after").await?;

    // A new disk.
    faults.set(Fault::NeverReady, of_clone.disk());
    let mut body = volumes.body(&clone, "10Gi", None);
    body["snapshot"] = json!("first");
    let answer = volumes.order(&body, 30).await?;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let answer = bureau.caller.delete(&snapshots.one("first")).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    snapshots.wait("first", "waiting for the clone", waits_for(&format!("CloudVolume {clone}"))).await?;
    assert!(snapshots.made("first").await?.metadata.deletion_timestamp.is_none(), "it is there for the clone");
    faults.clear(Fault::NeverReady, &of_clone.disk());
    snapshots.wait_gone("first").await?;
    volumes.wait_ready(&clone, "Available").await?;
    assert_eq!(snapshots.word(of_clone).await?, "before");

    // A disk that is brought back: the former one is gone, and there is nothing else to bring it back to.
    faults.set(Fault::NeverReady, of_files.disk());
    let moment = restore(&snapshots, of_files, "second").await?;
    snapshots.wait_begun(of_files, &moment).await?;
    bureau.caller.delete(&snapshots.one("second")).await?;
    snapshots.wait("second", "waiting for the restore", waits_for(&format!("CloudVolume {files}"))).await?;
    faults.clear(Fault::NeverReady, &of_files.disk());
    snapshots.wait_restored(of_files, &moment).await?;
    snapshots.wait_gone("second").await?;
    assert_eq!(snapshots.word(of_files).await?, "before");
    uses(&bureau, (20 * 1024, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn a_snapshot_outlives_its_source_is_paid_for_on_and_gives_back_what_that_held() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    hosts(&bureau, &["web"]).await?;
    volume(&volumes, "files", "10Gi").await?;
    for (name, of) in [("of-files", Of::Volume("files")), ("of-web", Of::Host("web"))] {
        snapshots.write(of, name).await?;
        snapshots.take(name, of).await?;
    }
    bureau.caller.delete(&volumes.one("files")).await?;
    volumes.wait_gone("files").await?;
    bureau.caller.delete(&bureau.host_path("web")).await?;
    bureau.wait_gone("web").await?;
    uses(&bureau, ((10 + 40) * 1024, 0)).await?;
    for name in ["of-files", "of-web"] {
        let answer = snapshots.change(name, &json!({"displayName": "留存"})).await?;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        snapshots.wait_taken(name).await?;
        assert_eq!(snapshots.kept(name).await?, name);
    }

    // A namesake of what it was taken of is another one: it begins with what it is told, and is not brought back to it.
    let mut body = volumes.body("files", "10Gi", None);
    body["snapshot"] = json!("of-files");
    volumes.order(&body, 30).await?;
    volumes.wait_ready("files", "Available").await?;
    assert_eq!(snapshots.word(Of::Volume("files")).await?, "of-files");
    snapshots.write(Of::Volume("files"), "since").await?;
    let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + 1).unwrap().to_string();
    snapshots.wish(Of::Volume("files"), "of-files", &now).await?;
    let objects =
        |found: &CloudVolume| says(found, ConditionType::Accepted).is_some_and(|(status, _)| status == "False");
    volumes.wait("files", "told that the snapshot is of another one", objects).await?;
    assert_eq!(snapshots.restored(Of::Volume("files")).await?, None);
    assert_eq!(snapshots.word(Of::Volume("files")).await?, "since");
    Ok(())
}

#[tokio::test]
async fn a_source_stays_until_the_snapshot_that_is_being_taken_of_it_was_taken() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let last = format!("last-{}", bureau.name);
    let (faults, taking) = (bureau.world.lab.faults(), volume_snapshot_name(&last));
    volume(&volumes, "files", "10Gi").await?;
    snapshots.write(Of::Volume("files"), "accounts").await?;
    faults.set(Fault::NeverReady, &taking);
    snapshots.order(&snapshots.body(&last, Of::Volume("files")), 30).await?;
    uses(&bureau, (10 * 1024, 10 * 1024)).await?;
    snapshots.wait_cut(&last).await?;
    bureau.caller.delete(&volumes.one("files")).await?;
    let is_going = |found: &CloudVolume| found.metadata.deletion_timestamp.is_some();
    volumes.wait("files", "to go, and there still", is_going).await?;
    assert!(snapshots.storage(Of::Volume("files")).await?.is_some(), "what is being taken is there");
    faults.clear(Fault::NeverReady, &taking);
    volumes.wait_gone("files").await?;
    snapshots.wait_taken(&last).await?;
    assert_eq!(snapshots.kept(&last).await?, "accounts");
    Ok(())
}
