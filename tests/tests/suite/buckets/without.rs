//! A bucket that is ordered where nothing can make one.

use jiyun_crds::v1alpha1::ConditionType;
use jiyun_tests::{
    World, WorldError,
    bucket::{Buckets, told},
    world::Quota,
};

#[tokio::test]
async fn without_the_engine_a_bucket_says_what_to_do_and_nothing_is_set_aside() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    let buckets = Buckets { bureau: &bureau };
    bureau.world.take("a bucket", &buckets.object("files", "10Gi").to_string()).await?;
    let missing = |found: &_| told(found, ConditionType::Admitted).is_some_and(|(_, why, _)| why == "EngineMissing");
    let found = buckets.wait("files", "told that there is no engine", missing).await?;
    let (status, _, message) = told(&found, ConditionType::Admitted).unwrap();
    assert_eq!(status, "Unknown");
    assert!(message.contains("Rook"), "{message}");
    assert_eq!(bureau.used("ObjectStorage").await?, (0, 0));

    let namespace = format!("dept-{}", bureau.name);
    bureau.world.lab.kubectl(&["delete", "cbkt/files", "-n", &namespace, "--timeout=60s"]).await?;
    Ok(())
}
