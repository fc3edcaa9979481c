//! What is not granted, not made, or not handed over.

use http::StatusCode;
use jiyun_crds::v1alpha1::{CloudBucket, ConditionType};
use jiyun_tests::{
    WorldError,
    bucket::{Buckets, class, says, shared, told},
    world::{Bureau, Quota},
};
use kube::api::ListParams;
use serde_json::{Value, json};

use super::{
    super::volumes::refused::{not_handed_over, pool as block_pool},
    ordered,
};

/// A storage pool for buckets of this class, and a tier of its name that nobody else orders from.
async fn pool(bureau: &Bureau<'_>, class: &str) -> Result<(), WorldError> {
    let pool = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "StoragePool", "metadata": {"name": class},
        "spec": {"siteRef": {"name": "hengshan-main"}, "zones": ["extranet-public"], "tier": class,
                 "storageType": "Object", "storageClassName": class, "provider": "test", "maxProtectionLevel": 3,
                 "capacity": "1Ti"},
    });
    bureau.world.lab.apply_text(&pool.to_string()).await?;
    bureau.world.lab.kubectl(&["wait", "storagepool", class, "--for=condition=Ready", "--timeout=60s"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_storage_class_that_cannot_be_used_is_named_and_nothing_is_made_until_it_is_mended() -> Result<(), WorldError>
{
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let (buckets, lab) = (Buckets { bureau: &bureau }, &bureau.world.lab);
    let named = |kind: &str| format!("{kind}-{}", bureau.name);
    let wrong = |kind: &str, change: &dyn Fn(&mut Value)| {
        let mut class = class(&named(kind));
        change(&mut class);
        class
    };
    let without = wrong("storeless", &|class| class["parameters"] = json!({"objectStoreName": "city"}));
    let keeping = wrong("keeping", &|class| class["reclaimPolicy"] = json!("Retain"));
    // Every bucket of such a class would be that one.
    let existing = wrong("existing", &|class| class["parameters"]["bucketName"] = json!("of-somebody"));
    let strange = wrong("strange", &|class| class["provisioner"] = json!("rook-ceph.rbd.csi.ceph.com"));
    for class in [&without, &keeping, &existing, &strange] {
        lab.apply_text(&class.to_string()).await?;
    }
    let cases = [
        ("missing", "no StorageClass"),
        ("storeless", "objectStoreNamespace"),
        ("keeping", "Retain"),
        ("existing", "bucketName"),
        ("strange", "provisioner"),
    ];
    for (kind, _) in cases {
        pool(&bureau, &named(kind)).await?;
        let mut body = buckets.body(kind, "10Gi");
        body["tier"] = json!(named(kind));
        let answer = buckets.order(&body, 30).await?;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    }
    for (kind, said) in cases {
        let is_told = |found: &CloudBucket| {
            told(found, ConditionType::Provisioned).is_some_and(|(status, why, message)| {
                (status, why) == ("False", "EngineError") && message.contains(&named(kind)) && message.contains(said)
            })
        };
        buckets.wait(kind, "told what is wrong with its class", is_told).await?;
        assert!(buckets.users(kind).await?.is_empty(), "{kind}: a user for nothing");
        assert!(buckets.key_names(kind).await?.is_empty(), "{kind}: a key pair for nothing");
    }
    assert!(buckets.claims().await?.list(&ListParams::default()).await?.items.is_empty(), "nothing is made");
    assert_eq!(bureau.used("ObjectStorage").await?, (0, 5 * 10 * 1024), "set aside, and not paid for");

    for (kind, _) in cases {
        // What of a class would have to change cannot be changed.
        lab.kubectl(&["delete", "storageclass", &named(kind), "--ignore-not-found"]).await?;
        lab.apply_text(&class(&named(kind)).to_string()).await?;
    }
    for (kind, _) in cases {
        buckets.wait_ready(kind).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_bucket_is_not_of_another_departments_system_nor_on_disks_and_its_system_is_not_handed_over()
-> Result<(), WorldError> {
    let world = shared().await?;
    let (bureau, other) = (world.department(Quota::AMPLE).await?, world.department(Quota::AMPLE).await?);
    let buckets = Buckets { bureau: &bureau };
    let theirs = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem",
        "metadata": {"name": "levy", "namespace": format!("dept-{}", other.name)},
        "spec": {
            "displayName": "征收系统", "protectionLevel": 2, "zoneRef": {"name": "extranet-public"},
            "owner": {"name": "李四"},
        },
    });
    world.lab.apply_text(&theirs.to_string()).await?;
    let mut body = buckets.body("files", "10Gi");
    body["system"] = json!("levy");
    let answer = buckets.order(&body, 0).await?;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    assert_eq!(answer.json()["field"], "system", "{answer:?}");
    let mut object = buckets.object("files", "10Gi");
    object["spec"]["systemRef"]["name"] = json!("levy");
    world.take("a bucket", &object.to_string()).await?;
    let unknown = |found: &_| -> bool { says(found, ConditionType::Accepted) == Some(("False", "UnknownReference")) };
    buckets.wait("files", "told that there is no such system", unknown).await?;
    bureau.caller.delete(&buckets.one("files")).await?;
    buckets.wait_gone("files").await?;

    // Disks of a tier are no room for buckets, however much there is.
    let mut body = buckets.body("files", "10Gi");
    body["tier"] = json!(block_pool(&bureau).await?);
    let answer = buckets.order(&body, 30).await?;
    assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::CONFLICT, &json!("NoMatchingPool")), "{answer:?}");
    bureau.caller.delete(&buckets.one("files")).await?;
    buckets.wait_gone("files").await?;

    // Whatever the department makes of the engine's own kinds, it does not make here.
    let claim = json!({
        "apiVersion": "objectbucket.io/v1alpha1", "kind": "ObjectBucketClaim",
        "metadata": {"name": "intruder", "namespace": format!("dept-{}", bureau.name)},
        "spec": {"generateBucketName": "intruder", "storageClassName": "none"},
    });
    let error = world.lab.apply_text(&claim.to_string()).await.unwrap_err();
    assert!(format!("{error:?}").contains("holds requests only"), "{error:?}");

    ordered(&buckets, "files", "10Gi").await?;
    not_handed_over(&bureau, "has the bucket files").await?;
    buckets.wait_ready("files").await?;
    Ok(())
}
