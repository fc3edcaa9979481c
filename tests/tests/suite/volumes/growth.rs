//! Volumes that grow: by a policy, by people, not beyond the quota, and never back.

use http::StatusCode;
use jiyun_crds::v1alpha1::{CloudVolume, ConditionType, Reason};
use jiyun_tests::{
    WorldError,
    desk::{Desk, approved, reason_of},
    volume::{Volumes, says, shared, told},
    world::Quota,
};
use serde_json::json;

use super::{billed, change, order, uses};

/// Waits until this size was granted and made.
async fn grown(volumes: &Volumes<'_>, size: &str) -> Result<CloudVolume, WorldError> {
    let is_grown = |found: &CloudVolume| {
        let granted = found.status.as_ref().and_then(|status| status.granted_size.as_ref());
        granted.is_some_and(|granted| granted.as_str() == size)
            && says(found, ConditionType::Provisioned) == Some(("True", "Provisioned"))
            && says(found, ConditionType::Accepted) == Some(("True", "Valid"))
    };
    let found = volumes.wait("data", &format!("grown to {size}"), is_grown).await?;
    let storage = volumes.made("pvc", "data").await?;
    assert_eq!(storage["status"]["capacity"]["storage"], size);
    Ok(found)
}

/// Waits until the volume says for this reason that its change is not granted, and can be used as it was.
async fn objected(volumes: &Volumes<'_>, why: &str) -> Result<CloudVolume, WorldError> {
    let objects = |found: &CloudVolume| {
        says(found, ConditionType::Accepted) == Some(("False", why))
            && says(found, ConditionType::Admitted).is_some_and(|(status, _)| status == "True")
            && says(found, ConditionType::Ready) == Some(("True", "Available"))
    };
    volumes.wait("data", &format!("says {why}"), objects).await
}

#[tokio::test]
async fn growth_within_a_policy_and_the_quota_is_granted_and_billed_and_there_is_no_way_back() -> Result<(), WorldError>
{
    let bureau = shared().await?.department(Quota { storage_gibibytes: 100, ..Quota::AMPLE }).await?;
    let volumes = Volumes { bureau: &bureau };
    order(&volumes, "data", "40Gi", None).await?;
    let claim = volumes.wait_ready("data", "Available").await?.status.unwrap().claim_id.unwrap();
    billed(&bureau, &claim, 40 * 1024).await?;
    change(&volumes, "data", &json!({"size": "80Gi"})).await?;
    assert_eq!(grown(&volumes, "80Gi").await?.status.unwrap().claim_id.as_ref(), Some(&claim));
    assert_eq!(bureau.used("BlockStorage").await?, (80 * 1024, 0));
    let (after, before) = (billed(&bureau, &claim, 80 * 1024).await?, billed(&bureau, &claim, 40 * 1024).await?);
    assert_eq!(before["to"], after["from"], "not a second is lost or counted twice");

    change(&volumes, "data", &json!({"size": "200Gi"})).await?;
    let refused = objected(&volumes, "ExceedsLimit").await?;
    let (_, _, message) = told(&refused, ConditionType::Accepted).unwrap();
    for number in ["limit 100", "used 80", "requested 120", "missing 100"] {
        assert!(message.contains(number), "{number} in {message}");
    }
    assert_eq!(refused.status.unwrap().granted_size.unwrap().as_str(), "80Gi", "it goes on as it was granted");
    // What nobody has granted is taken back; what was granted is not.
    change(&volumes, "data", &json!({"size": "80Gi"})).await?;
    assert_eq!(grown(&volumes, "80Gi").await?.status.unwrap().refusal, None);
    let smaller = volumes.change("data", &json!({"size": "79Gi"})).await?;
    assert_eq!(smaller.status, StatusCode::UNPROCESSABLE_ENTITY, "{smaller:?}");
    let problem = smaller.json();
    assert_eq!(problem["field"], "size", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("order another"), "{problem}");
    assert_eq!(bureau.used("BlockStorage").await?, (80 * 1024, 0));
    Ok(())
}

#[tokio::test]
async fn growth_that_people_decide_about_is_held_and_the_volume_goes_on_as_it_is_until_they_have()
-> Result<(), WorldError> {
    let rules = json!({
        "automatic": {"vcpu": 2, "memory": "4Gi", "blockStorage": "40Gi"},
        "levels": [{"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"], "workingDays": 3}],
    });
    let desk = Desk::with(shared().await?, Quota::AMPLE, rules).await?;
    let volumes = Volumes { bureau: &desk.bureau };
    order(&volumes, "data", "40Gi", None).await?;
    volumes.wait_ready("data", "Available").await?;
    change(&volumes, "data", &json!({"size": "60Gi"})).await?;
    let waiting = objected(&volumes, "AwaitingApproval").await?.status.unwrap();
    assert_eq!(waiting.granted_size.unwrap().as_str(), "40Gi");
    let name = waiting.order_ref.unwrap().name;
    let order = desk.wait_for_order(&name, |order| approved(order) == Some(Reason::AwaitingApproval)).await?;
    let summary = &order.status.as_ref().unwrap().items[0].summary;
    let says_size = summary.iter().any(|row| row.name == "blockStorage" && row.value.starts_with("61440"));
    assert!(says_size, "{summary:?}");
    uses(&desk.bureau, (40 * 1024, 20 * 1024)).await?;
    assert_eq!(volumes.made("pvc", "data").await?["status"]["capacity"]["storage"], "40Gi");

    desk.approve(&order).await?;
    let status = grown(&volumes, "60Gi").await?.status.unwrap();
    assert_eq!((status.order_ref, status.refusal), (None, None));
    uses(&desk.bureau, (60 * 1024, 0)).await?;
    desk.wait_for_order(&name, |order| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled)).await?;
    assert_eq!(desk.names().await?.len(), 1, "nothing was asked twice");
    Ok(())
}
