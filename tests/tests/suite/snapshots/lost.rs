//! A snapshot that vanishes behind the platform's back, and a source that does before the snapshot of it was taken.

use jiyun_crds::{
    names::{engine_namespace, volume_snapshot_name},
    v1alpha1::{CloudSnapshot, CloudVolume, ConditionType},
};
use jiyun_lab::simulate::Fault;
use jiyun_tests::{
    WorldError,
    snapshot::{Of, Snapshots, told},
    volume::{self, Volumes, shared},
    world::Quota,
};
use serde_json::json;

use super::{
    super::volumes::{refused::pool_of, uses},
    restore, volume,
};

/// That a snapshot says it is in trouble, in these words.
fn troubled(part: &str) -> impl Fn(&CloudSnapshot) -> bool {
    move |found| {
        let told = told(found, ConditionType::Provisioned);
        told.is_some_and(|(status, why, message)| (status, why) == ("False", "EngineError") && message.contains(part))
    }
}

#[tokio::test]
async fn a_snapshot_that_is_lost_says_so_and_is_not_taken_again_of_what_is_there_by_then() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let of = Of::Volume("files");
    volume(&volumes, "files", "10Gi").await?;
    snapshots.write(of, "before").await?;
    snapshots.take("nightly", of).await?;
    snapshots.write(of, "after").await?;
    let (engines, object) = (engine_namespace(&bureau.name), volume_snapshot_name("nightly"));
    bureau.world.lab.kubectl(&["delete", "volumesnapshot", &object, "-n", &engines, "--timeout=60s"]).await?;
    let is_lost = troubled("is gone");
    snapshots.wait("nightly", "told that it is lost", &is_lost).await?;
    // Nor after another look, or for a wish of any kind.
    snapshots.change("nightly", &json!({"displayName": "升级前"})).await?;
    snapshots.wait("nightly", "lost still", &is_lost).await?;
    assert!(snapshots.taken().await?.get_opt(&object).await?.is_none(), "another one");
    // Nothing is made from it, and no disk is given up for it.
    let mut body = volumes.body("clone", "10Gi", None);
    body["snapshot"] = json!("nightly");
    volumes.order(&body, 0).await?;
    snapshots.restore(of, "nightly").await?;
    let objects = |found: &CloudVolume| {
        volume::told(found, ConditionType::Accepted)
            .is_some_and(|(status, _, message)| status == "False" && message.contains("nightly"))
    };
    volumes.wait("files", "told that there is nothing to bring it back to", objects).await?;
    assert_eq!((snapshots.word(of).await?, snapshots.restored(of).await?), ("after".to_owned(), None));
    bureau.caller.delete(&volumes.one("clone")).await?;
    volumes.wait_gone("clone").await?;
    // As long as nobody has ended it, it is the department's.
    uses(&bureau, (20 * 1024, 0)).await?;
    bureau.caller.delete(&snapshots.one("nightly")).await?;
    snapshots.wait_gone("nightly").await?;
    uses(&bureau, (10 * 1024, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn a_restore_that_comes_to_nothing_since_its_snapshot_is_lost_gives_way_to_a_later_one() -> Result<(), WorldError>
{
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let files = format!("files-{}", bureau.name);
    let of = Of::Volume(&files);
    let (faults, disk) = (bureau.world.lab.faults(), of.disk());
    volume(&volumes, &files, "10Gi").await?;
    for name in ["first", "second"] {
        snapshots.write(of, name).await?;
        snapshots.take(name, of).await?;
    }
    snapshots.write(of, "after").await?;
    faults.set(Fault::NeverReady, &disk);
    let moment = restore(&snapshots, of, "first").await?;
    snapshots.wait_begun(of, &moment).await?;
    let (engines, object) = (engine_namespace(&bureau.name), volume_snapshot_name("first"));
    bureau.world.lab.kubectl(&["delete", "volumesnapshot", &object, "-n", &engines, "--timeout=60s"]).await?;
    let later = restore(&snapshots, of, "second").await?;
    assert_eq!(snapshots.wait_begun(of, &later).await?.snapshot, "second");
    faults.clear(Fault::NeverReady, &disk);
    snapshots.wait_restored(of, &later).await?;
    volumes.wait_ready(&files, "Available").await?;
    assert_eq!(snapshots.word(of).await?, "second");
    // Nothing needs the lost one any more.
    bureau.caller.delete(&snapshots.one("first")).await?;
    snapshots.wait_gone("first").await?;
    uses(&bureau, (20 * 1024, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn what_ends_or_grows_before_it_was_taken_is_not_taken_and_the_snapshot_says_what_to_do() -> Result<(), WorldError>
{
    let bureau = shared().await?.department(Quota { storage_gibibytes: 100, ..Quota::AMPLE }).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    // Granted, and not taken for want of a class that is there.
    let (pool, class) = (format!("array-{}", bureau.name), format!("later-{}", bureau.name));
    pool_of(&bureau, &pool, &pool, Some(&class)).await?;
    for name in ["ends", "grows"] {
        let mut body = volumes.body(name, "5Gi", None);
        body["tier"] = json!(pool);
        volumes.order(&body, 30).await?;
        volumes.wait_ready(name, "Available").await?;
        snapshots.order(&snapshots.body(&format!("of-{name}"), Of::Volume(name)), 30).await?;
        snapshots.wait(&format!("of-{name}"), "not taken", troubled(&class)).await?;
    }
    bureau.caller.patch(&volumes.one("grows"), &json!({"size": "6Gi"}), "").await?;
    snapshots.wait("of-grows", "told that its source has grown", troubled("order another")).await?;
    bureau.caller.delete(&volumes.one("ends")).await?;
    snapshots.wait("of-ends", "told that its source has ended", troubled("ended before")).await?;
    bureau.caller.delete(&snapshots.one("of-ends")).await?;
    snapshots.wait_gone("of-ends").await?;
    volumes.wait_gone("ends").await?;
    bureau.caller.delete(&snapshots.one("of-grows")).await?;
    snapshots.wait_gone("of-grows").await?;
    uses(&bureau, (6 * 1024, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn a_snapshot_that_the_array_cannot_take_says_so_is_not_paid_for_and_is_taken_once_it_can()
-> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let failing = format!("failing-{}", bureau.name);
    let (faults, taking) = (bureau.world.lab.faults(), volume_snapshot_name(&failing));
    volume(&volumes, "files", "10Gi").await?;
    faults.set(Fault::ImportFails, &taking);
    snapshots.order(&snapshots.body(&failing, Of::Volume("files")), 30).await?;
    let found = snapshots.wait(&failing, "told that it fails", troubled("VolumeSnapshot")).await?;
    let (_, _, message) = told(&found, ConditionType::Provisioned).unwrap();
    assert!(!message.contains("pvc-"), "what the engine says of others' things is for operators: {message}");
    uses(&bureau, (10 * 1024, 10 * 1024)).await?;
    faults.clear(Fault::ImportFails, &taking);
    snapshots.wait_taken(&failing).await?;
    uses(&bureau, (20 * 1024, 0)).await?;
    Ok(())
}
