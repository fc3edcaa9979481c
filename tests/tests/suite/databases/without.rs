//! A database that is ordered where nothing can make one.

use jiyun_crds::v1alpha1::ConditionType;
use jiyun_tests::{
    World, WorldError,
    database::{Databases, told},
    world::Quota,
};

#[tokio::test]
async fn without_the_engine_a_database_says_what_to_do_and_nothing_is_set_aside() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    let databases = Databases { bureau: &bureau };
    databases.apply(&databases.order("pg", "Single")).await?;
    let missing = |found: &_| told(found, ConditionType::Admitted).is_some_and(|(_, why, _)| why == "EngineMissing");
    let found = databases.wait("pg", "told that there is no engine", missing).await?;
    let (status, _, message) = told(&found, ConditionType::Admitted).unwrap();
    assert_eq!(status, "Unknown");
    assert!(message.contains("CloudNativePG"), "{message}");
    assert_eq!(bureau.used("Vcpu").await?, (0, 0));

    let namespace = format!("dept-{}", bureau.name);
    bureau.world.lab.kubectl(&["delete", "cdb/pg", "-n", &namespace, "--timeout=60s"]).await?;
    Ok(())
}
