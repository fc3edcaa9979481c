//! A leader that dies in the gaps of a rotation and of an end, and one that has nothing to do.

use std::collections::BTreeSet;

use http::StatusCode;
use jiyun_crds::names::bucket_claim_name;
use jiyun_lab::{LabOptions, wait_for};
use jiyun_tests::{
    WorldError,
    booked::uses,
    bucket::{Buckets, Pair, begin},
    world::{PATIENCE, Quota},
};
use kube::ResourceExt;

use super::{
    super::{
        interrupted::{
            hold::Hold,
            program::{Lead, Program},
        },
        volumes::quiet::rests,
    },
    ordered,
};

const ENGINES: &str = "engine-finance";

/// A change of the user at the engine, which is only tried.
const PROBE: &str = r#"{"spec": {"displayName": "probe"}}"#;

/// Asks for another key pair, and waits until two are there and the department has one that is `expected`; gives the names of the
/// two, and that one.
async fn between(
    buckets: &Buckets<'_>,
    expected: impl Fn(&Pair) -> bool,
) -> Result<(BTreeSet<String>, Pair), WorldError> {
    let answer = buckets.rotate("files").await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let told = |error: WorldError| format!("{error:?}");
    Ok(wait_for("two key pairs for one bucket", PATIENCE, || async {
        let (keys, pair) =
            (buckets.key_names("files").await.map_err(told)?, buckets.pair("files").await.map_err(told)?);
        if keys.len() == 2 && expected(&pair) { Ok((keys, pair)) } else { Err(format!("{keys:?}")) }
    })
    .await?)
}

/// The versions of all there is of a bucket.
async fn versions(buckets: &Buckets<'_>) -> Result<Vec<Option<String>>, WorldError> {
    let mut versions: Vec<_> = buckets.users("files").await?.iter().map(ResourceExt::resource_version).collect();
    versions.extend(buckets.keys("files").await?.iter().map(ResourceExt::resource_version));
    versions.push(buckets.objects().await?.get("files").await?.resource_version());
    versions.push(buckets.claim("files").await?.resource_version());
    versions.push(buckets.secret("files").await?.resource_version());
    Ok(versions)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_killed_in_a_rotation_or_an_end_is_followed_by_one_that_does_the_rest_once_and_then_rests()
-> Result<(), WorldError> {
    let world = begin(LabOptions::default().departments(["finance"])).await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    let buckets = Buckets { bureau: &bureau };
    ordered(&buckets, "files", "10Gi").await?;
    let (first, claim) = (buckets.pair("files").await?, bucket_claim_name("files"));
    let owner = buckets.owner("files").await?;

    // The new pair is there, and the user has the former one.
    let patch = ["patch", "cephobjectstoreusers", &owner, "-n", ENGINES, "--type=merge", "-p", PROBE];
    Hold::ChangingBucketUsers.set(&world, &patch).await;
    let (keys, _) = between(&buckets, |pair| *pair == first).await?;
    Program::Controller.kill(&world).await;
    assert!(buckets.pair("files").await? == first, "the former pair holds");
    Hold::ChangingBucketUsers.lift(&world).await;
    Program::Controller.revive(&world, Lead::IsTaken).await;
    let second = buckets.wait_rotated("files", &first).await?;
    let left = buckets.key_names("files").await?;
    assert!(left.is_subset(&keys), "another pair was made for the same moment: {left:?} beside {keys:?}");

    // The new pair is handed over, and the former one is there.
    let former = left.first().expect("a key pair");
    Hold::DeletingBucketKeys.set(&world, &["delete", "secrets", former, "-n", ENGINES]).await;
    let (keys, third) = between(&buckets, |pair| *pair != second).await?;
    Program::Controller.kill(&world).await;
    assert!(keys.contains(former), "{former} beside {keys:?}");
    Hold::DeletingBucketKeys.lift(&world).await;
    Program::Controller.revive(&world, Lead::IsTaken).await;
    assert!(buckets.wait_rotated("files", &second).await? == third, "it was handed over once");
    let left = buckets.key_names("files").await?;
    assert!(left.is_subset(&keys) && !left.contains(former), "{left:?} beside {keys:?}");
    let users = buckets.user_names("files").await?;
    assert_eq!((users, buckets.owner("files").await?), (BTreeSet::from([owner.clone()]), owner.clone()));

    // Nor is there anything to do for one that comes to it anew.
    rests(&world, "CloudBucket").await?;
    let before = versions(&buckets).await?;
    Program::Controller.interrupt(&world, Lead::IsTaken).await;
    world.controller.wait_until_healthy("/readyz", PATIENCE).await?;
    rests(&world, "CloudBucket").await?;
    assert_eq!(versions(&buckets).await?, before, "something is written while nothing changes");

    // The bucket is gone, and its user is there.
    Hold::DeletingBucketUsers.set(&world, &["delete", "cephobjectstoreusers", &owner, "-n", ENGINES]).await;
    let answer = bureau.caller.delete(&buckets.one("files")).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let claims = buckets.claims().await?;
    wait_for("the bucket to go", PATIENCE, || async {
        let found = claims.get_opt(&claim).await.map_err(|error| error.to_string())?;
        found.map_or(Ok(()), |found| Err(format!("{:?}", found.metadata)))
    })
    .await?;
    Program::Controller.kill(&world).await;
    assert_eq!(buckets.user_names("files").await?, BTreeSet::from([owner]));
    assert_eq!(buckets.key_names("files").await?, left, "its keys go after it");
    assert_eq!(bureau.used("ObjectStorage").await?, (10 * 1024, 0), "it is not free before all of it is gone");
    Hold::DeletingBucketUsers.lift(&world).await;
    Program::Controller.revive(&world, Lead::IsTaken).await;
    buckets.wait_gone("files").await?;
    uses(&bureau, "ObjectStorage", (0, 0)).await?;
    world.lab.stop().await?;
    Ok(())
}
