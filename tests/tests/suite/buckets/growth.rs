//! Buckets that grow: by a policy, by people, not beyond the quota, and never back.

use http::StatusCode;
use jiyun_crds::v1alpha1::{CloudBucket, ConditionType, Reason};
use jiyun_lab::wait_for;
use jiyun_tests::{
    WorldError,
    booked::{billed, uses},
    bucket::{Buckets, says, shared, told},
    desk::{Desk, approved, reason_of},
    world::{Bureau, PATIENCE, Quota},
};
use serde_json::{Value, json};

use super::{change, ordered};

/// Limits the object storage of a department to so much; returns once the ledger has it.
async fn limited(bureau: &Bureau<'_>, gibibytes: u64) -> Result<(), WorldError> {
    let limit = json!([{
        "op": "add", "path": "/spec/quota/-", "value": {"meter": "ObjectStorage", "limit": format!("{gibibytes}Gi")},
    }]);
    let limit_added = ["patch", "department", &bureau.name, "--type=json", "-p", &limit.to_string()];
    bureau.world.lab.kubectl(&limit_added).await?;
    wait_for(format!("the limit of {}", bureau.name), PATIENCE, || async {
        let path = format!("/v1/departments/{}/quota", bureau.name);
        let quota = bureau.caller.get(&path).await.map_err(|error| error.to_string())?.json();
        let rows = quota["rows"].as_array().cloned().unwrap_or_default();
        let is_it = |row: &Value| row["meter"] == "ObjectStorage" && row["limit"] == gibibytes * 1024;
        if rows.iter().any(is_it) { Ok(()) } else { Err(quota.to_string()) }
    })
    .await?;
    Ok(())
}

/// Waits until this size was granted and made.
async fn grown(buckets: &Buckets<'_>, size: &str, mebibytes: u64) -> Result<CloudBucket, WorldError> {
    let is_grown = |found: &CloudBucket| {
        let granted = found.status.as_ref().and_then(|status| status.granted_size.as_ref());
        granted.is_some_and(|granted| granted.as_str() == size)
            && says(found, ConditionType::Provisioned) == Some(("True", "Provisioned"))
            && says(found, ConditionType::Accepted) == Some(("True", "Valid"))
    };
    let found = buckets.wait("files", &format!("grown to {size}"), is_grown).await?;
    let most = buckets.claim("files").await?.data["spec"]["additionalConfig"]["bucketMaxSize"].clone();
    assert_eq!(most, format!("{mebibytes}Mi"));
    Ok(found)
}

/// Waits until the bucket says for this reason that its change is not granted, and can be used as it was.
async fn objected(buckets: &Buckets<'_>, why: &str) -> Result<CloudBucket, WorldError> {
    let objects = |found: &CloudBucket| {
        says(found, ConditionType::Accepted) == Some(("False", why))
            && says(found, ConditionType::Admitted).is_some_and(|(status, _)| status == "True")
            && says(found, ConditionType::Ready) == Some(("True", "Available"))
    };
    buckets.wait("files", &format!("says {why}"), objects).await
}

#[tokio::test]
async fn growth_within_a_policy_and_the_quota_is_granted_and_billed_and_there_is_no_way_back() -> Result<(), WorldError>
{
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    limited(&bureau, 100).await?;
    let buckets = Buckets { bureau: &bureau };
    let claim = ordered(&buckets, "files", "40Gi").await?.status.unwrap().claim_id.unwrap();
    let (pair, name) = (buckets.pair("files").await?, buckets.claim("files").await?.data["spec"]["bucketName"].clone());
    billed(&bureau, &claim, 40 * 1024).await?;
    change(&buckets, "files", &json!({"size": "80Gi"})).await?;
    assert_eq!(grown(&buckets, "80Gi", 80 * 1024).await?.status.unwrap().claim_id.as_ref(), Some(&claim));
    assert_eq!(bureau.used("ObjectStorage").await?, (80 * 1024, 0));
    let (after, before) = (billed(&bureau, &claim, 80 * 1024).await?, billed(&bureau, &claim, 40 * 1024).await?);
    assert_eq!(before["to"], after["from"], "not a second is lost or counted twice");
    assert_eq!(buckets.claim("files").await?.data["spec"]["bucketName"], name, "with what is in it");
    assert!(buckets.pair("files").await? == pair, "its programs notice nothing");

    change(&buckets, "files", &json!({"size": "200Gi"})).await?;
    let refused = objected(&buckets, "ExceedsLimit").await?;
    let (_, _, message) = told(&refused, ConditionType::Accepted).unwrap();
    for number in ["limit 100", "used 80", "requested 120", "missing 100"] {
        assert!(message.contains(number), "{number} in {message}");
    }
    assert_eq!(refused.status.unwrap().granted_size.unwrap().as_str(), "80Gi", "it goes on as it was granted");
    // What nobody has granted is taken back; what was granted is not.
    change(&buckets, "files", &json!({"size": "80Gi"})).await?;
    assert_eq!(grown(&buckets, "80Gi", 80 * 1024).await?.status.unwrap().refusal, None);
    let smaller = buckets.change("files", &json!({"size": "79Gi"})).await?;
    assert_eq!(smaller.status, StatusCode::UNPROCESSABLE_ENTITY, "{smaller:?}");
    let problem = smaller.json();
    assert_eq!(problem["field"], "size", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("order another"), "{problem}");
    assert_eq!(bureau.used("ObjectStorage").await?, (80 * 1024, 0));
    Ok(())
}

#[tokio::test]
async fn growth_and_end_that_people_decide_about_are_done_once_they_have_and_the_bucket_goes_on_until_then()
-> Result<(), WorldError> {
    let rules = json!({
        "automatic": {"vcpu": 0, "memory": "0", "blockStorage": "0", "objectStorage": "40Gi"},
        "levels": [{"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"], "workingDays": 3}],
    });
    let desk = Desk::with(shared().await?, Quota::AMPLE, rules).await?;
    let buckets = Buckets { bureau: &desk.bureau };
    ordered(&buckets, "files", "40Gi").await?;
    change(&buckets, "files", &json!({"size": "60Gi"})).await?;
    let waiting = objected(&buckets, "AwaitingApproval").await?.status.unwrap();
    assert_eq!(waiting.granted_size.unwrap().as_str(), "40Gi");
    let name = waiting.order_ref.unwrap().name;
    let open = |order: &_| approved(order) == Some(Reason::AwaitingApproval);
    let order = desk.wait_for_order(&name, open).await?;
    let summary = &order.status.as_ref().unwrap().items[0].summary;
    let says_size = summary.iter().any(|row| row.name == "objectStorage" && row.value.starts_with("61440"));
    assert!(says_size, "{summary:?}");
    uses(&desk.bureau, "ObjectStorage", (40 * 1024, 20 * 1024)).await?;
    let most = buckets.claim("files").await?.data["spec"]["additionalConfig"]["bucketMaxSize"].clone();
    assert_eq!(most, "40960Mi");

    desk.approve(&order).await?;
    let status = grown(&buckets, "60Gi", 60 * 1024).await?.status.unwrap();
    assert_eq!((status.order_ref, status.refusal), (None, None));
    uses(&desk.bureau, "ObjectStorage", (60 * 1024, 0)).await?;
    let done = |order: &_| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled);
    desk.wait_for_order(&name, done).await?;

    let end = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Order",
        "metadata": {"name": "end-files", "namespace": format!("dept-{}", desk.bureau.name)},
        "spec": {"systemRef": {"name": "portal"}, "items": [{"kind": "CloudBucket", "name": "files", "action": "End"}]},
    });
    desk.bureau.world.take("an order", &end.to_string()).await?;
    let order = desk.wait_for_order("end-files", open).await?;
    desk.approve(&order).await?;
    buckets.wait_gone("files").await?;
    uses(&desk.bureau, "ObjectStorage", (0, 0)).await?;
    assert_eq!(desk.names().await?.len(), 2, "nothing was asked twice");
    Ok(())
}
