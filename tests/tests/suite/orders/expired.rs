//! Nobody decides in time, and nobody may step in: the order is over, and what is said afterwards changes nothing.

use http::StatusCode;
use jiff::{Timestamp, ToSpan};
use jiyun_crds::v1alpha1::{ApprovalDecision, ConditionType, Reason, condition};
use jiyun_tests::{
    Order, World, WorldError,
    desk::{Desk, approved, named_order, reason_of},
    world::{Quota, has},
};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::ways::bind_platform_approvers;

/// How long ago the order is made to be accepted: longer than three working days and any holidays around them.
const HOURS_AGO: i64 = 30 * 24;

/// Turns the clock of an order back, as the administrator may.
async fn turn_back(desk: &Desk<'_>, name: &str) -> Result<(), WorldError> {
    let orders = desk.orders().await?;
    let accepted = Timestamp::from_second(Timestamp::now().as_second()).unwrap() - HOURS_AGO.hours();
    let earlier = Patch::Merge(json!({"status": {"acceptedAt": accepted.to_string()}}));
    orders.patch_status(name, &PatchParams::default(), &earlier).await?;
    // Nobody expects the clock to jump: a change of a free field has the order looked at before its next look is due.
    let looked_at = Patch::Merge(json!({"spec": {"justification": "催办无果"}}));
    orders.patch(name, &PatchParams::default(), &looked_at).await?;
    Ok(())
}

#[tokio::test]
async fn an_order_nobody_decides_in_time_expires_frees_what_it_held_and_no_later_decision_counts()
-> Result<(), WorldError> {
    // Both groups have to agree, so that a decision may have been made before the order expires for want of the other.
    let both = json!([{"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"], "groups": ["jiyun:operators"],
        "mode": "All", "workingDays": 3}]);
    let desk = Desk::with(World::shared().await?, Quota::cores(8), json!({"levels": both})).await?;
    let bureau = &desk.bureau;
    bind_platform_approvers(&desk).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    let order = desk.awaited_order("web").await?;
    let name = order.metadata.name.clone().unwrap_or_default();
    desk.decide("operator", &order, ApprovalDecision::Approve, "").await?;
    let is_counted =
        |order: &jiyun_crds::v1alpha1::Order| order.status.as_ref().is_some_and(|status| status.decisions.len() == 1);
    let halfway = desk.wait_for_order(&name, is_counted).await?;
    assert_eq!(approved(&halfway), Some(Reason::AwaitingApproval), "{:?}", halfway.status);
    assert_eq!(bureau.used("Vcpu").await?, (0, 2));

    turn_back(&desk, &name).await?;
    let is_expired = |order: &_| approved(order) == Some(Reason::OrderExpired);
    let expired = desk.wait_for_order(&name, is_expired).await?;
    assert_eq!(reason_of(&expired, ConditionType::Held), Some(Reason::NotHeld));
    let status = expired.status.unwrap_or_default();
    let ignored: Vec<_> = status.ignored.iter().map(|row| row.code.as_str()).collect();
    assert_eq!((ignored, status.decisions.len()), (vec!["TooLate"], 0), "by its clock the decision came too late");
    assert!(status.level.is_none() && status.groups.is_empty() && status.deadline.is_none(), "{status:?}");
    assert_eq!(status.refusal.map(|refusal| refusal.code).as_deref(), Some("OrderExpired"));
    let told = |host: &_| named_order(host, Reason::OrderExpired).is_some();
    let host = bureau.wait_for_host("web", "told that its order expired", told).await?;
    let conditions = host.status.unwrap_or_default().conditions;
    let admitted = condition::find(&conditions, ConditionType::Admitted).map(|found| found.message.as_str());
    let message = admitted.unwrap_or_default();
    assert!(message.contains("逾期未审批：leader") && message.contains("nobody decided in time: leader"), "{message}");
    desk.all_free().await?;

    let path = format!("/v1/departments/{}/orders/{name}", bureau.name);
    assert_eq!(bureau.caller.get(&path).await?.json()["state"], json!("Expired"));
    let approver = bureau.world.caller(&format!("{}-approver", bureau.name))?;
    let late = approver.post(&format!("{path}/approvals"), &json!({"decision": "Approve"}), 0).await?;
    assert_eq!((late.status, &late.json()["code"]), (StatusCode::CONFLICT, &json!("OrderNotOpen")), "{late:?}");
    desk.approve(&order).await?;
    // Decisions arrive one after the other: once a later one has taken effect, this one has been seen.
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-2", "portal").body(), 0).await?;
    let another = desk.awaited_order("web-2").await?;
    desk.decide("operator", &another, ApprovalDecision::Approve, "").await?;
    desk.approve(&another).await?;
    bureau.wait_ready("web-2").await?;
    desk.wait_for_order(&name, is_expired).await?;
    let host = bureau.wait_for_host("web", "still told that its order expired", told).await?;
    assert!(!has(&host, ConditionType::Admitted));
    assert_eq!(bureau.used("Vcpu").await?, (2, 0), "nothing but what was approved in time");
    Ok(())
}
