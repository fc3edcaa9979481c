//! A bucket that vanishes behind the platform's back.

use jiyun_crds::{
    names::{bucket_claim_name, engine_namespace},
    v1alpha1::{CloudBucket, ConditionType},
};
use jiyun_tests::{
    WorldError,
    booked::uses,
    bucket::{Buckets, shared, told},
    world::Quota,
};
use serde_json::json;

use super::{change, ordered};

#[tokio::test]
async fn a_bucket_that_is_lost_says_so_and_no_empty_one_takes_its_place() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let buckets = Buckets { bureau: &bureau };
    ordered(&buckets, "files", "10Gi").await?;
    let (engines, claim) = (engine_namespace(&bureau.name), bucket_claim_name("files"));
    bureau.world.lab.kubectl(&["delete", "obc", &claim, "-n", &engines, "--timeout=60s"]).await?;
    let is_lost = |found: &CloudBucket| {
        let told = told(found, ConditionType::Provisioned);
        told.is_some_and(|(status, why, message)| (status, why) == ("False", "EngineError") && message.contains("gone"))
    };
    buckets.wait("files", "told that it is lost", is_lost).await?;
    // Nor does it after another look, or for a wish of any kind.
    change(&buckets, "files", &json!({"displayName": "附件", "size": "20Gi"})).await?;
    assert!(buckets.rotate("files").await?.status.is_success());
    buckets.wait("files", "lost still", is_lost).await?;
    assert!(buckets.claims().await?.get_opt(&claim).await?.is_none(), "an empty one");
    // As long as nobody has ended it, it is the department's.
    let (used, held) = bureau.used("ObjectStorage").await?;
    assert!(used + held >= 10 * 1024, "{used} {held}");
    bureau.caller.delete(&buckets.one("files")).await?;
    buckets.wait_gone("files").await?;
    uses(&bureau, "ObjectStorage", (0, 0)).await
}
