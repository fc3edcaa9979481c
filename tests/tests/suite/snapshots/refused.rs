//! What is not taken, not made, not restored, not handed over, or not yet.

use http::StatusCode;
use jiyun_crds::{
    names::volume_snapshot_name,
    v1alpha1::{CloudSnapshot, CloudVolume, ConditionType},
};
use jiyun_lab::simulate::Fault;
use jiyun_tests::{
    Order, WorldError,
    person::Answer,
    snapshot::{Of, Snapshots, says, told},
    volume::{self, Volumes, shared},
    world::{Bureau, Quota, reason},
};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::{
    super::volumes::{
        hosts,
        refused::{not_handed_over, pool_of, system},
        uses,
    },
    uid, volume,
};

/// Fails where an order was taken, or was not refused by this code, of this field.
fn is_refused(answer: &Answer, code: &str, field: &str) {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    let problem = answer.json();
    assert_eq!((&problem["code"], &problem["field"]), (&json!(code), &json!(field)), "{problem}");
}

/// Has a snapshot asked for by kubectl, whom nothing tells beforehand that it is a mistake.
async fn applied(snapshots: &Snapshots<'_>, name: &str, of: Of<'_>) -> Result<(), WorldError> {
    snapshots.bureau.world.take("a snapshot", &snapshots.object(name, of).to_string()).await
}

/// Waits until a snapshot that was not granted says so, for this reason; gives the sentence.
async fn not_accepted(snapshots: &Snapshots<'_>, name: &str, why: &str) -> Result<String, WorldError> {
    let is_told = |found: &CloudSnapshot| says(found, ConditionType::Accepted) == Some(("False", why));
    let found = snapshots.wait(name, &format!("says {why}"), is_told).await?;
    assert_eq!(found.status.as_ref().unwrap().claim_id, None, "{found:?}");
    let (_, _, message) = told(&found, ConditionType::Accepted).unwrap();
    Ok(message.to_owned())
}

#[tokio::test]
async fn a_source_that_is_not_there_or_of_another_system_is_named_and_one_that_is_not_ready_is_waited_for()
-> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    bureau.world.lab.apply_text(&system(&bureau, "levy").to_string()).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("levy-1", "levy").body(), 30).await?;
    bureau.wait_ready("levy-1").await?;
    let nobody = snapshots.order(&snapshots.body("first", Of::Volume("nobody")), 0).await?;
    is_refused(&nobody, "UnknownReference", "source.name");
    let foreign = snapshots.order(&snapshots.body("first", Of::Host("levy-1")), 0).await?;
    is_refused(&foreign, "SnapshotSourceInOtherSystem", "source.name");
    assert!(snapshots.objects().await?.get_opt("first").await?.is_none(), "nothing was left behind");

    applied(&snapshots, "nobodys", Of::Volume("nobody")).await?;
    let said = not_accepted(&snapshots, "nobodys", "UnknownReference").await?;
    assert!(said.contains("spec.source.name") && said.contains("nobody"), "{said}");
    applied(&snapshots, "foreign", Of::Host("levy-1")).await?;
    let said = not_accepted(&snapshots, "foreign", "Misconfigured").await?;
    assert!(said.contains("levy-1") && said.contains("portal"), "{said}");

    let slow = format!("slow-{}", bureau.name);
    let (faults, disk) = (bureau.world.lab.faults(), Of::Volume(&slow).disk());
    faults.set(Fault::NeverReady, &disk);
    volumes.order(&volumes.body(&slow, "10Gi", None), 30).await?;
    let answer = snapshots.order(&snapshots.body("early", Of::Volume(&slow)), 0).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let said = not_accepted(&snapshots, "early", "AwaitingSource").await?;
    assert!(said.contains(&slow), "{said}");
    // The host of the other system, and the volume that is not there yet.
    uses(&bureau, (40 * 1024, 10 * 1024)).await?;
    faults.clear(Fault::NeverReady, &disk);
    snapshots.wait_taken("early").await?;
    // What a wish waits for may come while it does.
    volume(&volumes, "nobody", "10Gi").await?;
    snapshots.wait_taken("nobodys").await?;
    uses(&bureau, ((40 + 4 * 10) * 1024, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn where_a_pool_takes_no_snapshots_or_by_a_class_that_is_not_there_it_is_told_until_that_is_mended()
-> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots, lab) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau }, &bureau.world.lab);
    let (pool, tier) = (format!("array-{}", bureau.name), format!("plain-{}", bureau.name));
    pool_of(&bureau, &pool, &tier, None).await?;
    let mut body = volumes.body("files", "10Gi", None);
    body["tier"] = json!(tier);
    volumes.order(&body, 30).await?;
    volumes.wait_ready("files", "Available").await?;
    applied(&snapshots, "nightly", Of::Volume("files")).await?;
    let said = not_accepted(&snapshots, "nightly", "Misconfigured").await?;
    assert!(said.contains(&tier) && !said.contains(&pool), "tiers are what departments know: {said}");
    uses(&bureau, (10 * 1024, 0)).await?;

    let class = format!("gone-{}", bureau.name);
    let by = |class: &str| json!({"spec": {"snapshotClassName": class}}).to_string();
    lab.kubectl(&["patch", "storagepool", &pool, "--type=merge", "-p", &by(&class)]).await?;
    let is_told = |found: &CloudSnapshot| {
        told(found, ConditionType::Provisioned)
            .is_some_and(|(status, why, message)| (status, why) == ("False", "EngineError") && message.contains(&class))
    };
    snapshots.wait("nightly", "told that there is no such class", is_told).await?;
    assert!(snapshots.made("nightly").await.is_err(), "nothing is made that could not be taken");
    uses(&bureau, (10 * 1024, 10 * 1024)).await?;
    lab.kubectl(&["patch", "storagepool", &pool, "--type=merge", "-p", &by("standard")]).await?;
    snapshots.wait_taken("nightly").await?;
    uses(&bureau, (20 * 1024, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn a_snapshot_lies_where_its_source_lies_or_waits_for_room_there() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let tier = format!("twice-{}", bureau.name);
    let pools = ["one", "two"].map(|which| format!("{which}-{}", bureau.name));
    for pool in &pools {
        pool_of(&bureau, pool, &tier, Some("standard")).await?;
    }
    let mut body = volumes.body("files", "30Gi", None);
    body["tier"] = json!(tier);
    volumes.order(&body, 30).await?;
    let lies = volumes.wait_ready("files", "Available").await?.status.unwrap().storage_pool_ref.unwrap().name;
    assert!(pools.contains(&lies), "{lies}");
    // Of 40Gi 30Gi are taken there, and none in the other one.
    let answer = snapshots.order(&snapshots.body("nightly", Of::Volume("files")), 0).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let in_line =
        |found: &CloudSnapshot| says(found, ConditionType::Admitted) == Some(("Unknown", "WaitingForCapacity"));
    snapshots.wait("nightly", "in line for the pool of its source", in_line).await?;
    let larger = json!({"spec": {"capacity": "60Gi"}}).to_string();
    bureau.world.lab.kubectl(&["patch", "storagepool", &lies, "--type=merge", "-p", &larger]).await?;
    let status = snapshots.wait_taken("nightly").await?.status.unwrap();
    assert_eq!(status.storage_pool_ref.unwrap().name, lies);
    Ok(())
}

#[tokio::test]
async fn a_snapshot_over_quota_is_refused_with_figures_and_a_system_with_one_is_not_handed_over()
-> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota { storage_gibibytes: 100, ..Quota::AMPLE }).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    volume(&volumes, "files", "40Gi").await?;
    snapshots.take("first", Of::Volume("files")).await?;
    let refused = snapshots.order(&snapshots.body("second", Of::Volume("files")), 30).await?;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (StatusCode::CONFLICT, &json!("ExceedsLimit")),
        "{refused:?}"
    );
    for number in ["limit 100", "used 80", "requested 40", "missing 20"] {
        assert!(refused.json()["detail"].as_str().unwrap().contains(number), "{number} in {refused:?}");
    }
    bureau.caller.delete(&snapshots.one("second")).await?;
    snapshots.wait_gone("second").await?;
    // The volume goes; what is kept of it holds the system back by itself.
    bureau.caller.delete(&volumes.one("files")).await?;
    volumes.wait_gone("files").await?;
    not_handed_over(&bureau, "has the snapshot first").await?;
    snapshots.wait_taken("first").await?;
    uses(&bureau, (40 * 1024, 0)).await?;
    Ok(())
}

/// A department with a host and a volume, a snapshot of each, and a volume of another system.
async fn with_snapshots() -> Result<Bureau<'static>, WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    bureau.world.lab.apply_text(&system(&bureau, "levy").to_string()).await?;
    hosts(&bureau, &["web"]).await?;
    volume(&volumes, "files", "20Gi").await?;
    for (name, of) in [("of-web", Of::Host("web")), ("of-files", Of::Volume("files"))] {
        snapshots.take(name, of).await?;
    }
    Ok(bureau)
}

#[tokio::test]
async fn what_does_not_fit_a_snapshot_is_not_made_from_it_by_whichever_way_it_is_asked_for() -> Result<(), WorldError> {
    let bureau = with_snapshots().await?;
    let volumes = Volumes { bureau: &bureau };
    let host = |change: &dyn Fn(&mut Value)| {
        let mut body = Order::new("copy", "portal").body();
        body["snapshot"] = json!("of-web");
        change(&mut body);
        body
    };
    for (code, field, body) in [
        ("SnapshotOfVolume", "snapshot", host(&|body| body["snapshot"] = json!("of-files"))),
        ("SnapshotInOtherSystem", "snapshot", host(&|body| body["system"] = json!("levy"))),
        ("SnapshotOfOtherImage", "image", host(&|body| body["image"] = json!("kylin-v10-sp3-amd64"))),
        ("DiskSmallerThanSnapshot", "systemDisk.size", host(&|body| body["systemDisk"]["size"] = json!("30Gi"))),
        ("UnknownReference", "snapshot", host(&|body| body["snapshot"] = json!("nobodys"))),
    ] {
        is_refused(&bureau.caller.post(&bureau.hosts_path(), &body, 0).await?, code, field);
    }
    for (code, field, size, snapshot) in
        [("DiskSmallerThanSnapshot", "size", "10Gi", "of-files"), ("UnknownReference", "snapshot", "20Gi", "nobodys")]
    {
        let mut body = volumes.body("copy", size, None);
        body["snapshot"] = json!(snapshot);
        is_refused(&volumes.order(&body, 0).await?, code, field);
    }

    // By kubectl: a host with the snapshot of a volume, and a volume that is too small.
    let mut object = Order::new("copy", "portal").object(&bureau.name);
    object["spec"]["snapshotRef"] = json!({"name": "of-files"});
    bureau.world.take("a host", &object.to_string()).await?;
    let is_told = |host: &_| reason(host, ConditionType::Accepted) == Some("Misconfigured");
    bureau.wait_for_host("copy", "told that it cannot be made from that", is_told).await?;
    let small = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudVolume",
        "metadata": {"name": "copy", "namespace": format!("dept-{}", bureau.name)},
        "spec": {
            "systemRef": {"name": "portal"}, "zoneRef": {"name": "extranet-public"}, "tier": "standard", "size": "10Gi",
            "snapshotRef": {"name": "of-files"}, "deletionProtection": "Disabled",
        },
    });
    bureau.world.take("a volume", &small.to_string()).await?;
    let is_told =
        |found: &CloudVolume| volume::says(found, ConditionType::Accepted) == Some(("False", "Misconfigured"));
    volumes.wait("copy", "told that it is too small", is_told).await?;
    uses(&bureau, (2 * (40 + 20) * 1024, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn nothing_is_made_from_a_snapshot_before_it_was_taken_and_then_it_is_by_itself() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let late = format!("late-{}", bureau.name);
    let (faults, taking) = (bureau.world.lab.faults(), volume_snapshot_name(&late));
    let of = Of::Volume("files");
    volume(&volumes, "files", "10Gi").await?;
    snapshots.write(of, "accounts").await?;
    faults.set(Fault::NeverReady, &taking);
    snapshots.order(&snapshots.body(&late, of), 30).await?;
    snapshots.wait_cut(&late).await?;
    snapshots.write(of, "scribbles").await?;
    let mut body = volumes.body("clone", "10Gi", None);
    body["snapshot"] = json!(late);
    let answer = volumes.order(&body, 0).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let awaits = |found: &CloudVolume| {
        volume::told(found, ConditionType::Accepted).is_some_and(|(status, why, message)| {
            (status, why) == ("False", "AwaitingSource") && message.contains(&late)
        })
    };
    volumes.wait("clone", "waiting for the snapshot", awaits).await?;
    // The same of a restore.
    let first = uid(&snapshots, of).await?;
    let answer = snapshots.restore(of, &late).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let moment = answer.json()["restore"]["requestedAt"].as_str().unwrap().to_owned();
    volumes.wait("files", "waiting for the snapshot", awaits).await?;
    assert_eq!((uid(&snapshots, of).await?, snapshots.restored(of).await?), (first, None));
    uses(&bureau, (10 * 1024, 10 * 1024)).await?;

    faults.clear(Fault::NeverReady, &taking);
    volumes.wait_ready("clone", "Available").await?;
    snapshots.wait_restored(of, &moment).await?;
    for disk in [of, Of::Volume("clone")] {
        assert_eq!(snapshots.word(disk).await?, "accounts", "{disk:?}");
    }
    uses(&bureau, (30 * 1024, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn a_disk_is_brought_back_to_no_snapshot_of_anything_else_and_to_none_of_another_department()
-> Result<(), WorldError> {
    let bureau = with_snapshots().await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    let other = bureau.world.department(Quota::AMPLE).await?;
    let (their_volumes, theirs) = (Volumes { bureau: &other }, Snapshots { bureau: &other });
    volume(&their_volumes, "files", "20Gi").await?;
    theirs.take("secret", Of::Volume("files")).await?;
    theirs.write(Of::Volume("files"), "theirs").await?;
    volume(&volumes, "more", "20Gi").await?;
    let (of, moment) = (Of::Volume("more"), jiff::Timestamp::now().as_second() + 1);
    let moment = jiff::Timestamp::from_second(moment).unwrap().to_string();
    let first = uid(&snapshots, of).await?;

    for (snapshot, code) in
        [("of-files", "SnapshotOfOther"), ("of-web", "SnapshotOfOther"), ("secret", "UnknownReference")]
    {
        is_refused(&snapshots.restore(of, snapshot).await?, code, "snapshot");
        snapshots.wish(of, snapshot, &moment).await?;
        let objects = |found: &CloudVolume| {
            volume::told(found, ConditionType::Accepted)
                .is_some_and(|(status, _, message)| status == "False" && message.contains(snapshot))
        };
        volumes.wait("more", &format!("told that {snapshot} is none of it"), objects).await?;
        let mut body = their_volumes.body("stolen", "20Gi", None);
        body["snapshot"] = json!("of-files");
        is_refused(&their_volumes.order(&body, 0).await?, "UnknownReference", "snapshot");
    }
    assert_eq!((uid(&snapshots, of).await?, snapshots.restored(of).await?), (first, None));
    // It goes on as it is meanwhile, and is ended while the wish still stands.
    volumes.wait_ready("more", "Available").await?;
    volumes.objects().await?.delete("more", &DeleteParams::default()).await?;
    volumes.wait_gone("more").await?;
    let hidden = bureau.caller.get(&theirs.one("secret")).await?;
    assert_eq!(hidden.status, StatusCode::NOT_FOUND, "{hidden:?}");
    Ok(())
}
