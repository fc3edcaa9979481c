//! Key pairs that are replaced (密钥轮换): once for each moment, not before it has come, and never back.

use http::StatusCode;
use jiff::Timestamp;
use jiyun_crds::v1alpha1::CloudBucket;
use jiyun_tests::{
    WorldError,
    bucket::{Buckets, Pair, shared},
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

/// Fails unless the bucket is of the one user there is, who was made for the moment that its status names.
async fn is_owned(buckets: &Buckets<'_>, pair: &Pair) -> Result<(CloudBucket, Timestamp), WorldError> {
    let (found, users) = (buckets.wait_ready("files").await?, buckets.users("files").await?);
    let [user] = users.as_slice() else { panic!("{users:?}") };
    let status = found.status.clone().unwrap();
    let moment = status.credentials_issued_for.unwrap().timestamp().unwrap();
    let owner = buckets.owner("files").await?;
    assert_eq!(owner, user.name_any());
    assert!(owner.ends_with(&format!("-{}", moment.as_second())), "{owner} is of another moment than {moment}");
    assert!(*pair == buckets.made(&owner).await?, "the department has the pair of its owner");
    let (made, issued) = (user.creation_timestamp().unwrap().0, status.credentials_issued_at.unwrap());
    assert!(issued.timestamp().unwrap() >= made, "{issued} is before {made}");
    Ok((found, made))
}

#[tokio::test]
async fn a_key_pair_is_replaced_once_for_a_moment_that_has_come_and_the_former_one_goes_with_its_user()
-> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let buckets = Buckets { bureau: &bureau };
    ordered(&buckets, "files", "10Gi").await?;
    let (first, user) = (buckets.pair("files").await?, buckets.owner("files").await?);
    let answer = buckets.rotate("files").await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let second = buckets.wait_rotated("files", &first).await?;
    let (found, _) = is_owned(&buckets, &second).await?;
    assert_eq!(found.spec.credentials_requested_at, found.status.unwrap().credentials_issued_for);
    assert!(!buckets.user_names("files").await?.contains(&user), "whoever has the former pair has nothing");
    assert!(still(&buckets, "门户网站附件").await? == second, "nobody asked for another one");
    assert_eq!(bureau.used("ObjectStorage").await?, (10 * 1024, 0), "nothing is booked for it");

    // At a time to come, by kubectl.
    let moment = Timestamp::from_second(Timestamp::now().as_second() + 4).unwrap();
    buckets.set("files", json!({"credentialsRequestedAt": moment.to_string()})).await?;
    let before = still(&buckets, "门户网站附件一").await?;
    // Where the machine is that slow there is nothing to be seen.
    assert!(before == second || Timestamp::now() >= moment, "replaced before its time");
    let third = buckets.wait_rotated("files", &second).await?;
    let (found, made) = is_owned(&buckets, &third).await?;
    assert!(made >= moment, "{made} is before {moment}");
    assert_eq!(found.status.unwrap().credentials_issued_for.unwrap().timestamp().unwrap(), moment);

    // What was done is not undone: neither by an earlier moment nor by none.
    for wish in [json!("2020-01-01T00:00:00+08:00"), json!(null)] {
        buckets.set("files", json!({"credentialsRequestedAt": wish})).await?;
        buckets.wait_ready("files").await?;
        assert!(buckets.pair("files").await? == third, "{wish}");
        is_owned(&buckets, &third).await?;
    }
    let (seen, told) = (buckets.objects().await?.get("files").await?, written(bureau.world)?);
    for pair in [first, second, third] {
        is_not_told(&pair, &(serde_json::to_string(&seen).unwrap() + &answer.text + &told));
    }
    Ok(())
}
