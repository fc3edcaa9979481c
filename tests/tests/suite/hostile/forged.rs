//! Attacks on decisions: stamps that name somebody else or another group, and programs that decide. The stamp says who
//! counts as an applicant and who as an approver.

use std::fmt::Debug;

use http::StatusCode;
use jiyun_crds::{
    names::{ANNOTATION_CREATED_BY, ANNOTATION_REQUESTED_BY, ANNOTATION_REQUESTED_BY_GROUPS, department_namespace},
    v1alpha1::{Approval, ApprovalDecision, NetworkFlow, Order as Filed, Reason},
};
use jiyun_tests::{
    Order, World, WorldError,
    desk::{Desk, approved},
    walls::Walls,
    world::Quota,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{people::Program, total::Attempts, victim::SYSTEM};

/// The group whose members the policy asks, and somebody in it.
const GROUP: &str = "leaders";
const LEADER: &str = "the-leader";

/// Annotations that say that the leader asked for it.
fn forgery() -> Value {
    json!({
        (ANNOTATION_CREATED_BY): LEADER, (ANNOTATION_REQUESTED_BY): LEADER,
        (ANNOTATION_REQUESTED_BY_GROUPS): format!("{GROUP}\nsystem:authenticated"),
    })
}

/// Whether an object carries the stamp of `user`, who is no leader.
fn is_stamped(object: &impl ResourceExt, user: &str) -> bool {
    let said = |key: &str| object.annotations().get(key).map(String::as_str);
    let groups = said(ANNOTATION_REQUESTED_BY_GROUPS).unwrap_or_default();
    said(ANNOTATION_CREATED_BY) == Some(user)
        && said(ANNOTATION_REQUESTED_BY) == Some(user)
        && groups.lines().any(|group| group == "system:authenticated")
        && groups.lines().all(|group| group != GROUP)
}

/// Creates `object` as `user` with a stamp of the leader's, then writes that stamp into what was created.
async fn forge<K>(api: &Api<K>, user: &str, mut object: Value, attempts: &Attempts) -> Result<K, WorldError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    object["metadata"]["annotations"] = forgery();
    let object: K = serde_json::from_value(object).map_err(std::io::Error::other)?;
    let created = api.create(&PostParams::default(), &object).await?;
    attempts.refused(is_stamped(&created, user), || format!("created: {created:?}"));
    let stamps = [ANNOTATION_CREATED_BY, ANNOTATION_REQUESTED_BY, ANNOTATION_REQUESTED_BY_GROUPS];
    let nothing = json!({(stamps[0]): null, (stamps[1]): null, (stamps[2]): null});
    for annotations in [forgery(), nothing] {
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        // Refused, or taken without it.
        if let Ok(patched) = api.patch(&created.name_any(), &PatchParams::default(), &patch).await {
            attempts.refused(is_stamped(&patched, user), || format!("patched: {patched:?}"));
        } else {
            let now = api.get(&created.name_any()).await?;
            attempts.refused(is_stamped(&now, user), || format!("now: {now:?}"));
        }
    }
    Ok(created)
}

/// What agrees to `order` at the level whose turn it is.
fn agreement(order: &Filed, name: &str) -> Value {
    let status = order.status.clone().unwrap_or_default();
    json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Approval", "metadata": {"name": name},
        "spec": {
            "orderRef": {"name": order.name_any()}, "orderUid": order.uid(), "digest": status.digest,
            "level": status.level, "decision": "Approve", "reason": "",
        },
    })
}

#[tokio::test]
async fn a_forged_stamp_makes_nobody_an_approver_and_hides_no_applicant() -> Result<(), WorldError> {
    let attempts = Attempts::begin();
    let leaders = json!([{"name": "leader", "rank": 10, "groups": [GROUP], "workingDays": 3}]);
    let world = World::shared().await?;
    let desk = Desk::with(world, Quota::cores(8), json!({"levels": leaders})).await?;
    let (name, lab) = (desk.bureau.name.clone(), &world.lab);
    let (home, user) = (department_namespace(&name), |role: &str| format!("{name}-{role}"));
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new("web", SYSTEM).body(), 0).await?;
    let order = desk.awaited_order("web").await?;

    // Who may decide here, and is in no group that this level takes.
    let approver = &lab.person(&user("approver"))?.user;
    let approvals = Api::<Approval>::namespaced(desk.client_of(&user("approver")).await?, &home);
    let forged = forge(&approvals, approver, agreement(&order, "forged"), &attempts).await?.name_any();
    let ignores = |order: &Filed| {
        order.status.iter().flat_map(|status| &status.ignored).any(|ignored| format!("{ignored:?}").contains(&forged))
    };
    let seen = desk.wait_for_order(&order.name_any(), ignores).await?;
    let waits = approved(&seen) == Some(Reason::AwaitingApproval);
    attempts.refused(waits, || format!("an approval with the leaders' stamp: {:?}", seen.status));

    // Who may not decide at all, whatever the stamp.
    for role in ["operator", "reader"] {
        let approvals = Api::<Approval>::namespaced(desk.client_of(&user(role)).await?, &home);
        let mut object = agreement(&order, role);
        object["metadata"]["annotations"] = forgery();
        let object: Approval = serde_json::from_value(object).map_err(std::io::Error::other)?;
        let outcome = approvals.create(&PostParams::default(), &object).await;
        let refused = matches!(&outcome, Err(kube::Error::Api(status)) if status.code == 403);
        attempts.refused(refused, || format!("an approval of the {role}: {outcome:?}"));
    }

    // Who asks, and would have it that somebody else did.
    let operator = &lab.person(&user("operator"))?.user;
    let client = desk.client_of(&user("operator")).await?;
    let filed = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Order", "metadata": {"name": "forged-order", "namespace": home},
        "spec": {
            "systemRef": {"name": SYSTEM}, "items": [{"kind": "CloudHost", "name": "later", "action": "Create"}],
            "justification": "门户改版",
        },
    });
    forge(&Api::<Filed>::namespaced(client.clone(), &home), operator, filed, &attempts).await?;
    let order_name = order.name_any();
    let walls = Walls { desk };
    let flow = walls.flow("forged-flow", &json!({"ipBlock": {"cidr": "192.0.2.0/24"}}));
    forge(&Api::<NetworkFlow>::namespaced(client, &home), operator, flow, &attempts).await?;
    let asked = walls.awaited_order("forged-flow", &[]).await?.status.unwrap_or_default().applicants;
    let told = asked.contains(operator) && !asked.iter().any(|applicant| applicant == LEADER);
    attempts.refused(told, || format!("applicants {asked:?}"));
    assert_eq!(walls.desk.bureau.used("Vcpu").await?, (0, 2), "{order_name} is held and not granted");
    attempts.over(13);
    Ok(())
}

#[tokio::test]
async fn a_program_decides_nothing_whatever_role_it_was_given() -> Result<(), WorldError> {
    let attempts = Attempts::begin();
    let desk = Desk::open(World::shared().await?, Quota::cores(8)).await?;
    let bureau = &desk.bureau;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web", SYSTEM).body(), 0).await?;
    let order = desk.awaited_order("web").await?;
    let path = format!("/v1/departments/{}/orders/{}/approvals", bureau.name, order.name_any());
    for (number, role) in ["jiyun-department-approver", "jiyun-platform-approver"].into_iter().enumerate() {
        let program = Program::of(bureau, role).await?;
        let client = bureau.world.lab.client_as(&program.token).await?;
        let name = format!("program-{number}");
        let outcome = desk.decide_through(client, &name, &order, ApprovalDecision::Approve, "").await;
        let refused =
            matches!(&outcome, Err(error) if format!("{error:?}").contains("service accounts cannot approve"));
        attempts.refused(refused, || format!("{role} with kubectl: {outcome:?}"));
        let answer = program.caller.post(&path, &json!({"decision": "Approve"}), 0).await?;
        attempts.refused(answer.status == StatusCode::FORBIDDEN, || format!("{role}: {answer:?}"));
        assert_eq!(answer.json()["code"], "MayNotApprove", "{answer:?}");
    }
    let after = desk.wait_for_order(&order.name_any(), |_| true).await?;
    assert_eq!(approved(&after), Some(Reason::AwaitingApproval));
    assert!(after.status.is_some_and(|status| status.decisions.is_empty() && status.ignored.is_empty()));
    attempts.over(4);
    Ok(())
}
