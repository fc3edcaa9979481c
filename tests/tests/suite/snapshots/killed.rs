//! A leader that dies in the gaps of a restore, of a snapshot that is taken and of one that ends.

use jiyun_crds::{
    names::volume_snapshot_name,
    v1alpha1::{CloudSnapshot, ConditionType},
};
use jiyun_lab::{LabOptions, simulate::Fault, wait_for};
use jiyun_ledger::{Claim, ClaimStage};
use jiyun_tests::{
    World, WorldError,
    snapshot::{Of, Snapshots, says},
    volume::{Volumes, begin},
    world::{PATIENCE, Quota},
};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{
    super::{
        interrupted::{
            book::Book,
            hold::Hold,
            program::{Lead, Program},
        },
        volumes::{hosts, power, uses},
    },
    restore, uid, volume,
};

const ENGINES: &str = "engine-finance";

/// Writes an object that could be made into a file, as kubectl wants it.
fn probe(world: &World, kind: &str, mut object: Value) -> Result<String, WorldError> {
    object["kind"] = json!(kind);
    object["metadata"] = json!({"name": "probe", "namespace": ENGINES});
    let path = world.lab.folder().join(format!("{kind}.json"));
    std::fs::write(&path, object.to_string())?;
    Ok(path.display().to_string())
}

/// Waits until the book has a restore of something, whether anybody was told or not.
async fn begun(book: &Book, of: Of<'_>) -> Result<(), WorldError> {
    let is_begun = |claim: &Claim| {
        let restored = &claim.approved_spec["restored"];
        restored["requestedAt"].is_string() && restored["completedAt"].is_null()
    };
    wait_for(format!("a restore of {} in the book", of.name()), PATIENCE, || async {
        let state = book.state();
        let claim = state.claims().find(|claim| claim.subject.name == of.name());
        if claim.is_some_and(|claim| is_begun(claim)) { Ok(()) } else { Err(format!("{claim:?}")) }
    })
    .await?;
    Ok(())
}

/// Waits until the book has no restore of something.
async fn given_up(book: &Book, of: Of<'_>) -> Result<(), WorldError> {
    wait_for(format!("no restore of {} in the book", of.name()), PATIENCE, || async {
        let state = book.state();
        let claim = state.claims().find(|claim| claim.subject.name == of.name());
        let is_given_up = |claim: &Claim| claim.approved_spec.get("restored").is_none();
        if claim.is_some_and(|claim| is_given_up(claim)) { Ok(()) } else { Err(format!("{claim:?}")) }
    })
    .await?;
    Ok(())
}

/// Waits until neither a disk nor its claim on storage is there.
async fn gone(snapshots: &Snapshots<'_>, of: Of<'_>) -> Result<(), WorldError> {
    let told = |error: WorldError| format!("{error:?}");
    wait_for(format!("{} to go", of.disk()), PATIENCE, || async {
        match (snapshots.disk(of).await.map_err(told)?, snapshots.storage(of).await.map_err(told)?) {
            (None, None) => Ok(()),
            left => Err(format!("{left:?}")),
        }
    })
    .await?;
    Ok(())
}

/// Waits until a disk is there that is not `former`, and is in this phase; gives its UID.
async fn made_anew(snapshots: &Snapshots<'_>, of: Of<'_>, former: &str, phase: &str) -> Result<String, WorldError> {
    Ok(wait_for(format!("another {} to be {phase}", of.disk()), PATIENCE, || async {
        let disk = snapshots.disk(of).await.map_err(|error| format!("{error:?}"))?;
        let found = disk.filter(|disk| disk.data["status"]["phase"] == phase).and_then(|disk| disk.uid());
        found.filter(|uid| uid != former).ok_or_else(|| "no other one".to_owned())
    })
    .await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_killed_at_any_step_of_a_restore_is_followed_by_one_that_does_the_rest_of_it_once()
-> Result<(), WorldError> {
    let world = begin(LabOptions::default().departments(["finance"])).await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    hosts(&bureau, &["web"]).await?;
    volume(&volumes, "data", "10Gi").await?;
    let disk = json!({
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "spec": {"source": {"blank": {}}, "storage": {"resources": {"requests": {"storage": "1Gi"}}}},
    });
    let (disk, book) = (probe(&world, "DataVolume", disk)?, Book::open(&world).await);
    for (of, snapshot) in [(Of::Host("web"), "of-web"), (Of::Volume("data"), "of-data")] {
        snapshots.write(of, "before").await?;
        snapshots.take(snapshot, of).await?;
        snapshots.write(of, "after").await?;
    }
    power(&bureau, "web", "Stopped").await?;

    for (of, snapshot) in [(Of::Host("web"), "of-web"), (Of::Volume("data"), "of-data")] {
        let (first, name) = (uid(&snapshots, of).await?, of.disk());
        // It is taken back between the two: the former disk stays, and nothing that was sent before removes it.
        Hold::DeletingDisks.set(&world, &["delete", "datavolume", &name, "-n", ENGINES]).await;
        restore(&snapshots, of, snapshot).await?;
        begun(&book, of).await?;
        snapshots.take_back(of).await?;
        given_up(&book, of).await?;
        assert_eq!((uid(&snapshots, of).await?, snapshots.word(of).await?), (first.clone(), "after".to_owned()));
        let kept = snapshots.disk(of).await?.expect("the former disk");
        assert!(kept.annotations().contains_key("jiyun.io/kept-at"), "{:?}", kept.metadata);

        // The intent is in the book, and the former disk is there.
        let moment = restore(&snapshots, of, snapshot).await?;
        begun(&book, of).await?;
        Program::Controller.kill(&world).await;
        assert_eq!((uid(&snapshots, of).await?, snapshots.word(of).await?), (first.clone(), "after".to_owned()));

        // The former disk is gone, and there is no other one.
        Hold::MakingDisks.set(&world, &["create", "-f", &disk]).await;
        Hold::DeletingDisks.lift(&world).await;
        Program::Controller.revive(&world, Lead::IsTaken).await;
        gone(&snapshots, of).await?;
        Program::Controller.kill(&world).await;
        gone(&snapshots, of).await?;

        // Another one is there, and is not filled.
        world.lab.faults().set(Fault::NeverReady, &name);
        Hold::MakingDisks.lift(&world).await;
        Program::Controller.revive(&world, Lead::IsTaken).await;
        let second = made_anew(&snapshots, of, &first, "CloneFromSnapshotSourceInProgress").await?;
        Program::Controller.kill(&world).await;
        begun(&book, of).await?;

        // It is filled, and nobody has recorded that.
        world.lab.faults().clear(Fault::NeverReady, &name);
        made_anew(&snapshots, of, &first, "Succeeded").await?;
        Program::Controller.revive(&world, Lead::IsTaken).await;
        snapshots.wait_restored(of, &moment).await?;
        assert_eq!((uid(&snapshots, of).await?, snapshots.word(of).await?), (second, "before".to_owned()));
    }
    power(&bureau, "web", "Running").await?;
    volumes.wait_ready("data", "Available").await?;
    uses(&bureau, (2 * (40 + 10) * 1024, 0)).await?;
    world.lab.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_killed_before_a_snapshot_is_taken_or_removed_is_followed_by_one_that_does_it()
-> Result<(), WorldError> {
    let world = begin(LabOptions::default().departments(["finance"])).await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let of = Of::Volume("data");
    volume(&volumes, "data", "10Gi").await?;
    snapshots.write(of, "before").await?;
    let object = json!({
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "spec": {"volumeSnapshotClassName": "standard", "source": {"persistentVolumeClaimName": "probe"}},
    });
    let object = probe(&world, "VolumeSnapshot", object)?;

    // It is granted, and nothing was taken.
    Hold::MakingSnapshots.set(&world, &["create", "-f", &object]).await;
    snapshots.order(&snapshots.body("nightly", of), 30).await?;
    let is_granted = |found: &CloudSnapshot| says(found, ConditionType::Admitted) == Some(("True", "Granted"));
    let claim = snapshots.wait("nightly", "granted", is_granted).await?.status.unwrap().claim_id;
    Program::Controller.kill(&world).await;
    let taken = snapshots.taken().await?;
    assert!(taken.get_opt(&volume_snapshot_name("nightly")).await?.is_none(), "nothing was taken yet");
    snapshots.write(of, "at last").await?;
    Hold::MakingSnapshots.lift(&world).await;
    Program::Controller.revive(&world, Lead::IsTaken).await;
    assert_eq!(snapshots.wait_taken("nightly").await?.status.unwrap().claim_id, claim, "it was granted once");
    assert_eq!(snapshots.kept("nightly").await?, "at last");
    let made = snapshots.made("nightly").await?;
    Program::Controller.interrupt(&world, Lead::IsTaken).await;
    world.controller.wait_until_healthy("/readyz", PATIENCE).await?;
    snapshots.change("nightly", &json!({"displayName": "每日"})).await?;
    snapshots.wait_taken("nightly").await?;
    assert_eq!(snapshots.made("nightly").await?.uid(), made.uid(), "it is not taken again");

    // Its end is in the book, and it is there.
    let name = made.name_any();
    Hold::DeletingSnapshots.set(&world, &["delete", "volumesnapshot", &name, "-n", ENGINES]).await;
    bureau.caller.delete(&snapshots.one("nightly")).await?;
    Book::open(&world).await.at_stage("nightly", 0, ClaimStage::Ending).await;
    Program::Controller.kill(&world).await;
    assert!(snapshots.made("nightly").await?.metadata.deletion_timestamp.is_none(), "nobody has removed it");
    assert_eq!(bureau.used("BlockStorage").await?, (20 * 1024, 0), "its room is not free before it is gone");
    Hold::DeletingSnapshots.lift(&world).await;
    Program::Controller.revive(&world, Lead::IsTaken).await;
    snapshots.wait_gone("nightly").await?;
    uses(&bureau, (10 * 1024, 0)).await?;
    world.lab.stop().await?;
    Ok(())
}
