//! What goes wrong around flows: walls touched by hand, objects that vanish, names that do not exist.

use jiyun_crds::v1alpha1::{ConditionType, NetworkFlow, Reason};
use jiyun_tests::{
    World, WorldError, WorldOptions,
    walls::{Walls, reason, shown},
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

#[tokio::test]
async fn a_wall_that_is_edited_or_taken_down_by_hand_is_put_right() -> Result<(), WorldError> {
    let walls = Walls::open(World::shared().await?).await?;
    walls.hosts("portal", "extranet-public", &["web", "db"]).await?;
    walls.apply(&walls.flow("all", &json!({"system": {"name": "portal"}}))).await?;
    walls.wait_open("all").await?;
    let right = |found: &[NetworkPolicy]| found.len() == 2 && shown(found).iter().all(|line| line.ends_with("443-443"));
    let before = walls.wait_for_policies("all", "of two hosts", |found| {
        right(found) && shown(found).iter().all(|line| line.contains('+'))
    });
    let before = shown(&before.await?);
    let api = Api::<NetworkPolicy>::namespaced(
        walls.desk.bureau.world.lab.client().await?,
        &format!("engine-{}", walls.name()),
    );
    let as_before = |found: &[NetworkPolicy]| shown(found) == before;
    for (number, edit) in [
        json!({"spec": {"egress": [{}]}}),
        json!({"spec": {"policyTypes": ["Egress", "Ingress"], "ingress": [{}]}}),
        json!({"spec": {"podSelector": {"matchExpressions": []}}}),
    ]
    .into_iter()
    .enumerate()
    {
        let policies = walls.policies("all").await?;
        let out = policies.iter().find(|policy| policy.name_any().ends_with("-out")).unwrap();
        let version = out.metadata.generation;
        api.patch(&out.name_any(), &PatchParams::default(), &Patch::Merge(&edit)).await?;
        let put_right = |found: &[NetworkPolicy]| {
            let out = found.iter().find(|policy| policy.name_any().ends_with("-out"));
            as_before(found) && out.is_some_and(|out| out.metadata.generation > version)
        };
        let after = walls.wait_for_policies("all", &format!("put right after edit {number}"), put_right).await?;
        let spec =
            serde_json::to_value(&after.iter().find(|one| one.name_any().ends_with("-out")).unwrap().spec).unwrap();
        assert!(spec.get("ingress").is_none(), "{spec}");
    }
    for policy in walls.policies("all").await? {
        api.delete(&policy.name_any(), &DeleteParams::default()).await?;
    }
    walls.wait_for_policies("all", "there again", as_before).await?;
    Ok(())
}

#[tokio::test]
async fn a_system_that_is_not_there_is_named_and_nothing_is_filed_until_it_is() -> Result<(), WorldError> {
    let walls = Walls::open(World::shared().await?).await?;
    walls.hosts("portal", "extranet-public", &["web"]).await?;
    walls.apply(&walls.flow("to-later", &json!({"system": {"name": "later"}}))).await?;
    let unknown = |found: &NetworkFlow| reason(found, ConditionType::Accepted) == Some(Reason::UnknownReference);
    let found = walls.wait_for_flow("to-later", "told what is missing", unknown).await?;
    assert!(format!("{:?}", found.status).contains("spec.peer.system.name"), "{:?}", found.status);
    assert_eq!(walls.desk.names().await?.len(), 0);
    let later = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem",
        "metadata": {"name": "later", "namespace": format!("dept-{}", walls.name())},
        "spec": {"displayName": "后来的系统", "protectionLevel": 2, "zoneRef": {"name": "extranet-public"},
                 "owner": {"name": "王五"}},
    });
    walls.apply(&later).await?;
    walls.wait_open("to-later").await?;
    assert!(walls.policies("to-later").await?.is_empty(), "it has no hosts yet");

    // A system that something is still declared for does not go.
    let lab = &walls.desk.bureau.world.lab;
    let namespace = format!("dept-{}", walls.name());
    lab.kubectl(&["delete", "networkflow/to-later", "-n", &namespace, "--timeout=60s"]).await?;
    lab.kubectl(&["delete", "informationsystem/later", "-n", &namespace, "--timeout=60s"]).await?;
    Ok(())
}

#[tokio::test]
async fn what_nobody_stands_behind_is_closed_when_the_controller_comes_back() -> Result<(), WorldError> {
    let controller_arguments = vec!["--look-every=1".to_owned()];
    let world = World::start(WorldOptions { controller_arguments, ..WorldOptions::default() }).await?;
    let walls = Walls::open(&world).await?;
    walls.hosts("portal", "extranet-public", &["web", "db"]).await?;
    for flow in ["stays", "vanishes", "restored"] {
        walls.apply(&walls.flow(flow, &json!({"system": {"name": "portal"}}))).await?;
        walls.wait_for_policies(flow, "open", |found| found.len() == 2).await?;
    }
    let before = shown(&walls.policies("stays").await?);
    let claim = walls.wait_open("restored").await?.status.and_then(|status| status.claim_id);

    world.controller.stop().await;
    let namespace = format!("dept-{}", walls.name());
    let token = world.lab.user_token("jiyun-system", "jiyun-controller").await?;
    let as_controller = Api::<NetworkFlow>::namespaced(world.lab.client_as(&token).await?, &namespace);
    let free = Patch::Merge(json!({"metadata": {"finalizers": []}}));
    for flow in ["vanishes", "restored"] {
        world.lab.kubectl(&["delete", "networkflow", flow, "-n", &namespace, "--wait=false"]).await?;
        as_controller.patch(flow, &PatchParams::default(), &free).await?;
    }
    // As a backup tool restores: the same name and spec, a new UID, no status.
    walls.apply(&walls.flow("restored", &json!({"system": {"name": "portal"}}))).await?;
    let stray = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "stray", "namespace": format!("engine-{}", walls.name()), "labels": {
            "app.kubernetes.io/managed-by": "jiyun", "jiyun.io/claim": "claim-1.0000", "jiyun.io/networkflow": "stray",
            "jiyun.io/department": walls.name(),
        }},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
    });
    world.lab.apply_text(&stray.to_string()).await?;
    for policy in walls.policies("stays").await? {
        let edit = Patch::Merge(json!({"spec": {"podSelector": {"matchExpressions": []}}}));
        let engines = Api::<NetworkPolicy>::namespaced(world.lab.client().await?, &policy.namespace().unwrap());
        engines.patch(&policy.name_any(), &PatchParams::default(), &edit).await?;
    }

    world.controller.restart().await?;
    walls.wait_for_policies("vanishes", "closed", <[_]>::is_empty).await?;
    walls.wait_for_policies("stray", "closed", <[_]>::is_empty).await?;
    walls.wait_for_policies("stays", "put right", |found| shown(found) == before).await?;
    let again = walls.wait_open("restored").await?.status.and_then(|status| status.claim_id);
    assert_eq!(again, claim, "what was decided is its own still");
    assert_eq!(walls.policies("restored").await?.len(), 2);
    let metrics = world.controller_metrics().await?;
    assert!(metrics.contains("jiyun_quarantined 0"), "a single one is no alarm");
    Ok(())
}

#[tokio::test]
async fn a_system_at_the_other_end_cannot_be_made_anew_in_another_zone_behind_an_open_flow() -> Result<(), WorldError> {
    let walls = Walls::open(World::shared().await?).await?;
    walls.hosts("portal", "extranet-public", &["web"]).await?;
    let near = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem",
        "metadata": {"name": "near", "namespace": format!("dept-{}", walls.name())},
        "spec": {"displayName": "邻近系统", "protectionLevel": 2, "zoneRef": {"name": "extranet-public"}, "owner": {"name": "李四"}},
    });
    walls.desk.bureau.world.lab.apply_text(&near.to_string()).await?;
    walls.apply(&walls.flow("to-near", &json!({"system": {"name": "near"}}))).await?;
    walls.wait_open("to-near").await?;
    let (lab, namespace) = (&walls.desk.bureau.world.lab, format!("dept-{}", walls.name()));
    lab.kubectl(&["delete", "informationsystem/near", "-n", &namespace, "--wait=false"]).await?;
    let told = "--for=jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}=Deleting";
    lab.kubectl(&["wait", "informationsystem/near", "-n", &namespace, told, "--timeout=60s"]).await?;
    lab.kubectl(&["delete", "networkflow/to-near", "-n", &namespace, "--timeout=60s"]).await?;
    lab.kubectl(&["wait", "informationsystem/near", "-n", &namespace, "--for=delete", "--timeout=60s"]).await?;
    Ok(())
}
