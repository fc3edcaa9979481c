//! Who decides about flows, and that nobody gets round them or learns of another department.

use jiyun_crds::v1alpha1::{ApprovalDecision, ConditionType, NetworkFlow, OrderAction, Reason};
use jiyun_tests::{
    World, WorldError,
    walls::{Walls, reason, shown},
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

#[tokio::test]
async fn what_is_refused_stays_closed_however_often_it_is_applied() -> Result<(), WorldError> {
    let walls = Walls::open(World::shared().await?).await?;
    walls.hosts("portal", "extranet-public", &["web"]).await?;
    let flow = walls.flow("internet", &json!({"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}));
    walls.apply(&flow).await?;
    let order = walls.awaited_order("internet", &[]).await?;
    let approver = format!("{}-approver", walls.name());
    walls.desk.decide(&approver, &order, ApprovalDecision::Refuse, "不允许直连互联网").await?;
    let refused = |found: &NetworkFlow| reason(found, ConditionType::Admitted) == Some(Reason::OrderRefused);
    walls.wait_for_flow("internet", "refused", refused).await?;
    for reason in ["再次申请", "第三次申请"] {
        let mut again = flow.clone();
        again["spec"]["justification"] = json!(reason);
        walls.apply(&again).await?;
        walls.wait_for_flow("internet", "still refused", refused).await?;
    }
    assert_eq!(walls.desk.names().await?.len(), 1, "asked once");
    assert!(walls.policies("internet").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn whoever_declares_a_flow_does_not_agree_to_it() -> Result<(), WorldError> {
    let walls = Walls::open(World::shared().await?).await?;
    let mut flow = walls.flow("internet", &json!({"ipBlock": {"cidr": "192.0.2.0/24"}}));
    flow["metadata"]["annotations"] = json!({"jiyun.io/applicant": format!("{}-approver", walls.name())});
    walls.apply(&flow).await?;
    let order = walls.awaited_order("internet", &[]).await?;
    walls.desk.approve(&order).await?;
    let ignored = |order: &jiyun_crds::v1alpha1::Order| {
        order.status.iter().flat_map(|status| &status.ignored).any(|ignored| ignored.code == "OwnRequest")
    };
    walls.desk.wait_for_order(order.metadata.name.as_deref().unwrap(), ignored).await?;
    assert!(walls.policies("internet").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_order_written_by_hand_opens_and_ends_a_flow() -> Result<(), WorldError> {
    let walls = Walls::open(World::shared().await?).await?;
    walls.hosts("portal", "extranet-public", &["web"]).await?;
    let mut flow = walls.flow("old-room", &json!({"ipBlock": {"cidr": "10.30.0.0/16"}}));
    flow["metadata"]["annotations"] = json!({"jiyun.io/order": "opening"});
    walls.apply(&flow).await?;
    let awaits = |found: &NetworkFlow| reason(found, ConditionType::Admitted) == Some(Reason::AwaitingOrder);
    walls.wait_for_flow("old-room", "awaits its order", awaits).await?;
    let order = |name: &str, action: OrderAction| {
        json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "Order",
            "metadata": {"name": name, "namespace": format!("dept-{}", walls.name())},
            "spec": {"systemRef": {"name": "portal"},
                     "items": [{"kind": "NetworkFlow", "name": "old-room", "action": action}]}})
    };
    walls.apply(&order("opening", OrderAction::Create)).await?;
    let filed = walls.awaited_order("old-room", &[]).await?;
    assert_eq!(filed.metadata.name.as_deref(), Some("opening"));
    walls.desk.approve(&filed).await?;
    walls.wait_open("old-room").await?;
    walls.apply(&order("closing", OrderAction::End)).await?;
    let closing = |order: &_| jiyun_tests::desk::approved(order) == Some(Reason::AwaitingApproval);
    let filed = walls.desk.wait_for_order("closing", closing).await?;
    assert_eq!(walls.policies("old-room").await?.len(), 1, "open until that is decided");
    walls.desk.approve(&filed).await?;
    walls.wait_for_policies("old-room", "none", <[_]>::is_empty).await?;
    Ok(())
}

#[tokio::test]
async fn nothing_tells_whether_another_department_has_what_a_flow_names_and_each_opens_its_own_end()
-> Result<(), WorldError> {
    let world = World::shared().await?;
    let (ours, theirs) = (Walls::open(world).await?, Walls::open(world).await?);
    let mine = ours.hosts("portal", "extranet-public", &["web"]).await?;
    let yours = theirs.hosts("portal", "extranet-public", &["answer"]).await?;
    let foreign = |department: &str, system: &str| json!({"foreign": {"department": department, "system": system}});
    let peers = [
        ("real", foreign(theirs.name(), "portal")),
        ("no-system", foreign(theirs.name(), "no-such-system")),
        ("no-department", foreign("no-such-department", "portal")),
    ];
    let mut told = Vec::new();
    for (name, peer) in &peers {
        ours.apply(&ours.flow(name, peer)).await?;
        let order = ours.awaited_order(name, &[]).await?;
        let waiting = ours.wait_for_flow(name, "waits", |_| true).await?;
        ours.desk.approve(&order).await?;
        let found = ours.wait_open(name).await?;
        let words = |found: NetworkFlow| {
            let conditions = found.status.unwrap().conditions;
            let said = conditions.into_iter().map(|each| (each.type_, each.status, each.reason, each.message));
            // Its own names and numbers apart, everything is the same.
            said.map(|(kind, status, reason, message)| {
                let plain: String = message.chars().filter(|c| !c.is_ascii_alphanumeric()).collect();
                (kind, status, reason, plain.replace('-', ""))
            })
            .collect::<Vec<_>>()
        };
        told.push((words(waiting), words(found), order.status.unwrap().levels));
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);

    // Only this end is open: nothing was changed in theirs, and their hosts are let in by their own flow alone.
    let out = [format!("engine-{} out {} > {} : 443-443", ours.name(), mine["web"], yours["answer"])];
    ours.wait_for_policies("real", "open at this end", |found| shown(found) == out).await?;
    assert!(ours.policies("no-system").await?.is_empty() && ours.policies("no-department").await?.is_empty());
    let mut back = theirs.flow("from-them", &foreign(ours.name(), "portal"));
    back["spec"]["direction"] = json!("Ingress");
    theirs.apply(&back).await?;
    let order = theirs.awaited_order("from-them", &[]).await?;
    assert!(theirs.policies("from-them").await?.is_empty());
    theirs.desk.approve(&order).await?;
    theirs.wait_open("from-them").await?;
    let inwards = [format!("engine-{} in {} > {} : 443-443", theirs.name(), yours["answer"], mine["web"])];
    theirs.wait_for_policies("from-them", "open at their end", |found| shown(found) == inwards).await?;
    Ok(())
}

#[tokio::test]
async fn nobody_but_the_platform_opens_a_wall_or_says_that_it_was_decided() -> Result<(), WorldError> {
    let walls = Walls::open(World::shared().await?).await?;
    let operator = walls.desk.client_of(&format!("{}-operator", walls.name())).await?;
    let policy: NetworkPolicy = serde_json::from_value(json!({
        "metadata": {"name": "mine"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
    }))
    .unwrap();
    for namespace in [format!("dept-{}", walls.name()), format!("engine-{}", walls.name())] {
        let api = Api::<NetworkPolicy>::namespaced(operator.clone(), &namespace);
        let error = api.create(&PostParams::default(), &policy).await.unwrap_err();
        assert!(matches!(&error, kube::Error::Api(status) if status.code == 403), "{namespace}: {error:?}");
        api.delete("jiyun-default-deny", &kube::api::DeleteParams::default()).await.unwrap_err();
    }
    let mine = Api::<NetworkFlow>::namespaced(operator, &format!("dept-{}", walls.name()));
    let mut forged = walls.flow("forged", &json!({"ipBlock": {"cidr": "192.0.2.0/24"}}));
    forged["status"] = json!({"claimId": "claim-1", "conditions": [{"type": "Admitted", "status": "True",
        "reason": "Granted", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
    forged["metadata"]["labels"] = json!({"jiyun.io/claim": "claim-1", "app.kubernetes.io/managed-by": "jiyun"});
    let created = mine.create(&PostParams::default(), &serde_json::from_value(forged).unwrap()).await?;
    assert_eq!(created.status, None, "a status that comes with the wish is dropped");
    let stamp = &created.metadata.annotations.unwrap()["jiyun.io/requested-by"];
    assert_eq!(*stamp, format!("{}-operator", walls.name()));
    let status = json!({"status": {"claimId": "claim-1"}});
    mine.patch_status("forged", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap_err();
    for patch in [
        json!({"metadata": {"finalizers": null}}),
        json!({"metadata": {"annotations": {"jiyun.io/requested-by": "somebody"}, "finalizers": []}}),
    ] {
        assert!(mine.patch("forged", &PatchParams::default(), &Patch::Merge(&patch)).await.is_err(), "{patch}");
    }
    walls.awaited_order("forged", &[]).await?;
    assert!(walls.policies("forged").await?.is_empty());
    let reader = walls.desk.client_of(&format!("{}-reader", walls.name())).await?;
    let theirs = Api::<NetworkFlow>::namespaced(reader, &format!("dept-{}", walls.name()));
    assert!(theirs.get("forged").await.is_ok());
    theirs.delete("forged", &kube::api::DeleteParams::default()).await.unwrap_err();
    Ok(())
}
