//! Key pairs that are replaced (密钥轮换): once for each moment, not before it has come, and never back.

use http::StatusCode;
use jiff::Timestamp;
use jiyun_crds::v1alpha1::CloudBucket;
use jiyun_tests::{
    WorldError,
    bucket::{Buckets, Pair, made, named, names, shared},
    world::Quota,
};
use kube::ResourceExt;
use serde_json::json;

use super::{change, is_not_told, ordered, written};

/// The pair in use after the platform has looked at the bucket once more.
async fn still(buckets: &Buckets<'_>, name: &str) -> Result<Pair, WorldError> {
    change(buckets, "files", &json!({"displayName": name})).await?;
    buckets.wait_ready("files").await?;
    buckets.pair("files").await
}

/// Fails unless the one user there is, `user`, has the one key pair there is, which is the department's and was made for the moment
/// that the status of the bucket names; gives that, and when the pair was made.
async fn is_held(buckets: &Buckets<'_>, user: &str, pair: &Pair) -> Result<(CloudBucket, Timestamp), WorldError> {
    let (found, users) = (buckets.wait_ready("files").await?, buckets.users("files").await?);
    let [owner] = users.as_slice() else { panic!("{users:?}") };
    assert_eq!(owner.uid().as_deref(), Some(user), "what is in the bucket would be another user's");
    assert_eq!(buckets.owner("files").await?, owner.name_any());
    let status = found.status.clone().unwrap();
    let moment = status.credentials_issued_for.unwrap().timestamp().unwrap();
    let keys = buckets.keys("files").await?;
    // Not shown: whoever reads why a test failed would read them, too.
    let [key] = keys.as_slice() else { panic!("{} key pairs", keys.len()) };
    assert_eq!(key.name_any(), format!("bucket.files.key-{}", moment.as_second()));
    let uid = key.uid().unwrap();
    assert_eq!(named(owner), (names(&key.name_any()), vec![uid.as_str()]), "the user has this pair and no other");
    assert!(*pair == made(key), "the department has the pair of its owner");
    let issued = key.creation_timestamp().unwrap().0;
    assert_eq!(status.credentials_issued_at.unwrap().timestamp().unwrap(), issued);
    Ok((found, issued))
}

#[tokio::test]
async fn a_key_pair_is_replaced_once_for_a_moment_that_has_come_and_the_bucket_stays_its_users()
-> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let buckets = Buckets { bureau: &bureau };
    ordered(&buckets, "files", "10Gi").await?;
    let (first, former) = (buckets.pair("files").await?, buckets.key_names("files").await?);
    let user = buckets.users("files").await?.first().and_then(ResourceExt::uid).unwrap();
    let version = buckets.claim("files").await?.resource_version();
    let answer = buckets.rotate("files").await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let second = buckets.wait_rotated("files", &first).await?;
    let (found, _) = is_held(&buckets, &user, &second).await?;
    assert_eq!(found.spec.credentials_requested_at, found.status.unwrap().credentials_issued_for);
    assert!(buckets.key_names("files").await?.is_disjoint(&former), "whoever has the former pair has nothing");
    assert_eq!(buckets.claim("files").await?.resource_version(), version, "the bucket itself is left alone");
    assert!(still(&buckets, "门户网站附件").await? == second, "nobody asked for another one");
    assert_eq!(bureau.used("ObjectStorage").await?, (10 * 1024, 0), "nothing is booked for it");

    // At a time to come, by kubectl.
    let moment = Timestamp::from_second(Timestamp::now().as_second() + 4).unwrap();
    buckets.set("files", json!({"credentialsRequestedAt": moment.to_string()})).await?;
    let before = still(&buckets, "门户网站附件一").await?;
    // Where the machine is that slow there is nothing to be seen.
    assert!(before == second || Timestamp::now() >= moment, "replaced before its time");
    let third = buckets.wait_rotated("files", &second).await?;
    let (found, issued) = is_held(&buckets, &user, &third).await?;
    assert!(issued >= moment, "{issued} is before {moment}");
    assert_eq!(found.status.unwrap().credentials_issued_for.unwrap().timestamp().unwrap(), moment);

    // What was done is not undone: neither by an earlier moment nor by none.
    for wish in [json!("2020-01-01T00:00:00+08:00"), json!(null)] {
        buckets.set("files", json!({"credentialsRequestedAt": wish})).await?;
        buckets.wait_ready("files").await?;
        assert!(buckets.pair("files").await? == third, "{wish}");
        is_held(&buckets, &user, &third).await?;
    }
    let (seen, told) = (buckets.objects().await?.get("files").await?, written(bureau.world)?);
    for pair in [first, second, third] {
        is_not_told(&pair, &(serde_json::to_string(&seen).unwrap() + &answer.text + &told));
    }
    Ok(())
}
