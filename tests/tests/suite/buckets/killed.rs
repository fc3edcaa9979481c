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

/// A change of the claim at the engine, which is only tried.
const PROBE: &str = r#"{"spec": {"additionalConfig": {"bucketMaxSize": "1Mi"}}}"#;

/// Asks for another key pair, and waits until two users are there and the department has a pair that is `expected`; gives both.
async fn between(
    buckets: &Buckets<'_>,
    expected: impl Fn(&Pair) -> bool,
) -> Result<(BTreeSet<String>, Pair), WorldError> {
    let answer = buckets.rotate("files").await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let told = |error: WorldError| format!("{error:?}");
    Ok(wait_for("two users of one bucket", PATIENCE, || async {
        let (users, pair) =
            (buckets.user_names("files").await.map_err(told)?, buckets.pair("files").await.map_err(told)?);
        if users.len() == 2 && expected(&pair) { Ok((users, pair)) } else { Err(format!("{users:?}")) }
    })
    .await?)
}

/// The versions of all there is of a bucket.
async fn versions(buckets: &Buckets<'_>) -> Result<Vec<Option<String>>, WorldError> {
    let mut versions: Vec<_> = buckets.users("files").await?.iter().map(ResourceExt::resource_version).collect();
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

    // The new user is there, and the bucket is the former one's.
    let patch = ["patch", "obc", &claim, "-n", ENGINES, "--type=merge", "-p", PROBE];
    Hold::ChangingBucketClaims.set(&world, &patch).await;
    let (users, _) = between(&buckets, |pair| *pair == first).await?;
    Program::Controller.kill(&world).await;
    assert!(buckets.pair("files").await? == first, "the former pair holds");
    Hold::ChangingBucketClaims.lift(&world).await;
    Program::Controller.revive(&world, Lead::IsTaken).await;
    let second = buckets.wait_rotated("files", &first).await?;
    let owner = buckets.owner("files").await?;
    assert!(users.contains(&owner), "another user was made for the same moment: {owner} beside {users:?}");

    // The new pair is handed over, and the former user is there.
    Hold::DeletingBucketUsers.set(&world, &["delete", "cephobjectstoreusers", &owner, "-n", ENGINES]).await;
    let (users, third) = between(&buckets, |pair| *pair != second).await?;
    Program::Controller.kill(&world).await;
    assert!(users.contains(&owner) && buckets.owner("files").await? != owner, "{users:?}");
    Hold::DeletingBucketUsers.lift(&world).await;
    Program::Controller.revive(&world, Lead::IsTaken).await;
    assert!(buckets.wait_rotated("files", &second).await? == third, "it was handed over once");
    let owner = buckets.owner("files").await?;
    assert!(users.contains(&owner), "{owner} beside {users:?}");

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
    assert_eq!(bureau.used("ObjectStorage").await?, (10 * 1024, 0), "it is not free before all of it is gone");
    Hold::DeletingBucketUsers.lift(&world).await;
    Program::Controller.revive(&world, Lead::IsTaken).await;
    buckets.wait_gone("files").await?;
    uses(&bureau, "ObjectStorage", (0, 0)).await?;
    world.lab.stop().await?;
    Ok(())
}
